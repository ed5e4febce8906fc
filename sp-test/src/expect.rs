//! What a call must leave in every one of x0-x30, and the comparison.
//!
//! The rules are SMCCC's and FF-A's (DEN0028 2.6, DEN0077A): a result register that the interface
//! does not define is zero, every register beyond the results is the caller's own.

use crate::abi;

/// One call: all registers before and after it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// x0-x30 at the call.
    pub sent: [u64; 31],
    /// x0-x30 when it returned.
    pub got: [u64; 31],
    /// Whether the stack pointer came back unchanged.
    pub sp_ok: bool,
}

/// A register that is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The register's number; 31 stands for SP, [`VECTORS`] for vector registers.
    pub register: u8,
    /// What it holds.
    pub got: u64,
    /// What it should hold. For a choice, one of the choices.
    pub want: u64,
}

/// Stands for V0-V31, FPCR and FPSR in a [`Mismatch`], which then counts the words that changed.
pub const VECTORS: u8 = 32;

/// A wanted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Exactly this.
    Is(u64),
    /// Whatever.
    Any,
}

/// The result of a call, as far as a table can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// FFA_ERROR with one of these codes in w2, all else of x1-x7 zero.
    Error(&'static [i32]),
    /// FFA_SUCCESS_32 with these in x2 and x3, x1 and x4-x7 zero.
    Success {
        /// x2.
        w2: Want,
        /// x3.
        w3: Want,
    },
    /// SMCCC's unknown function: x0 = -1 in all 64 bits, nothing else touched.
    Unknown,
    /// FFA_VERSION accepted: w0 is 1.2 or a later 1.x, x1-x7 zero.
    Version,
    /// A success of FFA_VERSION that is this version.
    VersionIs(u32),
    /// FFA_VERSION refused: w0 = -1, x1-x7 zero.
    VersionRefused,
    /// This identifier in x0, x1-x7 unchecked: a completion like FFA_MSG_WAIT whose w1 differs by
    /// version.
    Completion(u32),
    /// An SMCCC or PSCI result in x0 (32 bits, signed), x1-x3 unchecked, x4-x30 untouched.
    Result(i32),
    /// The same, at least this.
    ResultAtLeast(i32),
}

/// Compares an exchange with what was expected of it. Upper halves of 32-bit results are zero.
///
/// # Errors
/// The first register that differs.
pub fn check(exchange: &Exchange, expect: &Expect) -> Result<(), Mismatch> {
    let got = &exchange.got;
    let want = |n: usize, want: u64| {
        if got[n] == want {
            Ok(())
        } else {
            Err(Mismatch {
                register: n as u8,
                got: got[n],
                want,
            })
        }
    };
    let zero = |range: core::ops::Range<usize>| range.into_iter().try_for_each(|n| want(n, 0));
    let own_from = match *expect {
        Expect::Error(codes) => {
            want(0, abi::ERROR.into())?;
            want(1, 0)?;
            if !codes.iter().any(|code| got[2] == abi::code(*code)) {
                want(2, codes.first().map_or(0, |code| abi::code(*code)))?;
            }
            zero(3..8)?;
            8
        }
        Expect::Success { w2, w3 } => {
            want(0, abi::SUCCESS_32.into())?;
            want(1, 0)?;
            for (n, value) in [(2, w2), (3, w3)] {
                if let Want::Is(value) = value {
                    want(n, value)?;
                }
            }
            zero(4..8)?;
            8
        }
        Expect::Unknown => {
            want(0, u64::MAX)?;
            1
        }
        Expect::Version => {
            if !(0x1_0002..=0x1_ffff).contains(&got[0]) {
                want(0, 0x1_0002)?;
            }
            zero(1..8)?;
            8
        }
        Expect::VersionIs(version) => {
            want(0, version.into())?;
            zero(1..8)?;
            8
        }
        Expect::VersionRefused => {
            want(0, abi::code(abi::NOT_SUPPORTED))?;
            zero(1..8)?;
            8
        }
        Expect::Completion(id) => {
            want(0, id.into())?;
            8
        }
        Expect::Result(value) => {
            // PSCI and SMCCC results are 32 bits wide; both extensions of a negative one are seen.
            if got[0] as u32 as i32 != value {
                want(0, abi::code(value))?;
            }
            4
        }
        Expect::ResultAtLeast(value) => {
            if (got[0] as u32 as i32) < value {
                want(0, abi::code(value))?;
            }
            4
        }
    };
    own(exchange, own_from)
}

