//! Memory management (DEN0140): `FFA_MEM_DONATE`, `LEND`, `SHARE`, `RETRIEVE_REQ`, `RELINQUISH`,
//! `RECLAIM` and their fragments, by partitions and by the normal world; `FFA_NS_RES_INFO_GET`.
//!
//! Whose each page is, and who gave it to whom, is in one [`Sharing`] behind one lock, which no
//! message's path takes. A call that comes with a descriptor has its own endpoint's RX/TX pair
//! locked as well, from the first look at it to the last byte of an answer: so what lies in TX is
//! copied once and never read again, and nobody else can write RX meanwhile.
//!
//! The normal world as a whole is one owner: which of its VMs a page is of, its hypervisor knows. The
//! ids of VMs count for quotas, and to tell who relinquishes. When a VM ends, its hypervisor takes
//! back what it had given, as it does with everything else of it. A hypervisor that wants to drop a
//! transaction half way sends a fragment that is none.
//!
//! An endpoint may have several unfinished transactions, as many as its quota has room for. Those of a
//! partition that fails go with it.

mod ends;
mod fast;
mod give_back;
mod offer;
mod permissions;
mod resources;
mod retrieve;

use super::{
    Machine, Mem, Owner, Pe, Spmc,
    mailbox::{Fetch, Mailbox},
};
use crate::{
    MAX_PARTITIONS,
    context::{Registers, Slot},
    locks::{self, Held},
};
use core::sync::atomic::Ordering;
use ffa_abi::{
    Call, EndpointId, FfaError, Reply, Version,
    memory::{Handle, TransactionKind},
    sharing::{Estates, Pages, Party, Pieces, Region, Sharing, Side, View},
};
use heapless::Vec;

/// So many; one for the model checker, which is not about memory, and has small stacks on which it moves
/// all of this about.
const fn sized(count: usize) -> usize {
    if cfg!(feature = "loom") { 1 } else { count }
}

/// The most bytes of a TX buffer.
const BUFFER: usize = sized(super::MAX_BUFFER_PAGES as usize * 4096);

/// The map, for the normal world and all partitions.
pub type Shares = Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>;

/// The normal world, and each partition.
const PARTIES: usize = 1 + MAX_PARTITIONS;
/// Each partition, the hypervisor and its VMs.
const SENDERS: usize = MAX_PARTITIONS + 1 + sized(super::MAX_VM_BUFFERS);
/// Runs of pages of one owner and kind: half of them are guaranteed, 60 for each party.
const RUNS: usize = sized(2048);
/// Transactions: half of them are guaranteed, two for each sender.
const HANDLES: usize = sized(4 * SENDERS);
/// Room for 16 constituents each: half of them are guaranteed, four for each sender.
const CHUNKS: usize = sized(8 * SENDERS);

/// Where the constituents of transactions start.
type Heads = Vec<(Handle, u32), HANDLES>;

/// A copy of what lies in a TX buffer, made a word at a time.
#[derive(Debug)]
#[repr(align(8))]
struct Copied([u8; BUFFER]);

/// Everything about memory that all cores share.
pub(super) struct Memory {
    /// Whose each page is, and who gave it to whom.
    pub(super) sharing: Shares,
    /// Where the constituents of transactions start that are not complete: bytes from the start of
    /// their descriptors, in the layout of the sender.
    pub(super) heads: Heads,
    /// What was copied from a TX buffer, while a call is handled.
    copy: Copied,
    /// What the normal world is being told of the memory that partitions have of it.
    telling: Option<resources::Telling>,
    /// Partitions that have given memory away for good, one bit for each: what they were loaded into
    /// may not be theirs any more.
    gave_away: u32,
}

impl core::fmt::Debug for Memory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Memory").field(&self.sharing).finish()
    }
}

impl Memory {
    pub(super) const fn new() -> Self {
        Self {
            sharing: Sharing::new(Side::Spmc),
            heads: Vec::new(),
            copy: Copied([0; BUFFER]),
            telling: None,
            gave_away: 0,
        }
    }
}

/// Who an owner is in the map.
pub(super) const fn party(owner: Owner) -> Party {
    match owner {
        Owner::NormalWorld => Party(0),
        Owner::Partition(slot) => Party(1 + slot.index() as u8),
    }
}

