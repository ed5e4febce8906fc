//! The client of the suite `memory`, as a VM or at NS-EL2. It has each [party](crate::memory) make the calls of
//! DEN0077A's chapters on memory management and looks at what came back, at what is in the buffers, and at memory, from
//! all sides.

mod bad;
mod borrowers;
mod contents;
mod deal;
mod death;
mod device;
mod executing;
mod features;
mod fragments;
mod hypervisor;
mod kinds;
mod ownership;
mod party;
mod permissions;
mod quotas;
mod repeated;
mod start;
mod values;
mod wrong;
mod zeroes;

use super::{Client, plain};
use crate::abi::{self, Regs};
use crate::memory::descriptor::{Block, Form, Layout, Range};
use crate::memory::list::List;
use crate::memory::{Kind, LASTING, PAGE, PARTITIONS, VMS, Who};
use crate::rt::entry::Boot;
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
    let client = Client::start_at(name, version, boot);
    let me = Party {
        who: Who::client(client.direct, version),
        client: client.me,
    };
    let mut suite = Suite {
        client,
        me,
        next: [const { Cell::new(0) }; PARTIES],
        lost: [const { Cell::new(0) }; PARTIES],
        open: RefCell::new(List::new()),
    };
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
struct Suite {
    client: Client,
    me: Party,
    /// The next spare page of each party.
    next: [Cell<u64>; PARTIES],
    /// Pages that each has given away for good, from the end of its spare ones.
    lost: [Cell<u64>; PARTIES],
    /// Handles of this case.
    open: RefCell<List<u64, OPEN>>,
}

impl Suite {
    /// A party.
    fn party(&self, who: Who) -> Party {
        Party {
            who,
            client: self.client.me,
        }
    }

    /// The partitions that live as long as the boot.
    fn partitions(&self) -> [Party; LASTING.len()] {
        LASTING.map(|who| self.party(who))
    }

    /// The VMs beside the client, if it is one.
    fn vms(&self) -> List<Party, 2> {
        match self.client.direct {
            true => List::new(),
            false => List::of(VMS.map(|who| self.party(who))),
        }
    }

