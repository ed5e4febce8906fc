//! The client of the suite `memory` that uses several cores.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::memory::cores::main(boot));
