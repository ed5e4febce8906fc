//! The client of the suite `vectors` that uses two cores.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::vectors::cores(boot));
