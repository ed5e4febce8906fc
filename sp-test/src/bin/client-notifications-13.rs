//! The client of the suite `notifications` that is a VM of FF-A 1.3.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::notifications::main(
    "client-notifications-13",
    sp_test::abi::V1_3,
    boot
));
