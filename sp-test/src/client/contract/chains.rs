//! Partitions that call partitions: answers, interrupts and yields of the callee, FFA_RUN of both
//! forms by the caller, and strict mode's one place.

use super::{SUBJECTS, Suite, TRIES, V12, V13, ask, cycles::passed_on, delay, long, name, names};
use crate::abi::{self, Regs};
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::contract::{
    Kind, Subject,
    protocol::{self, FIRST_64, PROVOKE},
};
use crate::expect::Exchange;
use crate::rt::interrupt;

/// What the callee does before it answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callee {
    /// Nothing else.
    Answers,
    /// It gives the core back.
    Yields,
    /// It is preempted.
    IsInterrupted,
}

/// The cells of a partition as a caller.
pub fn partition(suite: &mut Suite, caller: &'static Subject) {
    if !caller.sends() {
        suite.cell(
            caller.column(),
            format_args!("REQ_64-ERROR-DENIED/sends-none"),
            |suite| refused(suite, caller, V12, Kind::Req64, abi::DENIED),
        );
        return;
    }
    let callee = if caller.id == V12.id { V13 } else { V12 };
    for kind in Kind::ALL {
        let request = name(kind.request());
        if kind == Kind::Req2 && !caller.is_extended() {
            suite.cell(
                caller.column(),
                format_args!("REQ2-ERROR-DENIED/own-version"),
                |suite| refused(suite, caller, callee, kind, abi::DENIED),
            );
            continue;
        }
        if kind == Kind::Req2 {
            for old in SUBJECTS.iter().filter(|subject| !subject.is_extended()) {
                suite.cell(
                    caller.column(),
                    format_args!("REQ2-ERROR-DENIED/{}", old.name),
                    |suite| refused(suite, caller, old, kind, abi::DENIED),
                );
            }
        }
        suite.cell(
            caller.column(),
            format_args!("{request}-ERROR-BUSY/loop"),
            |suite| back(suite, caller, callee, kind),
        );
        suite.cell(
            callee.column(),
            format_args!("{request}-ERROR-DENIED/loop-to-{}", caller.name),
            |suite| back_in_run(suite, caller, callee, kind),
        );
        let pass = |what| Pass {
            caller,
            callee,
            kind,
            what,
        };
        suite.cell(
            caller.column(),
            format_args!("{request}-{}", name(kind.response())),
            |suite| {
                let answer = kind.response().into();
                pass(Callee::Answers).until(suite, 0, kind.request(), answer, 1)
            },
        );
        for what in [Callee::Yields, Callee::IsInterrupted] {
            runs(suite, &pass(what));
        }
        for (suffix, setup) in [
            ("/garbage", protocol::GARBAGE),
            ("/sve-hint", protocol::HINT),
        ] {
            dressed(suite, &pass(Callee::Yields), suffix, setup);
        }
    }
}

/// The caller's request and its FFA_RUN with what must be ignored in their registers.
fn dressed(suite: &mut Suite, pass: &Pass, suffix: &str, setup: u64) {
    let Pass { caller, kind, .. } = *pass;
    let column = caller.column();
    let response: u64 = kind.response().into();
    let run = match caller.strict && kind == Kind::Req2 {
        true => abi::RUN_64,
        false => abi::RUN,
    };
    for (call, completion) in [(kind.request(), abi::YIELD.into()), (run, response)] {
        if setup == protocol::GARBAGE && call & 1 << 30 != 0 {
            continue;
        }
        let (call_name, completion_name) = (name(call), name(completion as u32));
        suite.cell(
            column,
            format_args!("{call_name}-{completion_name}/yielded{suffix}"),
            |suite| {
                suite.ask(caller, ask::SETUP, [setup, 0, 0, 0])?;
                pass.until(suite, 0, call, completion, 1)?;
                suite.ask(caller, ask::SETUP, [0; 4])?;
                suite.seen(caller, call, completion, 1)
            },
        );
    }
}

