//! The machine below the two EL2 images: entry, exception vectors, the switch into a guest and
//! back, stage 1 and stage 2 tables, GICv3, generic timer, PL011, per-CPU data, logs and panics.
//!
//! This crate knows nothing of FF-A. Everything that needs `unsafe` lives here or in the two
//! binaries' adapters. The parts that need no machine ([`stage2`], [`logmux`], [`board`], [`trap`], [`foreign`], [`fp_habit`], [`gic_bits`]) also
//! build and are tested on the host; the rest exists on the target only.
#![cfg_attr(not(test), no_std)]

pub mod board;
pub mod foreign;
pub mod fp_habit;
pub mod gic_bits;
pub mod logmux;
pub mod once;
pub mod stage2;
pub mod trap;

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod alarm;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod cache;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod confine;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
mod copying;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod cpu;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod el0;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod el1;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod endpoint_console;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod entry;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod fp;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod gic;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod guest;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod idregs;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod inject;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod layout;
#[cfg(all(feature = "log", target_arch = "aarch64", target_os = "none"))]
pub mod log;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod panic;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod pauth;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod smc;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod stage1;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod sysreg;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod timer;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod uart;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod vm_state;
