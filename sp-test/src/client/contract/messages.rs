//! Requests and responses of all widths, and refusals.

use super::{How, Suite, V12, ask, is_error, is_response, name};
use crate::abi;
use crate::client::report::{Failure, Seen, Verdict};
use crate::contract::{Kind, SUBJECTS, Subject, protocol};

/// The cells of this client.
pub fn client(suite: &mut Suite) {
    for kind in Kind::ALL {
        for how in How::ALL.into_iter().filter(|how| how.fits(kind.request())) {
            cells(suite, kind, how);
        }
        if kind != Kind::Req2 {
            other_widths(suite, kind);
        }
    }
    if suite.is_extended() {
        suite.own(format_args!("REQ2-RESP2/nil-uuid"), |suite| {
            for subject in SUBJECTS.iter().filter(|subject| subject.is_extended()) {
                let mut request = suite.request(Kind::Req2, subject);
                request[2] = 0;
                request[3] = 0;
                let exchange = suite.call(&request)?;
                is_response(subject, &request, &exchange, abi::DIRECT_RESP2)?;
            }
            Ok(Seen::Nothing)
        });
    }
}

/// Each kind to each partition.
fn cells(suite: &mut Suite, kind: Kind, how: How) {
    let (request, response) = (name(kind.request()), name(kind.response()));
    let suffix = how.suffix();
    if kind == Kind::Req2 && !suite.is_extended() {
        let code = suite.own_version();
        let what = abi::error_name(abi::code(code));
        suite.own(format_args!("{request}-ERROR-{what}{suffix}"), |suite| {
            let request = suite.request(kind, V12);
            let exchange = suite.call_as(&request, how)?;
            is_error(&exchange, code)?;
            Ok(Seen::Nothing)
        });
        return;
    }
    suite.own(format_args!("{request}-{response}{suffix}"), |suite| {
        for subject in &SUBJECTS {
            if kind == Kind::Req2 && !subject.is_extended() {
                continue;
            }
            // Leaves it waiting in a 64-bit call, so that strict ones take anything.
            suite.ask(subject, ask::SETUP, [0; 4])?;
            with_note(suite.answered(kind, subject, how), subject)?;
            with_note(suite.answered(kind, subject, how), subject)?;
        }
        Ok(Seen::Nothing)
    });
    if kind == Kind::Req2 {
        suite.own(format_args!("{request}-ERROR-DENIED{suffix}"), |suite| {
            for subject in SUBJECTS.iter().filter(|subject| !subject.is_extended()) {
                let request = suite.request(kind, subject);
                let exchange = suite.call_as(&request, how)?;
                with_note(is_error(&exchange, abi::DENIED), subject)?;
                with_note(suite.answered(Kind::Req64, subject, how), subject)?;
            }
            Ok(Seen::Nothing)
        });
    }
}

/// Says about whom a failure is.
fn with_note(result: Result<(), Failure>, subject: &Subject) -> Result<(), Failure> {
    if result.is_err() {
        crate::say!("@note the next case fails at {}", subject.name);
    }
    result
}

/// A response of the other width than the request: delivered below 1.3 in its own width, refused to
/// the responder from 1.3.
fn other_widths(suite: &mut Suite, kind: Kind) {
    let other = match kind {
        Kind::Req32 => Kind::Req64,
        _ => Kind::Req32,
    };
    let request = name(kind.request());
    suite.own(
        format_args!("{request}-{}", name(other.response())),
        |suite| {
            let old = |subject: &&Subject| subject.version < abi::V1_3;
            for subject in SUBJECTS.iter().filter(old) {
                with_note(crossed(suite, kind, subject, other.response()), subject)?;
            }
            Ok(Seen::Nothing)
        },
    );
    suite.own(
        format_args!("{request}-{}/other-width-refused", name(kind.response())),
        |suite| {
            let new = |subject: &&Subject| subject.version >= abi::V1_3;
            for subject in SUBJECTS.iter().filter(new) {
                with_note(crossed(suite, kind, subject, kind.response()), subject)?;
            }
            Ok(Seen::Nothing)
        },
    );
    for subject in SUBJECTS
        .iter()
        .filter(|subject| subject.version >= abi::V1_3)
    {
        suite.cell(
            subject.column(),
            format_args!("{}-ERROR-DENIED/other-width", name(other.response())),
            |suite| refused_to_responder(suite, kind, subject, other),
        );
    }
}

/// One kind to one VM.
pub(crate) fn one(suite: &mut Suite, kind: Kind, subject: &'static Subject, how: How) {
    let (request, response) = (name(kind.request()), name(kind.response()));
    let suffix = how.suffix();
    let code = match (kind, suite.is_extended(), subject.is_extended()) {
        (Kind::Req2, false, _) => Some(suite.own_version()),
        (Kind::Req2, true, false) => Some(abi::DENIED),
        _ => None,
    };
    match code {
        Some(code) => {
            let what = abi::error_name(abi::code(code));
            suite.own(format_args!("{request}-ERROR-{what}{suffix}"), |suite| {
                let request = suite.request(kind, subject);
                is_error(&suite.call_as(&request, how)?, code)?;
                suite.answered(Kind::Req64, subject, how)?;
                Ok(Seen::Nothing)
            });
        }
        None => suite.own(format_args!("{request}-{response}{suffix}"), |suite| {
            for _ in 0..10 {
                suite.answered(kind, subject, how)?;
            }
            Ok(Seen::Nothing)
        }),
    }
}

/// The other width from one VM.
pub(crate) fn other_width(suite: &mut Suite, subject: &'static Subject) {
    for kind in [Kind::Req32, Kind::Req64] {
        let other = match kind {
            Kind::Req32 => Kind::Req64,
            _ => Kind::Req32,
        };
        let (request, response) = (name(kind.request()), name(other.response()));
        if subject.version < abi::V1_3 {
            suite.own(format_args!("{request}-{response}"), |suite| {
                crossed(suite, kind, subject, other.response())?;
                Ok(Seen::Nothing)
            });
        } else {
            suite.own(
                format_args!("{request}-ERROR-DENIED/other-width"),
                |suite| refused_to_responder(suite, kind, subject, other),
            );
        }
    }
}

fn crossed(suite: &mut Suite, kind: Kind, subject: &Subject, response: u32) -> Result<(), Failure> {
    for stale in [false, true] {
        if stale {
            suite.stir()?;
        }
        suite.arm(subject, protocol::OTHER_WIDTH, 0, 0)?;
        let (request, exchange) = suite.send(kind, subject)?;
        is_response(subject, &request, &exchange, response)?;
    }
    Ok(())
}

fn refused_to_responder(suite: &mut Suite, kind: Kind, subject: &Subject, other: Kind) -> Verdict {
    suite.clear(subject)?;
    suite.arm(subject, protocol::OTHER_WIDTH, 0, 0)?;
    suite.send(kind, subject)?;
    suite.seen(subject, other.response(), ask::error(abi::DENIED), 1)
}
