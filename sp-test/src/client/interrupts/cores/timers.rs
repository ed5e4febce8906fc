//! A single context's timer, set on one core, fires on another.

use super::{Core, FAR, LONG, REQUEST, SOON};
use crate::client::interrupts::{Check, Suite, ticks};
use crate::interrupts::log::Event;
use crate::interrupts::page::mode;
use crate::interrupts::script::Op;
use crate::interrupts::{SIGNALLED, SINGLE, TIMER};
use crate::rt::cores;

const GOT: Event = Event::Got(TIMER as u64);
const WOKEN: Event = Event::Interrupt(0, TIMER as u64);

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.far_case("smp/timer/waits_there", there);
    suite.far_case("smp/timer/runs_here_when_it_fires", here);
    suite.far_case("smp/timer/set_here_runs_there_when_it_fires", back);
    suite.case("smp/timer/its_core_goes_off", gone);
    suite.far_case("smp/timer/on_two_cores_at_once", both);
    suite.far_case("smp/timer/again_and_again_on_changing_cores", changing);
}

/// It was `us` at least after the first mark of this number, by the clock that all cores share.
fn late_enough(suite: &Suite, came: Event, us: u64) -> Check {
    let armed = suite.time_of(SINGLE, Event::Mark(1), 0)?;
    let passed = suite.time_of(SINGLE, came, armed)? - armed;
    let due = ticks(us);
    crate::client::report::equal("ticks until it came", passed.max(due), passed)
}

/// The core on which it was set sees to it.
fn there(suite: &Suite, core: &Core) -> Check {
    suite.request(SINGLE, &[Op::Mark(1), Op::Arm(5000, true)]);
    suite.answered(&core.call(&suite.message(SINGLE))?, SINGLE)?;
    core.begin_watch(20_000);
    suite.until(SINGLE, FAR, 4)?;
    core.end_watch()?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1), WOKEN, GOT])?;
    late_enough(suite, WOKEN, 5000)
}

fn here(suite: &Suite, core: &Core) -> Check {
    suite.request(SINGLE, &[Op::Mark(1), Op::Arm(20_000, true)]);
    suite.answered(&core.call(&suite.message(SINGLE))?, SINGLE)?;
    suite.request(SINGLE, &[Op::Watch(60_000), Op::Mark(2)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Mark(1),
            REQUEST,
            Event::Irq,
            GOT,
            Event::Mark(2),
        ],
    )?;
    late_enough(suite, Event::Irq, 20_000)
}

fn back(suite: &Suite, core: &Core) -> Check {
    suite.request(SINGLE, &[Op::Mark(1), Op::Arm(20_000, true)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.spins_far(core, SINGLE, &[Op::Spin(LONG)], 5)?;
    suite.page(SINGLE).go(true);
    suite.answered(&core.end()?, SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Mark(1),
            REQUEST,
            Event::Irq,
            GOT,
            Event::Went,
        ],
    )?;
    late_enough(suite, Event::Irq, 20_000)
}

/// Another one sees to it.
fn gone(suite: &Suite) -> Check {
    let core = Core::start(FAR)?;
    suite.fresh();
    suite.request(SINGLE, &[Op::Mark(1), Op::Arm(50_000, true)]);
    suite.answered(&core.call(&suite.message(SINGLE))?, SINGLE)?;
    core.stop()?;
    suite.until(SINGLE, 0, 4)?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1), WOKEN, GOT])?;
    late_enough(suite, WOKEN, 50_000)
}

/// Contexts of one partition have one each.
fn both(suite: &Suite, core: &Core) -> Check {
    let ops = [Op::Arm(10_000, true)];
    suite.request(SIGNALLED, &ops);
    suite.request_on(SIGNALLED, FAR, &ops);
    suite.answered(&core.call(&suite.message(SIGNALLED))?, SIGNALLED)?;
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    core.begin_watch(40_000);
    suite.until(SIGNALLED, 0, 3)?;
    suite.until(SIGNALLED, FAR, 3)?;
    core.end_watch()?;
    for context in [0, FAR] {
        suite.saw_in(SIGNALLED, context, &[REQUEST, WOKEN, GOT])?;
    }
    Ok(())
}

/// It is called now here, now there, while it sets its timer each time.
fn changing(suite: &Suite, core: &Core) -> Check {
    // Where eight cores take turns, each has an eighth of the time: who sets it again sooner than it can handle it does
    // nothing else.
    const PERIOD: u64 = 20_000;
    const TIMES: u64 = 20;
    let page = suite.page(SINGLE);
    page.set_mode(PERIOD << mode::AGAIN_SHIFT);
    suite.request(SINGLE, &[Op::Once, Op::Arm(PERIOD, true)]);
    let mut calls = 0;
    let went_on = cores::patiently(SOON, || {
        for far in [false, true] {
            let exchange = match far {
                false => Ok(suite.send(SINGLE)),
                true => core.call(&suite.message(SINGLE)),
            };
            // While it handles an interrupt on one core it is busy for the other, and where it is interrupted it may
            // be preempted for nobody: only an answer counts.
            if exchange.is_ok_and(|exchange| suite.answered(&exchange, SINGLE).is_ok()) {
                calls += 1;
            }
        }
        page.counted() >= TIMES
    });
    page.set_mode(0);
    crate::client::report::equal("it came often enough", went_on.into(), 1)?;
    crate::client::report::equal("answers, at least", calls.min(10), 10)?;
    // The last one stops it.
    cores::patiently(1, || false);
    Ok(())
}
