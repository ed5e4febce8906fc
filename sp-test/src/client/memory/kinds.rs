//! Each kind of transaction between each two that may have one with each other: what both find in memory at each step,
//! and what they can't reach. The constituents' order is not that of their addresses.

use super::{Check, Deal, PAGE, Party, Range, Suite, may_give, offer};
use crate::abi::INVALID_PARAMETERS;

const SEED: u64 = 0x100;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    let everybody = suite.everybody();
    for deal in Deal::ALL {
        for lender in everybody.iter() {
            for borrower in everybody
                .iter()
                .filter(|borrower| may_give(lender, borrower))
            {
                let name = format_args!(
                    "{}/{}_to_{}",
                    deal.name(),
                    lender.who.name,
                    borrower.who.name
                );
                suite.named(name, |suite| one(suite, deal, lender, borrower));
            }
        }
    }
}

/// Three pages as two constituents.
pub(super) const fn two_of(all: Range) -> [Range; 2] {
    [
        Range {
            base: all.base + PAGE,
            pages: 2,
        },
        Range {
            base: all.base,
            pages: 1,
        },
    ]
}

fn one(suite: &Suite, deal: Deal, lender: &Party, borrower: &Party) -> Check {
    let comes_back = deal != Deal::Donate || may_give(borrower, lender);
    let all = match comes_back {
        true => suite.pages(lender, 3),
        false => suite.to_lose(lender, 3),
    };
    let ranges = two_of(all);
    lender.fill(all, SEED)?;
    let form = offer(deal, lender, &[*borrower], &ranges);
    let handle = suite.send(lender, deal, &form)?;
    borrower.cannot_reach(all)?;
    match deal {
        Deal::Share => lender.holds(all, SEED)?,
        _ => lender.has_lost(all)?,
    }
    suite.take(deal, &form, handle, borrower)?;
    borrower.holds(all, SEED)?;
    borrower.fill(all, SEED + 1)?;
    match deal {
        Deal::Share => {
            lender.holds(all, SEED + 1)?;
            lender.fill(all, SEED + 2)?;
            borrower.holds(all, SEED + 2)?;
        }
        Deal::Lend => lender.has_lost(all)?,
        Deal::Donate => {
            lender.has_lost(all)?;
            return given(suite, handle, all, lender, borrower, comes_back);
        }
    }
    suite.relinquish(borrower, handle)?;
    borrower.cannot_reach(all)?;
    match deal {
        Deal::Share => lender.holds(all, SEED + 2)?,
        _ => lender.has_lost(all)?,
    }
    suite.reclaim(lender, handle)?;
    let last = if deal == Deal::Share { 2 } else { 1 };
    lender.holds(all, SEED + last)?;
    lender.fill(all, SEED + 3)?;
    suite.nothing_left(lender, borrower, &ranges)
}

/// What was donated is the borrower's; it gives it back if it may.
fn given(
    suite: &Suite,
    handle: u64,
    all: Range,
    lender: &Party,
    borrower: &Party,
    comes_back: bool,
) -> Check {
    suite.try_relinquish(borrower, handle, 0)?.refused(
        borrower,
        "relinquish of a donation",
        INVALID_PARAMETERS,
    )?;
    suite.try_reclaim(lender, handle, 0)?.refused(
        lender,
        "reclaim of a donation",
        INVALID_PARAMETERS,
    )?;
    borrower.holds(all, SEED + 1)?;
    if !comes_back {
        return Ok(());
    }
    let form = offer(Deal::Donate, borrower, &[*lender], &two_of(all));
    let handle = suite.send(borrower, Deal::Donate, &form)?;
    suite.take(Deal::Donate, &form, handle, lender)?;
    lender.holds(all, SEED + 1)?;
    borrower.cannot_reach(all)?;
    suite.nothing_left(lender, borrower, &two_of(all))
}
