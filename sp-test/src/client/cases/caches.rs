//! CSSELR_EL1 selects which cache CCSIDR_EL1 describes: one register of the core, and yet everyone's
//! own.

use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{Client, ECHO, Peer, RELAY};
use crate::protocol;
use crate::rt::regs;

/// Runs the chapter.
pub fn run(client: &mut Client) {
    client.case("cache_selection", selection(client));
}

/// What a partition finds selected, after it has selected another.
fn select(client: &Client, peer: &Peer, value: u64) -> Result<u64, Failure> {
    let [status, before, after, clidr, ..] =
        client.command(peer, protocol::SELECT_CACHE, &[value])?;
    equal("status", status, protocol::OK)?;
    equal("what was selected", after, value)?;
    equal("CLIDR_EL1", clidr, regs::clidr())?;
    Ok(before)
}

fn selection(client: &Client) -> Verdict {
    let own = regs::csselr();
    regs::select_cache(2);
    select(client, &ECHO, 4)?;
    equal("the client's own", regs::csselr(), 2)?;
    select(client, &RELAY, 1)?;
    equal("what sp-echo had selected", select(client, &ECHO, 0)?, 4)?;
    equal("what sp-relay had selected", select(client, &RELAY, 0)?, 1)?;
    equal("the client's own", regs::csselr(), 2)?;
    regs::select_cache(own);
    Ok(Seen::Nothing)
}
