//! What a case saw, as facts, and the line that says so.

use super::{Client, Refusal};
use crate::abi;
use crate::expect::{Mismatch, VECTORS};
use crate::interrupts::log::Event;
use crate::rt::call::Conduit;
use crate::rt::fault::Fault;
use crate::rt::memory;
use core::fmt;

/// What a case that passed saw.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// Nothing worth a word.
    Nothing,
    /// By which conduits a call was made.
    Conduits(&'static str),
    /// So many of something.
    Count(&'static str, u64),
    /// A value.
    Value(&'static str, u64),
    /// A fault that had to come.
    Fault(Fault),
    /// Something to be said.
    Note(&'static str),
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Conduits(names) => f.write_str(names),
            Self::Count(what, count) => write!(f, "{count} {what}"),
            Self::Note(note) => f.write_str(note),
            Self::Value(what, value) => write!(f, "{what} {value:#x}"),
            Self::Fault(fault) => write!(f, "fault, esr {:#x} far {:#x}", fault.esr, fault.far),
        }
    }
}

/// Why a case failed.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// A register of a call's result is wrong.
    Register {
        /// By which instruction the call was made.
        conduit: Conduit,
        /// The call's x0.
        call: u64,
        /// The register.
        mismatch: Mismatch,
        /// x0 and x2 of the result.
        result: Refusal,
    },
    /// A message did not come back.
    Refused(Refusal),
    /// A value is wrong.
    Value {
        /// Which.
        what: &'static str,
        /// What it is.
        got: u64,
        /// What it should be.
        want: u64,
    },
    /// A partition reports the wrong register of a call of its own.
    Partition {
        /// By which instruction.
        conduit: Conduit,
        /// The register.
        mismatch: Mismatch,
    },
    /// An access went through; the value is what it read.
    NoFault(u64),
    /// The fault is of the wrong kind or at the wrong address.
    WrongFault(Fault),
    /// A context of `sp-irq` has seen something else.
    Event {
        /// Its partition.
        of: &'static str,
        /// The place in its log.
        number: usize,
        /// What it has seen.
        got: Event,
        /// What it should have seen.
        want: Event,
    },
    /// What a context of `sp-irq` has seen did not come after what another one has.
    Order {
        /// Its partition.
        of: &'static str,
        /// What it has seen too early, or not at all.
        event: Event,
    },
}

impl From<memory::Refused> for Failure {
    fn from(refused: memory::Refused) -> Self {
        Self::Refused(Refusal {
            x0: refused.x0,
            x2: refused.x2,
        })
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let register = |f: &mut fmt::Formatter<'_>, conduit: &Conduit, wrong: &Mismatch| {
            let name = conduit.name();
            match wrong.register {
                31 => write!(f, "{name}: SP moved"),
                VECTORS => write!(f, "{name}: {} words of vector registers changed", wrong.got),
                n => write!(
                    f,
                    "{name}: x{n} is {:#x}, wanted {:#x}",
                    wrong.got, wrong.want
                ),
            }
        };
        match self {
            Self::Register {
                conduit,
                call,
                mismatch,
                result,
            } => {
                register(f, conduit, mismatch)?;
                write!(f, " after {:#x}({}): {result}", call, abi::name(*call))
            }
            Self::Refused(refusal) => write!(f, "no response: {refusal}"),
            Self::Value { what, got, want } => write!(f, "{what}: {got:#x}, wanted {want:#x}"),
            Self::Partition { conduit, mismatch } => register(f, conduit, mismatch),
            Self::Event {
                of,
                number,
                got,
                want,
            } => write!(
                f,
                "{of} has seen, as no. {number}, {got:x?}, wanted {want:x?}"
            ),
            Self::Order { of, event } => write!(f, "{of} has not seen {event:x?} then"),
            Self::NoFault(value) => write!(f, "no fault, read {value:#x}"),
            Self::WrongFault(fault) => {
                write!(
                    f,
                    "another fault, esr {:#x} far {:#x}",
                    fault.esr, fault.far
                )
            }
        }
    }
}

/// How a case went.
pub type Verdict = Result<Seen, Failure>;

/// Fails with [`Failure::Value`] unless `got` is `want`.
///
/// # Errors
/// They differ.
pub fn equal(what: &'static str, got: u64, want: u64) -> Result<(), Failure> {
    if got == want {
        Ok(())
    } else {
        Err(Failure::Value { what, got, want })
    }
}

impl Client {
    /// Reports a case.
    pub fn case(&mut self, name: impl fmt::Display, verdict: Verdict) {
        self.count += 1;
        match verdict {
            Ok(seen) => crate::say!("@case {name} pass {seen}"),
            Err(failure) => {
                self.failures += 1;
                crate::say!("@case {name} fail {failure}");
            }
        }
    }
}
