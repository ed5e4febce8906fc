//! What ends a partition's wait: each call that waits, completed by each message and by FFA_RUN.

use super::{Suite, ask, is_response, name, starts_with};
use crate::abi;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::contract::{Kind, Subject, protocol};

/// The calls that wait. A response is one, from the moment it is delivered.
const WAITS: [u32; 5] = [
    abi::MSG_WAIT,
    abi::MSG_WAIT_64,
    abi::DIRECT_RESP_32,
    abi::DIRECT_RESP_64,
    abi::DIRECT_RESP2,
];

/// The cells of a partition.
pub fn partition(suite: &mut Suite, subject: &'static Subject) {
    for wait in WAITS {
        for (suffix, setup) in [
            ("", 0),
            ("/garbage", protocol::GARBAGE),
            ("/sve-hint", protocol::HINT),
        ] {
            let wide = wait & 1 << 30 != 0;
            if wide && setup == protocol::GARBAGE {
                continue;
            }
            each(suite, subject, wait, suffix, setup);
        }
    }
}

fn each(suite: &mut Suite, subject: &'static Subject, wait: u32, suffix: &str, setup: u64) {
    let column = subject.column();
    let wide = wait & 1 << 30 != 0;
    if wait == abi::MSG_WAIT_64 && !subject.has_wide_cycles() {
        suite.cell(
            column,
            format_args!("MSG_WAIT_64-ERROR-NOT_SUPPORTED{suffix}"),
            |suite| {
                suite.ask(subject, ask::SETUP, [setup, 0, 0, 0])?;
                let [x0, _, x2, _] = suite.ask(subject, ask::PLAIN, [wait.into(), 0, 0, 0])?;
                equal("x0", x0, abi::ERROR.into())?;
                equal("x2", x2, abi::code(abi::NOT_SUPPORTED))?;
                suite.ask(subject, ask::SETUP, [0; 4])?;
                suite.seen(subject, wait, ask::error(abi::NOT_SUPPORTED), 1)
            },
        );
        return;
    }
    // Only a `DIRECT_REQ2` is answered by a `RESP2`.
    if wait == abi::DIRECT_RESP2 && !subject.is_extended() {
        return;
    }
    let wait_name = name(wait);
    for kind in Kind::ALL {
        let request = name(kind.request());
        if kind == Kind::Req2 && !subject.takes_extended(wide) {
            suite.cell(
                column,
                format_args!("{wait_name}-REQ2-refused{suffix}"),
                |suite| {
                    prepare(suite, subject, wait, setup)?;
                    suite.refused(kind, subject, abi::DENIED)?;
                    // It still waits, in the same call.
                    ends(suite, subject, wait, Kind::Req64)
                },
            );
            continue;
        }
        suite.cell(
            column,
            format_args!("{wait_name}-{request}{suffix}"),
            |suite| {
                prepare(suite, subject, wait, setup)?;
                ends(suite, subject, wait, kind)
            },
        );
    }
    suite.cell(
        column,
        format_args!("{wait_name}-RUN_32{suffix}"),
        |suite| {
            prepare(suite, subject, wait, setup)?;
            let exchange = suite.run(abi::RUN, subject)?;
            starts_with(&exchange, &[abi::MSG_WAIT.into()])?;
            suite.ask(subject, ask::SETUP, [0; 4])?;
            suite.seen(subject, wait, abi::RUN.into(), 1)
        },
    );
}

/// Has the subject wait in `wait`, and forget what it saw before.
fn prepare(suite: &mut Suite, subject: &Subject, wait: u32, setup: u64) -> Result<(), Failure> {
    suite.stir()?;
    let form = match wait {
        abi::MSG_WAIT_64 => protocol::WAIT_64,
        _ => 0,
    };
    suite.ask(subject, ask::SETUP, [setup | form, 0, 0, 0])?;
    suite.clear(subject)?;
    match Kind::of(wait) {
        Some(kind) => {
            let (request, exchange) = suite.send(kind, subject)?;
            is_response(subject, &request, &exchange, kind.response())
        }
        None => {
            let exchange = suite.run(abi::RUN, subject)?;
            starts_with(&exchange, &[abi::MSG_WAIT.into()])
        }
    }
}

/// Ends the wait with a request of `kind`, and asks the subject what it saw.
fn ends(suite: &mut Suite, subject: &Subject, wait: u32, kind: Kind) -> Verdict {
    let (request, exchange) = suite.send(kind, subject)?;
    is_response(subject, &request, &exchange, kind.response())?;
    // After REQ_32 a strict partition takes commands all the same: they come by `DIRECT_REQ_64`.
    suite.ask(subject, ask::SETUP, [0; 4])?;
    suite.seen(subject, wait, kind.request().into(), 1)?;
    Ok(Seen::Nothing)
}
