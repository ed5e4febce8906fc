//! From registers to a call. Total: every bit pattern is a call or exactly one error.

use super::{Call, DecodeError};
use crate::{
    console::console_capacity,
    error::FfaError,
    features::FeatureQuery,
    fid::{Fid, FidKind, Function},
    id::{EndpointId, Endpoints, TargetInfo},
    memory::{DescriptorCall, Handle, NsResFlags, ReclaimFlags},
    message::{MessageKind, Send2Flags},
    notification::{GetFlags, SetFlags},
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
            _ => return setup_and_cycles(fid, version, &a),
        })
    }
}

/// What is called seldom, kept out of the way of what is called often.
#[inline(never)]
fn setup_and_cycles(fid: Fid, version: Version, a: &Arguments) -> Result<Call, DecodeError> {
    let wide = fid.wide;
    let invalid = DecodeError::Invalid(fid);
    let regs = a.regs;
    Ok(match fid.function {
        Function::RxRelease => Call::RxRelease {
            vm: low_id(regs.x::<1>()),
        },
        Function::RxAcquire => Call::RxAcquire {
            vm: low_id(regs.x::<1>()),
        },
        Function::RxtxMap => Call::RxtxMap {
            wide,
            tx: a.get::<1>(),
            rx: a.get::<2>(),
            pages: regs.w::<3>(),
        },
        Function::RxtxUnmap => Call::RxtxUnmap {
            vm: high_id(regs.x::<1>()),
        },
        Function::PartitionInfoGet => {
            let flags = regs.w::<5>();
            if flags & !1 != 0 {
                return Err(invalid);
            }
            Call::PartitionInfoGet {
                uuid: Uuid::from_words([
                    regs.w::<1>(),
                    regs.w::<2>(),
                    regs.w::<3>(),
                    regs.w::<4>(),
                ]),
                count_only: flags != 0,
            }
        }
        Function::PartitionInfoGetRegs => Call::PartitionInfoGetRegs {
            uuid: Uuid::from_registers(regs.x::<1>(), regs.x::<2>()),
            start: regs.x::<3>() as u16,
            tag: (regs.x::<3>() >> 16) as u16,
        },
        Function::SecondaryEpRegister => Call::SecondaryEpRegister {
            wide,
            entry: a.get::<1>(),
        },
        Function::NsResInfoGet => Call::NsResInfoGet {
            endpoint: low_id(regs.x::<1>()),
            flags: NsResFlags::from_bits_retain(regs.x::<2>()),
        },
        Function::NormalWorldResume => Call::NormalWorldResume { wide },
        Function::El3IntrHandle => Call::El3IntrHandle,
        Function::Abort => {
            if version < Version::V1_3 {
                return Err(DecodeError::Unknown);
            }
            if a.get::<1>() != 0 || !a.rest_is_zero::<3>() {
                return Err(invalid);
            }
            Call::Abort {
                wide,
                reason: a.get::<2>(),
            }
        }
        Function::MsgSend2 => Call::MsgSend2 {
            vm: high_id(regs.x::<1>()),
            flags: Send2Flags::from_bits_retain(regs.w::<2>()),
        },
        _ => return memory(fid, version, a),
    })
}

fn memory(fid: Fid, version: Version, a: &Arguments) -> Result<Call, DecodeError> {
    let wide = fid.wide;
    let regs = a.regs;
    let handle = Handle::from_words(regs.w::<1>(), regs.w::<2>());
    let descriptor = DescriptorCall {
        wide,
        total_length: regs.w::<1>(),
        fragment_length: regs.w::<2>(),
        buffer: a.get::<3>(),
        pages: regs.w::<4>(),
    };
    Ok(match fid.function {
        Function::MemDonate => Call::MemDonate(descriptor),
        Function::MemLend => Call::MemLend(descriptor),
        Function::MemShare => Call::MemShare(descriptor),
        Function::MemRetrieveReq => Call::MemRetrieveReq(descriptor),
        Function::MemRelinquish => Call::MemRelinquish,
        Function::MemReclaim => Call::MemReclaim {
            handle,
            flags: ReclaimFlags::from_bits_retain(regs.w::<3>()),
        },
        Function::MemOpPause => Call::MemOpPause { handle },
        Function::MemOpResume => Call::MemOpResume { handle },
        Function::MemFragRx => Call::MemFragRx {
            handle,
            offset: regs.w::<3>(),
            sender: high_id(regs.x::<4>()),
        },
        Function::MemFragTx => Call::MemFragTx {
            handle,
            length: regs.w::<3>(),
            sender: high_id(regs.x::<4>()),
        },
        Function::MemPermGet => {
            let more = if version < Version::V1_3 {
                0
            } else {
                regs.w::<2>()
            };
            Call::MemPermGet {
                wide,
                address: a.get::<1>(),
                pages: more.checked_add(1).ok_or(DecodeError::Invalid(fid))?,
            }
        }
        Function::MemPermSet => Call::MemPermSet {
            wide,
            address: a.get::<1>(),
            pages: regs.w::<2>(),
            permissions: regs.w::<3>(),
        },
        _ => return notifications(fid, version, a),
    })
}

fn notifications(fid: Fid, version: Version, a: &Arguments) -> Result<Call, DecodeError> {
    if fid.function.is_notification() && version < fid.function.since() {
        return Err(DecodeError::Unknown);
    }
    let invalid = DecodeError::Invalid(fid);
    let regs = a.regs;
    let ids = Endpoints::from_register(regs.x::<1>());
    let flags = regs.w::<2>();
    let bitmap = join(regs.w::<3>(), regs.w::<4>());
    Ok(match fid.function {
        Function::NotificationBitmapCreate => Call::NotificationBitmapCreate {
            vm: low_id(regs.x::<1>()),
            contexts: flags,
        },
        Function::NotificationBitmapDestroy => Call::NotificationBitmapDestroy {
            vm: low_id(regs.x::<1>()),
        },
        Function::NotificationBind => {
            if flags & !1 != 0 {
                return Err(invalid);
            }
            Call::NotificationBind {
                ids,
                per_context: flags != 0,
                bitmap,
            }
        }
        Function::NotificationUnbind => {
            if flags != 0 {
                return Err(invalid);
            }
            Call::NotificationUnbind { ids, bitmap }
        }
        Function::NotificationSet => Call::NotificationSet {
            ids,
            flags: SetFlags::from_w2(flags).ok_or(invalid)?,
            bitmap,
        },
        Function::NotificationGet => Call::NotificationGet {
            receiver: low_id(regs.x::<1>()),
            context: (regs.x::<1>() >> 16) as u16,
            flags: GetFlags::from_bits(flags).ok_or(invalid)?,
        },
        Function::NotificationInfoGet => Call::NotificationInfoGet { wide: fid.wide },
        _ => Call::Other(fid),
    })
}

/// The endpoint in bits 15:0.
const fn low_id(x: u64) -> EndpointId {
    EndpointId(x as u16)
}

/// The endpoint in bits 31:16.
const fn high_id(x: u64) -> EndpointId {
    EndpointId((x >> 16) as u16)
}
