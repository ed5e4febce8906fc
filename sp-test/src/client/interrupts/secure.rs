//! A secure interrupt for a partition in each state, with somebody else running or itself.

use super::normal::preempted;
use super::{Check, Failure, Suite, WORD, answer_of, first_of, gic};
use crate::board::Line;
use crate::expect::Mismatch;
use crate::interrupts::log::Event;
use crate::interrupts::page::mode;
use crate::interrupts::script::Op;
use crate::interrupts::{
    ALONE, EXIT_FIQ, EXIT_IRQ, IPI, NONE, PMU, QUEUED, SIGNALLED, SINGLE, TIMER, Who,
};
use crate::rt::{call::Conduit, spin};

const NORMAL: u32 = Line::Normal.intid();
const SECURE: u64 = Line::Secure.intid() as u64;
const SHARED: u64 = Line::Shared.intid() as u64;
const REQUEST: Event = Event::Request(WORD);

/// What a partition sees that an interrupt wakes.
const fn woken(id: u64) -> [Event; 2] {
    [Event::Interrupt(0, id), Event::Got(id)]
}

/// Raises a line between two marks.
const fn raises(line: Line) -> [Op; 4] {
    [Op::Mark(1), Op::Raise(line), Op::Watch(50), Op::Mark(2)]
}

/// The chapter.
pub fn run(suite: &mut Suite) {
    type Case = fn(&Suite) -> Check;
    let cases: [(&str, Case); 27] = [
        ("running/self/request", own_in_request),
        ("running/self/run", own_in_run),
        ("running/self/masked", own_masked),
        ("running/self/in_the_order_of_their_coming", own_order),
        ("running/self/one_at_a_time", one_at_a_time),
        (
            "running/self/not_deactivated_comes_again_with_get",
            kept_active,
        ),
        ("waiting/normal_world_runs", from_normal_world),
        ("waiting/normal_world_runs/ppi", ppi),
        ("waiting/normal_world_runs/by_vector", by_vector),
        ("waiting/normal_world_runs/many_times", many_times),
        ("waiting/normal_world_runs/not_asked_for", not_asked_for),
        ("waiting/other_runs/request", |suite| {
            waiting(suite, EXIT_FIQ)
        }),
        ("waiting/other_runs/single", |suite| {
            waiting(suite, EXIT_IRQ)
        }),
        ("waiting/other_runs/queued", |suite| waiting(suite, QUEUED)),
        ("waiting/other_runs/run", waiting_run),
        ("waiting/chain_runs", waiting_chain),
        ("blocked/callee_runs", blocked),
        ("blocked/callee_of_callee_runs", blocked_deep),
        ("blocked/in_run", blocked_in_run),
        ("blocked/yielded", yielded),
        ("blocked/yielded_to_partition", yielded_to_partition),
        ("preempted", preempted_case),
        ("preempted/behind_its_caller", preempted_behind),
        ("other_s_queued/all_wait", alone),
        ("other_s_queued/timer_of_another_waits", alone_and_timer),
        (
            "published_crash_1_second_while_first_is_handled",
            second_of_another,
        ),
        (
            "second_of_its_own_while_first_is_handled",
            second_of_its_own,
        ),
    ];
    for (name, case) in cases {
        suite.case(format_args!("secure/{name}"), case);
    }
    suite.case("secure/handler/calls_another", handler_calls);
    suite.case("secure/handler/yield_changes_nothing", handler_yields);
    suite.case("secure/handler/gives_the_core_back_by_run", handler_runs);
    suite.case("secure/ipi/to_itself", ipi);
}

fn own_in_request(suite: &Suite) -> Check {
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

fn own_in_run(suite: &Suite) -> Check {
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

fn own_masked(suite: &Suite) -> Check {
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
fn own_order(suite: &Suite) -> Check {
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
fn one_at_a_time(suite: &Suite) -> Check {
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
fn kept_active(suite: &Suite) -> Check {
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

/// Fails unless all registers of the normal world stay, around a moment in which this happens.
fn kept(happens: impl FnOnce()) -> Check {
    happens();
    spin::watched(super::ticks(50)).map_err(|mismatch: Mismatch| Failure::Partition {
        conduit: Conduit::Smc,
        mismatch,
    })
}

fn from_normal_world(suite: &Suite) -> Check {
    kept(|| gic::SHARED.raise())?;
    suite.saw(SIGNALLED, &woken(SHARED))
}

fn ppi(suite: &Suite) -> Check {
    kept(gic::pmu::raise)?;
    gic::pmu::lower();
    suite.saw(SIGNALLED, &woken(PMU.into()))
}

/// The vector is taken before anything else, and finds it; the wait then ends with nothing left.
fn by_vector(suite: &Suite) -> Check {
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

fn many_times(suite: &Suite) -> Check {
    for _ in 0..100 {
        kept(|| gic::SHARED.raise())?;
    }
    crate::client::report::equal("taken", suite.page(SIGNALLED).counted(), 100)
}

/// It was named to it, and it does not ask: that was all.
fn not_asked_for(suite: &Suite) -> Check {
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
fn waiting(suite: &Suite, runner: Who) -> Check {
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

fn waiting_run(suite: &Suite) -> Check {
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
fn waiting_chain(suite: &Suite) -> Check {
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

/// Its callee is preempted, and goes on when it is run.
fn blocked(suite: &Suite) -> Check {
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

fn blocked_deep(suite: &Suite) -> Check {
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
fn blocked_in_run(suite: &Suite) -> Check {
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
fn yielded(suite: &Suite) -> Check {
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

fn yielded_to_partition(suite: &Suite) -> Check {
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

fn preempted_case(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &super::normal::MEETS);
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
fn preempted_behind(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[Op::Call(SIGNALLED.id, WORD), Op::Run(SIGNALLED.id, 0)],
    );
    suite.request(SIGNALLED, &super::normal::MEETS);
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

/// Nobody's interrupt is taken while it runs; all of them when it has left.
fn alone(suite: &Suite) -> Check {
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
fn alone_and_timer(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Arm(100, false)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.request(ALONE, &[Op::Watch(500), Op::Mark(1)]);
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
fn second_of_another(suite: &Suite) -> Check {
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

fn second_of_its_own(suite: &Suite) -> Check {
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
fn handler_calls(suite: &Suite) -> Check {
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

fn handler_yields(suite: &Suite) -> Check {
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
fn handler_runs(suite: &Suite) -> Check {
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

fn ipi(suite: &Suite) -> Check {
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
