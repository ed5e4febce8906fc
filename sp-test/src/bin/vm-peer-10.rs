//! A VM beside the client's in suite `vms` that speaks FF-A 1.0.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::vm_peer!(sp_test::abi::V1_0, false);
