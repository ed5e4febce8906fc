//! A partition touches the interrupt controller's registers: they are not there, and nothing of the normal world's
//! pending interrupts is taken by it.

use super::{Check, Suite, WORD, equal, gic};
use crate::board::BOARD;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{QUEUED, SINGLE};

const TIMES: usize = 10;

/// The chapter.
pub fn run(suite: &mut Suite) {
    if BOARD.controller_traps {
        suite.case("controller/registers_are_undefined", undefined);
    }
    suite.case("controller/pending_interrupt_stays_pending", stays);
}

fn undefined(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Controller]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(SINGLE, &[Event::Request(WORD), Event::Reached(0)])
}

/// The normal world's interrupts are masked while this one runs, and so pending all the time.
fn stays(suite: &Suite) -> Check {
    gic::send(0);
    hammers(suite)?;
    suite.taken(&[gic::SGI])
}

/// A partition touches them again and again.
pub(super) fn hammers(suite: &Suite) -> Check {
    suite.request(QUEUED, &[Op::Controller; TIMES]);
    suite.answered(&suite.send(QUEUED), QUEUED)?;
    let page = suite.page(QUEUED);
    equal("events", page.logged(), 1 + TIMES as u64)?;
    for number in 1..=TIMES {
        match page.entry(number) {
            Some((Event::Reached(0), _)) => {}
            Some((Event::Reached(_), _)) if !BOARD.controller_traps => {}
            _ => return suite.saw(QUEUED, &[Event::Request(WORD), Event::Reached(0)]),
        }
    }
    Ok(())
}
