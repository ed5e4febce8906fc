//! The hypercalls of the para-virtual interrupt controller, with good and with bad arguments.

use super::{Check, Suite, WORD, equal};
use crate::board::{CORES, Line};
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{
    INTERRUPT_DEACTIVATE, INTERRUPT_ENABLE, INTERRUPT_GET, INTERRUPT_RECONFIGURE,
    INTERRUPT_SEND_IPI, IPI, MANAGED_EXIT, NONE, NOTIFICATION, REFUSED, SIGNALLED, SINGLE, TIMER,
    Who,
};

const SECURE: u64 = Line::Secure.intid() as u64;
const SHARED: u64 = Line::Shared.intid() as u64;
/// Somebody's, nobody's, none.
const BAD: [u64; 8] = [
    0,
    8,
    20,
    27,
    Line::Normal.intid() as u64,
    1020,
    1 << 32 | SECURE,
    u64::MAX,
];

const fn call(function: u64, x1: u64, x2: u64, x3: u16) -> Op {
    Op::Hypercall([function as u16, x3], x1, x2)
}

/// The chapter.
pub fn run(suite: &mut Suite) {
    type Case = fn(&Suite) -> Check;
    let cases: [(&str, Case); 16] = [
        ("enable/own", enable_own),
        ("enable/bad_ids", enable_bad),
        ("enable/bad_values", enable_values),
        ("enable/disabled_does_not_come", disabled),
        (
            "enable/disabled_by_the_machine_does_not_come",
            disabled_device,
        ),
        ("enable/pending_comes_when_enabled", pending),
        ("enable/as_fiq", as_fiq),
        ("get/nothing", get_nothing),
        ("deactivate/own", deactivate_own),
        ("deactivate/bad_ids", deactivate_bad),
        ("reconfigure/target", target),
        ("reconfigure/bad_targets", bad_targets),
        ("reconfigure/enable", reconfigure_enable),
        ("reconfigure/security", security),
        ("reconfigure/bad_ids_and_commands", reconfigure_bad),
        ("send_ipi/bad_targets", bad_ipi),
    ];
    for (name, case) in cases {
        suite.case(format_args!("hypercall/{name}"), case);
    }
}

/// Has a partition make hypercalls; all must answer this.
fn all(suite: &Suite, who: Who, calls: impl IntoIterator<Item = Op>, answer: u64) -> Check {
    // A few at a time: a script has an end.
    let mut calls = calls.into_iter().peekable();
    while calls.peek().is_some() {
        let mut ops = [Op::End; 16];
        let mut count = 0;
        for (slot, call) in ops.iter_mut().zip(&mut calls) {
            *slot = call;
            count += 1;
        }
        suite.page(who).forget();
        suite.request(who, ops.get(..count).unwrap_or(&[]));
        suite.answered(&suite.send(who), who)?;
        let page = suite.page(who);
        equal("events", page.logged(), 1 + count as u64)?;
        for number in 1..=count {
            let Some((Event::Answer(x0), _)) = page.entry(number) else {
                return suite.saw(who, &[Event::Answer(answer)]);
            };
            if x0 != answer {
                crate::say!("@note {:x?}", ops.get(number - 1));
            }
            equal("x0", x0, answer)?;
        }
    }
    Ok(())
}

fn enable_own(suite: &Suite) -> Check {
    let ids = [
        SECURE,
        TIMER.into(),
        MANAGED_EXIT.into(),
        NOTIFICATION.into(),
    ];
    let calls = ids.map(|id| call(INTERRUPT_ENABLE, id, 1, 0));
    all(suite, SINGLE, calls, 0)
}

fn enable_bad(suite: &Suite) -> Check {
    let on = BAD.map(|id| call(INTERRUPT_ENABLE, id, 1, 0));
    let off = BAD.map(|id| call(INTERRUPT_ENABLE, id, 0, 0));
    let other = call(INTERRUPT_ENABLE, SHARED, 1, 0);
    all(
        suite,
        SINGLE,
        on.into_iter().chain(off).chain([other]),
        REFUSED,
    )
}

