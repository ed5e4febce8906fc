//! A borrower that retrieves again: counted, and given back as often.

use super::{Check, Deal, Suite, offer, request};
use crate::abi::{DENIED, INVALID_PARAMETERS};
use crate::memory::descriptor::permissions::{DATA, RO};

const SEED: u64 = 0x600;
/// As often as FFA_FEATURES says that a borrower may retrieve.
const MOST: u32 = 255;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for deal in Deal::LOANS {
        suite.named(
            format_args!("repeated/{}/given_back_as_often", deal.name()),
            |suite| again(suite, deal),
        );
        suite.named(
            format_args!("repeated/{}/with_other_permissions", deal.name()),
            |suite| other_permissions(suite, deal),
        );
    }
    suite.case("repeated/share/as_often_as_features_says", most);
    suite.case("repeated/vm_to_vm", |suite| {
        let vms = suite.vms();
        let Some(borrower) = vms.first() else {
            return Ok(());
        };
        counted(suite, Deal::Share, borrower)
    });
}

fn again(suite: &Suite, deal: Deal) -> Check {
    counted(suite, deal, &suite.partitions()[1])
}

fn counted(suite: &Suite, deal: Deal, borrower: &super::Party) -> Check {
    let me = &suite.me;
    let all = suite.pages(me, 2);
    me.fill(all, SEED)?;
    let form = offer(deal, me, &[*borrower], &[all]);
    let handle = suite.send(me, deal, &form)?;
    for _ in 0..3 {
        suite.take(deal, &form, handle, borrower)?;
    }
    for _ in 0..2 {
        suite.relinquish(borrower, handle)?;
        borrower.holds(all, SEED)?;
        suite
            .try_reclaim(me, handle, 0)?
            .refused(me, "reclaim of what is retrieved", DENIED)?;
    }
    suite.relinquish(borrower, handle)?;
    borrower.cannot_reach(all)?;
    suite.try_relinquish(borrower, handle, 0)?.refused(
        borrower,
        "relinquish once more",
        INVALID_PARAMETERS,
    )?;
    // And from the beginning.
    suite.take(deal, &form, handle, borrower)?;
    borrower.holds(all, SEED)?;
    suite.relinquish(borrower, handle)?;
    suite.reclaim(me, handle)
}

fn other_permissions(suite: &Suite, deal: Deal) -> Check {
    let me = &suite.me;
    let borrower = suite.partitions()[3];
    let all = suite.pages(me, 1);
    let form = offer(deal, me, &[borrower], &[all]);
    let handle = suite.send(me, deal, &form)?;
    suite.take(deal, &form, handle, &borrower)?;
    let mut asked = request(deal, &form, handle, &borrower);
    for own in asked.receivers.iter_mut() {
        own.permissions = own.permissions & !DATA | RO;
    }
    suite.try_retrieve(&borrower, &asked)?.refused(
        &borrower,
        "retrieve with other permissions",
        DENIED,
    )?;
    borrower.fill(all, SEED)?;
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(me, handle)?;
    me.holds(all, SEED)
}

fn most(suite: &Suite) -> Check {
    let me = &suite.me;
    let borrower = suite.partitions()[2];
    let all = suite.pages(me, 1);
    let form = offer(Deal::Share, me, &[borrower], &[all]);
    let handle = suite.send(me, Deal::Share, &form)?;
    for _ in 0..MOST {
        suite.take(Deal::Share, &form, handle, &borrower)?;
    }
    let once_more =
        suite.try_retrieve(&borrower, &request(Deal::Share, &form, handle, &borrower))?;
    borrower.equal("it is an error", once_more.error().is_some().into(), 1)?;
    for _ in 0..MOST {
        suite.relinquish(&borrower, handle)?;
    }
    suite.try_relinquish(&borrower, handle, 0)?.refused(
        &borrower,
        "relinquish once more",
        INVALID_PARAMETERS,
    )?;
    suite.reclaim(me, handle)
}
