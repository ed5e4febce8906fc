//! The client of the suite `notifications`.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::notifications::main(
    "client-notifications",
    sp_test::abi::V1_2,
    boot
));
