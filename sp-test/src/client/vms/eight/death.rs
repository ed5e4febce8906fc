//! A VM ends on one core while its other vCPUs are on others, in every state: all of them stop there and then.

use super::{
    CORES, LONG, REQUEST, SOON, answered, arm, interrupted, nudge, page, send, ticks, until_asked,
};
use crate::abi::{self, ABORTED, BUSY};
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::suite::is_error;
use crate::client::vms::{Env, ask, cores, errors, good, matrix_ask, soak};
use crate::contract::Kind;
use crate::interrupts::{QUEUED, SIGNALLED, page::Entry, script::Op};
use crate::rt::{cores as vcpus, irq, regs};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Milliseconds for which VM 3 spins.
const SPIN_MS: u64 = 5_000;

/// The chapter: VM 3 ends once.
pub fn run(env: &mut Env) {
    for (name, run) in [
        ("on_all_cores_at_once", all as fn(&mut Env) -> Verdict),
        ("partitions_that_worked_for_it_answer", partitions),
        ("everybody_else_answers", others),
    ] {
        env.case(format_args!("eight/death/{name}"), run);
    }
}

/// Which cores are where they shall be: each says so of itself.
static THERE: [AtomicBool; CORES as usize] = [const { AtomicBool::new(false) }; CORES as usize];
/// VM 3 has ended.
static ENDED: AtomicBool = AtomicBool::new(false);

fn is_there() {
    if let Some(there) = THERE.get(crate::rt::gic::vcpu() as usize) {
        there.store(true, Relaxed);
    }
}

fn has_ended() -> Result<(), Failure> {
    let ended = vcpus::patiently(2 * SOON, || ENDED.load(Relaxed));
    equal("VM 3 has ended", ended.into(), 1)
}

/// VM 3 runs in a request of ours; it is found dead before that is over.
fn spins(env: &mut Env) -> Verdict {
    let three = env.three;
    let start = regs::cntvct();
    is_there();
    let mut exchange = env.begin(three, matrix_ask::SPIN, ticks(1000 * SPIN_MS), 0)?;
    while exchange.got[0] == abi::INTERRUPT.into() {
        irq::drain();
        exchange = env.run_vcpu(3, crate::rt::gic::vcpu() as u16)?;
    }
    ends(env, &exchange, start)
}

fn ends(env: &mut Env, exchange: &crate::expect::Exchange, start: u64) -> Verdict {
    is_error(exchange, ABORTED)?;
    let took = regs::cntvct().wrapping_sub(start) / ticks(1000);
    equal("before it was over", (took < SPIN_MS - 1000).into(), 1)?;
    errors::dead(env, 3)?;
    Ok(Seen::Count("milliseconds", took))
}

/// A partition works for VM 3, which works for us.
fn in_a_partition(env: &mut Env, who: crate::interrupts::Who) -> Verdict {
    let core = crate::rt::gic::vcpu();
    page(who, core).script(Entry::Request, &[Op::Spin(LONG)]);
    let three = env.three;
    let how = u64::from(abi::DIRECT_REQ_64);
    arm(env, matrix_ask::PASS_ON, who.id.into(), how)?;
    let start = regs::cntvct();
    is_there();
    let (_, mut exchange) = env.suite.send(Kind::Req64, three)?;
    while exchange.got[0] == abi::INTERRUPT.into() {
        irq::drain();
        exchange = env.run_vcpu(3, core as u16)?;
    }
    ends(env, &exchange, start)
}

/// The same, and all of it was taken off the core before.
fn preempted(env: &mut Env) -> Verdict {
    let core = crate::rt::gic::vcpu();
    page(SIGNALLED, core).script(Entry::Request, &[Op::Spin(LONG)]);
    let three = env.three;
    let how = u64::from(abi::DIRECT_REQ_64);
    arm(env, matrix_ask::PASS_ON, SIGNALLED.id.into(), how)?;
    let (_, mut exchange) = env.suite.send(Kind::Req64, three)?;
    interrupted(&exchange, 3, core)?;
    while irq::poll() != Some(super::NUDGE) {
        exchange = env.run_vcpu(3, core as u16)?;
        interrupted(&exchange, 3, core)?;
    }
    is_there();
    has_ended()?;
    is_error(&env.run_vcpu(3, core as u16)?, ABORTED)?;
    good()
}

