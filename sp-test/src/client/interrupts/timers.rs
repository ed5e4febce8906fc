//! The emulated timer of a context: it fires on time whatever runs, and once each time that it is set.

use super::{Check, Suite, WORD, answer_of, equal};
use crate::board::Line;
use crate::interrupts::log::Event;
use crate::interrupts::page::mode;
use crate::interrupts::script::Op;
use crate::interrupts::{
    ALONE, EXIT_FIQ, EXIT_IRQ, QUEUED, SIGNALLED, SINGLE, SRI_LEAVING, TIMER, Who,
};
use crate::rt::spin;

const NORMAL: u32 = Line::Normal.intid();
const REQUEST: Event = Event::Request(WORD);
const GOT: Event = Event::Got(TIMER as u64);
const WOKEN: Event = Event::Interrupt(0, TIMER as u64);
/// Microseconds that a timer may be late: some thousand instructions of the machine's, which takes 64 ns for each.
const LATE: u64 = 700;
/// What CNTP_CTL says of a timer that is on and has fired.
const FIRED: u64 = 5;

/// The chapter.
pub fn run(suite: &mut Suite) {
    for (by_tval, name) in [(true, "tval"), (false, "cval")] {
        suite.case(format_args!("timer/running/{name}"), |suite| {
            running(suite, by_tval)
        });
        suite.case(format_args!("timer/waiting/{name}"), |suite| {
            waiting(suite, SIGNALLED, by_tval)
        });
    }
    suite.case("timer/waiting/single_context", |suite| {
        waiting(suite, SINGLE, true)
    });
    suite.case("timer/waiting/partition_runs", other_runs);
    suite.case("timer/waiting/as_vfiq", as_fiq);
    suite.case("timer/blocked", blocked);
    suite.case("timer/preempted", preempted);
    suite.case("timer/yielded", yielded);
    suite.case("timer/running_with_everything_queued", alone);
    suite.case("timer/once_each_time_that_it_is_set", once);
    suite.case("timer/in_the_past_fires_at_once", past);
    suite.case("timer/stopped_does_not_fire", stopped);
    suite.case("timer/set_anew_fires_later", anew);
    suite.case("timer/registers", registers);
    suite.case("timer/again_and_again", periodic);
    suite.case("timer/of_many_partitions", many);
}

/// Fails unless it came `us` after the last mark of this number, and not much later.
fn on_time(suite: &Suite, who: Who, from: Event, came: Event, us: u64) -> Check {
    let armed = suite.time_of(who, from, 0)?;
    let fired = suite.time_of(who, came, armed)?;
    let (passed, due, late) = (fired - armed, super::ticks(us), super::ticks(LATE));
    if passed < due {
        equal("ticks until it came, too early", passed, due)?;
    }
    if passed > due + late {
        equal("ticks until it came, too late", passed, due)?;
    }
    Ok(())
}

fn pass(us: u64) {
    // What it interrupts is others' to check.
    let _ = spin::watched(super::ticks(us));
}

fn running(suite: &Suite, by_tval: bool) -> Check {
    suite.request(
        SIGNALLED,
        &[
            Op::Mark(1),
            Op::Arm(1000, by_tval),
            Op::Watch(2500),
            Op::Mark(2),
        ],
    );
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(
        SIGNALLED,
        &[REQUEST, Event::Mark(1), Event::Irq, GOT, Event::Mark(2)],
    )?;
    on_time(suite, SIGNALLED, Event::Mark(1), Event::Irq, 1000)
}

fn waiting(suite: &Suite, who: Who, by_tval: bool) -> Check {
    suite.request(who, &[Op::Mark(1), Op::Arm(1000, by_tval)]);
    suite.answered(&suite.send(who), who)?;
    pass(2500);
    suite.saw(who, &[REQUEST, Event::Mark(1), WOKEN, GOT])?;
    on_time(suite, who, Event::Mark(1), WOKEN, 1000)
}

fn other_runs(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Mark(1), Op::Arm(1000, true)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.request(SIGNALLED, &[Op::Watch(2500), Op::Mark(2)]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1), WOKEN, GOT])?;
    suite.order(&[(SINGLE, GOT), (SIGNALLED, Event::Mark(2))])?;
    on_time(suite, SINGLE, Event::Mark(1), WOKEN, 1000)
}

/// This partition has it as FIQ.
fn as_fiq(suite: &Suite) -> Check {
    suite.request(QUEUED, &[Op::Arm(100, true), Op::Watch(1000), Op::Mark(1)]);
    suite.answered(&suite.send(QUEUED), QUEUED)?;
    suite.saw(QUEUED, &[REQUEST, Event::Fiq, GOT, Event::Mark(1)])
}

/// Its callee runs meanwhile.
fn blocked(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            Op::Mark(1),
            Op::Arm(1000, true),
            Op::Call(SIGNALLED.id, WORD),
            Op::Run(SIGNALLED.id, 0),
        ],
    );
    suite.request(SIGNALLED, &[Op::Watch(2500), Op::Mark(2)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Mark(1),
            Event::Irq,
            GOT,
            super::normal::preempted(SIGNALLED),
            Event::Response(answer_of(SIGNALLED, WORD)),
        ],
    )?;
    on_time(suite, SINGLE, Event::Mark(1), Event::Irq, 1000)
}

/// It finds it when it is run again.
fn preempted(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            Op::Arm(1000, true),
            Op::Raise(Line::Normal),
            Op::Watch(10),
            Op::Mark(1),
        ],
    );
    suite.interrupted(&suite.send(SINGLE), SINGLE)?;
    suite.taken(&[NORMAL])?;
    pass(2000);
    suite.saw(SINGLE, &[REQUEST])?;
    suite.answered(&suite.run(SINGLE), SINGLE)?;
    suite.saw(SINGLE, &[REQUEST, Event::Irq, GOT, Event::Mark(1)])
}

