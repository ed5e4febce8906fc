//! What a client may ask of a partition of the matrix beyond an answer.

use super::{Armed, Partition, Payload, with_payload};
use crate::abi::{self, Regs};
use crate::contract::{
    Kind, bad,
    protocol::{ARM, BAD, CLEAR, PLAIN, SETUP, TALLY, WHO},
};
use crate::expect::Mismatch;
use crate::protocol::{self, FAILED, OK, UNKNOWN};
use crate::rt::{call::Conduit, regs};

/// A payload of a status and details; the rest is zero.
fn payload(status: u64, details: [u64; 4]) -> Payload {
    let mut all = [0; 14];
    all[0] = status;
    for (slot, value) in all.iter_mut().skip(1).zip(details) {
        *slot = value;
    }
    all
}

impl Partition {
    /// Runs the command in `request`, if it is one, and builds the response.
    pub(super) fn command(&mut self, kind: Kind, request: &Regs) -> Option<Regs> {
        if kind == Kind::Req32 {
            return None;
        }
        let (first, _) = kind.payload();
        let command = protocol::parse(*request.get(first)?)?;
        let mut a = [0; 4];
        for (slot, value) in a.iter_mut().zip(request.iter().skip(first + 1)) {
            *slot = *value;
        }
        let answer = match command {
            SETUP => {
                self.setup = a[0];
                payload(OK, [0; 4])
            }
            ARM => {
                self.armed = Some(Armed {
                    action: a[0],
                    first: a[1],
                    second: a[2],
                });
                payload(OK, [0; 4])
            }
            TALLY => self.seen(a[0], a[1]),
            CLEAR => {
                self.tally.clear();
                payload(OK, [0; 4])
            }
            PLAIN => {
                let mut call = [0; 18];
                call[..4].copy_from_slice(&a);
                let got = self.exchange(&call);
                payload(OK, [got[0], got[1], got[2], got[3]])
            }
            WHO => payload(
                OK,
                [
                    self.me.id.into(),
                    self.start[0],
                    self.start[1],
                    regs::mpidr(),
                ],
            ),
            BAD => self.bad(a[0], a[1], request),
            _ => match (self.more.command)(self, command, a) {
                Some([status, details @ ..]) => payload(status, details),
                None => payload(UNKNOWN, [0; 4]),
            },
        };
        Some(with_payload(kind, request, &answer))
    }

    fn seen(&self, call: u64, completion: u64) -> Payload {
        let row = self.tally.find(call, completion);
        let first = row.first.map_or([0; 3], |wrong| {
            [wrong.register.into(), wrong.got, wrong.want]
        });
        payload(
            OK,
            [
                u64::from(row.bad) << 32 | u64::from(row.count),
                first[0],
                first[1],
                first[2],
            ],
        )
    }

    /// A call that must be refused.
    fn bad(&mut self, index: u64, conduit: u64, request: &Regs) -> Payload {
        let Some(case) = bad::CASES.get(index as usize) else {
            return payload(UNKNOWN, [0; 4]);
        };
        let conduit = match conduit {
            0 => Conduit::Smc,
            _ => Conduit::Hvc,
        };
        let who = bad::Who {
            me: self.me,
            requester: (request[1] >> 16) as u16,
            kind: Kind::of(request[0] as u32).unwrap_or(Kind::Req64),
        };
        let Some(code) = (case.expect)(&who) else {
            return payload(OK, [0; 4]);
        };
        let mut call = [0; 18];
        call[0] = case.id.into();
        for (slot, value) in call.iter_mut().skip(1).zip((case.arguments)(&who)) {
            *slot = value;
        }
        // The conduit that is asked for.
        self.calls = match conduit {
            Conduit::Hvc => 0,
            Conduit::Smc | Conduit::Svc => 1,
        };
        let (exchange, result) = self.watch(&call);
        let refused = |n: usize, want: u64| match exchange.got[n] {
            got if got == want => Ok(()),
            got => Err(Mismatch {
                register: n as u8,
                got,
                want,
            }),
        };
        let verdict = result
            .and_then(|()| refused(0, abi::ERROR.into()))
            .and_then(|()| refused(2, abi::code(code)));
        match verdict {
            Ok(()) => payload(OK, [0; 4]),
            Err(wrong) => payload(FAILED, [wrong.register.into(), wrong.got, wrong.want, 0]),
        }
    }
}
