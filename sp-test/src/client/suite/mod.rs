//! Calls with everything watched, and the questions a client asks of those that answer by the protocol
//! of the contract matrix.

mod judge;
mod questions;

pub(crate) use judge::{is_error, is_response, name, names, refusal, starts_with};

use super::report::{Failure, Verdict, equal};
use super::{Client, plain as unwatched, registers};
use crate::abi::{self, Regs, ids};
use crate::contract::{
    self, Boundary, Column, Kind, SUBJECTS, SVE_HINT, Subject, is_extended_call, protocol as ask,
};
use crate::expect::{Exchange, Mismatch, VECTORS};
use crate::rt::{
    call::{Conduit, fresh, watched_call},
    fp::Vectors,
    interrupt, regs,
};
use core::fmt;

/// Ticks until the timer fires after it was armed: 1 ms.
pub(crate) fn delay() -> u64 {
    regs::cntfrq() / 1000
}

/// Ticks that a partition spins to be met by the timer: 8 ms.
pub(crate) fn long() -> u64 {
    regs::cntfrq() / 125
}

/// How often an interrupt may come before the partition runs, as it may for a VM.
pub(crate) const TRIES: u32 = 20;

/// Stands for all calls in a question for what a partition saw.
pub(crate) const EVERYTHING: u32 = u32::MAX;

/// The partitions that the cells are about most often: permissive and strict.
pub(crate) const V12: &Subject = &SUBJECTS[2];
pub(crate) const V13: &Subject = &SUBJECTS[3];
pub(crate) const S12: &Subject = &SUBJECTS[6];

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Clean,
    /// Upper halves of a 32-bit call's arguments are random.
    Garbage,
    /// With SMCCC's SVE hint.
    Hint,
    /// After messages of others have passed.
    Stale,
}

impl How {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Clean, Self::Garbage, Self::Hint, Self::Stale];

    /// The variant's part of a cell's name.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Clean => "",
            Self::Garbage => "/garbage",
            Self::Hint => "/sve-hint",
            Self::Stale => "/stale",
        }
    }

    /// Whether it is of any meaning for a call with this identifier.
    pub(crate) const fn fits(self, id: u32) -> bool {
        !matches!(self, Self::Garbage) || id & 1 << 30 == 0
    }
}

/// The matrix as seen from one client.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    /// The client.
    pub(crate) client: Client,
    /// What its cells' names begin with.
    pub(crate) prefix: &'static str,
    /// Who calls, and across what.
    pub(crate) column: Column,
    /// VMs beside this client that answer like the partitions.
    pub(crate) vms: [Option<&'static Subject>; 2],
    calls: u64,
}

impl Suite {
    /// Nothing has been called yet. `version` and `strict` are the client's.
    pub(crate) const fn new(
        client: Client,
        prefix: &'static str,
        version: u32,
        strict: bool,
    ) -> Self {
        let boundary = match client.direct {
            true => Boundary::Physical,
            false => Boundary::Vm,
        };
        Self {
            client,
            prefix,
            column: Column {
                boundary,
                version,
                strict,
            },
            vms: [None; 2],
            calls: 0,
        }
    }

    /// Runs and reports a cell. After a failure every partition is run until it waits.
    pub(crate) fn cell(
        &mut self,
        column: Column,
        name: fmt::Arguments<'_>,
        run: impl FnOnce(&mut Self) -> Verdict,
    ) {
        let verdict = run(self);
        let prefix = self.prefix;
        let failed = verdict.is_err();
        self.client
            .case(format_args!("{prefix}/{column}/{name}"), verdict);
        if failed {
            self.recover();
        }
    }

    /// A cell of this client's own column.
    pub(crate) fn own(&mut self, name: fmt::Arguments<'_>, run: impl FnOnce(&mut Self) -> Verdict) {
        self.cell(self.column, name, run);
    }

    /// Runs everybody until they wait and do nothing that was ordered.
    pub(crate) fn recover(&mut self) {
        let _ = interrupt::take();
        for subject in self.vms.into_iter().flatten().chain(&SUBJECTS) {
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
    pub(crate) const fn is_extended(&self) -> bool {
        self.column.version >= abi::V1_2
    }

    /// What a `DIRECT_REQ2` is refused with if this client's version has none: the proxy has no such
    /// call for it, and at EL3 it is the SPMC that looks at the sender's version.
    pub(crate) const fn own_version(&self) -> i32 {
        match self.column.boundary {
            Boundary::Physical => abi::DENIED,
            _ => abi::NOT_SUPPORTED,
        }
    }

    /// Whether the 64-bit FFA_RUN is this client's to call.
    pub(crate) fn has_wide_run(&self) -> bool {
        self.column.boundary == Boundary::Vm
            && (self.column.version >= abi::V1_3 || self.column.strict)
    }

    /// Makes a call with everything watched: by both conduits in turn where there are two, with
    /// random registers where there is no argument.
    pub(crate) fn call_as(&mut self, regs: &Regs, how: How) -> Result<Exchange, Failure> {
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

    pub(crate) fn call(&mut self, regs: &Regs) -> Result<Exchange, Failure> {
        self.call_as(regs, How::Clean)
    }

    /// Has payloads of all kinds pass that are not ours.
    pub(crate) fn stir(&mut self) -> Result<(), Failure> {
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
    pub(crate) fn request(&self, kind: Kind, subject: &Subject) -> Regs {
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
    pub(crate) fn send(
        &mut self,
        kind: Kind,
        subject: &Subject,
    ) -> Result<(Regs, Exchange), Failure> {
        let request = self.request(kind, subject);
        let exchange = self.call(&request)?;
        Ok((request, exchange))
    }

    /// A request that must be answered by the subject's transformation of it.
    pub(crate) fn answered(
        &mut self,
        kind: Kind,
        subject: &Subject,
        how: How,
    ) -> Result<(), Failure> {
        let request = self.request(kind, subject);
        let exchange = self.call_as(&request, how)?;
        is_response(subject, &request, &exchange, kind.response())
    }

    /// A request that must be refused with `code`, or for this client's version where it has no
    /// `DIRECT_REQ2`.
    pub(crate) fn refused(
        &mut self,
        kind: Kind,
        subject: &Subject,
        code: i32,
    ) -> Result<(), Failure> {
        let (_, exchange) = self.send(kind, subject)?;
        let code = match kind {
            Kind::Req2 if !self.is_extended() => self.own_version(),
            _ => code,
        };
        is_error(&exchange, code)
    }

    /// FFA_RUN of the subject.
    pub(crate) fn run(&mut self, form: u32, subject: &Subject) -> Result<Exchange, Failure> {
        self.call(&registers(form, &[subject.target(), 0, 0, 0, 0, 0, 0]))
    }
}
