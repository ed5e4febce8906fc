//! Fragments that are refused, on the way in.

use super::super::fragments::form_of;
use super::super::party::Entries;
use super::sends::borrower;
use super::{Check, Deal, PAGE, Party, Range, Suite, Wrong, request};
use crate::abi::{DENIED, INVALID_PARAMETERS, MEM_FRAG_RX, MEM_FRAG_TX};
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
        let cases: [(&str, Case); 15] = [
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
            ("strange_memory_in_the_first", in_the_first),
            ("hundred_that_fail", hundred),
            ("reclaim_before_the_last", reclaim),
        ];
        for (name, case) in cases {
            suite.named(format_args!("frag_tx/{who}/{name}"), |suite| {
                case(suite, lender)
            });
        }
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
    begin_with(suite, lender, |first| first)
}

/// The same with another first constituent.
fn begin_with(
    suite: &Suite,
    lender: &Party,
    first: fn(Entries) -> Entries,
) -> Result<Begun, Wrong> {
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
    lender.put_entries(tx + u64::from(head), &first(entries.part(0, 1)))?;
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

/// What is wrong with the first fragment is found when the last one is there, or before.
fn in_the_first(suite: &Suite, lender: &Party) -> Check {
    let begun = begin_with(suite, lender, |entries| Entries { base: 0, ..entries })?;
    begun
        .rest(lender)?
        .refused(lender, "the last fragment", DENIED)?;
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
