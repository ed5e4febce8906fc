//! Implementation defined values, and the flag by which a borrower names itself only.

use super::{Check, Deal, Party, Suite, offer, request};
use crate::abi::{self, INVALID_PARAMETERS};
use crate::memory::descriptor::{Form, flags};
use crate::memory::list::List;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for deal in Deal::LOANS {
        for (name, case) in [
            ("each_has_its_own", each as fn(&Suite, Deal) -> Check),
            ("another_one_is_refused", another),
            ("of_a_sender_that_has_none", none),
        ] {
            // Without values of its own the client has none to give.
            if suite.me.who.version < abi::V1_2 {
                continue;
            }
            suite.named(format_args!("values/{}/{name}", deal.name()), |suite| {
                case(suite, deal)
            });
        }
        for (name, case) in [
            ("names_itself_only", bypass as fn(&Suite, Deal) -> Check),
            ("not_without_the_flag", without),
            ("not_with_two_names", two_names),
            ("not_of_a_single_borrower", single),
        ] {
            suite.named(format_args!("bypass/{}/{name}", deal.name()), |suite| {
                case(suite, deal)
            });
        }
    }
}

/// The client's offer to both partitions that have values.
fn both(suite: &Suite, deal: Deal) -> Result<([Party; 2], Form, u64), super::Wrong> {
    let [_, _, one, other] = suite.partitions();
    let all = suite.pages(&suite.me, 1);
    let form = offer(deal, &suite.me, &[one, other], &[all]);
    let handle = suite.send(&suite.me, deal, &form)?;
    Ok(([one, other], form, handle))
}

fn finish(suite: &Suite, borrowers: &[Party], handle: u64) -> Check {
    for borrower in borrowers {
        suite.relinquish(borrower, handle)?;
    }
    suite.reclaim(&suite.me, handle)
}

fn each(suite: &Suite, deal: Deal) -> Check {
    let (borrowers, form, handle) = both(suite, deal)?;
    for borrower in &borrowers {
        // `take` compares the value.
        suite.take(deal, &form, handle, borrower)?;
    }
    finish(suite, &borrowers, handle)
}

fn another(suite: &Suite, deal: Deal) -> Check {
    let (borrowers, form, handle) = both(suite, deal)?;
    let [one, _] = &borrowers;
    for word in [0, 1] {
        let mut asked = request(deal, &form, handle, one);
        if let Some(own) = asked.receivers.first_mut() {
            own.value[word] ^= 1 << 63;
        }
        suite
            .try_retrieve(one, &asked)?
            .refused(one, "retrieve", INVALID_PARAMETERS)?;
    }
    suite.take(deal, &form, handle, one)?;
    finish(suite, core::slice::from_ref(one), handle)
}

/// 1.1 has no values: who borrows from there finds zero.
fn none(suite: &Suite, deal: Deal) -> Check {
    let [_, lender, borrower, _] = suite.partitions();
    let all = suite.pages(&lender, 1);
    let form = offer(deal, &lender, &[borrower], &[all]);
    let handle = suite.send(&lender, deal, &form)?;
    suite.take(deal, &form, handle, &borrower)?;
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(&lender, handle)
}

/// A request that names its borrower only.
fn alone(deal: Deal, form: &Form, handle: u64, borrower: &Party, flag: u32) -> Form {
    let mut asked = request(deal, form, handle, borrower);
    let own = asked.receivers.iter().copied();
    asked.receivers = List::of(own.filter(|access| access.endpoint == borrower.who.id));
    asked.flags |= flag;
    asked
}

fn bypass(suite: &Suite, deal: Deal) -> Check {
    let (borrowers, form, handle) = both(suite, deal)?;
    for borrower in &borrowers {
        let asked = alone(deal, &form, handle, borrower, flags::BYPASS);
        suite.take_as(&form, &asked, borrower)?;
    }
    finish(suite, &borrowers, handle)
}

fn refused(suite: &Suite, asked: &Form, borrower: &Party) -> Check {
    suite
        .try_retrieve(borrower, asked)?
        .refused(borrower, "retrieve", INVALID_PARAMETERS)
}

fn without(suite: &Suite, deal: Deal) -> Check {
    let (borrowers, form, handle) = both(suite, deal)?;
    for borrower in &borrowers {
        refused(suite, &alone(deal, &form, handle, borrower, 0), borrower)?;
    }
    finish(suite, &[], handle)
}

fn two_names(suite: &Suite, deal: Deal) -> Check {
    let (borrowers, form, handle) = both(suite, deal)?;
    for borrower in &borrowers {
        let mut asked = request(deal, &form, handle, borrower);
        asked.flags |= flags::BYPASS;
        refused(suite, &asked, borrower)?;
    }
    finish(suite, &[], handle)
}

fn single(suite: &Suite, deal: Deal) -> Check {
    let [_, _, borrower, _] = suite.partitions();
    let all = suite.pages(&suite.me, 1);
    let form = offer(deal, &suite.me, &[borrower], &[all]);
    let handle = suite.send(&suite.me, deal, &form)?;
    let asked = alone(deal, &form, handle, &borrower, flags::BYPASS);
    refused(suite, &asked, &borrower)?;
    finish(suite, &[], handle)
}
