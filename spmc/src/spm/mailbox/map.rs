//! `FFA_RXTX_MAP` and `FFA_RXTX_UNMAP`: who gets a pair, and gives it up.

use super::{
    super::{Machine, Mem, Owner, Pe, Spmc, Window, notifications::Contexts},
    MAX_BUFFER_PAGES, Mailbox, NormalWorldMailboxes, PAGE, Rx,
};
use crate::{
    context::{Registers, Slot},
    locks::{self, Held},
};
use ffa_abi::{EndpointId, FfaError, rxtx::ForwardedMap};

/// Bytes and pages of one window.
const fn extent(window: Window) -> (u64, u32) {
    (window.base, (window.size as u64 / PAGE) as u32)
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
    pub(super) fn open_pair(
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
            self.forget_fetch(fetch, held);
        }
    }

    /// `FFA_RXTX_MAP` by a partition.
    ///
    /// # Errors
    /// ABORTED if it has failed on another core, where its pair was looked for before, and those of
    /// [`map_of_partition`](Self::map_of_partition).
    pub(in crate::spm) fn rxtx_map_by_partition(
        &self,
        slot: Slot,
        (tx, rx, pages): (u64, u64, u32),
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        self.map(slot, (tx, rx, pages), true, machine, held)
    }

    /// The pair that a partition's manifest fixes, before its first entry in a life. If that is not its
    /// first life, nobody sends to it until the life [begins](Self::reloaded).
    ///
    /// # Errors
    /// DENIED if it has a pair, INVALID_PARAMETERS for addresses that no pair can have and for what is
    /// not its own alone, and those of [`Mem::open`].
    pub fn map_of_partition(
        &self,
        slot: Slot,
        tx: u64,
        rx: u64,
        pages: u32,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        self.map(slot, (tx, rx, pages), false, machine, held)
    }

    fn map(
        &self,
        slot: Slot,
        (tx, rx, pages): (u64, u64, u32),
        lives: bool,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        let partition = self.partitions.get(slot.index()).ok_or(FfaError::Denied)?;
        partition.mailbox.with(held, |mailbox, held| {
            if mailbox.is_some() {
                return Err(FfaError::Denied);
            }
            check(tx, rx, pages)?;
            if lives && self.is_buried(slot) {
                return Err(FfaError::Aborted);
            }
            let owner = Owner::Partition(slot);
            let (tx, rx) = ((tx, pages), (rx, pages));
            *mailbox = Some(self.open_pair(machine, held, owner, tx, rx)?);
            Ok(())
        })
    }

    /// Gives up a partition's pair, if it has one. The contexts whose notification pending interrupt tells of
    /// nothing any more are [shown](Self::show_npi) that by who goes on.
    pub(in crate::spm) fn unmap_of_partition(
        &self,
        slot: Slot,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Option<Contexts> {
        let partition = self.partitions.get(slot.index())?;
        let (pair, quiet) = partition.mailbox.with(held, |pair, held| {
            let pair = pair.take()?;
            Some((pair, self.forget_rx_full_of_partition(slot, held)))
        })?;
        self.close_pair(machine, held, Owner::Partition(slot), pair);
        Some(quiet)
    }

    /// `FFA_RXTX_UNMAP` by a partition.
    pub(in crate::spm) fn rxtx_unmap_by_partition(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        vm: EndpointId,
        machine: &mut impl Machine,
    ) -> Result<(), FfaError> {
        let unmapped = match vm.0 {
            0 => self.unmap_of_partition(slot, machine, &mut pe.held),
            _ => None,
        };
        let quiet = unmapped.ok_or(FfaError::InvalidParameters)?;
        self.show_npi(pe, slot, quiet, machine);
        Ok(())
    }

    /// `FFA_RXTX_MAP` by the normal world: its own pair, or with all arguments zero one of a VM.
    pub(in crate::spm) fn rxtx_map_by_normal_world(
        &self,
        tx: u64,
        rx: u64,
        pages: u32,
        machine: &mut impl Machine,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        self.with_normal_world(held, |mailboxes, held| {
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
    pub(in crate::spm) fn rxtx_unmap_by_normal_world(
        &self,
        vm: EndpointId,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        let taken = self.with_normal_world(held, |mailboxes, held| {
            let taken = mailboxes.take(vm);
            if taken.is_some() {
                self.forget_rx_full(vm, held);
            }
            taken
        });
        let pair = taken.ok_or(FfaError::InvalidParameters)?;
        self.close_pair(machine, held, Owner::NormalWorld, pair);
        Ok(())
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
    pub(super) fn push(
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
