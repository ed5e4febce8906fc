//! From a call to registers: what a proxy or a partition does before its SMC.

use super::Call;
use crate::{
    error::FfaError,
    fid::{Fid, Function},
    message::MessageKind,
    regs::{Regs, split},
    version::Version,
};
use core::ops::Range;

impl Call {
    /// The identifier of this call, in its form.
    pub const fn fid(&self) -> Fid {
        use Function as F;
        let (function, wide) = match *self {
            Self::Version(_) => (F::Version, false),
            Self::Features { .. } => (F::Features, false),
            Self::IdGet => (F::IdGet, false),
            Self::SpmIdGet => (F::SpmIdGet, false),
            Self::ConsoleLog { wide, .. } => (F::ConsoleLog, wide),
            Self::MsgWait { wide, .. } => (F::MsgWait, wide),
            Self::Yield { wide, .. } => (F::Yield, wide),
            Self::Run { wide, .. } => (F::Run, wide),
            Self::Error { .. } => (F::Error, false),
            Self::Interrupt => (F::Interrupt, false),
            Self::DirectReq { wide, .. } => (F::MsgSendDirectReq, wide),
            Self::DirectResp { wide, .. } => (F::MsgSendDirectResp, wide),
            Self::DirectReq2 { .. } => (F::MsgSendDirectReq2, true),
            Self::DirectResp2 { .. } => (F::MsgSendDirectResp2, true),
            Self::Other(fid) => return fid,
        };
        Fid { function, wide }
    }

    /// Which registers hold a payload that a `Call` does not carry; empty for most. Of
    /// `FFA_CONSOLE_LOG_64` it is x2-x17, of which a caller below 1.2 uses x2-x7.
    pub const fn payload(&self) -> Range<usize> {
        match self {
            Self::Version(_) => 2..3,
            Self::ConsoleLog { wide: false, .. } => 2..8,
            Self::ConsoleLog { wide: true, .. } => 2..18,
            Self::DirectReq { .. } | Self::DirectResp { .. } => 3..8,
            Self::DirectReq2 { .. } | Self::DirectResp2 { .. } => 4..18,
            // What a completion carries beside its identifier, and functions that are not known
            // better.
            Self::Other(fid) if fid.wide => 1..18,
            Self::Other(_) => 1..8,
            _ => 0..0,
        }
    }

    /// The registers of this call, its payload zero.
    pub fn encode(&self) -> Regs {
        let mut regs = Regs::ZERO;
        self.encode_into(&mut regs);
        regs
    }

    /// Writes this call into `regs` around its [payload](Self::payload), which stays as it is (its
    /// upper halves are cleared in a 32-bit form). Other registers of x1-x7 become zero; x8-x17
    /// are touched only where they are payload.
    pub fn encode_into(&self, regs: &mut Regs) {
        let fid = self.fid();
        let mut out = self.arguments();
        out.0[0] = fid.raw().into();
        let mask = if fid.wide { u64::MAX } else { 0xffff_ffff };
        let payload = self.payload();
        for (n, (to, from)) in regs.0.iter_mut().zip(out.0).enumerate() {
            if payload.contains(&n) {
                *to &= mask;
            } else if n < 8 {
                *to = from & mask;
            }
        }
    }

    /// Registers x1 upwards, without payload.
    fn arguments(&self) -> Regs {
        let of = |x: [u64; 7]| {
            let [a, b, c, d, e, f, g] = x;
            Regs::eight([0, a, b, c, d, e, f, g])
        };
        match *self {
            Self::Version(version) => of([raw_version(version), 0, 0, 0, 0, 0, 0]),
            Self::Features { query, input } => of([query.w1().into(), input.into(), 0, 0, 0, 0, 0]),
            Self::ConsoleLog { count, .. } => of([count as u64, 0, 0, 0, 0, 0, 0]),
            Self::MsgWait { retain_rx, .. } => of([0, retain_rx.into(), 0, 0, 0, 0, 0]),
            Self::Yield { timeout, .. } => {
                let (low, upper) = split(timeout);
                of([0, low.into(), upper.into(), 0, 0, 0, 0])
            }
            Self::Run { target, .. } => of([target.register(), 0, 0, 0, 0, 0, 0]),
            Self::Error { code } => of([0, code.map_or(0, FfaError::register), 0, 0, 0, 0, 0]),
            Self::DirectReq { ids, kind, .. } | Self::DirectResp { ids, kind, .. } => {
                of([ids.register(), MessageKind::w2(kind).into(), 0, 0, 0, 0, 0])
            }
            Self::DirectReq2 { ids, uuid } => {
                let (low, upper) = uuid.registers();
                of([ids.register(), low, upper, 0, 0, 0, 0])
            }
            Self::DirectResp2 { ids } => of([ids.register(), 0, 0, 0, 0, 0, 0]),
            Self::IdGet | Self::SpmIdGet | Self::Interrupt | Self::Other(_) => Regs::ZERO,
        }
    }
}

/// w1 of `FFA_VERSION`. A version with bit 31 set was not kept: the smallest such number.
const fn raw_version(version: Option<Version>) -> u64 {
    match version {
        Some(version) => version.raw() as u64,
        None => 1 << 31,
    }
}
