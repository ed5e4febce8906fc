//! The client of the suite `notifications` that speaks FF-A 1.1.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::notifications::main(
    "client-notifications-11",
    sp_test::abi::V1_1,
    boot
));
