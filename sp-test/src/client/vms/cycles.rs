//! Interrupts for each member of a chain, yields, WFI, and time slices.

use super::{Case, Env, ask, case, done, good, matrix_ask, millisecond, spin, timer_off};
use crate::abi;
use crate::client::contract::cycles::passed_on;
use crate::client::registers;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::suite::{V12, names, starts_with};
use crate::contract::{Kind, Subject};
use crate::expect::Exchange;
use crate::rt::{gic, interrupt, regs};

/// Runs the chapter.
pub fn run(env: &mut Env) {
    env.each("cycles", CASES);
}

const CASES: &[Case] = &[
    case("primary_timer_while_two_calls_partition", below_partition),
    case("primary_timer_while_three_works_for_two", deep),
    case("primary_timer_three_deep", three_deep),
    case("own_timer_while_it_spins", own_timer),
    case("own_timer_while_it_is_run", own_timer_in_run),
    case(
        "own_timer_while_it_calls_a_partition",
        own_timer_in_partition,
    ),
    case("own_timer_while_it_calls_another_vm", own_timer_below),
    case("timer_that_was_due_while_it_was_parked", late_timer),
    case("wfi_in_request", wfi_in_request),
    case("wfi_in_run", wfi_in_run),
    case("wfi_tells_the_time_to_the_timer", wfi_with_timer),
    case("wfi_with_something_pending", wfi_pending),
    case("wfi_by_cpu_suspend", cpu_suspend),
    case("time_slice", time_slice),
    case("time_slice_of_a_chain", time_slice_of_a_chain),
    case("no_time_slice_for_the_primary_itself", no_slice),
];

/// The action of a [`spin`] is armed at `subject`.
fn arm_spin(env: &mut Env, subject: &Subject, milliseconds: u64) -> Result<(), Failure> {
    let [action, first, second] = spin(milliseconds);
    env.suite.arm(subject, action, first, second)
}

/// Has `two` pass on to `to` by this kind, which spins meanwhile.
fn pass_on(env: &mut Env, to: &Subject, kind: Kind, milliseconds: u64) -> Result<(), Failure> {
    arm_spin(env, to, milliseconds)?;
    let how = kind.request().into();
    env.suite
        .arm(env.two, matrix_ask::PASS_ON, to.id.into(), how)
}

/// Runs VM 2 until its answer comes; counts interruptions.
fn finish(env: &mut Env, mut exchange: Exchange) -> Result<(Exchange, u64), Failure> {
    let mut count = 0;
    while exchange.got[0] == abi::INTERRUPT.into() && count < 1000 {
        names(&exchange, abi::INTERRUPT, env.two)?;
        env.suite.take_interrupt()?;
        count += 1;
        exchange = env.suite.run(abi::RUN, env.two)?;
    }
    Ok((exchange, count))
}

/// VM 2 sees nothing of an interrupt of ours, and whom it called goes on after FFA_RUN of VM 2.
fn interrupted_below(env: &mut Env, to: &'static Subject) -> Verdict {
    let two = env.two;
    for kind in [Kind::Req64, Kind::Req2] {
        let mut met = false;
        for _ in 0..20 {
            env.suite.clear(two)?;
            pass_on(env, to, kind, 8)?;
            interrupt::arm(millisecond());
            let (request, exchange) = env.suite.send(kind, two)?;
            let (end, count) = finish(env, exchange)?;
            env.suite.take_interrupt()?;
            passed_on(two, to, &request, &end, kind)?;
            let answer = kind.response().into();
            env.suite.seen(two, kind.request(), answer, 1)?;
            let told = env
                .suite
                .count(two, kind.request(), abi::INTERRUPT.into())?;
            equal("interrupts that VM 2 was told of", told, 0)?;
            if count > 0 {
                met = true;
                break;
            }
        }
        equal("interrupts that met it", met.into(), 1)?;
    }
    good()
}

fn below_partition(env: &mut Env) -> Verdict {
    interrupted_below(env, V12)
}

fn deep(env: &mut Env) -> Verdict {
    interrupted_below(env, env.three)
}

/// We call VM 2, that one VM 3, that one a partition, which spins: the whole chain goes on.
fn three_deep(env: &mut Env) -> Verdict {
    let [two, three] = [env.two, env.three];
    let how = u64::from(abi::DIRECT_REQ_64);
    let mut met = 0;
    for _ in 0..20 {
        arm_spin(env, V12, 8)?;
        env.suite
            .arm(three, matrix_ask::PASS_ON, V12.id.into(), how)?;
        env.suite
            .arm(two, matrix_ask::PASS_ON, three.id.into(), how)?;
        interrupt::arm(millisecond());
        let (request, exchange) = env.suite.send(Kind::Req64, two)?;
        let (end, count) = finish(env, exchange)?;
        env.suite.take_interrupt()?;
        // Only the partition transforms: the others pass on what comes.
        passed_on(two, V12, &request, &end, Kind::Req64)?;
        met += count;
        if met > 0 {
            break;
        }
    }
    equal("interrupts that met the chain", (met > 0).into(), 1)?;
    env.alive()?;
    good()
}

