//! What came while the partitions initialised, before this client was there.

use super::{Check, Suite};
use crate::abi;
use crate::board::Line;
use crate::interrupts::log::Event;
use crate::interrupts::{EXIT_FIQ, SIGNALLED, SINGLE, TIMER};

const SECURE: u64 = Line::Secure.intid() as u64;
const SHARED: u64 = Line::Shared.intid() as u64;

/// The chapter. The pages are as the partitions left them: each case only looks.
pub fn run(suite: &mut Suite) {
    type Look = fn(&Suite) -> Check;
    let cases: [(&str, Look); 3] = [
        ("start/own_timer_and_device_in_initialisation", single),
        (
            "start/published_crash_3_for_first_while_third_initialises",
            first,
        ),
        ("start/who_initialises_goes_on", third),
    ];
    for (name, look) in cases {
        let verdict = look(suite);
        if verdict.is_err() {
            suite.show();
        }
        let verdict = verdict.map(|()| crate::client::report::Seen::Nothing);
        suite.client.case(name, verdict);
    }
}

/// Its timer came while it initialised; its device's interrupt waited until all had done so.
fn single(suite: &Suite) -> Check {
    suite.saw(
        SINGLE,
        &[
            Event::Started(0, false),
            Event::Error(abi::NOT_SUPPORTED),
            Event::Irq,
            Event::Got(TIMER.into()),
            Event::Mark(1),
            Event::Interrupt(0, SECURE),
            Event::Got(SECURE),
        ],
    )
}

fn first(suite: &Suite) -> Check {
    suite.saw(
        SIGNALLED,
        &[
            Event::Started(0, false),
            Event::Success(0),
            Event::Interrupt(0, SHARED),
            Event::Got(SHARED),
        ],
    )?;
    suite.order(&[
        (EXIT_FIQ, Event::Mark(1)),
        (SIGNALLED, Event::Interrupt(0, SHARED)),
    ])
}

fn third(suite: &Suite) -> Check {
    suite.saw(
        EXIT_FIQ,
        &[Event::Started(0, false), Event::Success(0), Event::Mark(1)],
    )
}