/// Checks that the registers from x`first` up to x30, and SP, are the caller's own.
///
/// # Errors
/// The first register that differs.
pub fn own(exchange: &Exchange, first: usize) -> Result<(), Mismatch> {
    for (n, (sent, got)) in exchange.sent.iter().zip(exchange.got.iter()).enumerate() {
        if n >= first && sent != got {
            return Err(Mismatch {
                register: n as u8,
                got: *got,
                want: *sent,
            });
        }
    }
    if exchange.sp_ok {
        Ok(())
    } else {
        Err(Mismatch {
            register: 31,
            got: 0,
            want: 0,
        })
    }
}

/// How many registers, from x0, the completion `x0` of a *message* writes: x8-x17 belong to the
/// messages of FF-A 1.2 with fourteen payload registers, and to nothing else here.
pub const fn written(x0: u64) -> usize {
    match x0 as u32 {
        abi::DIRECT_REQ2 | abi::DIRECT_RESP2 => 18,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(results: &[u64]) -> Exchange {
        let sent: [u64; 31] = core::array::from_fn(|n| 0xabcd_0000_0000_0000 + n as u64);
        let mut got = sent;
        got[..results.len()].copy_from_slice(results);
        Exchange {
            sent,
            got,
            sp_ok: true,
        }
    }

    fn bad(register: u8, got: u64, want: u64) -> Result<(), Mismatch> {
        Err(Mismatch {
            register,
            got,
            want,
        })
    }

    #[test]
    fn errors_have_a_code_and_zeroes() {
        let denied = Expect::Error(&[abi::DENIED]);
        let error = abi::ERROR.into();
        let code = abi::code(abi::DENIED);
        let ok = exchange(&[error, 0, code, 0, 0, 0, 0, 0]);
        assert_eq!(check(&ok, &denied), Ok(()));
        assert_eq!(
            check(&ok, &Expect::Error(&[abi::BUSY, abi::DENIED])),
            Ok(())
        );
        assert_eq!(
            check(&ok, &Expect::Error(&[abi::BUSY])),
            bad(2, code, abi::code(abi::BUSY))
        );
        let stale = exchange(&[error, 0, code, 0, 0, 0, 5, 0]);
        assert_eq!(check(&stale, &denied), bad(6, 5, 0));
        let extended = exchange(&[error, 0, -6i64 as u64, 0, 0, 0, 0, 0]);
        assert_eq!(check(&extended, &denied), bad(2, -6i64 as u64, code));
    }

    #[test]
    fn every_register_beyond_the_results_is_the_callers() {
        for n in 8..31 {
            let mut leak = exchange(&[abi::SUCCESS_32.into(), 0, 1, 0, 0, 0, 0, 0]);
            leak.got[n] ^= 1;
            let success = Expect::Success {
                w2: Want::Is(1),
                w3: Want::Any,
            };
            let mismatch = check(&leak, &success).unwrap_err();
            assert_eq!(mismatch.register as usize, n);
        }
        let mut moved = exchange(&[abi::MSG_WAIT.into()]);
        moved.sp_ok = false;
        assert_eq!(
            check(&moved, &Expect::Completion(abi::MSG_WAIT)),
            bad(31, 0, 0)
        );
    }

    #[test]
    fn an_unknown_call_touches_x0_only() {
        assert_eq!(check(&exchange(&[u64::MAX]), &Expect::Unknown), Ok(()));
        assert_eq!(
            check(&exchange(&[0xffff_ffff]), &Expect::Unknown),
            bad(0, 0xffff_ffff, u64::MAX)
        );
        let touched = exchange(&[u64::MAX, 0]);
        assert_eq!(check(&touched, &Expect::Unknown).unwrap_err().register, 1);
    }

    #[test]
    fn versions_and_refusals() {
        for (w0, expect, good) in [
            (0x1_0002, Expect::Version, true),
            (0x1_0003, Expect::Version, true),
            (0x1_0001, Expect::Version, false),
            (0x2_0000, Expect::Version, false),
            (0xffff_ffff, Expect::Version, false),
            (0x1_0001, Expect::VersionIs(0x1_0001), true),
            (0x1_0002, Expect::VersionIs(0x1_0001), false),
            (0xffff_ffff, Expect::VersionRefused, true),
            (u64::MAX, Expect::VersionRefused, false),
        ] {
            let seen = exchange(&[w0, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(check(&seen, &expect).is_ok(), good, "{w0:#x} {expect:?}");
        }
    }

    #[test]
    fn psci_results_are_signed_words() {
        for x0 in [0xffff_fffc, -4i64 as u64] {
            let seen = exchange(&[x0]);
            assert_eq!(check(&seen, &Expect::Result(abi::PSCI_ALREADY_ON)), Ok(()));
            assert!(check(&seen, &Expect::ResultAtLeast(0)).is_err());
        }
    }
}
