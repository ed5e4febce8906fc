//! The client of the suite `interrupts` that is a VM behind the proxy.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::client::interrupts::vm::main(boot));
