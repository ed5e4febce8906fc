//! SGIs from one vCPU to others.

use super::super::{Env, cores, good, millisecond};
use super::drain;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::rt::{gic, irq, regs};
use core::sync::atomic::{AtomicU64, Ordering};

/// A vCPU is ready for what it waits for.
static READY: AtomicU64 = AtomicU64::new(0);

fn all_ready(count: u64) -> Result<(), Failure> {
    let ready = crate::rt::cores::patiently(10, || READY.load(Ordering::Acquire) == count);
    equal("vCPUs are ready", ready.into(), 1)
}

/// Waits with interrupts on until all 16 SGIs have come.
fn receive(_: &mut Env) -> Verdict {
    drain();
    irq::unmask();
    READY.store(1, Ordering::Release);
    let all = irq::wait_until(2000 * millisecond(), || {
        (0..16).all(|id| irq::count(id) == 1)
    });
    irq::mask();
    equal("all SGIs have come", all.into(), 1)?;
    equal("interrupts that were none", irq::strange()[0], 0)?;
    good()
}

pub fn to_each(env: &mut Env) -> Verdict {
    drain();
    for core in 1..cores::VCPUS {
        READY.store(0, Ordering::Relaxed);
        cores::begin(core, env, receive)?;
        all_ready(1)?;
        for id in 0..16 {
            gic::send(id, 1 << core);
        }
        cores::finish(core)?;
    }
    equal("for this one", irq::poll().map_or(0, |_| 1), 0)?;
    Ok(Seen::Count("SGIs", 16 * (cores::VCPUS - 1)))
}

/// The same, and counts itself ready.
fn receive_seven(_: &mut Env) -> Verdict {
    drain();
    irq::unmask();
    // One after the other: vCPU 0 waits for each.
    READY.store(gic::vcpu(), Ordering::Release);
    let came = irq::wait_until(2000 * millisecond(), || irq::count(7) == 1);
    irq::mask();
    equal("the SGI has come", came.into(), 1)?;
    good()
}

pub fn to_all(env: &mut Env) -> Verdict {
    drain();
    READY.store(0, Ordering::Relaxed);
    for core in 1..cores::VCPUS {
        cores::begin(core, env, receive_seven)?;
        all_ready(core)?;
    }
    // IRM: all but oneself.
    gic::send_raw(1 << 40 | 7 << 24);
    for core in 1..cores::VCPUS {
        cores::finish(core)?;
    }
    equal("for this one", irq::poll().map_or(0, |_| 1), 0)?;
    good()
}

/// Waits for interrupt 2 in WFI, masked.
fn sleep(_: &mut Env) -> Verdict {
    drain();
    READY.store(1, Ordering::Release);
    let start = regs::cntvct();
    while irq::count(2) == 0 {
        gic::wait();
        irq::poll();
        if regs::cntvct().wrapping_sub(start) > 5000 * millisecond() {
            break;
        }
    }
    equal("the SGI has come", irq::count(2), 1)?;
    good()
}

pub fn ends_wfi(env: &mut Env) -> Verdict {
    for core in 1..cores::VCPUS {
        READY.store(0, Ordering::Relaxed);
        cores::begin(core, env, sleep)?;
        all_ready(1)?;
        // So that it does sleep.
        irq::wait_until(20 * millisecond(), || false);
        gic::send(2, 1 << core);
        cores::finish(core)?;
    }
    good()
}

/// What it has to take before it is done.
const MANY: u64 = 2000;

/// Echoes SGI 1 of vCPU 0 as SGI 1.
fn echo(_: &mut Env) -> Verdict {
    drain();
    READY.store(1, Ordering::Release);
    let start = regs::cntvct();
    for _ in 0..MANY {
        while irq::poll().is_none() {
            if regs::cntvct().wrapping_sub(start) > 20_000 * millisecond() {
                return equal("SGIs", irq::count(1), MANY).and_then(|()| good());
            }
        }
        gic::send(1, 1);
    }
    good()
}

pub fn there_and_back(env: &mut Env) -> Verdict {
    drain();
    READY.store(0, Ordering::Relaxed);
    cores::begin(1, env, echo)?;
    all_ready(1)?;
    let start = regs::cntvct();
    for _ in 0..MANY {
        gic::send(1, 1 << 1);
        while irq::poll().is_none() {
            if regs::cntvct().wrapping_sub(start) > 20_000 * millisecond() {
                return equal("SGIs", irq::count(1), MANY).and_then(|()| good());
            }
        }
    }
    cores::finish(1)?;
    equal("SGIs", irq::count(1), MANY)?;
    Ok(Seen::Count("SGIs there and back", MANY))
}
