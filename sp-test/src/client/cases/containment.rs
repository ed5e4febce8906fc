//! A partition that breaks the rules, again and again: its calls are refused, the others go on, and
//! so does it once it behaves.

use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{Client, ECHO, RELAY};
use crate::protocol;

const ROUNDS: u64 = 50;

/// Runs the chapter.
pub fn run(client: &mut Client) {
    client.case("misbehaving_partition_refused", misbehave(client));
    client.case(
        "others_still_answer",
        client.talk(&RELAY).map(|()| Seen::Nothing),
    );
    client.case(
        "it_answers_again",
        client.talk(&ECHO).map(|()| Seen::Nothing),
    );
    client.case("no_unexpected_completion", completions(client));
}

fn misbehave(client: &Client) -> Verdict {
    let [status, accepted, x0, x2, ..] = client.command(&ECHO, protocol::MISBEHAVE, &[ROUNDS])?;
    equal("status", status, protocol::OK)?;
    if accepted != 0 {
        return Err(Failure::Value {
            what: "calls accepted that had to be refused, the first with x0",
            got: x0,
            want: x2,
        });
    }
    Ok(Seen::Count("rounds", ROUNDS))
}

/// Over the whole suite no partition's wait ended with anything but a message or FFA_RUN.
fn completions(client: &Client) -> Verdict {
    for peer in [&ECHO, &RELAY] {
        let answer = client.command(peer, protocol::GET_ERRORS, &[])?;
        equal("unexpected completions", answer[7], 0)?;
        equal("registers lost around waits", answer[2], 0)?;
    }
    Ok(Seen::Nothing)
}
