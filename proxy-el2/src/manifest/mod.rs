//! VMs' manifests, `tantalum,vm-manifest-1.0`: a device tree in front of each VM's image, and whether
//! all of them fit together.
//!
//! Called once, while booting: [`VmManifest::parse`] over each, then [`set::check`] over all. An error
//! stops the proxy: a VM that is not as its manifest says cannot be trusted to be isolated.
//!
//! | property | type | |
//! | --- | --- | --- |
//! | `id` | number | 1 to 0x7ffe |
//! | `description` | string, optional | a name for the log |
//! | `load-address` | number | where the VM's memory starts: physical and intermediate physical |
//! | `memory-size` | number | its size in bytes |
//! | `entrypoint-offset` | number, optional | the first instruction, from the load address |
//! | `vcpu-count` | number, optional | vCPUs, 1 to 8; default 1 |
//! | `vcpu-cores` | a cell for each vCPU, optional | the core that each is pinned to, by its linear number; default: vCPU i to core i; a secondary with one vCPU to none |
//! | `primary` | flag, optional | the cores' time is this VM's; default: the one with id 1 |
//! | `ffa-version` | number, optional | the highest version that it may negotiate, 1.0 to 1.3; default 1.3 |
//! | `uuid` | cells, optional | up to 16 services, four cells each; or a node `services` as partitions have it |
//! | `messaging-method` | a cell, or one for each UUID, optional | bits 0, 1, 9 and 10 as partitions have them; default 0x402: it only sends |
//! | `tantalum,smccc-strict` | flag, optional | 64-bit messages never complete its 32-bit calls |
//! | `device-regions` | node, optional | devices that are this VM's alone, with their interrupts |
//! | `housekeeping-us` | number, optional, primary | period of the proxy's own timer interrupt, which shows lines that a VM left unfinished; at least 100 |
//! | `time-slice-us` | number, optional, primary | how long others may have its core before it has it back, 100 to 1000000; default 10000 |
//!
//! Numbers are one or two 32-bit cells. Other properties and nodes are refused by name, but for those
//! with a vendor's prefix. All bytes may be anything: nothing here panics, allocates or keeps a
//! reference to them. An error says which VM, node and property, what was found and what is wanted.

// An error carries its facts, there is no heap to put them on, and all this runs once.
#![allow(clippy::result_large_err)]

mod devices;
mod error;
mod names;
mod services;
pub mod set;
mod tree;
mod vm;

#[cfg(test)]
mod tests;

pub use devices::{Interrupt, MAX_DEVICES, MAX_INTERRUPTS, VmDevice};
pub use error::{File, Found, Name, Owner, Path, Problem, VmManifestError, Wanted};
pub use vm::{DEFAULT_METHODS, DEFAULT_TIME_SLICE_US, LIMIT, VmManifest};

/// Memory is given in pages of this many bytes.
const PAGE: u64 = 4096;
