//! Giving back and taking back what is not there, or not so; and permissions, which are not for these parties.

use super::{Check, Deal, Party, Suite, may_give, offer, request};
use crate::abi::{self, DENIED, INVALID_PARAMETERS};
use crate::memory::block::Block;
use crate::memory::descriptor::{flags, permissions};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    type Case = fn(&Suite, &Party) -> Check;
    let me = suite.me;
    let relinquish: [(&str, Case); 7] = [
        ("counts_and_names", names),
        ("no_handle", no_handle),
        ("not_retrieved", not_retrieved),
        ("not_a_borrower", not_a_borrower),
        ("flags", reserved),
        ("share_with_zero", share_with_zero),
        ("zero_of_what_it_only_reads", read_only),
    ];
    for borrower in suite.everybody().iter().filter(|who| may_give(&me, who)) {
        for (name, case) in relinquish {
            suite.named(
                format_args!("relinquish/{}/{name}", borrower.who.name),
                |suite| case(suite, borrower),
            );
        }
    }
    let reclaim: [(&str, Case); 4] = [
        ("no_handle", reclaim_nothing),
        ("not_the_sender", not_the_sender),
        ("twice", twice),
        ("retrieved", retrieved),
    ];
    for lender in suite.everybody().iter() {
        for (name, case) in reclaim {
            suite.named(
                format_args!("reclaim/{}/{name}", lender.who.name),
                |suite| case(suite, lender),
            );
        }
    }
    for party in suite.partitions() {
        suite.named(
            format_args!("permissions_of_pages/{}", party.who.name),
            |_| pages(&party),
        );
    }
}

/// A lend of the client's that the borrower has retrieved.
struct Held {
    handle: u64,
}

fn held(suite: &Suite, deal: Deal, borrower: &Party, data: u8) -> Result<Held, super::Wrong> {
    let me = &suite.me;
    let all = suite.pages(me, 1);
    let form = offer(deal, me, &[*borrower], &[all]);
    let handle = suite.send(me, deal, &form)?;
    let mut asked = request(deal, &form, handle, borrower);
    for access in asked.receivers.iter_mut() {
        access.permissions = access.permissions & !permissions::DATA | data;
    }
    suite.take_as(&form, &asked, borrower)?;
    Ok(Held { handle })
}

impl Held {
    /// It is given back as ever.
    fn ends(&self, suite: &Suite, borrower: &Party) -> Check {
        suite.relinquish(borrower, self.handle)?;
        suite.reclaim(&suite.me, self.handle)
    }
}

fn invalid(suite: &Suite, borrower: &Party, block: &Block) -> Check {
    suite
        .give_back(borrower, block)?
        .refused(borrower, "relinquish", INVALID_PARAMETERS)
}

fn names(suite: &Suite, borrower: &Party) -> Check {
    let held = held(suite, Deal::Share, borrower, permissions::RW)?;
    let good = super::relinquishment(borrower, held.handle, 0);
    type Change = fn(&mut Block, u16);
    let changes: [Change; 6] = [
        |block, _| block.put(12, 4, 0),
        |block, id| {
            block.put(12, 4, 2);
            block.put(18, 2, (id ^ 1).into());
            block.length = 20;
        },
        |block, _| block.put(12, 4, 0xffff_ffff),
        |block, id| block.put(16, 2, (id ^ 1).into()),
        |block, _| block.put(16, 2, abi::SPMC.into()),
        |block, _| block.put(16, 2, 0x9999),
    ];
    for change in changes {
        let mut block = good.clone();
        change(&mut block, borrower.who.id);
        invalid(suite, borrower, &block)?;
    }
    held.ends(suite, borrower)
}

fn no_handle(suite: &Suite, borrower: &Party) -> Check {
    let held = held(suite, Deal::Share, borrower, permissions::RW)?;
    for handle in [
        held.handle ^ 1,
        held.handle ^ 1 << 40,
        held.handle ^ 1 << 63,
        0,
        u64::MAX,
    ] {
        if handle != held.handle {
            let block = super::relinquishment(borrower, handle, 0);
            invalid(suite, borrower, &block)?;
        }
    }
    held.ends(suite, borrower)
}

fn not_retrieved(suite: &Suite, borrower: &Party) -> Check {
    let me = &suite.me;
    let all = suite.pages(me, 1);
    let form = offer(Deal::Lend, me, &[*borrower], &[all]);
    let handle = suite.send(me, Deal::Lend, &form)?;
    let block = super::relinquishment(borrower, handle, 0);
    invalid(suite, borrower, &block)?;
    suite.take(Deal::Lend, &form, handle, borrower)?;
    suite.relinquish(borrower, handle)?;
    invalid(suite, borrower, &block)?;
    suite.reclaim(me, handle)?;
    invalid(suite, borrower, &block)
}

