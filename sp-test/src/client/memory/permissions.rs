//! Less than read and write.

use super::{Check, Deal, Party, Suite, may_give, offer, request};
use crate::memory::descriptor::permissions::{DATA, RO};

const SEED: u64 = 0x400;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for deal in Deal::LOANS {
        for lender in suite.senders().iter() {
            let borrower = suite.partitions()[3];
            let base = format_args!("permissions/{}/{}", deal.name(), lender.who.name);
            suite.named(format_args!("{base}/offered_read_only"), |suite| {
                read_only(suite, deal, lender, &borrower, true)
            });
            suite.named(format_args!("{base}/retrieved_read_only"), |suite| {
                read_only(suite, deal, lender, &borrower, false)
            });
        }
    }
    let vms = suite.vms();
    if let Some(vm) = vms.first() {
        for deal in Deal::LOANS {
            let name = format_args!("permissions/{}/vm1_to_vm2/offered_read_only", deal.name());
            suite.named(name, |suite| read_only(suite, deal, &suite.me, vm, true));
        }
    }
    suite.case(
        "permissions/own_read_only_memory_shared_read_only",
        own_read_only,
    );
}

fn read_only(suite: &Suite, deal: Deal, lender: &Party, borrower: &Party, offered: bool) -> Check {
    let all = suite.pages(lender, 2);
    lender.fill(all, SEED)?;
    let mut form = offer(deal, lender, &[*borrower], &[all]);
    let less = |permissions: u8| permissions & !DATA | RO;
    if offered {
        form.receivers[0].permissions = less(form.receivers[0].permissions);
    }
    let handle = suite.send(lender, deal, &form)?;
    let mut asked = request(deal, &form, handle, borrower);
    asked.receivers[0].permissions = less(asked.receivers[0].permissions);
    suite.take_as(&form, &asked, borrower)?;
    borrower.only_reads(all)?;
    borrower.holds(all, SEED)?;
    if deal == Deal::Share {
        lender.fill(all, SEED + 1)?;
        borrower.holds(all, SEED + 1)?;
    }
    suite.relinquish(borrower, handle)?;
    borrower.cannot_reach(all)?;
    suite.reclaim(lender, handle)?;
    // The owner's own right is what it was.
    lender.fill(all, SEED + 2)?;
    debug_assert!(may_give(lender, borrower));
    Ok(())
}

/// What an owner may only read it may share for reading.
fn own_read_only(suite: &Suite) -> Check {
    let [_, _, owner, borrower] = suite.partitions();
    let all = super::Range {
        base: owner.who.read_only(),
        pages: 2,
    };
    owner.only_reads(all)?;
    let mut form = offer(Deal::Share, &owner, &[borrower], &[all]);
    form.receivers[0].permissions = RO;
    let handle = suite.send(&owner, Deal::Share, &form)?;
    suite.take(Deal::Share, &form, handle, &borrower)?;
    borrower.only_reads(all)?;
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(&owner, handle)?;
    owner.only_reads(all)
}
