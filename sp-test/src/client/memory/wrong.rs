//! What was not as it must be.

use crate::abi;
use core::fmt;

/// A step, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Wrong {
    /// What was done, or looked at.
    pub step: &'static str,
    /// By whom.
    pub who: &'static str,
    /// What came of it.
    pub got: u64,
    /// What should have.
    pub want: u64,
}

/// What a check is worth.
pub(in crate::client) type Check = Result<(), Wrong>;

/// The name of a register that a call has changed.
pub(super) const fn register(number: u64) -> &'static str {
    const NAMES: [&str; 32] = [
        "x0 of a call",
        "x1 of a call",
        "x2 of a call",
        "x3 of a call",
        "x4 of a call",
        "x5 of a call",
        "x6 of a call",
        "x7 of a call",
        "x8 over a call",
        "x9 over a call",
        "x10 over a call",
        "x11 over a call",
        "x12 over a call",
        "x13 over a call",
        "x14 over a call",
        "x15 over a call",
        "x16 over a call",
        "x17 over a call",
        "x18 over a call",
        "x19 over a call",
        "x20 over a call",
        "x21 over a call",
        "x22 over a call",
        "x23 over a call",
        "x24 over a call",
        "x25 over a call",
        "x26 over a call",
        "x27 over a call",
        "x28 over a call",
        "x29 over a call",
        "x30 over a call",
        "SP over a call",
    ];
    NAMES[(number & 31) as usize]
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |f: &mut fmt::Formatter<'_>, value: u64| {
            let error = abi::error_name(value);
            match (error, abi::name(value)) {
                ("other", "other") => write!(f, "{value:#x}"),
                ("other", name) | (name, _) => write!(f, "{name}"),
            }
        };
        write!(f, "{} by {}: got ", self.step, self.who)?;
        value(f, self.got)?;
        f.write_str(", wanted ")?;
        value(f, self.want)
    }
}
