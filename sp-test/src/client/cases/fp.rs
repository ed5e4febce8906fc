//! V0-V31, FPCR and FPSR: every side's own, whatever the others do.

use crate::client::report::{Seen, Verdict, equal};
use crate::client::{Client, ECHO, Peer, RELAY, plain};
use crate::rt::call::fresh;
use crate::rt::fp::Vectors;
use crate::{abi, protocol};

const ROUNDS: u64 = 8;

/// Runs the chapter.
pub fn run(client: &mut Client) {
    client.case("fp_untouched_by_plain_calls", plain_calls(client));
    client.case("fp_both_sides", both_sides(client));
    client.case("fp_used_on_every_request", every_request(client));
}

/// Loads a fresh pattern, runs `what`, and compares.
fn kept(what: impl FnOnce() -> Verdict) -> Verdict {
    let vectors = Vectors::fresh();
    vectors.load();
    let verdict = what();
    let found = Vectors::store();
    verdict?;
    equal(
        "words of the client's that changed",
        vectors.differences(&found),
        0,
    )?;
    Ok(Seen::Nothing)
}

fn plain_calls(client: &Client) -> Verdict {
    for _ in 0..ROUNDS {
        kept(|| {
            plain(abi::FEATURES, &[abi::DIRECT_REQ2.into()]);
            client.talk(&ECHO)?;
            Ok(Seen::Nothing)
        })?;
    }
    Ok(Seen::Count("rounds", ROUNDS))
}

/// The partition's own pattern, left in its last request, must be there in the next.
fn use_fp(client: &Client, peer: &Peer) -> Verdict {
    let answer = client.command(peer, protocol::USE_FP, &[fresh().next()])?;
    equal("status", answer[0], protocol::OK)?;
    equal("words of the partition's that changed", answer[1], 0)?;
    Ok(Seen::Nothing)
}

fn both_sides(client: &Client) -> Verdict {
    for round in 0..ROUNDS {
        kept(|| use_fp(client, &ECHO))?;
        kept(|| use_fp(client, &RELAY))?;
        // Back to back, with a chain in between that uses nothing.
        if round % 2 == 0 {
            kept(|| {
                let arguments = [protocol::KIND_REQ2, RELAY.id.into(), 1];
                client.command(&ECHO, protocol::CALL, &arguments)?;
                Ok(Seen::Nothing)
            })?;
        }
    }
    Ok(Seen::Count("rounds", ROUNDS))
}

fn every_request(client: &Client) -> Verdict {
    client.command(&ECHO, protocol::FP_EACH, &[1])?;
    let verdict = (|| {
        for _ in 0..ROUNDS {
            kept(|| {
                client.talk(&ECHO)?;
                client.talk(&RELAY)?;
                Ok(Seen::Nothing)
            })?;
        }
        Ok(Seen::Count("rounds", ROUNDS))
    })();
    client.command(&ECHO, protocol::FP_EACH, &[0])?;
    verdict
}
