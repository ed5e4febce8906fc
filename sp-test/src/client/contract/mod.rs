//! The client of the contract matrix: every call and completion of every version and mode, with all
//! registers compared at both ends.
//!
//! A cell is one case, `contract/<boundary>/<version>-<mode>/<call>-<completion>` with a variant
//! behind it. The client looks at the boundary below itself (`vm`: the proxy, `ns`: EL3); what a
//! partition saw at its own (`sp`) it is asked for afterwards. Cells are made by chapters:
//!
//! | chapter | cells |
//! | --- | --- |
//! | `plain` | calls that are answered at once |
//! | `messages` | requests and responses of all widths |
//! | `cycles` | interrupts, yields, FFA_RUN; the proxy's own FFA_RUN; strict mode |
//! | `waits` | what ends a partition's wait |
//! | `chains` | partitions that call and run partitions |
//! | `bad` | calls that must be refused |

mod bad;
mod chains;
mod cycles;
mod messages;
mod plain;
mod waits;

use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, Refusal, plain as unwatched, registers};
use crate::abi::{self, Regs, ids};
use crate::contract::{
    self, Boundary, Column, Kind, SUBJECTS, SVE_HINT, Subject, is_extended_call,
    protocol::{self as ask, key},
};
use crate::expect::{self, Exchange, Mismatch, VECTORS};
use crate::protocol;
use crate::rt::{
    call::{Conduit, fresh, watched_call},
    entry::Boot,
    fp::Vectors,
    interrupt, regs,
};
use core::fmt;

/// Ticks until the timer fires after it was armed: 1 ms.
fn delay() -> u64 {
    regs::cntfrq() / 1000
}

/// Ticks that a partition spins to be met by the timer: 8 ms.
fn long() -> u64 {
    regs::cntfrq() / 125
}

/// How often an interrupt may come before the partition runs, as it may for a VM.
const TRIES: u32 = 20;

/// Stands for all calls in a question for what a partition saw.
const EVERYTHING: u32 = u32::MAX;

/// The partitions that the cells are about most often: permissive and strict.
const V12: &Subject = &SUBJECTS[2];
const V13: &Subject = &SUBJECTS[3];
const S12: &Subject = &SUBJECTS[6];

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Clean,
    /// Upper halves of a 32-bit call's arguments are random.
    Garbage,
    /// With SMCCC's SVE hint.
    Hint,
    /// After messages of others have passed.
    Stale,
}

impl How {
    const ALL: [Self; 4] = [Self::Clean, Self::Garbage, Self::Hint, Self::Stale];

    /// The variant's part of a cell's name.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Clean => "",
            Self::Garbage => "/garbage",
            Self::Hint => "/sve-hint",
            Self::Stale => "/stale",
        }
    }

    /// Whether it is of any meaning for a call with this identifier.
    const fn fits(self, id: u32) -> bool {
        !matches!(self, Self::Garbage) || id & 1 << 30 == 0
    }
}

/// The matrix as seen from one client.
struct Suite {
    client: Client,
    column: Column,
    calls: u64,
}

/// The image's start. `version` and `strict` are those of this client.
pub fn main(name: &str, version: u32, strict: bool, boot: &Boot) -> ! {
    let client = Client::start_at(name, version, boot);
    let boundary = match client.direct {
        true => Boundary::Physical,
        false => Boundary::Vm,
    };
    let mut suite = Suite {
        client,
        column: Column {
            boundary,
            version,
            strict,
        },
        calls: 0,
    };
    interrupt::open();
    plain::client(&mut suite);
    messages::client(&mut suite);
    cycles::client(&mut suite);
    bad::client(&mut suite);
    // What partitions see is the same from any client; two are enough.
    if version == abi::V1_2 && !strict {
        for subject in &SUBJECTS {
            plain::partition(&mut suite, subject);
            waits::partition(&mut suite, subject);
            cycles::partition(&mut suite, subject);
            chains::partition(&mut suite, subject);
        }
        bad::partitions(&mut suite);
    }
    everything(&mut suite);
    suite.client.end()
}