/// What a VM sees of its calls of this callee: the answer, or its yield and what ends FFA_RUN then.
pub(crate) fn passes(suite: &mut Suite, pass: &Pass) {
    let Pass { kind, callee, .. } = *pass;
    let answer: u64 = kind.response().into();
    let column = pass.caller.column();
    let (request, response) = (name(kind.request()), name(kind.response()));
    let to = callee.name;
    if pass.what == Callee::Answers {
        let name = format_args!("{request}-{response}/to-{to}");
        suite.cell(column, name, |suite| {
            pass.until(suite, 0, kind.request(), answer, 1)
        });
        return;
    }
    let name = format_args!("{request}-YIELD_32/to-{to}");
    suite.cell(column, name, |suite| {
        pass.until(suite, 0, kind.request(), abi::YIELD.into(), 1)
    });
    let kept = pass.caller.strict && kind == Kind::Req2;
    let denied = ask::error(abi::DENIED);
    let (what, end) = match kept {
        true => ("ERROR-DENIED", denied),
        false => (response, answer),
    };
    let name = format_args!("RUN_32-{what}/{to}-yielded");
    suite.cell(column, name, |suite| pass.until(suite, 0, abi::RUN, end, 1));
    let (what, end) = match pass.caller.has_wide_cycles() {
        true => (response, answer),
        false => ("ERROR-NOT_SUPPORTED", ask::error(abi::NOT_SUPPORTED)),
    };
    let name = format_args!("RUN_64-{what}/{to}-yielded-{request}");
    suite.cell(column, name, |suite| {
        pass.until(suite, FIRST_64, abi::RUN_64, end, 1)
    });
    if kept {
        let name = format_args!("REQ2-ERROR-BUSY/kept-from-{to}");
        suite.cell(column, name, |suite| {
            let busy = ask::error(abi::BUSY);
            pass.until(suite, PROVOKE, abi::DIRECT_REQ2, busy, 1)?;
            suite.seen(pass.caller, abi::RUN_64, answer, 1)
        });
    }
}

/// The caller's request, completed otherwise, and its FFA_RUN in both forms.
fn runs(suite: &mut Suite, pass: &Pass) {
    let Pass {
        caller, kind, what, ..
    } = *pass;
    let column = caller.column();
    let (request, response) = (name(kind.request()), name(kind.response()));
    let answer: u64 = kind.response().into();
    let (ended, suffix) = match what {
        Callee::Yields => (abi::YIELD, "yielded"),
        _ => (abi::INTERRUPT, "preempted"),
    };
    suite.cell(column, format_args!("{request}-{}", name(ended)), |suite| {
        pass.until(suite, 0, kind.request(), ended.into(), 1)
    });
    if caller.strict && kind == Kind::Req2 {
        let denied = ask::error(abi::DENIED);
        suite.cell(
            column,
            format_args!("RUN_32-ERROR-DENIED/{suffix}-parked"),
            |suite| pass.until(suite, 0, abi::RUN, denied, 1),
        );
        suite.cell(
            column,
            format_args!("RUN_64-{response}/{suffix}-fetched"),
            |suite| pass.until(suite, 0, abi::RUN_64, answer, 1),
        );
        suite.cell(
            column,
            format_args!("REQ2-ERROR-BUSY/{suffix}-parked"),
            |suite| {
                let busy = ask::error(abi::BUSY);
                pass.until(suite, PROVOKE, abi::DIRECT_REQ2, busy, 1)?;
                suite.seen(caller, abi::RUN, denied, 2)?;
                suite.seen(caller, abi::RUN_64, answer, 1)
            },
        );
    } else {
        suite.cell(
            column,
            format_args!("RUN_32-{response}/{suffix}"),
            |suite| pass.until(suite, 0, abi::RUN, answer, 1),
        );
    }
    let (form, completion) = match caller.has_wide_cycles() {
        true => (response, answer),
        false => ("ERROR-NOT_SUPPORTED", ask::error(abi::NOT_SUPPORTED)),
    };
    suite.cell(
        column,
        format_args!("RUN_64-{form}/{request}-{suffix}"),
        |suite| pass.until(suite, FIRST_64, abi::RUN_64, completion, 1),
    );
}

