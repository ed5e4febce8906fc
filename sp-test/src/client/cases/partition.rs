//! The partition's side: every entry of [`sp_cases`](crate::sp_cases), run by `sp-echo` while it
//! serves our request, by SMC and by HVC.

use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{Client, ECHO};
use crate::expect::Mismatch;
use crate::protocol;
use crate::rt::call::Conduit;
use crate::sp_cases::CASES;

/// Runs the chapter.
pub fn run(client: &mut Client) {
    for (index, case) in (0..).zip(CASES) {
        client.case(format_args!("sp/{}", case.name), one(client, index));
    }
}

fn one(client: &Client, index: u64) -> Verdict {
    for (conduit, number) in [(Conduit::Smc, 0), (Conduit::Hvc, 1)] {
        let [status, register, got, want, ..] =
            client.command(&ECHO, protocol::CASE, &[index, number])?;
        if status == protocol::FAILED {
            return Err(Failure::Partition {
                conduit,
                mismatch: Mismatch {
                    register: register as u8,
                    got,
                    want,
                },
            });
        }
        equal("status", status, protocol::OK)?;
    }
    Ok(Seen::Conduits("smc, hvc"))
}
