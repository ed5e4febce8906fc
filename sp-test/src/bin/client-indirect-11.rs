//! The client of the suite `indirect` that speaks FF-A 1.1.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::indirect::main(
    "client-indirect-11",
    sp_test::abi::V1_1,
    boot
));
