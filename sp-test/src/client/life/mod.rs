//! The clients of the suite `lifecycle`: what a requester, a runner and a calling partition see when a
//! partition dies, and what is seen of it afterwards.
//!
//! The partitions and their order are those of [`life`].

mod alive;
mod death;
pub mod external;
mod info;
pub mod init;
pub mod propagate;
mod restart;

use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, ECHO, Payload, Peer, RELAY, Refusal, compare};
use crate::abi::{self, ABORTED, Regs};
use crate::expect::{self, Exchange, Expect};
use crate::life::{self, Way, command};
use crate::protocol::{self, CALL, KIND_REQ_32, KIND_REQ_64, KIND_REQ2, OK};
use crate::rt::{
    call::{Conduit, checked_call, fresh},
    entry::Boot,
    interrupt, regs,
};
use crate::transform::Transform;

/// How often an interrupt may come before the partition runs, as it may for a VM.
const TRIES: u32 = 20;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-life", boot);
    alive::run(&mut suite);
    restart::run(&mut suite);
    death::run(&mut suite);
    restart::failing(&mut suite);
    suite.case("others/registers_kept", |suite| suite.registers_kept());
    alive::endless(&mut suite);
    suite.client.end()
}

/// `sp-life` with this id.
pub const fn peer(id: u16) -> Peer {
    Peer {
        name: "sp-life",
        id,
        uuid: life::uuid(id),
        transform: Transform::of(id),
    }
}

const KEEPER: Peer = Peer {
    name: "sp-keep",
    ..peer(life::KEEPER)
};

/// A client with this suite's questions.
struct Suite {
    client: Client,
}

/// The kinds of direct requests: the call, its name, `sp-relay`'s word for it.
const KINDS: [(u32, &str, u64); 3] = [
    (abi::DIRECT_REQ_32, "req_32", KIND_REQ_32),
    (abi::DIRECT_REQ_64, "req_64", KIND_REQ_64),
    (abi::DIRECT_REQ2, "req2", KIND_REQ2),
];

fn failure(call: &Exchange, mismatch: expect::Mismatch) -> Failure {
    Failure::Register {
        conduit: Conduit::Smc,
        call: call.sent[0],
        mismatch,
        result: Refusal {
            x0: call.got[0],
            x2: call.got[2],
        },
    }
}

/// Fails unless the call was completed by FFA_ERROR with this code and every other register is as it
/// must be.
fn is_error(exchange: &Exchange, code: &'static [i32]) -> Result<(), Failure> {
    expect::check(exchange, &Expect::Error(code)).map_err(|wrong| failure(exchange, wrong))
}

/// As a list for [`is_error`].
const fn only(code: i32) -> &'static [i32] {
    match code {
        abi::BUSY => &[abi::BUSY],
        abi::INVALID_PARAMETERS => &[abi::INVALID_PARAMETERS],
        _ => &[ABORTED],
    }
}

fn target(id: u16) -> u64 {
    u64::from(id) << 16
}

impl Suite {
    fn start(name: &str, boot: &Boot) -> Self {
        let client = Client::start(name, boot);
        interrupt::open();
        for peer in [&ECHO, &RELAY] {
            // If it is not understood, `registers_kept` will tell.
            let _ = client.command(peer, protocol::SET_CHECKED, &[1]);
        }
        Self { client }
    }

    fn case(&mut self, name: impl core::fmt::Display, run: impl FnOnce(&mut Self) -> Verdict) {
        let verdict = run(self);
        self.client.case(name, verdict);
    }

    /// x0-x17 of a request of one kind with the first words of its payload.
    fn request(&self, call: u32, peer: &Peer, words: &[u64]) -> Regs {
        let mut payload = [0; 14];
        for (slot, word) in payload.iter_mut().zip(words) {
            *slot = *word;
        }
        let [a, b, c, d, e, ..] = payload;
        match call {
            abi::DIRECT_REQ2 => self.client.req2(peer, &payload),
            _ => self.client.req(call, peer, &[a, b, c, d, e]),
        }
    }

