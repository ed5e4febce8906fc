//! The client of the boot `bench-el0`: what messages to partitions with a single context cost, at S-EL0 and at S-EL1.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::bench::el0(boot));
