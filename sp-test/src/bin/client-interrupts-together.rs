//! The client of the suite `interrupts` whose cores run at once, at NS-EL2.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::interrupts::cores::at_once(boot));
