//! `client-vectors`: what the normal world has in vector registers, in those of MTE, pointer authentication, debug and
//! performance monitors is as it was after any call that makes a partition use FP, or try what it does not have.

mod elsewhere;
mod lengths;
mod partition;
mod random;
mod registers;
mod streaming;

use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, ECHO, Peer, RELAY, plain};
use crate::abi;
use crate::protocol;
use crate::rt::call::fresh;
use crate::rt::entry::Boot;
use crate::rt::sve::{self, Present};

/// What a check is worth.
type Check = Result<(), Failure>;

/// The start of the client that uses one core, at NS-EL2 or as a VM.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-vectors", boot);
    for chapter in [
        partition::run,
        lengths::run,
        streaming::run,
        registers::run,
        random::run,
    ] {
        chapter(&mut suite);
    }
    suite.client.end()
}

/// The start of the client that uses two cores, at NS-EL2. Partitions have one context each.
pub fn cores(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-vectors-cores", boot);
    random::run(&mut suite);
    elsewhere::run(&mut suite);
    suite.client.end()
}

/// A client with this suite's questions.
struct Suite {
    client: Client,
    present: Present,
}

/// A call that makes partitions use all their vector registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Req32,
    Req64,
    Req2,
    /// `DIRECT_REQ2` that is answered by FFA_YIELD, and FFA_RUN.
    Run,
    /// A request to a partition that makes one of another.
    Chain,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Req32, Self::Req64, Self::Req2, Self::Run, Self::Chain];

    const fn name(self) -> &'static str {
        match self {
            Self::Req32 => "req_32",
            Self::Req64 => "req_64",
            Self::Req2 => "req2",
            Self::Run => "run",
            Self::Chain => "chain",
        }
    }

    /// How many times partitions use them in this call, at least.
    const fn uses(self) -> u64 {
        match self {
            Self::Req32 | Self::Req64 | Self::Req2 => 1,
            Self::Run | Self::Chain => 2,
        }
    }
}

impl Suite {
    /// Opens all that there is, at the largest lengths.
    fn start(name: &str, boot: &Boot) -> Self {
        let suite = Self {
            client: Client::start(name, boot),
            present: sve::present(),
        };
        let Present {
            sve,
            sme,
            fa64,
            mte,
        } = suite.present;
        crate::say!("@note SVE {sve} SME {sme} FA64 {fa64} MTE {mte}");
        sve::open(suite.present);
        suite
    }

    /// A case.
    fn case(&mut self, name: impl core::fmt::Display, verdict: Check) {
        self.client.case(
            format_args!("vectors/{name}"),
            verdict.map(|()| Seen::Nothing),
        );
    }

    /// A case about what this CPU has not.
    fn absent(&mut self, name: impl core::fmt::Display) {
        self.client.case(
            format_args!("vectors/{name}"),
            Ok(Seen::Note("absent on this CPU, or not for this client")),
        );
    }

    /// A call of this kind; what is answered is right.
    fn disturb(&self, kind: Kind) -> Check {
        let client = &self.client;
        let words = core::array::from_fn(|_| fresh().next() & 0xffff_ffff);
        match kind {
            Kind::Req32 => answered(&ECHO, &client.req(abi::DIRECT_REQ_32, &ECHO, &words)),
            Kind::Req64 => answered(&ECHO, &client.req(abi::DIRECT_REQ_64, &ECHO, &words)),
            Kind::Req2 => client.talk(&ECHO),
            Kind::Run => {
                let mut payload = [0; 14];
                payload[0] = protocol::command(protocol::YIELD);
                payload[1] = 1;
                let mut request = client.req2(&ECHO, &payload);
                crate::rt::call::call(crate::rt::call::Conduit::Smc, &mut request);
                equal("x0 of the request", request[0], abi::YIELD.into())?;
                let result = plain(abi::RUN, &[u64::from(ECHO.id) << 16]);
                equal("x0 of FFA_RUN", result[0], abi::DIRECT_RESP2.into())?;
                equal("yields", result[5], 1)
            }
            Kind::Chain => {
                let arguments = [protocol::KIND_REQ2, RELAY.id.into(), 1];
                let answer = client.command(&ECHO, protocol::CALL, &arguments)?;
                equal("status", answer[0], protocol::OK)?;
                equal("x0 of the inner call", answer[1], abi::DIRECT_RESP2.into())
            }
        }
    }

    /// Runs `body` while this partition uses all its vector registers each time it runs.
    fn with_fp_of(&self, peer: &Peer, body: impl FnOnce(&Self) -> Check) -> Check {
        self.client.command(peer, protocol::FP_EACH, &[2])?;
        let verdict = body(self);
        self.client.command(peer, protocol::FP_EACH, &[0])?;
        verdict
    }

    /// Runs `body` while both partitions use all their vector registers each time they run. They must have done so
    /// `least` times, and found them as they had left them.
    fn with_fp(&self, least: u64, body: impl FnOnce(&Self) -> Check) -> Check {
        for peer in [&ECHO, &RELAY] {
            self.client.command(peer, protocol::FP_EACH, &[2])?;
        }
        let verdict = body(self);
        let mut uses = 0;
        for peer in [&ECHO, &RELAY] {
            let answer = self.client.command(peer, protocol::FP_EACH, &[0])?;
            uses += answer[1];
            equal("words of a partition's that changed", answer[2], 0)?;
        }
        verdict?;
        // One use is that of the command itself.
        equal("uses by partitions", uses.max(least), uses)
    }

    /// Makes a call of this kind, in which partitions use their registers, between `before` and `after`.
    fn around(&self, kind: Kind, before: impl FnOnce(), after: impl FnOnce() -> Check) -> Check {
        self.with_fp(kind.uses() + 1, |suite| {
            before();
            let called = suite.disturb(kind);
            let verdict = after();
            called.and(verdict)
        })
    }
}

/// Makes a request, and compares the answer's registers with what the partition must answer.
fn answered(peer: &Peer, request: &abi::Regs) -> Check {
    let mut result = *request;
    crate::rt::call::call(crate::rt::call::Conduit::Smc, &mut result);
    let want = super::predict(peer, request);
    for (got, want) in result.iter().zip(want) {
        equal("a register of the answer", *got, want)?;
    }
    Ok(())
}

/// Turns the rest of a check into a case's verdict.
const fn counted(what: &'static str, count: u64) -> Verdict {
    Ok(Seen::Count(what, count))
}
