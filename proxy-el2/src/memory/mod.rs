//! Memory management (DEN0140) for VMs: `FFA_MEM_SHARE`, `LEND`, `DONATE`, `RETRIEVE_REQ`, `RELINQUISH`,
//! `RECLAIM`, `FRAG_TX` and `FRAG_RX`.
//!
//! One map ([`Sharing`]) says which memory is which VM's, and who has it now. What a VM offers is its own, in
//! nobody else's hands, and none of its buffers; a VM does not see what it lent or donated. That holds
//! whoever the receivers are:
//!
//! * *VMs*: all of it is done here. Their handles have bit 63 set.
//! * *partitions*: the map takes the memory out of the sender's hands, then the SPMC is told, in the VM's name, and
//!   its handle is the transaction's. If it refuses, the map gives the memory back. Who retrieved it and when is the
//!   SPMC's business, and whether it may be reclaimed is for it to say.
//! * both at once is refused with DENIED.
//!
//! A descriptor is copied once, checked, and what the SPMC gets is written anew from what was understood.
//!
//! # The end of a VM
//!
//! What it had borrowed is given back, what it had begun to send is dropped. What it had given to partitions stays
//! out of everybody's hands until they have relinquished it; the proxy tries to reclaim it, at once and whenever an
//! interrupt brings a core here.

mod fast;
mod forward;
mod given;
mod over;
mod reclaim;
mod retrieve;
mod send;

use crate::{
    MAX_VMS,
    buffers::{MAX_PAGES, Memory, PAGE},
    proxy::{Machine, Proxy},
    sync::{Mutex, MutexGuard},
    vcpu::{Registers, VmIndex},
    vm::Vm,
};
use core::{fmt, ops::Range};
use ffa_abi::{
    Call, FfaError, Reply,
    memory::{Handle, TransactionKind},
    sharing::{Pages, Party, Region, Retrieved, Sharing, Side},
};
use forward::There;
use given::{Given, GivenList};
use heapless::Vec;
pub(crate) use over::Bereaved;

/// `FFA_FEATURES` of `FFA_MEM_RETRIEVE_REQ`, w3: how many bits the number of retrievals by a borrower has, less one.
pub(crate) const RETRIEVALS: u32 = 7;
/// The secure world and the VMs.
const PARTIES: usize = MAX_VMS + 1;
/// Runs of pages of all VMs together.
const RUNS: usize = 1024;
/// Transactions of all VMs together.
const HANDLES: usize = 128;
/// Chunks of constituents of all of them.
const CHUNKS: usize = 256;
/// Transactions of a VM of which fragments are missing.
const MAX_UNFINISHED: usize = 2;
/// The most bytes of a fragment.
const FRAGMENT: usize = MAX_PAGES as usize * PAGE as usize;

type Map = Sharing<PARTIES, MAX_VMS, RUNS, HANDLES, CHUNKS>;

/// A VM in the map.
const fn party(vm: VmIndex) -> Party {
    Party(vm.0.saturating_add(1))
}

/// A transaction of which fragments are missing.
#[derive(Clone, Copy, Debug)]
struct Unfinished {
    /// The handle that the VM was told.
    handle: Handle,
    /// Its handle in the map.
    local: Handle,
    vm: VmIndex,
    /// Bytes of the VM's descriptor that have come.
    sent: u32,
    /// All of them.
    total: u32,
    /// How far it has come at the SPMC, if its receivers are there.
    there: Option<There>,
    donated: bool,
}

/// What a VM is still to fetch with `FFA_MEM_FRAG_RX`.
#[derive(Clone, Copy, Debug)]
struct Fetch {
    handle: Handle,
    retrieved: Retrieved,
    /// The next byte of the descriptor, in the layout of the VM's version.
    offset: u32,
}

/// What the proxy notes of memory that changes hands. Large: for a `static`.
pub struct Shares(Mutex<State>);

impl Shares {
    /// Nothing.
    #[must_use]
    #[allow(clippy::new_without_default)] // Only ever a static.
    pub const fn new() -> Self {
        Self(Mutex::new(State::new()))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, State>> {
        self.0.try_lock()
    }
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shares").field(&self.0.try_lock()).finish()
    }
}

/// The copy of a fragment. Words are copied faster.
#[repr(align(8))]
struct Fragment([u8; FRAGMENT]);

