//! The suite `interrupts`: what its clients and the partition `sp-irq` share.
//!
//! All partitions of these boots beside `sp-echo` and `sp-relay` are one program, told apart by their ids and by what
//! their manifests say about interrupts. Each execution context has a [page] of the normal world's memory, so
//! that a client reaches it at any time, whatever state the context is in: the client writes [scripts](script) there,
//! for requests, for FFA_RUN and for interrupts, and the context writes a [log] of all that it sees, with times.

pub mod log;
pub mod page;
pub mod script;

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod partition;

use crate::abi::UuidWords;
use crate::board::{CORES, Line, place};

/// The virtual interrupt of a context's timer.
pub const TIMER: u32 = 3;
/// The virtual interrupt that asks for a managed exit.
pub const MANAGED_EXIT: u32 = 4;
/// The virtual interrupt of notifications.
pub const NOTIFICATION: u32 = 5;
/// The same of a VM behind the proxy.
pub const NOTIFICATION_OF_VM: u32 = 9;
/// The virtual interrupt that one context of a partition sends to another.
pub const IPI: u32 = 9;
/// The normal world's SGI by which it is told to run a partition.
pub const SCHEDULE_RECEIVER: u32 = 8;
/// The interrupt of the PMU, a PPI that the normal world can raise on each core: a partition's in these boots.
pub const PMU: u32 = 23;
/// No interrupt is pending.
pub const NONE: u64 = 0xffff_ffff;

/// Hypercall HF_INTERRUPT_ENABLE.
pub const INTERRUPT_ENABLE: u64 = 0xff03;
/// Hypercall HF_INTERRUPT_GET.
pub const INTERRUPT_GET: u64 = 0xff04;
/// Hypercall HF_INTERRUPT_DEACTIVATE.
pub const INTERRUPT_DEACTIVATE: u64 = 0xff08;
/// Hypercall HF_INTERRUPT_RECONFIGURE.
pub const INTERRUPT_RECONFIGURE: u64 = 0xff09;
/// Hypercall HF_INTERRUPT_SEND_IPI.
pub const INTERRUPT_SEND_IPI: u64 = 0xff0a;
/// What a hypercall answers that is refused.
pub const REFUSED: u64 = u64::MAX;

/// A partition of these boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// In names of cases and lines of logs.
    pub name: &'static str,
    /// Its id.
    pub id: u16,
    /// It has a context for each core.
    pub many: bool,
    /// The line that is its own.
    pub line: Option<Line>,
}

const fn who(name: &'static str, id: u16, many: bool, line: Option<Line>) -> Who {
    Who {
        name,
        id,
        many,
        line,
    }
}

/// Signalled, signalled; has [`Line::Shared`] and [`PMU`], and is told of CPU_OFF.
pub const SIGNALLED: Who = who("signalled", 0x8003, true, Some(Line::Shared));
/// The same with a single context and [`Line::Secure`].
pub const SINGLE: Who = who("single", 0x8004, false, Some(Line::Secure));
/// Managed exit by vFIQ.
pub const EXIT_FIQ: Who = who("exit-fiq", 0x8005, true, None);
/// Managed exit by vIRQ.
pub const EXIT_IRQ: Who = who("exit-irq", 0x8006, false, None);
/// The normal world's interrupts are queued, secure ones are not; is told of CPU_OFF.
pub const QUEUED: Who = who("queued", 0x8007, true, None);
/// All interrupts are queued.
pub const ALONE: Who = who("alone", 0x8008, false, None);
/// An interrupt while it waits is the schedule receiver's (policy bit 0).
pub const SRI_WAITING: Who = who("sri-waiting", 0x8009, false, None);
/// One that is pending when it goes to wait is the schedule receiver's (policy bit 1).
pub const SRI_LEAVING: Who = who("sri-leaving", 0x800a, false, None);

/// All of them, in the order of the SPMC's manifest and of their initialisation.
pub const ALL: [Who; 8] = [
    SIGNALLED,
    SINGLE,
    EXIT_FIQ,
    EXIT_IRQ,
    QUEUED,
    ALONE,
    SRI_WAITING,
    SRI_LEAVING,
];

/// Contexts for which there are pages, of each partition.
pub const CONTEXTS: u64 = CORES as u64;
/// Bytes of a page.
pub const PAGE: u64 = 0x1000;
/// The pages of the first partition: at the end of the client's memory when it is a VM, memory that is nobody's else.
const PAGES: u64 = 0x5070_0000;

/// Where the page of a partition's context is, in the normal world's space.
pub const fn page_of(id: u16, context: u64) -> u64 {
    place(PAGES) + ((id - SIGNALLED.id) as u64 * CONTEXTS + context) * PAGE
}

/// The service of the partition with this id.
pub const fn uuid(id: u16) -> UuidWords {
    [0x7461_6e74, 0x6972_7173, 0, id as u32]
}

impl Who {
    /// The partition with this id.
    pub fn with_id(id: u16) -> Option<Self> {
        ALL.into_iter().find(|who| who.id == id)
    }

    /// The normal world's interrupts ask it to leave, by vFIQ or vIRQ.
    pub fn exits(self) -> bool {
        self == EXIT_FIQ || self == EXIT_IRQ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_stand_behind_the_first_two() {
        for (n, who) in ALL.iter().enumerate() {
            assert_eq!(usize::from(who.id), 0x8003 + n);
            assert_eq!(Who::with_id(who.id), Some(*who));
        }
        assert_eq!(Who::with_id(0x8002), None);
    }

    #[test]
    fn each_context_has_a_page_in_the_clients_memory() {
        assert_eq!(page_of(SIGNALLED.id, 0), place(PAGES));
        assert_eq!(page_of(SINGLE.id, 0) - page_of(SIGNALLED.id, 7), PAGE);
        let last = page_of(SRI_LEAVING.id, 7) + PAGE;
        assert!(last <= place(0x5000_0000) + 0x80_0000);
    }
}
