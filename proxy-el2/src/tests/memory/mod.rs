//! Memory that VMs share, lend and donate.

mod between_vms;
mod death;
mod fast;
mod fragments;
mod host;
mod offer;
mod random;
mod refused;
mod rig;
mod share;
mod spmc;
mod unwind;
