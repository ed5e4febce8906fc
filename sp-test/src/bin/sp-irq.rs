//! The partition `sp-irq` (S-EL1): takes interrupts as a client's scripts say.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::interrupts::partition::run(boot));