    fn send(&self, call: u32, peer: &Peer, words: &[u64]) -> Exchange {
        checked_call(Conduit::Smc, &self.request(call, peer, words))
    }

    fn run(&self, id: u16) -> Exchange {
        checked_call(Conduit::Smc, &super::registers(abi::RUN, &[target(id)]))
    }

    /// Has `sp-life` or `sp-keep` run a command by `DIRECT_REQ2`; gives its answer's payload.
    fn ask(&self, peer: &Peer, number: u8, words: &[u64]) -> Result<Payload, Failure> {
        let mut payload = [0; 14];
        payload[0] = command(number);
        for (slot, word) in payload.iter_mut().skip(1).zip(words) {
            *slot = *word;
        }
        let exchange = checked_call(Conduit::Smc, &self.client.req2(peer, &payload));
        Self::response(&exchange)
    }

    /// The payload of a `DIRECT_RESP2`, whose status is good.
    fn response(exchange: &Exchange) -> Result<Payload, Failure> {
        let got = &exchange.got;
        if got[0] != abi::DIRECT_RESP2.into() {
            return Err(Failure::Refused(Refusal {
                x0: got[0],
                x2: got[2],
            }));
        }
        expect::own(exchange, 18).map_err(|wrong| failure(exchange, wrong))?;
        let mut payload = [0; 14];
        payload.copy_from_slice(&got[4..18]);
        Ok(payload)
    }

    /// A command that answers a status and, if it failed, a register.
    fn checked(&self, peer: &Peer, number: u8, words: &[u64]) -> Result<Payload, Failure> {
        let answer = self.ask(peer, number, words)?;
        let [status, register, got, want, ..] = answer;
        if status == protocol::FAILED {
            return Err(Failure::Partition {
                conduit: Conduit::Smc,
                mismatch: expect::Mismatch {
                    register: register as u8,
                    got,
                    want,
                },
            });
        }
        equal("status", status, OK)?;
        Ok(answer)
    }

    /// An ordinary message of each kind, every register of the answer as predicted.
    fn talk(&self, peer: &Peer) -> Result<(), Failure> {
        for (call, ..) in KINDS {
            let mut payload = [0; 14];
            fresh().fill(&mut payload);
            if call == abi::DIRECT_REQ_32 {
                payload = payload.map(|word| word & 0xffff_ffff);
            }
            let request = self.request(call, peer, &payload);
            let exchange = checked_call(Conduit::Smc, &request);
            compare(peer, &request, &exchange).map_err(|wrong| failure(&exchange, wrong))?;
        }
        Ok(())
    }

    /// Those that nothing has happened to.
    fn others(&self) -> Verdict {
        self.talk(&ECHO)?;
        self.talk(&RELAY)?;
        self.ask(&KEEPER, life::LIVES, &[0])?;
        Ok(Seen::Nothing)
    }

    /// No register of the others was lost around all of this.
    fn registers_kept(&self) -> Verdict {
        for peer in [&ECHO, &RELAY] {
            let answer = self.client.command(peer, protocol::GET_ERRORS, &[])?;
            equal("registers lost around waits", answer[2], 0)?;
            equal("unexpected completions", answer[7], 0)?;
            if answer[1] == 0 {
                equal("waits checked", 0, 1)?;
            }
        }
        Ok(Seen::Nothing)
    }

    /// What `sp-relay` gets that sends a request of a kind: x0-x2 and the first of the payload.
    fn relayed(&self, kind: u64, id: u16, words: &[u64; 3]) -> Result<[u64; 4], Failure> {
        let [first, second, third] = *words;
        let arguments = [kind, id.into(), first, second, third];
        let answer = self.client.command(&RELAY, CALL, &arguments)?;
        let [status, x0, x1, x2, word, ..] = answer;
        equal("sp-relay's status", status, OK)?;
        Ok([x0, x1, x2, word])
    }

