//! Cores are switched on and off: their contexts start, are told, and start anew.

use super::{Core, REQUEST};
use crate::abi::PSCI_CPU_OFF;
use crate::board::CORES;
use crate::client::interrupts::{Check, Suite};
use crate::interrupts::log::Event;
use crate::interrupts::page::mode;
use crate::interrupts::script::Op;
use crate::interrupts::{ALONE, EXIT_FIQ, EXIT_IRQ, QUEUED, SIGNALLED, SINGLE, Who};

const OFF: Event = Event::Framework(0, PSCI_CPU_OFF as u64);
/// How often each core is switched on and off.
const ROUNDS: u64 = 10;
/// Those with a context for each core, in the order of booting: whether it starts at a registered entry, whether it
/// is told of CPU_OFF.
const MANY: [(Who, bool, bool); 3] = [
    (SIGNALLED, true, true),
    (EXIT_FIQ, true, false),
    (QUEUED, false, true),
];

/// The chapter.
pub fn run(suite: &mut Suite) {
    for core in 1..CORES.into() {
        suite.case(format_args!("smp/start/core_{core}"), |suite| {
            start(suite, core)
        });
    }
    suite.case("smp/on_again/all_cores_many_times", |suite| {
        rounds(suite, ROUNDS)
    });
    suite.case("smp/off/refusal_is_only_logged", refusal);
    suite.case("smp/off/preempted_context_is_not_told", preempted);
    suite.case("smp/single_context_goes_from_core_to_core", migrates);
    together(suite);
}

/// All cores do something at the same time.
pub fn together(suite: &mut Suite) {
    suite.case("smp/on_again/all_cores", |suite| rounds(suite, 1));
    suite.case("smp/all_cores_call", all_call);
}

/// Its contexts start in the order of booting, and go off in it.
fn start(suite: &Suite, number: u64) -> Check {
    let core = Core::start(number)?;
    for (who, registered, _) in MANY {
        suite.saw_in(who, number, &[Event::Started(number, registered)])?;
    }
    suite.in_order(number, &[SIGNALLED, EXIT_FIQ, QUEUED], |page| {
        page.entry(0).map_or(0, |(_, time)| time)
    })?;
    core.stop()?;
    for (who, registered, told) in MANY {
        let started = Event::Started(number, registered);
        match told {
            true => suite.saw_in(who, number, &[started, OFF])?,
            false => suite.saw_in(who, number, &[started])?,
        }
    }
    suite.in_order(number, &[SIGNALLED, QUEUED], |page| {
        page.entry(1).map_or(0, |(_, time)| time)
    })
}

/// Everybody on it answers each time.
fn rounds(suite: &Suite, rounds: u64) -> Check {
    for _ in 0..rounds {
        for number in 1..CORES.into() {
            suite.fresh();
            let core = Core::start(number)?;
            for who in [SIGNALLED, SINGLE, EXIT_FIQ, EXIT_IRQ, QUEUED, ALONE] {
                suite.answered(&core.call(&suite.message(who))?, who)?;
            }
            core.stop()?;
            let started = Event::Started(number, true);
            suite.saw_in(SIGNALLED, number, &[started, REQUEST, OFF])?;
            suite.saw(SINGLE, &[REQUEST])?;
        }
    }
    Ok(())
}

/// EL3 would stop the machine.
fn refusal(suite: &Suite) -> Check {
    let core = Core::start(2)?;
    suite.page_of(SIGNALLED, 2).set_mode(mode::REFUSE_OFF);
    core.stop()?;
    suite.saw_in(SIGNALLED, 2, &[Event::Started(2, true), OFF])?;
    suite.saw_in(QUEUED, 2, &[Event::Started(2, false), OFF])?;
    let core = Core::start(2)?;
    suite.answered(&core.call(&suite.message(SIGNALLED))?, SIGNALLED)?;
    core.stop()
}

/// It loses its work, and starts anew.
fn preempted(suite: &Suite) -> Check {
    let core = Core::start(2)?;
    suite.page_of(SIGNALLED, 2).reset();
    suite.request_on(SIGNALLED, 2, &[Op::Yield, Op::Mark(1)]);
    suite.yields(&core.call(&suite.message(SIGNALLED))?)?;
    core.stop()?;
    suite.saw_in(SIGNALLED, 2, &[REQUEST])?;
    let core = Core::start(2)?;
    suite.page_of(SIGNALLED, 2).reset();
    suite.answered(&core.call(&suite.message(SIGNALLED))?, SIGNALLED)?;
    suite.saw_in(SIGNALLED, 2, &[REQUEST])?;
    core.stop()
}

/// All at the same time, each its own context.
fn all_call(suite: &Suite) -> Check {
    let mut all: [Option<Core>; CORES as usize] = [const { None }; CORES as usize];
    for (number, slot) in all.iter_mut().enumerate().skip(1) {
        *slot = Some(Core::start(number as u64)?);
    }
    suite.fresh();
    for who in [SIGNALLED, EXIT_FIQ, QUEUED] {
        for core in all.iter().flatten() {
            suite.request_on(who, core.number(), &[Op::Spin(super::LONG)]);
            core.begin(&suite.message(who));
        }
        for core in all.iter().flatten() {
            suite.until(who, core.number(), 1)?;
        }
        suite.answered(&suite.send(who), who)?;
        for core in all.iter().flatten() {
            suite.page_of(who, core.number()).go(true);
            suite.answered(&core.end()?, who)?;
            suite.saw_in(who, core.number(), &[REQUEST, Event::Went])?;
        }
    }
    for core in all.into_iter().flatten() {
        core.stop()?;
    }
    Ok(())
}

fn migrates(suite: &Suite) -> Check {
    for number in 1..CORES.into() {
        let core = Core::start(number)?;
        suite.fresh();
        suite.request(SINGLE, &[Op::Mark(number)]);
        suite.answered(&core.call(&suite.message(SINGLE))?, SINGLE)?;
        suite.saw(SINGLE, &[REQUEST, Event::Mark(number)])?;
        suite.answered(&suite.send(SINGLE), SINGLE)?;
        core.stop()?;
    }
    Ok(())
}