/// The partition that a party is; the normal world has no tables of ours.
fn slot(party: Party) -> Option<Slot> {
    let index = party.0.checked_sub(1)?;
    (usize::from(index) < MAX_PARTITIONS).then_some(Slot(index))
}

/// The machine, as the map sees it.
struct Ground<'a, M> {
    machine: &'a mut M,
    held: &'a mut Held<{ locks::SHARES }>,
}

impl<M: Mem> Estates for Ground<'_, M> {
    fn grant(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError> {
        match slot(who) {
            Some(slot) => self.machine.grant(self.held, slot, pieces, view),
            None => Ok(()),
        }
    }

    fn revoke(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError> {
        match slot(who) {
            Some(slot) => self.machine.revoke(self.held, slot, pieces, view),
            None => Ok(()),
        }
    }

    fn hide(&mut self, who: Party, pieces: Pieces<'_>, normal: bool) -> Result<(), FfaError> {
        match slot(who) {
            Some(slot) => self.machine.hide(self.held, slot, pieces, normal),
            None => Ok(()),
        }
    }

    fn show(&mut self, who: Party, pieces: Pieces<'_>, normal: bool) {
        if let Some(slot) = slot(who) {
            self.machine.show(self.held, slot, pieces, normal);
        }
    }

    fn give_up(&mut self, who: Party, pieces: Pieces<'_>, normal: bool) {
        if let Some(slot) = slot(who) {
            self.machine.give_up(self.held, slot, pieces, normal);
        }
    }

    fn zero(&mut self, pieces: Pieces<'_>, normal: bool) {
        self.machine.clear(self.held, pieces, normal);
    }
}

/// `borrower` will be told no more of a transaction. If that is a donation to it, its handle is gone; a hypervisor's own
/// request leaves it to who has received it.
fn told(sharing: &mut Shares, handle: Handle, borrower: EndpointId) {
    let is_its = sharing.find(handle).is_some_and(|it| {
        let mut all = it.receivers().iter();
        all.any(|one| one.receiver().endpoint == borrower)
    });
    if is_its {
        sharing.told(handle);
    }
}

/// Who makes a call of this chapter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// The normal world, or a partition.
    pub owner: Owner,
    /// Its version.
    pub version: Version,
    /// A partition's id; the normal world speaks for several endpoints.
    pub id: Option<EndpointId>,
}

