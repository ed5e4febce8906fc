//! The others' start: nobody can call who has not run; then FFA_RUN, their second vCPUs, and who they are.

use super::{Case, Env, ask, case, cores, good, matrix_ask};
use crate::abi::{self, BUSY, DENIED, INVALID_PARAMETERS, ids};
use crate::client::registers;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::suite::{is_error, starts_with};
use crate::contract::Subject;
use crate::vms::peer;

/// Runs the chapter. Says whether the others are up: nothing else makes sense before.
pub fn run(env: &mut Env) -> bool {
    env.each("boot", BEFORE);
    let mut up = true;
    for (name, start) in [
        ("run_two", run_two as fn(&mut Env) -> Verdict),
        ("run_three", run_three),
        ("who_is_two", who_is_two),
        ("who_is_three", who_is_three),
    ] {
        up = up && env.case(format_args!("boot/{name}"), start);
    }
    env.suite.vms = [Some(env.two), Some(env.three)];
    up && env.case(format_args!("boot/run_second_vcpu"), second)
}

const BEFORE: &[Case] = &[
    case("never_ran", never_ran),
    case("run_vcpu_that_is_off", vcpu_off),
];

fn never_ran(env: &mut Env) -> Verdict {
    let me = env.suite.client.me;
    for id in [2, 3] {
        for request in [abi::DIRECT_REQ_32, abi::DIRECT_REQ_64] {
            let call = registers(request, &[ids(me, id), 0, 1, 2, 3, 4, 5]);
            is_error(&env.suite.call(&call)?, BUSY)?;
        }
        // It has negotiated nothing yet, so that it has FF-A 1.0.
        let mut call = [0; 18];
        call[0] = abi::DIRECT_REQ2.into();
        call[1] = ids(me, id);
        let code = match env.suite.is_extended() {
            true => DENIED,
            false => abi::NOT_SUPPORTED,
        };
        is_error(&env.suite.call(&call)?, code)?;
    }
    good()
}

fn vcpu_off(env: &mut Env) -> Verdict {
    cores::on(1, env, |env| {
        is_error(&env.run_vcpu(3, 1)?, INVALID_PARAMETERS)?;
        good()
    })
}

fn run_two(env: &mut Env) -> Verdict {
    env.until_it_waits(2, 0)?;
    // Again: it waits again at once.
    env.until_it_waits(2, 0)?;
    good()
}

fn run_three(env: &mut Env) -> Verdict {
    env.until_it_waits(3, 0)?;
    good()
}

/// Asks who a VM is.
pub fn who(env: &mut Env, id: u16) -> Result<&'static Subject, Failure> {
    let Some(unknown) = peer(id, abi::V1_2, false) else {
        return Err(unexpected(id));
    };
    let [own, answer, about, mpidr] = env.suite.ask(unknown, matrix_ask::WHO, [0; 4])?;
    equal("FFA_ID_GET", own, id.into())?;
    equal("MPIDR_EL1", mpidr, 0x8000_0000)?;
    let version = (about >> 1) as u32;
    if answer >> 16 != 1 || answer < version.into() {
        equal("FFA_VERSION", answer, version.into())?;
    }
    peer(id, version, about & 1 != 0).ok_or_else(|| unexpected(id))
}

const fn unexpected(id: u16) -> Failure {
    Failure::Value {
        what: "a VM of an unknown kind",
        got: id as u64,
        want: 0,
    }
}

fn who_is_two(env: &mut Env) -> Verdict {
    env.two = who(env, 2)?;
    Ok(Seen::Value("version", env.two.version.into()))
}

fn who_is_three(env: &mut Env) -> Verdict {
    env.three = who(env, 3)?;
    Ok(Seen::Value("version", env.three.version.into()))
}

/// PSCI: the address is not the caller's.
const INVALID_ADDRESS: i32 = -9;
/// PSCI: it was switched on, and has not run yet.
const ON_PENDING: i32 = -5;

fn second(env: &mut Env) -> Verdict {
    let three = env.three;
    let [_, _, base, _] = env.suite.ask(three, ask::BUFFERS, [0; 4])?;
    let on = u64::from(abi::PSCI_CPU_ON_64);
    let own_memory = crate::board::place(0x5000_0000);
    for (what, target, entry, status) in [
        ("CPU_ON of itself", 0, base, abi::PSCI_ALREADY_ON),
        ("CPU_ON of nobody", 2, base, abi::PSCI_INVALID_PARAMETERS),
        (
            "CPU_ON with Aff1",
            0x101,
            base,
            abi::PSCI_INVALID_PARAMETERS,
        ),
        ("CPU_ON at VM 1's memory", 1, own_memory, INVALID_ADDRESS),
    ] {
        let [x0, ..] = env.suite.ask(three, ask::RAW, [on, target, entry, 0])?;
        equal(what, x0 as u32 as u64, abi::code(status))?;
    }
    let [status, ..] = env.suite.ask(three, ask::START, [1, 0, 0, 0])?;
    equal("CPU_ON", status, 0)?;
    let [again, ..] = env.suite.ask(three, ask::RAW, [on, 1, base, 0])?;
    equal("CPU_ON again", again as u32 as u64, abi::code(ON_PENDING))?;
    cores::on(1, env, |env| {
        env.until_it_waits(3, 1)?;
        let [own, _, _, mpidr] = env.suite.ask(env.three, matrix_ask::WHO, [0; 4])?;
        equal("FFA_ID_GET", own, 3)?;
        equal("MPIDR_EL1", mpidr, 0x8000_0001)?;
        good()
    })?;
    let [again, ..] = env.suite.ask(three, ask::RAW, [on, 1, base, 0])?;
    equal(
        "CPU_ON of one that runs",
        again as u32 as u64,
        abi::code(abi::PSCI_ALREADY_ON),
    )?;
    starts_with(&env.run_vcpu(3, 0)?, &[abi::MSG_WAIT.into(), 3 << 16])?;
    good()
}