fn not_a_borrower(suite: &Suite, borrower: &Party) -> Check {
    let held = held(suite, Deal::Lend, borrower, permissions::RW)?;
    for other in suite.partitions() {
        if other.who.id != borrower.who.id {
            for id in [&other, borrower] {
                // In its own name, and in the borrower's.
                let block = super::relinquishment(id, held.handle, 0);
                invalid(suite, &other, &block)?;
            }
        }
    }
    held.ends(suite, borrower)
}

fn reserved(suite: &Suite, borrower: &Party) -> Check {
    let held = held(suite, Deal::Lend, borrower, permissions::RW)?;
    for flags in [flags::TIME_SLICE, 1 << 2, 1 << 31] {
        let block = super::relinquishment(borrower, held.handle, flags);
        invalid(suite, borrower, &block)?;
    }
    held.ends(suite, borrower)
}

fn share_with_zero(suite: &Suite, borrower: &Party) -> Check {
    let held = held(suite, Deal::Share, borrower, permissions::RW)?;
    let block = super::relinquishment(borrower, held.handle, flags::ZERO);
    invalid(suite, borrower, &block)?;
    held.ends(suite, borrower)
}

fn read_only(suite: &Suite, borrower: &Party) -> Check {
    let held = held(suite, Deal::Lend, borrower, permissions::RO)?;
    suite
        .try_relinquish(borrower, held.handle, flags::ZERO)?
        .refused(borrower, "relinquish", DENIED)?;
    held.ends(suite, borrower)
}

/// A borrower for this lender.
fn borrower(suite: &Suite, lender: &Party) -> Party {
    super::sends::borrower(suite, lender)
}

/// FFA_MEM_RECLAIM that is refused.
fn cannot(suite: &Suite, who: &Party, handle: u64, error: i32) -> Check {
    suite
        .try_reclaim(who, handle, 0)?
        .refused(who, "reclaim", error)
}

fn reclaim_nothing(suite: &Suite, lender: &Party) -> Check {
    let all = suite.pages(lender, 1);
    let form = offer(Deal::Lend, lender, &[borrower(suite, lender)], &[all]);
    let handle = suite.send(lender, Deal::Lend, &form)?;
    for wrong in [handle ^ 1, handle ^ 1 << 40, handle ^ 1 << 63, u64::MAX] {
        cannot(suite, lender, wrong, INVALID_PARAMETERS)?;
    }
    suite.reclaim(lender, handle)
}

fn not_the_sender(suite: &Suite, lender: &Party) -> Check {
    let all = suite.pages(lender, 1);
    let borrower = borrower(suite, lender);
    let form = offer(Deal::Lend, lender, &[borrower], &[all]);
    let handle = suite.send(lender, Deal::Lend, &form)?;
    for other in suite.everybody().iter() {
        if other.who.id != lender.who.id {
            cannot(suite, other, handle, INVALID_PARAMETERS)?;
        }
    }
    suite.take(Deal::Lend, &form, handle, &borrower)?;
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(lender, handle)
}

/// A handle is not another one's later, however many there were.
fn twice(suite: &Suite, lender: &Party) -> Check {
    let borrower = borrower(suite, lender);
    let all = suite.pages(lender, 1);
    let form = offer(Deal::Share, lender, &[borrower], &[all]);
    let stale = suite.send(lender, Deal::Share, &form)?;
    suite.reclaim(lender, stale)?;
    cannot(suite, lender, stale, INVALID_PARAMETERS)?;
    for _ in 0..100 {
        let handle = suite
            .try_send(lender, Deal::Share, &form)?
            .handle(lender, "share")?;
        lender.equal("a handle is new", (handle == stale).into(), 0)?;
        cannot(suite, lender, stale, INVALID_PARAMETERS)?;
        suite.reclaim(lender, handle)?;
    }
    Ok(())
}

fn retrieved(suite: &Suite, lender: &Party) -> Check {
    let borrower = borrower(suite, lender);
    for deal in Deal::LOANS {
        let all = suite.pages(lender, 1);
        let form = offer(deal, lender, &[borrower], &[all]);
        let handle = suite.send(lender, deal, &form)?;
        suite.take(deal, &form, handle, &borrower)?;
        cannot(suite, lender, handle, DENIED)?;
        suite
            .try_reclaim(lender, handle, flags::ZERO)?
            .refused(lender, "reclaim", DENIED)?;
        suite.relinquish(&borrower, handle)?;
        suite.reclaim(lender, handle)?;
    }
    Ok(())
}

/// Only partitions at S-EL0 have them.
fn pages(party: &Party) -> Check {
    let at = party.who.spare().0;
    for wide in [0, abi::WIDE] {
        party
            .call(abi::MEM_PERM_GET | wide, &[at])?
            .refused(party, "FFA_MEM_PERM_GET", DENIED)?;
        party.call(abi::MEM_PERM_GET | wide, &[at + 8])?.refused(
            party,
            "FFA_MEM_PERM_GET",
            DENIED,
        )?;
        for permissions in [3, 5, 7, 0, 8] {
            party
                .call(abi::MEM_PERM_SET | wide, &[at, 1, permissions])?
                .refused(party, "FFA_MEM_PERM_SET", DENIED)?;
        }
    }
    Ok(())
}
