//! The cases of `client-test`, a file per chapter; this one has what they share.

mod caches;
mod calls;
mod containment;
mod cores;
mod cycles;
mod fp;
mod identity;
mod isolation;
mod messages;
mod partition;
mod power;

use super::report::{Failure, Seen, Verdict};
use super::{Client, Peer, Refusal, compare};
use crate::abi::Regs;
use crate::expect::{self, Expect};
use crate::rt::call::{Conduit, checked_call, fresh};

/// The chapters, in the order they run: what the others rest on comes first.
pub const CHAPTERS: &[fn(&mut Client)] = &[
    identity::run,
    calls::run,
    messages::run,
    cycles::run,
    partition::run,
    fp::run,
    caches::run,
    isolation::run,
    power::run,
    containment::run,
    cores::run,
];

impl Client {
    /// The conduits this client has: a VM is served by both, and at NS-EL2 an HVC would be the
    /// client's own.
    fn conduits(&self) -> &'static [Conduit] {
        match self.direct {
            true => &[Conduit::Smc],
            false => &[Conduit::Smc, Conduit::Hvc],
        }
    }

    /// Makes a call by each conduit and compares every register.
    fn expect(&self, regs: &Regs, expect: &Expect) -> Verdict {
        for conduit in self.conduits() {
            let exchange = checked_call(*conduit, regs);
            expect::check(&exchange, expect).map_err(|mismatch| Failure::Register {
                conduit: *conduit,
                call: regs[0],
                mismatch,
                result: Refusal {
                    x0: exchange.got[0],
                    x2: exchange.got[2],
                },
            })?;
        }
        Ok(Seen::Conduits(if self.direct { "smc" } else { "smc, hvc" }))
    }

    /// Sends a message by `conduit` and compares every register with the prediction. `request` has
    /// zero upper halves where the message is 32-bit.
    fn exchange(&self, conduit: Conduit, peer: &Peer, request: &Regs) -> Result<(), Failure> {
        let exchange = checked_call(conduit, request);
        compare(peer, request, &exchange).map_err(|mismatch| Failure::Register {
            conduit,
            call: request[0],
            mismatch,
            result: Refusal {
                x0: exchange.got[0],
                x2: exchange.got[2],
            },
        })
    }

    /// One `DIRECT_REQ2` with a fresh payload to `peer`.
    pub(super) fn talk(&self, peer: &Peer) -> Result<(), Failure> {
        let mut payload = [0; 14];
        fresh().fill(&mut payload);
        self.exchange(Conduit::Smc, peer, &self.req2(peer, &payload))
    }
}
