//! Calls that must be refused, by this client and by partitions, and that change nothing.

use super::{How, S12, Suite, V12, V13, ask, is_error, starts_with};
use crate::abi::{self, BUSY, DENIED, INVALID_PARAMETERS, Regs, ids, uuid_registers};
use crate::client::Client;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::contract::{Boundary, Kind, SUBJECTS, Subject, bad, protocol};
use crate::protocol::{FAILED, OK};
use crate::rt::call::Conduit;

struct Case {
    name: &'static str,
    id: u32,
    arguments: fn(&Client) -> Regs,
    code: i32,
    /// Only for clients that have the registers of `DIRECT_REQ2`.
    extended: bool,
}

/// x1-x7; x0 is filled in later.
fn with(arguments: &[u64]) -> Regs {
    let mut regs = [0; 18];
    for (slot, value) in regs.iter_mut().skip(1).zip(arguments) {
        *slot = *value;
    }
    regs
}

macro_rules! case {
    ($name:literal, $id:expr, $code:expr, $arguments:expr) => {
        Case {
            name: $name,
            id: $id,
            arguments: $arguments,
            code: $code,
            extended: false,
        }
    };
    (extended $name:literal, $code:expr, $arguments:expr) => {
        Case {
            name: $name,
            id: abi::DIRECT_REQ2,
            arguments: $arguments,
            code: $code,
            extended: true,
        }
    };
}

/// FFA_RUN, then direct requests, in the order of their checks.
const CASES: &[Case] = &[
    case!("run_unknown", abi::RUN, INVALID_PARAMETERS, |_| with(&[
        0x8055_0000
    ])),
    case!("run_spmc", abi::RUN, INVALID_PARAMETERS, |_| with(&[
        0x8000_0000
    ])),
    case!("run_vm", abi::RUN, INVALID_PARAMETERS, |_| with(&[
        0x0002_0000
    ])),
    case!(
        "run_context_of_another_cpu",
        abi::RUN,
        INVALID_PARAMETERS,
        |_| with(&[V12.target() | 1])
    ),
    case!("run_context_9", abi::RUN, INVALID_PARAMETERS, |_| with(&[
        V12.target() | 9
    ])),
    case!(
        "run_context_1_of_1",
        abi::RUN,
        INVALID_PARAMETERS,
        |_| with(&[S12.target() | 1])
    ),
    case!("req_32_w2", abi::DIRECT_REQ_32, INVALID_PARAMETERS, |c| {
        with(&[ids(c.me, V12.id), 1])
    }),
    case!("req_64_x2", abi::DIRECT_REQ_64, INVALID_PARAMETERS, |c| {
        with(&[ids(c.me, V12.id), 0x4000_0000])
    }),
    case!(
        "req_32_framework_vm_created",
        abi::DIRECT_REQ_32,
        INVALID_PARAMETERS,
        |c| with(&[ids(c.me, V12.id), 0x8000_0004])
    ),
    case!(
        "req_64_framework_psci",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |c| with(&[ids(c.me, V12.id), 0x8000_0000])
    ),
    case!(
        "req_32_to_self",
        abi::DIRECT_REQ_32,
        INVALID_PARAMETERS,
        |c| { with(&[ids(c.me, c.me)]) }
    ),
    case!(
        "req_64_to_spmc",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |c| { with(&[ids(c.me, abi::SPMC)]) }
    ),
    case!(
        "req_64_to_unknown",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |c| with(&[ids(c.me, 0x8055)])
    ),
    case!(
        "req_32_from_partition",
        abi::DIRECT_REQ_32,
        INVALID_PARAMETERS,
        |_| with(&[ids(V13.id, V12.id)])
    ),
    case!(extended "req2_to_unknown", INVALID_PARAMETERS, |c| {
        with(&[ids(c.me, 0x8055)])
    }),
    case!(extended "req2_unknown_uuid", INVALID_PARAMETERS, |c| {
        let [low, high] = uuid_registers(abi::UNKNOWN_UUID);
        with(&[ids(c.me, V12.id), low, high])
    }),
    case!(extended "req2_uuid_of_another", INVALID_PARAMETERS, |c| {
        let [low, high] = uuid_registers(V13.uuid());
        with(&[ids(c.me, V12.id), low, high])
    }),
    case!(extended "req2_unknown_uuid_below_1_2", INVALID_PARAMETERS, |c| {
        let [low, high] = uuid_registers(abi::UNKNOWN_UUID);
        with(&[ids(c.me, SUBJECTS[0].id), low, high])
    }),
    case!(extended "req2_service_without_it", DENIED, |c| {
        let [low, high] = uuid_registers(V13.second_uuid());
        with(&[ids(c.me, V13.id), low, high])
    }),
];

