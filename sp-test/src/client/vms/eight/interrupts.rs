//! Interrupts of both worlds on eight cores: this VM's take the core from partitions, partitions' take it from VMs, and
//! neither loses any.

use super::{CORES, REQUEST, answered, asks, kept, page, saw, send, ticks};
use crate::board::{BOARD, Line};
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::vms::{Env, cores, good, matrix_ask, soak};
use crate::interrupts::{
    ALONE, EXIT_FIQ, QUEUED, SIGNALLED, SINGLE, log::Event, page::mode, script::Op,
};
use crate::rt::{call::fresh, gic, interrupt, irq, regs, spin};

/// SGIs that this VM has pending at once, with its timer: more than there are list registers.
const SGIS: u32 = 9;

/// The chapter.
pub fn run(env: &mut Env) {
    for (name, run) in [
        (
            "of_the_vm_preempt_partitions",
            preempt as fn(&mut Env) -> Verdict,
        ),
        ("timers_of_partitions_preempt_the_vm", timers),
        ("timers_of_partitions_preempt_other_vms", timers_and_others),
        ("device_of_a_partition_from_any_core", device),
        ("pending_ones_of_the_vm_stay", pending),
        ("controller_of_the_vm_is_not_a_partitions", controller),
        ("nobody_was_confused", |env| {
            for who in [SIGNALLED, SINGLE, EXIT_FIQ, QUEUED, ALONE] {
                equal("it answers", asks(env, who, &[])?.into(), 1)?;
            }
            good()
        }),
    ] {
        env.case(format_args!("eight/interrupts/{name}"), run);
    }
}

/// Has all cores do this at the same time.
fn everywhere(env: &mut Env, work: fn(&mut Env) -> Verdict) -> Verdict {
    for core in 1..CORES {
        for who in [SIGNALLED, EXIT_FIQ, QUEUED] {
            page(who, core).reset();
        }
        cores::begin(core, env, work)?;
    }
    let own = work(env);
    let mut count = 0;
    let mut verdicts = [own; CORES as usize];
    for (core, verdict) in (0..).zip(&mut verdicts).skip(1) {
        *verdict = cores::finish(core);
    }
    let mut what = "";
    for verdict in verdicts {
        if let Seen::Count(of, more) = verdict? {
            (what, count) = (of, count + more);
        }
    }
    Ok(Seen::Count(what, count))
}

fn preempt(env: &mut Env) -> Verdict {
    everywhere(env, |env| {
        let core = gic::vcpu();
        let mut random = fresh();
        let mut answers = 0;
        for _ in 0..60 {
            interrupt::arm(ticks(50 + random.next() % 1500));
            let watch = [Op::Watch(random.next() % 2000)];
            let done = match random.next() % 4 {
                0 | 1 => asks(env, SIGNALLED, &watch)?,
                2 => asks(env, EXIT_FIQ, &watch)?,
                _ => asks(env, QUEUED, &watch)?,
            };
            equal("it has answered", done.into(), 1)?;
            answers += 1;
            env.suite.take_interrupt()?;
        }
        let _ = interrupt::take();
        for who in [SIGNALLED, EXIT_FIQ, QUEUED] {
            kept(who, core)?;
        }
        Ok(Seen::Count("answers", answers))
    })
}

/// Microseconds between interrupts of a partition's timer. In a machine whose cores take turns all of them fire in that
/// time, and each costs thousands of instructions of 64 ns.
const PERIOD: u64 = 10_000;

/// The context of this core has its timer fire again and again, until [`calm`].
fn tick(env: &mut Env, us: u64) -> Result<(), Failure> {
    let page = page(SIGNALLED, gic::vcpu());
    page.reset();
    page.set_mode(us << mode::AGAIN_SHIFT);
    let exchange = send(env, SIGNALLED, &[Op::Arm(us, true)])?;
    answered(env, &exchange, SIGNALLED)
}

/// How often it fired.
fn calm(env: &mut Env) -> Result<u64, Failure> {
    let core = gic::vcpu();
    page(SIGNALLED, core).set_mode(0);
    kept(SIGNALLED, core)?;
    equal("it answers", asks(env, SIGNALLED, &[Op::Disarm])?.into(), 1)?;
    Ok(page(SIGNALLED, core).counted())
}

/// Spins with all registers watched, while this VM's own timer and SGIs come, too: none is lost.
fn watches(us: u64, sgi: u32) -> Result<(), Failure> {
    irq::forget();
    gic::arm(ticks(us / 2));
    gic::send(sgi, 1 << gic::vcpu());
    irq::unmask();
    let result = spin::watched(ticks(us));
    irq::mask();
    result.map_err(|mismatch| Failure::Partition {
        conduit: crate::rt::call::Conduit::Smc,
        mismatch,
    })?;
    // A host that is late may have kept it until now.
    let start = regs::cntvct();
    while irq::count(gic::VIRTUAL_TIMER) == 0 && regs::cntvct().wrapping_sub(start) < regs::cntfrq()
    {
        irq::poll();
    }
    equal("interrupts of its timer", irq::count(gic::VIRTUAL_TIMER), 1)?;
    equal("SGIs", irq::count(sgi), 1)?;
    equal("interrupts of others", irq::strange()[1], 0)
}