fn enable_values(suite: &Suite) -> Check {
    let calls = [
        call(INTERRUPT_ENABLE, SECURE, 2, 0),
        call(INTERRUPT_ENABLE, SECURE, u64::MAX, 0),
        call(INTERRUPT_ENABLE, SECURE, 1 << 32, 0),
        call(INTERRUPT_ENABLE, SECURE, 1, 2),
        call(INTERRUPT_ENABLE, SECURE, 1, u16::MAX),
    ];
    all(suite, SINGLE, calls, REFUSED)
}

/// A timer that is not enabled is pending, and comes when it is enabled.
fn pending(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            call(INTERRUPT_ENABLE, TIMER.into(), 0, 0),
            Op::Arm(10, true),
            Op::Watch(100),
            Op::Mark(1),
            call(INTERRUPT_ENABLE, TIMER.into(), 1, 0),
            Op::Mark(2),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            Event::Request(WORD),
            Event::Answer(0),
            Event::Mark(1),
            Event::Irq,
            Event::Got(TIMER.into()),
            Event::Answer(0),
            Event::Mark(2),
        ],
    )
}

fn disabled(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            call(INTERRUPT_ENABLE, TIMER.into(), 0, 0),
            Op::Arm(10, true),
            Op::Watch(100),
            call(INTERRUPT_GET, 0, 0, 0),
            Op::Disarm,
            call(INTERRUPT_ENABLE, TIMER.into(), 1, 0),
            Op::Watch(50),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            Event::Request(WORD),
            Event::Answer(0),
            Event::Answer(NONE),
            Event::Answer(0),
        ],
    )
}

/// A device whose line is lowered before its interrupt is enabled again.
fn disabled_device(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            call(INTERRUPT_ENABLE, SECURE, 0, 0),
            Op::Raise(Line::Secure),
            Op::Watch(50),
            call(INTERRUPT_GET, 0, 0, 0),
            Op::Lower(Line::Secure),
            call(INTERRUPT_ENABLE, SECURE, 1, 0),
            Op::Watch(50),
            Op::Mark(1),
            Op::Raise(Line::Secure),
            Op::Watch(50),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            Event::Request(WORD),
            Event::Answer(0),
            Event::Answer(NONE),
            Event::Answer(0),
            Event::Mark(1),
            Event::Irq,
            Event::Got(SECURE),
        ],
    )
}

fn as_fiq(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            call(INTERRUPT_ENABLE, SECURE, 1, 1),
            Op::Raise(Line::Secure),
            Op::Watch(50),
            call(INTERRUPT_ENABLE, SECURE, 1, 0),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            Event::Request(WORD),
            Event::Answer(0),
            Event::Fiq,
            Event::Got(SECURE),
            Event::Answer(0),
        ],
    )
}

fn get_nothing(suite: &Suite) -> Check {
    all(suite, SINGLE, [call(INTERRUPT_GET, 1, 2, 3); 3], NONE)
}

fn deactivate_own(suite: &Suite) -> Check {
    let ids = [
        SECURE,
        TIMER.into(),
        MANAGED_EXIT.into(),
        NOTIFICATION.into(),
    ];
    let calls = ids.map(|id| call(INTERRUPT_DEACTIVATE, id, id, 0));
    all(suite, SINGLE, calls, 0)
}

fn deactivate_bad(suite: &Suite) -> Check {
    let calls = BAD.map(|id| call(INTERRUPT_DEACTIVATE, id, id, 0));
    let other = call(INTERRUPT_DEACTIVATE, SHARED, SHARED, 0);
    all(suite, SINGLE, calls.into_iter().chain([other]), REFUSED)
}