/// The sum over every call that a partition made.
fn everything(suite: &mut Suite) {
    for subject in &SUBJECTS {
        suite.cell(subject.column(), format_args!("ALL-ALL"), |suite| {
            suite.seen(subject, EVERYTHING, 0, 1)
        });
    }
}

impl Suite {
    /// Runs and reports a cell. After a failure every partition is run until it waits.
    fn cell(
        &mut self,
        column: Column,
        name: fmt::Arguments<'_>,
        run: impl FnOnce(&mut Self) -> Verdict,
    ) {
        let verdict = run(self);
        let failed = verdict.is_err();
        self.client
            .case(format_args!("contract/{column}/{name}"), verdict);
        if failed {
            self.recover();
        }
    }

    /// A cell of this client's own column.
    fn own(&mut self, name: fmt::Arguments<'_>, run: impl FnOnce(&mut Self) -> Verdict) {
        self.cell(self.column, name, run);
    }

    fn recover(&mut self) {
        let _ = interrupt::take();
        for subject in &SUBJECTS {
            for form in [abi::RUN, abi::RUN_64] {
                for _ in 0..4 {
                    let regs = unwatched(form, &[subject.target()]);
                    if !matches!(regs[0] as u32, abi::INTERRUPT | abi::YIELD) {
                        break;
                    }
                    let _ = interrupt::take();
                }
            }
            let _ = self.ask(subject, ask::SETUP, [0; 4]);
            let _ = self.ask(subject, ask::ARM, [0; 4]);
            // Takes the harmless action off again.
            let _ = self.request(Kind::Req64, subject);
        }
    }

    /// Whether this client has the registers of `DIRECT_REQ2`.
    const fn is_extended(&self) -> bool {
        self.column.version >= abi::V1_2
    }

    /// What a `DIRECT_REQ2` is refused with if this client's version has none: the proxy has no such
    /// call for it, and at EL3 it is the SPMC that looks at the sender's version.
    const fn own_version(&self) -> i32 {
        match self.column.boundary {
            Boundary::Physical => abi::DENIED,
            _ => abi::NOT_SUPPORTED,
        }
    }

    /// Whether the 64-bit FFA_RUN is this client's to call.
    fn has_wide_run(&self) -> bool {
        self.column.boundary == Boundary::Vm
            && (self.column.version >= abi::V1_3 || self.column.strict)
    }

    /// Makes a call with everything watched: by both conduits in turn where there are two, with
    /// random registers where there is no argument.
    fn call_as(&mut self, regs: &Regs, how: How) -> Result<Exchange, Failure> {
        if how == How::Stale {
            self.stir()?;
        }
        self.calls += 1;
        let conduit = match (self.client.direct, self.calls & 1) {
            (false, 1) => Conduit::Hvc,
            _ => Conduit::Smc,
        };
        let id = regs[0] as u32;
        let mut random = fresh();
        let mut sent = [0; 31];
        random.fill(&mut sent);
        let arguments = if is_extended_call(id) { 18 } else { 8 };
        for (slot, value) in sent.iter_mut().zip(regs).take(arguments) {
            *slot = *value;
        }
        match how {
            How::Garbage => {
                for register in sent.iter_mut().take(8) {
                    *register |= random.next() << 32;
                }
            }
            How::Hint => sent[0] |= SVE_HINT,
            How::Clean | How::Stale => {}
        }
        let left = Vectors::pattern(random.next());
        left.load();
        let exchange = watched_call(conduit, sent);
        let differences = left.differences(&Vectors::store());
        let mut result = contract::judge(&exchange, self.column.boundary);
        if differences != 0 {
            result = result.and(Err(Mismatch {
                register: VECTORS,
                got: differences,
                want: 0,
            }));
        }
        match result {
            Ok(()) => Ok(exchange),
            Err(mismatch) => Err(Failure::Register {
                conduit,
                call: regs[0],
                mismatch,
                result: refusal(&exchange),
            }),
        }
    }

    fn call(&mut self, regs: &Regs) -> Result<Exchange, Failure> {
        self.call_as(regs, How::Clean)
    }

