//! What a partition survives: calls with mistakes, faults at stage 2, and endless loops.

use super::{Suite, failure, is_error, peer, target};
use crate::abi;
use crate::board::place;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{ECHO, Peer};
use crate::expect;
use crate::life::{self, ABORT_64, BY_HVC, PHOENIX};
use crate::protocol::{EXECUTE, OK, READ, WRITE};
use crate::rt::fault::Fault;

const DATA_ABORT: u64 = 0x25;
const INSTRUCTION_ABORT: u64 = 0x21;

/// Addresses that are not the partition's: TF-A, the SPMC, another partition, what is behind the memory of
/// partitions, a device that it was not given, the normal world.
const OUTSIDE: [(&str, u64); 6] = [
    ("tf_a", place(0x0e0a_0000)),
    ("spmc", place(0x0e10_0000)),
    ("partition", place(0x0e30_0000)),
    ("behind_memory", place(0x0eff_f000) + 0x1000),
    ("uart", place(0x0904_0000)),
    ("normal_world", place(0x5000_0000)),
];

/// Runs the chapter, with the partition that restarts: whatever it dies of here is a failure.
pub fn run(suite: &mut Suite) {
    let phoenix = peer(PHOENIX);
    for id in life::FIRST..life::FIRST + life::MORTALS.len() as u16 + 3 {
        suite.case(format_args!("answers_before/{id:#x}"), |suite| {
            suite.talk(&peer(id))?;
            Ok(Seen::Nothing)
        });
    }
    suite.case("first_life/state", |suite| suite.fresh(&phoenix, 1));
    for (form_name, form) in [
        ("abort_32", 0),
        ("abort_64", ABORT_64),
        ("abort_64_hvc", ABORT_64 | BY_HVC),
    ] {
        for register in [1, 3, 4, 5, 6, 7] {
            suite.case(format_args!("lives_on/{form_name}_x{register}"), |suite| {
                suite.checked(&phoenix, life::BAD_ABORT, &[form, register])?;
                suite.talk(&phoenix)?;
                Ok(Seen::Nothing)
            });
        }
    }
    suite.case("lives_on/error_after_initialisation", |suite| {
        suite.checked(&phoenix, life::LATE_ERROR, &[])?;
        suite.talk(&phoenix)?;
        Ok(Seen::Nothing)
    });
    for (place, address) in OUTSIDE {
        for (how_name, how, class) in [
            ("read", READ, DATA_ABORT),
            ("write", WRITE, DATA_ABORT),
            ("execute", EXECUTE, INSTRUCTION_ABORT),
        ] {
            suite.case(format_args!("lives_on/{how_name}_{place}"), |suite| {
                let fault = fault_at(suite, &phoenix, address, how)?;
                equal("exception class", fault.class(), class)?;
                equal("FAR_EL1", fault.far, address)?;
                suite.talk(&phoenix)?;
                Ok(Seen::Fault(fault))
            });
        }
    }
    suite.case("first_life/state_after_all", |suite| {
        suite.fresh(&phoenix, 1)
    });
}

/// Has the partition touch an address; gives the fault that it took.
pub fn fault_at(suite: &Suite, peer: &Peer, address: u64, how: u64) -> Result<Fault, Failure> {
    let [status, faulted, esr, far, ..] = suite.ask(peer, life::PROBE, &[address, how])?;
    equal("status", status, OK)?;
    match faulted {
        0 => Err(Failure::NoFault(esr)),
        _ => Ok(Fault { esr, far }),
    }
}

/// A partition that never gives back what it was given: the normal world's timer takes it. It is lost
/// for good, so this comes last.
pub fn endless(suite: &mut Suite) {
    let phoenix = peer(PHOENIX);
    suite.case("endless_loop/request_is_interrupted", |suite| {
        let request = suite.request(abi::DIRECT_REQ2, &phoenix, &[life::command(life::SPIN), 0]);
        suite.interrupted(PHOENIX, || Ok(request))?;
        Ok(Seen::Nothing)
    });
    suite.case("endless_loop/others_answer", |suite| suite.others());
    suite.case("endless_loop/request_is_busy", |suite| {
        for (call, ..) in super::KINDS {
            is_error(&suite.send(call, &phoenix, &[0]), &[abi::BUSY])?;
        }
        Ok(Seen::Nothing)
    });
    suite.case("endless_loop/run_is_interrupted", run_is_interrupted);
    suite.case("endless_loop/interrupt_was_pending", was_pending);
    suite.case("endless_loop/others_answer_again", |suite| {
        suite.talk(&ECHO)?;
        suite.others()
    });
}

/// The timer has fired while this client ran, which masks interrupts: it counts all the same.
fn was_pending(_: &mut Suite) -> Verdict {
    let run = crate::client::registers(abi::RUN, &[target(PHOENIX)]);
    crate::rt::interrupt::arm(1);
    let start = crate::rt::regs::cntvct();
    while crate::rt::regs::cntvct().wrapping_sub(start) < super::ticks_of_ms(1) {
        core::hint::spin_loop();
    }
    let exchange = crate::rt::call::checked_call(crate::rt::call::Conduit::Smc, &run);
    let taken = crate::rt::interrupt::take();
    equal("x0 of FFA_RUN", exchange.got[0], abi::INTERRUPT.into())?;
    equal("x1 of FFA_RUN", exchange.got[1], target(PHOENIX))?;
    equal("interrupts taken", taken.map_or(0, u64::from), 1)?;
    expect::own(&exchange, 8).map_err(|wrong| failure(&exchange, wrong))?;
    Ok(Seen::Nothing)
}

fn run_is_interrupted(_: &mut Suite) -> Verdict {
    const RUNS: u64 = 5;
    let run = crate::client::registers(abi::RUN, &[target(PHOENIX)]);
    for _ in 0..RUNS {
        crate::rt::interrupt::arm(super::ticks_of_ms(1));
        let exchange = crate::rt::call::checked_call(crate::rt::call::Conduit::Smc, &run);
        let _ = crate::rt::interrupt::take();
        equal("x0 of FFA_RUN", exchange.got[0], abi::INTERRUPT.into())?;
        equal("x1 of FFA_RUN", exchange.got[1], target(PHOENIX))?;
        expect::own(&exchange, 8).map_err(|wrong| failure(&exchange, wrong))?;
    }
    Ok(Seen::Count("runs", RUNS))
}
