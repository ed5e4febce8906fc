//! Memory of the secure world from which a borrower executes, or doesn't.

use super::{Check, Deal, Suite, offer, request};
use crate::memory::descriptor::permissions::{NX, RW, X};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for (deal, instruction) in [
        (Deal::Lend, X),
        (Deal::Lend, NX),
        (Deal::Donate, X),
        (Deal::Donate, NX),
    ] {
        let may = if instruction == X {
            "executes"
        } else {
            "does_not_execute"
        };
        suite.named(
            format_args!("executing/{}/borrower_{may}", deal.name()),
            |suite| executes(suite, deal, instruction),
        );
    }
    suite.case("executing/share/borrower_does_not_execute", |suite| {
        executes(suite, Deal::Share, 0)
    });
}

fn executes(suite: &Suite, deal: Deal, instruction: u8) -> Check {
    let [_, lender, borrower, _] = suite.partitions();
    // What comes back from a donation without execution stays so.
    let all = match deal == Deal::Donate && instruction != X {
        true => suite.to_lose(&lender, 1),
        false => suite.pages(&lender, 1),
    };
    let form = offer(deal, &lender, &[borrower], &[all]);
    let handle = suite.send(&lender, deal, &form)?;
    let mut asked = request(deal, &form, handle, &borrower);
    asked.receivers[0].permissions = RW | instruction;
    suite.take_as(&form, &asked, &borrower)?;
    match instruction == X {
        true => borrower.executes(all)?,
        false => borrower.cannot_execute(all)?,
    }
    if deal == Deal::Donate {
        let form = offer(deal, &borrower, &[lender], &[all]);
        let handle = suite.send(&borrower, deal, &form)?;
        let mut asked = request(deal, &form, handle, &lender);
        // As its own memory was before, if the one between may pass that on.
        asked.receivers[0].permissions = RW | instruction;
        suite.take_as(&form, &asked, &lender)?;
        return borrower.cannot_execute(all);
    }
    suite.relinquish(&borrower, handle)?;
    borrower.cannot_execute(all)?;
    suite.reclaim(&lender, handle)?;
    lender.executes(all)
}