fn yielded(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Arm(500, true), Op::Yield, Op::Mark(1)]);
    suite.yields(&suite.send(SINGLE))?;
    pass(1500);
    suite.saw(SINGLE, &[REQUEST])?;
    suite.answered(&suite.run(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[REQUEST, Event::Irq, GOT, Event::Success(0), Event::Mark(1)],
    )
}

/// Its own timer is no other partition's interrupt.
fn alone(suite: &Suite) -> Check {
    suite.request(
        ALONE,
        &[
            Op::Mark(1),
            Op::Arm(1000, true),
            Op::Watch(2500),
            Op::Mark(2),
        ],
    );
    suite.answered(&suite.send(ALONE), ALONE)?;
    suite.saw(
        ALONE,
        &[REQUEST, Event::Mark(1), Event::Irq, GOT, Event::Mark(2)],
    )?;
    on_time(suite, ALONE, Event::Mark(1), Event::Irq, 1000)
}

/// Its handler does not stop it.
fn once(suite: &Suite) -> Check {
    suite.page(SINGLE).set_mode(mode::KEEP_LINE);
    suite.request(SINGLE, &[Op::Arm(100, true), Op::Watch(1000), Op::Timer]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    pass(500);
    let page = suite.page(SINGLE);
    equal("events", page.logged(), 4)?;
    equal("interrupts", page.counted(), 1)?;
    match page.entry(3) {
        Some((Event::Timer(ctl, _), _)) => equal("CNTP_CTL", ctl, FIRED),
        _ => equal("CNTP_CTL in the log", 0, 1),
    }
}

fn past(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Arm(0, false), Op::Watch(50), Op::Mark(1)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(SINGLE, &[REQUEST, Event::Irq, GOT, Event::Mark(1)])
}

fn stopped(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Arm(200, true), Op::Disarm, Op::Watch(500)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(SINGLE, &[REQUEST])?;
    // One that has fired already, but was not taken, is taken back.
    suite.page(SINGLE).forget();
    suite.request(
        SINGLE,
        &[
            Op::Mask,
            Op::Arm(10, true),
            Op::Watch(100),
            Op::Disarm,
            Op::Unmask,
            Op::Mark(1),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1)])
}

fn anew(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            Op::Arm(500, true),
            Op::Mark(1),
            Op::Arm(1500, false),
            Op::Watch(3000),
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1), Event::Irq, GOT])?;
    on_time(suite, SINGLE, Event::Mark(1), Event::Irq, 1500)
}

/// CNTP_CTL and CNTP_TVAL before, between and after.
fn registers(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            Op::Timer,
            Op::Mask,
            Op::Arm(1000, true),
            Op::Timer,
            Op::Watch(1500),
            Op::Timer,
            Op::Disarm,
            Op::Timer,
            Op::Unmask,
        ],
    );
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    let seen = |number| match suite.page(SINGLE).entry(number) {
        Some((Event::Timer(ctl, tval), _)) => Ok([ctl, tval]),
        _ => equal("a look at the timer", 0, 1).map(|()| [0; 2]),
    };
    let (all, half) = (super::ticks(1000), 1 << 31);
    equal("CNTP_CTL at first", seen(1)?[0], 0)?;
    let [ctl, tval] = seen(2)?;
    equal("CNTP_CTL when it is set", ctl, 1)?;
    equal("CNTP_TVAL, at most", tval.max(all), all)?;
    equal("CNTP_TVAL, at least", tval.min(all / 2), all / 2)?;
    let [ctl, tval] = seen(3)?;
    equal("CNTP_CTL when it has fired", ctl, FIRED)?;
    // Negative, in 32 bits.
    equal("CNTP_TVAL when it has fired", tval & half, half)?;
    equal("CNTP_TVAL's upper half", tval >> 32, 0)?;
    equal("CNTP_CTL when it is stopped", seen(4)?[0], 0)
}

/// The handler sets it each time, whatever runs.
fn periodic(suite: &Suite) -> Check {
    let page = suite.page(SINGLE);
    page.set_mode(500 << mode::AGAIN_SHIFT);
    suite.request(SINGLE, &[Op::Arm(500, true)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    for _ in 0..10 {
        suite.talk(&crate::client::ECHO)?;
        pass(500);
        suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    }
    let came = page.counted();
    page.set_mode(0);
    equal("times that it came, at least", came.min(6), 6)?;
    equal(
        "times that it came, at most",
        came.max(30),
        came.max(30).min(came + 29),
    )?;
    // The next one stops it.
    pass(1500);
    let came = page.counted();
    pass(1500);
    equal("times that it came after its stop", page.counted(), came)
}

/// Each has its own, and they fire in the order of their times.
fn many(suite: &Suite) -> Check {
    let all = [
        (SRI_LEAVING, 6000),
        (SIGNALLED, 4500),
        (EXIT_IRQ, 5500),
        (ALONE, 4000),
        (SINGLE, 6500),
        (EXIT_FIQ, 5000),
    ];
    for (who, us) in all {
        suite.request(who, &[Op::Mark(1), Op::Arm(us, true)]);
        suite.answered(&suite.send(who), who)?;
    }
    pass(9000);
    for (who, us) in all {
        suite.saw(who, &[REQUEST, Event::Mark(1), WOKEN, GOT])?;
        on_time(suite, who, Event::Mark(1), WOKEN, us)?;
    }
    Ok(())
}
