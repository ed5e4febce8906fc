//! The client of the suite `memory`, as a VM or at NS-EL2. It has each [party](crate::memory) make the calls of
//! DEN0077A's chapters on memory management and looks at what came back, at what is in the buffers, and at memory, from
//! all sides.

mod bad;
mod borrowers;
mod calls;
mod contents;
pub mod cores;
mod deal;
mod death;
mod device;
mod executing;
mod features;
mod fragments;
mod hypervisor;
mod interleaved;
mod kinds;
pub mod large;
mod ownership;
pub(super) mod party;
mod permissions;
mod quotas;
mod repeated;
pub(super) mod start;
mod values;
pub(super) mod wrong;
mod zeroes;

use super::{Client, plain};
use crate::abi::{self, Regs};
use crate::memory::descriptor::Range;
use crate::memory::list::List;
use crate::memory::{Kind, LASTING, PAGE, PARTITIONS, VMS, Who};
use crate::rt::entry::Boot;
use calls::relinquishment;
use core::cell::{Cell, RefCell};
use core::fmt::{Arguments, Display};
use deal::{Deal, fits, offer, request, unreadable};
use party::{Answer, Party};
use wrong::{Check, Wrong};

/// Pages are lent anew each time, so that what one case leaves behind is not the next one's trouble.
const PARTIES: usize = 1 + PARTITIONS.len() + VMS.len();
/// Handles that a case may have open.
const OPEN: usize = 8;

/// The image's start.
pub fn main(name: &str, version: u32, boot: &Boot) -> ! {
    let mut suite = Suite::start(name, version, boot);
    if start::run(&mut suite) {
        for chapter in [
            features::run,
            kinds::run,
            contents::run,
            borrowers::run,
            permissions::run,
            executing::run,
            zeroes::run,
            values::run,
            repeated::run,
            fragments::run,
            interleaved::run,
            hypervisor::run,
            device::run,
            ownership::run,
            bad::run,
            features::ns_bit,
            quotas::run,
            // These leave some dead.
            death::run,
        ] {
            chapter(&mut suite);
        }
    }
    suite.client.end()
}

/// The client, with all that it knows.
pub(super) struct Suite {
    /// In names of cases.
    pub title: &'static str,
    /// After a case that failed: what it left behind is not the next one's.
    pub clean: fn(&Self),
    /// How its cases went.
    pub client: Client,
    /// The client as a party.
    pub me: Party,
    /// The next spare page of each party.
    next: [Cell<u64>; PARTIES],
    /// Pages that each has given away for good, from the end of its spare ones.
    lost: [Cell<u64>; PARTIES],
    /// Handles of this case.
    open: RefCell<List<u64, OPEN>>,
}

impl Suite {
    /// The client starts.
    pub fn start(name: &str, version: u32, boot: &Boot) -> Self {
        let client = Client::start_at(name, version, boot);
        let me = Party {
            who: Who::client(client.direct, version),
            client: client.me,
        };
        Self {
            title: "memory",
            clean: Self::recover,
            client,
            me,
            next: [const { Cell::new(0) }; PARTIES],
            lost: [const { Cell::new(0) }; PARTIES],
            open: RefCell::new(List::new()),
        }
    }

    /// A party.
    pub fn party(&self, who: Who) -> Party {
        Party {
            who,
            client: self.client.me,
        }
    }

    /// The partitions that live as long as the boot.
    pub fn partitions(&self) -> [Party; LASTING.len()] {
        LASTING.map(|who| self.party(who))
    }

    /// The VMs beside the client, if it is one.
    pub fn vms(&self) -> List<Party, 2> {
        match self.client.direct {
            true => List::new(),
            false => List::of(VMS.map(|who| self.party(who))),
        }
    }

    /// Everybody who may send, the client first.
    pub fn everybody(&self) -> List<Party, 8> {
        let vms = self.vms();
        let others = self.partitions().into_iter().chain(vms.iter().copied());
        List::of(core::iter::once(self.me).chain(others))
    }

    /// One of each kind of those who send: the client, a partition, another VM.
    fn senders(&self) -> List<Party, 3> {
        let vm = self.vms().first().copied();
        List::of([self.me, self.partitions()[2]].into_iter().chain(vm))
    }

    /// A case.
    pub fn case(&mut self, name: impl Display, run: impl FnOnce(&Self) -> Check) {
        self.open.replace(List::new());
        let verdict = run(self);
        if verdict.is_err() {
            (self.clean)(self);
        }
        self.client.count += 1;
        let (title, mode) = (self.title, self.client.mode());
        match verdict {
            Ok(()) => crate::say!("@case {title}/{mode}/{name} pass"),
            Err(wrong) => {
                self.client.failures += 1;
                crate::say!("@case {title}/{mode}/{name} fail {wrong}");
            }
        }
    }

    /// The same with a formatted name.
    pub fn named(&mut self, name: Arguments<'_>, run: impl FnOnce(&Self) -> Check) {
        self.case(name, run);
    }

    /// Its handles are nobody's any more.
    fn recover(&self) {
        let open = *self.open.borrow();
        for party in self.everybody().iter() {
            let _ = party.call(abi::RX_RELEASE, &[]);
        }
        for handle in open.iter() {
            for party in self.everybody().iter() {
                for _ in 0..3 {
                    let _ = self.try_relinquish(party, *handle, 0);
                }
            }
            for party in self.everybody().iter() {
                let _ = self.try_reclaim(party, *handle, 0);
            }
        }
    }

    /// How many spare pages a party still has.
    fn left(&self, party: &Party) -> u64 {
        let (_, all) = party.who.spare();
        all - self.lost.get(number(party)).map_or(0, Cell::get)
    }

    /// Spare pages of a party's, in a row, in turn.
    pub fn pages(&self, party: &Party, pages: u64) -> Range {
        let number = number(party);
        let (base, _) = party.who.spare();
        let mut first = 0;
        if let Some(next) = self.next.get(number) {
            first = next.get();
            if first + pages > self.left(party) {
                first = 0;
            }
            next.set(first + pages);
        }
        Range {
            base: base + first * PAGE,
            pages: pages as u32,
        }
    }

    /// Pages of a party that it does not get back.
    fn to_lose(&self, party: &Party, pages: u64) -> Range {
        let (base, all) = party.who.spare();
        let mut lost = pages;
        if let Some(cell) = self.lost.get(number(party)) {
            lost += cell.get();
            cell.set(lost);
        }
        Range {
            base: base + (all - lost) * PAGE,
            pages: pages as u32,
        }
    }
}

/// A party's place in tables.
fn number(party: &Party) -> usize {
    PARTITIONS
        .iter()
        .chain(&VMS)
        .position(|who| who.id == party.who.id)
        .map_or(0, |n| n + 1)
}

/// Whether this one may give memory to that one.
fn may_give(lender: &Party, borrower: &Party) -> bool {
    lender.who.id != borrower.who.id
        && (borrower.who.is_partition()
            || lender.who.kind == Kind::Vm && borrower.who.kind == Kind::Vm)
}

/// One call of the client's own, without a check.
fn own(id: u32, arguments: &[u64]) -> Regs {
    plain(id, arguments)
}
