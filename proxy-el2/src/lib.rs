//! The pure core of the FF-A proxy at NS-EL2: what a VM may call, with which ids, what is forwarded
//! to EL3 and which registers come back.
//!
//! Nothing here knows hardware, allocates or is `unsafe`. The core is given a VM's registers and a
//! way to call EL3, and says what the VM does next.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod availability;
pub mod buffers;
mod discovery;
pub mod forward;
pub mod manifest;
pub mod psci;
pub mod vm;

#[cfg(test)]
mod tests;
