//! The normal-world clients: what they share.
//!
//! A client runs as a VM at EL1 behind the proxy, or at NS-EL2 as the hypervisor itself; it decides
//! by `CurrentEL`. It talks to the harness in lines that begin with `@`:
//!
//! | line | meaning |
//! | --- | --- |
//! | `@boot <client> mode=<vm\|direct> el=<n> version=<hex> base=<hex>` | the first line |
//! | `@msg from=<who> to=<who> call=<name> answer=<name> trips=<n> <detail> ok\|bad` | one outcome of `client-run` |
//! | `@case <name> pass\|fail <detail>` | one case |
//! | `@bench <name> <iterations>` | the next window of `client-bench` |
//! | `@note <text>` | for a human |
//! | `@panic …`, `@exception …` | the client died |
//! | `@end <count> <failures>` | the last line, over all cases, rows and benches; without it the run has failed |
//!
//! Then the client powers the machine (or its VM) off.

pub mod bench;
pub mod cases;
pub mod contract;
pub mod discovery;
pub mod el0;
pub mod indirect;
pub mod interrupts;
pub mod life;
pub mod logical;
pub mod many;
pub mod memory;
pub mod memory_bench;
pub mod memory_storm;
pub mod notifications;
pub mod record;
pub mod report;
pub mod run;
pub mod storm;
pub mod suite;
pub mod test;
mod told;
pub mod tzc;
pub mod vectors;
pub mod vms;

use crate::abi::{self, Regs, UuidWords, ids, uuid_registers};
use crate::expect::{self, Exchange, Mismatch};
use crate::protocol;
use crate::rt::{
    self,
    call::{self, Conduit},
    entry::Boot,
    regs,
};
use crate::transform::{self, Transform};

/// A partition as the client knows it.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// Its id.
    pub id: u16,
    /// Its service.
    pub uuid: UuidWords,
    /// What it answers.
    pub transform: Transform,
}

/// `sp-echo`.
pub const ECHO: Peer = Peer {
    name: "sp-echo",
    id: abi::ECHO,
    uuid: abi::ECHO_UUID,
    transform: transform::ECHO,
};

/// `sp-relay`.
pub const RELAY: Peer = Peer {
    name: "sp-relay",
    id: abi::RELAY,
    uuid: abi::RELAY_UUID,
    transform: transform::RELAY,
};

/// x4-x17 of a `DIRECT_REQ2` or `RESP2`.
pub type Payload = [u64; 14];

/// What came back where a message was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The identifier.
    pub x0: u64,
    /// The error code, if that is FFA_ERROR.
    pub x2: u64,
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "x0={:#x}({}) x2={:#x}",
            self.x0,
            abi::name(self.x0),
            self.x2
        )?;
        if self.x0 == u64::from(abi::ERROR) {
            write!(f, "({})", abi::error_name(self.x2))?;
        }
        Ok(())
    }
}

/// A client: where it runs, who it is, how its cases went.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// At NS-EL2, without the proxy.
    pub direct: bool,
    /// The id it sends under.
    pub me: u16,
    /// What FFA_VERSION answered.
    pub version: u64,
    /// Cases, rows and benches so far.
    pub count: u32,
    /// How many of them failed.
    pub failures: u32,
}

impl Client {
    /// Starts a client: negotiates FF-A 1.2, then says `@boot`.
    pub fn start(name: &str, boot: &Boot) -> Self {
        Self::start_at(name, abi::V1_2, boot)
    }

    /// Starts a client: negotiates `version`, then says `@boot`.
    ///
    /// The version comes first: FFA_CONSOLE_LOG is a use of FF-A, after which another version than
    /// the default might be refused.
    pub fn start_at(name: &str, version: u32, boot: &Boot) -> Self {
        rt::set_role(rt::Role::Client);
        let direct = regs::current_el() == 2;
        let version = plain(abi::VERSION, &[version.into()])[0];
        let client = Self {
            direct,
            me: if direct { abi::HYPERVISOR } else { abi::VM1 },
            version,
            count: 0,
            failures: 0,
        };
        crate::say!(
            "@boot {name} mode={} el={} version={version:#x} base={:#x}",
            client.mode(),
            regs::current_el(),
            boot.base,
        );
        client
    }

