//! It waits, and the normal world or another partition runs.

use super::*;

pub(super) fn from_normal_world(suite: &Suite) -> Check {
    kept(|| gic::SHARED.raise())?;
    suite.saw(SIGNALLED, &woken(SHARED))
}

pub(super) fn ppi(suite: &Suite) -> Check {
    kept(gic::pmu::raise)?;
    gic::pmu::lower();
    suite.saw(SIGNALLED, &woken(PMU.into()))
}

/// The vector is taken before anything else, and finds it; the wait then ends with nothing left.
pub(super) fn by_vector(suite: &Suite) -> Check {
    suite.page(SIGNALLED).set_mode(mode::OPEN_WAIT);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    kept(|| gic::SHARED.raise())?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Irq,
            Event::Got(SHARED),
            Event::Interrupt(0, SHARED),
            Event::Got(NONE),
        ],
    )?;
    // Back to what is usual: the wait that it is in is still an open one.
    suite.page(SIGNALLED).set_mode(0);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)
}

pub(super) fn many_times(suite: &Suite) -> Check {
    for _ in 0..100 {
        kept(|| gic::SHARED.raise())?;
    }
    crate::client::report::equal("taken", suite.page(SIGNALLED).counted(), 100)
}

/// It was named to it, and it does not ask: that was all.
pub(super) fn not_asked_for(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &[Op::Mask]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.page(SIGNALLED).forget();
    suite.page(SIGNALLED).set_mode(mode::TAKE_NONE);
    suite.when_interrupted(SIGNALLED, &[Op::Lower(Line::Shared)]);
    kept(|| gic::SHARED.raise())?;
    suite.saw(SIGNALLED, &[Event::Interrupt(0, SHARED)])?;
    // It has been let go: it comes again.
    kept(|| gic::SHARED.raise())?;
    suite.saw(
        SIGNALLED,
        &[Event::Interrupt(0, SHARED), Event::Interrupt(0, SHARED)],
    )
}

/// `runner` is interrupted for one that waits, and goes on.
pub(super) fn waiting(suite: &Suite, runner: Who) -> Check {
    suite.request(runner, &raises(Line::Secure));
    suite.answered(&suite.send(runner), runner)?;
    suite.saw(runner, &[REQUEST, Event::Mark(1), Event::Mark(2)])?;
    suite.saw(SINGLE, &woken(SECURE))?;
    suite.order(&[
        (runner, Event::Mark(1)),
        (SINGLE, Event::Got(SECURE)),
        (runner, Event::Mark(2)),
    ])
}

pub(super) fn waiting_run(suite: &Suite) -> Check {
    suite.when_run(SIGNALLED, &raises(Line::Secure));
    suite.waits(&suite.run(SIGNALLED))?;
    suite.saw(SIGNALLED, &[Event::Run, Event::Mark(1), Event::Mark(2)])?;
    suite.saw(SINGLE, &woken(SECURE))?;
    suite.order(&[
        (SIGNALLED, Event::Mark(1)),
        (SINGLE, Event::Got(SECURE)),
        (SIGNALLED, Event::Mark(2)),
    ])
}

/// The last of a chain runs, and the chain is as before afterwards.
pub(super) fn waiting_chain(suite: &Suite) -> Check {
    suite.request(QUEUED, &[Op::Call(SIGNALLED.id, WORD), Op::Mark(3)]);
    suite.request(SIGNALLED, &[Op::Call(EXIT_IRQ.id, WORD)]);
    suite.request(EXIT_IRQ, &raises(Line::Secure));
    suite.answered(&suite.send(QUEUED), QUEUED)?;
    suite.saw(SINGLE, &woken(SECURE))?;
    suite.saw(EXIT_IRQ, &[REQUEST, Event::Mark(1), Event::Mark(2)])?;
    suite.saw(
        QUEUED,
        &[
            REQUEST,
            Event::Response(answer_of(SIGNALLED, WORD)),
            Event::Mark(3),
        ],
    )?;
    suite.order(&[
        (EXIT_IRQ, Event::Mark(1)),
        (SINGLE, Event::Got(SECURE)),
        (EXIT_IRQ, Event::Mark(2)),
    ])
}
