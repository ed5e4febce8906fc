//! Memory that is not one's own: each touch is an abort at the EL1 that made it, and everybody goes on. Calls that
//! nobody knows.

use super::{Env, ask, good};
use crate::board::place;
use crate::client::report::{Failure, Seen, Verdict};
use crate::client::suite::refusal;
use crate::contract::Subject;
use crate::expect::{self, Expect};
use crate::protocol::{EXECUTE, READ, WRITE};
use crate::rt::{
    call::{Conduit, no_call},
    fault::{self, Fault},
};

const ONE: u64 = place(0x5000_0000);
const TWO: u64 = place(0x5100_0000);
const THREE: u64 = place(0x5200_0000);
/// The last page of VM 2.
const TWO_END: u64 = place(0x5180_0000) - 0x1000;
const PROXY: u64 = place(0x6000_0000);
const SPMC: u64 = place(0x0e10_0000);
const PARTITION: u64 = place(0x0e30_0000);
const NOBODYS: u64 = place(0x4000_0000);
const BEHIND_TWO: u64 = place(0x5180_0000);
const UART: u64 = place(0x0900_0000);
const NOWHERE: u64 = 0x70_0000_0000;

const DATA_ABORT: u64 = 0x25;
const INSTRUCTION_ABORT: u64 = 0x21;

/// Where everybody may not go.
const PLACES: &[(&str, u64)] = &[
    ("proxy", PROXY),
    ("proxy_second_page", PROXY + 0x1000),
    ("spmc", SPMC),
    ("partition", PARTITION),
    ("nobodys_memory", NOBODYS),
    ("memory_behind_two", BEHIND_TWO),
    ("uart", UART),
    ("nowhere", NOWHERE),
];

const HOW: &[(&str, u64)] = &[("reads", READ), ("writes", WRITE), ("executes", EXECUTE)];

/// Runs the chapter.
pub fn run(env: &mut Env) {
    let [two, three] = [env.two, env.three];
    let own = [("two", TWO), ("two_last_page", TWO_END), ("three", THREE)];
    for (whose, address) in PLACES.iter().copied().chain(own) {
        for (what, how) in HOW {
            env.case(format_args!("isolation/one_{what}_{whose}"), |env| {
                let seen = judge(touch(address, *how), address, *how)?;
                env.alive()?;
                Ok(seen)
            });
        }
    }
    for (who, subject, others) in [
        ("two", two, [("one", ONE), ("three", THREE)]),
        ("three", three, [("one", ONE), ("two", TWO)]),
    ] {
        for (whose, address) in PLACES.iter().copied().chain(others) {
            for (what, how) in HOW {
                env.case(format_args!("isolation/{who}_{what}_{whose}"), |env| {
                    theirs(env, subject, address, *how)
                });
            }
        }
    }
    for conduit in [Conduit::Smc, Conduit::Hvc] {
        env.case(
            format_args!("isolation/{}_with_an_immediate", conduit.name()),
            |env| {
                let exchange = no_call(conduit);
                expect::check(&exchange, &Expect::Unknown).map_err(|mismatch| {
                    Failure::Register {
                        conduit,
                        call: exchange.sent[0],
                        mismatch,
                        result: refusal(&exchange),
                    }
                })?;
                env.alive()?;
                good()
            },
        );
    }
}

fn touch(address: u64, how: u64) -> Result<u64, Fault> {
    match how {
        READ => fault::probe_read(address),
        // SAFETY: none of the addresses belongs to this image.
        WRITE => unsafe { fault::probe_write(address, 0) }.map(|()| 0),
        // SAFETY: as above; a fetch that goes through ends the run, which fails it.
        _ => unsafe { fault::probe_execute(address) }.map(|()| 0),
    }
}

fn judge(result: Result<u64, Fault>, address: u64, how: u64) -> Verdict {
    let fault = match result {
        Ok(value) => return Err(Failure::NoFault(value)),
        Err(fault) => fault,
    };
    let class = match how {
        EXECUTE => INSTRUCTION_ABORT,
        _ => DATA_ABORT,
    };
    if fault.class() != class || fault.far != address {
        return Err(Failure::WrongFault(fault));
    }
    Ok(Seen::Fault(fault))
}

fn theirs(env: &mut Env, subject: &'static Subject, address: u64, how: u64) -> Verdict {
    let [faulted, esr, far, _] = env.suite.ask(subject, ask::PROBE, [address, how, 0, 0])?;
    let result = match faulted {
        0 => Ok(esr),
        _ => Err(Fault { esr, far }),
    };
    let seen = judge(result, address, how)?;
    env.alive()?;
    Ok(seen)
}
