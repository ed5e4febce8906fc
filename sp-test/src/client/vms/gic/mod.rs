//! The virtual interrupt controller and timer of this VM, on all of its vCPUs.

mod between;

use super::{Case, Env, case, cores, good, millisecond};
use crate::client::report::{Seen, Verdict, equal};
use crate::client::suite::{How, V12};
use crate::contract::Kind;
use crate::rt::{gic, irq, regs};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Runs the chapter.
pub fn run(env: &mut Env) {
    env.each("gic", CASES);
    gic::open();
}

const CASES: &[Case] = &[
    case("identification", identification),
    case("reserved_registers", reserved),
    case("sgis_to_itself", sgis_to_itself),
    case("all_sgis_pending_by_priority", by_priority),
    case("disabled_stays_pending", disabled),
    case("masked_by_priority", masked),
    case("pending_by_register", by_register),
    case("pending_again_while_active", pending_again),
    case("sgis_to_each_vcpu", between::to_each),
    case("sgis_to_all_others", between::to_all),
    case("sgi_ends_wfi", between::ends_wfi),
    case("storm_of_sgis_between_vcpus", between::there_and_back),
    case("timer_ticks", ticks),
    case("timers_of_all_vcpus", all_tick),
    case("timer_ends_wfi", timer_ends_wfi),
    case("nobody_else_was_interrupted", nobody_else),
];

const GICD_TYPER: u64 = 4;
const GICD_IIDR: u64 = 8;
const PIDR2: u64 = 0xffe8;
const GICR_TYPER: u64 = 8;
const ISPENDR0: u64 = 0x200;

fn identification(_: &mut Env) -> Verdict {
    let revision = |base| u64::from(gic::read(base + PIDR2) >> 4 & 0xf);
    equal("GICD_PIDR2.ArchRev", revision(gic::DISTRIBUTOR), 3)?;
    let typer = u64::from(gic::read(gic::DISTRIBUTOR + GICD_TYPER));
    // SPIs in units of 32, no LPIs, no messages.
    equal("GICD_TYPER.MBIS, LPIS", typer >> 16 & 3, 0)?;
    equal("GICD_TYPER.SecurityExtn", typer >> 10 & 1, 0)?;
    let _ = gic::read(gic::DISTRIBUTOR + GICD_IIDR);
    for vcpu in 0..cores::VCPUS {
        let base = gic::REDISTRIBUTORS + vcpu * gic::STRIDE;
        equal("GICR_PIDR2.ArchRev", revision(base), 3)?;
        let typer = gic::read_64(base + GICR_TYPER);
        equal("GICR_TYPER.Affinity", typer >> 32, vcpu)?;
        equal("GICR_TYPER.Processor", typer >> 8 & 0xffff, vcpu)?;
        let last = u64::from(vcpu == cores::VCPUS - 1);
        equal("GICR_TYPER.Last", typer >> 4 & 1, last)?;
        equal("GICR_TYPER.LPIs", typer & 1, 0)?;
        // By halves as well.
        let upper = gic::read(base + GICR_TYPER + 4);
        equal("GICR_TYPER's upper half", upper.into(), vcpu)?;
    }
    Ok(Seen::Value("GICD_TYPER", typer))
}

fn reserved(_: &mut Env) -> Verdict {
    for offset in [0x1c, 0x30, 0xd000, 0xff00] {
        let address = gic::DISTRIBUTOR + offset;
        gic::write(address, u32::MAX);
        equal("a reserved register", gic::read(address).into(), 0)?;
    }
    // Affinity routing can't be left.
    let control = gic::read(gic::DISTRIBUTOR);
    gic::write(gic::DISTRIBUTOR, control & !(1 << 4));
    equal(
        "GICD_CTLR.ARE",
        u64::from(gic::read(gic::DISTRIBUTOR) >> 4 & 1),
        1,
    )?;
    gic::write(gic::DISTRIBUTOR, control);
    good()
}

/// Takes what is pending, with interrupts masked; forgets it.
fn drain() {
    while irq::poll().is_some() {}
    irq::forget();
}

fn sgis_to_itself(_: &mut Env) -> Verdict {
    drain();
    for id in 0..16 {
        gic::send(id, 1);
        equal("pending", gic::highest_pending().into(), id.into())?;
        equal("taken", irq::poll().map_or(0xffff, u64::from), id.into())?;
        equal("taken again", irq::poll().map_or(0xffff, u64::from), 0xffff)?;
    }
    irq::unmask();
    for id in 0..16 {
        gic::send(id, 1);
    }
    let all = irq::wait_until(100 * millisecond(), || {
        (0..16).all(|id| irq::count(id) == 2)
    });
    irq::mask();
    equal("SGIs", all.into(), 1)?;
    Ok(Seen::Count("SGIs", 32))
}

/// More are pending than there are list registers, and they come by their priorities.
fn by_priority(_: &mut Env) -> Verdict {
    drain();
    // 7 and 16 have no common factor: a permutation.
    let priority = |id: u32| (0x10 + 8 * (id * 7 % 16)) as u8;
    for id in 0..16 {
        gic::set_priority(id, priority(id));
    }
    for id in 0..16 {
        gic::send(id, 1);
    }
    // An SGI that is pending is not pending twice.
    gic::send(3, 1);
    irq::unmask();
    let all = irq::wait_until(100 * millisecond(), || {
        (0..16).all(|id| irq::count(id) == 1)
    });
    irq::mask();
    for id in 0..16 {
        gic::set_priority(id, gic::PRIORITY);
    }
    equal("SGIs", all.into(), 1)?;
    let mut last = 0;
    for n in 0..16 {
        let id = irq::logged(n).unwrap_or(0xffff);
        let now = priority(id as u32);
        equal("the order by priorities", (now > last).into(), 1)?;
        last = now;
    }
    good()
}

