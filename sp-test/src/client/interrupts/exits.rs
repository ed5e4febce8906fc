//! Managed exit: the normal world's interrupt asks the partition to leave, by vFIQ or by vIRQ.

use super::normal::MEETS;
use super::{Check, Suite, WORD};
use crate::board::Line;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{EXIT_FIQ, EXIT_IRQ, MANAGED_EXIT, SINGLE, TIMER, Who};

const NORMAL: u32 = Line::Normal.intid();
const EXIT: Event = Event::Got(MANAGED_EXIT as u64);
const SECURE: u64 = Line::Secure.intid() as u64;

/// The chapter.
pub fn run(suite: &mut Suite) {
    for who in [EXIT_FIQ, EXIT_IRQ] {
        type Case = fn(&Suite, Who) -> Check;
        let cases: [(&str, Case); 8] = [
            ("request", request),
            ("run", run_model),
            ("twice", twice),
            ("pending_before_the_request", pending),
            ("masked_is_over_with_the_answer", masked_request),
            ("masked_is_over_with_the_wait", masked_run),
            ("own_secure_interrupt_meanwhile", own_meanwhile),
            ("secure_interrupt_of_another_meanwhile", other_meanwhile),
        ];
        let form = match who == EXIT_FIQ {
            true => "vfiq",
            false => "virq",
        };
        for (name, case) in cases {
            suite.case(format_args!("managed_exit/{form}/{name}"), |suite| {
                case(suite, who)
            });
        }
    }
}

/// The vector by which it comes.
pub(super) fn vector(who: Who) -> Event {
    match who == EXIT_FIQ {
        true => Event::Fiq,
        false => Event::Irq,
    }
}

/// Raises it and spins until it is asked.
pub(super) const ASKED: [Op; 5] = [
    Op::Mark(1),
    Op::Raise(Line::Normal),
    Op::Spin(5),
    // It is asked once, though the interrupt is pending all the time.
    Op::Watch(200),
    Op::Mark(2),
];

fn asked(who: Who) -> [Event; 5] {
    [
        Event::Mark(1),
        vector(who),
        EXIT,
        Event::ExitAsked,
        Event::Mark(2),
    ]
}

fn with(first: Event, rest: [Event; 5]) -> [Event; 6] {
    let [a, b, c, d, e] = rest;
    [first, a, b, c, d, e]
}

fn request(suite: &Suite, who: Who) -> Check {
    suite.request(who, &ASKED);
    suite.answered(&suite.send(who), who)?;
    suite.saw(who, &with(Event::Request(WORD), asked(who)))?;
    suite.taken(&[NORMAL])
}

fn run_model(suite: &Suite, who: Who) -> Check {
    suite.when_run(who, &ASKED);
    suite.waits(&suite.run(who))?;
    suite.saw(who, &with(Event::Run, asked(who)))?;
    suite.taken(&[NORMAL])
}

/// The next interrupt asks again.
fn twice(suite: &Suite, who: Who) -> Check {
    request(suite, who)?;
    suite.page(who).forget();
    request(suite, who)
}

fn pending(suite: &Suite, who: Who) -> Check {
    super::gic::send(0);
    suite.request(who, &[Op::Watch(50), Op::Mark(1)]);
    suite.answered(&suite.send(who), who)?;
    suite.saw(
        who,
        &[Event::Request(WORD), vector(who), EXIT, Event::Mark(1)],
    )?;
    suite.taken(&[super::gic::SGI])
}

/// It never took the virtual interrupt: that is gone when it gives up its cycles.
fn masked_request(suite: &Suite, who: Who) -> Check {
    suite.request(
        who,
        &[
            Op::Mask,
            Op::Raise(Line::Normal),
            Op::Watch(100),
            Op::Mark(1),
        ],
    );
    suite.answered(&suite.send(who), who)?;
    suite.taken(&[NORMAL])?;
    masked_is_over(suite, who, Event::Request(WORD))
}

fn masked_run(suite: &Suite, who: Who) -> Check {
    suite.when_run(
        who,
        &[
            Op::Mask,
            Op::Raise(Line::Normal),
            Op::Watch(100),
            Op::Mark(1),
        ],
    );
    suite.waits(&suite.run(who))?;
    suite.taken(&[NORMAL])?;
    masked_is_over(suite, who, Event::Run)
}

fn masked_is_over(suite: &Suite, who: Who, entered: Event) -> Check {
    suite.request(who, &[Op::Unmask, Op::Watch(50), Op::Mark(2)]);
    suite.answered(&suite.send(who), who)?;
    suite.saw(
        who,
        &[
            entered,
            Event::Mark(1),
            Event::Request(WORD),
            Event::Mark(2),
        ],
    )?;
    // And the normal world's interrupts are not masked any more.
    suite.page(who).forget();
    suite.request(who, &MEETS);
    suite.answered(&suite.send(who), who)?;
    suite.saw(
        who,
        &[
            Event::Request(WORD),
            Event::Mark(1),
            vector(who),
            EXIT,
            Event::Mark(2),
        ],
    )?;
    suite.taken(&[NORMAL])
}

/// Secure interrupts come all the same: its timer.
fn own_meanwhile(suite: &Suite, who: Who) -> Check {
    suite.request(
        who,
        &[
            Op::Raise(Line::Normal),
            Op::Spin(5),
            Op::Arm(50, false),
            Op::Watch(200),
            Op::Mark(1),
        ],
    );
    suite.answered(&suite.send(who), who)?;
    suite.saw(
        who,
        &[
            Event::Request(WORD),
            vector(who),
            EXIT,
            Event::ExitAsked,
            Event::Irq,
            Event::Got(TIMER.into()),
            Event::Mark(1),
        ],
    )?;
    suite.taken(&[NORMAL])
}

/// Another partition's device.
fn other_meanwhile(suite: &Suite, who: Who) -> Check {
    suite.request(
        who,
        &[
            Op::Raise(Line::Normal),
            Op::Spin(5),
            Op::Raise(Line::Secure),
            Op::Watch(50),
            Op::Mark(1),
        ],
    );
    suite.answered(&suite.send(who), who)?;
    suite.saw(
        who,
        &[
            Event::Request(WORD),
            vector(who),
            EXIT,
            Event::ExitAsked,
            Event::Mark(1),
        ],
    )?;
    suite.saw(SINGLE, &[Event::Interrupt(0, SECURE), Event::Got(SECURE)])?;
    suite.order(&[
        (who, Event::ExitAsked),
        (SINGLE, Event::Got(SECURE)),
        (who, Event::Mark(1)),
    ])?;
    suite.taken(&[NORMAL])
}
