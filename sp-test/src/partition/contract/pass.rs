//! Requests that a partition sends on a client's behalf.

use super::{Armed, Partition, Payload};
use crate::abi::{self, Regs, ids};
use crate::contract::{
    Kind,
    protocol::{self as ask, FIRST_64, PROVOKE},
};

impl Partition {
    /// Passes a payload on to endpoint `peer` as `how` says (see [`PASS_ON`](ask::PASS_ON)).
    pub(crate) fn forward(&mut self, peer: u16, how: u64, payload: &Payload) -> Payload {
        let armed = Armed {
            action: ask::PASS_ON,
            first: peer.into(),
            second: how,
        };
        self.pass_on(armed, payload)
    }

    /// Sends a request to another partition and runs that one until the answer comes. Gives the
    /// answer's payload, or x0 and x2 of an error.
    pub(super) fn pass_on(&mut self, armed: Armed, payload: &Payload) -> Payload {
        let peer = armed.first as u16;
        let kind = Kind::of(armed.second as u32).unwrap_or(Kind::Req2);
        let (first, count) = kind.payload();
        let mut request = [0; 18];
        request[0] = kind.request().into();
        request[1] = ids(self.me.id, peer);
        for (slot, value) in request.iter_mut().skip(first).zip(payload).take(count) {
            *slot = match kind {
                Kind::Req32 => *value & 0xffff_ffff,
                _ => *value,
            };
        }
        let forms = match armed.second & FIRST_64 {
            0 => [abi::RUN, abi::RUN_64],
            _ => [abi::RUN_64, abi::RUN],
        };
        let mut got = self.exchange(&request);
        // Interrupts may come again and again, but not for ever.
        for _ in 0..1000 {
            if !matches!(got[0] as u32, abi::INTERRUPT | abi::YIELD) {
                break;
            }
            // Its context on this core.
            let target = got[1];
            for form in forms {
                let mut run = [0; 18];
                run[0] = form.into();
                run[1] = target;
                got = self.exchange(&run);
                if got[0] as u32 != abi::ERROR {
                    break;
                }
                if armed.second & PROVOKE != 0 {
                    let mut another = [0; 18];
                    another[0] = abi::DIRECT_REQ2.into();
                    another[1] = ids(self.me.id, peer);
                    self.exchange(&another);
                    self.exchange(&run);
                }
            }
        }
        let mut answer = [0; 14];
        if got[0] as u32 == abi::ERROR {
            answer[0] = got[0];
            answer[1] = got[2];
        } else {
            let (first, count) = kind.payload();
            for (slot, value) in answer.iter_mut().zip(got.iter().skip(first).take(count)) {
                *slot = *value;
            }
        }
        answer
    }
}

/// A response of `kind` to `request` with this payload.
pub(super) fn with_payload(kind: Kind, request: &Regs, payload: &Payload) -> Regs {
    let mut regs = [0; 18];
    regs[0] = kind.response().into();
    regs[1] = (request[1] >> 16 & 0xffff) | (request[1] & 0xffff) << 16;
    let (first, count) = kind.payload();
    for (slot, value) in regs.iter_mut().skip(first).zip(payload).take(count) {
        *slot = *value;
    }
    regs
}
