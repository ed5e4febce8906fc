//! From registers to a call. Total: every bit pattern is a call or exactly one error.

use super::{Call, DecodeError};
use crate::{
    console::console_capacity,
    error::FfaError,
    features::FeatureQuery,
    fid::{Fid, FidKind, Function},
    id::{Endpoints, TargetInfo},
    message::MessageKind,
    regs::{Regs, join},
    uuid::Uuid,
    version::Version,
};

/// The arguments of a call: those of a 32-bit form are w registers, whose upper halves do not count.
struct Arguments<'a> {
    regs: &'a Regs,
    mask: u64,
}

impl Arguments<'_> {
    #[inline(always)]
    fn get<const N: usize>(&self) -> u64 {
        self.regs.x::<N>() & self.mask
    }

    /// Whether registers `FROM` to 7 are zero.
    #[inline(always)]
    fn rest_is_zero<const FROM: usize>(&self) -> bool {
        self.regs
            .0
            .iter()
            .take(8)
            .skip(FROM)
            .all(|x| x & self.mask == 0)
    }
}

impl Call {
    /// Decodes the registers of a caller that speaks `version`.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NotFfa`] outside of FF-A's range of identifiers, [`DecodeError::Unknown`] for
    /// an identifier or a form that this crate or that caller does not have, and
    /// [`DecodeError::Invalid`] for a value that the interface refuses whoever calls.
    pub fn decode(version: Version, regs: &Regs) -> Result<Self, DecodeError> {
        let fid = match Fid::decode(regs.x::<0>()) {
            FidKind::Ffa(fid) => fid,
            FidKind::UnknownFfa => return Err(DecodeError::Unknown),
            FidKind::Other(raw) => return Err(DecodeError::NotFfa(raw)),
        };
        let wide = fid.wide;
        let invalid = DecodeError::Invalid(fid);
        let a = Arguments {
            regs,
            mask: if wide { u64::MAX } else { 0xffff_ffff },
        };

        Ok(match fid.function {
            Function::Version => Self::Version(Version::from_raw(regs.w::<1>())),
            Function::Features => Self::Features {
                query: FeatureQuery::from_w1(regs.w::<1>()),
                input: regs.w::<2>(),
            },
            Function::IdGet => Self::IdGet,
            Function::SpmIdGet => Self::SpmIdGet,
            Function::ConsoleLog => {
                let count = a.get::<1>();
                if count == 0 || count > console_capacity(wide, version) as u64 {
                    return Err(invalid);
                }
                Self::ConsoleLog {
                    wide,
                    count: count as usize,
                }
            }
            Function::MsgWait => {
                let flags = a.get::<2>();
                let known = version.has_extended_registers() as u64;
                if a.get::<1>() != 0 || flags & !known != 0 || !a.rest_is_zero::<3>() {
                    return Err(invalid);
                }
                Self::MsgWait {
                    wide,
                    retain_rx: flags != 0,
                }
            }
            Function::Yield => {
                if !a.rest_is_zero::<4>() {
                    return Err(invalid);
                }
                Self::Yield {
                    wide,
                    timeout: join(regs.w::<2>(), regs.w::<3>()),
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
