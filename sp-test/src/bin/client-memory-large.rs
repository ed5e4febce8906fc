//! The client of the suite `memory` on a machine that has a gibibyte more.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::memory::large::main(boot));