/// Has `caller` pass our request on to `callee`, checks the answer's payload, and repeats that until
/// the caller saw `call` completed so.
pub(crate) struct Pass {
    /// Who passes it on.
    pub(crate) caller: &'static Subject,
    /// To whom.
    pub(crate) callee: &'static Subject,
    /// By what.
    pub(crate) kind: Kind,
    /// What that one does.
    pub(crate) what: Callee,
}

impl Pass {
    pub(crate) fn until(
        &self,
        suite: &mut Suite,
        flags: u64,
        call: u32,
        completion: u64,
        least: u64,
    ) -> Verdict {
        suite.until(self.caller, call, completion, least, |suite| {
            self.once(suite, flags)
        })
    }

    fn once(&self, suite: &mut Suite, flags: u64) -> Result<(), Failure> {
        let how = u64::from(self.kind.request()) | flags;
        let callee = self.callee;
        suite.arm(self.caller, protocol::PASS_ON, callee.id.into(), how)?;
        match self.what {
            Callee::Answers => {}
            Callee::Yields => suite.arm(callee, protocol::YIELD, 2, 0)?,
            Callee::IsInterrupted => {
                suite.arm(callee, protocol::SPIN, long(), 0)?;
                interrupt::arm(delay());
            }
        }
        let request = suite.request(self.kind, self.caller);
        let exchange = finish(suite, self.caller, &request)?;
        suite.take_interrupt()?;
        passed_on(self.caller, callee, &request, &exchange, self.kind)
    }
}

/// Makes a call and runs the subject for as long as interrupts end it.
fn finish(suite: &mut Suite, subject: &Subject, call: &Regs) -> Result<Exchange, Failure> {
    let mut exchange = suite.call(call)?;
    for _ in 0..TRIES {
        if exchange.got[0] != abi::INTERRUPT.into() {
            break;
        }
        names(&exchange, abi::INTERRUPT, subject)?;
        suite.take_interrupt()?;
        exchange = suite.run(abi::RUN, subject)?;
    }
    Ok(exchange)
}

/// The caller's request is refused.
pub(crate) fn refused(
    suite: &mut Suite,
    caller: &Subject,
    callee: &Subject,
    kind: Kind,
    code: i32,
) -> Verdict {
    suite.clear(caller)?;
    let how = kind.request().into();
    suite.arm(caller, protocol::PASS_ON, callee.id.into(), how)?;
    let (_, exchange) = suite.send(Kind::Req64, caller)?;
    equal("x0", exchange.got[0], abi::DIRECT_RESP_64.into())?;
    equal("the caller's x0", exchange.got[3], abi::ERROR.into())?;
    equal("the caller's x2", exchange.got[4], abi::code(code))?;
    suite.seen(caller, kind.request(), ask::error(code), 1)
}

/// The callee calls back: its caller is busy with our request.
pub(crate) fn back(suite: &mut Suite, caller: &Subject, callee: &Subject, kind: Kind) -> Verdict {
    suite.clear(callee)?;
    let how: u64 = kind.request().into();
    suite.arm(caller, protocol::PASS_ON, callee.id.into(), how)?;
    suite.arm(callee, protocol::PASS_ON, caller.id.into(), how)?;
    let (_, exchange) = suite.send(Kind::Req64, caller)?;
    equal("x0", exchange.got[0], abi::DIRECT_RESP_64.into())?;
    equal("the callee's x0", exchange.got[3], abi::ERROR.into())?;
    suite.seen(callee, kind.request(), ask::error(abi::BUSY), 1)?;
    Ok(Seen::Nothing)
}

/// The same where the caller serves no request but was given cycles by FFA_RUN.
fn back_in_run(suite: &mut Suite, caller: &Subject, callee: &Subject, kind: Kind) -> Verdict {
    suite.clear(callee)?;
    let how: u64 = kind.request().into();
    suite.arm(caller, protocol::PASS_ON, callee.id.into(), how)?;
    suite.arm(callee, protocol::PASS_ON, caller.id.into(), how)?;
    let end = suite.run(abi::RUN, caller)?;
    equal("x0", end.got[0], abi::MSG_WAIT.into())?;
    suite.seen(callee, kind.request(), ask::error(abi::DENIED), 1)
}
