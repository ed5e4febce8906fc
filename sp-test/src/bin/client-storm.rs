//! The client of the boot `storm-8`, at NS-EL2.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::storm::storm(boot));
