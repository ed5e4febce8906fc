//! Retrieve requests that are refused; afterwards what was sent can be retrieved as ever.

mod rows;

use super::{Check, Deal, PAGE, Party, Suite, Wrong, may_give, offer, request};
use crate::abi::{self, BUSY, DENIED, INVALID_PARAMETERS};
use crate::memory::descriptor::{Form, permissions};
use Deal::{Donate, Lend, Share};
use rows::{ROWS, Row, own};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    let me = suite.me;
    for borrower in suite.everybody().iter().filter(|who| may_give(&me, who)) {
        let fits = |row: &&Row| (row.fits)(borrower) && (!row.values || rows::has_values(&me));
        for row in ROWS.iter().filter(fits) {
            suite.named(
                format_args!("retrieve/{}/{}", borrower.who.name, row.name),
                |suite| refused(suite, borrower, row),
            );
        }
        let who = borrower.who.name;
        suite.named(format_args!("retrieve/{who}/2_rx_busy"), |suite| {
            busy(suite, borrower)
        });
    }
    type Case = fn(&Suite, &Party) -> Check;
    let cases: [(&str, Case); 5] = [
        ("12_not_a_borrower", not_a_borrower),
        ("18_one_of_two", one_of_two),
        ("19_another_than_was_named", another_named),
        ("21_specified_in_a_lend_to_two", specified),
        ("24_own_entry_missing", without_itself),
    ];
    for borrower in suite.partitions() {
        for (name, case) in cases {
            suite.named(
                format_args!("retrieve/{}/{name}", borrower.who.name),
                |suite| case(suite, &borrower),
            );
        }
    }
}

fn refused(suite: &Suite, borrower: &Party, row: &Row) -> Check {
    // A donation is the borrower's after all, and comes back if it may.
    let lender = match row.deal == Donate && !may_give(borrower, &suite.me) {
        true => other_than(suite, borrower),
        false => suite.me,
    };
    let all = suite.pages(&lender, 2);
    let mut form = offer(row.deal, &lender, &[*borrower], &[all]);
    (row.offer)(&mut form);
    let handle = suite.send(&lender, row.deal, &form)?;
    let good = request(row.deal, &form, handle, borrower);
    let mut asked = good;
    (row.form)(&mut asked);
    let mut block = asked.write();
    (row.bytes)(&mut block, &asked);
    borrower.put(borrower.who.tx(), &block)?;
    let length = u64::from(block.length);
    let mut w = [length, length, 0, 0];
    (row.registers)(&mut w, borrower);
    for id in [abi::MEM_RETRIEVE_REQ, abi::MEM_RETRIEVE_REQ | abi::WIDE] {
        borrower
            .call(id, &w)?
            .refused(borrower, "retrieve", row.error)?;
    }
    borrower.cannot_reach(all)?;
    suite.take_as(&form, &good, borrower)?;
    if row.deal == Donate {
        let form = offer(Donate, borrower, &[lender], &[all]);
        let handle = suite.send(borrower, Donate, &form)?;
        return suite.take(Donate, &form, handle, &lender);
    }
    suite.relinquish(borrower, handle)?;
    suite.reclaim(&lender, handle)
}

/// A partition that is not this one.
fn other_than(suite: &Suite, borrower: &Party) -> Party {
    let [.., one, other] = suite.partitions();
    if one.who.id == borrower.who.id {
        other
    } else {
        one
    }
}

fn busy(suite: &Suite, borrower: &Party) -> Check {
    let me = &suite.me;
    let all = suite.pages(me, 1);
    let form = offer(Share, me, &[*borrower], &[all]);
    let handle = suite.send(me, Share, &form)?;
    let asked = request(Share, &form, handle, borrower);
    let answer = suite.try_retrieve(borrower, &asked)?;
    suite.response(borrower, &answer)?;
    suite
        .try_retrieve(borrower, &asked)?
        .refused(borrower, "retrieve into a full RX", BUSY)?;
    suite.release(borrower)?;
    // Counted once.
    suite.relinquish(borrower, handle)?;
    suite.try_relinquish(borrower, handle, 0)?.refused(
        borrower,
        "relinquish once more",
        INVALID_PARAMETERS,
    )?;
    suite.reclaim(me, handle)
}

fn not_a_borrower(suite: &Suite, borrower: &Party) -> Check {
    let me = &suite.me;
    let other = other_than(suite, borrower);
    let all = suite.pages(me, 1);
    let form = offer(Share, me, &[other], &[all]);
    let handle = suite.send(me, Share, &form)?;
    let mut asked = request(Share, &form, handle, borrower);
    expect(suite, borrower, &asked, INVALID_PARAMETERS)?;
    own(&mut asked, |access| access.endpoint = borrower.who.id);
    expect(suite, borrower, &asked, INVALID_PARAMETERS)?;
    suite.take(Share, &form, handle, &other)?;
    suite.relinquish(&other, handle)?;
    suite.reclaim(me, handle)
}

fn expect(suite: &Suite, borrower: &Party, asked: &Form, error: i32) -> Check {
    suite
        .try_retrieve(borrower, asked)?
        .refused(borrower, "retrieve", error)
}

/// An offer of the client's to this borrower and to another one.
fn to_two(suite: &Suite, deal: Deal, borrower: &Party) -> Result<(Form, u64), Wrong> {
    let me = &suite.me;
    let all = suite.pages(me, 1);
    let form = offer(deal, me, &[*borrower, other_than(suite, borrower)], &[all]);
    let handle = suite.send(me, deal, &form)?;
    Ok((form, handle))
}

fn finish(suite: &Suite, deal: Deal, form: &Form, handle: u64, borrower: &Party) -> Check {
    suite.take(deal, form, handle, borrower)?;
    suite.relinquish(borrower, handle)?;
    suite.reclaim(&suite.me, handle)
}

fn one_of_two(suite: &Suite, borrower: &Party) -> Check {
    let (form, handle) = to_two(suite, Share, borrower)?;
    let mut asked = request(Share, &form, handle, borrower);
    let first = asked.receivers.first().copied();
    asked.receivers = crate::memory::list::List::of(first);
    expect(suite, borrower, &asked, INVALID_PARAMETERS)?;
    finish(suite, Share, &form, handle, borrower)
}

fn another_named(suite: &Suite, borrower: &Party) -> Check {
    let (form, handle) = to_two(suite, Share, borrower)?;
    let mut asked = request(Share, &form, handle, borrower);
    if let Some(second) = asked.receivers.get_mut(1) {
        second.endpoint = crate::memory::STOPS.id;
    }
    expect(suite, borrower, &asked, DENIED)?;
    finish(suite, Share, &form, handle, borrower)
}

fn specified(suite: &Suite, borrower: &Party) -> Check {
    let (form, handle) = to_two(suite, Lend, borrower)?;
    let mut asked = request(Lend, &form, handle, borrower);
    for access in asked.receivers.iter_mut() {
        access.permissions |= permissions::NX;
    }
    expect(suite, borrower, &asked, INVALID_PARAMETERS)?;
    finish(suite, Lend, &form, handle, borrower)
}

/// It names the other one twice, itself not at all.
fn without_itself(suite: &Suite, borrower: &Party) -> Check {
    let (form, handle) = to_two(suite, Share, borrower)?;
    let mut asked = request(Share, &form, handle, borrower);
    if let Some(other) = asked.receivers.get(1).copied() {
        own(&mut asked, |access| *access = other);
    }
    expect(suite, borrower, &asked, INVALID_PARAMETERS)?;
    finish(suite, Share, &form, handle, borrower)
}
