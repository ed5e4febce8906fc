//! What must stand in the registers that a call left.

use crate::abi::{self, Regs};
use crate::client::{Refusal, report::Failure};
use crate::contract::{self, Subject};
use crate::expect::{self, Exchange, Mismatch};
use crate::rt::call::Conduit;

/// What stands where a message was due.
pub(crate) fn refusal(exchange: &Exchange) -> Refusal {
    Refusal {
        x0: exchange.got[0],
        x2: exchange.got[2],
    }
}

/// Register `register` is not `want`.
pub(crate) fn unexpected(exchange: &Exchange, register: usize, want: u64) -> Failure {
    Failure::Register {
        conduit: Conduit::Smc,
        call: exchange.sent[0],
        mismatch: Mismatch {
            register: register as u8,
            got: exchange.got[register],
            want,
        },
        result: refusal(exchange),
    }
}

/// Checks x0 and up against `want`.
pub(crate) fn starts_with(exchange: &Exchange, want: &[u64]) -> Result<(), Failure> {
    for (n, want) in want.iter().enumerate() {
        if exchange.got[n] != *want {
            return Err(unexpected(exchange, n, *want));
        }
    }
    Ok(())
}

/// An FFA_ERROR with this code.
pub(crate) fn is_error(exchange: &Exchange, code: i32) -> Result<(), Failure> {
    starts_with(exchange, &[abi::ERROR.into(), 0, abi::code(code)])
}

/// A completion of cycle management that names the subject's context.
pub(crate) fn names(exchange: &Exchange, id: u32, subject: &Subject) -> Result<(), Failure> {
    starts_with(exchange, &[id.into(), subject.target()])
}

/// The response `id` by the subject's transformation of `request`.
pub(crate) fn is_response(
    subject: &Subject,
    request: &Regs,
    exchange: &Exchange,
    id: u32,
) -> Result<(), Failure> {
    let want = contract::response(subject.transform(), request, id);
    let written = expect::written(id.into());
    starts_with(exchange, want.get(..written).unwrap_or(&want))
}

/// A name of a call or completion in a cell's name.
pub(crate) const fn name(id: u32) -> &'static str {
    match id {
        abi::ERROR => "ERROR",
        abi::SUCCESS_32 => "SUCCESS",
        abi::INTERRUPT => "INTERRUPT",
        abi::MSG_WAIT => "MSG_WAIT_32",
        abi::MSG_WAIT_64 => "MSG_WAIT_64",
        abi::YIELD => "YIELD_32",
        abi::YIELD_64 => "YIELD_64",
        abi::RUN => "RUN_32",
        abi::RUN_64 => "RUN_64",
        abi::DIRECT_REQ_32 => "REQ_32",
        abi::DIRECT_REQ_64 => "REQ_64",
        abi::DIRECT_REQ2 => "REQ2",
        abi::DIRECT_RESP_32 => "RESP_32",
        abi::DIRECT_RESP_64 => "RESP_64",
        abi::DIRECT_RESP2 => "RESP2",
        _ => "OTHER",
    }
}