/// Ticks of VM 2's own while it does something for us; we see nothing of them.
fn ticking(
    env: &mut Env,
    what: impl FnOnce(&mut Env) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let two = env.two;
    env.taken(two, gic::VIRTUAL_TIMER, true)?;
    env.timer(two, millisecond())?;
    let result = what(env);
    env.timer(two, 0)?;
    result?;
    env.taken(two, gic::VIRTUAL_TIMER, false)
}

fn own_timer(env: &mut Env) -> Verdict {
    let ticks = ticking(env, |env| {
        let [action, first, second] = spin(40);
        let exchange = env.begin(env.two, action, first, second)?;
        done(&exchange, env.two)
    })?;
    equal("at least ten ticks", (ticks >= 10).into(), 1)?;
    Ok(Seen::Count("ticks", ticks))
}

fn own_timer_in_run(env: &mut Env) -> Verdict {
    let ticks = ticking(env, |env| {
        arm_spin(env, env.two, 40)?;
        starts_with(&env.run_vcpu(2, 0)?, &[abi::MSG_WAIT.into(), 2 << 16])
    })?;
    equal("at least ten ticks", (ticks >= 10).into(), 1)?;
    Ok(Seen::Count("ticks", ticks))
}

/// VM 2's request is interrupted by VM 2's timer again and again; it runs whom it called, and we see its answer alone.
fn own_timer_over(env: &mut Env, to: &'static Subject) -> Verdict {
    let two = env.two;
    let mut told = 0;
    let ticks = ticking(env, |env| {
        env.suite.clear(two)?;
        pass_on(env, to, Kind::Req64, 20)?;
        let (request, exchange) = env.suite.send(Kind::Req64, two)?;
        passed_on(two, to, &request, &exchange, Kind::Req64)?;
        let request = Kind::Req64.request();
        told = env.suite.count(two, request, abi::INTERRUPT.into())?;
        told += env.suite.count(two, abi::RUN, abi::INTERRUPT.into())?;
        Ok(())
    })?;
    equal("ticks", (ticks > 0).into(), 1)?;
    equal("interrupts that VM 2 was told of", (told > 0).into(), 1)?;
    Ok(Seen::Count("interrupts", told))
}

fn own_timer_in_partition(env: &mut Env) -> Verdict {
    own_timer_over(env, V12)
}

fn own_timer_below(env: &mut Env) -> Verdict {
    own_timer_over(env, env.three)
}

/// A parked VM's timer fires when it runs again: once.
fn late_timer(env: &mut Env) -> Verdict {
    let two = env.two;
    env.taken(two, gic::VIRTUAL_TIMER, true)?;
    env.timer(two, 10 * millisecond())?;
    let start = regs::cntvct();
    while regs::cntvct().wrapping_sub(start) < 50 * millisecond() {
        core::hint::spin_loop();
    }
    let ticks = env.taken(two, gic::VIRTUAL_TIMER, false)?;
    env.timer(two, 0)?;
    equal("ticks at once", ticks, 1)?;
    timer_off()?;
    good()
}

/// A completion of FFA_YIELD by VM 2: nanoseconds until its timer.
fn yielded(env: &Env, exchange: &Exchange) -> Result<u64, Failure> {
    names(exchange, abi::YIELD, env.two)?;
    Ok(exchange.got[2] | exchange.got[3] << 32)
}

fn wfi_in_request(env: &mut Env) -> Verdict {
    let two = env.two;
    env.suite.clear(two)?;
    let mut exchange = env.begin(two, ask::WAIT, 3, 0)?;
    for _ in 0..3 {
        equal("nanoseconds", yielded(env, &exchange)?, 0)?;
        env.suite.refused(Kind::Req64, two, abi::BUSY)?;
        exchange = env.suite.run(abi::RUN, two)?;
    }
    done(&exchange, two)?;
    // With every register as before each WFI.
    env.suite.seen(two, 0, 0, 3)
}

fn wfi_in_run(env: &mut Env) -> Verdict {
    let two = env.two;
    env.suite.arm(two, ask::WAIT, 2, 0)?;
    for _ in 0..2 {
        let exchange = env.run_vcpu(2, 0)?;
        equal("nanoseconds", yielded(env, &exchange)?, 0)?;
    }
    starts_with(&env.run_vcpu(2, 0)?, &[abi::MSG_WAIT.into(), 2 << 16])?;
    good()
}

