//! Direct messages that go through: payloads, preservation, chains of partitions.

use crate::abi::{self, Regs, ids};
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{Client, ECHO, Peer, RELAY, Refusal, compare};
use crate::expect::Exchange;
use crate::protocol::{self, CALL, KIND_REQ_32, KIND_REQ_64, KIND_REQ2};
use crate::rt::call::{Conduit, checked_call, fresh};

/// Runs the chapter.
pub fn run(client: &mut Client) {
    for peer in [&ECHO, &RELAY] {
        client.case(
            format_args!("checked_mode/{}", peer.name),
            checked(client, peer),
        );
    }
    for peer in [&ECHO, &RELAY] {
        let name = peer.name;
        client.case(
            format_args!("direct_req_32/{name}"),
            narrow(client, peer, 100),
        );
        client.case(
            format_args!("direct_req_64/{name}"),
            wide(client, peer, 100),
        );
        client.case(
            format_args!("direct_req2_nil_uuid/{name}"),
            nil_uuid(client, peer),
        );
    }
    client.case("direct_req2_1000", two(client, &ECHO, 1000));
    client.case("direct_req2_1000/sp-relay", two(client, &RELAY, 1000));
    client.case("direct_req_mixed", mixed(client, 300));
    client.case("req_32_upper_halves_ignored", upper_halves(client));
    client.case("sve_hint_is_masked", sve_hint(client));
    for (name, kind) in [
        ("chain_req_32", KIND_REQ_32),
        ("chain_req_64", KIND_REQ_64),
        ("chain_req2", KIND_REQ2),
    ] {
        client.case(name, chain(client, kind));
    }
    client.case("chain_loop_refused", chain_loop(client));
    for peer in [&ECHO, &RELAY] {
        client.case(
            format_args!("partition_registers/{}", peer.name),
            partition_registers(client, peer),
        );
    }
}

fn checked(client: &Client, peer: &Peer) -> Verdict {
    let answer = client.command(peer, protocol::SET_CHECKED, &[1])?;
    equal("status", answer[0], protocol::OK)?;
    Ok(Seen::Nothing)
}

fn words() -> [u64; 5] {
    let mut words = [0; 5];
    fresh().fill(&mut words);
    words
}

/// Repeats `trip` by each conduit the client has.
fn trips(
    client: &Client,
    count: u64,
    mut trip: impl FnMut(Conduit, u64) -> Result<(), Failure>,
) -> Verdict {
    let conduits = client.conduits();
    for (n, conduit) in (0..count).zip(conduits.iter().cycle()) {
        trip(*conduit, n)?;
    }
    Ok(Seen::Count("round trips", count))
}

fn narrow_trip(client: &Client, conduit: Conduit, peer: &Peer) -> Result<(), Failure> {
    let payload = words().map(|word| word & 0xffff_ffff);
    client.exchange(
        conduit,
        peer,
        &client.req(abi::DIRECT_REQ_32, peer, &payload),
    )
}

fn wide_trip(client: &Client, conduit: Conduit, peer: &Peer) -> Result<(), Failure> {
    client.exchange(
        conduit,
        peer,
        &client.req(abi::DIRECT_REQ_64, peer, &words()),
    )
}

fn two_trip(client: &Client, conduit: Conduit, peer: &Peer) -> Result<(), Failure> {
    let mut payload = [0; 14];
    fresh().fill(&mut payload);
    client.exchange(conduit, peer, &client.req2(peer, &payload))
}

fn narrow(client: &Client, peer: &Peer, count: u64) -> Verdict {
    trips(client, count, |conduit, _| {
        narrow_trip(client, conduit, peer)
    })
}

fn wide(client: &Client, peer: &Peer, count: u64) -> Verdict {
    trips(client, count, |conduit, _| wide_trip(client, conduit, peer))
}

fn two(client: &Client, peer: &Peer, count: u64) -> Verdict {
    trips(client, count, |conduit, _| two_trip(client, conduit, peer))
}

/// All kinds to both partitions, in an order that changes every time: what one leaves behind must
/// not show in the next.
fn mixed(client: &Client, count: u64) -> Verdict {
    let mut random = fresh();
    trips(client, count, |conduit, _| {
        let choice = random.next();
        let peer = if choice & 8 == 0 { &ECHO } else { &RELAY };
        match choice % 3 {
            0 => narrow_trip(client, conduit, peer),
            1 => wide_trip(client, conduit, peer),
            _ => two_trip(client, conduit, peer),
        }
    })
}

fn nil_uuid(client: &Client, peer: &Peer) -> Verdict {
    let mut payload = [0; 14];
    fresh().fill(&mut payload);
    let mut request = client.req2(peer, &payload);
    request[2] = 0;
    request[3] = 0;
    client.exchange(Conduit::Smc, peer, &request)?;
    Ok(Seen::Nothing)
}

