//! The partition of the contract matrix that speaks FF-A 1.0.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::contract_partition!(sp_test::abi::V1_0);
