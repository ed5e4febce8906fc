//! A VM beside the client's in suite `vms` that speaks FF-A 1.3, in strict mode.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::vm_peer!(sp_test::abi::V1_3, true);
