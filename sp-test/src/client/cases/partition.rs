//! The partition's side: every entry of [`sp_cases`](crate::sp_cases), run by `sp-echo` while it
//! serves our request, by SMC and by HVC.

use crate::abi;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{Client, ECHO, plain};
use crate::expect::Mismatch;
use crate::protocol;
use crate::rt::call::Conduit;
use crate::sp_cases::CASES;

/// Runs the chapter.
pub fn run(client: &mut Client) {
    for (index, case) in (0..).zip(CASES) {
        client.case(format_args!("sp/{}", case.name), one(client, index));
    }
    client.case("run_reaches_the_waiting_partition", runs(client));
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
