//! CPU cycles given, taken and given back: FFA_RUN, interrupts, yields; what completes whose call
//! then; strict mode's one place for a response; the hypervisor's own FFA_RUN.

use super::{
    How, S12, Suite, TRIES, V12, V13, ask, delay, is_error, is_response, long, name, names,
    starts_with,
};
use crate::abi::{self, Regs};
use crate::client::registers;
use crate::client::report::{Failure, Seen, equal};
use crate::contract::{Boundary, Kind, Subject, protocol};
use crate::expect::Exchange;
use crate::rt::interrupt;

/// The cells of this client.
pub fn client(suite: &mut Suite) {
    for how in How::ALL {
        suite.own(
            format_args!("RUN_32-MSG_WAIT_32{}", how.suffix()),
            |suite| {
                for subject in [V12, S12] {
                    let run = registers(abi::RUN, &[subject.target()]);
                    let exchange = suite.call_as(&run, how)?;
                    starts_with(&exchange, &[abi::MSG_WAIT.into()])?;
                }
                Ok(Seen::Nothing)
            },
        );
    }
    run_64(suite);
    let kinds = match suite.is_extended() {
        true => &Kind::ALL[..],
        false => &Kind::ALL[..2],
    };
    for kind in kinds {
        for subject in [V12, S12] {
            interrupts(suite, *kind, subject);
            yields(suite, *kind, subject);
        }
    }
    runs_interrupted(suite, &[V12, S12]);
    if suite.column.boundary == Boundary::Vm {
        for kind in kinds {
            own_runs(suite, *kind);
        }
    }
    if suite.column.boundary == Boundary::Vm && suite.column.strict && suite.is_extended() {
        parked(suite, V12, V13);
    }
}

/// The 64-bit FFA_RUN where nothing is to be had by it but the end of a wait.
fn run_64(suite: &mut Suite) {
    if suite.has_wide_run() {
        suite.own(format_args!("RUN_64-MSG_WAIT_32"), |suite| {
            let exchange = suite.run(abi::RUN_64, V12)?;
            starts_with(&exchange, &[abi::MSG_WAIT.into()])?;
            Ok(Seen::Nothing)
        });
    } else {
        suite.own(format_args!("RUN_64-ERROR-NOT_SUPPORTED"), |suite| {
            let exchange = suite.run(abi::RUN_64, V12)?;
            is_error(&exchange, abi::NOT_SUPPORTED)?;
            Ok(Seen::Nothing)
        });
    }
}

impl Suite {
    /// Makes a call that lets the subject spin, and has the timer meet it there. Gives the call's
    /// completion by FFA_INTERRUPT; the interrupt has been taken.
    pub(crate) fn interrupted(
        &mut self,
        subject: &Subject,
        call: &Regs,
    ) -> Result<Exchange, Failure> {
        for _ in 0..TRIES {
            self.arm(subject, protocol::SPIN, long(), 0)?;
            interrupt::arm(delay());
            let exchange = self.call(call)?;
            let taken = self.take_interrupt()?;
            if exchange.got[0] == abi::INTERRUPT.into() {
                names(&exchange, abi::INTERRUPT, subject)?;
                equal("interrupts taken", taken.into(), 1)?;
                return Ok(exchange);
            }
            // It came while this client itself still ran: once more.
        }
        equal("interrupts that met the partition", 0, 1)?;
        Err(Failure::NoFault(0))
    }

    /// Takes the timer's interrupt, if it is there.
    pub(crate) fn take_interrupt(&mut self) -> Result<bool, Failure> {
        interrupt::take().map_err(|id| Failure::Value {
            what: "an interrupt that is not this client's",
            got: id,
            want: 0,
        })
    }
}

