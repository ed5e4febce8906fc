//! Actions along a chain of callers: who is called is interrupted as its callers' manifests say, the tightest of them.

use super::exits::vector;
use super::normal::{MEETS, preempted};
use super::{Check, Suite, WORD, answer_of};
use crate::board::Line;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{ALONE, EXIT_FIQ, EXIT_IRQ, MANAGED_EXIT, QUEUED, SIGNALLED, SINGLE, Who};

const NORMAL: u32 = Line::Normal.intid();
const SECURE: u64 = Line::Secure.intid() as u64;
const EXIT: Event = Event::Got(MANAGED_EXIT as u64);
const REQUEST: Event = Event::Request(WORD);

fn call(who: Who) -> Op {
    Op::Call(who.id, WORD)
}

fn response(who: Who) -> Event {
    Event::Response(answer_of(who, WORD))
}

fn resume(who: Who) -> Op {
    Op::Run(who.id, 0)
}

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.case("chain/signalled_calls_signalled", signalled);
    suite.case("chain/signalled_calls_signalled_calls_signalled", three);
    suite.case("chain/signalled_calls_queued", |suite| {
        calls_masked(suite, SIGNALLED, QUEUED)
    });
    suite.case("chain/signalled_calls_alone", |suite| {
        calls_masked(suite, SINGLE, ALONE)
    });
    for (name, caller, callee) in [
        ("queued_calls_signalled", QUEUED, SIGNALLED),
        ("queued_calls_managed_exit", QUEUED, EXIT_FIQ),
        ("alone_calls_signalled", ALONE, SINGLE),
        ("alone_calls_managed_exit", ALONE, EXIT_IRQ),
    ] {
        suite.case(format_args!("chain/{name}"), |suite| {
            masked_calls(suite, caller, callee)
        });
    }
    suite.case("chain/managed_exit_calls_signalled", exit_calls_signalled);
    suite.case("chain/signalled_calls_managed_exit", signalled_calls_exit);
    suite.case("chain/managed_exit_calls_managed_exit", exit_calls_exit);
    suite.case(
        "chain/managed_exit_in_progress_calls_signalled",
        in_progress,
    );
    suite.case("chain/alone_masks_secure_for_whom_it_calls", alone_masks);
    suite.case("chain/queued_does_not_mask_secure", queued_does_not);
}

/// The callee is preempted, then the caller; each run resumes one more.
fn signalled(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &[call(SINGLE), resume(SINGLE), Op::Mark(3)]);
    suite.request(SINGLE, &MEETS);
    suite.interrupted(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(SIGNALLED, &[REQUEST])?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1)])?;
    suite.taken(&[NORMAL])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[REQUEST, preempted(SINGLE), response(SINGLE), Event::Mark(3)],
    )?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1), Event::Mark(2)])
}

fn three(suite: &Suite) -> Check {
    let third = crate::interrupts::SRI_LEAVING;
    suite.request(SIGNALLED, &[call(SINGLE), resume(SINGLE)]);
    suite.request(SINGLE, &[call(third), resume(third)]);
    suite.request(third, &MEETS);
    suite.interrupted(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.taken(&[NORMAL])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(SIGNALLED, &[REQUEST, preempted(SINGLE), response(SINGLE)])?;
    suite.saw(SINGLE, &[REQUEST, preempted(third), response(third)])?;
    suite.saw(third, &[REQUEST, Event::Mark(1), Event::Mark(2)])
}

/// Who is called goes on to its end; the caller is preempted when it runs again.
fn calls_masked(suite: &Suite, caller: Who, callee: Who) -> Check {
    suite.request(caller, &[call(callee), Op::Watch(50), Op::Mark(3)]);
    suite.request(callee, &MEETS);
    suite.interrupted(&suite.send(caller), caller)?;
    suite.saw(callee, &[REQUEST, Event::Mark(1), Event::Mark(2)])?;
    suite.taken(&[NORMAL])?;
    suite.answered(&suite.run(caller), caller)?;
    suite.saw(caller, &[REQUEST, response(callee), Event::Mark(3)])
}

/// Whatever the callee's own action is.
fn masked_calls(suite: &Suite, caller: Who, callee: Who) -> Check {
    suite.request(caller, &[call(callee), Op::Watch(50), Op::Mark(3)]);
    suite.request(callee, &MEETS);
    suite.answered(&suite.send(caller), caller)?;
    suite.saw(callee, &[REQUEST, Event::Mark(1), Event::Mark(2)])?;
    suite.saw(caller, &[REQUEST, response(callee), Event::Mark(3)])?;
    suite.taken(&[NORMAL])
}

/// The callee is preempted, the caller is asked to leave: it answers, and later finds the callee where it was.
fn exit_calls_signalled(suite: &Suite) -> Check {
    suite.request(EXIT_FIQ, &[call(SIGNALLED), Op::Spin(5)]);
    suite.request(SIGNALLED, &MEETS);
    suite.answered(&suite.send(EXIT_FIQ), EXIT_FIQ)?;
    suite.saw(
        EXIT_FIQ,
        &[
            REQUEST,
            Event::Fiq,
            EXIT,
            preempted(SIGNALLED),
            Event::ExitAsked,
        ],
    )?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1)])?;
    suite.taken(&[NORMAL])?;
    suite.page(EXIT_FIQ).forget();
    suite.request(EXIT_FIQ, &[resume(SIGNALLED)]);
    suite.answered(&suite.send(EXIT_FIQ), EXIT_FIQ)?;
    suite.saw(EXIT_FIQ, &[REQUEST, response(SIGNALLED)])?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1), Event::Mark(2)])
}

