//! Calls that are answered at once, and whose answers look like 64-bit identifiers without being
//! one: x8-x17 survive them all.

use super::{How, Suite, ask, is_error, key, starts_with};
use crate::abi::{self, Regs};
use crate::board::place;
use crate::client::registers;
use crate::client::report::{Seen, Verdict, equal};
use crate::contract::{Boundary, Subject, protocol};
use crate::expect::Exchange;

/// What must come back.
#[derive(Clone, Copy)]
enum Answer {
    /// FFA_VERSION's own number.
    Number,
    /// -1 in w0, all else as FF-A says.
    Refused,
    /// -1 in x0: SMCCC knows no such function.
    Unknown,
    /// FFA_SUCCESS_32.
    Success,
    /// FFA_SUCCESS_32, NOT_SUPPORTED at EL3.
    Logged,
    /// INVALID_PARAMETERS; NOT_SUPPORTED to callers of an older version than this.
    Invalid { since: u32 },
    /// NOT_SUPPORTED, by an FFA_ERROR; from EL3 by the bare -1 where it does not know the number.
    Unsupported { beyond_el3: bool },
    /// NO_DATA from FF-A 1.1 on to whom partitions can ask for cycles: NS-EL2, or the primary VM, which the client is.
    /// NOT_SUPPORTED to others.
    Nobody,
}

struct Call {
    name: &'static str,
    id: u32,
    arguments: &'static [u64],
    answer: Answer,
}

const fn call(name: &'static str, id: u32, arguments: &'static [u64], answer: Answer) -> Call {
    Call {
        name,
        id,
        arguments,
        answer,
    }
}

const UNSUPPORTED: Answer = Answer::Unsupported { beyond_el3: false };

const CALLS: &[Call] = &[
    call(
        "VERSION-MINUS_1",
        abi::VERSION,
        &[0x2_0000],
        Answer::Refused,
    ),
    call(
        "UNKNOWN_32-MINUS_1",
        abi::UNKNOWN_VENDOR_32,
        &[1, 2, 3],
        Answer::Unknown,
    ),
    call(
        "UNKNOWN_64-MINUS_1",
        abi::UNKNOWN_VENDOR_64,
        &[1, 2, 3],
        Answer::Unknown,
    ),
    call(
        "FEATURES-SUCCESS",
        abi::FEATURES,
        &[abi::DIRECT_REQ_32 as u64],
        Answer::Success,
    ),
    call(
        "FEATURES-ERROR",
        abi::FEATURES,
        &[abi::UNKNOWN_FFA_32 as u64],
        UNSUPPORTED,
    ),
    call("ID_GET-SUCCESS", abi::ID_GET, &[], Answer::Success),
    call(
        "UNKNOWN_FFA_32-ERROR",
        abi::UNKNOWN_FFA_32,
        &[1, 2, 3],
        Answer::Unsupported { beyond_el3: true },
    ),
    call(
        "UNKNOWN_FFA_64-ERROR",
        abi::UNKNOWN_FFA_64,
        &[1, 2, 3],
        Answer::Unsupported { beyond_el3: true },
    ),
    // An empty line; of these, one character counts.
    call(
        "CONSOLE_LOG_32",
        abi::CONSOLE_LOG_32,
        &[1, 0x0a],
        Answer::Logged,
    ),
    call(
        "CONSOLE_LOG_64",
        abi::CONSOLE_LOG_64,
        &[1, 0x0a],
        Answer::Logged,
    ),
    call(
        "INFO_GET_64-ERROR",
        abi::NOTIFICATION_INFO_GET_64,
        &[],
        Answer::Nobody,
    ),
    call(
        "RXTX_MAP_64-ERROR",
        abi::RXTX_MAP_64,
        &[place(0x5010_0000), place(0x5010_1000), 5],
        Answer::Invalid { since: abi::V1_0 },
    ),
    // Its success is in x0-x17 (suite `discovery`), its error is not.
    call(
        "GET_REGS-ERROR",
        abi::PARTITION_INFO_GET_REGS,
        &[0, 0, 0xffff],
        Answer::Invalid { since: abi::V1_2 },
    ),
];

/// The calls of this client.
pub fn client(suite: &mut Suite) {
    let version = suite.column.version.into();
    for how in How::ALL {
        suite.own(format_args!("VERSION-NUMBER{}", how.suffix()), |suite| {
            let exchange =
                suite.call_as(&registers(abi::VERSION, &[version, 0, 0, 0, 0, 0, 0]), how)?;
            check(suite, &exchange, Answer::Number)
        });
    }
    for row in CALLS {
        for how in How::ALL.into_iter().filter(|how| how.fits(row.id)) {
            suite.own(format_args!("{}{}", row.name, how.suffix()), |suite| {
                let exchange = suite.call_as(&with_zeroes(row), how)?;
                check(suite, &exchange, row.answer)
            });
        }
    }
}

