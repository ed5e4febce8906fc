//! Decoding of calls (DEN0077A, the tables of each interface). Payloads of messages are not copied:
//! they stay in the caller's [`Regs`].

use crate::{
    error::FfaError,
    fid::{Fid, FidKind, Function},
    id::{Endpoints, TargetInfo},
    message::MessageKind,
    regs::Regs,
    uuid::Uuid,
    version::Version,
};

/// A decoded call. Reserved bits have been checked as the interface demands; whether the caller may
/// make this call now has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `FFA_VERSION`: w1 holds the requested version, or bit 31 was set (`None`).
    Version(Option<Version>),
    /// `FFA_FEATURES`.
    Features {
        /// What is asked.
        query: FeatureQuery,
        /// w2: input properties.
        input: u32,
    },
    /// `FFA_ID_GET`.
    IdGet,
    /// `FFA_SPM_ID_GET`.
    SpmIdGet,
    /// `FFA_CONSOLE_LOG`: w1 characters, which stand in w2-w7, x2-x7 or x2-x17.
    ConsoleLog {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// How many characters; between 1 and what the form and the caller's version can carry.
        count: usize,
    },
    /// `FFA_MSG_WAIT`.
    MsgWait {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// w2 bit 0 (from 1.2): keep the RX buffer.
        retain_rx: bool,
    },
    /// `FFA_YIELD`.
    Yield {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// w2 and w3: a timeout hint, low and high.
        timeout: u64,
    },
    /// `FFA_RUN`.
    Run {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// Who shall run.
        target: TargetInfo,
    },
    /// `FFA_MSG_SEND_DIRECT_REQ`; the payload is w3-w7 or x3-x7.
    DirectReq {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// Sender and receiver.
        ids: Endpoints,
        /// Partition or framework message.
        kind: MessageKind,
    },
    /// `FFA_MSG_SEND_DIRECT_RESP`; the payload is w3-w7 or x3-x7.
    DirectResp {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// Sender and receiver.
        ids: Endpoints,
        /// Partition or framework message.
        kind: MessageKind,
    },
    /// `FFA_MSG_SEND_DIRECT_REQ2`; the payload is x4-x17.
    DirectReq2 {
        /// Sender and receiver.
        ids: Endpoints,
        /// x2 and x3: the service.
        uuid: Uuid,
    },
    /// `FFA_MSG_SEND_DIRECT_RESP2`; the payload is x4-x17. x2 and x3 are accepted whatever they
    /// hold, since partitions echo the request's UUID there, and delivered as zero.
    DirectResp2 {
        /// Sender and receiver.
        ids: Endpoints,
    },
    /// `FFA_ERROR` as a call.
    Error {
        /// w2, if it is a known code.
        code: Option<FfaError>,
    },
    /// `FFA_INTERRUPT` as a call: the SPMD hands over a secure interrupt.
    Interrupt,
    /// A function of FF-A that is not decoded any further.
    Other(Fid),
}

/// What `FFA_FEATURES` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureQuery {
    /// Bit 31 of w1 is set: a function, in a form that exists.
    Function(Fid),
    /// A function that does not exist in FF-A, or not in that form.
    UnknownFunction,
    /// Bit 31 is clear: a feature id in bits 7:0.
    Feature(u8),
    /// A feature id with reserved bits set.
    ReservedFeature,
}

impl FeatureQuery {
    /// Reads w1.
    pub fn from_w1(w1: u32) -> Self {
        if w1 & 0x8000_0000 == 0 {
            return if w1 & 0x7fff_ff00 == 0 {
                Self::Feature(w1 as u8)
            } else {
                Self::ReservedFeature
            };
        }
        match Fid::decode(w1.into()) {
            // The hint bit is no part of a queried identifier.
            FidKind::Ffa(fid) if fid.raw() == w1 => Self::Function(fid),
            _ => Self::UnknownFunction,
        }
    }
}

/// Why registers are no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not a function of FF-A: the value is w0 without the SVE hint.
    NotFfa(u32),
    /// FF-A's range, but unknown: `FFA_ERROR(NOT_SUPPORTED)`.
    Unknown,
    /// A known function with a reserved bit set or a value out of range:
    /// `FFA_ERROR(INVALID_PARAMETERS)`.
    Invalid(Fid),
}

