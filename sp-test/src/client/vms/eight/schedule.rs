//! The SPMC asks for cycles: the schedule receiver interrupt is this VM's, whose the cores are.

use super::{CORES, REQUEST, answered, interrupted, page, saw, send, take, ticks};
use crate::abi::{self, ids};
use crate::client::registers;
use crate::client::report::{Failure, Verdict, equal};
use crate::client::suite::{is_error, starts_with};
use crate::client::vms::{Env, ask, cores, good, matrix_ask};
use crate::interrupts::{SCHEDULE_RECEIVER, SRI_WAITING, TIMER, log::Event, script::Op};
use crate::rt::irq;

/// What FFA_FEATURES is asked for it.
const SRI: u64 = 2;
const NO_DATA: i32 = -9;

/// The chapter.
pub fn run(env: &mut Env) {
    for (name, run) in [
        ("features", features as fn(&mut Env) -> Verdict),
        ("nobody_is_named", |env| {
            named(env, false)?;
            good()
        }),
        ("while_this_vm_runs", own),
        ("while_another_vm_runs", other),
        ("on_another_core", far),
    ] {
        env.case(format_args!("eight/schedule/{name}"), run);
    }
}

fn call(env: &mut Env, id: u32, x1: u64) -> Result<crate::expect::Exchange, Failure> {
    env.suite.call(&registers(id, &[x1, 0, 0, 0, 0, 0, 0]))
}

fn features(env: &mut Env) -> Verdict {
    let exchange = call(env, abi::FEATURES, SRI)?;
    let sri = SCHEDULE_RECEIVER.into();
    starts_with(&exchange, &[abi::SUCCESS_32.into(), 0, sri])?;
    let exchange = call(env, abi::FEATURES, abi::NOTIFICATION_INFO_GET_64.into())?;
    starts_with(&exchange, &[abi::SUCCESS_32.into()])?;
    // Another VM has no cycles to give.
    for query in [SRI, abi::NOTIFICATION_INFO_GET_64.into()] {
        let arguments = [abi::FEATURES.into(), query, 0, 0];
        let [x0, _, code, _] = env.suite.ask(env.two, matrix_ask::PLAIN, arguments)?;
        equal("x0 for VM 2", x0, abi::ERROR.into())?;
        equal("x2 for VM 2", code, abi::code(abi::NOT_SUPPORTED))?;
    }
    let [x0, _, code, _] = {
        let arguments = [abi::NOTIFICATION_INFO_GET_64.into(), 0, 0, 0];
        env.suite.ask(env.two, ask::RAW, arguments)?
    };
    equal("x0 for VM 2", x0, abi::ERROR.into())?;
    equal("x2 for VM 2", code, abi::code(abi::NOT_SUPPORTED))?;
    good()
}

/// The partition is named, and nobody else; or nobody is.
fn named(env: &mut Env, somebody: bool) -> Result<(), Failure> {
    let exchange = call(env, abi::NOTIFICATION_INFO_GET_64, 0)?;
    match somebody {
        true => starts_with(
            &exchange,
            &[
                abi::SUCCESS_64.into(),
                0,
                1 << 12 | 1 << 7,
                SRI_WAITING.id.into(),
            ],
        ),
        false => is_error(&exchange, NO_DATA),
    }
}

/// Its timer will fire while it waits: on a busy host that takes more than one try.
fn arm(env: &mut Env) -> Result<(), Failure> {
    for us in [5_000, 50_000, 500_000] {
        irq::drain();
        page(SRI_WAITING, 0).reset();
        let exchange = send(env, SRI_WAITING, &[Op::Arm(us, false)])?;
        answered(env, &exchange, SRI_WAITING)?;
        if page(SRI_WAITING, 0).logged() == 1 {
            break;
        }
    }
    saw(SRI_WAITING, 0, &[REQUEST])
}

/// It is named, and runs.
fn serve(env: &mut Env) -> Result<(), Failure> {
    take(SCHEDULE_RECEIVER)?;
    saw(SRI_WAITING, 0, &[REQUEST])?;
    named(env, true)?;
    named(env, false)?;
    let exchange = call(env, abi::RUN, u64::from(SRI_WAITING.id) << 16)?;
    starts_with(&exchange, &[abi::MSG_WAIT.into()])?;
    let page = page(SRI_WAITING, 0);
    let got = (0..page.logged() as usize).filter_map(|n| page.entry(n));
    let got = got.filter(|(event, _)| *event == Event::Got(TIMER.into()));
    equal("how often it got its interrupt", got.count() as u64, 1)?;
    equal("one more interrupt", irq::poll().map_or(0, u64::from), 0)
}

fn own(env: &mut Env) -> Verdict {
    arm(env)?;
    serve(env)?;
    good()
}

/// VM 2 has the core for longer than any of the tries takes; this VM is given it back.
fn other(env: &mut Env) -> Verdict {
    arm(env)?;
    let two = env.two;
    let exchange = env.begin(two, matrix_ask::SPIN, ticks(1_000_000), 0)?;
    interrupted(&exchange, 2, 0)?;
    serve(env)?;
    let mut exchange = env.run_vcpu(2, 0)?;
    while exchange.got[0] == abi::INTERRUPT.into() {
        exchange = env.run_vcpu(2, 0)?;
    }
    let ids = ids(2, env.suite.client.me);
    starts_with(&exchange, &[abi::DIRECT_RESP_64.into(), ids])?;
    good()
}

/// The timer is watched by the core on which its context ran last.
fn far(env: &mut Env) -> Verdict {
    for core in [1, CORES - 1] {
        cores::on(core, env, own)?;
    }
    good()
}
