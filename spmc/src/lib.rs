//! The pure core of the Secure Partition Manager Core: manifests, states, calls.
//!
//! Nothing here knows hardware, allocates or is `unsafe`. The core is *sans-IO*: it is given the
//! registers of a call and says what they are now and who runs next; the image (`main.rs`) joins it
//! to the machine, and the host's tests to a fake one.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod context;
pub mod locks;
pub mod manifest;
pub mod spm;
pub mod state;
mod sync;
pub mod virtual_interrupts;

/// The most partitions.
pub const MAX_PARTITIONS: usize = if cfg!(feature = "loom") { 2 } else { 16 };
/// The most cores, which is also the most execution contexts of a partition.
pub const MAX_CPUS: usize = if cfg!(feature = "loom") { 4 } else { 8 };
