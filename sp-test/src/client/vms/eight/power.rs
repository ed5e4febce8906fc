//! Cores that go off and come on, with what partitions and other VMs have there.

use super::{
    CORES, LONG, NUDGE, OFF, REQUEST, SOON, answered, arm, count, interrupted, nudge, page, saw,
    send, take, tell, ticks, until_asked,
};
use crate::abi::{self, ABORTED};
use crate::client::registers;
use crate::client::report::{Failure, Verdict, equal};
use crate::client::suite::starts_with;
use crate::client::vms::{Env, ask, cores, good, matrix_ask, soak};
use crate::contract::{Kind, protocol::error};
use crate::interrupts::{QUEUED, SIGNALLED, SINGLE, log::Event, script::Op};
use crate::rt::{cores as vcpus, gic, interrupt, irq};

/// A core that is not the boot core.
const FAR: u64 = 2;
const FAR_16: u16 = FAR as u16;
/// PSCI: the address is not the caller's.
const INVALID_ADDRESS: i32 = -9;
/// PSCI: that must not be.
const DENIED: i32 = -3;

/// The chapter, but for what takes long.
pub fn run(env: &mut Env) {
    for (name, run) in [
        (
            "contexts_start_and_are_told",
            starts as fn(&mut Env) -> Verdict,
        ),
        ("psci", psci),
        ("boot_core_waits_until_it_is_on_again", boot_core),
        ("preempted_partition_starts_anew", preempted),
        ("request_of_another_vm_is_lost", lost),
        ("yielded_request_of_another_vm_is_lost", lost_yielded),
        ("request_to_a_single_context_is_not_lost", migrates),
        ("vcpu_of_another_vm_goes_on", other_goes_on),
        ("timer_of_a_parked_vcpu", parked_timer),
    ] {
        env.case(format_args!("eight/power/{name}"), run);
    }
}

fn starts(env: &mut Env) -> Verdict {
    for core in 1..CORES {
        page(SIGNALLED, core).reset();
        page(QUEUED, core).reset();
        cores::on(core, env, |env| {
            let exchange = send(env, SIGNALLED, &[])?;
            answered(env, &exchange, SIGNALLED)?;
            good()
        })?;
        saw(SIGNALLED, core, &[Event::Started(core, true), REQUEST, OFF])?;
        saw(QUEUED, core, &[Event::Started(core, false), OFF])?;
    }
    good()
}

/// A core that is off is off; one that is on is on.
fn psci(env: &mut Env) -> Verdict {
    let off = crate::rt::cores::affinity_info(FAR);
    equal("AFFINITY_INFO of one that is off", off as u64, 1)?;
    let on = |target: u64, entry: u64| {
        let mut regs = [0; 18];
        regs[..4].copy_from_slice(&[abi::PSCI_CPU_ON_64.into(), target, entry, 0]);
        crate::rt::call::call(crate::rt::call::Conduit::Smc, &mut regs);
        u64::from(regs[0] as u32)
    };
    let own = psci as *const () as u64 & !3;
    equal("CPU_ON elsewhere", on(FAR, 0), abi::code(INVALID_ADDRESS))?;
    equal(
        "CPU_ON of oneself",
        on(0, own),
        abi::code(abi::PSCI_ALREADY_ON),
    )?;
    let nobody = abi::code(abi::PSCI_INVALID_PARAMETERS);
    equal("CPU_ON of nobody", on(CORES, own), nobody)?;
    let mut regs = [0; 18];
    regs[0] = abi::PSCI_CPU_OFF.into();
    crate::rt::call::call(crate::rt::call::Conduit::Smc, &mut regs);
    equal(
        "CPU_OFF of the last one",
        regs[0] as u32 as u64,
        abi::code(DENIED),
    )?;
    cores::begin(FAR, env, |_| {
        let told = vcpus::patiently(SOON, || page(SINGLE, 0).goes());
        equal("vCPU 0 has looked", told.into(), 1)?;
        good()
    })?;
    let there = vcpus::patiently(SOON, || vcpus::affinity_info(FAR) == 0);
    let again = on(FAR, own);
    page(SINGLE, 0).go(true);
    cores::finish(FAR)?;
    page(SINGLE, 0).go(false);
    equal("AFFINITY_INFO of one that is on", there.into(), 1)?;
    equal(
        "CPU_ON of one that is on",
        again,
        abi::code(abi::PSCI_ALREADY_ON),
    )?;
    good()
}