/// The request is interrupted; FFA_RUN of either form is completed by the response.
pub(crate) fn interrupts(suite: &mut Suite, kind: Kind, subject: &'static Subject) {
    let (request_name, response_name) = (name(kind.request()), name(kind.response()));
    let peer = subject.name;
    let mut request = suite.request(kind, subject);
    suite.own(format_args!("{request_name}-INTERRUPT/{peer}"), |suite| {
        request = suite.request(kind, subject);
        suite.interrupted(subject, &request)?;
        Ok(Seen::Nothing)
    });
    suite.own(
        format_args!("{request_name}-ERROR-BUSY/{peer}-preempted"),
        |suite| {
            suite.refused(kind, subject, abi::BUSY)?;
            suite.answered(Kind::Req64, V13, How::Clean)?;
            Ok(Seen::Nothing)
        },
    );
    if !suite.has_wide_run() {
        suite.own(
            format_args!("RUN_64-ERROR-NOT_SUPPORTED/{peer}-preempted"),
            |suite| {
                is_error(&suite.run(abi::RUN_64, subject)?, abi::NOT_SUPPORTED)?;
                Ok(Seen::Nothing)
            },
        );
    }
    if suite.column.strict && kind == Kind::Req2 {
        suite.own(format_args!("RUN_32-ERROR-DENIED/{peer}-parked"), |suite| {
            is_error(&suite.run(abi::RUN, subject)?, abi::DENIED)?;
            Ok(Seen::Nothing)
        });
        suite.own(
            format_args!("RUN_64-{response_name}/{peer}-fetched"),
            |suite| {
                let exchange = suite.run(abi::RUN_64, subject)?;
                is_response(subject, &request, &exchange, kind.response())?;
                Ok(Seen::Nothing)
            },
        );
    } else {
        suite.own(
            format_args!("RUN_32-{response_name}/{peer}-preempted"),
            |suite| {
                let exchange = suite.run(abi::RUN, subject)?;
                is_response(subject, &request, &exchange, kind.response())?;
                Ok(Seen::Nothing)
            },
        );
    }
    if suite.has_wide_run() {
        suite.own(
            format_args!("RUN_64-{response_name}/{peer}-preempted"),
            |suite| {
                let request = suite.request(kind, subject);
                suite.interrupted(subject, &request)?;
                let exchange = suite.run(abi::RUN_64, subject)?;
                is_response(subject, &request, &exchange, kind.response())?;
                Ok(Seen::Nothing)
            },
        );
    }
}

/// The request is completed by FFA_YIELD, FFA_RUN by another one, and at last by the response.
pub(crate) fn yields(suite: &mut Suite, kind: Kind, subject: &'static Subject) {
    let (request_name, response_name) = (name(kind.request()), name(kind.response()));
    let peer = subject.name;
    let mut request = suite.request(kind, subject);
    suite.own(format_args!("{request_name}-YIELD_32/{peer}"), |suite| {
        suite.arm(subject, protocol::YIELD, 3, 0)?;
        request = suite.request(kind, subject);
        let exchange = suite.call(&request)?;
        names(&exchange, abi::YIELD, subject)?;
        Ok(Seen::Nothing)
    });
    suite.own(
        format_args!("{request_name}-ERROR-BUSY/{peer}-yielded"),
        |suite| {
            suite.refused(kind, subject, abi::BUSY)?;
            Ok(Seen::Nothing)
        },
    );
    let form = match suite.has_wide_run() {
        true => abi::RUN_64,
        false => abi::RUN,
    };
    suite.own(
        format_args!("{request_name}-RUN-YIELD_32/{peer}"),
        |suite| {
            names(&suite.run(abi::RUN, subject)?, abi::YIELD, subject)?;
            names(&suite.run(form, subject)?, abi::YIELD, subject)?;
            Ok(Seen::Nothing)
        },
    );
    if suite.column.strict && kind == Kind::Req2 {
        suite.own(
            format_args!("RUN_64-{response_name}/{peer}-yielded"),
            |suite| {
                let exchange = suite.run(abi::RUN_64, subject)?;
                is_response(subject, &request, &exchange, kind.response())?;
                Ok(Seen::Nothing)
            },
        );
    } else {
        suite.own(
            format_args!("RUN_32-{response_name}/{peer}-yielded"),
            |suite| {
                let exchange = suite.run(abi::RUN, subject)?;
                is_response(subject, &request, &exchange, kind.response())?;
                Ok(Seen::Nothing)
            },
        );
    }
}