/// The callee leaves by itself; its caller is preempted then.
fn signalled_calls_exit(suite: &Suite) -> Check {
    suite.request(SIGNALLED, &[call(EXIT_IRQ), Op::Watch(50), Op::Mark(3)]);
    suite.request(EXIT_IRQ, &[Op::Raise(Line::Normal), Op::Spin(5)]);
    suite.interrupted(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(EXIT_IRQ, &[REQUEST, Event::Irq, EXIT, Event::ExitAsked])?;
    suite.taken(&[NORMAL])?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(SIGNALLED, &[REQUEST, response(EXIT_IRQ), Event::Mark(3)])
}

/// First the callee, then the caller.
fn exit_calls_exit(suite: &Suite) -> Check {
    suite.request(EXIT_FIQ, &[call(EXIT_IRQ), Op::Spin(5)]);
    suite.request(EXIT_IRQ, &[Op::Raise(Line::Normal), Op::Spin(5)]);
    suite.answered(&suite.send(EXIT_FIQ), EXIT_FIQ)?;
    suite.saw(EXIT_IRQ, &[REQUEST, Event::Irq, EXIT, Event::ExitAsked])?;
    suite.saw(
        EXIT_FIQ,
        &[
            REQUEST,
            vector(EXIT_FIQ),
            EXIT,
            response(EXIT_IRQ),
            Event::ExitAsked,
        ],
    )?;
    suite.taken(&[NORMAL])
}

/// Who is about to leave calls another one meanwhile: that one is not disturbed.
fn in_progress(suite: &Suite) -> Check {
    suite.request(
        EXIT_FIQ,
        &[Op::Raise(Line::Normal), Op::Spin(5), call(SIGNALLED)],
    );
    suite.request(SIGNALLED, &[Op::Watch(50), Op::Mark(1)]);
    suite.answered(&suite.send(EXIT_FIQ), EXIT_FIQ)?;
    suite.saw(
        EXIT_FIQ,
        &[
            REQUEST,
            Event::Fiq,
            EXIT,
            Event::ExitAsked,
            response(SIGNALLED),
        ],
    )?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1)])?;
    suite.taken(&[NORMAL])
}

/// Secure ones wait until the whole chain has left.
fn alone_masks(suite: &Suite) -> Check {
    suite.request(ALONE, &[call(SIGNALLED), Op::Watch(50), Op::Mark(3)]);
    suite.request(
        SIGNALLED,
        &[Op::Raise(Line::Secure), Op::Watch(50), Op::Mark(1)],
    );
    suite.answered(&suite.send(ALONE), ALONE)?;
    suite.saw(ALONE, &[REQUEST, response(SIGNALLED), Event::Mark(3)])?;
    suite.saw(SINGLE, &[Event::Interrupt(0, SECURE), Event::Got(SECURE)])?;
    suite.order(&[(ALONE, Event::Mark(3)), (SINGLE, Event::Got(SECURE))])
}

fn queued_does_not(suite: &Suite) -> Check {
    suite.request(QUEUED, &[call(SIGNALLED), Op::Mark(3)]);
    suite.request(
        SIGNALLED,
        &[Op::Raise(Line::Secure), Op::Watch(50), Op::Mark(1)],
    );
    suite.answered(&suite.send(QUEUED), QUEUED)?;
    suite.order(&[
        (SIGNALLED, REQUEST),
        (SINGLE, Event::Got(SECURE)),
        (SIGNALLED, Event::Mark(1)),
        (QUEUED, Event::Mark(3)),
    ])
}