/// vCPU 0 goes off and comes back; its core stays on.
fn boot_core(env: &mut Env) -> Verdict {
    page(SIGNALLED, 0).reset();
    for _ in 0..3 {
        cores::begin(FAR, env, |_| {
            let off = vcpus::patiently(SOON, || vcpus::affinity_info(0) == 1);
            equal("vCPU 0 is off", off.into(), 1)?;
            equal("CPU_ON of vCPU 0", vcpus::call_back(0) as u64, 0)?;
            let on = vcpus::patiently(SOON, || vcpus::affinity_info(0) == 0);
            equal("vCPU 0 is on", on.into(), 1)?;
            good()
        })?;
        equal("CPU_OFF of vCPU 0", vcpus::leave(), 0)?;
        gic::open();
        cores::finish(FAR)?;
    }
    // What partitions have there is as it was.
    let exchange = send(env, SIGNALLED, &[])?;
    answered(env, &exchange, SIGNALLED)?;
    saw(SIGNALLED, 0, &[REQUEST])?;
    good()
}

/// What this VM had asked is lost with the core.
fn preempted(env: &mut Env) -> Verdict {
    page(SIGNALLED, FAR).reset();
    cores::begin(FAR, env, |env| {
        page(SIGNALLED, FAR).forget();
        let exchange = send(env, SIGNALLED, &[Op::Spin(LONG), Op::Mark(1)])?;
        interrupted(&exchange, SIGNALLED.id, FAR)?;
        take(NUDGE)?;
        good()
    })?;
    until_asked(SIGNALLED, FAR)?;
    nudge(FAR);
    cores::finish(FAR)?;
    // It is not told: it did not wait.
    saw(SIGNALLED, FAR, &[REQUEST])?;
    page(SIGNALLED, FAR).reset();
    cores::on(FAR, env, |env| {
        let run = registers(
            abi::RUN,
            &[u64::from(SIGNALLED.id) << 16 | FAR, 0, 0, 0, 0, 0, 0],
        );
        // It waits, and is run as one that waits.
        starts_with(&env.suite.call(&run)?, &[abi::MSG_WAIT.into()])?;
        let exchange = send(env, SIGNALLED, &[])?;
        answered(env, &exchange, SIGNALLED)?;
        good()
    })?;
    let started = Event::Started(FAR, true);
    saw(SIGNALLED, FAR, &[started, Event::Run, REQUEST, OFF])?;
    good()
}

/// VM 3's vCPU there asks the partition when it is run.
fn order(env: &mut Env, ops: &'static [Op]) -> Result<(), Failure> {
    let three = env.three;
    let how = u64::from(abi::DIRECT_REQ_64);
    env.suite.clear(three)?;
    env.suite
        .arm(three, matrix_ask::PASS_ON, SIGNALLED.id.into(), how)?;
    let page = page(SIGNALLED, FAR);
    page.reset();
    page.script(crate::interrupts::page::Entry::Request, ops);
    Ok(())
}

/// VM 3 runs there until vCPU 0 takes the core.
fn run_until_nudged(env: &mut Env) -> Result<(), Failure> {
    for _ in 0..100 {
        let exchange = env.run_vcpu(3, FAR_16)?;
        interrupted(&exchange, 3, FAR)?;
        if irq::poll() == Some(NUDGE) {
            return Ok(());
        }
    }
    equal("times that it was taken off the core", 100, 1)
}

/// It is run again on a core that was off meanwhile: its request was answered ABORTED.
fn is_lost(env: &mut Env) -> Verdict {
    page(SIGNALLED, FAR).script(crate::interrupts::page::Entry::Request, &[]);
    env.until_it_waits(3, FAR_16)?;
    let at_once = count(env, abi::DIRECT_REQ_64, error(ABORTED))?;
    let later = count(env, abi::RUN, error(ABORTED))?;
    equal("requests that ended with ABORTED", at_once + later, 1)?;
    // Both are as ever.
    let three = env.three;
    soak::message(env, three, Kind::Req64)?;
    let exchange = send(env, SIGNALLED, &[])?;
    answered(env, &exchange, SIGNALLED)?;
    good()
}

