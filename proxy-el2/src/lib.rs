//! The pure core of the FF-A proxy at NS-EL2: its VMs, who has which core, what a VM may call, with
//! which ids, what is forwarded to EL3 and which registers come back.
//!
//! Nothing here knows hardware, allocates or is `unsafe`. The core is given a vCPU's registers and
//! says what happens next on that core of the machine ([`proxy::Next`]).
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod availability;
pub mod buffers;
mod calls;
mod cycles;
mod discovery;
mod fast;
pub mod forward;
mod indirect;
mod kind;
mod life;
pub mod manifest;
pub mod memory;
mod messages;
#[cfg(any(test, feature = "snapshot"))]
mod note;
mod notifications;
mod owed;
pub mod proxy;
mod psci;
mod route;
mod secure;
#[cfg(any(test, feature = "snapshot"))]
pub mod snapshot;
pub mod state;
mod sync;
mod untold;
pub mod vcpu;
pub mod vgic;
pub mod vm;

#[cfg(test)]
mod tests;

/// The most VMs.
pub const MAX_VMS: usize = 8;
/// The most vCPUs of a VM.
pub const MAX_VCPUS: usize = 8;

/// The README's example, so that it stays right.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