/// A partition with a single context may only name the core that it runs on, others any.
fn target(suite: &Suite) -> Check {
    all(
        suite,
        SINGLE,
        [call(INTERRUPT_RECONFIGURE, SECURE, 0, 0)],
        0,
    )?;
    let each = (0..CORES).rev();
    let calls = each.map(|core| call(INTERRUPT_RECONFIGURE, SHARED, 0, core));
    all(suite, SIGNALLED, calls, 0)
}

fn bad_targets(suite: &Suite) -> Check {
    let calls = (1..CORES).map(|core| call(INTERRUPT_RECONFIGURE, SECURE, 0, core));
    all(suite, SINGLE, calls, REFUSED)?;
    let calls = [CORES, 64, u16::MAX].map(|core| call(INTERRUPT_RECONFIGURE, SHARED, 0, core));
    all(suite, SIGNALLED, calls, REFUSED)
}

fn reconfigure_enable(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            call(INTERRUPT_RECONFIGURE, SECURE, 2, 0),
            Op::Raise(Line::Secure),
            Op::Watch(50),
            Op::Mark(1),
            call(INTERRUPT_RECONFIGURE, SECURE, 2, 1),
            Op::Watch(50),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    let page = suite.page(SINGLE);
    // It comes when it is enabled, before or after this call's answer is logged.
    equal("events", page.logged(), 6)?;
    suite.order(&[
        (SINGLE, Event::Answer(0)),
        (SINGLE, Event::Mark(1)),
        (SINGLE, Event::Irq),
        (SINGLE, Event::Got(SECURE)),
    ])
}

/// While it is the normal world's, which has not enabled it, the partition is not interrupted by it.
fn security(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            call(INTERRUPT_ENABLE, SECURE, 0, 0),
            call(INTERRUPT_RECONFIGURE, SECURE, 1, 0),
            Op::Raise(Line::Secure),
            Op::Watch(50),
            Op::Lower(Line::Secure),
            call(INTERRUPT_RECONFIGURE, SECURE, 1, 1),
            call(INTERRUPT_ENABLE, SECURE, 1, 0),
            Op::Watch(50),
            Op::Mark(1),
            Op::Raise(Line::Secure),
            Op::Watch(50),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            Event::Request(WORD),
            Event::Answer(0),
            Event::Answer(0),
            Event::Answer(0),
            Event::Answer(0),
            Event::Mark(1),
            Event::Irq,
            Event::Got(SECURE),
        ],
    )
}

fn reconfigure_bad(suite: &Suite) -> Check {
    let ids = BAD.map(|id| call(INTERRUPT_RECONFIGURE, id, 2, 1));
    let own = [TIMER, MANAGED_EXIT, IPI].map(|id| call(INTERRUPT_RECONFIGURE, id.into(), 2, 1));
    let others = [
        call(INTERRUPT_RECONFIGURE, SHARED, 2, 1),
        call(INTERRUPT_RECONFIGURE, SECURE, 3, 0),
        call(INTERRUPT_RECONFIGURE, SECURE, u64::MAX, 0),
        call(INTERRUPT_RECONFIGURE, SECURE, 1, 2),
        call(INTERRUPT_RECONFIGURE, SECURE, 2, 2),
        call(INTERRUPT_RECONFIGURE, SECURE, 2, u16::MAX),
    ];
    let calls = ids.into_iter().chain(own).chain(others);
    all(suite, SINGLE, calls, REFUSED)
}

fn bad_ipi(suite: &Suite) -> Check {
    let bad = [CORES.into(), 64, 1 << 16, 1 << 32, u64::MAX];
    let calls = bad.map(|context| call(INTERRUPT_SEND_IPI, context, 0, 0));
    all(suite, SIGNALLED, calls, REFUSED)?;
    let calls = [1, 7, u64::MAX].map(|context| call(INTERRUPT_SEND_IPI, context, 0, 0));
    all(suite, SINGLE, calls, REFUSED)
}