fn disabled(_: &mut Env) -> Verdict {
    drain();
    gic::enable(3, false);
    gic::send(3, 1);
    let early = irq::poll();
    gic::enable(3, true);
    equal("taken while disabled", early.map_or(0, |_| 1), 0)?;
    equal(
        "taken once enabled",
        irq::poll().map_or(0xffff, u64::from),
        3,
    )?;
    good()
}

fn masked(_: &mut Env) -> Verdict {
    drain();
    gic::set_priority(4, 0x40);
    gic::mask_priority(gic::PRIORITY);
    gic::send(3, 1);
    let early = irq::poll();
    gic::send(4, 1);
    let urgent = irq::poll();
    gic::mask_priority(0xff);
    gic::set_priority(4, gic::PRIORITY);
    equal("taken while masked", early.map_or(0, |_| 1), 0)?;
    equal("of a higher priority", urgent.map_or(0xffff, u64::from), 4)?;
    equal(
        "taken once unmasked",
        irq::poll().map_or(0xffff, u64::from),
        3,
    )?;
    good()
}

fn by_register(_: &mut Env) -> Verdict {
    drain();
    let frame = gic::redistributor() + gic::SGI_FRAME;
    gic::write(frame + ISPENDR0, 1 << 9);
    let pending = gic::read(frame + ISPENDR0);
    equal("GICR_ISPENDR0", u64::from(pending >> 9 & 1), 1)?;
    equal("taken", irq::poll().map_or(0xffff, u64::from), 9)?;
    // ICPENDR takes it back.
    gic::write(frame + ISPENDR0, 1 << 9);
    gic::write(frame + ISPENDR0 + 0x80, 1 << 9);
    equal("taken back", irq::poll().map_or(0, |_| 1), 0)?;
    good()
}

/// What is pending behind its own active state is not signalled, whatever its priority has become: a partition that is
/// called meanwhile is not kept from the core by it.
fn pending_again(env: &mut Env) -> Verdict {
    drain();
    gic::send(5, 1);
    let taken = gic::acknowledge();
    gic::send(5, 1);
    gic::set_priority(5, 0x20);
    let answered = env.suite.answered(Kind::Req64, V12, How::Clean);
    gic::set_priority(5, gic::PRIORITY);
    gic::end(taken);
    let again = irq::poll();
    answered?;
    equal("taken", taken.into(), 5)?;
    equal("taken again", again.map_or(0xffff, u64::from), 5)?;
    good()
}

/// Ticks of this vCPU's timer in the time of 60, one in so many milliseconds, with `idle` in between.
fn tick(period: u64, idle: fn()) -> Verdict {
    drain();
    let start = regs::cntvct();
    irq::every(period * millisecond());
    irq::unmask();
    irq::wait_until(60 * period * millisecond(), || {
        idle();
        false
    });
    irq::every(0);
    irq::mask();
    // Where vCPUs take turns, this one may have waited for its own at the end, and ticked meanwhile.
    let most = regs::cntvct().wrapping_sub(start) / (period * millisecond());
    let count = irq::count(gic::VIRTUAL_TIMER);
    if !(10..=most).contains(&count) {
        equal("ticks", count, most)?;
    }
    equal("interrupts that were none", irq::strange()[0], 0)?;
    Ok(Seen::Count("ticks", count))
}

fn ticks(_: &mut Env) -> Verdict {
    tick(1, core::hint::spin_loop)
}

/// Which vCPUs are ready to tick: a core that starts takes time from all where they take turns.
static READY: [AtomicBool; cores::VCPUS as usize] =
    [const { AtomicBool::new(false) }; cores::VCPUS as usize];

fn tick_asleep(_: &mut Env) -> Verdict {
    if let Some(own) = READY.get(gic::vcpu() as usize) {
        own.store(true, Relaxed);
    }
    let all = || READY.iter().all(|ready| ready.load(Relaxed));
    let there = crate::rt::cores::patiently(10, all);
    equal("all vCPUs are ready", there.into(), 1)?;
    // They take turns, and each waits for all: a turn is longer than a millisecond.
    tick(10, gic::wait)
}

fn all_tick(env: &mut Env) -> Verdict {
    for core in 1..cores::VCPUS {
        cores::begin(core, env, tick_asleep)?;
    }
    let own = tick_asleep(env);
    for core in 1..cores::VCPUS {
        cores::finish(core)?;
    }
    own
}

fn timer_ends_wfi(_: &mut Env) -> Verdict {
    drain();
    for _ in 0..5 {
        let start = regs::cntvct();
        gic::arm(5 * millisecond());
        gic::wait();
        let took = regs::cntvct().wrapping_sub(start);
        equal("taken", irq::poll().map_or(0xffff, u64::from), 27)?;
        equal("not before its time", (took >= 5 * millisecond()).into(), 1)?;
    }
    good()
}

/// The other VMs have taken nothing of all that.
fn nobody_else(env: &mut Env) -> Verdict {
    for subject in [env.two, env.three] {
        for id in [0, 1, 2, 7, 15, 27] {
            env.taken(subject, id, true)?;
            equal("interrupts", env.taken(subject, id, false)?, 0)?;
        }
        env.perform(subject, super::ask::TAKE, 0, 0)?;
        for id in 0..16 {
            equal("interrupts", env.taken(subject, id, false)?, 0)?;
        }
    }
    good()
}
