//! Memory from which a borrower executes, or doesn't: between partitions, and between VMs.

use super::{Check, Deal, Party, Suite, offer, request};
use crate::memory::descriptor::permissions::{NX, RW, X};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    let [_, one, other, _] = suite.partitions();
    let vm = suite.vms().first().map(|vm| [suite.me, *vm]);
    for [lender, borrower] in [Some([one, other]), vm].into_iter().flatten() {
        for (deal, instruction) in [
            (Deal::Share, 0),
            (Deal::Lend, X),
            (Deal::Lend, NX),
            (Deal::Donate, X),
            (Deal::Donate, NX),
        ] {
            let may = match instruction == X {
                true => "executes",
                false => "does_not_execute",
            };
            let (from, deal_name) = (lender.who.name, deal.name());
            suite.named(
                format_args!("executing/{deal_name}/from_{from}/borrower_{may}"),
                |suite| executes(suite, deal, instruction, &lender, &borrower),
            );
        }
    }
}

fn executes(suite: &Suite, deal: Deal, instruction: u8, lender: &Party, borrower: &Party) -> Check {
    // What comes back from a donation without execution stays so.
    let all = match deal == Deal::Donate && instruction != X {
        true => suite.to_lose(lender, 1),
        false => suite.pages(lender, 1),
    };
    let form = offer(deal, lender, &[*borrower], &[all]);
    let handle = suite.send(lender, deal, &form)?;
    let mut asked = request(deal, &form, handle, borrower);
    asked.receivers[0].permissions = RW | instruction;
    suite.take_as(&form, &asked, borrower)?;
    match instruction == X {
        true => borrower.executes(all)?,
        false => borrower.cannot_execute(all)?,
    }
    if deal == Deal::Donate {
        let form = offer(deal, borrower, &[*lender], &[all]);
        let handle = suite.send(borrower, deal, &form)?;
        let mut asked = request(deal, &form, handle, lender);
        // As its own memory was before, if the one between may pass that on.
        asked.receivers[0].permissions = RW | instruction;
        suite.take_as(&form, &asked, lender)?;
        return borrower.cannot_execute(all);
    }
    suite.relinquish(borrower, handle)?;
    borrower.cannot_execute(all)?;
    suite.reclaim(lender, handle)?;
    lender.executes(all)
}