/// A request whose registers hold garbage where its meaning must not depend on it; `clean` is the
/// same without.
fn tolerant(client: &Client, clean: &Regs, dirty: &Regs) -> Verdict {
    for conduit in client.conduits() {
        let exchange = checked_call(*conduit, dirty);
        // Everything the partition wrote is predicted from the clean request.
        let sent = Exchange {
            sent: {
                let mut sent = exchange.sent;
                sent[..18].copy_from_slice(clean);
                sent
            },
            ..exchange
        };
        compare(&ECHO, clean, &sent).map_err(|mismatch| Failure::Register {
            conduit: *conduit,
            call: dirty[0],
            mismatch,
            result: Refusal {
                x0: exchange.got[0],
                x2: exchange.got[2],
            },
        })?;
    }
    Ok(Seen::Nothing)
}

fn upper_halves(client: &Client) -> Verdict {
    let clean = client.req(
        abi::DIRECT_REQ_32,
        &ECHO,
        &words().map(|word| word & 0xffff_ffff),
    );
    let mut dirty = clean;
    let mut random = fresh();
    for register in dirty.iter_mut().take(8) {
        *register |= random.next() << 32;
    }
    tolerant(client, &clean, &dirty)
}

fn sve_hint(client: &Client) -> Verdict {
    let mut payload = [0; 14];
    fresh().fill(&mut payload);
    let clean = client.req2(&ECHO, &payload);
    let mut dirty = clean;
    dirty[0] |= 1 << 16;
    tolerant(client, &clean, &dirty)
}

/// `sp-echo` sends a request of `kind` to `sp-relay` while it serves ours.
fn chain(client: &Client, kind: u64) -> Verdict {
    let payload = match kind {
        KIND_REQ_32 => words().map(|word| word & 0xffff_ffff),
        _ => words(),
    };
    let mut arguments = [0; 13];
    arguments[0] = kind;
    arguments[1] = RELAY.id.into();
    arguments[2..7].copy_from_slice(&payload);
    let answer = client.command(&ECHO, CALL, &arguments)?;
    equal("status", answer[0], protocol::OK)?;
    let (id, narrow) = match kind {
        KIND_REQ_32 => (abi::DIRECT_RESP_32, true),
        KIND_REQ_64 => (abi::DIRECT_RESP_64, false),
        _ => (abi::DIRECT_RESP2, false),
    };
    equal("the relay's x0", answer[1], id.into())?;
    equal("the relay's x1", answer[2], ids(RELAY.id, ECHO.id))?;
    equal("the relay's x2", answer[3], 0)?;
    for ((index, sent), got) in (0..).zip(payload).zip(answer.iter().skip(4)) {
        let want = match narrow {
            true => RELAY.transform.narrow(index, sent),
            false => RELAY.transform.wide(index, sent),
        };
        equal("a payload register of the relay", *got, want)?;
    }
    Ok(Seen::Nothing)
}

/// `sp-echo` calls `sp-relay`, which calls `sp-echo`: that one is already serving a request.
fn chain_loop(client: &Client) -> Verdict {
    let arguments = [
        KIND_REQ2,
        RELAY.id.into(),
        protocol::command(CALL),
        KIND_REQ2,
        ECHO.id.into(),
    ];
    let answer = client.command(&ECHO, CALL, &arguments)?;
    equal("the relay's x0", answer[1], abi::DIRECT_RESP2.into())?;
    // x4-x7 of the relay's own answer: its status and x0-x2 of what it got.
    let [status, x0, x1, x2] = [answer[4], answer[5], answer[6], answer[7]];
    equal("the relay's status", status, protocol::OK)?;
    equal("x0 of the call back", x0, abi::ERROR.into())?;
    equal("x1 of the call back", x1, 0)?;
    if x2 != abi::code(abi::DENIED) {
        equal("the code of the call back", x2, abi::code(abi::BUSY))?;
    }
    client.talk(&ECHO)?;
    client.talk(&RELAY)?;
    Ok(Seen::Value("code", x2))
}

/// What the partition saw of its own registers around all of the above.
fn partition_registers(client: &Client, peer: &Peer) -> Verdict {
    let [status, waits, errors, register, got, want, ..] =
        client.command(peer, protocol::GET_ERRORS, &[])?;
    equal("status", status, protocol::OK)?;
    if errors != 0 {
        return Err(Failure::Partition {
            conduit: Conduit::Smc,
            mismatch: crate::expect::Mismatch {
                register: register as u8,
                got,
                want,
            },
        });
    }
    if waits < 100 {
        equal("waits checked", waits, 100)?;
    }
    Ok(Seen::Count("waits checked", waits))
}
