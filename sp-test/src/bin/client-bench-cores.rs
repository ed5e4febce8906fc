//! The client of `bench` that has a partition interrupted and all cores on, at NS-EL2.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::storm::bench::main(boot));
