//! The program of the suite `memory`'s parties, as a partition (S-EL1) or a VM: does what the client asks for.
#![cfg_attr(target_os = "none", no_std, no_main)]

sp_test::binary!(|boot| sp_test::memory::party::run(boot));
