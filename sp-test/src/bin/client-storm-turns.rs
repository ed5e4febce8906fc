//! The client of the storm where the clock counts instructions, at NS-EL2.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::storm::turns(boot));
