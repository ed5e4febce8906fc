//! FFA_RUN, and requests, of contexts that can't run: an error, and nothing has changed. So with an entry that is
//! registered too late.

use super::{Check, Suite, WORD, answer_of, first_of};
use crate::abi::{BUSY, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED};
use crate::board::{CORES, Line};
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{SIGNALLED, SINGLE};

const REQUEST: Event = Event::Request(WORD);

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.case("run/context_of_a_core_that_is_off", off);
    suite.case("run/context_that_is_not_there", nowhere);
    suite.case("run/blocked_in_a_request", blocked);
    suite.case("run/serves_a_partition_that_was_preempted", serves);
    suite.case("run/waiting_by_a_partition", by_partition);
    suite.case("secondary_entry/after_the_initialisation", late_entry);
}

/// A partition says where its other contexts start while it initialises, and one with a single context never.
fn late_entry(suite: &Suite) -> Check {
    for (who, code) in [(SIGNALLED, DENIED), (SINGLE, NOT_SUPPORTED)] {
        suite.request(who, &[Op::Register(0x0e50_4000)]);
        suite.answered(&suite.send(who), who)?;
        suite.saw(who, &[REQUEST, Event::Error(code)])?;
    }
    Ok(())
}

fn off(suite: &Suite) -> Check {
    for context in 1..CORES.into() {
        let run = suite.run_context(SIGNALLED, context);
        suite.refused(&run, &[INVALID_PARAMETERS])?;
    }
    suite.waits(&suite.run(SIGNALLED))
}

fn nowhere(suite: &Suite) -> Check {
    for context in [CORES.into(), 0xff, 0xffff] {
        for who in [SIGNALLED, SINGLE] {
            let run = suite.run_context(who, context);
            suite.refused(&run, &[INVALID_PARAMETERS])?;
        }
    }
    suite.refused(&suite.run_context(SINGLE, 1), &[INVALID_PARAMETERS])
}

/// The second of a chain has yielded to the first, and the first too: the first alone runs the second.
fn blocked(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Yield, Op::Mark(1)]);
    suite.request(
        SIGNALLED,
        &[Op::Call(SINGLE.id, WORD), Op::Yield, Op::Run(SINGLE.id, 0)],
    );
    suite.yields(&suite.send(SIGNALLED))?;
    for _ in 0..2 {
        suite.refused(&suite.run(SINGLE), &[DENIED])?;
        suite.refused(&suite.send(SINGLE), &[BUSY])?;
        suite.refused(&suite.send(SIGNALLED), &[BUSY])?;
    }
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Yields(first_of(SINGLE)),
            Event::Success(0),
            Event::Response(answer_of(SINGLE, WORD)),
        ],
    )?;
    suite.saw(SINGLE, &[REQUEST, Event::Success(0), Event::Mark(1)])
}

fn serves(suite: &Suite) -> Check {
    suite.request(
        SIGNALLED,
        &[Op::Call(SINGLE.id, WORD), Op::Run(SINGLE.id, 0)],
    );
    suite.request(
        SINGLE,
        &[Op::Raise(Line::Normal), Op::Watch(50), Op::Mark(1)],
    );
    suite.interrupted(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.taken(&[Line::Normal.intid()])?;
    suite.refused(&suite.run(SINGLE), &[DENIED])?;
    suite.refused(&suite.send(SINGLE), &[BUSY])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1)])
}

fn by_partition(suite: &Suite) -> Check {
    suite.request(
        SIGNALLED,
        &[
            Op::Run(SINGLE.id, 0),
            Op::Run(SIGNALLED.id, 0),
            Op::Run(SINGLE.id, 1),
            Op::Run(0x8fff, 0),
        ],
    );
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Error(DENIED),
            Event::Error(DENIED),
            Event::Error(DENIED),
            Event::Error(INVALID_PARAMETERS),
        ],
    )?;
    suite.saw(SINGLE, &[])
}
