//! RX/TX buffers (DEN0077A, "RX/TX buffers"): which endpoint has a pair, and whose its RX buffer is.
//!
//! | RX is | means | becomes |
//! | --- | --- | --- |
//! | empty | the SPMC may write it | full, or acquired by the hypervisor |
//! | full | the endpoint reads it | empty, by `FFA_RX_RELEASE` or `FFA_MSG_WAIT` |
//! | acquired | the hypervisor writes into its VM's | empty, by the hypervisor's `FFA_RX_RELEASE` |
//!
//! A partition's pair has a lock of its own, the normal world's share one: no message's path takes
//! either. A pair's pages are reachable by the SPMC for as long as it is mapped, and nobody else's
//! pair can have them ([`Mem::open`](super::Mem::open)).

use super::{Machine, Mem, Owner, Spmc, Window};
use crate::{
    context::{Registers, Slot},
    locks::{self, Held},
};
use ffa_abi::{EndpointId, FfaError, Reply, rxtx::ForwardedMap};
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

/// A pair of buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mailbox {
    tx: Window,
    rx: Window,
    state: Rx,
}

impl Mailbox {
    /// Makes both buffers reachable.
    fn open(
        machine: &mut impl Mem,
        held: &mut Held<{ locks::PAIRS }>,
        owner: Owner,
        (tx, tx_pages): (u64, u32),
        (rx, rx_pages): (u64, u32),
    ) -> Result<Self, FfaError> {
        let tx = machine.open(held, owner, tx, tx_pages)?;
        match machine.open(held, owner, rx, rx_pages) {
            Ok(rx) => Ok(Self {
                tx,
                rx,
                state: Rx::Empty,
            }),
            Err(error) => {
                machine.close(tx);
                Err(error)
            }
        }
    }

    fn close(self, machine: &mut impl Mem) {
        machine.close(self.tx);
        machine.close(self.rx);
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
    /// `FFA_RXTX_MAP` by a partition, or what its manifest says instead.
    ///
    /// # Errors
    /// DENIED if it has a pair, INVALID_PARAMETERS for addresses that no pair can have, and those of
    /// [`Mem::open`].
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
            let owner = Owner::Partition(slot);
            let (tx, rx) = ((tx, pages), (rx, pages));
            *mailbox = Some(Mailbox::open(machine, held, owner, tx, rx)?);
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
            Some(mailbox) => {
                mailbox.close(machine);
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
        partition.mailbox.with(held, |mailbox, _| {
            mailbox.as_mut().ok_or(FfaError::Denied)?.release()
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
                return forwarded_map(mailboxes, machine, held);
            }
            if mailboxes.find(EndpointId::HYPERVISOR).is_some() {
                return Err(FfaError::Denied);
            }
            check(tx, rx, pages)?;
            let (tx, rx) = ((tx, pages), (rx, pages));
            let mailbox = Mailbox::open(machine, held, Owner::NormalWorld, tx, rx)?;
            push(mailboxes, EndpointId::HYPERVISOR, mailbox, machine)
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
        taken.ok_or(FfaError::InvalidParameters)?.close(machine);
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
}

/// A VM's pair, described in the hypervisor's TX buffer. The description has to lie in the buffer's
/// first page.
fn forwarded_map(
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
    let mailbox = Mailbox::open(machine, held, Owner::NormalWorld, tx, rx)?;
    push(mailboxes, endpoint, mailbox, machine)
}

/// Notes a pair; without room it is given up again.
fn push(
    mailboxes: &mut NormalWorldMailboxes,
    id: EndpointId,
    mailbox: Mailbox,
    machine: &mut impl Mem,
) -> Result<(), FfaError> {
    mailboxes.0.push((id, mailbox)).map_err(|(_, mailbox)| {
        mailbox.close(machine);
        FfaError::NoMemory
    })
}

/// `FFA_SUCCESS` without results, or the error.
pub(super) fn done(result: Result<(), FfaError>) -> Reply {
    match result {
        Ok(()) => Reply::success(0),
        Err(error) => Reply::error(error),
    }
}