fn lost(env: &mut Env) -> Verdict {
    page(SIGNALLED, FAR).reset();
    cores::begin(FAR, env, |env| {
        order(env, &[Op::Spin(LONG)])?;
        run_until_nudged(env)?;
        good()
    })?;
    until_asked(SIGNALLED, FAR)?;
    nudge(FAR);
    cores::finish(FAR)?;
    cores::on(FAR, env, is_lost)
}

/// The partition yields, and VM 3 is taken off the core before it runs it again.
fn lost_yielded(env: &mut Env) -> Verdict {
    page(SIGNALLED, FAR).reset();
    cores::begin(FAR, env, |env| {
        order(env, &[Op::Yield, Op::Yield, Op::Spin(LONG)])?;
        run_until_nudged(env)?;
        good()
    })?;
    until_yielded()?;
    nudge(FAR);
    cores::finish(FAR)?;
    cores::on(FAR, env, is_lost)
}

/// What it found after its second yield.
fn until_yielded() -> Result<(), Failure> {
    let page = page(SIGNALLED, FAR);
    let there = vcpus::patiently(SOON, || {
        let entries = (0..page.logged() as usize).filter_map(|n| page.entry(n));
        let events = entries.map(|(event, _)| event);
        events
            .filter(|event| matches!(event, Event::Success(_)))
            .count()
            == 2
    });
    equal("it has yielded", there.into(), 1)
}

/// A single context is none of the core's: it goes on with its request elsewhere.
fn migrates(env: &mut Env) -> Verdict {
    page(SINGLE, 0).reset();
    cores::begin(FAR, env, |env| {
        let exchange = send(env, SINGLE, &[Op::Spin(LONG), Op::Mark(7)])?;
        interrupted(&exchange, SINGLE.id, 0)?;
        take(NUDGE)?;
        good()
    })?;
    until_asked(SINGLE, 0)?;
    nudge(FAR);
    cores::finish(FAR)?;
    page(SINGLE, 0).go(true);
    let run = registers(abi::RUN, &[u64::from(SINGLE.id) << 16, 0, 0, 0, 0, 0, 0]);
    let exchange = env.suite.call(&run)?;
    answered(env, &exchange, SINGLE)?;
    saw(SINGLE, 0, &[REQUEST, Event::Went, Event::Mark(7)])?;
    page(SINGLE, 0).reset();
    good()
}

/// VM 3's vCPU is in the midst of something, with all of its registers watched.
fn other_goes_on(env: &mut Env) -> Verdict {
    cores::on(FAR, env, |env| {
        tell(env, matrix_ask::CLEAR, [0; 4])?;
        arm(env, matrix_ask::SPIN, ticks(400_000), 0)?;
        interrupt::arm(ticks(20_000));
        let exchange = env.run_vcpu(3, FAR_16)?;
        env.suite.take_interrupt()?;
        interrupted(&exchange, 3, FAR)?;
        good()
    })?;
    cores::on(FAR, env, |env| {
        env.until_it_waits(3, FAR_16)?;
        equal("spins of VM 3", count(env, 0, 0)?, 1)?;
        good()
    })
}

/// It fires while its core is off, and is there when it runs again.
fn parked_timer(env: &mut Env) -> Verdict {
    cores::on(FAR, env, |env| {
        let timer = gic::VIRTUAL_TIMER.into();
        tell(env, ask::TAKEN, [timer, 1, 0, 0])?;
        tell(env, ask::TIMER, [ticks(5_000), 0, 0, 0])?;
        good()
    })?;
    irq::wait_until(ticks(20_000), || false);
    cores::on(FAR, env, |env| {
        let timer = gic::VIRTUAL_TIMER.into();
        let [taken, nothing, others, _] = tell(env, ask::TAKEN, [timer, 0, 0, 0])?;
        equal("interrupts of its timer, at least", taken.min(1), 1)?;
        equal("interrupts that were none, or others", nothing + others, 0)?;
        tell(env, ask::TIMER, [0; 4])?;
        good()
    })
}
