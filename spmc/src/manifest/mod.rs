//! The manifests: what the SPMC is told about itself, the machine and its partitions, and what each
//! partition says about itself (DEN0077A, chapter "Setup", and the formats that Hafnium's
//! manifests have).
//!
//! Called once, while booting, in this order:
//! 1. [`SpmcManifest::parse`] and [`check_layout`]: an error stops the SPMC.
//! 2. For each entry of [`SpmcManifest::partitions`]: [`check_memory`], then
//!    [`Package::parse`](ffa_abi::package::Package::parse) over that memory,
//!    [`PartitionManifest::parse`] over the manifest in it, and [`check_partition`] against the
//!    partitions that are [`Accepted`] so far. An error refuses this partition; the next one's turn
//!    comes.
//! 3. [`boot_sequence`] over those accepted.
//!
//! All bytes may be anything: nothing here panics, allocates or keeps a reference to them. Errors
//! say which file, node and property, what was found and what is wanted.
//!
//! Never touches memory other than the bytes it is given, and never logs.

// An error carries its facts, there is no heap to put them on, and all this runs once.
#![allow(clippy::result_large_err)]

mod entries;
mod error;
mod interrupts;
mod layout;
mod partition;
mod regions;
mod services;
mod spmc;
mod table;
mod tree;

#[cfg(test)]
mod tests;

pub use entries::{MAX_SMCS, PartitionEntry};
pub use error::{File, Found, ManifestError, Name, Owner, Path, Problem, Wanted};
pub use interrupts::{DeviceInterrupt, MAX_INTERRUPTS};
pub use layout::{
    Accepted, Mapped, Reserved, boot_sequence, check_layout, check_memory, check_partition,
};
pub use partition::{
    AbortAction, BOOT_ORDER_LAST, ExceptionLevel, PARTITION_MANIFEST_LIMIT, PartitionManifest,
};
pub use regions::{Access, Base, DeviceRegion, MAX_REGIONS, Region, RxTx};
pub use services::{
    INDIRECT, MAX_SERVICES, RECEIVES_DIRECT, RECEIVES_DIRECT2, SENDS_DIRECT, SENDS_DIRECT2, Service,
};
pub use spmc::{MAX_MEMORY_RANGES, MemoryKind, MemoryRange, SPMC_MANIFEST_LIMIT, SpmcManifest};
