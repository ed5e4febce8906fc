//! A VM that does its worst for a while: what this VM gets done meanwhile keeps a bound.

use super::{Env, ask, cores, good, millisecond};
use crate::abi;
use crate::client::registers;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::suite::{names, starts_with};
use crate::contract::Subject;
use crate::rt::{interrupt, irq, regs};

const KINDS: &[(&str, u64)] = &[
    ("smcs", ask::SMCS),
    ("hvcs", ask::HVCS),
    ("sgis", ask::SGIS),
    ("sgis_to_all", ask::SGIS_TO_ALL),
    ("mmio", ask::MMIO),
    ("faults", ask::FAULTS),
    ("ticks", ask::TICKS),
];

/// How many of our own windows of work there are while the storm goes on.
const WINDOWS: u64 = 40;
/// Milliseconds between our timer's interrupts, and of work in each window.
const PERIOD: u64 = 2;

/// Runs the chapter.
pub fn run(env: &mut Env) {
    for (name, what) in KINDS {
        for subject in [env.two, env.three] {
            let who = subject.name;
            env.case(format_args!("storm/{name}_of_{who}_on_this_core"), |env| {
                here(env, subject, *what)
            });
        }
        env.case(format_args!("storm/{name}_on_another_core"), |env| {
            elsewhere(env, *what)
        });
    }
}

/// Works for a millisecond; gives how far it came.
fn work() -> u64 {
    let start = regs::cntvct();
    let mut count = 0;
    while regs::cntvct().wrapping_sub(start) < millisecond() {
        count += 1;
    }
    count
}

/// Fails unless the work with a storm is at least a fourth of that without.
fn bound(with: u64, without: u64) -> Verdict {
    if with < without / 4 {
        equal("work", with, without)?;
    }
    Ok(Seen::Count(
        "percent of the work without it",
        with * 100 / without.max(1),
    ))
}

/// The storm has this core whenever we give it away; our timer brings us back every time.
fn here(env: &mut Env, subject: &'static Subject, what: u64) -> Verdict {
    let without: u64 = (0..WINDOWS).map(|_| work()).sum();
    let length = WINDOWS * PERIOD * 4 * millisecond();
    env.suite.arm(subject, ask::STORM, what, length)?;
    let run = registers(abi::RUN, &[subject.target(), 0, 0, 0, 0, 0, 0]);
    let mut with = 0;
    let mut windows = 0;
    let mut late = 0;
    while windows < WINDOWS {
        interrupt::arm(PERIOD * millisecond());
        let start = regs::cntvct();
        let exchange = env.suite.call(&run)?;
        let took = regs::cntvct().wrapping_sub(start);
        if exchange.got[0] != abi::INTERRUPT.into() {
            break;
        }
        names(&exchange, abi::INTERRUPT, subject)?;
        equal("interrupts", env.suite.take_interrupt()?.into(), 1)?;
        if took > 10 * PERIOD * millisecond() {
            late += 1;
        }
        with += work();
        windows += 1;
    }
    let _ = interrupt::take();
    equal("enough windows", (windows >= WINDOWS / 4).into(), 1)?;
    // Emulators are late now and then.
    if late > windows / 4 {
        equal("windows that came late", late, 0)?;
    }
    let end = env.patiently(&run)?;
    starts_with(&end, &[abi::MSG_WAIT.into(), subject.target()])?;
    let [calls, ..] = env.suite.ask(subject, ask::STORMED, [0; 4])?;
    equal("the storm came", (calls > 10).into(), 1)?;
    env.perform(subject, ask::TAKE, 0, 0)?;
    env.alive()?;
    bound(with, without * windows / WINDOWS)
}

/// Milliseconds of a storm on another core.
const ELSEWHERE: u64 = 100;

/// VM 2 is run on core 1 for a storm, which vCPU 0 has armed.
fn host(env: &mut Env) -> Verdict {
    env.until_it_waits(2, 0)?;
    good()
}

fn elsewhere(env: &mut Env, what: u64) -> Verdict {
    let two = env.two;
    let windows = ELSEWHERE / 2;
    let without: u64 = (0..windows).map(|_| work()).sum();
    env.suite
        .arm(two, ask::STORM, what, ELSEWHERE * millisecond())?;
    cores::begin(1, env, host)?;
    irq::forget();
    irq::every(millisecond());
    irq::unmask();
    let with: u64 = (0..windows).map(|_| work()).sum();
    irq::mask();
    irq::every(0);
    let ticks = irq::count(crate::rt::gic::VIRTUAL_TIMER);
    let strange = irq::strange();
    cores::finish(1)?;
    ticked(ticks, windows)?;
    equal("interrupts that were none", strange[0], 0)?;
    env.alive()?;
    // Two cores of the host may have to do the work of three.
    bound(with * 2, without)
}

fn ticked(ticks: u64, windows: u64) -> Result<(), Failure> {
    match ticks >= windows / 5 {
        true => Ok(()),
        false => equal("ticks", ticks, windows),
    }
}
