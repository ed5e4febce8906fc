//! The flags that have memory zeroed, by what is found in it.

use super::{Check, Deal, Party, Range, Suite, offer, request};
use crate::memory::descriptor::{Form, flags};

const SEED: u64 = 0x500;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for lender in suite.senders().iter() {
        let who = lender.who.name;
        type Case = fn(&Suite, &Party) -> Check;
        let cases: [(&str, Case); 9] = [
            ("lend", |suite, lender| {
                zeroed_first(suite, Deal::Lend, lender, 0)
            }),
            ("lend_to_two", lend_to_two),
            ("lend_and_retrieve", |suite, lender| {
                zeroed_first(suite, Deal::Lend, lender, flags::ZERO)
            }),
            ("retrieve_for_after", |suite, lender| {
                after(suite, lender, flags::ZERO_AFTER, 0, 0)
            }),
            ("relinquish", |suite, lender| {
                after(suite, lender, 0, flags::ZERO, 0)
            }),
            ("reclaim", |suite, lender| {
                after(suite, lender, 0, 0, flags::ZERO)
            }),
            ("relinquish_of_the_first_of_two", first_of_two),
            ("reclaim_of_what_nobody_retrieved", untouched),
            ("nothing_asked_for", nothing),
        ];
        for (name, case) in cases {
            suite.named(format_args!("zeroes/{who}/{name}"), |suite| {
                case(suite, lender)
            });
        }
    }
    suite.case("zeroes/donate", |suite| {
        let [_, _, lender, _] = suite.partitions();
        zeroed_first(suite, Deal::Donate, &lender, 0)
    });
}

/// A borrower that is not this one.
fn borrower(suite: &Suite) -> Party {
    suite.partitions()[1]
}

fn zeroed_first(suite: &Suite, deal: Deal, lender: &Party, more: u32) -> Check {
    let borrower = borrower(suite);
    let all = suite.pages(lender, 3);
    lender.fill(all, SEED)?;
    let mut form = offer(deal, lender, &[borrower], &super::kinds::two_of(all));
    form.flags = flags::ZERO;
    let handle = suite.send(lender, deal, &form)?;
    let mut asked = request(deal, &form, handle, &borrower);
    asked.flags |= more;
    suite.take_as(&form, &asked, &borrower)?;
    borrower.empty(all)?;
    if deal == Deal::Donate {
        let form = offer(deal, &borrower, &[*lender], &[all]);
        let handle = suite.send(&borrower, deal, &form)?;
        suite.take(deal, &form, handle, lender)?;
        return lender.empty(all);
    }
    borrower.fill(all, SEED + 1)?;
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(lender, handle)?;
    lender.holds(all, SEED + 1)
}

/// Zeroed once: the second one to retrieve finds what the first one has written.
fn lend_to_two(suite: &Suite, lender: &Party) -> Check {
    let [_, one, _, other] = suite.partitions();
    let all = suite.pages(lender, 2);
    lender.fill(all, SEED)?;
    let mut form = offer(Deal::Lend, lender, &[one, other], &[all]);
    form.flags = flags::ZERO;
    let handle = suite.send(lender, Deal::Lend, &form)?;
    suite.take(Deal::Lend, &form, handle, &one)?;
    one.empty(all)?;
    one.fill(all, SEED + 1)?;
    suite.take(Deal::Lend, &form, handle, &other)?;
    other.holds(all, SEED + 1)?;
    for borrower in [&one, &other] {
        suite.relinquish(borrower, handle)?;
    }
    suite.reclaim(lender, handle)?;
    lender.holds(all, SEED + 1)
}

/// A lend with flags to these calls.
fn after(suite: &Suite, lender: &Party, retrieve: u32, relinquish: u32, reclaim: u32) -> Check {
    let borrower = borrower(suite);
    let all = suite.pages(lender, 2);
    let form = offer(Deal::Lend, lender, &[borrower], &[all]);
    let handle = suite.send(lender, Deal::Lend, &form)?;
    let mut asked = request(Deal::Lend, &form, handle, &borrower);
    asked.flags |= retrieve;
    suite.take_as(&form, &asked, &borrower)?;
    borrower.fill(all, SEED)?;
    suite
        .try_relinquish(&borrower, handle, relinquish)?
        .done(&borrower, "relinquish")?;
    suite
        .try_reclaim(lender, handle, reclaim)?
        .done(lender, "reclaim")?;
    lender.empty(all)
}

/// Whoever asks for it, it is done when the last one gives back.
fn first_of_two(suite: &Suite, lender: &Party) -> Check {
    let [_, one, _, other] = suite.partitions();
    let all: Range = suite.pages(lender, 1);
    lender.fill(all, SEED)?;
    let form: Form = offer(Deal::Lend, lender, &[one, other], &[all]);
    let handle = suite.send(lender, Deal::Lend, &form)?;
    for borrower in [&one, &other] {
        suite.take(Deal::Lend, &form, handle, borrower)?;
    }
    one.fill(all, SEED + 1)?;
    suite
        .try_relinquish(&one, handle, flags::ZERO)?
        .done(&one, "relinquish")?;
    other.holds(all, SEED + 1)?;
    suite.relinquish(&other, handle)?;
    suite.reclaim(lender, handle)?;
    lender.empty(all)
}

fn untouched(suite: &Suite, lender: &Party) -> Check {
    let all = suite.pages(lender, 1);
    lender.fill(all, SEED)?;
    let form = offer(Deal::Lend, lender, &[borrower(suite)], &[all]);
    let handle = suite.send(lender, Deal::Lend, &form)?;
    suite
        .try_reclaim(lender, handle, flags::ZERO)?
        .done(lender, "reclaim")?;
    lender.empty(all)
}

fn nothing(suite: &Suite, lender: &Party) -> Check {
    let borrower = borrower(suite);
    let all = suite.pages(lender, 1);
    lender.fill(all, SEED)?;
    let form = offer(Deal::Lend, lender, &[borrower], &[all]);
    let handle = suite.send(lender, Deal::Lend, &form)?;
    suite.take(Deal::Lend, &form, handle, &borrower)?;
    borrower.holds(all, SEED)?;
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(lender, handle)?;
    lender.holds(all, SEED)
}