/// FFA_RUN that gives cycles and is itself interrupted, yielded, and completed by the next wait.
pub(crate) fn runs_interrupted(suite: &mut Suite, subjects: &[&'static Subject]) {
    for subject in subjects {
        let peer = subject.name;
        let run = registers(abi::RUN, &[subject.target()]);
        suite.own(format_args!("RUN_32-INTERRUPT/{peer}"), |suite| {
            suite.interrupted(subject, &run)?;
            Ok(Seen::Nothing)
        });
        suite.own(
            format_args!("RUN_32-MSG_WAIT_32/{peer}-preempted"),
            |suite| {
                starts_with(&suite.call(&run)?, &[abi::MSG_WAIT.into()])?;
                Ok(Seen::Nothing)
            },
        );
        suite.own(format_args!("RUN_32-YIELD_32/{peer}"), |suite| {
            suite.arm(subject, protocol::YIELD, 1, 0)?;
            names(&suite.call(&run)?, abi::YIELD, subject)?;
            Ok(Seen::Nothing)
        });
        suite.own(format_args!("RUN_32-MSG_WAIT_32/{peer}-yielded"), |suite| {
            starts_with(&suite.call(&run)?, &[abi::MSG_WAIT.into()])?;
            Ok(Seen::Nothing)
        });
    }
}

/// The partition is interrupted by the hypervisor's own timer again and again, and this VM sees
/// nothing of it: its request, or its FFA_RUN, is completed by the response.
fn own_runs(suite: &mut Suite, kind: Kind) {
    let (request_name, response_name) = (name(kind.request()), name(kind.response()));
    suite.own(
        format_args!("{request_name}-{response_name}/own-run"),
        |suite| {
            // Who is called by a partition is seen to be interrupted by that one.
            let interrupted = match kind {
                Kind::Req2 => V13,
                _ => V12,
            };
            let caller = match kind {
                Kind::Req2 => V12,
                _ => V13,
            };
            let [id, form] = [interrupted.id.into(), kind.request().into()];
            // The timer of a busy emulator may be late by more than the spin.
            suite.until(caller, kind.request(), abi::INTERRUPT.into(), 1, |suite| {
                suite.arm(caller, protocol::PASS_ON, id, form)?;
                suite.arm(interrupted, protocol::SPIN, long(), 0)?;
                let (request, exchange) = suite.send(kind, caller)?;
                passed_on(caller, interrupted, &request, &exchange, kind)
            })
        },
    );
    suite.own(
        format_args!("{request_name}-RUN-{response_name}/own-run"),
        |suite| {
            let request = suite.request(kind, V12);
            suite.interrupted(V12, &request)?;
            // There is most of the spin left.
            let form = match suite.column.strict {
                true => abi::RUN_64,
                false => abi::RUN,
            };
            let exchange = suite.run(form, V12)?;
            is_response(V12, &request, &exchange, kind.response())?;
            Ok(Seen::Nothing)
        },
    );
}

/// The answer of `caller` is what `callee` made of the request's payload.
pub(crate) fn passed_on(
    caller: &Subject,
    callee: &Subject,
    request: &Regs,
    exchange: &Exchange,
    kind: Kind,
) -> Result<(), Failure> {
    let mut asked = *request;
    asked[1] = abi::ids((request[1] >> 16) as u16, caller.id);
    // The callee's transformation, the caller's identifiers.
    is_response(callee, &asked, exchange, kind.response())
}

/// Strict mode's one place: taken, not overwritten, fetched from its owner only.
pub(crate) fn parked(suite: &mut Suite, owner: &'static Subject, other: &'static Subject) {
    let mut request = suite.request(Kind::Req2, owner);
    suite.own(format_args!("RUN_32-ERROR-DENIED/parked"), |suite| {
        request = suite.request(Kind::Req2, owner);
        suite.interrupted(owner, &request)?;
        is_error(&suite.run(abi::RUN, owner)?, abi::DENIED)?;
        is_error(&suite.run(abi::RUN, owner)?, abi::DENIED)?;
        Ok(Seen::Nothing)
    });
    suite.own(format_args!("REQ2-ERROR-BUSY/parked"), |suite| {
        for subject in [owner, other] {
            suite.refused(Kind::Req2, subject, abi::BUSY)?;
        }
        Ok(Seen::Nothing)
    });
    suite.own(
        format_args!("RUN_64-MSG_WAIT_32/parked-by-other"),
        |suite| {
            starts_with(&suite.run(abi::RUN_64, other)?, &[abi::MSG_WAIT.into()])?;
            Ok(Seen::Nothing)
        },
    );
    suite.own(format_args!("REQ_64-RESP_64/parked"), |suite| {
        for subject in [owner, other] {
            suite.answered(Kind::Req64, subject, How::Clean)?;
        }
        Ok(Seen::Nothing)
    });
    suite.own(format_args!("RUN_64-RESP2/fetched"), |suite| {
        let exchange = suite.run(abi::RUN_64, owner)?;
        is_response(owner, &request, &exchange, abi::DIRECT_RESP2)?;
        starts_with(&suite.run(abi::RUN_64, owner)?, &[abi::MSG_WAIT.into()])?;
        // There is room for the next response. A strict owner waits in its 32-bit call now.
        if owner.takes_extended(false) {
            suite.answered(Kind::Req2, owner, How::Clean)?;
        } else {
            suite.refused(Kind::Req2, owner, abi::DENIED)?;
        }
        Ok(Seen::Nothing)
    });
}

/// What a partition sees of its own yields, and of being taken off the CPU in between.
pub fn partition(suite: &mut Suite, subject: &'static Subject) {
    let column = subject.column();
    for wide in [false, true] {
        let id = if wide { abi::YIELD_64 } else { abi::YIELD };
        // In a direct request only from 1.2, and the 64-bit form where it exists.
        let error = match (wide, subject.has_wide_cycles(), subject.is_extended()) {
            (true, false, _) => Some(abi::NOT_SUPPORTED),
            (_, _, false) => Some(abi::DENIED),
            _ => None,
        };
        let what = match error {
            Some(code) => abi::error_name(abi::code(code)),
            None => "SUCCESS",
        };
        for (suffix, setup) in [
            ("", 0),
            ("/garbage", protocol::GARBAGE),
            ("/sve-hint", protocol::HINT),
        ] {
            if wide && setup == protocol::GARBAGE {
                continue;
            }
            let call = name(id);
            suite.cell(
                column,
                format_args!("{call}-{what}/in-request{suffix}"),
                |suite| {
                    suite.clear(subject)?;
                    suite.ask(subject, ask::SETUP, [setup, 0, 0, 0])?;
                    suite.arm(subject, protocol::YIELD, 2, wide.into())?;
                    let (request, mut exchange) = suite.send(Kind::Req64, subject)?;
                    if error.is_none() {
                        for _ in 0..2 {
                            names(&exchange, abi::YIELD, subject)?;
                            exchange = suite.run(abi::RUN, subject)?;
                        }
                    }
                    is_response(subject, &request, &exchange, abi::DIRECT_RESP_64)?;
                    suite.ask(subject, ask::SETUP, [0; 4])?;
                    let completion = match error {
                        Some(code) => ask::error(code),
                        None => abi::SUCCESS_32.into(),
                    };
                    suite.seen(subject, id, completion, 2)
                },
            );
        }
        if wide && !subject.has_wide_cycles() {
            continue;
        }
        suite.cell(
            column,
            format_args!("{}-SUCCESS/in-run", name(id)),
            |suite| {
                suite.clear(subject)?;
                suite.arm(subject, protocol::YIELD, 2, wide.into())?;
                for _ in 0..2 {
                    names(&suite.run(abi::RUN, subject)?, abi::YIELD, subject)?;
                }
                let last = suite.run(abi::RUN, subject)?;
                starts_with(&last, &[abi::MSG_WAIT.into()])?;
                suite.seen(subject, id, abi::SUCCESS_32.into(), 2)
            },
        );
    }
    suite.cell(column, format_args!("INTERRUPTED-RESUMED"), |suite| {
        let request = suite.request(Kind::Req64, subject);
        suite.clear(subject)?;
        suite.interrupted(subject, &request)?;
        // Meanwhile another uses all of its registers.
        let other = if subject.id == V12.id { V13 } else { V12 };
        suite.answered(Kind::Req64, other, How::Clean)?;
        let exchange = suite.run(abi::RUN, subject)?;
        is_response(subject, &request, &exchange, abi::DIRECT_RESP_64)?;
        suite.seen(subject, 0, 0, 1)
    });
    for kind in Kind::ALL {
        // The hypervisor has no such call for old VMs.
        let code = match (column.boundary, kind) {
            (Boundary::Vm, Kind::Req2) if !subject.is_extended() => abi::NOT_SUPPORTED,
            _ => abi::DENIED,
        };
        let what = abi::error_name(abi::code(code));
        suite.cell(
            column,
            format_args!("{}-ERROR-{what}/in-run", name(kind.response())),
            |suite| {
                suite.clear(subject)?;
                suite.arm(subject, protocol::UNASKED, suite.client.me.into(), 0)?;
                let end = suite.run(abi::RUN, subject)?;
                starts_with(&end, &[abi::MSG_WAIT.into()])?;
                suite.seen(subject, kind.response(), ask::error(code), 1)
            },
        );
    }
}