/// The most characters that one `FFA_CONSOLE_LOG` can carry: w2-w7, x2-x7, or x2-x17 from 1.2.
pub const fn console_capacity(wide: bool, version: Version) -> usize {
    match (wide, version.has_extended_registers()) {
        (false, _) => 24,
        (true, false) => 48,
        (true, true) => 128,
    }
}

impl Call {
    /// Decodes the registers of a caller that speaks `version`.
    pub fn decode(version: Version, regs: &Regs) -> Result<Self, DecodeError> {
        let fid = match Fid::decode(regs.x::<0>()) {
            FidKind::Ffa(fid) => fid,
            FidKind::UnknownFfa => return Err(DecodeError::Unknown),
            FidKind::Other(raw) => return Err(DecodeError::NotFfa(raw)),
        };
        let wide = fid.wide;
        let invalid = DecodeError::Invalid(fid);
        // Arguments of the 32-bit forms are w registers: upper halves do not count.
        let argument = |n: usize| {
            let value = regs.0.get(n).copied().unwrap_or(0);
            if wide { value } else { value & 0xffff_ffff }
        };
        let all_zero =
            |range: core::ops::RangeInclusive<usize>| range.into_iter().all(|n| argument(n) == 0);

        Ok(match fid.function {
            Function::Version => Self::Version(Version::from_raw(regs.w::<1>())),
            Function::Features => Self::Features {
                query: FeatureQuery::from_w1(regs.w::<1>()),
                input: regs.w::<2>(),
            },
            Function::IdGet => Self::IdGet,
            Function::SpmIdGet => Self::SpmIdGet,
            Function::ConsoleLog => {
                let count = argument(1) as usize;
                if count == 0 || count > console_capacity(wide, version) {
                    return Err(invalid);
                }
                Self::ConsoleLog { wide, count }
            }
            Function::MsgWait => {
                let flags_ok = if version.has_extended_registers() {
                    argument(2) & !1 == 0
                } else {
                    argument(2) == 0
                };
                if argument(1) != 0 || !flags_ok || !all_zero(3..=7) {
                    return Err(invalid);
                }
                Self::MsgWait {
                    wide,
                    retain_rx: argument(2) & 1 != 0,
                }
            }
            Function::Yield => {
                if !all_zero(4..=7) {
                    return Err(invalid);
                }
                Self::Yield {
                    wide,
                    timeout: regs.w::<2>() as u64 | (regs.w::<3>() as u64) << 32,
                }
            }
            Function::Run => Self::Run {
                wide,
                target: TargetInfo::from_register(regs.x::<1>()),
            },
            Function::MsgSendDirectReq | Function::MsgSendDirectResp => {
                let ids = Endpoints::from_register(regs.x::<1>());
                let kind = MessageKind::from_w2(regs.w::<2>()).ok_or(invalid)?;
                if fid.function == Function::MsgSendDirectReq {
                    Self::DirectReq { wide, ids, kind }
                } else {
                    Self::DirectResp { wide, ids, kind }
                }
            }
            Function::MsgSendDirectReq2 => Self::DirectReq2 {
                ids: Endpoints::from_register(regs.x::<1>()),
                uuid: Uuid::from_registers(regs.x::<2>(), regs.x::<3>()),
            },
            Function::MsgSendDirectResp2 => Self::DirectResp2 {
                ids: Endpoints::from_register(regs.x::<1>()),
            },
            Function::Error => Self::Error {
                code: FfaError::from_register(regs.x::<2>()),
            },
            Function::Interrupt => Self::Interrupt,
            _ => Self::Other(fid),
        })
    }
}

