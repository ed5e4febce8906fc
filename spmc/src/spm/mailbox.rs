//! RX/TX buffers (DEN0077A, "RX/TX buffers"): which endpoint has a pair, and whose its RX buffer is.
//!
//! | RX is | means | becomes |
//! | --- | --- | --- |
//! | empty | the SPMC may write it | full, or acquired by the hypervisor |
//! | full | the endpoint reads it | empty, by `FFA_RX_RELEASE` or `FFA_MSG_WAIT` |
//! | acquired | the hypervisor writes into its VM's | empty, by the hypervisor's `FFA_RX_RELEASE` |
//!
//! A partition's pair has a lock of its own, the normal world's share one: no message's path takes
//! either. A pair's pages are reachable by the SPMC for as long as it is mapped, nobody else's pair
//! can have them ([`Mem::open`](super::Mem::open)), and nobody can give them away meanwhile.

use super::{Machine, Mem, Owner, Spmc, Window};
use crate::{
    context::{Registers, Slot},
    locks::{self, Held},
};
use ffa_abi::{EndpointId, FfaError, Reply, memory::Handle, rxtx::ForwardedMap};
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

/// Bytes and pages of one window.
const fn extent(window: Window) -> (u64, u32) {
    (window.base, (window.size as u64 / PAGE) as u32)
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

/// Checks the shape of a pair: `pages` pages each, aligned, apart from each other.
fn check(tx: u64, rx: u64, pages: u32) -> Result<(), FfaError> {
    let good = matches!(pages, 1..=MAX_BUFFER_PAGES) && (tx | rx).is_multiple_of(PAGE);
    let size = u64::from(pages) * PAGE;
    match (tx.checked_add(size), rx.checked_add(size)) {
        (Some(tx_end), Some(rx_end)) if good && (tx_end <= rx || rx_end <= tx) => Ok(()),
        _ => Err(FfaError::InvalidParameters),
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Takes one buffer of its owner's, and makes it reachable.
    fn open_buffer(
        &self,
        machine: &mut impl Mem,
        held: &mut Held<{ locks::PAIRS }>,
        owner: Owner,
        at: (u64, u32),
    ) -> Result<Window, FfaError> {
        self.take_buffer(owner, at, held)?;
        let (address, pages) = at;
        machine
            .open(held, owner, address, pages)
            .inspect_err(|_| self.free_buffer(owner, at, held))
    }

    /// Gives one up.
    fn close_buffer<const HELD: u8>(
        &self,
        machine: &mut impl Mem,
        held: &mut Held<HELD>,
        owner: Owner,
        window: Window,
    ) {
        machine.close(window);
        self.free_buffer(owner, extent(window), held);
    }

    /// Makes a pair of both buffers.
    fn open_pair(
        &self,
        machine: &mut impl Mem,
        held: &mut Held<{ locks::PAIRS }>,
        owner: Owner,
        tx: (u64, u32),
        rx: (u64, u32),
    ) -> Result<Mailbox, FfaError> {
        let tx = self.open_buffer(machine, held, owner, tx)?;
        match self.open_buffer(machine, held, owner, rx) {
            Ok(rx) => Ok(Mailbox {
                tx,
                rx,
                state: Rx::Empty,
                fetch: None,
            }),
            Err(error) => {
                self.close_buffer(machine, held, owner, tx);
                Err(error)
            }
        }
    }

    fn close_pair<const HELD: u8>(
        &self,
        machine: &mut impl Mem,
        held: &mut Held<HELD>,
        owner: Owner,
        pair: Mailbox,
    ) {
        self.close_buffer(machine, held, owner, pair.tx);
        self.close_buffer(machine, held, owner, pair.rx);
        if let Some(fetch) = pair.fetch {
            self.forget_fetch(fetch.handle, held);
        }
    }

    /// `FFA_RXTX_MAP` by a partition, or what its manifest says instead.
    ///
    /// # Errors
    /// DENIED if it has a pair, INVALID_PARAMETERS for addresses that no pair can have and for what is
    /// not its own alone, ABORTED if it has failed, and those of [`Mem::open`].
    pub fn map_of_partition(
        &self,
        slot: Slot,
        tx: u64,
        rx: u64,
        pages: u32,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        let partition = self.partitions.get(slot.index()).ok_or(FfaError::Denied)?;
        partition.mailbox.with(held, |mailbox, held| {
            if mailbox.is_some() {
                return Err(FfaError::Denied);
            }
            check(tx, rx, pages)?;
            // It has failed on another core, where its pair was looked for before.
            if self.is_buried(slot) {
                return Err(FfaError::Aborted);
            }
            let owner = Owner::Partition(slot);
            let (tx, rx) = ((tx, pages), (rx, pages));
            *mailbox = Some(self.open_pair(machine, held, owner, tx, rx)?);
            Ok(())
        })
    }

    /// Gives up a partition's pair. `false` if it has none.
    pub(super) fn unmap_of_partition(
        &self,
        slot: Slot,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> bool {
        let partition = self.partitions.get(slot.index());
        let taken =
            partition.and_then(|partition| partition.mailbox.with(held, |pair, _| pair.take()));
        match taken {
            Some(pair) => {
                self.close_pair(machine, held, Owner::Partition(slot), pair);
                true
            }
            None => false,
        }
    }

    /// `FFA_RXTX_UNMAP` by a partition.
    pub(super) fn rxtx_unmap_by_partition(
        &self,
        slot: Slot,
        vm: EndpointId,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        if vm.0 != 0 || !self.unmap_of_partition(slot, machine, held) {
            return Err(FfaError::InvalidParameters);
        }
        Ok(())
    }

    /// `FFA_RX_RELEASE` by a partition.
    pub(super) fn rx_release_by_partition(
        &self,
        slot: Slot,
        vm: EndpointId,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        if vm.0 != 0 {
            return Err(FfaError::InvalidParameters);
        }
        let partition = self.partitions.get(slot.index()).ok_or(FfaError::Denied)?;
        partition.mailbox.with(held, |mailbox, held| {
            let mailbox = mailbox.as_mut().ok_or(FfaError::Denied)?;
            // First it reads that a message lies there.
            if self.has_unread_rx_full(partition.info.id, held) {
                return Err(FfaError::Denied);
            }
            mailbox.release()
        })
    }

    /// A partition waits: its RX buffer is the SPMC's again.
    #[cold]
    #[inline(never)]
    pub(super) fn release_on_wait(&self, slot: Slot, held: &mut Held<0>) {
        if let Some(partition) = self.partitions.get(slot.index()) {
            partition.mailbox.with(held, |mailbox, _| {
                if let Some(mailbox) = mailbox
                    && mailbox.state == Rx::Full
                {
                    mailbox.state = Rx::Empty;
                }
            });
        }
    }

    /// `FFA_RXTX_MAP` by the normal world: its own pair, or with all arguments zero one of a VM.
    pub(super) fn rxtx_map_by_normal_world(
        &self,
        tx: u64,
        rx: u64,
        pages: u32,
        machine: &mut impl Machine,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        self.mailboxes.with(held, |mailboxes, held| {
            if tx == 0 && rx == 0 && pages == 0 {
                return self.forwarded_map(mailboxes, machine, held);
            }
            if mailboxes.find(EndpointId::HYPERVISOR).is_some() {
                return Err(FfaError::Denied);
            }
            check(tx, rx, pages)?;
            let (tx, rx) = ((tx, pages), (rx, pages));
            let pair = self.open_pair(machine, held, Owner::NormalWorld, tx, rx)?;
            self.push(mailboxes, EndpointId::HYPERVISOR, pair, machine, held)
        })
    }

    /// `FFA_RXTX_UNMAP` by the normal world.
    pub(super) fn rxtx_unmap_by_normal_world(
        &self,
        vm: EndpointId,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        let taken = self.mailboxes.with(held, |mailboxes, _| mailboxes.take(vm));
        let pair = taken.ok_or(FfaError::InvalidParameters)?;
        self.close_pair(machine, held, Owner::NormalWorld, pair);
        Ok(())
    }

    /// `FFA_RX_RELEASE` by the normal world.
    pub(super) fn rx_release_by_normal_world(
        &self,
        vm: EndpointId,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        self.mailboxes
            .with(held, |mailboxes, _| match mailboxes.find(vm) {
                Some(mailbox) => mailbox.release(),
                None if vm == EndpointId::HYPERVISOR => Err(FfaError::Denied),
                None => Err(FfaError::InvalidParameters),
            })
    }

    /// `FFA_RX_ACQUIRE` by the normal world.
    pub(super) fn rx_acquire(&self, vm: EndpointId, held: &mut Held<0>) -> Result<(), FfaError> {
        if vm.is_secure() {
            return Err(FfaError::NotSupported);
        }
        if vm == EndpointId::HYPERVISOR {
            return Err(FfaError::InvalidParameters);
        }
        self.mailboxes.with(held, |mailboxes, _| {
            let mailbox = mailboxes.find(vm).ok_or(FfaError::InvalidParameters)?;
            if mailbox.state != Rx::Empty {
                return Err(FfaError::Denied);
            }
            mailbox.state = Rx::Acquired;
            Ok(())
        })
    }

    /// A VM's pair, described in the hypervisor's TX buffer. The description has to lie in the
    /// buffer's first page.
    fn forwarded_map(
        &self,
        mailboxes: &mut NormalWorldMailboxes,
        machine: &mut impl Machine,
        held: &mut Held<{ locks::PAIRS }>,
    ) -> Result<(), FfaError> {
        let own = mailboxes
            .find(EndpointId::HYPERVISOR)
            .ok_or(FfaError::InvalidParameters)?;
        // The hypervisor may go on writing it: copied once, then read.
        let mut page = [0; PAGE as usize];
        if !machine.read(own.tx, 0, &mut page) {
            return Err(FfaError::Aborted);
        }
        let ForwardedMap { endpoint, tx, rx } = ForwardedMap::read(&page)?;
        if !endpoint.is_vm() || tx.pages != rx.pages {
            return Err(FfaError::InvalidParameters);
        }
        if mailboxes.find(endpoint).is_some() {
            return Err(FfaError::Denied);
        }
        check(tx.base, rx.base, tx.pages)?;
        if mailboxes.is_full() {
            return Err(FfaError::NoMemory);
        }
        let (tx, rx) = ((tx.base, tx.pages), (rx.base, rx.pages));
        let pair = self.open_pair(machine, held, Owner::NormalWorld, tx, rx)?;
        self.push(mailboxes, endpoint, pair, machine, held)
    }

    /// Notes a pair; without room it is given up again.
    fn push(
        &self,
        mailboxes: &mut NormalWorldMailboxes,
        id: EndpointId,
        pair: Mailbox,
        machine: &mut impl Mem,
        held: &mut Held<{ locks::PAIRS }>,
    ) -> Result<(), FfaError> {
        mailboxes.0.push((id, pair)).map_err(|(_, pair)| {
            self.close_pair(machine, held, Owner::NormalWorld, pair);
            FfaError::NoMemory
        })
    }
}

/// `FFA_SUCCESS` without results, or the error.
pub(super) fn done(result: Result<(), FfaError>) -> Reply {
    match result {
        Ok(()) => Reply::success(0),
        Err(error) => Reply::error(error),
    }
}
