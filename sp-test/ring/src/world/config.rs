//! What to build.

use crate::{fid, spmd::Behaviour};
use ffa_abi::{Uuid, Version, contract::Mode};
use spmc::context::{InterruptRules, NsAction, Slot};

/// All four ways of exchanging direct messages.
pub const EVERYTHING: u32 = 1 | 1 << 1 | 1 << 9 | 1 << 10;

/// A partition to build.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The version that it speaks.
    pub version: Version,
    /// Strict or permissive.
    pub mode: Mode,
    /// One context on each core, instead of one that migrates.
    pub per_core: bool,
    /// `messaging-method` of its manifest.
    pub messaging: u32,
    /// `messaging-method` of its second service; the first has the partition's.
    pub second: u32,
    /// The call in which it ends its initialisation: `MSG_WAIT_32` or `MSG_WAIT_64`.
    pub wait: u32,
    /// What interrupts do to it.
    pub rules: InterruptRules,
    /// Whether it has a device that interrupts.
    pub device: bool,
    /// Whether it receives notifications.
    pub notifications: bool,
}

/// Everything signalled, nobody asked for cycles.
const RULES: InterruptRules = InterruptRules {
    ns_action: NsAction::Signalled,
    managed_exit_virq: false,
    other_s_queued: false,
    sri_waiting: false,
    sri_leaving: false,
};

impl Spec {
    /// A permissive partition with one context that exchanges all kinds of messages.
    pub const fn new(version: Version) -> Self {
        Self {
            version,
            mode: Mode::Permissive,
            per_core: false,
            messaging: EVERYTHING,
            second: EVERYTHING,
            wait: fid::MSG_WAIT_32,
            rules: RULES,
            device: false,
            notifications: false,
        }
    }

    /// The same in this mode.
    pub const fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The same with a context on each core.
    pub const fn per_core(self) -> Self {
        Self {
            per_core: true,
            ..self
        }
    }

    /// The same, ending its initialisation with this call.
    pub const fn waiting_in(self, wait: u32) -> Self {
        Self { wait, ..self }
    }
}

/// A system to build.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which SPMD.
    pub behaviour: Behaviour,
    /// How many cores.
    pub cores: usize,
    /// The partitions, whose ids count from 0x8001.
    pub partitions: Vec<Spec>,
    /// Never take the short way of direct messages.
    pub general: bool,
    /// Partitions and the normal world own memory; partitions have a pair of buffers.
    pub memory: bool,
    /// Whether random steps have interrupts of partitions.
    pub interrupts: bool,
}

/// The id of the partition in a slot.
pub const fn id(slot: Slot) -> u16 {
    0x8001 + slot.0 as u16
}

/// The service (UUID) number `n`, 0 or 1, of a partition; 0 is offered by all.
pub fn service(slot: Slot, n: u8) -> Uuid {
    // No word of it looks like a label.
    let mut uuid = Uuid([0x21; 16]);
    if n != 0 {
        uuid.0[12] = slot.0;
        uuid.0[13] = n;
    }
    uuid
}