fn wfi_with_timer(env: &mut Env) -> Verdict {
    let two = env.two;
    env.taken(two, gic::VIRTUAL_TIMER, true)?;
    env.timer(two, 50 * millisecond())?;
    let exchange = env.begin(two, ask::WAIT, 1, 0)?;
    let told = yielded(env, &exchange)?;
    let most = 50_000_000;
    if told == 0 || told > most {
        equal("nanoseconds until its timer", told, most)?;
    }
    // Not before its time, it finds nothing; its WFI is over all the same.
    let exchange = env.suite.run(abi::RUN, two)?;
    done(&exchange, two)?;
    let start = regs::cntvct();
    while regs::cntvct().wrapping_sub(start) < 60 * millisecond() {
        core::hint::spin_loop();
    }
    let ticks = env.taken(two, gic::VIRTUAL_TIMER, false)?;
    env.timer(two, 0)?;
    equal("ticks", (ticks >= 1).into(), 1)?;
    Ok(Seen::Value("nanoseconds", told))
}

fn wfi_pending(env: &mut Env) -> Verdict {
    let two = env.two;
    let sgi = 5u64 << 24 | 1;
    env.perform(two, ask::SEND, sgi, 0)?;
    let exchange = env.begin(two, ask::WAIT, 2, 0)?;
    done(&exchange, two)?;
    equal("SGIs taken", env.taken(two, 5, false)?, 0)?;
    env.perform(two, ask::TAKE, 0, 0)?;
    equal("SGIs taken", env.taken(two, 5, false)?, 1)?;
    env.taken(two, 5, true)?;
    // Now there is nothing.
    let exchange = env.begin(two, ask::WAIT, 1, 0)?;
    yielded(env, &exchange)?;
    done(&env.suite.run(abi::RUN, two)?, two)?;
    good()
}

fn cpu_suspend(env: &mut Env) -> Verdict {
    let two = env.two;
    let mut request = env.suite.request(Kind::Req64, two);
    request[3] = crate::protocol::command(ask::RAW);
    request[4..8].copy_from_slice(&[abi::PSCI_CPU_SUSPEND_64.into(), 0, 0, 0]);
    let exchange = env.suite.call(&request)?;
    yielded(env, &exchange)?;
    let exchange = env.suite.run(abi::RUN, two)?;
    done(&exchange, two)?;
    equal("CPU_SUSPEND", exchange.got[4], 0)?;
    good()
}

/// Milliseconds of a time slice in these boots' manifests.
const SLICE: u64 = 200;

fn sliced(env: &mut Env, call: &abi::Regs) -> Result<(Exchange, u64), Failure> {
    let start = regs::cntvct();
    let exchange = env.suite.call(call)?;
    let took = regs::cntvct().wrapping_sub(start) / millisecond();
    names(&exchange, abi::INTERRUPT, env.two)?;
    timer_off()?;
    // A busy emulator may be late, but not early.
    if !(SLICE - 2..SLICE * 3).contains(&took) {
        equal("milliseconds", took, SLICE)?;
    }
    Ok((exchange, took))
}

fn time_slice(env: &mut Env) -> Verdict {
    let two = env.two;
    arm_spin(env, two, SLICE * 5 / 2)?;
    let request = env.suite.request(Kind::Req64, two);
    let (_, took) = sliced(env, &request)?;
    // FFA_RUN has a slice of its own.
    let run = registers(abi::RUN, &[two.target(), 0, 0, 0, 0, 0, 0]);
    sliced(env, &run)?;
    let end = env.patiently(&run)?;
    crate::client::suite::is_response(two, &request, &end, abi::DIRECT_RESP_64)?;
    Ok(Seen::Count("milliseconds", took))
}

fn time_slice_of_a_chain(env: &mut Env) -> Verdict {
    let [two, three] = [env.two, env.three];
    pass_on(env, three, Kind::Req64, SLICE * 3 / 2)?;
    let request = env.suite.request(Kind::Req64, two);
    let (_, took) = sliced(env, &request)?;
    let run = registers(abi::RUN, &[two.target(), 0, 0, 0, 0, 0, 0]);
    let end = env.patiently(&run)?;
    passed_on(two, three, &request, &end, Kind::Req64)?;
    Ok(Seen::Count("milliseconds", took))
}

/// It is not interrupted by a slice while it runs itself.
fn no_slice(env: &mut Env) -> Verdict {
    let start = regs::cntvct();
    while regs::cntvct().wrapping_sub(start) < SLICE * 3 / 2 * millisecond() {
        core::hint::spin_loop();
    }
    timer_off()?;
    env.alive()?;
    good()
}
