//! The client of the discovery boots that speaks FF-A 1.0.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::discovery_client!(sp_test::abi::V1_0);
