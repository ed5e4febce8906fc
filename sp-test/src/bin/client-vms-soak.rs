//! The primary VM of suite `vms`: everybody talks to everybody.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::vms_client!(sp_test::abi::V1_2, false, Soak);
