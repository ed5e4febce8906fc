//! The partition `sp-storm` (S-EL1): does what requests say, takes interrupts, and counts.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::storm::partition::run(boot));
