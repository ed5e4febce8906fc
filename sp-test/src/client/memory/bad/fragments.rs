//! Fragments that are refused, on both ways.

use super::super::fragments::{Pieces, form_of};
use super::super::party::Entries;
use super::sends::borrower;
use super::{Check, Deal, PAGE, Party, Range, Suite, Wrong, request};
use crate::abi::{BUSY, DENIED, INVALID_PARAMETERS, MEM_FRAG_RX, MEM_FRAG_TX, MEM_RETRIEVE_RESP};
use crate::memory::descriptor::Form;

/// Pages in all, and those that are announced in the first fragment.
const ALL: u32 = 8;
const FIRST: u32 = 3;
/// How often something is begun that comes to nothing.
const TIMES: u32 = 100;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for lender in suite.senders().iter() {
        let who = lender.who.name;
        type Case = fn(&Suite, &Party) -> Check;
        let cases: [(&str, Case); 14] = [
            ("no_handle", no_handle),
            ("handle_of_a_complete_one", complete),
            ("another_sender", another_sender),
            ("half_a_constituent", |suite, lender| {
                lost(suite, lender, 24)
            }),
            ("nothing", |suite, lender| lost(suite, lender, 0)),
            ("more_than_was_announced", |suite, lender| {
                lost(suite, lender, 16 * (ALL - FIRST + 1))
            }),
            ("more_than_tx_holds", |suite, lender| {
                lost(suite, lender, 0x1_0000)
            }),
            ("no_pages_in_the_last", |suite, lender| {
                in_the_last(suite, lender, |_| (0, 0), INVALID_PARAMETERS)
            }),
            ("not_a_pages_address_in_the_last", |suite, lender| {
                in_the_last(suite, lender, |last| (last + 0x10, 1), INVALID_PARAMETERS)
            }),
            ("page_of_the_first_in_the_last", |suite, lender| {
                in_the_last(
                    suite,
                    lender,
                    |last| (last - 7 * PAGE, 1),
                    INVALID_PARAMETERS,
                )
            }),
            ("more_pages_in_the_last", |suite, lender| {
                in_the_last(suite, lender, |last| (last, 2), INVALID_PARAMETERS)
            }),
            ("strange_memory_in_the_last", |suite, lender| {
                in_the_last(suite, lender, |_| (0, 1), DENIED)
            }),
            ("hundred_that_fail", hundred),
            ("reclaim_before_the_last", reclaim),
        ];
        for (name, case) in cases {
            suite.named(format_args!("frag_tx/{who}/{name}"), |suite| {
                case(suite, lender)
            });
        }
    }
    for borrower in suite.partitions() {
        let who = borrower.who.name;
        type Case = fn(&Suite, &Party, &Form, u64) -> Check;
        let cases: [(&str, Case); 4] = [
            ("rx_busy", rx_busy),
            ("wrong_offset", wrong_offset),
            ("no_handle", wrong_handle),
            ("sender_in_w4", sender_in_w4),
        ];
        for (name, case) in cases {
            suite.named(format_args!("frag_rx/{who}/{name}"), |suite| {
                frag_rx(suite, &borrower, case)
            });
        }
        suite.named(format_args!("frag_rx/{who}/nothing_to_come"), |suite| {
            nothing_to_come(suite, &borrower)
        });
    }
}

/// A transaction whose first fragment is there.
struct Begun {
    borrower: Party,
    all: Range,
    entries: Entries,
    form: Form,
    handle: u64,
}

fn begin(suite: &Suite, lender: &Party) -> Result<Begun, Wrong> {
    let borrower = borrower(suite, lender);
    let all = suite.pages(lender, ALL.into());
    let entries = Entries {
        base: all.base,
        pages: 1,
        stride: PAGE as i64,
        count: ALL,
    };
    let form = form_of(Deal::Lend, lender, &[borrower], &entries);
    let (tx, head) = (lender.who.tx(), form.ranges_offset());
    lender.put(tx, &form.write())?;
    lender.put_entries(tx + u64::from(head), &entries.part(0, FIRST))?;
    let length = head + 16 * FIRST;
    let answer = lender.call(Deal::Lend.id(), &[form.total().into(), length.into()])?;
    answer.is(lender, "the first fragment", MEM_FRAG_RX)?;
    let handle = answer.x[1] | answer.x[2] << 32;
    suite.open.borrow_mut().push(handle);
    Ok(Begun {
        borrower,
        all,
        entries,
        form,
        handle,
    })
}

/// FFA_MEM_FRAG_TX.
fn fragment(lender: &Party, handle: u64, bytes: u32) -> Result<super::super::Answer, Wrong> {
    lender.call(
        MEM_FRAG_TX,
        &[handle & 0xffff_ffff, handle >> 32, bytes.into()],
    )
}

impl Begun {
    /// The remaining fragment, as it should be.
    fn rest(&self, lender: &Party) -> Result<super::super::Answer, Wrong> {
        let rest = self.entries.part(FIRST, ALL - FIRST);
        lender.put_entries(lender.who.tx(), &rest)?;
        fragment(lender, self.handle, 16 * (ALL - FIRST))
    }

