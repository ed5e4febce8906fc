//! Several transactions under way at once: each gets what is its own.

use super::fragments::form_of;
use super::party::Entries;
use super::{Check, Deal, PAGE, Party, Suite, Wrong, request};
use crate::abi::{MEM_FRAG_RX, MEM_FRAG_TX, MEM_RETRIEVE_RESP};
use crate::memory::descriptor::Form;

const SEED: u64 = 0xb00;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    let [_, _, one, other] = suite.partitions();
    let me = suite.me;
    suite.case("interleaved/fragments_of_two_senders", |suite| {
        senders(suite, [me, one], other)
    });
    suite.case("interleaved/fragments_of_one_sender", |suite| {
        senders(suite, [one, one], other)
    });
    suite.case("interleaved/responses_to_two_borrowers", |suite| {
        responses(suite, [one, other])
    });
}

/// A transaction of constituents that come one by one.
struct Slow {
    lender: Party,
    form: Form,
    entries: Entries,
    handle: u64,
    sent: u32,
}

impl Slow {
    const COUNT: u32 = 5;

    fn begin(suite: &Suite, lender: Party, borrower: &Party) -> Result<Self, Wrong> {
        let all = suite.pages(&lender, Self::COUNT.into());
        lender.fill(all, SEED)?;
        let entries = Entries {
            base: all.base,
            pages: 1,
            stride: PAGE as i64,
            count: Self::COUNT,
        };
        let form = form_of(Deal::Share, &lender, &[*borrower], &entries);
        let (tx, head) = (lender.who.tx(), form.ranges_offset());
        lender.put(tx, &form.write())?;
        lender.put_entries(tx + u64::from(head), &entries.part(0, 1))?;
        let arguments = [form.total().into(), (head + 16).into()];
        let answer = lender.call(Deal::Share.id(), &arguments)?;
        answer.is(&lender, "the first fragment", MEM_FRAG_RX)?;
        let handle = answer.x[1] | answer.x[2] << 32;
        suite.open.borrow_mut().push(handle);
        Ok(Self {
            lender,
            form,
            entries,
            handle,
            sent: 1,
        })
    }

    /// The next constituent. False if that was the last one.
    fn step(&mut self) -> Result<bool, Wrong> {
        let tx = self.lender.who.tx();
        self.lender
            .put_entries(tx, &self.entries.part(self.sent, 1))?;
        let arguments = [self.handle & 0xffff_ffff, self.handle >> 32, 16];
        let answer = self.lender.call(MEM_FRAG_TX, &arguments)?;
        self.sent += 1;
        if self.sent == Self::COUNT {
            let handle = answer.handle(&self.lender, "the last fragment")?;
            self.lender.equal("its handle", handle, self.handle)?;
            return Ok(false);
        }
        answer.is(&self.lender, "a fragment", MEM_FRAG_RX)?;
        let offset = u64::from(self.form.ranges_offset() + 16 * self.sent);
        self.lender
            .equal("offset wanted next", answer.x[3], offset)?;
        Ok(true)
    }
}

fn senders(suite: &Suite, lenders: [Party; 2], borrower: Party) -> Check {
    let [one, other] = lenders;
    let mut both = [
        Slow::begin(suite, one, &borrower)?,
        Slow::begin(suite, other, &borrower)?,
    ];
    for _ in 1..Slow::COUNT {
        for slow in &mut both {
            slow.step()?;
        }
    }
    for slow in &both {
        let asked = request(Deal::Share, &slow.form, slow.handle, &borrower);
        suite.retrieve_in_pieces(&borrower, &asked, &slow.entries)?;
    }
    for slow in &both {
        suite.relinquish(&borrower, slow.handle)?;
        suite.reclaim(&slow.lender, slow.handle)?;
    }
    Ok(())
}

/// One share of many constituents, of which both fetch a fragment in turn.
fn responses(suite: &Suite, borrowers: [Party; 2]) -> Check {
    let me = &suite.me;
    let count = (4 * PAGE / 16) as u32;
    let all = suite.pages(me, count.into());
    let entries = Entries {
        base: all.base,
        pages: 1,
        stride: PAGE as i64,
        count,
    };
    let form = form_of(Deal::Share, me, &borrowers, &entries);
    let pieces = super::fragments::Pieces {
        first: 200,
        each: 200,
    };
    let handle = suite.send_in_pieces(me, Deal::Share, &form, &entries, pieces)?;
    // Bytes in all, and those that came.
    let mut states = [[0; 2]; 2];
    for (borrower, state) in borrowers.iter().zip(&mut states) {
        let asked = request(Deal::Share, &form, handle, borrower);
        let answer = suite.try_retrieve(borrower, &asked)?;
        answer.is(borrower, "retrieve", MEM_RETRIEVE_RESP)?;
        *state = [answer.x[1], answer.x[2]];
        suite.release(borrower)?;
    }
    while states.iter().any(|[total, came]| came < total) {
        for (borrower, [total, came]) in borrowers.iter().zip(&mut states) {
            if came == total {
                continue;
            }
            let arguments = [handle & 0xffff_ffff, handle >> 32, *came];
            let answer = borrower.call(MEM_FRAG_RX, &arguments)?;
            answer.is(borrower, "the next fragment", MEM_FRAG_TX)?;
            let head = u64::from(
                request(Deal::Share, &form, handle, borrower)
                    .layout
                    .receiver(1),
            ) + 16;
            let from = (*came - head) / 16;
            let part = entries.part(from as u32, answer.x[3] as u32 / 16);
            borrower.has_entries(borrower.who.rx(), &part)?;
            *came += answer.x[3];
            suite.release(borrower)?;
        }
    }
    for borrower in &borrowers {
        suite.relinquish(borrower, handle)?;
    }
    suite.reclaim(me, handle)
}
