//! Much memory in few constituents, and a page out of the middle of a block: what is around it stays.

use super::{Check, Deal, PAGE, Party, Range, Suite, offer};
use crate::board;
use crate::memory::{NORMAL, NORMAL_PAGES};

/// Pages of 2 MiB.
const BLOCK: u32 = 512;
const SEED: u64 = 0x200;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for deal in Deal::LOANS {
        for (name, first, pages) in [
            ("whole_block", 0, BLOCK),
            ("block_and_pages_around_it", -3, BLOCK + 6),
            ("page_of_a_block", 77, 1),
            ("end_of_a_block", 500, 20),
        ] {
            suite.named(format_args!("large/{}/{name}", deal.name()), |suite| {
                large(suite, deal, first, pages)
            });
        }
    }
    if suite.client.direct {
        suite.case("large/share/all_memory_of_the_normal_world", everything);
    }
    suite.case(
        "large/share/two_pieces_of_a_block_one_after_the_other",
        pieces,
    );
}

/// A block's first page in the client's memory.
fn block(suite: &Suite) -> u64 {
    suite
        .me
        .who
        .spare()
        .0
        .next_multiple_of(u64::from(BLOCK) * PAGE)
}

fn page(base: u64) -> Range {
    Range { base, pages: 1 }
}

/// Some pages of a range, and those on both sides of it.
fn marks(range: Range) -> ([Range; 5], [Range; 2]) {
    let last = u64::from(range.pages) - 1;
    let inside = [0, 1, last / 2, last.saturating_sub(1), last];
    (
        inside.map(|n| page(range.base + n.min(last) * PAGE)),
        [
            page(range.base - PAGE),
            page(range.base + (last + 1) * PAGE),
        ],
    )
}

fn large(suite: &Suite, deal: Deal, first: i64, pages: u32) -> Check {
    let me = &suite.me;
    let borrower = &suite.partitions()[2];
    let range = Range {
        base: block(suite).wrapping_add_signed(first * PAGE as i64),
        pages,
    };
    let (inside, outside) = marks(range);
    for page in inside.into_iter().chain(outside) {
        me.fill(page, SEED)?;
    }
    let form = offer(deal, me, &[*borrower], &[range]);
    let handle = suite.send(me, deal, &form)?;
    for page in outside {
        me.holds(page, SEED)?;
    }
    suite.take(deal, &form, handle, borrower)?;
    for page in outside {
        borrower.cannot_reach(page)?;
        me.fill(page, SEED + 1)?;
    }
    for page in inside {
        borrower.holds(page, SEED)?;
    }
    for page in inside {
        borrower.fill(page, SEED + 2)?;
    }
    if deal == Deal::Lend {
        me.has_lost(range)?;
    }
    suite.relinquish(borrower, handle)?;
    borrower.cannot_reach(range)?;
    suite.reclaim(me, handle)?;
    for page in inside {
        me.holds(page, SEED + 2)?;
    }
    for page in outside {
        me.holds(page, SEED + 1)?;
    }
    Ok(())
}

/// One piece is given back while the other is still in use.
fn pieces(suite: &Suite) -> Check {
    let me = &suite.me;
    let borrower: &Party = &suite.partitions()[3];
    let base = block(suite);
    let halves = [0, 1].map(|n| Range {
        base: base + n * 256 * PAGE,
        pages: 256,
    });
    let mut handles = [0; 2];
    for (handle, half) in handles.iter_mut().zip(halves) {
        me.fill(page(half.base), SEED)?;
        let form = offer(Deal::Share, me, &[*borrower], &[half]);
        *handle = suite.send(me, Deal::Share, &form)?;
        suite.take(Deal::Share, &form, *handle, borrower)?;
    }
    for half in halves {
        borrower.holds(page(half.base), SEED)?;
    }
    suite.relinquish(borrower, handles[0])?;
    borrower.cannot_reach(halves[0])?;
    borrower.holds(page(halves[1].base), SEED)?;
    suite.relinquish(borrower, handles[1])?;
    for handle in handles {
        suite.reclaim(me, handle)?;
    }
    Ok(())
}

/// All but the pages of which some were donated, the buffers, and what is a partition's: nearly a gibibyte, in three
/// constituents.
fn everything(suite: &Suite) -> Check {
    let me = &suite.me;
    let borrower = suite.partitions()[3];
    let (spare, _) = me.who.spare();
    let behind = me.who.rx() + me.who.buffers * PAGE;
    let ranges = [
        (board::NORMAL_RAM.start, spare),
        (behind, NORMAL),
        (NORMAL + NORMAL_PAGES * PAGE, board::NORMAL_RAM.end),
    ]
    .map(|(start, end)| Range {
        base: start,
        pages: ((end - start) / PAGE) as u32,
    });
    // Pages where nothing is.
    let marks = [0x0100_0000, 0x1500_0000, 0x2ff0_0000, 0x3ff0_0000]
        .map(|offset| page(board::NORMAL_RAM.start + offset));
    for mark in marks {
        me.fill(mark, SEED)?;
    }
    let form = offer(Deal::Share, me, &[borrower], &ranges);
    let handle = suite.send(me, Deal::Share, &form)?;
    suite.take(Deal::Share, &form, handle, &borrower)?;
    for mark in marks {
        borrower.holds(mark, SEED)?;
        borrower.fill(mark, SEED + 1)?;
        me.holds(mark, SEED + 1)?;
    }
    suite.relinquish(&borrower, handle)?;
    for range in ranges {
        borrower.cannot_reach(range)?;
    }
    suite.reclaim(me, handle)
}