    /// It goes on as if nothing had been.
    fn goes_on(&self, suite: &Suite, lender: &Party) -> Check {
        let handle = self.rest(lender)?.handle(lender, "the last fragment")?;
        lender.equal("handle", handle, self.handle)?;
        let asked = request(Deal::Lend, &self.form, handle, &self.borrower);
        suite.retrieve_in_pieces(&self.borrower, &asked, &self.entries)?;
        suite.relinquish(&self.borrower, handle)?;
        suite.reclaim(lender, handle)?;
        suite.nothing_left(lender, &self.borrower, &[self.all])
    }

    /// It is gone, or can still be finished; either way nothing is left.
    fn ends(&self, suite: &Suite, lender: &Party) -> Check {
        let answer = self.rest(lender)?;
        match answer.error() {
            None => {
                answer.handle(lender, "the last fragment")?;
                suite.reclaim(lender, self.handle)?;
            }
            Some(_) => answer.refused(lender, "a fragment of nothing", INVALID_PARAMETERS)?,
        }
        suite.nothing_left(lender, &self.borrower, &[self.all])
    }
}

fn no_handle(suite: &Suite, lender: &Party) -> Check {
    let begun = begin(suite, lender)?;
    for handle in [
        begun.handle ^ 1,
        begun.handle ^ 1 << 40,
        begun.handle ^ 1 << 63,
        u64::MAX,
    ] {
        let rest = begun.entries.part(FIRST, 1);
        lender.put_entries(lender.who.tx(), &rest)?;
        fragment(lender, handle, 16)?.refused(lender, "a fragment", INVALID_PARAMETERS)?;
    }
    begun.goes_on(suite, lender)
}

fn complete(suite: &Suite, lender: &Party) -> Check {
    let begun = begin(suite, lender)?;
    let handle = begun.rest(lender)?.handle(lender, "the last fragment")?;
    fragment(lender, handle, 16)?.refused(lender, "one more fragment", INVALID_PARAMETERS)?;
    suite.reclaim(lender, handle)?;
    fragment(lender, handle, 16)?.refused(lender, "one more fragment", INVALID_PARAMETERS)?;
    suite.nothing_left(lender, &begun.borrower, &[begun.all])
}

fn another_sender(suite: &Suite, lender: &Party) -> Check {
    let begun = begin(suite, lender)?;
    for other in suite.everybody().iter() {
        if other.who.id != lender.who.id {
            let rest = begun.entries.part(FIRST, 1);
            other.put_entries(other.who.tx(), &rest)?;
            fragment(other, begun.handle, 16)?.refused(other, "a fragment", INVALID_PARAMETERS)?;
        }
    }
    begun.goes_on(suite, lender)
}

/// A fragment whose length is wrong.
fn lost(suite: &Suite, lender: &Party, bytes: u32) -> Check {
    let begun = begin(suite, lender)?;
    let rest = begun.entries.part(FIRST, ALL - FIRST);
    lender.put_entries(lender.who.tx(), &rest)?;
    fragment(lender, begun.handle, bytes)?.refused(lender, "a fragment", INVALID_PARAMETERS)?;
    begun.ends(suite, lender)
}

/// The last constituent of the last fragment is wrong: address and pages, from what they should be.
fn in_the_last(suite: &Suite, lender: &Party, last: fn(u64) -> (u64, u32), error: i32) -> Check {
    let begun = begin(suite, lender)?;
    let tx = lender.who.tx();
    let good = begun.entries.part(FIRST, ALL - FIRST);
    lender.put_entries(tx, &good)?;
    let place = begun.entries.part(ALL - 1, 1);
    let (base, pages) = last(place.base);
    let at = tx + u64::from(16 * (ALL - FIRST - 1));
    lender.put_entries(
        at,
        &Entries {
            base,
            pages,
            ..place
        },
    )?;
    fragment(lender, begun.handle, 16 * (ALL - FIRST))?.refused(
        lender,
        "the last fragment",
        error,
    )?;
    begun
        .rest(lender)?
        .refused(lender, "a fragment of nothing", INVALID_PARAMETERS)?;
    suite.nothing_left(lender, &begun.borrower, &[begun.all])
}

fn hundred(suite: &Suite, lender: &Party) -> Check {
    for _ in 0..TIMES {
        let begun = begin(suite, lender)?;
        suite.open.replace(crate::memory::list::List::new());
        let place = begun.entries.part(FIRST, 1);
        lender.put_entries(lender.who.tx(), &Entries { pages: 0, ..place })?;
        fragment(lender, begun.handle, 16)?.refused(lender, "a fragment", INVALID_PARAMETERS)?;
    }
    begin(suite, lender)?.goes_on(suite, lender)
}