    /// Has payloads of all kinds pass that are not ours.
    fn stir(&mut self) -> Result<(), Failure> {
        self.arm(
            V12,
            ask::PASS_ON,
            V13.id.into(),
            Kind::Req2.request().into(),
        )?;
        let got = self.send(Kind::Req64, V12)?.1.got;
        equal("x0 of a request before", got[0], abi::DIRECT_RESP_64.into())?;
        if self.is_extended() {
            self.answered(Kind::Req2, V13, How::Clean)?;
        }
        Ok(())
    }

    /// x0-x17 of a request with a random payload.
    fn request(&self, kind: Kind, subject: &Subject) -> Regs {
        let mut regs = [0; 18];
        regs[0] = kind.request().into();
        regs[1] = ids(self.client.me, subject.id);
        if kind == Kind::Req2 {
            let [low, high] = abi::uuid_registers(subject.uuid());
            regs[2] = low;
            regs[3] = high;
        }
        let (first, count) = kind.payload();
        let mut random = fresh();
        for slot in regs.iter_mut().skip(first).take(count) {
            *slot = match kind {
                Kind::Req32 => random.next() & 0xffff_ffff,
                _ => random.next(),
            };
        }
        regs
    }

    /// Sends a request with a random payload.
    fn send(&mut self, kind: Kind, subject: &Subject) -> Result<(Regs, Exchange), Failure> {
        let request = self.request(kind, subject);
        let exchange = self.call(&request)?;
        Ok((request, exchange))
    }

    /// A request that must be answered by the subject's transformation of it.
    fn answered(&mut self, kind: Kind, subject: &Subject, how: How) -> Result<(), Failure> {
        let request = self.request(kind, subject);
        let exchange = self.call_as(&request, how)?;
        is_response(subject, &request, &exchange, kind.response())
    }

    /// A request that must be refused with `code`, or for this client's version where it has no
    /// `DIRECT_REQ2`.
    fn refused(&mut self, kind: Kind, subject: &Subject, code: i32) -> Result<(), Failure> {
        let (_, exchange) = self.send(kind, subject)?;
        let code = match kind {
            Kind::Req2 if !self.is_extended() => self.own_version(),
            _ => code,
        };
        is_error(&exchange, code)
    }

    /// FFA_RUN of the subject.
    fn run(&mut self, form: u32, subject: &Subject) -> Result<Exchange, Failure> {
        self.call(&registers(form, &[subject.target(), 0, 0, 0, 0, 0, 0]))
    }

    /// Has the subject run a command; gives the details of its answer.
    fn ask(
        &mut self,
        subject: &Subject,
        command: u16,
        arguments: [u64; 4],
    ) -> Result<[u64; 4], Failure> {
        let mut request = self.request(Kind::Req64, subject);
        request[3] = protocol::command(command);
        request[4..8].copy_from_slice(&arguments);
        let exchange = self.call(&request)?;
        let got = &exchange.got;
        equal("x0 of a command", got[0], abi::DIRECT_RESP_64.into())?;
        match got[3] {
            protocol::OK => Ok([got[4], got[5], got[6], got[7]]),
            protocol::FAILED => Err(Failure::Partition {
                conduit: Conduit::Smc,
                mismatch: Mismatch {
                    register: got[4] as u8,
                    got: got[5],
                    want: got[6],
                },
            }),
            status => Err(Failure::Value {
                what: "status of a command",
                got: status,
                want: protocol::OK,
            }),
        }
    }

    fn arm(
        &mut self,
        subject: &Subject,
        action: u64,
        first: u64,
        second: u64,
    ) -> Result<(), Failure> {
        self.ask(subject, ask::ARM, [action, first, second, 0])
            .map(|_| ())
    }

    /// Forgets what the subject has seen.
    fn clear(&mut self, subject: &Subject) -> Result<(), Failure> {
        self.ask(subject, ask::CLEAR, [0; 4]).map(|_| ())
    }

