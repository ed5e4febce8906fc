//! RX/TX buffers (DEN0077A, "RX/TX buffers"): which endpoint has a pair, and whose its RX buffer is.
//!
//! | RX is | means | becomes |
//! | --- | --- | --- |
//! | empty | the SPMC may write it | full, or acquired by the hypervisor |
//! | full | the endpoint reads it | empty, by `FFA_RX_RELEASE` or `FFA_MSG_WAIT` |
//! | acquired | the hypervisor writes into its VM's | empty, by the hypervisor's `FFA_RX_RELEASE` |
//!
//! RX that is full of an indirect message stays so until its endpoint, if it has notifications, has read
//! that it is.
//!
//! A partition's pair has a lock of its own, the normal world's share one: no direct message's path takes
//! either. A pair's pages are reachable by the SPMC for as long as it is mapped, nobody else's pair
//! can have them ([`Mem::open`](super::Mem::open)), and nobody can give them away meanwhile.

mod map;
mod ownership;
#[cfg(feature = "snapshot")]
mod snapshot;

#[cfg(feature = "snapshot")]
pub use snapshot::{PairNote, RxNote};

use super::{Mem, Spmc, Window};
use crate::{
    context::Registers,
    locks::{self, Held},
};
use core::ops::Range;
use ffa_abi::{EndpointId, FfaError, Reply, memory::Handle};
use heapless::Vec;

/// The most pages of a buffer.
pub const MAX_BUFFER_PAGES: u32 = 4;
/// The most VMs whose pairs a hypervisor can map.
pub const MAX_VM_BUFFERS: usize = 16;
const PAGE: u64 = 4096;

/// Whose an RX buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rx {
    Empty,
    Full,
    Acquired,
}

/// An answer to `FFA_MEM_RETRIEVE_REQ` of which not all has been fetched yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fetch {
    /// The transaction.
    pub handle: Handle,
    /// Whose memory it is that is told of; the hypervisor itself for its own request.
    pub borrower: EndpointId,
    /// Where the next fragment starts, in bytes from the answer's start.
    pub next: u32,
}

impl Fetch {
    /// Whether a hypervisor asked of a transaction that is not its own.
    pub fn is_hypervisors(&self) -> bool {
        self.borrower == EndpointId::HYPERVISOR
    }
}

/// A pair of buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mailbox {
    tx: Window,
    rx: Window,
    state: Rx,
    /// What its owner is fetching.
    pub(super) fetch: Option<Fetch>,
}

impl Mailbox {
    /// The TX buffer.
    pub(super) const fn tx(&self) -> Window {
        self.tx
    }

    /// `FFA_RX_RELEASE`.
    fn release(&mut self) -> Result<(), FfaError> {
        if self.state == Rx::Empty {
            return Err(FfaError::Denied);
        }
        self.state = Rx::Empty;
        Ok(())
    }

    /// The RX buffer, if it may be written now.
    pub(super) fn writable(&mut self) -> Result<Writer<'_>, FfaError> {
        if self.state != Rx::Empty {
            return Err(FfaError::Busy);
        }
        Ok(Writer {
            mailbox: self,
            written: 0,
        })
    }
}

/// Writes an RX buffer from its start. The buffer is the endpoint's only after
/// [`finish`](Self::finish).
pub(super) struct Writer<'m> {
    mailbox: &'m mut Mailbox,
    written: usize,
}

impl Writer<'_> {
    /// How many bytes the buffer has.
    pub(super) fn size(&self) -> usize {
        self.mailbox.rx.size
    }

    /// Whether so many bytes fit.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        bytes <= self.mailbox.rx.size
    }

    /// Appends bytes, which have to fit.
    pub(super) fn push(&mut self, machine: &mut impl Mem, bytes: &[u8]) -> Result<(), FfaError> {
        if !machine.write(self.mailbox.rx, self.written, bytes) {
            return Err(FfaError::Aborted);
        }
        self.written = self.written.saturating_add(bytes.len());
        Ok(())
    }

    /// Appends a message's payload so that it starts at byte `at`, with zeroes before and behind it, and
    /// gives the buffer to the endpoint. `from` says which bytes of `tx` the payload is, all of which
    /// have to fit; they go from buffer to buffer, and are nothing that the SPMC ever looks at.
    pub(super) fn finish_with(
        self,
        machine: &mut impl Mem,
        at: usize,
        tx: Window,
        from: Range<usize>,
    ) -> Result<(), FfaError> {
        let rx = self.mailbox.rx;
        if !machine.zero(rx, self.written) || !machine.copy(tx, from, rx, at) {
            return Err(FfaError::Aborted);
        }
        self.mailbox.state = Rx::Full;
        Ok(())
    }

    /// Zeroes the rest, so that nothing older shows, and gives the buffer to the endpoint.
    pub(super) fn finish(self, machine: &mut impl Mem) -> Result<(), FfaError> {
        if !machine.zero(self.mailbox.rx, self.written) {
            return Err(FfaError::Aborted);
        }
        self.mailbox.state = Rx::Full;
        Ok(())
    }
}

/// The pairs of the normal world: the hypervisor's own under id 0, and those of its VMs.
#[derive(Debug)]
pub(super) struct NormalWorldMailboxes(Vec<(EndpointId, Mailbox), { MAX_VM_BUFFERS + 1 }>);

impl NormalWorldMailboxes {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn find(&mut self, id: EndpointId) -> Option<&mut Mailbox> {
        let mut all = self.0.iter_mut();
        all.find(|(of, _)| *of == id).map(|(_, mailbox)| mailbox)
    }

    fn take(&mut self, id: EndpointId) -> Option<Mailbox> {
        let at = self.0.iter().position(|(of, _)| *of == id)?;
        Some(self.0.swap_remove(at).1)
    }

    fn is_full(&self) -> bool {
        // The hypervisor's own place is kept for it.
        let vms = self.0.iter().filter(|(id, _)| id.is_vm()).count();
        vms >= MAX_VM_BUFFERS
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Gives `work` the normal world's pairs, and what to take further locks with; no partition's pair.
    pub(super) fn with_normal_world<R>(
        &self,
        held: &mut Held<0>,
        work: impl FnOnce(&mut NormalWorldMailboxes, &mut Held<{ locks::PAIRS }>) -> R,
    ) -> R {
        self.mailboxes
            .with(held, |all, held| held.higher(|held| work(all, held)))
    }
}

/// `FFA_SUCCESS` without results, or the error.
pub(super) fn done(result: Result<(), FfaError>) -> Reply {
    match result {
        Ok(()) => Reply::success(0),
        Err(error) => Reply::error(error),
    }
}
