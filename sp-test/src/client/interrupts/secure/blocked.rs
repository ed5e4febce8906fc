//! It has called somebody, has yielded, or was preempted.

use super::*;

/// Its callee is preempted, and goes on when it is run.
pub(super) fn blocked(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            Op::Call(SIGNALLED.id, WORD),
            Op::Mark(3),
            Op::Run(SIGNALLED.id, 0),
        ],
    );
    suite.request(SIGNALLED, &raises(Line::Secure));
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Irq,
            Event::Got(SECURE),
            preempted(SIGNALLED),
            Event::Mark(3),
            Event::Response(answer_of(SIGNALLED, WORD)),
        ],
    )?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1), Event::Mark(2)])?;
    suite.order(&[
        (SIGNALLED, Event::Mark(1)),
        (SINGLE, Event::Mark(3)),
        (SIGNALLED, Event::Mark(2)),
    ])
}

pub(super) fn blocked_deep(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[Op::Call(EXIT_FIQ.id, WORD), Op::Run(EXIT_FIQ.id, 0)],
    );
    suite.request(
        EXIT_FIQ,
        &[Op::Call(SIGNALLED.id, WORD), Op::Run(SIGNALLED.id, 0)],
    );
    suite.request(SIGNALLED, &raises(Line::Secure));
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Irq,
            Event::Got(SECURE),
            preempted(EXIT_FIQ),
            Event::Response(answer_of(EXIT_FIQ, WORD)),
        ],
    )?;
    suite.saw(
        EXIT_FIQ,
        &[
            REQUEST,
            preempted(SIGNALLED),
            Event::Response(answer_of(SIGNALLED, WORD)),
        ],
    )?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1), Event::Mark(2)])
}

/// Its caller is blocked in FFA_RUN of a callee that was preempted before.
pub(super) fn blocked_in_run(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            Op::Call(SIGNALLED.id, WORD),
            Op::Run(SIGNALLED.id, 0),
            Op::Mark(3),
            Op::Run(SIGNALLED.id, 0),
        ],
    );
    suite.request(
        SIGNALLED,
        &[
            Op::Raise(Line::Normal),
            Op::Watch(50),
            Op::Mark(1),
            Op::Raise(Line::Secure),
            Op::Watch(50),
            Op::Mark(2),
        ],
    );
    suite.interrupted(&suite.send(SINGLE), SINGLE)?;
    suite.taken(&[NORMAL])?;
    suite.answered(&suite.run(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            preempted(SIGNALLED),
            Event::Irq,
            Event::Got(SECURE),
            preempted(SIGNALLED),
            Event::Mark(3),
            Event::Response(answer_of(SIGNALLED, WORD)),
        ],
    )
}

/// It finds it when it is run again, and not before.
pub(super) fn yielded(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &[Op::Yield, Op::Mark(1)]);
    suite.yields(&suite.send(SIGNALLED))?;
    kept(|| gic::SHARED.raise())?;
    suite.saw(SIGNALLED, &[REQUEST])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Irq,
            Event::Got(SHARED),
            Event::Success(0),
            Event::Mark(1),
        ],
    )
}

pub(super) fn yielded_to_partition(suite: &Suite) -> Check {
    suite.request(
        SIGNALLED,
        &[
            Op::Call(SINGLE.id, WORD),
            Op::Raise(Line::Secure),
            Op::Watch(50),
            Op::Mark(1),
            Op::Run(SINGLE.id, 0),
        ],
    );
    suite.request(SINGLE, &[Op::Yield]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SINGLE,
        &[REQUEST, Event::Irq, Event::Got(SECURE), Event::Success(0)],
    )?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Yields(first_of(SINGLE)),
            Event::Mark(1),
            Event::Response(answer_of(SINGLE, WORD)),
        ],
    )?;
    suite.order(&[(SIGNALLED, Event::Mark(1)), (SINGLE, Event::Irq)])
}

pub(super) fn preempted_case(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &MEETS);
    suite.interrupted(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.taken(&[NORMAL])?;
    kept(|| gic::SHARED.raise())?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1)])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Mark(1),
            Event::Irq,
            Event::Got(SHARED),
            Event::Mark(2),
        ],
    )
}

/// Both of a chain were preempted, and it is for the second.
pub(super) fn preempted_behind(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[Op::Call(SIGNALLED.id, WORD), Op::Run(SIGNALLED.id, 0)],
    );
    suite.request(SIGNALLED, &MEETS);
    suite.interrupted(&suite.send(SINGLE), SINGLE)?;
    suite.taken(&[NORMAL])?;
    kept(|| gic::SHARED.raise())?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1)])?;
    suite.answered(&suite.run(SINGLE), SINGLE)?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Mark(1),
            Event::Irq,
            Event::Got(SHARED),
            Event::Mark(2),
        ],
    )
}