    /// Has a partition die in one way, and checks what is seen at that moment.
    fn kill(&self, id: u16, way: Way, form: u64) -> Result<(), Failure> {
        let peer = peer(id);
        let die = [command(life::DIE), form, 0];
        match way {
            Way::Req32 => is_error(&self.send(abi::DIRECT_REQ_32, &peer, &die), &[ABORTED]),
            Way::Req64 => is_error(&self.send(abi::DIRECT_REQ_64, &peer, &die), &[ABORTED]),
            Way::Req2 => is_error(&self.send(abi::DIRECT_REQ2, &peer, &die), &[ABORTED]),
            Way::Run => {
                self.checked(&peer, life::DIE_IN_RUN, &[form])?;
                is_error(&self.run(id), &[ABORTED])
            }
            Way::Called => {
                let [x0, x1, x2, word] = self.relayed(KIND_REQ2, id, &die)?;
                equal("sp-relay's x0", x0, abi::ERROR.into())?;
                equal("sp-relay's x1", x1, 0)?;
                equal("sp-relay's x2", x2, abi::code(ABORTED))?;
                equal("sp-relay's x4", word, 0)?;
                // It goes on.
                self.talk(&RELAY)
            }
        }
    }

    /// Fails unless each call that would enter the partition is refused with this code, from here by
    /// each conduit and from `sp-relay`.
    fn refuses(&self, id: u16, code: i32) -> Verdict {
        let peer = peer(id);
        for conduit in conduits(&self.client) {
            for (call, ..) in KINDS {
                let request = self.request(call, &peer, &[1, 2, 3]);
                is_error(&checked_call(*conduit, &request), only(code))?;
            }
            let run = super::registers(abi::RUN, &[target(id)]);
            is_error(&checked_call(*conduit, &run), only(code))?;
        }
        for (_, _, kind) in KINDS {
            let [x0, x1, x2, _] = self.relayed(kind, id, &[1, 2, 3])?;
            equal("sp-relay's x0", x0, abi::ERROR.into())?;
            equal("sp-relay's x1", x1, 0)?;
            equal("sp-relay's x2", x2, abi::code(code))?;
        }
        Ok(Seen::Value("code", abi::code(code)))
    }

    /// Makes a call that lets a partition spin, and has the timer meet it there.
    fn interrupted(
        &self,
        id: u16,
        mut call: impl FnMut() -> Result<Regs, Failure>,
    ) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let request = call()?;
            interrupt::arm(ticks_of_ms(1));
            let exchange = checked_call(Conduit::Smc, &request);
            let taken = interrupt::take();
            if exchange.got[0] == abi::INTERRUPT.into() {
                equal("x1 of FFA_INTERRUPT", exchange.got[1], target(id))?;
                equal("interrupts taken", taken.map_or(0, u64::from), 1)?;
                return expect::own(&exchange, 8).map_err(|wrong| failure(&exchange, wrong));
            }
            // It came while this client itself still ran, if the partition was there at all.
            if exchange.got[0] == abi::ERROR.into() && exchange.got[2] != abi::code(ABORTED) {
                return Err(Failure::Refused(Refusal {
                    x0: exchange.got[0],
                    x2: exchange.got[2],
                }));
            }
        }
        equal("interrupts that met the partition", 0, 1)
    }

    /// Runs a preempted partition until it is preempted no more; gives what completed the last run.
    fn run_out(&self, id: u16) -> Result<Exchange, Failure> {
        let started = regs::cntvct();
        while regs::cntvct().wrapping_sub(started) < ticks_of_ms(5000) {
            let exchange = self.run(id);
            if exchange.got[0] != abi::INTERRUPT.into() {
                return Ok(exchange);
            }
            let _ = interrupt::take();
        }
        Err(Failure::Value {
            what: "seconds of being preempted",
            got: 5,
            want: 0,
        })
    }
}

fn ticks_of_ms(ms: u64) -> u64 {
    regs::cntfrq() * ms / 1000
}

/// The conduits a client has: at NS-EL2 an HVC would be its own.
fn conduits(client: &Client) -> &'static [Conduit] {
    match client.direct {
        true => &[Conduit::Smc],
        false => &[Conduit::Smc, Conduit::Hvc],
    }
}