/// It has yielded.
fn yielded(env: &mut Env) -> Verdict {
    let core = crate::rt::gic::vcpu();
    let three = env.three;
    let exchange = env.begin(three, ask::WAIT, 1, 0)?;
    equal("x0", exchange.got[0], abi::YIELD.into())?;
    is_there();
    has_ended()?;
    is_error(&env.run_vcpu(3, core as u16)?, ABORTED)?;
    good()
}

/// VM 2 was asked by VM 3, and spins.
fn in_another_vm(env: &mut Env) -> Verdict {
    let (two, three) = (env.two, env.three);
    env.suite
        .arm(two, matrix_ask::SPIN, ticks(1000 * SPIN_MS), 0)?;
    let how = u64::from(abi::DIRECT_REQ_64);
    arm(env, matrix_ask::PASS_ON, two.id.into(), how)?;
    let start = regs::cntvct();
    is_there();
    let (_, mut exchange) = env.suite.send(Kind::Req64, three)?;
    while exchange.got[0] == abi::INTERRUPT.into() {
        irq::drain();
        exchange = env.run_vcpu(3, crate::rt::gic::vcpu() as u16)?;
    }
    ends(env, &exchange, start)
}

fn all(env: &mut Env) -> Verdict {
    for core in 0..CORES {
        page(SIGNALLED, core).reset();
        page(QUEUED, core).reset();
    }
    let work: [fn(&mut Env) -> Verdict; CORES as usize - 1] = [
        spins,
        |env| in_a_partition(env, SIGNALLED),
        |env| in_a_partition(env, QUEUED),
        preempted,
        yielded,
        in_another_vm,
        spins,
    ];
    for (core, work) in (1..).zip(work) {
        cores::begin(core, env, work)?;
    }
    until_asked(SIGNALLED, 2)?;
    until_asked(QUEUED, 3)?;
    until_asked(SIGNALLED, 4)?;
    nudge(4);
    let there = vcpus::patiently(SOON, || {
        THERE.iter().skip(1).all(|there| there.load(Relaxed))
    });
    equal("all are there", there.into(), 1)?;
    // Those that are there are about to be in it.
    irq::wait_until(ticks(200_000), || false);
    let three = env.three;
    is_error(&env.begin(three, ask::DIE, ask::RESET, 0)?, ABORTED)?;
    ENDED.store(true, Relaxed);
    errors::dead(env, 3)?;
    // The normal world's interrupts are queued while that one runs: it comes to its end first.
    page(QUEUED, 3).go(true);
    let mut longest = 0;
    for core in 1..CORES {
        if let Seen::Count(_, took) = cores::finish(core)? {
            longest = longest.max(took);
        }
    }
    Ok(Seen::Count("milliseconds at most", longest))
}

/// Their cores were off since, and they are new; on the boot core nobody worked for it.
fn partitions(env: &mut Env) -> Verdict {
    for core in [2, 3, 4] {
        cores::on(core, env, |env| {
            let core = crate::rt::gic::vcpu();
            for who in [SIGNALLED, QUEUED] {
                page(who, core).forget();
                let exchange = send(env, who, &[])?;
                answered(env, &exchange, who)?;
                super::saw(who, core, &[REQUEST])?;
            }
            good()
        })?;
    }
    good()
}

fn others(env: &mut Env) -> Verdict {
    let two = env.two;
    // It goes on, and its answer is nobody's.
    let exchange = env.suite.send(Kind::Req64, two)?.1;
    is_error(&exchange, BUSY)?;
    env.until_it_waits(2, 0)?;
    soak::message(env, two, Kind::Req64)?;
    for core in 1..CORES {
        cores::on(core, env, |env| {
            let two = env.two;
            soak::message(env, two, Kind::Req64)?;
            errors::dead(env, 3)?;
            good()
        })?;
    }
    good()
}
