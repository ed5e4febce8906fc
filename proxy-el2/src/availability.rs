//! Telling partitions that a VM was created or destroyed (DEN0077A, "VM availability messages").

use crate::forward::{El3, Upstream};
use ffa_abi::{EndpointId, FfaError};

/// What happened to a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is about to run for the first time.
    Created,
    /// It has ended.
    Destroyed,
}

/// What became of telling one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The partition.
    pub partition: EndpointId,
    /// What it, or the SPMC, said against it.
    pub problem: Option<FfaError>,
}

pub(crate) fn announce<M: El3>(
    _event: Event,
    _vm: EndpointId,
    _handle: u64,
    _upstream: &Upstream,
    _machine: &mut M,
    _told: impl FnMut(&mut M, Outcome),
) {
}
