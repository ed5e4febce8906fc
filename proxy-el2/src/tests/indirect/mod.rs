//! Indirect messages of VMs, whose RX is, and forwarded pairs: three VMs above an SPMC that keeps the rules.

mod death;
mod host;
mod message;
mod pairs;
mod partitions;
mod random;
pub(super) mod rig;
pub(super) mod spmc;
mod vms;
