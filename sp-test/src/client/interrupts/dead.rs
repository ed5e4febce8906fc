//! Interrupts for a partition that is dead: nobody's, and the rest goes on.

use super::{Check, Suite, WORD, gic};
use crate::abi::ABORTED;
use crate::board::Line;
use crate::client::report::Seen;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{ALL, EXIT_FIQ, EXIT_IRQ, QUEUED, SIGNALLED, SINGLE, Who};
use crate::rt::spin;

const REQUEST: Event = Event::Request(WORD);

/// The chapter: the last one.
pub fn run(suite: &mut Suite) {
    suite.case("dead/chain_before", |suite| {
        suite.answered(&suite.send(SIGNALLED), SIGNALLED)
    });
    let mut case = |name: &str, run: fn(&Suite) -> Check| {
        suite.fresh();
        let verdict = run(suite);
        if verdict.is_err() {
            suite.show();
        }
        suite.client.case(name, verdict.map(|()| Seen::Nothing));
    };
    case("dead/in_its_handler_normal_world_goes_on", in_handler);
    case("dead/its_device_interrupts_nobody", device);
    case("dead/its_timer_never_fires", timer);
    case("dead/in_managed_exit", in_exit);
    case("dead/intercepted_response_stays_given", intercepted);
    case("dead/others_go_on", others);
}

/// It fails while it handles an interrupt that the normal world was preempted for.
fn in_handler(suite: &Suite) -> Check {
    suite.when_interrupted(SIGNALLED, &[Op::Mark(1), Op::Abort]);
    gic::SHARED.raise();
    let kept = spin::watched(super::ticks(50));
    gic::SHARED.lower();
    kept.map_err(|mismatch| super::Failure::Partition {
        conduit: super::Conduit::Smc,
        mismatch,
    })?;
    let id = Line::Shared.intid().into();
    suite.saw(
        SIGNALLED,
        &[Event::Interrupt(0, id), Event::Got(id), Event::Mark(1)],
    )?;
    suite.refused(&suite.send(SIGNALLED), &[ABORTED])?;
    suite.refused(&suite.run(SIGNALLED), &[ABORTED])
}

fn device(suite: &Suite) -> Check {
    for _ in 0..3 {
        gic::SHARED.raise();
        gic::pmu::raise();
        let kept = spin::watched(super::ticks(50));
        kept.map_err(|mismatch| super::Failure::Partition {
            conduit: super::Conduit::Smc,
            mismatch,
        })?;
        // A partition that runs is not disturbed either.
        suite.answered(&suite.send(SINGLE), SINGLE)?;
        gic::SHARED.lower();
        gic::pmu::lower();
    }
    suite.saw(SIGNALLED, &[])?;
    suite.taken(&[])
}

fn timer(suite: &Suite) -> Check {
    suite.request(QUEUED, &[Op::Arm(500, true), Op::Abort]);
    suite.refused(&suite.send(QUEUED), &[ABORTED])?;
    let _ = spin::watched(super::ticks(1500));
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(QUEUED, &[REQUEST])
}

/// It is asked to leave, and fails: its caller is told, and the normal world's interrupts are not masked for ever.
fn in_exit(suite: &Suite) -> Check {
    suite.request(EXIT_FIQ, &[Op::Raise(Line::Normal), Op::Spin(5), Op::Abort]);
    suite.refused(&suite.send(EXIT_FIQ), &[ABORTED])?;
    suite.taken(&[Line::Normal.intid()])?;
    suite.request(SINGLE, &super::normal::MEETS);
    suite.interrupted(&suite.send(SINGLE), SINGLE)?;
    suite.taken(&[Line::Normal.intid()])?;
    suite.answered(&suite.run(SINGLE), SINGLE)
}

/// It has answered, is told of an interrupt, and fails then.
fn intercepted(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Mask, Op::Raise(Line::Secure), Op::Watch(50)]);
    suite.when_interrupted(SINGLE, &[Op::Abort]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.refused(&suite.send(SINGLE), &[ABORTED])
}

fn others(suite: &Suite) -> Check {
    let dead = [SIGNALLED, QUEUED, EXIT_FIQ, SINGLE];
    for who in ALL.into_iter().filter(|who: &Who| !dead.contains(who)) {
        suite.answered(&suite.send(who), who)?;
    }
    suite.request(EXIT_IRQ, &super::exits::ASKED);
    suite.answered(&suite.send(EXIT_IRQ), EXIT_IRQ)?;
    suite.taken(&[Line::Normal.intid()])?;
    suite.others()
}
