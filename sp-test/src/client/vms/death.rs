//! VMs that end, in every state. Each ends once, so that this client has a boot of its own with as many VMs as there can
//! be: VM 2 with one vCPU, the others with one on each of the first two cores.

use super::{Env, ask, boot, cores, errors, good, matrix_ask, millisecond, spin};
use crate::abi::{self, ABORTED};
use crate::client::registers;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::suite::{How, V12, V13, is_error, names, starts_with};
use crate::contract::{Kind, Subject};
use crate::rt::{interrupt, regs};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Runs the chapter.
pub fn run(env: &mut Env) {
    let mut up = env.case(format_args!("death/up/2"), |env| {
        env.until_it_waits(2, 0)?;
        env.two = boot::who(env, 2)?;
        good()
    });
    for id in 3..=8 {
        up &= env.case(format_args!("death/up/{id}"), |env| start(env, id));
    }
    if !up {
        return;
    }
    for (name, run) in [
        ("waiting_and_in_run", waiting as fn(&mut Env) -> Verdict),
        ("in_a_request", in_a_request),
        ("on_another_core", on_another_core),
        ("preempted_in_a_partition", in_a_partition),
        ("preempted_in_another_vm", in_another_vm),
        ("yielded", yielded),
        ("requests_of_vms_to_dead_ones", from_others),
        ("abort_below_1_3", abort_refused),
        ("the_last_one", the_last_one),
        ("everybody_else_goes_on", everybody_else),
    ] {
        env.case(format_args!("death/{name}"), run);
    }
}

/// Whom [`kill`] ends on core 1, and how.
static VICTIM: AtomicU64 = AtomicU64::new(0);
static HOW: AtomicU64 = AtomicU64::new(0);

fn victim(env: &mut Env) -> Result<&'static Subject, Failure> {
    let id = VICTIM.load(Relaxed) as u16;
    boot_peer(env, id)
}

/// A VM of this boot: 4 and 8 speak FF-A 1.3, the others 1.2.
fn boot_peer(_: &Env, id: u16) -> Result<&'static Subject, Failure> {
    let version = match id {
        4 | 8 => abi::V1_3,
        _ => abi::V1_2,
    };
    crate::vms::peer(id, version, false).ok_or(Failure::Value {
        what: "a VM",
        got: id.into(),
        want: 8,
    })
}

/// Runs both vCPUs of a VM until they wait.
fn start(env: &mut Env, id: u16) -> Verdict {
    env.until_it_waits(id, 0)?;
    let subject = boot::who(env, id)?;
    let expected = boot_peer(env, id)?;
    equal(
        "its version",
        subject.version.into(),
        expected.version.into(),
    )?;
    let [status, ..] = env.suite.ask(subject, ask::START, [1, 0, 0, 0])?;
    equal("CPU_ON", status, 0)?;
    VICTIM.store(id.into(), Relaxed);
    cores::on(1, env, |env| {
        let id = VICTIM.load(Relaxed) as u16;
        env.until_it_waits(id, 1)?;
        good()
    })
}

/// On core 1: the victim's vCPU there ends it in an FFA_RUN.
fn kill(env: &mut Env) -> Verdict {
    let subject = victim(env)?;
    env.suite.arm(subject, ask::DIE, HOW.load(Relaxed), 0)?;
    is_error(&env.run_vcpu(subject.id, 1)?, ABORTED)?;
    errors::dead(env, subject.id)?;
    is_error(&env.run_vcpu(subject.id, 1)?, ABORTED)?;
    good()
}

fn killed(env: &mut Env, id: u16, how: u64) -> Result<(), Failure> {
    VICTIM.store(id.into(), Relaxed);
    HOW.store(how, Relaxed);
    cores::on(1, env, kill).map(|_| ())
}

fn waiting(env: &mut Env) -> Verdict {
    killed(env, 3, ask::OFF)?;
    errors::dead(env, 3)
}

fn in_a_request(env: &mut Env) -> Verdict {
    let subject = boot_peer(env, 4)?;
    is_error(&env.begin(subject, ask::DIE, ask::ABORT, 0)?, ABORTED)?;
    errors::dead(env, 4)
}

