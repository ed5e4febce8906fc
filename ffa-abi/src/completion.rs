//! Completions, read by the one who called: a proxy what EL3 returned, an SPMC what the SPMD
//! returned, a partition what ends its wait. The side that answers writes a
//! [`Reply`](crate::Reply) or relays a message.
//!
//! A completion is read by the call that it completes: what `FFA_VERSION` returns is a number and
//! carries no identifier, and the results of `FFA_SUCCESS` mean what the call makes of them.

use crate::{
    contract::{self, Layout},
    error::FfaError,
    fid::{Fid, FidKind, Function},
    id::{EndpointId, Endpoints, TargetInfo},
    memory::Handle,
    message::MessageKind,
    regs::{Regs, join, split},
    uuid::Uuid,
    version::Version,
};
use core::ops::Range;
use thiserror::Error;

/// What a call came back with. As with a [`Call`](crate::Call), payloads stay in the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// `FFA_VERSION`'s answer: the callee's version, or a negative number (`None`).
    Version(Option<Version>),
    /// -1 in x0, in 64 or in 32 bits: the callee knows no such function. EL3 answers identifiers
    /// beyond its range like this.
    Unknown,
    /// `FFA_SUCCESS`. Its results are read by the type that the call returns:
    /// [`FeatureProperties`](crate::features::FeatureProperties), [`InfoCount`](crate::partition_info::InfoCount),
    /// [`InfoRegs`](crate::partition_info::InfoRegs), [`Handle`],
    /// [`PermissionRun`](crate::memory::PermissionRun),
    /// [`NsResProgress`](crate::memory::NsResProgress),
    /// [`Pending`](crate::notification::Pending), [`InfoLists`](crate::notification::InfoLists);
    /// the ids of `FFA_ID_GET` and `FFA_SPM_ID_GET` are w2 bits 15:0.
    Success {
        /// Whether it is the 64-bit form.
        wide: bool,
    },
    /// `FFA_ERROR`.
    Error {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// w1: whom it is about; zero where it is about nobody.
        target: TargetInfo,
        /// w2: the code, or the number that is none.
        code: Result<FfaError, i32>,
        /// w3 (1.3): more about it, by the code.
        argument: u32,
    },
    /// `FFA_INTERRUPT`.
    Interrupt {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// w1: who was interrupted; zero to a partition.
        target: TargetInfo,
        /// w2: the virtual interrupt's id, 0 where none is told.
        intid: u32,
    },
    /// `FFA_MSG_WAIT`: who was run waits.
    MsgWait {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
    },
    /// `FFA_YIELD`: who was run or called gave the CPU back for now.
    Yield {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// w1: who.
        target: TargetInfo,
        /// w2 and w3: a timeout hint.
        timeout: u64,
    },
    /// `FFA_RUN`: cycles, without a message.
    Run {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// w1: who runs.
        target: TargetInfo,
    },
    /// `FFA_NORMAL_WORLD_RESUME`: an interrupted normal world goes on.
    NormalWorldResume {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
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
    /// `FFA_MSG_SEND_DIRECT_RESP2`; the payload is x4-x17.
    DirectResp2 {
        /// Sender and receiver.
        ids: Endpoints,
    },
    /// `FFA_MEM_RETRIEVE_RESP`: a descriptor lies in RX.
    MemRetrieveResp {
        /// w1: bytes of all of it.
        total_length: u32,
        /// w2: bytes of its first fragment.
        fragment_length: u32,
    },
    /// `FFA_MEM_FRAG_RX`: the callee wants the next fragment.
    MemFragRx {
        /// w1 and w2: of which transaction.
        handle: Handle,
        /// w3: from which byte on.
        offset: u32,
        /// w4 bits 31:16: for which endpoint, towards a hypervisor.
        sender: EndpointId,
    },
    /// `FFA_MEM_FRAG_TX`: the next fragment lies in RX.
    MemFragTx {
        /// w1 and w2: of which transaction.
        handle: Handle,
        /// w3: how many bytes.
        length: u32,
        /// w4 bits 31:16: for which endpoint, towards a hypervisor.
        sender: EndpointId,
    },
}

