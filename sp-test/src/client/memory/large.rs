//! The client on a machine with a gibibyte that nobody lives in, at NS-EL2: it is given away in one block.

use super::{Check, Deal, PAGE, Party, Range, Suite, offer, start};
use crate::abi;
use crate::board::NORMAL_RAM;
use crate::memory::V13;
use crate::rt::entry::Boot;

const SEED: u64 = 0xb00;
/// The gibibyte behind the one that every machine has, as the SPMC's manifest of this boot says.
const ALL: Range = Range {
    base: NORMAL_RAM.end,
    pages: 1 << 18,
};
/// Pages in it, the first and the last among them.
const MARKS: [u64; 4] = [0, 0x1fff, 0x2_0000, (1 << 18) - 1];

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-memory-large", abi::V1_2, boot);
    suite.case("large/own_buffers", start::buffers);
    let borrower = suite.party(V13);
    suite.named(format_args!("large/who_is_{}", V13.name), |_| {
        start::who_is(&borrower)
    });
    for deal in Deal::LOANS {
        let name = deal.name();
        suite.named(format_args!("large/{name}/a_gibibyte"), |suite| {
            whole(suite, deal, &borrower)
        });
    }
    suite.named(format_args!("large/share/in_two_halves"), |suite| {
        halves(suite, &borrower)
    });
    suite.client.end()
}

const fn page(number: u64) -> Range {
    Range {
        base: ALL.base + number * PAGE,
        pages: 1,
    }
}

/// All of it, again and again: what one round leaves behind would keep the next from its tables.
fn whole(suite: &Suite, deal: Deal, borrower: &Party) -> Check {
    let me = &suite.me;
    for round in 0..8 {
        let (mine, theirs) = (SEED + 2 * round, SEED + 2 * round + 1);
        for mark in MARKS {
            me.fill(page(mark), mine)?;
        }
        let form = offer(deal, me, &[*borrower], &[ALL]);
        let handle = suite.send(me, deal, &form)?;
        suite.take(deal, &form, handle, borrower)?;
        for mark in MARKS {
            borrower.holds(page(mark), mine)?;
            borrower.fill(page(mark), theirs)?;
        }
        suite.relinquish(borrower, handle)?;
        borrower.cannot_reach(ALL)?;
        for mark in MARKS {
            borrower.cannot_reach(page(mark))?;
            me.holds(page(mark), theirs)?;
        }
        suite.reclaim(me, handle)?;
    }
    Ok(())
}

/// A block that is made of two transactions is cut when one of them ends.
fn halves(suite: &Suite, borrower: &Party) -> Check {
    let me = &suite.me;
    let half = ALL.pages / 2;
    let halves = [0, 1].map(|n| Range {
        base: ALL.base + n * u64::from(half) * PAGE,
        pages: half,
    });
    let mut handles = [0; 2];
    for mark in MARKS {
        me.fill(page(mark), SEED)?;
    }
    for (handle, part) in handles.iter_mut().zip(halves) {
        let form = offer(Deal::Share, me, &[*borrower], &[part]);
        *handle = suite.send(me, Deal::Share, &form)?;
        suite.take(Deal::Share, &form, *handle, borrower)?;
    }
    for mark in MARKS {
        borrower.holds(page(mark), SEED)?;
    }
    suite.relinquish(borrower, handles[0])?;
    borrower.cannot_reach(halves[0])?;
    borrower.holds(page(MARKS[2]), SEED)?;
    borrower.holds(page(MARKS[3]), SEED)?;
    suite.relinquish(borrower, handles[1])?;
    borrower.cannot_reach(halves[1])?;
    for handle in handles {
        suite.reclaim(me, handle)?;
    }
    Ok(())
}
