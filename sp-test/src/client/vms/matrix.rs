//! The contract's cells with VMs in place of partitions: what a message and a completion leave in whose registers, by
//! version and mode.

use super::Env;
use crate::abi;
use crate::client::contract::{
    chains::{self, Callee, Pass},
    cycles, messages, plain, waits,
};
use crate::client::suite::{How, S12, V12, V13};
use crate::contract::{Kind, Subject};

/// Runs the chapter.
pub fn run(env: &mut Env) {
    let [two, three] = [env.two, env.three];
    for (subject, other) in [(two, three), (three, two)] {
        env.suite.prefix = match subject.id {
            2 => "vms/vm2",
            _ => "vms/vm3",
        };
        called(env, subject);
        calls(env, subject, other);
    }
    env.suite.prefix = "vms";
}

/// The cells of a VM that is called.
fn called(env: &mut Env, subject: &'static Subject) {
    let suite = &mut env.suite;
    for kind in Kind::ALL {
        for how in How::ALL.into_iter().filter(|how| how.fits(kind.request())) {
            messages::one(suite, kind, subject, how);
        }
    }
    messages::other_width(suite, subject);
    plain::vm(suite, subject);
    waits::partition(suite, subject);
    cycles::partition(suite, subject);
    cycles::runs_interrupted(suite, &[subject]);
    let extended = suite.is_extended() && subject.is_extended();
    for kind in Kind::ALL {
        if kind == Kind::Req2 && !extended {
            continue;
        }
        cycles::interrupts(suite, kind, subject);
        // Old ones may not, while they serve a request.
        if subject.is_extended() {
            cycles::yields(suite, kind, subject);
        }
    }
    if suite.column.strict && extended {
        cycles::parked(suite, subject, V13);
    }
}

/// The cells of a VM that calls partitions and the other VM.
fn calls(env: &mut Env, caller: &'static Subject, other: &'static Subject) {
    let suite = &mut env.suite;
    for callee in [V12, V13, S12, other] {
        for kind in Kind::ALL {
            if kind == Kind::Req2 && !(caller.is_extended() && callee.is_extended()) {
                // The hypervisor offers no such call to old VMs, and lets nobody send it to them.
                let code = match caller.is_extended() {
                    true => abi::DENIED,
                    false => abi::NOT_SUPPORTED,
                };
                let name = format_args!(
                    "REQ2-ERROR-{}/{}",
                    abi::error_name(abi::code(code)),
                    callee.name
                );
                suite.cell(caller.column(), name, |suite| {
                    chains::refused(suite, caller, callee, kind, code)
                });
                continue;
            }
            let yields = callee.is_extended().then_some(Callee::Yields);
            for what in [Callee::Answers].into_iter().chain(yields) {
                chains::passes(
                    suite,
                    &Pass {
                        caller,
                        callee,
                        kind,
                        what,
                    },
                );
            }
        }
    }
    for kind in Kind::ALL {
        if kind == Kind::Req2 && !(caller.is_extended() && other.is_extended()) {
            continue;
        }
        let name = format_args!(
            "{}-ERROR-BUSY/loop",
            super::super::suite::name(kind.request())
        );
        suite.cell(caller.column(), name, |suite| {
            chains::back(suite, caller, other, kind)
        });
    }
}