/// Why registers complete nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CompletionError {
    /// x0 is no identifier of FF-A: its lower half, without the SVE hint.
    #[error("{0:#x} is no completion")]
    NotFfa(u32),
    /// An identifier of FF-A's range that does not exist.
    #[error("an unknown function of FF-A completes nothing")]
    Unknown,
    /// A function that only exists as a call.
    #[error("{0:?} completes nothing")]
    CallOnly(Fid),
    /// A direct message with a reserved bit of w2 set.
    #[error("{0:?} with a reserved bit")]
    Reserved(Fid),
}

impl Completion {
    /// Reads what completed `call`. Upper halves of a 32-bit form do not count.
    ///
    /// # Errors
    ///
    /// See [`CompletionError`]. Whether this completion may answer that call is not checked.
    pub fn decode(call: Fid, regs: &Regs) -> Result<Self, CompletionError> {
        if call.function == Function::Version {
            return Ok(Self::Version(Version::from_raw(regs.w::<0>())));
        }
        if contract::is_bare_unknown(regs.x::<0>()) {
            return Ok(Self::Unknown);
        }
        let fid = match Fid::decode(regs.x::<0>()) {
            FidKind::Ffa(fid) => fid,
            FidKind::UnknownFfa => return Err(CompletionError::Unknown),
            FidKind::Other(raw) => return Err(CompletionError::NotFfa(raw)),
        };
        let wide = fid.wide;
        let target = TargetInfo::from_register(regs.x::<1>());
        let ids = Endpoints::from_register(regs.x::<1>());
        let kind = || MessageKind::from_w2(regs.w::<2>()).ok_or(CompletionError::Reserved(fid));
        let handle = Handle::from_words(regs.w::<1>(), regs.w::<2>());
        let sender = EndpointId((regs.x::<4>() >> 16) as u16);
        Ok(match fid.function {
            Function::Success => Self::Success { wide },
            Function::Error => Self::Error {
                wide,
                target,
                code: FfaError::from_register(regs.x::<2>()).ok_or(regs.w::<2>() as i32),
                argument: regs.w::<3>(),
            },
            Function::Interrupt => Self::Interrupt {
                wide,
                target,
                intid: regs.w::<2>(),
            },
            Function::MsgWait => Self::MsgWait { wide },
            Function::Yield => Self::Yield {
                wide,
                target,
                timeout: join(regs.w::<2>(), regs.w::<3>()),
            },
            Function::Run => Self::Run { wide, target },
            Function::NormalWorldResume => Self::NormalWorldResume { wide },
            Function::MsgSendDirectReq => Self::DirectReq {
                wide,
                ids,
                kind: kind()?,
            },
            Function::MsgSendDirectResp => Self::DirectResp {
                wide,
                ids,
                kind: kind()?,
            },
            Function::MsgSendDirectReq2 => Self::DirectReq2 {
                ids,
                uuid: Uuid::from_registers(regs.x::<2>(), regs.x::<3>()),
            },
            Function::MsgSendDirectResp2 => Self::DirectResp2 { ids },
            Function::MemRetrieveResp => Self::MemRetrieveResp {
                total_length: regs.w::<1>(),
                fragment_length: regs.w::<2>(),
            },
            Function::MemFragRx => Self::MemFragRx {
                handle,
                offset: regs.w::<3>(),
                sender,
            },
            Function::MemFragTx => Self::MemFragTx {
                handle,
                length: regs.w::<3>(),
                sender,
            },
            _ => return Err(CompletionError::CallOnly(fid)),
        })
    }

    /// The identifier in x0; `None` for a version and for -1, which carry none.
    pub const fn fid(&self) -> Option<Fid> {
        use Function as F;
        let (function, wide) = match *self {
            Self::Version(_) | Self::Unknown => return None,
            Self::Success { wide } => (F::Success, wide),
            Self::Error { wide, .. } => (F::Error, wide),
            Self::Interrupt { wide, .. } => (F::Interrupt, wide),
            Self::MsgWait { wide } => (F::MsgWait, wide),
            Self::Yield { wide, .. } => (F::Yield, wide),
            Self::Run { wide, .. } => (F::Run, wide),
            Self::NormalWorldResume { wide } => (F::NormalWorldResume, wide),
            Self::DirectReq { wide, .. } => (F::MsgSendDirectReq, wide),
            Self::DirectResp { wide, .. } => (F::MsgSendDirectResp, wide),
            Self::DirectReq2 { .. } => (F::MsgSendDirectReq2, true),
            Self::DirectResp2 { .. } => (F::MsgSendDirectResp2, true),
            Self::MemRetrieveResp { .. } => (F::MemRetrieveResp, false),
            Self::MemFragRx { .. } => (F::MemFragRx, false),
            Self::MemFragTx { .. } => (F::MemFragTx, false),
        };
        Some(Fid { function, wide })
    }