/// Gives the characters of a `FFA_CONSOLE_LOG` to `sink`, one by one: they are packed
/// little-endian, four to a w register or eight to an x register, from register 2.
pub fn console_characters(regs: &Regs, wide: bool, count: usize, mut sink: impl FnMut(u8)) {
    let per_register = if wide { 8 } else { 4 };
    let mut left = count;
    for value in &regs.0[2..] {
        for byte in value.to_le_bytes().into_iter().take(per_register) {
            if left == 0 {
                return;
            }
            left -= 1;
            sink(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fid::raw;
    use proptest::prelude::*;

    fn regs(x: &[u64]) -> Regs {
        let mut regs = Regs::ZERO;
        regs.0[..x.len()].copy_from_slice(x);
        regs
    }

    fn decode(x: &[u64]) -> Result<Call, DecodeError> {
        Call::decode(Version::V1_2, &regs(x))
    }

    #[test]
    fn msg_wait_checks_reserved_registers_by_version_and_width() {
        let wait = u64::from(raw::MSG_WAIT);
        assert!(decode(&[wait, 0, 1]).is_ok());
        assert!(matches!(decode(&[wait, 1]), Err(DecodeError::Invalid(_))));
        assert!(matches!(
            decode(&[wait, 0, 2]),
            Err(DecodeError::Invalid(_))
        ));
        assert!(matches!(
            Call::decode(Version::V1_1, &regs(&[wait, 0, 1])),
            Err(DecodeError::Invalid(_))
        ));
        for n in 3..=7 {
            let mut r = regs(&[wait]);
            r[n] = 1 << 40;
            assert!(
                Call::decode(Version::V1_2, &r).is_ok(),
                "upper half of w{n}"
            );
            r[n] = 1;
            assert!(Call::decode(Version::V1_2, &r).is_err(), "w{n}");
            r[0] = u64::from(raw::MSG_WAIT_64);
            r[n] = 1 << 40;
            assert!(Call::decode(Version::V1_2, &r).is_err(), "x{n}");
        }
    }

    #[test]
    fn direct_messages_refuse_reserved_bits_of_w2() {
        for fid in [raw::DIRECT_REQ_32, raw::DIRECT_RESP_64] {
            assert!(matches!(
                decode(&[fid.into(), 0x8001, 1]),
                Err(DecodeError::Invalid(_))
            ));
        }
        assert_eq!(
            decode(&[raw::DIRECT_REQ_32.into(), 0xffff_8000, 0x8000_0008]),
            Ok(Call::DirectReq {
                wide: false,
                ids: Endpoints::from_register(0xffff_8000),
                kind: MessageKind::Framework(8)
            })
        );
    }

    #[test]
    fn console_log_counts_by_form_and_version() {
        let narrow = u64::from(Function::ConsoleLog.raw32());
        let wide = u64::from(raw::CONSOLE_LOG_64);
        assert!(decode(&[narrow, 0]).is_err());
        assert!(decode(&[narrow, 24]).is_ok() && decode(&[narrow, 25]).is_err());
        assert!(decode(&[wide, 128]).is_ok() && decode(&[wide, 129]).is_err());
        let old = |n| Call::decode(Version::V1_1, &regs(&[wide, n]));
        assert!(old(48).is_ok() && old(49).is_err());
    }

    #[test]
    fn console_characters_are_little_endian() {
        let mut out = Vec::new();
        let text = u64::from_le_bytes(*b"abcdXXXX");
        console_characters(&regs(&[0, 0, text, text]), false, 6, |c| out.push(c));
        assert_eq!(out, b"abcdab");
        out.clear();
        console_characters(&regs(&[0, 0, text, text]), true, 10, |c| out.push(c));
        assert_eq!(out, b"abcdXXXXab");
    }

    #[test]
    fn feature_queries() {
        assert_eq!(FeatureQuery::from_w1(2), FeatureQuery::Feature(2));
        assert_eq!(FeatureQuery::from_w1(0x100), FeatureQuery::ReservedFeature);
        assert_eq!(
            FeatureQuery::from_w1(raw::DIRECT_REQ2),
            FeatureQuery::Function(Fid::wide(Function::MsgSendDirectReq2))
        );
        for raw in [0x8400_0000, raw::DIRECT_REQ2 | 1 << 16, 0x8400_00ef] {
            assert_eq!(FeatureQuery::from_w1(raw), FeatureQuery::UnknownFunction);
        }
    }

    proptest! {
        #[test]
        fn decoding_is_total(low in 0u32..0x100, wide: bool, hint: bool, rest: [u64; 17], v in 0u16..4) {
            let mut r = Regs::ZERO;
            r.0[0] = u64::from(0x8400_0000 | low | if wide { 1 << 30 } else { 0 }
                | if hint { 1 << 16 } else { 0 }) | rest[0] << 32;
            r.0[1..].copy_from_slice(&rest);
            let version = Version::new(1, v);
            let first = Call::decode(version, &r);
            // Upper halves of a 32-bit call's arguments say nothing.
            if !wide {
                let mut masked = r;
                masked.0.iter_mut().for_each(|x| *x &= 0xffff_ffff);
                prop_assert_eq!(first, Call::decode(version, &masked));
            }
            if let Ok(Call::ConsoleLog { wide, count }) = first {
                let mut n = 0;
                console_characters(&r, wide, count, |_| n += 1);
                prop_assert_eq!(n, count);
            }
        }
    }
}
