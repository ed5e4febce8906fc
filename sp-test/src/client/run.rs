//! `client-run`: the conversation that a first run shows.

use super::{Client, ECHO, Peer, RELAY, Refusal, compare, plain};
use crate::abi::{self, Regs};
use crate::protocol::{self, CALL, KIND_REQ2};
use crate::rt::{
    call::{self, Conduit, checked_call},
    console::Line,
    entry::Boot,
};
use core::fmt::{self, Write};

/// Round trips of each kind of message.
const TRIPS: u32 = 16;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-run", boot);
    discover(&mut client);
    for peer in [&ECHO, &RELAY] {
        introduce(&mut client, peer);
        for id in [abi::DIRECT_REQ_32, abi::DIRECT_REQ_64, abi::DIRECT_REQ2] {
            converse(&mut client, peer, id);
        }
    }
    chain(&mut client);
    client.end()
}

impl Client {
    /// One `@msg` line.
    fn message(
        &mut self,
        to: &str,
        call: u64,
        answer: u64,
        trips: u32,
        good: bool,
        detail: fmt::Arguments<'_>,
    ) {
        self.count += 1;
        self.failures += u32::from(!good);
        let mut text = Line::new();
        // A `Line` cuts rather than fails.
        let _ = text.write_fmt(detail);
        crate::say!(
            "@msg from={} to={to} call={} answer={} trips={trips} {} {}",
            self.name(),
            abi::name(call),
            abi::name(answer),
            text.as_str(),
            if good { "ok" } else { "bad" },
        );
    }

    /// A call to the SPMC whose w2 is the answer.
    fn ask(&mut self, id: u32, x1: u64, good: impl FnOnce(&Self, &Regs) -> bool) {
        let regs = plain(id, &[x1]);
        let good = good(self, &regs);
        let answer = regs[0];
        self.message(
            "spmc",
            id.into(),
            answer,
            1,
            good,
            format_args!("sent={x1:#x} got={:#x}", regs[2]),
        );
    }
}

fn discover(client: &mut Client) {
    let version = client.version;
    let good = (0x1_0002..0x2_0000).contains(&version);
    // The answer to FFA_VERSION is a number, not an identifier.
    client.message(
        "spmc",
        abi::VERSION.into(),
        abi::VERSION.into(),
        1,
        good,
        format_args!("sent={:#x} got={version:#x}", abi::V1_2),
    );
    let success = u64::from(abi::SUCCESS_32);
    client.ask(abi::ID_GET, 0, |client, regs| {
        regs[0] == success && regs[2] == client.me.into()
    });
    client.ask(abi::SPM_ID_GET, 0, |_, regs| {
        regs[0] == success && regs[2] == abi::SPMC.into()
    });
    client.ask(abi::FEATURES, abi::DIRECT_REQ2.into(), |_, regs| {
        regs[0] == success
    });
}

/// Asks a partition who it is.
fn introduce(client: &mut Client, peer: &Peer) {
    match client.command(peer, protocol::WHO, &[]) {
        Ok([status, el, id, spm, version, boot_info, context, mpidr, base, ..]) => client.message(
            peer.name,
            abi::DIRECT_REQ2.into(),
            abi::DIRECT_RESP2.into(),
            1,
            status == protocol::OK && el == 1 && id == peer.id.into() && spm == abi::SPMC.into(),
            format_args!(
                "el={el} id={id:#x} version={version:#x} context={context} mpidr={mpidr:#x} base={base:#x} boot_info={boot_info}"
            ),
        ),
        Err(refusal) => refused(client, peer, abi::DIRECT_REQ2, refusal),
    }
}

fn refused(client: &mut Client, peer: &Peer, id: u32, refusal: Refusal) {
    client.message(
        peer.name,
        id.into(),
        refusal.x0,
        1,
        false,
        format_args!("{refusal}"),
    );
}

/// Sends random payloads and checks the answers.
fn converse(client: &mut Client, peer: &Peer, id: u32) {
    let mut random = call::fresh();
    let mut first = (0, 0);
    for trip in 0..TRIPS {
        let mut payload = [0; 14];
        random.fill(&mut payload);
        let request = match id {
            abi::DIRECT_REQ2 => client.req2(peer, &payload),
            abi::DIRECT_REQ_32 => {
                let words: [u64; 5] = core::array::from_fn(|n| payload[n] & 0xffff_ffff);
                client.req(id, peer, &words)
            }
            _ => {
                let words: [u64; 5] = core::array::from_fn(|n| payload[n]);
                client.req(id, peer, &words)
            }
        };
        let exchange = checked_call(Conduit::Smc, &request);
        if let Err(wrong) = compare(peer, &request, &exchange) {
            client.message(
                peer.name,
                id.into(),
                exchange.got[0],
                trip + 1,
                false,
                format_args!(
                    "x{}={:#x} want={:#x} x0={:#x} x2={:#x}",
                    wrong.register, wrong.got, wrong.want, exchange.got[0], exchange.got[2]
                ),
            );
            return;
        }
        if trip == 0 {
            let register = if id == abi::DIRECT_REQ2 { 4 } else { 3 };
            first = (request[register], exchange.got[register]);
        }
    }
    let answer = match id {
        abi::DIRECT_REQ_32 => abi::DIRECT_RESP_32,
        abi::DIRECT_REQ_64 => abi::DIRECT_RESP_64,
        _ => abi::DIRECT_RESP2,
    };
    client.message(
        peer.name,
        id.into(),
        answer.into(),
        TRIPS,
        true,
        format_args!("sent={:#x} got={:#x}", first.0, first.1),
    );
}

/// `sp-echo` calls `sp-relay` on the client's behalf.
fn chain(client: &mut Client) {
    let sent = call::fresh().next();
    match client.command(&ECHO, CALL, &[KIND_REQ2, RELAY.id.into(), sent]) {
        Ok(answer) => {
            let got = answer[4];
            let good =
                answer[1] == abi::DIRECT_RESP2.into() && got == RELAY.transform.wide(0, sent);
            client.message(
                "sp-echo>sp-relay",
                abi::DIRECT_REQ2.into(),
                answer[1],
                1,
                good,
                format_args!("sent={sent:#x} got={got:#x}"),
            );
        }
        Err(refusal) => refused(client, &ECHO, abi::DIRECT_REQ2, refusal),
    }
}
