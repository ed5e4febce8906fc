//! The primary VM of suite `vms`: the matrix with FF-A 1.2 in strict mode.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::vms_client!(sp_test::abi::V1_2, true, Matrix);
