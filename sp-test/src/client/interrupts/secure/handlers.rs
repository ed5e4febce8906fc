//! What comes while a partition handles an interrupt, or runs with everything queued; and what it may do then.

use super::*;

/// Nobody's interrupt is taken while it runs; all of them when it has left.
pub(super) fn alone(suite: &Suite) -> Check {
    suite.request(
        ALONE,
        &[
            Op::Raise(Line::Secure),
            Op::Raise(Line::Shared),
            Op::Raise(Line::Normal),
            Op::Watch(50),
            Op::Mark(1),
        ],
    );
    suite.answered(&suite.send(ALONE), ALONE)?;
    suite.saw(ALONE, &[REQUEST, Event::Mark(1)])?;
    suite.saw(SINGLE, &woken(SECURE))?;
    suite.saw(SIGNALLED, &woken(SHARED))?;
    for (who, id) in [(SINGLE, SECURE), (SIGNALLED, SHARED)] {
        suite.order(&[(ALONE, Event::Mark(1)), (who, Event::Got(id))])?;
    }
    suite.taken(&[NORMAL])
}

/// The SPMC takes its timer, but the partition whose it is waits for its turn.
pub(super) fn alone_and_timer(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Arm(1000, false)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.request(ALONE, &[Op::Watch(3000), Op::Mark(1)]);
    suite.answered(&suite.send(ALONE), ALONE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Interrupt(0, TIMER.into()),
            Event::Got(TIMER.into()),
        ],
    )?;
    suite.order(&[(ALONE, Event::Mark(1)), (SINGLE, Event::Got(TIMER.into()))])
}

/// Another partition's comes while the first one handles its own: after it.
pub(super) fn second_of_another(suite: &Suite) -> Check {
    suite.when_interrupted(
        SIGNALLED,
        &[Op::Raise(Line::Secure), Op::Watch(100), Op::Mark(1)],
    );
    kept(|| gic::SHARED.raise())?;
    suite.saw(
        SIGNALLED,
        &[
            Event::Interrupt(0, SHARED),
            Event::Got(SHARED),
            Event::Mark(1),
        ],
    )?;
    suite.saw(SINGLE, &woken(SECURE))?;
    suite.order(&[(SIGNALLED, Event::Mark(1)), (SINGLE, Event::Got(SECURE))])
}

pub(super) fn second_of_its_own(suite: &Suite) -> Check {
    suite.when_interrupted(
        SIGNALLED,
        &[
            Op::Once,
            Op::Raise(Line::Shared),
            Op::Watch(100),
            Op::Mark(1),
        ],
    );
    kept(|| gic::SHARED.raise())?;
    suite.saw(
        SIGNALLED,
        &[
            Event::Interrupt(0, SHARED),
            Event::Got(SHARED),
            Event::Mark(1),
            Event::Interrupt(0, SHARED),
            Event::Got(SHARED),
        ],
    )
}

/// Who handles an interrupt may call others.
pub(super) fn handler_calls(suite: &Suite) -> Check {
    suite.when_interrupted(SIGNALLED, &[Op::Call(EXIT_FIQ.id, WORD)]);
    suite.request(EXIT_FIQ, &[Op::Raise(Line::Normal), Op::Watch(50)]);
    kept(|| gic::SHARED.raise())?;
    suite.saw(
        SIGNALLED,
        &[
            Event::Interrupt(0, SHARED),
            Event::Got(SHARED),
            Event::Response(answer_of(EXIT_FIQ, WORD)),
        ],
    )?;
    // In its cycles nobody is asked to leave.
    suite.saw(EXIT_FIQ, &[REQUEST])?;
    suite.taken(&[NORMAL])
}

pub(super) fn handler_yields(suite: &Suite) -> Check {
    suite.when_interrupted(SIGNALLED, &[Op::Yield, Op::Mark(1)]);
    kept(|| gic::SHARED.raise())?;
    suite.saw(
        SIGNALLED,
        &[
            Event::Interrupt(0, SHARED),
            Event::Got(SHARED),
            Event::Success(0),
            Event::Mark(1),
        ],
    )
}

/// FFA_RUN of who was preempted for it, instead of FFA_MSG_WAIT.
pub(super) fn handler_runs(suite: &Suite) -> Check {
    suite.when_interrupted(SINGLE, &[Op::Run(EXIT_FIQ.id, 0), Op::Mark(3)]);
    suite.request(EXIT_FIQ, &raises(Line::Secure));
    suite.answered(&suite.send(EXIT_FIQ), EXIT_FIQ)?;
    suite.saw(EXIT_FIQ, &[REQUEST, Event::Mark(1), Event::Mark(2)])?;
    suite.saw(SINGLE, &woken(SECURE))?;
    // It is where it was, and goes on when somebody gives it cycles.
    suite.waits(&suite.run(SINGLE))?;
    suite.saw(
        SINGLE,
        &[
            Event::Interrupt(0, SECURE),
            Event::Got(SECURE),
            Event::Success(0),
            Event::Mark(3),
        ],
    )
}

pub(super) fn ipi(suite: &Suite) -> Check {
    suite.request(
        SIGNALLED,
        &[Op::Mark(1), Op::Hypercall([0xff0a, 0], 0, 0), Op::Mark(2)],
    );
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Mark(1),
            Event::Irq,
            Event::Got(IPI.into()),
            Event::Answer(0),
            Event::Mark(2),
        ],
    )
}
