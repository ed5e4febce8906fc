//! The client of the boots `el0`: partitions at S-EL0.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::el0::main(boot));