/// The cells of this client.
pub fn client(suite: &mut Suite) {
    for case in CASES {
        if case.extended && !suite.is_extended() {
            continue;
        }
        suite.own(format_args!("bad/{}", case.name), |suite| {
            let mut regs = (case.arguments)(&suite.client);
            regs[0] = case.id.into();
            for _ in 0..2 {
                is_error(&suite.call(&regs)?, case.code)?;
            }
            suite.answered(Kind::Req64, V12, How::Clean)?;
            Ok(Seen::Nothing)
        });
    }
    suite.own(format_args!("bad/run_in_chain"), in_chain);
}

/// A partition that was interrupted while it served another: neither may be called, and only the
/// other may be run.
fn in_chain(suite: &mut Suite) -> Verdict {
    suite.arm(
        V12,
        protocol::PASS_ON,
        V13.id.into(),
        Kind::Req64.request().into(),
    )?;
    suite.arm(V13, protocol::SPIN, super::long(), 0)?;
    crate::rt::interrupt::arm(super::delay());
    let request = suite.request(Kind::Req64, V12);
    let mut exchange = suite.call(&request)?;
    let _ = crate::rt::interrupt::take();
    if exchange.got[0] == abi::INTERRUPT.into() {
        let callee_preempted = {
            let denied = suite.run(abi::RUN, V13)?;
            // Not so if the interrupt met its caller before the call.
            denied.got[0] == abi::ERROR.into() && {
                is_error(&denied, DENIED)?;
                true
            }
        };
        if callee_preempted {
            suite.refused(Kind::Req64, V13, BUSY)?;
        }
        suite.refused(Kind::Req64, V12, BUSY)?;
        exchange = suite.run(abi::RUN, V12)?;
    }
    super::cycles::passed_on(V12, V13, &request, &exchange, Kind::Req64)?;
    Ok(Seen::Nothing)
}

/// The table of each partition, in a request of either kind and by both conduits.
pub fn partitions(suite: &mut Suite) {
    for subject in &SUBJECTS {
        for (index, case) in (0..).zip(bad::CASES) {
            suite.cell(
                subject.column(),
                format_args!("bad/{}", case.name),
                |suite| {
                    for kind in [Kind::Req64, Kind::Req2] {
                        let possible = subject.is_extended() && suite.is_extended();
                        if kind == Kind::Req2 && !possible {
                            continue;
                        }
                        for conduit in [Conduit::Smc, Conduit::Hvc] {
                            one(suite, subject, index, kind, conduit)?;
                        }
                    }
                    suite.answered(Kind::Req64, subject, How::Clean)?;
                    Ok(Seen::Nothing)
                },
            );
        }
    }
    if suite.column.boundary == Boundary::Vm {
        suite.own(format_args!("bad/all_answer_afterwards"), |suite| {
            for subject in &SUBJECTS {
                suite.answered(Kind::Req32, subject, How::Clean)?;
            }
            Ok(Seen::Nothing)
        });
    }
}

fn one(
    suite: &mut Suite,
    subject: &Subject,
    index: u64,
    kind: Kind,
    conduit: Conduit,
) -> Result<(), Failure> {
    // The strict partition that one case is about waits in a 32-bit call.
    if subject.id != S12.id {
        let end = suite.run(abi::RUN, S12)?;
        starts_with(&end, &[abi::MSG_WAIT.into()])?;
    }
    let mut request = suite.request(kind, subject);
    let (first, _) = kind.payload();
    let number = match conduit {
        Conduit::Smc | Conduit::Svc => 0,
        Conduit::Hvc => 1,
    };
    let command = [crate::protocol::command(ask::BAD), index, number];
    for (slot, value) in request.iter_mut().skip(first).zip(command) {
        *slot = value;
    }
    let exchange = suite.call(&request)?;
    equal("x0", exchange.got[0], kind.response().into())?;
    let [status, register, got, want] =
        [0, 1, 2, 3].map(|n| exchange.got.get(first + n).copied().unwrap_or(0));
    match status {
        OK => Ok(()),
        FAILED => Err(Failure::Partition {
            conduit,
            mismatch: crate::expect::Mismatch {
                register: register as u8,
                got,
                want,
            },
        }),
        _ => equal("status", status, OK),
    }
}