    /// How often the subject saw `call` completed so, if every register was right each time.
    fn count(&mut self, subject: &Subject, call: u32, completion: u64) -> Result<u64, Failure> {
        let call = match call {
            EVERYTHING => u64::MAX,
            call => call.into(),
        };
        let [counts, register, got, want] =
            self.ask(subject, ask::TALLY, [call, completion, 0, 0])?;
        if counts >> 32 != 0 {
            return Err(Failure::Partition {
                conduit: Conduit::Smc,
                mismatch: Mismatch {
                    register: register as u8,
                    got,
                    want,
                },
            });
        }
        Ok(counts)
    }

    /// Repeats `what` until the subject saw `call` completed so at least `least` times in one go:
    /// what interrupts come when is not this client's to say.
    fn until(
        &mut self,
        subject: &Subject,
        call: u32,
        completion: u64,
        least: u64,
        mut what: impl FnMut(&mut Self) -> Result<(), Failure>,
    ) -> Verdict {
        let mut count = 0;
        for _ in 0..TRIES {
            self.clear(subject)?;
            what(self)?;
            count = self.count(subject, call, completion)?;
            if count >= least {
                return Ok(Seen::Count("times", count));
            }
        }
        equal("times the partition saw it", count, least)?;
        Ok(Seen::Nothing)
    }

    /// The subject saw `call` completed so at least `least` times, with every register right.
    fn seen(&mut self, subject: &Subject, call: u32, completion: u64, least: u64) -> Verdict {
        let count = self.count(subject, call, completion)?;
        if count < least {
            equal("times the partition saw it", count, least)?;
        }
        Ok(Seen::Count("times", count))
    }
}

fn refusal(exchange: &Exchange) -> Refusal {
    Refusal {
        x0: exchange.got[0],
        x2: exchange.got[2],
    }
}

fn unexpected(exchange: &Exchange, register: usize, want: u64) -> Failure {
    Failure::Register {
        conduit: Conduit::Smc,
        call: exchange.sent[0],
        mismatch: Mismatch {
            register: register as u8,
            got: exchange.got[register],
            want,
        },
        result: refusal(exchange),
    }
}

/// Checks x0 and up against `want`.
fn starts_with(exchange: &Exchange, want: &[u64]) -> Result<(), Failure> {
    for (n, want) in want.iter().enumerate() {
        if exchange.got[n] != *want {
            return Err(unexpected(exchange, n, *want));
        }
    }
    Ok(())
}

/// An FFA_ERROR with this code.
fn is_error(exchange: &Exchange, code: i32) -> Result<(), Failure> {
    starts_with(exchange, &[abi::ERROR.into(), 0, abi::code(code)])
}

/// A completion of cycle management that names the subject's context.
fn names(exchange: &Exchange, id: u32, subject: &Subject) -> Result<(), Failure> {
    starts_with(exchange, &[id.into(), subject.target()])
}

/// The response `id` by the subject's transformation of `request`.
fn is_response(
    subject: &Subject,
    request: &Regs,
    exchange: &Exchange,
    id: u32,
) -> Result<(), Failure> {
    let want = contract::response(subject.transform(), request, id);
    let written = expect::written(id.into());
    starts_with(exchange, want.get(..written).unwrap_or(&want))
}

/// A name of a call or completion in a cell's name.
const fn name(id: u32) -> &'static str {
    match id {
        abi::ERROR => "ERROR",
        abi::SUCCESS_32 => "SUCCESS",
        abi::INTERRUPT => "INTERRUPT",
        abi::MSG_WAIT => "MSG_WAIT_32",
        abi::MSG_WAIT_64 => "MSG_WAIT_64",
        abi::YIELD => "YIELD_32",
        abi::YIELD_64 => "YIELD_64",
        abi::RUN => "RUN_32",
        abi::RUN_64 => "RUN_64",
        abi::DIRECT_REQ_32 => "REQ_32",
        abi::DIRECT_REQ_64 => "REQ_64",
        abi::DIRECT_REQ2 => "REQ2",
        abi::DIRECT_RESP_32 => "RESP_32",
        abi::DIRECT_RESP_64 => "RESP_64",
        abi::DIRECT_RESP2 => "RESP2",
        _ => "OTHER",
    }
}
