//! Secure partitions and normal-world clients that test the firmware, and the runtime they share.
//!
//! This crate owns the far ends of every conversation: the partitions `sp-echo` and `sp-relay`
//! (S-EL1), the clients `client-run`, `client-test`, `client-bench` and `client-record` (EL1 as a VM
//! behind the proxy, or NS-EL2 directly under TF-A; the same image decides by `CurrentEL`), and those
//! of the [contract matrix](contract): partitions `sp-v10` to `sp-v13` of one source, clients
//! `contract-v10` to `contract-v13` and, for strict VMs, `contract-s10` to `contract-s13`; those of the
//! [discovery boots](discovery): the partition `sp-discovery`, which is all of them by its place, and
//! the clients `discovery-v10` to `discovery-v13` and `discovery-many`; those of the suite
//! [`lifecycle`](life) and of the system of [twelve](many); `sp-irq` and the clients of the suite
//! [`interrupts`]; `sp-storm` and the clients of the [storm]; `sp-mem` and the client of the suite [`memory`]; `sp-el0`
//! and the client of the suite [`el0`]. It never
//! uses the firmware's own encoders: what a register must hold is stated here a second time, from the
//! specifications (DEN0077A, DEN0028), so that a mistake in one place shows in the other.
//!
//! The modules of this level are pure and tested on the host; `rt`, `partition` and `client`
//! exist for the firmware target only.
#![cfg_attr(target_os = "none", no_std)]

pub mod abi;
pub mod board;
pub mod boot_info;
pub mod contract;
pub mod discovery;
pub mod el0;
pub mod expect;
pub mod interrupts;
pub mod life;
pub mod line;
pub mod many;
pub mod memory;
pub mod protocol;
pub mod random;
pub mod sp_cases;
pub mod storm;
pub mod transform;
pub mod vms;

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod client;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod partition;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod rt;

/// Makes a binary that starts with `$main` of the entry registers, and on the host says what it is.
#[macro_export]
macro_rules! binary {
    (|$boot:ident| $main:expr) => {
        #[cfg(target_os = "none")]
        mod firmware {
            fn main($boot: &sp_test::rt::entry::Boot) -> ! {
                $main
            }

            sp_test::image!(main);
        }

        #[cfg(not(target_os = "none"))]
        fn main() {
            println!(
                "{} is firmware: build it for aarch64-unknown-none-softfloat",
                env!("CARGO_BIN_NAME")
            );
        }
    };
}

/// Makes a binary of the partition of the contract matrix that speaks `$version`.
#[macro_export]
macro_rules! contract_partition {
    ($version:expr) => {
        sp_test::binary!(|boot| sp_test::partition::contract::run($version, boot));
    };
}

/// Makes a binary of the client of the contract matrix that speaks `$version`, in strict mode or not.
#[macro_export]
macro_rules! contract_client {
    ($version:expr, $strict:literal) => {
        sp_test::binary!(|boot| sp_test::client::contract::main(
            env!("CARGO_BIN_NAME"),
            $version,
            $strict,
            boot
        ));
    };
}

/// Makes a binary of the client of the discovery boots that speaks `$version`.
#[macro_export]
macro_rules! discovery_client {
    ($version:expr) => {
        sp_test::binary!(|boot| sp_test::client::discovery::main(
            env!("CARGO_BIN_NAME"),
            $version,
            boot
        ));
    };
}

/// Makes a binary of the VM beside the client's in suite `vms` that speaks `$version`, in strict mode or not.
#[macro_export]
macro_rules! vm_peer {
    ($version:expr, $strict:literal) => {
        sp_test::binary!(|boot| sp_test::partition::vm::run($version, $strict, boot));
    };
}

/// Makes a binary of the primary VM of suite `vms` that speaks `$version`, in strict mode or not, and does what its
/// role (a variant of `client::vms::Role`) says.
#[macro_export]
macro_rules! vms_client {
    ($version:expr, $strict:literal, $role:ident) => {
        sp_test::binary!(|boot| sp_test::client::vms::main(
            env!("CARGO_BIN_NAME"),
            $version,
            $strict,
            sp_test::client::vms::Role::$role,
            boot
        ));
    };
}
