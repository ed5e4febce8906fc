//! A virtual interrupt that is pending when its partition answers or waits: it is told of it first, and whoever had
//! the turn has it afterwards, with its call complete.

use super::{Check, Suite, WORD, answer_of};
use crate::board::Line;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{SIGNALLED, SINGLE, TIMER};

const SECURE: u64 = Line::Secure.intid() as u64;
const SHARED: u64 = Line::Shared.intid() as u64;
const REQUEST: Event = Event::Request(WORD);

/// Leaves it pending.
const LEAVES: [Op; 4] = [
    Op::Mask,
    Op::Raise(Line::Secure),
    Op::Watch(50),
    Op::Mark(1),
];

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.case("intercepted/response", response);
    suite.case("intercepted/wait", wait);
    suite.case("intercepted/response_to_partition", called);
    suite.case("intercepted/wait_of_a_handler", handler);
    suite.case("intercepted/twice", twice);
    suite.case("intercepted/handler_calls_its_caller", calls_back);
}

fn response(suite: &Suite) -> Check {
    suite.request(SINGLE, &LEAVES);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Mark(1),
            Event::Interrupt(0, SECURE),
            Event::Got(SECURE),
        ],
    )
}

fn wait(suite: &Suite) -> Check {
    suite.when_run(SINGLE, &LEAVES);
    suite.waits(&suite.run(SINGLE))?;
    suite.saw(
        SINGLE,
        &[
            Event::Run,
            Event::Mark(1),
            Event::Interrupt(0, SECURE),
            Event::Got(SECURE),
        ],
    )
}

/// Its caller has the answer when it runs again, after the interrupt.
fn called(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &[Op::Call(SINGLE.id, WORD), Op::Mark(2)]);
    suite.request(SINGLE, &LEAVES);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Response(answer_of(SINGLE, WORD)),
            Event::Mark(2),
        ],
    )?;
    suite.order(&[
        (SINGLE, Event::Mark(1)),
        (SINGLE, Event::Got(SECURE)),
        (SIGNALLED, Event::Mark(2)),
    ])
}

/// An interrupt becomes pending while another is handled.
fn handler(suite: &Suite) -> Check {
    suite.when_interrupted(
        SIGNALLED,
        &[
            Op::Once,
            Op::Mask,
            Op::Arm(10, false),
            Op::Watch(50),
            Op::Mark(1),
        ],
    );
    super::gic::SHARED.raise();
    suite.saw(
        SIGNALLED,
        &[
            Event::Interrupt(0, SHARED),
            Event::Got(SHARED),
            Event::Mark(1),
            Event::Interrupt(0, TIMER.into()),
            Event::Got(TIMER.into()),
        ],
    )
}

fn twice(suite: &Suite) -> Check {
    suite.when_interrupted(
        SINGLE,
        &[Op::Once, Op::Arm(10, false), Op::Watch(50), Op::Mark(2)],
    );
    suite.request(SINGLE, &LEAVES);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Mark(1),
            Event::Interrupt(0, SECURE),
            Event::Got(SECURE),
            Event::Mark(2),
            Event::Interrupt(0, TIMER.into()),
            Event::Got(TIMER.into()),
        ],
    )
}

/// The caller has its answer but not the core: it takes no request.
fn calls_back(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &[Op::Call(SINGLE.id, WORD), Op::Mark(2)]);
    suite.request(SINGLE, &LEAVES);
    suite.when_interrupted(SINGLE, &[Op::Call(SIGNALLED.id, WORD)]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Mark(1),
            Event::Interrupt(0, SECURE),
            Event::Got(SECURE),
            Event::Error(crate::abi::BUSY),
        ],
    )
}
