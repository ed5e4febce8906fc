//! The client of the boots `cores`, at NS-EL2: cores go off and on while messages flow.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::storm::cores(boot));