    /// Which registers hold a payload that a `Completion` does not carry; empty for most. Of
    /// `FFA_SUCCESS_64` it is x1-x17, of which only `FFA_PARTITION_INFO_GET_REGS` uses those from
    /// x8 on.
    pub const fn payload(&self) -> Range<usize> {
        match self {
            Self::Success { wide: false } => 1..8,
            Self::Success { wide: true } => 1..18,
            Self::DirectReq { .. } | Self::DirectResp { .. } => 3..8,
            Self::DirectReq2 { .. } | Self::DirectResp2 { .. } => 4..18,
            _ => 0..0,
        }
    }

    /// The layout by which the register contract delivers it to one who made the call `call`.
    pub fn layout(&self, call: Fid) -> Layout {
        contract::layout(Some(call), self.encode().x::<0>())
    }

    /// The registers of this completion, its payload zero.
    pub fn encode(&self) -> Regs {
        let mut regs = Regs::ZERO;
        self.encode_into(&mut regs);
        regs
    }

    /// Writes this completion into `regs` around its [payload](Self::payload), which stays as it is
    /// (its upper halves are cleared in a 32-bit form). Other registers of x1-x7 become zero;
    /// x8-x17 are touched only where they are payload.
    pub fn encode_into(&self, regs: &mut Regs) {
        let mut out = self.results();
        let mask = match self.fid() {
            Some(fid) => {
                out.0[0] = fid.raw().into();
                if fid.wide { u64::MAX } else { 0xffff_ffff }
            }
            None => u64::MAX,
        };
        let payload = self.payload();
        for (n, (to, from)) in regs.0.iter_mut().zip(out.0).enumerate() {
            if payload.contains(&n) {
                *to &= mask;
            } else if n < 8 {
                *to = from & mask;
            }
        }
    }

    /// Registers x1 upwards, without payload; x0 as well where it is no identifier.
    fn results(&self) -> Regs {
        let of = |a: u64, b: u64, c: u64, d: u64| Regs::eight([0, a, b, c, d, 0, 0, 0]);
        let handle = |handle: Handle, w3: u32, sender: EndpointId| {
            let (low, high) = handle.words();
            of(
                low.into(),
                high.into(),
                w3.into(),
                u64::from(sender.0) << 16,
            )
        };
        match *self {
            Self::Version(version) => {
                let x0 = version.map_or(FfaError::NotSupported.register(), |v| v.raw().into());
                Regs::eight([x0, 0, 0, 0, 0, 0, 0, 0])
            }
            Self::Unknown => Regs::eight([crate::smccc::UNKNOWN, 0, 0, 0, 0, 0, 0, 0]),
            Self::Error {
                target,
                code,
                argument,
                ..
            } => {
                let code = code.map_or_else(|raw| u64::from(raw as u32), FfaError::register);
                of(target.register(), code, argument.into(), 0)
            }
            Self::Interrupt { target, intid, .. } => of(target.register(), intid.into(), 0, 0),
            Self::Yield {
                target, timeout, ..
            } => {
                let (low, high) = split(timeout);
                of(target.register(), low.into(), high.into(), 0)
            }
            Self::Run { target, .. } => of(target.register(), 0, 0, 0),
            Self::DirectReq { ids, kind, .. } | Self::DirectResp { ids, kind, .. } => {
                of(ids.register(), kind.w2().into(), 0, 0)
            }
            Self::DirectReq2 { ids, uuid } => {
                let (low, high) = uuid.registers();
                of(ids.register(), low, high, 0)
            }
            Self::DirectResp2 { ids } => of(ids.register(), 0, 0, 0),
            Self::MemRetrieveResp {
                total_length,
                fragment_length,
            } => of(total_length.into(), fragment_length.into(), 0, 0),
            Self::MemFragRx {
                handle: h,
                offset,
                sender,
            } => handle(h, offset, sender),
            Self::MemFragTx {
                handle: h,
                length,
                sender,
            } => handle(h, length, sender),
            Self::Success { .. } | Self::MsgWait { .. } | Self::NormalWorldResume { .. } => {
                Regs::ZERO
            }
        }
    }
}

#[cfg(test)]
#[path = "completion_tests.rs"]
mod tests;