/// x1-x7 zero where there is no argument: some of these calls check.
fn with_zeroes(row: &Call) -> Regs {
    let mut regs = [0; 18];
    regs[0] = row.id.into();
    for (slot, value) in regs.iter_mut().skip(1).zip(row.arguments) {
        *slot = *value;
    }
    regs
}

fn check(suite: &Suite, exchange: &Exchange, answer: Answer) -> Verdict {
    let got = exchange.got[0];
    match answer {
        Answer::Number => {
            if got >> 16 != 1 || got < suite.column.version.into() {
                equal("FFA_VERSION", got, suite.column.version.into())?;
            }
        }
        Answer::Refused => starts_with(exchange, &[abi::code(abi::NOT_SUPPORTED)])?,
        Answer::Unknown => starts_with(exchange, &[u64::MAX])?,
        Answer::Success => starts_with(exchange, &[abi::SUCCESS_32.into(), 0])?,
        Answer::Logged if suite.column.boundary == Boundary::Physical => {
            is_error(exchange, abi::NOT_SUPPORTED)?;
        }
        Answer::Logged => starts_with(exchange, &[abi::SUCCESS_32.into(), 0])?,
        Answer::Invalid { since } => is_error(exchange, invalid(suite.column.version, since))?,
        Answer::Unsupported { beyond_el3 } => {
            let bare = beyond_el3 && suite.column.boundary == Boundary::Physical;
            if bare {
                starts_with(exchange, &[u64::MAX])?;
            } else {
                is_error(exchange, abi::NOT_SUPPORTED)?;
            }
        }
        Answer::Nobody => {
            let error = match suite.column.version >= abi::V1_1 {
                true => abi::NO_DATA,
                false => abi::NOT_SUPPORTED,
            };
            is_error(exchange, error)?;
        }
    }
    Ok(Seen::Value("x0", got))
}

/// The error of [`Answer::Invalid`] for a caller of `version`.
const fn invalid(version: u32, since: u32) -> i32 {
    if version < since {
        abi::NOT_SUPPORTED
    } else {
        abi::INVALID_PARAMETERS
    }
}

/// The same calls made by another VM, but FFA_VERSION.
pub(crate) fn vm(suite: &mut Suite, subject: &'static Subject) {
    for row in CALLS {
        suite.cell(subject.column(), format_args!("{}", row.name), |suite| {
            one(suite, subject, 0, row)
        });
    }
}

/// The same calls made by a partition.
pub fn partition(suite: &mut Suite, subject: &'static Subject) {
    for (suffix, setup) in [
        ("", 0),
        ("/garbage", protocol::GARBAGE),
        ("/sve-hint", protocol::HINT),
    ] {
        let own = call(
            "VERSION-NUMBER",
            abi::VERSION,
            match subject.version {
                abi::V1_0 => &[abi::V1_0 as u64],
                abi::V1_1 => &[abi::V1_1 as u64],
                abi::V1_2 => &[abi::V1_2 as u64],
                _ => &[abi::V1_3 as u64],
            },
            Answer::Number,
        );
        for row in CALLS.iter().chain([&own]) {
            if setup == protocol::GARBAGE && !How::Garbage.fits(row.id) {
                continue;
            }
            let column = subject.column();
            suite.cell(column, format_args!("{}{suffix}", row.name), |suite| {
                one(suite, subject, setup, row)
            });
        }
    }
    suite.cell(subject.column(), format_args!("WHO-KNOWN"), |suite| {
        let [id, version, context, mpidr] = suite.ask(subject, ask::WHO, [0; 4])?;
        equal("FFA_ID_GET", id, subject.id.into())?;
        equal("FFA_VERSION", version, abi::V1_3.into())?;
        equal("x4 at entry", context, 0)?;
        equal("MPIDR_EL1", mpidr, 0x8000_0000)?;
        Ok(Seen::Nothing)
    });
}

fn one(suite: &mut Suite, subject: &Subject, setup: u64, row: &Call) -> Verdict {
    suite.clear(subject)?;
    suite.ask(subject, ask::SETUP, [setup, 0, 0, 0])?;
    let mut arguments = [row.id.into(), 0, 0, 0];
    for (slot, value) in arguments.iter_mut().skip(1).zip(row.arguments) {
        *slot = *value;
    }
    let [x0, _, x2, _] = suite.ask(subject, ask::PLAIN, arguments)?;
    suite.ask(subject, ask::SETUP, [0; 4])?;
    let want = match row.answer {
        Answer::Number => abi::V1_3.into(),
        Answer::Refused => abi::code(abi::NOT_SUPPORTED),
        Answer::Unknown => u64::MAX,
        Answer::Success | Answer::Logged => abi::SUCCESS_32.into(),
        Answer::Invalid { since } => {
            equal("x2", x2, abi::code(invalid(subject.version, since)))?;
            abi::ERROR.into()
        }
        Answer::Unsupported { .. } | Answer::Nobody => {
            equal("x2", x2, abi::code(abi::NOT_SUPPORTED))?;
            abi::ERROR.into()
        }
    };
    equal("x0", x0, want)?;
    suite.seen(subject, row.id, key(x0, x2), 1)
}
