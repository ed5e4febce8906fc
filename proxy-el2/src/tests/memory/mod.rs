//! Memory that VMs share, lend and donate.

mod host;
mod rig;
mod share;
mod spmc;
