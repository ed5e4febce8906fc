//! The client of `bench` that gives memory to partitions, at NS-EL2.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::memory_bench::main(boot));