    /// Everybody who may send, the client first.
    fn everybody(&self) -> List<Party, 8> {
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
    fn case(&mut self, name: impl Display, run: impl FnOnce(&Self) -> Check) {
        self.open.replace(List::new());
        let verdict = run(self);
        if verdict.is_err() {
            self.recover();
        }
        self.client.count += 1;
        let mode = self.client.mode();
        match verdict {
            Ok(()) => crate::say!("@case memory/{mode}/{name} pass"),
            Err(wrong) => {
                self.client.failures += 1;
                crate::say!("@case memory/{mode}/{name} fail {wrong}");
            }
        }
    }

    /// The same with a formatted name.
    fn named(&mut self, name: Arguments<'_>, run: impl FnOnce(&Self) -> Check) {
        self.case(name, run);
    }

    /// After a case that failed: what it left behind is not the next one's.
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

    /// Spare pages of a party's, in a row, in turn.
    fn pages(&self, party: &Party, pages: u64) -> Range {
        let number = number(party);
        let (base, all) = party.who.spare();
        let lost = self.lost.get(number).map_or(0, Cell::get);
        let mut first = 0;
        if let Some(next) = self.next.get(number) {
            first = next.get();
            if first + pages > all - lost {
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

    /// Sends what is in the block: its first fragment, of `total` bytes.
    fn submit(
        &self,
        lender: &Party,
        deal: Deal,
        block: &Block,
        total: u32,
    ) -> Result<Answer, Wrong> {
        lender.put(lender.who.tx(), block)?;
        let id = wide(deal.id(), total.wrapping_add(block.length) / 16);
        let answer = lender.call(id, &[total.into(), block.length.into()])?;
        if let Ok(handle) = answer.handle(lender, "") {
            self.open.borrow_mut().push(handle);
        }
        Ok(answer)
    }

    /// Sends a descriptor that fits in one fragment.
    fn try_send(&self, lender: &Party, deal: Deal, form: &Form) -> Result<Answer, Wrong> {
        self.submit(lender, deal, &form.write(), form.total())
    }

    /// The same, with success; gives the handle.
    fn send(&self, lender: &Party, deal: Deal, form: &Form) -> Result<u64, Wrong> {
        self.try_send(lender, deal, form)?
            .handle(lender, deal.name())
    }

    /// Makes a retrieve request of what is in the block.
    fn ask_for(&self, borrower: &Party, block: &Block) -> Result<Answer, Wrong> {
        borrower.put(borrower.who.tx(), block)?;
        let id = wide(abi::MEM_RETRIEVE_REQ, block.length / 16);
        borrower.call(id, &[block.length.into(), block.length.into()])
    }

    /// The same of a form.
    fn try_retrieve(&self, borrower: &Party, form: &Form) -> Result<Answer, Wrong> {
        self.ask_for(borrower, &form.write())
    }

    /// The same, with success, and a response that fits in RX; gives that.
    fn retrieve(&self, borrower: &Party, form: &Form) -> Result<Form, Wrong> {
        let answer = self.try_retrieve(borrower, form)?;
        let got = self.response(borrower, &answer)?;
        self.release(borrower)?;
        Ok(got)
    }

    /// The response that RX holds, all of it in one fragment.
    fn response(&self, borrower: &Party, answer: &Answer) -> Result<Form, Wrong> {
        let [x0, total, fragment, x3, x4] = answer.x;
        if x0 as u32 != abi::MEM_RETRIEVE_RESP {
            let got = answer.error().map_or(x0, abi::code);
            return Err(borrower.wrong("retrieve", got, abi::MEM_RETRIEVE_RESP.into()));
        }
        borrower.equal("x3, x4 of a response", x3 | x4, 0)?;
        borrower.equal("first fragment of a response", fragment, total)?;
        let block = borrower.get(borrower.who.rx(), fragment as u32)?;
        let layout = Layout::of(borrower.who.version);
        let got = Form::read(layout, &block).ok_or_else(|| unreadable(borrower))?;
        borrower.equal("bytes of a response", total, got.total().into())?;
        // Nothing else is left there.
        let tail = borrower.get(borrower.who.rx() + u64::from(fragment as u32), 64)?;
        for word in tail.words() {
            borrower.equal("RX behind a response", *word, 0)?;
        }
        Ok(got)
    }

    /// Releases RX.
    fn release(&self, party: &Party) -> Check {
        party
            .call(abi::RX_RELEASE, &[])?
            .done(party, "FFA_RX_RELEASE")
    }

    /// Retrieves what was offered as it usually is, and looks at the response.
    fn take(&self, deal: Deal, form: &Form, handle: u64, borrower: &Party) -> Check {
        self.take_as(form, &request(deal, form, handle, borrower), borrower)
    }

    /// The same by this request.
    fn take_as(&self, form: &Form, asked: &Form, borrower: &Party) -> Check {
        let got = self.retrieve(borrower, asked)?;
        fits(&got, asked, form, borrower)
    }

    /// Gives back what is in the block.
    fn give_back(&self, borrower: &Party, block: &Block) -> Result<Answer, Wrong> {
        borrower.put(borrower.who.tx(), block)?;
        borrower.call(abi::MEM_RELINQUISH, &[])
    }

    /// Gives a handle back with these flags.
    fn try_relinquish(&self, borrower: &Party, handle: u64, flags: u32) -> Result<Answer, Wrong> {
        self.give_back(borrower, &relinquishment(borrower, handle, flags))
    }

    /// The same, with success and no flags.
    fn relinquish(&self, borrower: &Party, handle: u64) -> Check {
        self.try_relinquish(borrower, handle, 0)?
            .done(borrower, "relinquish")
    }

    /// Takes a handle's memory back.
    fn try_reclaim(&self, lender: &Party, handle: u64, flags: u32) -> Result<Answer, Wrong> {
        let arguments = [handle & 0xffff_ffff, handle >> 32, flags.into()];
        lender.call(abi::MEM_RECLAIM, &arguments)
    }

    /// The same, with success and no flags.
    fn reclaim(&self, lender: &Party, handle: u64) -> Check {
        self.try_reclaim(lender, handle, 0)?.done(lender, "reclaim")
    }

    /// These pages can be given away at once, and come back: nothing is left of what was before.
    fn nothing_left(&self, lender: &Party, borrower: &Party, ranges: &[Range]) -> Check {
        let form = offer(Deal::Share, lender, &[*borrower], ranges);
        let handle = self.send(lender, Deal::Share, &form)?;
        self.take(Deal::Share, &form, handle, borrower)?;
        self.relinquish(borrower, handle)?;
        self.reclaim(lender, handle)
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

/// A relinquish descriptor.
fn relinquishment(borrower: &Party, handle: u64, flags: u32) -> Block {
    let mut block = Block::new();
    block.put(0, 8, handle);
    block.put(8, 4, flags.into());
    block.put(12, 4, 1);
    block.put(16, 2, borrower.who.id.into());
    block.length = 18;
    block
}

/// Both forms of a call in turn.
const fn wide(id: u32, turn: u32) -> u32 {
    id | (turn & 1) << 30
}

/// One call of the client's own, without a check.
fn own(id: u32, arguments: &[u64]) -> Regs {
    plain(id, arguments)
}
