//! What is over: donations that partitions have retrieved, and VMs.

use super::{Given, Map, Shares, State, forward, party};
use crate::{
    forward::El3,
    proxy::{Machine, Proxy},
    vcpu::{Registers, VmIndex},
};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use ffa_abi::{
    EndpointId, FfaError,
    memory::{Attributes, DataAccess, InstructionAccess, ReclaimFlags, TransactionFlags},
    sharing::{Estates, Party, Retrieve},
};
use heapless::Vec;

/// How often the SPMC is asked at an interrupt at most.
const MOST_TRIES: usize = 4;

impl Given {
    /// Whether the SPMC's answer to `FFA_MEM_RECLAIM` means that it knows no such transaction any more: it was
    /// donated, and the partition has retrieved it.
    pub(super) fn is_gone(&self, error: FfaError) -> bool {
        self.donated && error == FfaError::InvalidParameters
    }
}

/// A partition has retrieved what was donated to it, and the memory is the secure world's own. `false` if there is no
/// room to note that: it stays out of everybody's hands, as it was. So does a dead VM's, which is noted no more.
pub(super) fn retrieved_there(map: &mut Map, one: &Given, estates: &mut impl Estates) -> bool {
    let Some(it) = map.find(one.local) else {
        return true;
    };
    if it.orphan() {
        return true;
    }
    let mut request = Retrieve {
        handle: one.local,
        caller: EndpointId::SPMC,
        sender: it.sender(),
        attributes: Attributes::default(),
        flags: TransactionFlags::empty(),
        tag: it.tag(),
        receivers: Vec::new(),
    };
    for borrower in it.receivers() {
        let mut wanted = *borrower.receiver();
        wanted.data = DataAccess::Unspecified;
        wanted.instruction = InstructionAccess::NotExecutable;
        request.caller = wanted.endpoint;
        // As many as a transaction has.
        let _ = request.receivers.push(wanted);
    }
    match map.retrieve(Party::OTHER_WORLD, &request, estates) {
        Ok(_) => {
            map.told(one.local);
            true
        }
        Err(_) => false,
    }
}

/// Asks the SPMC for what a VM that has ended had given. `false` if a partition still has it.
fn take_back(map: &mut Map, one: &Given, machine: &mut (impl El3 + Estates)) -> bool {
    match forward::reclaim(one.handle, ReclaimFlags::empty(), machine) {
        Ok(_) => {
            let back = map.reclaim(party(one.vm), one.local, ReclaimFlags::empty(), machine);
            debug_assert_eq!(back, Ok(()));
            true
        }
        Err(error) => one.is_gone(error) && retrieved_there(map, one, machine),
    }
}

impl<R: Registers> Proxy<'_, R> {
    /// A VM has ended, and its buffers are closed.
    pub(crate) fn end_memory(&self, index: VmIndex, id: EndpointId, machine: &mut impl Machine<R>) {
        let Some(shares) = self.shares else { return };
        let mut state = shares.lock();
        let State {
            map,
            unfinished,
            given,
            output,
            ..
        } = &mut *state;
        let output = self.fragment_of_own(output);
        while let Some(place) = unfinished.iter().position(|one| one.vm == index) {
            let one = unfinished.swap_remove(place);
            map.abandon(one.local);
            if let Some(there) = one.there {
                forward::drop_unfinished(there, id, output, machine);
            }
        }
        given.remove_of(index, |one| take_back(map, one, machine));
        // What partitions have still waits.
        let _ = map.ended(party(index), id, machine);
        if given.all().iter().any(|one| one.vm == index) {
            self.bereaved.store(true, Relaxed);
        }
    }

    /// Tries again to get back what VMs that have ended had given to partitions: some of it each time.
    pub(crate) fn take_back_again(&self, machine: &mut impl Machine<R>) {
        if self.bereaved.load(Relaxed) {
            self.take_back_some(machine);
        }
    }

    #[cold]
    #[inline(never)]
    fn take_back_some(&self, machine: &mut impl Machine<R>) {
        // Another core that has the lock need not be waited for.
        let Some(mut state) = self.shares.and_then(Shares::try_lock) else {
            return;
        };
        let State { map, given, .. } = &mut *state;
        let is_dead = |one: &Given| self.is_dead(one.vm);
        let of_dead = given.all().iter().filter(|one| is_dead(one)).count();
        for _ in 0..of_dead.min(MOST_TRIES) {
            let Some(one) = given.take_first(is_dead) else {
                break;
            };
            if !take_back(map, &one, machine) {
                // Its turn comes again after the others'.
                given.push(one);
            }
        }
        let rest = given.all().iter().any(is_dead);
        self.bereaved.store(rest, Relaxed);
    }
}

/// Whether VMs that have ended had given something that partitions still have: looked at without a lock.
pub(crate) type Bereaved = AtomicBool;