fn reclaim(suite: &Suite, lender: &Party) -> Check {
    let begun = begin(suite, lender)?;
    let asked = request(Deal::Lend, &begun.form, begun.handle, &begun.borrower);
    suite.try_retrieve(&begun.borrower, &asked)?.refused(
        &begun.borrower,
        "retrieve before the last",
        INVALID_PARAMETERS,
    )?;
    suite
        .try_relinquish(&begun.borrower, begun.handle, 0)?
        .refused(
            &begun.borrower,
            "relinquish before the last",
            INVALID_PARAMETERS,
        )?;
    suite.try_reclaim(lender, begun.handle, 0)?.refused(
        lender,
        "reclaim before the last",
        INVALID_PARAMETERS,
    )?;
    begun.goes_on(suite, lender)
}

/// A response in several fragments, the first of which is there and released; then what a case does with it, and the rest.
fn frag_rx(
    suite: &Suite,
    borrower: &Party,
    case: fn(&Suite, &Party, &Form, u64) -> Check,
) -> Check {
    let me = &suite.me;
    // One page more than its buffer has room for.
    let count = (borrower.who.buffers * PAGE / 16) as u32;
    let all = suite.pages(me, count.into());
    let entries = Entries {
        base: all.base,
        pages: 1,
        stride: PAGE as i64,
        count,
    };
    let form = form_of(Deal::Share, me, &[*borrower], &entries);
    let pieces = Pieces {
        first: 200,
        each: 200,
    };
    let handle = suite.send_in_pieces(me, Deal::Share, &form, &entries, pieces)?;
    let asked = request(Deal::Share, &form, handle, borrower);
    let answer = suite.try_retrieve(borrower, &asked)?;
    answer.is(borrower, "retrieve", MEM_RETRIEVE_RESP)?;
    let (total, first) = (answer.x[1], answer.x[2]);
    borrower.equal("there is more", (first < total).into(), 1)?;
    case(suite, borrower, &asked, first)?;
    let mut offset = first;
    while offset < total {
        let answer = next(borrower, handle, offset, 0)?;
        answer.is(borrower, "the next fragment", MEM_FRAG_TX)?;
        offset += answer.x[3];
        suite.release(borrower)?;
    }
    next(borrower, handle, offset, 0)?.refused(borrower, "one more", INVALID_PARAMETERS)?;
    suite.relinquish(borrower, handle)?;
    suite.reclaim(me, handle)
}

/// FFA_MEM_FRAG_RX.
fn next(
    borrower: &Party,
    handle: u64,
    offset: u64,
    w4: u64,
) -> Result<super::super::Answer, Wrong> {
    borrower.call(
        MEM_FRAG_RX,
        &[handle & 0xffff_ffff, handle >> 32, offset, w4],
    )
}

fn rx_busy(suite: &Suite, borrower: &Party, asked: &Form, offset: u64) -> Check {
    next(borrower, asked.handle, offset, 0)?.refused(borrower, "the next fragment", BUSY)?;
    suite
        .try_retrieve(borrower, asked)?
        .refused(borrower, "retrieve", BUSY)?;
    suite.release(borrower)
}

fn wrong_offset(suite: &Suite, borrower: &Party, asked: &Form, offset: u64) -> Check {
    suite.release(borrower)?;
    for wrong in [0, offset - 16, offset + 16, offset + 8, 0xffff_fff0] {
        next(borrower, asked.handle, wrong, 0)?.refused(
            borrower,
            "a fragment from elsewhere",
            INVALID_PARAMETERS,
        )?;
    }
    Ok(())
}

fn wrong_handle(suite: &Suite, borrower: &Party, asked: &Form, offset: u64) -> Check {
    suite.release(borrower)?;
    for flip in [1, 1 << 40, 1 << 63] {
        next(borrower, asked.handle ^ flip, offset, 0)?.refused(
            borrower,
            "the next fragment",
            INVALID_PARAMETERS,
        )?;
    }
    Ok(())
}

fn sender_in_w4(suite: &Suite, borrower: &Party, asked: &Form, offset: u64) -> Check {
    suite.release(borrower)?;
    let w4 = u64::from(asked.sender | 1) << 16;
    next(borrower, asked.handle, offset, w4)?.refused(
        borrower,
        "the next fragment",
        INVALID_PARAMETERS,
    )
}

/// All of the response was in the first fragment.
fn nothing_to_come(suite: &Suite, borrower: &Party) -> Check {
    let me = &suite.me;
    let all = suite.pages(me, 1);
    let form = super::offer(Deal::Share, me, &[*borrower], &[all]);
    let handle = suite.send(me, Deal::Share, &form)?;
    next(borrower, handle, 0, 0)?.refused(borrower, "not retrieved", INVALID_PARAMETERS)?;
    suite.take(Deal::Share, &form, handle, borrower)?;
    next(borrower, handle, 0, 0)?.refused(borrower, "from the start", INVALID_PARAMETERS)?;
    suite.relinquish(borrower, handle)?;
    suite.reclaim(me, handle)
}