/// What is noted.
pub(crate) struct State {
    map: Map,
    unfinished: Vec<Unfinished, { MAX_VMS * MAX_UNFINISHED }>,
    given: GivenList,
    fetches: [Option<Fetch>; MAX_VMS],
    /// What was copied from a VM.
    input: Fragment,
    /// What the SPMC gets.
    output: Fragment,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transactions: Vec<_, HANDLES> = self.map.transactions().collect();
        f.debug_struct("State")
            .field("transactions", &transactions)
            .field("unfinished", &self.unfinished)
            .field("given", &self.given)
            .field("fetches", &self.fetches)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl State {
    /// What must hold at all times.
    pub fn check(&self) {
        self.map.check().unwrap();
        let there = |handle| {
            let receivers = self.map.find(handle).unwrap().receivers();
            receivers[0].receiver().party == Some(Party::OTHER_WORLD)
        };
        for one in &self.unfinished {
            assert!(!self.map.find(one.local).unwrap().complete());
            assert_eq!(there(one.local), one.there.is_some());
            assert!(one.sent < one.total);
        }
        for one in self.given.all() {
            assert!(self.map.find(one.local).unwrap().complete() && there(one.local));
            let twins = self
                .given
                .all()
                .iter()
                .filter(|twin| twin.local == one.local);
            assert_eq!(twins.count(), 1);
        }
        for it in self.map.transactions() {
            let unfinished = self.unfinished.iter().any(|one| one.local == it.handle());
            let given = self.given.all().iter().any(|one| one.local == it.handle());
            assert_eq!(it.complete(), !unfinished, "{it:?}");
            let noted = given || it.orphan() && it.kind() == TransactionKind::Donate;
            assert!(unfinished || noted == there(it.handle()), "{it:?}");
        }
    }
}

impl State {
    const fn new() -> Self {
        Self {
            map: Map::new(Side::Hypervisor),
            unfinished: Vec::new(),
            given: GivenList::new(),
            fetches: [const { None }; MAX_VMS],
            input: Fragment([0; FRAGMENT]),
            output: Fragment([0; FRAGMENT]),
        }
    }

    /// A VM's memory, before it runs. It may be empty.
    pub fn add_memory(&mut self, vm: VmIndex, memory: &Range<u64>) -> Result<(), FfaError> {
        let Some(pages) = pages(memory) else {
            return Ok(());
        };
        let region = Region {
            pages,
            // There is one physical address space here.
            normal_world: false,
            device: false,
            write: true,
            execute: true,
            shareable: true,
        };
        self.map.add_region(party(vm), region)
    }

    /// Both buffers of a VM, or none: they are in nobody else's hands from now on.
    pub fn take_buffers(
        &mut self,
        vm: VmIndex,
        tx: &Range<u64>,
        rx: &Range<u64>,
    ) -> Result<(), FfaError> {
        let (Some(tx), Some(rx)) = (pages(tx), pages(rx)) else {
            return Err(FfaError::InvalidParameters);
        };
        self.map.take_buffer(party(vm), tx)?;
        let taken = self.map.take_buffer(party(vm), rx);
        if taken.is_err() {
            self.map.free_buffer(party(vm), tx);
        }
        taken
    }

    /// They are memory like any other again.
    pub fn free_buffers(&mut self, vm: VmIndex, tx: &Range<u64>, rx: &Range<u64>) {
        for pages in [tx, rx].into_iter().filter_map(pages) {
            self.map.free_buffer(party(vm), pages);
        }
        // What was to be fetched had its place there.
        if let Some(fetch) = self.fetches.get_mut(vm.index()).and_then(Option::take) {
            self.map.told(fetch.handle);
        }
    }
}

/// The VM that calls.
struct By<'a, 'v, R> {
    vm: &'a Vm<'v, R>,
    index: VmIndex,
    shares: &'a Shares,
}

/// The whole pages of a range; `None` if it is empty.
fn pages(range: &Range<u64>) -> Option<Pages> {
    let bytes = range.end.checked_sub(range.start)?;
    Pages::new(range.start, bytes / PAGE)
}

/// Copies the start of a VM's TX.
///
/// # Errors
/// INVALID_PARAMETERS if TX is not that long.
fn copy<'a>(
    tx: &Range<u64>,
    length: u32,
    Fragment(to): &'a mut Fragment,
    memory: &mut impl Memory,
) -> Result<&'a [u8], FfaError> {
    let size = tx.end.saturating_sub(tx.start);
    let to = to.get_mut(..length as usize);
    let to = to.filter(|_| u64::from(length) <= size);
    let to = to.ok_or(FfaError::InvalidParameters)?;
    memory.read(tx.start, to).map_err(|_| FfaError::Aborted)?;
    Ok(to)
}

impl<R: Registers> Proxy<'_, R> {
    /// A VM's calls about memory.
    pub(crate) fn memory(
        &self,
        vm: &Vm<'_, R>,
        index: VmIndex,
        call: Call,
        machine: &mut impl Machine<R>,
    ) -> Result<Reply, FfaError> {
        let shares = self.shares.ok_or(FfaError::NotSupported)?;
        let by = &By { vm, index, shares };
        match call {
            Call::MemShare(call) => self.send_memory(by, TransactionKind::Share, call, machine),
            Call::MemLend(call) => self.send_memory(by, TransactionKind::Lend, call, machine),
            Call::MemDonate(call) => self.send_memory(by, TransactionKind::Donate, call, machine),
            Call::MemFragTx {
                handle,
                length,
                sender,
            } => self.send_fragment(by, handle, length, sender, machine),
            Call::MemReclaim { handle, flags } => by.reclaim(handle, flags, machine),
            Call::MemRetrieveReq(call) => by.retrieve(call, machine),
            Call::MemFragRx {
                handle,
                offset,
                sender,
            } => by.fetch(handle, offset, sender, machine),
            Call::MemRelinquish => by.relinquish(machine),
            _ => Err(FfaError::NotSupported),
        }
    }
}
