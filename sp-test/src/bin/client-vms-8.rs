//! The primary VM of suite `vms` on eight cores: power, interrupts of both worlds, and the ends of VMs.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::vms_client!(sp_test::abi::V1_2, false, Eight);
