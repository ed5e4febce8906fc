//! The client of the suite `memory`.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::memory::main("client-memory", sp_test::abi::V1_2, boot));