/// VM 5's vCPU 1 spins in our request on core 1, and vCPU 0 ends it.
fn on_another_core(env: &mut Env) -> Verdict {
    cores::begin(1, env, |env| {
        let subject = boot_peer(env, 5)?;
        let start = regs::cntvct();
        let [action, first, second] = spin(3000);
        let mut exchange = env.begin(subject, action, first, second)?;
        while exchange.got[0] == abi::INTERRUPT.into() {
            exchange = env.run_vcpu(5, 1)?;
        }
        is_error(&exchange, ABORTED)?;
        let took = regs::cntvct().wrapping_sub(start) / millisecond();
        equal("before its spin was over", (took < 2500).into(), 1)?;
        Ok(Seen::Count("milliseconds", took))
    })?;
    let start = regs::cntvct();
    while regs::cntvct().wrapping_sub(start) < 100 * millisecond() {
        core::hint::spin_loop();
    }
    let subject = boot_peer(env, 5)?;
    is_error(&env.begin(subject, ask::DIE, ask::RESET, 0)?, ABORTED)?;
    let seen = cores::finish(1)?;
    errors::dead(env, 5)?;
    Ok(seen)
}

/// A VM is taken off the core while somebody works for it, and ends.
fn preempted(env: &mut Env, id: u16, worker: &Subject) -> Result<(), Failure> {
    let subject = boot_peer(env, id)?;
    for _ in 0..20 {
        let [action, first, second] = spin(20);
        env.suite.arm(worker, action, first, second)?;
        let how = u64::from(abi::DIRECT_REQ_64);
        env.suite
            .arm(subject, matrix_ask::PASS_ON, worker.id.into(), how)?;
        interrupt::arm(2 * millisecond());
        let (_, exchange) = env.suite.send(Kind::Req64, subject)?;
        let taken = env.suite.take_interrupt()?;
        if exchange.got[0] == abi::INTERRUPT.into() {
            names(&exchange, abi::INTERRUPT, subject)?;
            return equal("interrupts", taken.into(), 1);
        }
    }
    equal("interrupts that met it", 0, 1)
}

fn in_a_partition(env: &mut Env) -> Verdict {
    preempted(env, 6, V12)?;
    killed(env, 6, ask::OFF)?;
    errors::dead(env, 6)?;
    // The partition still works for it, until somebody needs it.
    env.suite.answered(Kind::Req64, V12, How::Clean)?;
    env.suite.answered(Kind::Req2, V12, How::Clean)?;
    env.suite.answered(Kind::Req64, V13, How::Clean)?;
    good()
}

fn in_another_vm(env: &mut Env) -> Verdict {
    let two = env.two;
    preempted(env, 7, two)?;
    killed(env, 7, ask::RESET)?;
    errors::dead(env, 7)?;
    // VM 2 goes on, and its answer is nobody's.
    env.suite.refused(Kind::Req64, two, abi::BUSY)?;
    env.until_it_waits(2, 0)?;
    env.suite.answered(Kind::Req64, two, How::Clean)?;
    good()
}

fn yielded(env: &mut Env) -> Verdict {
    let subject = boot_peer(env, 8)?;
    let exchange = env.begin(subject, ask::WAIT, 1, 0)?;
    names(&exchange, abi::YIELD, subject)?;
    killed(env, 8, ask::ABORT_64)?;
    errors::dead(env, 8)
}

fn from_others(env: &mut Env) -> Verdict {
    for id in 3..=8 {
        for request in [abi::DIRECT_REQ_32, abi::DIRECT_REQ_64, abi::DIRECT_REQ2] {
            let ids = abi::ids(2, id);
            let [x0, _, code, _] =
                env.suite
                    .ask(env.two, matrix_ask::PLAIN, [request.into(), ids, 0, 0])?;
            equal("x0", x0, abi::ERROR.into())?;
            equal("x2", code, abi::code(ABORTED))?;
        }
    }
    good()
}

/// It goes on after a call that it does not have.
fn abort_refused(env: &mut Env) -> Verdict {
    let two = env.two;
    env.perform(two, ask::DIE, ask::ABORT, 0)?;
    env.perform(two, ask::DIE, ask::ABORT_64, 0)?;
    env.suite.answered(Kind::Req64, two, How::Clean)?;
    good()
}

fn the_last_one(env: &mut Env) -> Verdict {
    is_error(&env.begin(env.two, ask::DIE, ask::OFF, 0)?, ABORTED)?;
    errors::dead(env, 2)
}

fn everybody_else(env: &mut Env) -> Verdict {
    for subject in [V12, V13] {
        for kind in Kind::ALL {
            env.suite.answered(kind, subject, How::Clean)?;
        }
        let run = registers(abi::RUN, &[subject.target(), 0, 0, 0, 0, 0, 0]);
        starts_with(&env.suite.call(&run)?, &[abi::MSG_WAIT.into()])?;
    }
    for id in 2..=8 {
        errors::dead(env, id)?;
    }
    good()
}
