//! FFA_RUN and FFA_YIELD: cycles given, given back and given again.
//!
//! The mixed case is here: a 64-bit message, `DIRECT_RESP2`, that completes a 32-bit FFA_RUN in
//! x0-x17 (FF-A 1.2; SMCCC alone would have x8-x17 come back unchanged).

use super::Failure;
use crate::abi::{self, ids};
use crate::client::report::{Seen, Verdict, equal};
use crate::client::{Client, ECHO, RELAY, Refusal, plain, registers};
use crate::expect::{self, Exchange, Expect};
use crate::protocol;
use crate::rt::call::{Conduit, checked_call};

const TIMES: u64 = 5;

/// Runs the chapter.
pub fn run(client: &mut Client) {
    client.case("run_reaches_the_waiting_partition", runs(client));
    client.case("yield_and_run_complete_with_resp2", yields(client));
}

/// FFA_RUN ends a partition's wait, and its next wait ends our FFA_RUN.
fn runs(client: &Client) -> Verdict {
    let before = client.command(&ECHO, protocol::GET_ERRORS, &[])?;
    for _ in 0..10 {
        let regs = plain(abi::RUN, &[u64::from(ECHO.id) << 16]);
        equal("x0 of FFA_RUN", regs[0], abi::MSG_WAIT.into())?;
    }
    let after = client.command(&ECHO, protocol::GET_ERRORS, &[])?;
    equal(
        "runs seen by the partition",
        after[6].wrapping_sub(before[6]),
        10,
    )?;
    Ok(Seen::Count("runs", 10))
}

fn failure(conduit: Conduit, exchange: &Exchange, mismatch: expect::Mismatch) -> Failure {
    Failure::Register {
        conduit,
        call: exchange.sent[0],
        mismatch,
        result: Refusal {
            x0: exchange.got[0],
            x2: exchange.got[2],
        },
    }
}

/// Checks that a call was completed by FFA_YIELD of `sp-echo`'s context 0.
fn yielded(exchange: &Exchange) -> Result<(), Failure> {
    equal("x0 of the yielded call", exchange.got[0], abi::YIELD.into())?;
    equal(
        "x1 of the yielded call",
        exchange.got[1],
        u64::from(ECHO.id) << 16,
    )?;
    for n in 2..8 {
        equal("x2-x7 of the yielded call", exchange.got[n], 0)?;
    }
    expect::own(exchange, 8).map_err(|mismatch| failure(Conduit::Smc, exchange, mismatch))
}

/// The request is answered by a yield; each run by another one, and the last by the response.
fn yields(client: &Client) -> Verdict {
    let mut payload = [0; 14];
    payload[0] = protocol::command(protocol::YIELD);
    payload[1] = TIMES;
    let run = registers(abi::RUN, &[u64::from(ECHO.id) << 16]);
    yielded(&checked_call(Conduit::Smc, &client.req2(&ECHO, &payload)))?;
    for n in 1..TIMES {
        if n == 1 {
            // Meanwhile it takes no other request, and others are not concerned.
            let other = client.req2(&ECHO, &[0; 14]);
            client.expect(&other, &Expect::Error(&[abi::BUSY]))?;
            client.talk(&RELAY)?;
        }
        let conduits = client.conduits();
        let conduit = conduits
            .get(n as usize % conduits.len())
            .unwrap_or(&Conduit::Smc);
        yielded(&checked_call(*conduit, &run))?;
    }
    let last = checked_call(Conduit::Smc, &run);
    equal("x0 of the last run", last.got[0], abi::DIRECT_RESP2.into())?;
    equal("x1 of the last run", last.got[1], ids(ECHO.id, client.me))?;
    equal("x2 of the last run", last.got[2], 0)?;
    equal("x3 of the last run", last.got[3], 0)?;
    equal("status", last.got[4], protocol::OK)?;
    if last.got[5] != TIMES {
        return Err(Failure::Partition {
            conduit: Conduit::Smc,
            mismatch: expect::Mismatch {
                register: last.got[6] as u8,
                got: last.got[7],
                want: last.got[8],
            },
        });
    }
    for n in 9..18 {
        equal("the rest of the payload", last.got[n], 0)?;
    }
    expect::own(&last, 18).map_err(|mismatch| failure(Conduit::Smc, &last, mismatch))?;
    client.talk(&ECHO)?;
    Ok(Seen::Count("yields", TIMES))
}
