//! The primary VM of suite `vms`: the matrix with FF-A 1.3.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::vms_client!(sp_test::abi::V1_3, false, Matrix);
