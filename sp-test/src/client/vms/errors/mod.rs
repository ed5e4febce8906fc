//! Calls that must be refused: by this VM, by another in a request, and in states of the receiver.

mod table;

use table::{Call, OWN, THEIRS};

use super::{Case, Env, case, cores, good, matrix_ask, spin};
use crate::abi::{self, ABORTED, BUSY, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, Regs, ids};
use crate::client::registers;
use crate::client::report::{Seen, Verdict, equal};
use crate::client::suite::{S12, V12, is_error, names, starts_with};
use crate::contract::Kind;
use crate::vms::peer;

/// Runs the chapter.
pub fn run(env: &mut Env) {
    for call in OWN {
        env.case(format_args!("errors/{}", call.name), |env| {
            let mut regs = [0; 18];
            regs[0] = call.id.into();
            regs[1..4].copy_from_slice(&(call.arguments)(env));
            is_error(&env.suite.call(&regs)?, call.code)?;
            Ok(Seen::Value("code", abi::code(call.code)))
        });
    }
    for call in THEIRS {
        env.case(format_args!("errors/two_{}", call.name), |env| {
            theirs(env, call)
        });
    }
    env.each("errors", STATES);
}

fn theirs(env: &mut Env, call: &Call) -> Verdict {
    let two = env.two;
    let [x1, x2, x3] = (call.arguments)(env);
    env.suite.clear(two)?;
    let [x0, got1, code, _] =
        env.suite
            .ask(two, matrix_ask::PLAIN, [call.id.into(), x1, x2, x3])?;
    equal("x0", x0, abi::ERROR.into())?;
    equal("x1", got1, 0)?;
    equal("x2", code, abi::code(call.code))?;
    // With every register as it must be.
    let error = matrix_ask::error(call.code);
    env.suite.seen(two, call.id, error, 1)?;
    Ok(Seen::Value("code", code))
}

const STATES: &[Case] = &[
    case("version_is_fixed", version_is_fixed),
    case("two_runs_the_primary", two_runs_the_primary),
    case("mute_vm_answers_and_sends_nothing", mute),
    case("preempted_is_busy", preempted_is_busy),
    case("request_of_three_is_not_ours_to_run", not_ours),
    case("no_vcpu_on_this_core", no_vcpu_here),
    case("busy_on_another_core", busy_elsewhere),
    case("partition_of_two_is_not_ours_to_run", partition_not_ours),
    case("partitions_from_another_core", partitions_elsewhere),
];

/// FFA_VERSION after other calls.
fn version_is_fixed(env: &mut Env) -> Verdict {
    let two = env.two;
    let other = match two.version {
        abi::V1_0 => abi::V1_1,
        _ => abi::V1_0,
    };
    let version = abi::VERSION.into();
    let [x0, ..] = env
        .suite
        .ask(two, matrix_ask::PLAIN, [version, other.into(), 0, 0])?;
    equal("FFA_VERSION", x0, abi::code(NOT_SUPPORTED))?;
    good()
}

fn two_runs_the_primary(env: &mut Env) -> Verdict {
    for target in [1 << 16, 1 << 16 | 1] {
        let [x0, _, code, _] =
            env.suite
                .ask(env.two, matrix_ask::PLAIN, [abi::RUN.into(), target, 0, 0])?;
        equal("x0", x0, abi::ERROR.into())?;
        let refused = [BUSY, DENIED, INVALID_PARAMETERS]
            .into_iter()
            .any(|wanted| code == abi::code(wanted));
        equal("refused", refused.into(), 1)?;
    }
    good()
}

fn mute(env: &mut Env) -> Verdict {
    env.until_it_waits(4, 0)?;
    let Some(four) = peer(4, abi::V1_2, false) else {
        return equal("VM 4", 0, 1).and_then(|()| good());
    };
    for kind in [Kind::Req32, Kind::Req64] {
        env.suite
            .answered(kind, four, crate::client::suite::How::Clean)?;
    }
    env.suite.refused(Kind::Req2, four, DENIED)?;
    for (kind, to) in [
        (abi::DIRECT_REQ_32, 2),
        (abi::DIRECT_REQ_64, V12.id),
        (abi::DIRECT_REQ2, 2),
        (abi::DIRECT_REQ2, V12.id),
    ] {
        let [x0, _, code, _] =
            env.suite
                .ask(four, matrix_ask::PLAIN, [kind.into(), ids(4, to), 0, 0])?;
        equal("x0", x0, abi::ERROR.into())?;
        equal("x2", code, abi::code(DENIED))?;
    }
    good()
}

fn request(env: &Env, kind: Kind) -> Regs {
    env.suite.request(kind, env.two)
}

fn preempted_is_busy(env: &mut Env) -> Verdict {
    let two = env.two;
    let call = request(env, Kind::Req64);
    env.suite.interrupted(two, &call)?;
    for kind in Kind::ALL {
        env.suite.refused(kind, two, BUSY)?;
    }
    // From another core as well.
    cores::on(1, env, |env| {
        env.suite.refused(Kind::Req64, env.two, BUSY)?;
        good()
    })?;
    let end = env.patiently(&registers(abi::RUN, &[two.target(), 0, 0, 0, 0, 0, 0]))?;
    crate::client::suite::is_response(two, &call, &end, abi::DIRECT_RESP_64)?;
    good()
}

