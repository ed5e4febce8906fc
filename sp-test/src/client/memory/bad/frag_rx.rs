//! Fragments that are refused, on the way out.

use super::super::fragments::{Pieces, form_of, next};
use super::super::party::Entries;
use super::{Check, Deal, PAGE, Party, Suite, offer, request};
use crate::abi::{BUSY, INVALID_PARAMETERS, MEM_FRAG_TX, MEM_RETRIEVE_RESP};
use crate::memory::descriptor::Form;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
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
    let form = offer(Deal::Share, me, &[*borrower], &[all]);
    let handle = suite.send(me, Deal::Share, &form)?;
    next(borrower, handle, 0, 0)?.refused(borrower, "not retrieved", INVALID_PARAMETERS)?;
    suite.take(Deal::Share, &form, handle, borrower)?;
    next(borrower, handle, 0, 0)?.refused(borrower, "from the start", INVALID_PARAMETERS)?;
    suite.relinquish(borrower, handle)?;
    suite.reclaim(me, handle)
}
