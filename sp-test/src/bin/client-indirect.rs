//! The client of the suite `indirect`.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::indirect::main(
    "client-indirect",
    sp_test::abi::V1_2,
    boot
));