fn timers(env: &mut Env) -> Verdict {
    everywhere(env, |env| {
        tick(env, PERIOD)?;
        for n in 0..200 {
            watches(PERIOD + 500 * n, 1 + n as u32 % 4)?;
            if n > 10 && page(SIGNALLED, gic::vcpu()).counted() > 10 {
                break;
            }
        }
        let count = calm(env)?;
        equal("interrupts of the partition, at least", count.min(10), 10)?;
        Ok(Seen::Count("interrupts of partitions", count))
    })
}

/// They come while other VMs run, which watch their registers.
fn timers_and_others(env: &mut Env) -> Verdict {
    everywhere(env, |env| {
        tick(env, PERIOD)?;
        let three = env.three;
        let two = env.two;
        for n in 0..200 {
            let spin = ticks(PERIOD + 500 * n);
            env.perform(three, matrix_ask::SPIN, spin, 0)?;
            soak::message(env, two, crate::contract::Kind::Req64)?;
            if page(SIGNALLED, gic::vcpu()).counted() > 10 {
                break;
            }
        }
        let count = calm(env)?;
        equal("interrupts of the partition, at least", count.min(10), 10)?;
        Ok(Seen::Count("interrupts of partitions", count))
    })
}

/// Another partition raises its line, on each core in turn.
fn device(env: &mut Env) -> Verdict {
    let seen = || {
        let pages = (0..CORES).map(|core| page(SIGNALLED, core));
        pages.map(|page| page.counted()).sum::<u64>()
    };
    for core in 0..CORES {
        for core in 0..CORES {
            page(SIGNALLED, core).reset();
        }
        let raise = |env: &mut Env| {
            let exchange = send(env, QUEUED, &[Op::Raise(Line::Shared)])?;
            answered(env, &exchange, QUEUED)?;
            watches(1_000, 3)?;
            good()
        };
        match core {
            0 => raise(env)?,
            core => cores::on(core, env, raise)?,
        };
        let there = crate::rt::cores::patiently(super::SOON, || seen() != 0);
        equal("the line's interrupt has come", there.into(), 1)?;
        irq::wait_until(ticks(2_000), || false);
        equal("how often", seen(), 1)?;
    }
    good()
}

/// More than the list registers hold are pending.
fn all_pending() {
    irq::forget();
    for sgi in 0..SGIS {
        gic::send(sgi, 1 << gic::vcpu());
    }
    gic::arm(0);
}

/// Each of them is taken once.
fn all_taken() -> Result<(), Failure> {
    for _ in 0..=SGIS {
        let start = regs::cntvct();
        while irq::poll().is_none() && regs::cntvct().wrapping_sub(start) < regs::cntfrq() {}
    }
    for sgi in 0..SGIS {
        equal("how often an SGI was taken", irq::count(sgi), 1)?;
    }
    equal("how often the timer was", irq::count(gic::VIRTUAL_TIMER), 1)?;
    equal("one more", irq::poll().map_or(0, u64::from), 0)
}

/// Partitions' interrupts come and go while the VM's own are pending, and masked.
fn pending(env: &mut Env) -> Verdict {
    everywhere(env, |env| {
        tick(env, PERIOD)?;
        for _ in 0..10 {
            all_pending();
            let before = page(SIGNALLED, gic::vcpu()).counted();
            let come = irq::wait_until(ticks(1_000_000), || {
                page(SIGNALLED, gic::vcpu()).counted() > before + 2
            });
            equal("the partition's have come", come.into(), 1)?;
            all_taken()?;
        }
        let count = calm(env)?;
        Ok(Seen::Count("interrupts of partitions", count))
    })
}

/// A partition does all that it can to the registers of the interrupt controller.
fn controller(env: &mut Env) -> Verdict {
    const TIMES: usize = 10;
    everywhere(env, |env| {
        let core = gic::vcpu();
        for _ in 0..5 {
            page(QUEUED, core).reset();
            all_pending();
            let mut events = [Event::Reached(0); TIMES + 1];
            events[0] = REQUEST;
            let exchange = send(env, QUEUED, &[Op::Controller; TIMES])?;
            answered(env, &exchange, QUEUED)?;
            for (number, slot) in events.iter_mut().enumerate().skip(1) {
                // Some machines let it at registers, in which nothing of the VM's is.
                if let Some((Event::Reached(count), _)) = page(QUEUED, core).entry(number)
                    && !BOARD.controller_traps
                {
                    *slot = Event::Reached(count);
                }
            }
            saw(QUEUED, core, &events)?;
            all_taken()?;
        }
        good()
    })
}