impl Caller {
    const fn party(self) -> Party {
        party(self.owner)
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// At boot: memory, or registers of a device, that somebody owns and nobody else has. What the
    /// normal world owns has no part that a partition was given: those come first. A device that several
    /// partitions have is nobody's to give away, and does not belong here.
    ///
    /// # Errors
    /// DENIED: somebody owns some of it already. NO_MEMORY: no room is left to note it.
    pub fn add_region(&mut self, owner: Owner, region: Region) -> Result<(), FfaError> {
        self.memory
            .get_mut()
            .sharing
            .add_region(party(owner), region)
    }

    /// At boot, after everybody's regions are known: what nobody owns of this one.
    ///
    /// # Errors
    /// NO_MEMORY: no room is left to note it; it may own some of it then.
    pub fn add_rest(&mut self, owner: Owner, region: Region) -> Result<(), FfaError> {
        let sharing = &mut self.memory.get_mut().sharing;
        sharing.add_rest(party(owner), region)
    }

    /// A call of this chapter by the normal world or a partition; `None` if it is another one.
    // What it needs of the stack is not for other calls.
    #[cold]
    #[inline(never)]
    pub(super) fn memory_call(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        call: Call,
        machine: &mut impl Machine,
    ) -> Option<Result<Reply, FfaError>> {
        use TransactionKind::{Donate, Lend, Share};
        Some(match call {
            Call::MemDonate(at) => self.mem_send::<false>(pe, caller, Donate, at, machine),
            Call::MemLend(at) => self.mem_send::<false>(pe, caller, Lend, at, machine),
            Call::MemShare(at) => self.mem_send::<false>(pe, caller, Share, at, machine),
            Call::MemRetrieveReq(at) => self.mem_retrieve::<false>(pe, caller, at, machine),
            Call::MemRelinquish => self.mem_relinquish::<false>(pe, caller, machine),
            Call::MemReclaim { handle, flags } => {
                self.mem_reclaim(pe, caller, handle, flags, machine)
            }
            Call::MemFragTx {
                handle,
                length,
                sender,
            } => self.mem_frag_tx(pe, caller, (handle, length, sender), machine),
            Call::MemFragRx {
                handle,
                offset,
                sender,
            } => self.mem_frag_rx(pe, caller, (handle, offset, sender), machine),
            Call::NsResInfoGet { endpoint, flags } => {
                self.ns_resources(pe, caller, endpoint, flags, machine)
            }
            Call::MemPermGet { address, pages, .. } => {
                self.mem_perm_get(pe, caller, (address, pages), machine)
            }
            Call::MemPermSet {
                address,
                pages,
                permissions,
                ..
            } => self.mem_perm_set(pe, caller, (address, pages), permissions, machine),
            _ => return None,
        })
    }

    /// Gives `work` the caller's RX/TX pair, if it has one.
    fn with_pair<R>(
        &self,
        caller: Caller,
        held: &mut Held<0>,
        work: impl FnOnce(Option<&mut Mailbox>, &mut Held<{ locks::PAIRS }>) -> Result<R, FfaError>,
    ) -> Result<R, FfaError> {
        match caller.owner {
            Owner::NormalWorld => self.with_normal_world(held, |all, held| {
                work(all.find(EndpointId::HYPERVISOR), held)
            }),
            Owner::Partition(slot) => {
                let partition = self.partitions.get(slot.index()).ok_or(FfaError::Denied)?;
                let pair = &partition.mailbox;
                pair.with(held, |pair, held| work(pair.as_mut(), held))
            }
        }
    }

    /// Gives `work` everything about memory, and the machine as the map sees it; not to a partition that
    /// has failed on another core: nothing of it may begin after its end.
    fn with_memory<const HELD: u8, X: Mem, R>(
        &self,
        caller: Caller,
        machine: &mut X,
        held: &mut Held<HELD>,
        work: impl FnOnce(&mut Memory, &mut Ground<'_, X>) -> Result<R, FfaError>,
    ) -> Result<R, FfaError> {
        self.memory.with(held, |memory, held| {
            if let Owner::Partition(slot) = caller.owner
                && self.is_buried(slot)
            {
                return Err(FfaError::Aborted);
            }
            work(memory, &mut Ground { machine, held })
        })
    }

    /// Whether a partition has failed, with all of its contexts.
    pub(super) fn is_buried(&self, slot: Slot) -> bool {
        self.partitions
            .get(slot.index())
            .is_none_or(|partition| partition.dead.load(Ordering::Acquire) == u32::MAX)
    }

    /// A pair's pages are taken out of what their owner may give away.
    pub(super) fn take_buffer<const HELD: u8>(
        &self,
        owner: Owner,
        (address, pages): (u64, u32),
        held: &mut Held<HELD>,
    ) -> Result<(), FfaError> {
        let pages = Pages {
            base: address,
            count: pages.into(),
        };
        let taken = self.memory.with(held, |memory, _| {
            memory.sharing.take_buffer(party(owner), pages)
        });
        taken.map_err(|error| match (owner, error) {
            // What a partition names is not memory that it could use so.
            (Owner::Partition(_), FfaError::Denied) => FfaError::InvalidParameters,
            (_, error) => error,
        })
    }

    /// The reverse of [`take_buffer`](Self::take_buffer).
    pub(super) fn free_buffer<const HELD: u8>(
        &self,
        owner: Owner,
        (address, pages): (u64, u32),
        held: &mut Held<HELD>,
    ) {
        let pages = Pages {
            base: address,
            count: pages.into(),
        };
        self.memory.with(held, |memory, _| {
            memory.sharing.free_buffer(party(owner), pages);
        });
    }

    /// Nobody fetches the rest of an answer any more.
    pub(super) fn forget_fetch<const HELD: u8>(&self, fetch: Fetch, held: &mut Held<HELD>) {
        self.memory.with(held, |memory, _| {
            told(&mut memory.sharing, fetch.handle, fetch.borrower);
        });
    }
}
