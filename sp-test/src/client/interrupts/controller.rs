//! A partition touches the interrupt controller's registers: they are not there, and nothing of the normal world's
//! pending interrupts is taken by it.

use super::{Check, Suite, WORD, gic};
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{QUEUED, SINGLE};

const TIMES: usize = 10;

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.case("controller/registers_are_undefined", undefined);
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
    suite.request(QUEUED, &[Op::Controller; TIMES]);
    suite.answered(&suite.send(QUEUED), QUEUED)?;
    let mut events = [Event::Reached(0); TIMES + 1];
    events[0] = Event::Request(WORD);
    suite.saw(QUEUED, &events)?;
    suite.taken(&[gic::SGI])
}
