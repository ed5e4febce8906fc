//! What a case found wrong, in words: what was got, and what was wanted.

use crate::abi;
use crate::expect::{Exchange, Mismatch};
use crate::rt::{call::Conduit, fault::Fault};
use core::fmt;

/// What was wrong, and where in its case.
#[derive(Clone, Copy, Debug)]
pub struct Wrong {
    /// What was being done.
    pub(super) step: &'static str,
    /// Which of many, from 0.
    pub(super) turn: u64,
    pub(super) problem: Problem,
}

/// What it was.
#[derive(Clone, Copy, Debug)]
pub(super) enum Problem {
    /// A register of a call's result.
    Register {
        conduit: Conduit,
        call: [u64; 4],
        mismatch: Mismatch,
        x0: u64,
        x2: u64,
    },
    /// A value.
    Value { got: u64, want: u64 },
    /// A word of memory.
    Memory { at: u64, got: u64, want: u64 },
    /// An access or instruction that faulted.
    Fault(Fault),
    /// An access that went through, and what it read.
    NoFault(u64),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.step)?;
        if self.turn != 0 {
            write!(f, " [{:#x}]", self.turn)?;
        }
        match self.problem {
            Problem::Register {
                conduit,
                call,
                mismatch,
                x0,
                x2,
            } => {
                write!(f, ": got ")?;
                match mismatch.register {
                    31 => write!(f, "another SP")?,
                    n => write!(f, "x{n}={:#x}, wanted {:#x}", mismatch.got, mismatch.want)?,
                }
                write!(
                    f,
                    "; {} {}({:#x}, {:#x}, {:#x}, {:#x}) gave {:#x}",
                    conduit.name(),
                    abi::name(call[0]),
                    call[0],
                    call[1],
                    call[2],
                    call[3],
                    x0
                )?;
                if x0 == u64::from(abi::ERROR) {
                    write!(f, " {}", abi::error_name(x2))?;
                }
                Ok(())
            }
            Problem::Value { got, want } => write!(f, ": got {got:#x}, wanted {want:#x}"),
            Problem::Memory { at, got, want } => {
                write!(f, ": at {at:#x} got {got:#x}, wanted {want:#x}")
            }
            Problem::Fault(fault) => write!(
                f,
                ": got a fault, esr {:#x} far {:#x}",
                fault.esr, fault.far
            ),
            Problem::NoFault(value) => write!(f, ": got {value:#x}, wanted a fault"),
        }
    }
}

/// How a case went.
pub type Verdict = Result<(), Wrong>;

/// A register that a call has left wrong.
pub(super) fn wrong_register(
    step: &'static str,
    turn: u64,
    conduit: Conduit,
    exchange: &Exchange,
    mismatch: Mismatch,
) -> Wrong {
    let Exchange { sent, got, .. } = exchange;
    Wrong {
        step,
        turn,
        problem: Problem::Register {
            conduit,
            call: [sent[0], sent[1], sent[2], sent[3]],
            mismatch,
            x0: got[0],
            x2: got[2],
        },
    }
}

/// Fails unless `got` is `want`.
pub(super) fn equal(step: &'static str, turn: u64, got: u64, want: u64) -> Verdict {
    if got == want {
        Ok(())
    } else {
        Err(Wrong {
            step,
            turn,
            problem: Problem::Value { got, want },
        })
    }
}
