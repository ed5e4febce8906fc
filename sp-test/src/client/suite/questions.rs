//! What a client asks of those that answer by the protocol of the contract matrix.

use super::{EVERYTHING, Suite, TRIES};
use crate::abi;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::contract::{Kind, Subject, protocol as ask};
use crate::expect::Mismatch;
use crate::protocol;
use crate::rt::call::Conduit;

impl Suite {
    /// Has the subject run a command; gives the details of its answer.
    pub(crate) fn ask(
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

    pub(crate) fn arm(
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
    pub(crate) fn clear(&mut self, subject: &Subject) -> Result<(), Failure> {
        self.ask(subject, ask::CLEAR, [0; 4]).map(|_| ())
    }

    /// How often the subject saw `call` completed so, if every register was right each time.
    pub(crate) fn count(
        &mut self,
        subject: &Subject,
        call: u32,
        completion: u64,
    ) -> Result<u64, Failure> {
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
    pub(crate) fn until(
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
    pub(crate) fn seen(
        &mut self,
        subject: &Subject,
        call: u32,
        completion: u64,
        least: u64,
    ) -> Verdict {
        let count = self.count(subject, call, completion)?;
        if count < least {
            equal("times the partition saw it", count, least)?;
        }
        Ok(Seen::Count("times", count))
    }
}
