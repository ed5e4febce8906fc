//! The partition that runs raises its own.

use super::*;

pub(super) fn own_in_request(suite: &Suite) -> Check {
    for (who, id) in [(SINGLE, SECURE), (SIGNALLED, SHARED)] {
        let line = who.line.unwrap_or(Line::Shared);
        suite.request(who, &raises(line));
        suite.answered(&suite.send(who), who)?;
        suite.saw(
            who,
            &[
                REQUEST,
                Event::Mark(1),
                Event::Irq,
                Event::Got(id),
                Event::Mark(2),
            ],
        )?;
    }
    Ok(())
}

pub(super) fn own_in_run(suite: &Suite) -> Check {
    suite.when_run(SINGLE, &raises(Line::Secure));
    suite.waits(&suite.run(SINGLE))?;
    suite.saw(
        SINGLE,
        &[
            Event::Run,
            Event::Mark(1),
            Event::Irq,
            Event::Got(SECURE),
            Event::Mark(2),
        ],
    )
}

pub(super) fn own_masked(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            Op::Mask,
            Op::Raise(Line::Secure),
            Op::Watch(50),
            Op::Mark(1),
            Op::Unmask,
            Op::Mark(2),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Mark(1),
            Event::Irq,
            Event::Got(SECURE),
            Event::Mark(2),
        ],
    )
}

/// The oldest first, whatever its number is.
pub(super) fn own_order(suite: &Suite) -> Check {
    let device = [Op::Raise(Line::Shared), Op::Watch(20)];
    let timer = [Op::Arm(1, false), Op::Watch(20)];
    for ([a, b], [c, d], order) in [
        (device, timer, [SHARED, TIMER.into()]),
        (timer, device, [TIMER.into(), SHARED]),
    ] {
        suite.page(SIGNALLED).forget();
        suite.request(SIGNALLED, &[Op::Mask, a, b, c, d, Op::Drain, Op::Unmask]);
        suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
        let [first, second] = order.map(Event::Got);
        suite.saw(SIGNALLED, &[REQUEST, first, second])?;
    }
    Ok(())
}

/// Who takes one of two is interrupted again.
pub(super) fn one_at_a_time(suite: &Suite) -> Check {
    suite.page(SIGNALLED).set_mode(mode::TAKE_ONE);
    suite.request(
        SIGNALLED,
        &[
            Op::Mask,
            Op::Raise(Line::Shared),
            Op::Arm(1, false),
            Op::Watch(50),
            Op::Unmask,
            Op::Mark(1),
        ],
    );
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[
            REQUEST,
            Event::Irq,
            Event::Got(SHARED),
            Event::Irq,
            Event::Got(TIMER.into()),
            Event::Mark(1),
        ],
    )
}

/// A line that stays up comes again, once for each time that it is taken.
pub(super) fn kept_active(suite: &Suite) -> Check {
    suite
        .page(SINGLE)
        .set_mode(mode::KEEP_LINE | mode::KEEP_ACTIVE | mode::TAKE_ONE);
    let get = Op::Drain;
    suite.request(
        SINGLE,
        &[
            Op::Mask,
            Op::Raise(Line::Secure),
            Op::Watch(50),
            get,
            Op::Watch(50),
            Op::Mark(1),
            get,
            Op::Lower(Line::Secure),
            Op::Hypercall([0xff08, 0], SECURE, SECURE),
            Op::Watch(50),
            get,
            Op::Unmask,
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    // The second GET lets it come again: it is pending at once, or a moment later.
    let page = suite.page(SINGLE);
    let got = (0..page.logged() as usize)
        .filter_map(|number| page.entry(number))
        .filter(|(event, _)| *event == Event::Got(SECURE))
        .count() as u64;
    crate::client::report::equal("times it was taken, at least once", got.min(1), 1)?;
    crate::client::report::equal("times it was taken, at most thrice", got.max(3), 3)
}
