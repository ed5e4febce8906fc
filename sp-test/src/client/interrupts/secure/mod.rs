//! A secure interrupt for a partition in each state, with somebody else running or itself.

mod blocked;
mod handlers;
mod running;
mod waiting;

use super::normal::{MEETS, preempted};
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
        ("running/self/request", running::own_in_request),
        ("running/self/run", running::own_in_run),
        ("running/self/masked", running::own_masked),
        (
            "running/self/in_the_order_of_their_coming",
            running::own_order,
        ),
        ("running/self/one_at_a_time", running::one_at_a_time),
        (
            "running/self/not_deactivated_comes_again_with_get",
            running::kept_active,
        ),
        ("waiting/normal_world_runs", waiting::from_normal_world),
        ("waiting/normal_world_runs/ppi", waiting::ppi),
        ("waiting/normal_world_runs/by_vector", waiting::by_vector),
        ("waiting/normal_world_runs/many_times", waiting::many_times),
        (
            "waiting/normal_world_runs/not_asked_for",
            waiting::not_asked_for,
        ),
        ("waiting/other_runs/request", |suite| {
            waiting::waiting(suite, EXIT_FIQ)
        }),
        ("waiting/other_runs/single", |suite| {
            waiting::waiting(suite, EXIT_IRQ)
        }),
        ("waiting/other_runs/queued", |suite| {
            waiting::waiting(suite, QUEUED)
        }),
        ("waiting/other_runs/run", waiting::waiting_run),
        ("waiting/chain_runs", waiting::waiting_chain),
        ("blocked/callee_runs", blocked::blocked),
        ("blocked/callee_of_callee_runs", blocked::blocked_deep),
        ("blocked/in_run", blocked::blocked_in_run),
        ("blocked/yielded", blocked::yielded),
        (
            "blocked/yielded_to_partition",
            blocked::yielded_to_partition,
        ),
        ("preempted", blocked::preempted_case),
        ("preempted/behind_its_caller", blocked::preempted_behind),
        ("other_s_queued/all_wait", handlers::alone),
        (
            "other_s_queued/timer_of_another_waits",
            handlers::alone_and_timer,
        ),
        (
            "published_crash_1_second_while_first_is_handled",
            handlers::second_of_another,
        ),
        (
            "second_of_its_own_while_first_is_handled",
            handlers::second_of_its_own,
        ),
    ];
    for (name, case) in cases {
        suite.case(format_args!("secure/{name}"), case);
    }
    suite.case("secure/handler/calls_another", handlers::handler_calls);
    suite.case(
        "secure/handler/yield_changes_nothing",
        handlers::handler_yields,
    );
    suite.case(
        "secure/handler/gives_the_core_back_by_run",
        handlers::handler_runs,
    );
    suite.case("secure/ipi/to_itself", handlers::ipi);
}

/// Fails unless all registers of the normal world stay, around a moment in which this happens.
fn kept(happens: impl FnOnce()) -> Check {
    happens();
    spin::watched(super::ticks(50)).map_err(|mismatch: Mismatch| Failure::Partition {
        conduit: Conduit::Smc,
        mismatch,
    })
}