/// VM 3 yields in a request of VM 2, which yields itself: VM 2 alone may run VM 3.
fn not_ours(env: &mut Env) -> Verdict {
    let [two, three] = [env.two, env.three];
    // VM 3's response can wait: VM 2 is taken off the core by our timer, in VM 3's spin.
    let how = u64::from(abi::DIRECT_REQ_64);
    env.suite
        .arm(two, matrix_ask::PASS_ON, three.id.into(), how)?;
    let [action, first, second] = spin(8);
    env.suite.arm(three, action, first, second)?;
    crate::rt::interrupt::arm(super::millisecond());
    let call = request(env, Kind::Req64);
    let exchange = env.suite.call(&call)?;
    equal("interrupts", env.suite.take_interrupt()?.into(), 1)?;
    names(&exchange, abi::INTERRUPT, two)?;
    is_error(&env.run_vcpu(3, 0)?, DENIED)?;
    env.suite.refused(Kind::Req64, three, BUSY)?;
    let run = registers(abi::RUN, &[two.target(), 0, 0, 0, 0, 0, 0]);
    let end = env.patiently(&run)?;
    starts_with(&end, &[abi::DIRECT_RESP_64.into()])?;
    env.alive()?;
    good()
}

fn no_vcpu_here(env: &mut Env) -> Verdict {
    cores::on(2, env, |env| {
        env.suite.refused(Kind::Req64, env.three, DENIED)?;
        is_error(&env.run_vcpu(3, 0)?, INVALID_PARAMETERS)?;
        is_error(&env.run_vcpu(3, 1)?, INVALID_PARAMETERS)?;
        // VM 2 runs anywhere.
        env.until_it_waits(2, 0)?;
        env.suite
            .answered(Kind::Req64, env.two, crate::client::suite::How::Clean)?;
        good()
    })
}

/// VM 2 spins in a request of vCPU 1; vCPU 0 finds it busy until it is done.
fn busy_elsewhere(env: &mut Env) -> Verdict {
    let mut busy = 0u64;
    // Which core is faster is chance: until the other was, once.
    for _ in 0..50 {
        cores::begin(1, env, |env| {
            let [action, first, second] = spin(20);
            // It is the other core that it may find busy.
            let mut tries = (0..1000).map(|_| env.perform(env.two, action, first, second));
            tries
                .find(Result::is_ok)
                .unwrap_or_else(|| env.perform(env.two, action, first, second))?;
            good()
        })?;
        while !cores::is_done(1) {
            let call = request(env, Kind::Req64);
            let exchange = env.suite.call(&call)?;
            if exchange.got[0] == abi::ERROR.into() {
                is_error(&exchange, BUSY)?;
                busy += 1;
            }
        }
        cores::finish(1)?;
        if busy > 0 {
            break;
        }
    }
    env.alive()?;
    equal("ever busy", (busy > 0).into(), 1)?;
    Ok(Seen::Count("times busy", busy))
}

/// VM 2 is taken off the core while a partition works for it: that one is VM 2's to run.
fn partition_not_ours(env: &mut Env) -> Verdict {
    let two = env.two;
    let how = u64::from(abi::DIRECT_REQ_64);
    env.suite
        .arm(two, matrix_ask::PASS_ON, V12.id.into(), how)?;
    let [action, first, second] = spin(8);
    env.suite.arm(V12, action, first, second)?;
    crate::rt::interrupt::arm(super::millisecond());
    let call = request(env, Kind::Req64);
    let exchange = env.suite.call(&call)?;
    equal("interrupts", env.suite.take_interrupt()?.into(), 1)?;
    names(&exchange, abi::INTERRUPT, two)?;
    is_error(&env.suite.run(abi::RUN, V12)?, DENIED)?;
    env.suite.refused(Kind::Req64, V12, BUSY)?;
    let run = registers(abi::RUN, &[two.target(), 0, 0, 0, 0, 0, 0]);
    starts_with(&env.patiently(&run)?, &[abi::DIRECT_RESP_64.into()])?;
    env.alive()?;
    good()
}

/// A partition with one context answers from any core, and so does one with a context for each.
fn partitions_elsewhere(env: &mut Env) -> Verdict {
    for core in 1..cores::VCPUS {
        cores::on(core, env, |env| {
            for partition in [S12, V12] {
                env.suite
                    .answered(Kind::Req64, partition, crate::client::suite::How::Clean)?;
            }
            good()
        })?;
    }
    good()
}

/// What a VM that has ended gets its callers.
pub fn dead(env: &mut Env, id: u16) -> Verdict {
    let me = env.suite.client.me;
    for request in [abi::DIRECT_REQ_32, abi::DIRECT_REQ_64, abi::DIRECT_REQ2] {
        let mut call = [0; 18];
        call[0] = request.into();
        call[1] = ids(me, id);
        is_error(&env.suite.call(&call)?, ABORTED)?;
    }
    // VM 2 runs anywhere; of the others, the vCPU of this core.
    let vcpu = match id {
        2 => 0,
        _ => crate::rt::gic::vcpu() as u16,
    };
    is_error(&env.run_vcpu(id, vcpu)?, ABORTED)?;
    good()
}
