//! Cores go off and come on, a hundred times each, while all talk.

use super::{CORES, OFF, asks, kept, page, ticks};
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::vms::{Env, cores, good, matrix_ask, soak};
use crate::contract::Kind;
use crate::interrupts::{ALONE, EXIT_FIQ, QUEUED, SIGNALLED, SINGLE, log::Event, script::Op};
use crate::rt::{call::fresh, gic, interrupt, regs};

/// How often each core goes off and comes on again.
const ROUNDS: u64 = 100;

/// All cores but the boot core go off and on, while all talk.
pub fn run(env: &mut Env) {
    env.case(format_args!("eight/power/off_and_on_100_times"), off_and_on);
    env.case(format_args!("eight/power/everybody_answers_after"), |env| {
        let [two, three] = [env.two, env.three];
        for subject in [two, three] {
            let answered = soak::command(env, subject, matrix_ask::WHO, [0; 4])?;
            equal("it answers", answered.is_some().into(), 1)?;
        }
        for who in [SIGNALLED, SINGLE, EXIT_FIQ, QUEUED, ALONE] {
            equal("it answers", asks(env, who, &[])?.into(), 1)?;
        }
        good()
    });
}

/// One stay of a core: everybody there answers, with interrupts at random times.
fn stay(env: &mut Env) -> Verdict {
    let core = gic::vcpu();
    let (first, _) = page(SIGNALLED, core)
        .entry(0)
        .unwrap_or((Event::Nothing, 0));
    if first != Event::Started(core, true) {
        return Err(Failure::Event {
            of: SIGNALLED.name,
            number: 0,
            got: first,
            want: Event::Started(core, true),
        });
    }
    let mut random = fresh();
    let [two, three] = [env.two, env.three];
    for _ in 0..1 + random.next() % 4 {
        if random.next() & 1 != 0 {
            interrupt::arm(ticks(100 + random.next() % 2000));
        }
        let mut talked = true;
        match random.next() % 7 {
            0 => soak::message(env, two, Kind::Req64)?,
            1 | 2 => soak::message(env, three, Kind::Req2)?,
            3 => talked = asks(env, SIGNALLED, &[Op::Watch(random.next() % 1000)])?,
            4 => talked = asks(env, EXIT_FIQ, &[])?,
            5 => talked = asks(env, QUEUED, &[Op::Watch(random.next() % 500)])?,
            // Others may have it.
            _ => {
                asks(env, SINGLE, &[])?;
            }
        }
        equal(
            "a context of this core's own has answered",
            talked.into(),
            1,
        )?;
        env.suite.take_interrupt()?;
    }
    let _ = interrupt::take();
    for who in [SIGNALLED, QUEUED] {
        kept(who, core)?;
    }
    good()
}

/// Before a core comes on: its contexts' pages are new.
fn switch_on(env: &Env, core: u64) -> Result<(), Failure> {
    for who in [SIGNALLED, EXIT_FIQ, QUEUED] {
        page(who, core).reset();
    }
    cores::begin(core, env, stay)
}

/// After it has gone off: who wants to know was told, once, and last.
fn was_told(core: u64) -> Result<(), Failure> {
    let page = page(SIGNALLED, core);
    let entries = || (0..page.logged() as usize).filter_map(|n| page.entry(n));
    let told = entries().filter(|(event, _)| *event == OFF).count() as u64;
    equal("how often a context was told of CPU_OFF", told, 1)?;
    let last = entries().next_back().is_some_and(|(event, _)| event == OFF);
    equal("it was told last", last.into(), 1)
}

fn off_and_on(env: &mut Env) -> Verdict {
    let start = regs::cntvct();
    let mut left = [ROUNDS; CORES as usize];
    left[0] = 0;
    page(SINGLE, 0).reset();
    for core in 1..CORES {
        switch_on(env, core)?;
    }
    let mut random = fresh();
    let mut talks = 0u64;
    let mut verdict = Ok(());
    while left.iter().any(|left| *left != 0) {
        for (core, left) in (0..CORES).zip(&mut left) {
            if *left == 0 || !cores::is_done(core) {
                continue;
            }
            cores::finish(core)?;
            verdict = verdict.and(was_told(core));
            *left = if verdict.is_err() { 0 } else { *left - 1 };
            if *left != 0 {
                switch_on(env, core)?;
            }
        }
        let [two, three] = [env.two, env.three];
        match random.next() % 4 {
            0 => soak::message(env, two, Kind::Req2)?,
            1 => soak::message(env, three, Kind::Req64)?,
            2 => {
                asks(env, SINGLE, &[])?;
            }
            _ => {
                asks(env, SIGNALLED, &[Op::Watch(50)])?;
            }
        }
        talks += 1;
        let seconds = regs::cntvct().wrapping_sub(start) / regs::cntfrq();
        equal("it takes no longer", (seconds < 240).into(), 1)?;
    }
    verdict?;
    crate::say!(
        "@note {} times off and on, {talks} messages of vCPU 0",
        (CORES - 1) * ROUNDS
    );
    Ok(Seen::Count("times off and on", (CORES - 1) * ROUNDS))
}
