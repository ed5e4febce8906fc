//! Who sends until nothing more is taken leaves all others what is theirs, and gets as much again afterwards.

use super::fragments::{Pieces, form_of};
use super::party::Entries;
use super::{Answer, Check, Deal, PAGE, Party, Range, Suite, Wrong, offer, request};
use crate::abi::{MEM_FRAG_RX, NO_MEMORY};
use crate::board;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// More handles than anybody gets.
const HANDLES: usize = 2048;
/// More constituents than anybody gets.
const CONSTITUENTS: u32 = 1 << 20;

/// Handles of the one who takes all, and how many they are.
static TAKEN: [AtomicU64; HANDLES] = [const { AtomicU64::new(0) }; HANDLES];
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for greedy in suite.senders().iter() {
        let who = greedy.who.name;
        suite.named(format_args!("quotas/{who}_takes_all_handles"), |suite| {
            handles(suite, greedy)
        });
        suite.named(
            format_args!("quotas/{who}_sends_constituents_for_ever"),
            |suite| constituents(suite, greedy),
        );
    }
    if suite.client.direct {
        suite.case("quotas/borrower_of_pages_that_are_far_apart", tables);
    }
}

/// Pages each of which needs a translation table of its own, for a borrower that has none there. However many tables it
/// may have: either it gets all of them or none, and the others get theirs.
fn tables(suite: &Suite) -> Check {
    const BLOCK: u64 = 0x20_0000;
    let me = &suite.me;
    let [_, greedy, .., other] = suite.partitions();
    // The last page of each block.
    let entries = Entries {
        base: board::NORMAL_RAM.start + BLOCK - PAGE,
        pages: 1,
        stride: BLOCK as i64,
        count: 500,
    };
    let form = form_of(Deal::Share, me, &[greedy], &entries);
    let pieces = Pieces {
        first: 200,
        each: 200,
    };
    for _ in 0..3 {
        let handle = suite.send_in_pieces(me, Deal::Share, &form, &entries, pieces)?;
        let asked = request(Deal::Share, &form, handle, &greedy);
        let answer = suite.try_retrieve(&greedy, &asked)?;
        let has = answer.error().is_none();
        if has {
            suite.fetch_rest(&greedy, handle, &answer)?;
        } else {
            answer.refused(&greedy, "retrieve", NO_MEMORY)?;
            let first = Range {
                base: entries.base,
                pages: 1,
            };
            greedy.cannot_reach(first)?;
        }
        for party in [&greedy, &other] {
            let all = suite.pages(me, 1);
            suite.nothing_left(me, party, &[all])?;
        }
        if has {
            suite.relinquish(&greedy, handle)?;
        }
        suite.reclaim(me, handle)?;
    }
    Ok(())
}

/// A borrower, and the others who send.
fn others(suite: &Suite, greedy: &Party) -> (Party, [Party; 2]) {
    let [.., one, other] = suite.partitions();
    let borrower = suite.partitions()[1];
    let second = if greedy.who.is_client() {
        one
    } else {
        suite.me
    };
    (borrower, [second, other])
}

fn one_page(suite: &Suite, lender: &Party, borrower: &Party) -> Result<Answer, Wrong> {
    let all = suite.pages(lender, 1);
    suite.try_send(
        lender,
        Deal::Share,
        &offer(Deal::Share, lender, &[*borrower], &[all]),
    )
}

/// Sends single pages until it is told NO_MEMORY. Gives how many.
fn take_all(suite: &Suite, greedy: &Party, borrower: &Party) -> Result<u64, Wrong> {
    COUNT.store(0, Relaxed);
    // Each page once.
    for (count, place) in (1..=suite.left(greedy)).zip(&TAKEN) {
        let answer = one_page(suite, greedy, borrower)?;
        if answer.error().is_some() {
            answer.refused(greedy, "one share more", NO_MEMORY)?;
            break;
        }
        place.store(answer.handle(greedy, "share")?, Relaxed);
        COUNT.store(count, Relaxed);
    }
    Ok(COUNT.load(Relaxed))
}

fn give_all_back(suite: &Suite, greedy: &Party) -> Check {
    let count = COUNT.load(Relaxed);
    COUNT.store(0, Relaxed);
    TAKEN
        .iter()
        .take(count as usize)
        .try_for_each(|handle| suite.reclaim(greedy, handle.load(Relaxed)))
}

fn handles(suite: &Suite, greedy: &Party) -> Check {
    let (borrower, others) = others(suite, greedy);
    let all = suite.pages(greedy, 1);
    let first = take_all(suite, greedy, &borrower)?;
    let full = one_page(suite, greedy, &borrower)?;
    // The others have their own, and it works.
    let others_are_well = others.iter().try_for_each(|other| {
        let all = suite.pages(other, 1);
        suite.nothing_left(other, &borrower, &[all])
    });
    give_all_back(suite, greedy)?;
    full.refused(greedy, "one share more", NO_MEMORY)?;
    others_are_well?;
    greedy.equal("several handles at least", (first >= 4).into(), 1)?;
    let again = take_all(suite, greedy, &borrower)?;
    give_all_back(suite, greedy)?;
    greedy.equal("handles the second time", again, first)?;
    suite.nothing_left(greedy, &borrower, &[all])
}

/// Its last fragment never comes.
fn constituents(suite: &Suite, greedy: &Party) -> Check {
    let (borrower, others) = others(suite, greedy);
    let all: Range = suite.pages(greedy, 1);
    let entries = Entries {
        base: all.base,
        pages: 1,
        stride: PAGE as i64,
        count: CONSTITUENTS,
    };
    let form = form_of(Deal::Share, greedy, &[borrower], &entries);
    let (tx, head) = (greedy.who.tx(), form.ranges_offset());
    let each = (PAGE / 16) as u32;
    let first = (PAGE as u32 - head) / 16;
    for _ in 0..2 {
        greedy.put(tx, &form.write())?;
        greedy.put_entries(tx + u64::from(head), &entries.part(0, first))?;
        let length = head + 16 * first;
        let mut answer = greedy.call(Deal::Share.id(), &[form.total().into(), length.into()])?;
        let mut sent = first;
        while answer.x[0] == MEM_FRAG_RX.into() && sent + each < CONSTITUENTS {
            let [_, low, high, ..] = answer.x;
            greedy.put_entries(tx, &entries.part(sent, each))?;
            sent += each;
            answer = greedy.call(crate::abi::MEM_FRAG_TX, &[low, high, (16 * each).into()])?;
        }
        answer.refused(greedy, "one fragment more", NO_MEMORY)?;
        for other in &others {
            let all = suite.pages(other, 1);
            suite.nothing_left(other, &borrower, &[all])?;
        }
        // It is gone, and so it may begin anew.
        suite.nothing_left(greedy, &borrower, &[all])?;
    }
    Ok(())
}
