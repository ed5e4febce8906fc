//! The client of `memory-storm`, at NS-EL2: a block is split and joined while it is used.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::memory_storm::main(boot));
