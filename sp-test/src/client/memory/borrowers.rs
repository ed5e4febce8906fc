//! Several borrowers of one transaction.

use super::{Check, Deal, Party, Range, Suite, offer};
use crate::abi::{DENIED, INVALID_PARAMETERS};
use crate::memory::descriptor::permissions::{DATA, RO};
use crate::memory::list::List;

const SEED: u64 = 0x300;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for deal in Deal::LOANS {
        for lender in suite.senders().iter() {
            let name = format_args!("borrowers/{}/{}_to_all", deal.name(), lender.who.name);
            suite.named(name, |suite| several(suite, deal, lender));
        }
        suite.named(
            format_args!("borrowers/{}/one_only_reads", deal.name()),
            |suite| one_reads(suite, deal),
        );
        suite.named(
            format_args!("borrowers/{}/one_does_not_retrieve", deal.name()),
            |suite| one_stays_away(suite, deal),
        );
    }
}

/// All partitions but the lender.
fn others(suite: &Suite, lender: &Party) -> List<Party, 4> {
    let others = suite.partitions().into_iter();
    List::of(others.filter(|other| other.who.id != lender.who.id))
}

fn several(suite: &Suite, deal: Deal, lender: &Party) -> Check {
    let borrowers = others(suite, lender);
    let all = suite.pages(lender, 2);
    lender.fill(all, SEED)?;
    let form = offer(deal, lender, &borrowers, &[all]);
    let handle = suite.send(lender, deal, &form)?;
    let mut seed = SEED;
    for borrower in borrowers.iter() {
        suite.take(deal, &form, handle, borrower)?;
        borrower.holds(all, seed)?;
        seed += 1;
        borrower.fill(all, seed)?;
    }
    // Everybody sees what the last one has written.
    for borrower in borrowers.iter() {
        borrower.holds(all, seed)?;
    }
    match deal {
        Deal::Share => lender.holds(all, seed)?,
        _ => lender.has_lost(all)?,
    }
    for borrower in borrowers.iter() {
        suite.try_reclaim(lender, handle, 0)?.refused(
            lender,
            "reclaim of what is retrieved",
            DENIED,
        )?;
        borrower.holds(all, seed)?;
        suite.relinquish(borrower, handle)?;
        borrower.cannot_reach(all)?;
    }
    suite.reclaim(lender, handle)?;
    lender.holds(all, seed)?;
    suite.nothing_left(lender, &borrowers[0], &[all])
}

fn one_reads(suite: &Suite, deal: Deal) -> Check {
    let me = &suite.me;
    let [reader, _, writer, _] = suite.partitions();
    let all = suite.pages(me, 1);
    me.fill(all, SEED)?;
    let mut form = offer(deal, me, &[reader, writer], &[all]);
    form.receivers[0].permissions = form.receivers[0].permissions & !DATA | RO;
    let handle = suite.send(me, deal, &form)?;
    for borrower in [&reader, &writer] {
        suite.take(deal, &form, handle, borrower)?;
    }
    writer.fill(all, SEED + 1)?;
    reader.holds(all, SEED + 1)?;
    reader.only_reads(all)?;
    for borrower in [&writer, &reader] {
        suite.relinquish(borrower, handle)?;
    }
    suite.reclaim(me, handle)?;
    me.holds(all, SEED + 1)
}

fn one_stays_away(suite: &Suite, deal: Deal) -> Check {
    let me = &suite.me;
    let [one, other, stranger, _] = suite.partitions();
    let all: Range = suite.pages(me, 1);
    let form = offer(deal, me, &[one, other], &[all]);
    let handle = suite.send(me, deal, &form)?;
    suite.take(deal, &form, handle, &one)?;
    for who in [&other, &stranger] {
        suite.try_relinquish(who, handle, 0)?.refused(
            who,
            "relinquish of what is not retrieved",
            INVALID_PARAMETERS,
        )?;
        who.cannot_reach(all)?;
    }
    suite.relinquish(&one, handle)?;
    suite.reclaim(me, handle)
}