    /// How this client runs, for reports.
    pub fn mode(&self) -> &'static str {
        if self.direct { "direct" } else { "vm" }
    }

    /// The client's own name.
    pub fn name(&self) -> &'static str {
        if self.direct { "hypervisor" } else { "vm1" }
    }

    /// Ends the run and powers off.
    pub fn end(&self) -> ! {
        crate::say!("@end {} {}", self.count, self.failures);
        rt::power_off()
    }

    /// x0-x17 of a `DIRECT_REQ2` to `peer`'s service.
    pub fn req2(&self, peer: &Peer, payload: &Payload) -> Regs {
        let [low, high] = uuid_registers(peer.uuid);
        let mut regs = [0; 18];
        regs[0] = abi::DIRECT_REQ2.into();
        regs[1] = ids(self.me, peer.id);
        regs[2] = low;
        regs[3] = high;
        regs[4..].copy_from_slice(payload);
        regs
    }

    /// x0-x17 of a `DIRECT_REQ_32` or `_64` to `peer`; x8-x17 are random: not part of the call.
    pub fn req(&self, id: u32, peer: &Peer, payload: &[u64; 5]) -> Regs {
        let mut regs = [0; 18];
        call::fresh().fill(&mut regs);
        regs[0] = id.into();
        regs[1] = ids(self.me, peer.id);
        regs[2] = 0;
        regs[3..8].copy_from_slice(payload);
        regs
    }

    /// Has `peer` run a command; gives x4-x17 of its answer.
    ///
    /// # Errors
    /// What came back instead of a `RESP2`.
    pub fn command(
        &self,
        peer: &Peer,
        command: u16,
        arguments: &[u64],
    ) -> Result<Payload, Refusal> {
        let mut payload = [0; 14];
        payload[0] = protocol::command(command);
        for (slot, value) in payload.iter_mut().skip(1).zip(arguments) {
            *slot = *value;
        }
        let mut regs = self.req2(peer, &payload);
        call::call(Conduit::Smc, &mut regs);
        if regs[0] != abi::DIRECT_RESP2.into() {
            return Err(Refusal {
                x0: regs[0],
                x2: regs[2],
            });
        }
        let mut answer = [0; 14];
        answer.copy_from_slice(&regs[4..]);
        Ok(answer)
    }
}

/// A call by SMC with the given x1 and up.
pub fn plain(id: u32, arguments: &[u64]) -> Regs {
    let mut regs = registers(id, arguments);
    call::call(Conduit::Smc, &mut regs);
    regs
}

/// x0-x17 from an identifier and x1 up to x7; the rest of x1-x7 is zero and x8-x17 random.
pub fn registers(id: u32, arguments: &[u64]) -> Regs {
    let mut regs = [0; 18];
    call::fresh().fill(&mut regs[8..]);
    regs[0] = id.into();
    for (slot, value) in regs.iter_mut().skip(1).zip(arguments) {
        *slot = *value;
    }
    regs
}

/// The answer `peer` must give to `request` (x0-x17), in x0-x17; x8-x17 of an eight-register
/// message are the caller's.
pub fn predict(peer: &Peer, request: &Regs) -> Regs {
    let mut regs = *request;
    let swapped = (request[1] >> 16 & 0xffff) | (request[1] & 0xffff) << 16;
    regs[1] = swapped;
    regs[2] = 0;
    let (id, first, count) = match request[0] as u32 {
        abi::DIRECT_REQ_32 => (abi::DIRECT_RESP_32, 3, 5),
        abi::DIRECT_REQ_64 => (abi::DIRECT_RESP_64, 3, 5),
        _ => {
            regs[3] = 0;
            (abi::DIRECT_RESP2, 4, 14)
        }
    };
    regs[0] = id.into();
    for (index, slot) in regs.iter_mut().skip(first).take(count).enumerate() {
        *slot = match id {
            abi::DIRECT_RESP_32 => peer.transform.narrow(index as u32, *slot),
            _ => peer.transform.wide(index as u32, *slot),
        };
    }
    regs
}

/// Compares all of x0-x30 of a message's round trip with the prediction.
///
/// # Errors
/// The first register that differs.
pub fn compare(peer: &Peer, request: &Regs, exchange: &Exchange) -> Result<(), Mismatch> {
    let mut want = exchange.sent;
    want[..18].copy_from_slice(&predict(peer, request));
    let predicted = Exchange {
        sent: want,
        ..*exchange
    };
    expect::own(&predicted, 0)
}
