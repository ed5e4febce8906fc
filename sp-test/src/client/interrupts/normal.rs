//! An interrupt of the normal world while a partition runs: signalled, or queued. The partition raises it itself, so
//! that it comes at a known instruction.

use super::{Check, Suite, first_of};
use crate::board::Line;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{QUEUED, SIGNALLED, SINGLE, Who};

const NORMAL: u32 = Line::Normal.intid();

/// Meets the interrupt between two marks.
pub(super) const MEETS: [Op; 4] = [
    Op::Mark(1),
    Op::Raise(Line::Normal),
    Op::Watch(50),
    Op::Mark(2),
];

/// The chapter.
pub fn run(suite: &mut Suite) {
    for who in [SIGNALLED, SINGLE] {
        let name = who.name;
        suite.case(format_args!("ns/signalled/request/{name}"), |suite| {
            request(suite, who)
        });
        suite.case(format_args!("ns/signalled/run/{name}"), |suite| {
            run_model(suite, who)
        });
    }
    suite.case("ns/signalled/again_and_again", again);
    suite.case("ns/signalled/meanwhile_others_answer", meanwhile);
    suite.case("ns/signalled/pending_before_the_request", pending);
    suite.case("ns/signalled/by_the_timer", by_timer);
    suite.case("ns/queued/request", queued_request);
    suite.case("ns/queued/run", queued_run);
    suite.case("ns/queued/pending_before_the_request", queued_pending);
}

fn request(suite: &Suite, who: Who) -> Check {
    suite.request(who, &MEETS);
    suite.interrupted(&suite.send(who), who)?;
    suite.saw(who, &[Event::Request(super::WORD), Event::Mark(1)])?;
    suite.taken(&[NORMAL])?;
    suite.answered(&suite.run(who), who)?;
    suite.saw(
        who,
        &[Event::Request(super::WORD), Event::Mark(1), Event::Mark(2)],
    )
}

fn run_model(suite: &Suite, who: Who) -> Check {
    suite.when_run(who, &MEETS);
    suite.interrupted(&suite.run(who), who)?;
    suite.saw(who, &[Event::Run, Event::Mark(1)])?;
    suite.taken(&[NORMAL])?;
    suite.waits(&suite.run(who))?;
    suite.saw(who, &[Event::Run, Event::Mark(1), Event::Mark(2)])
}

/// As long as nobody takes it, each run ends at once.
fn again(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &MEETS);
    suite.interrupted(&suite.send(SIGNALLED), SIGNALLED)?;
    for _ in 0..5 {
        suite.interrupted(&suite.run(SIGNALLED), SIGNALLED)?;
    }
    suite.taken(&[NORMAL])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)
}

fn meanwhile(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &MEETS);
    suite.interrupted(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.taken(&[NORMAL])?;
    suite.others()?;
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.refused(&suite.send(SIGNALLED), &[crate::abi::BUSY])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)
}

/// It is there when the partition is entered: the request is not lost.
fn pending(suite: &Suite) -> Check {
    super::gic::send(0);
    suite.interrupted(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.taken(&[super::gic::SGI])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(SIGNALLED, &[Event::Request(super::WORD)])
}

/// One that the normal world's own timer makes, in the middle.
fn by_timer(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Mark(1), Op::Watch(2000), Op::Mark(2)]);
    super::gic::arm(super::ticks(500));
    suite.interrupted(&suite.send(SINGLE), SINGLE)?;
    suite.saw(SINGLE, &[Event::Request(super::WORD), Event::Mark(1)])?;
    suite.taken(&[super::gic::TIMER])?;
    suite.answered(&suite.run(SINGLE), SINGLE)
}

fn queued_request(suite: &Suite) -> Check {
    suite.request(QUEUED, &MEETS);
    suite.answered(&suite.send(QUEUED), QUEUED)?;
    suite.saw(
        QUEUED,
        &[Event::Request(super::WORD), Event::Mark(1), Event::Mark(2)],
    )?;
    suite.taken(&[NORMAL])
}

fn queued_run(suite: &Suite) -> Check {
    suite.when_run(QUEUED, &MEETS);
    suite.waits(&suite.run(QUEUED))?;
    suite.saw(QUEUED, &[Event::Run, Event::Mark(1), Event::Mark(2)])?;
    suite.taken(&[NORMAL])
}

fn queued_pending(suite: &Suite) -> Check {
    super::gic::send(0);
    suite.answered(&suite.send(QUEUED), QUEUED)?;
    suite.taken(&[super::gic::SGI])
}

/// What a caller of a partition that was preempted finds in its log, and the run that resumes it.
pub(super) const fn preempted(callee: Who) -> Event {
    Event::Interrupt(first_of(callee), 0)
}
