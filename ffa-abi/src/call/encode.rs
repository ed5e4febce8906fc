//! From a call to registers: what a proxy or a partition does before its SMC.

use super::Call;
use crate::{
    error::FfaError,
    fid::{Fid, Function},
    id::EndpointId,
    memory::DescriptorCall,
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
            Self::RxRelease { .. } => (F::RxRelease, false),
            Self::RxAcquire { .. } => (F::RxAcquire, false),
            Self::RxtxMap { wide, .. } => (F::RxtxMap, wide),
            Self::RxtxUnmap { .. } => (F::RxtxUnmap, false),
            Self::PartitionInfoGet { .. } => (F::PartitionInfoGet, false),
            Self::PartitionInfoGetRegs { .. } => (F::PartitionInfoGetRegs, true),
            Self::IdGet => (F::IdGet, false),
            Self::SpmIdGet => (F::SpmIdGet, false),
            Self::ConsoleLog { wide, .. } => (F::ConsoleLog, wide),
            Self::SecondaryEpRegister { wide, .. } => (F::SecondaryEpRegister, wide),
            Self::NsResInfoGet { .. } => (F::NsResInfoGet, true),
            Self::MsgWait { wide, .. } => (F::MsgWait, wide),
            Self::Yield { wide, .. } => (F::Yield, wide),
            Self::Run { wide, .. } => (F::Run, wide),
            Self::Error { .. } => (F::Error, false),
            Self::Interrupt => (F::Interrupt, false),
            Self::NormalWorldResume { wide } => (F::NormalWorldResume, wide),
            Self::El3IntrHandle => (F::El3IntrHandle, false),
            Self::Abort { wide, .. } => (F::Abort, wide),
            Self::DirectReq { wide, .. } => (F::MsgSendDirectReq, wide),
            Self::DirectResp { wide, .. } => (F::MsgSendDirectResp, wide),
            Self::DirectReq2 { .. } => (F::MsgSendDirectReq2, true),
            Self::DirectResp2 { .. } => (F::MsgSendDirectResp2, true),
            Self::MsgSend2 { .. } => (F::MsgSend2, false),
            Self::MemDonate(call) => (F::MemDonate, call.wide),
            Self::MemLend(call) => (F::MemLend, call.wide),
            Self::MemShare(call) => (F::MemShare, call.wide),
            Self::MemRetrieveReq(call) => (F::MemRetrieveReq, call.wide),
            Self::MemRelinquish => (F::MemRelinquish, false),
            Self::MemReclaim { .. } => (F::MemReclaim, false),
            Self::MemOpPause { .. } => (F::MemOpPause, false),
            Self::MemOpResume { .. } => (F::MemOpResume, false),
            Self::MemFragRx { .. } => (F::MemFragRx, false),
            Self::MemFragTx { .. } => (F::MemFragTx, false),
            Self::MemPermGet { wide, .. } => (F::MemPermGet, wide),
            Self::MemPermSet { wide, .. } => (F::MemPermSet, wide),
            Self::NotificationBitmapCreate { .. } => (F::NotificationBitmapCreate, false),
            Self::NotificationBitmapDestroy { .. } => (F::NotificationBitmapDestroy, false),
            Self::NotificationBind { .. } => (F::NotificationBind, false),
            Self::NotificationUnbind { .. } => (F::NotificationUnbind, false),
            Self::NotificationSet { .. } => (F::NotificationSet, false),
            Self::NotificationGet { .. } => (F::NotificationGet, false),
            Self::NotificationInfoGet { wide } => (F::NotificationInfoGet, wide),
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
        let handle = |handle: crate::memory::Handle, w3: u32, w4: u64| {
            let (low, high) = handle.words();
            of([low.into(), high.into(), w3.into(), w4, 0, 0, 0])
        };
        let bitmap = |w1: u64, w2: u32, bitmap: u64| {
            let (low, high) = split(bitmap);
            of([w1, w2.into(), low.into(), high.into(), 0, 0, 0])
        };
        let descriptor = |call: DescriptorCall| {
            of([
                call.total_length.into(),
                call.fragment_length.into(),
                call.buffer,
                call.pages.into(),
                0,
                0,
                0,
            ])
        };
        match *self {
            Self::Version(version) => of([raw_version(version), 0, 0, 0, 0, 0, 0]),
            Self::Features { query, input } => of([query.w1().into(), input.into(), 0, 0, 0, 0, 0]),
            Self::RxRelease { vm }
            | Self::RxAcquire { vm }
            | Self::NotificationBitmapDestroy { vm } => of([vm.0.into(), 0, 0, 0, 0, 0, 0]),
            Self::RxtxMap { tx, rx, pages, .. } => of([tx, rx, pages.into(), 0, 0, 0, 0]),
            Self::RxtxUnmap { vm } => of([high(vm), 0, 0, 0, 0, 0, 0]),
            Self::PartitionInfoGet { uuid, count_only } => {
                let [a, b, c, d] = uuid.words().map(u64::from);
                of([a, b, c, d, count_only.into(), 0, 0])
            }
            Self::PartitionInfoGetRegs { uuid, start, tag } => {
                let (low, upper) = uuid.registers();
                let index = u64::from(tag) << 16 | u64::from(start);
                of([low, upper, index, 0, 0, 0, 0])
            }
            Self::ConsoleLog { count, .. } => of([count as u64, 0, 0, 0, 0, 0, 0]),
            Self::SecondaryEpRegister { entry, .. } => of([entry, 0, 0, 0, 0, 0, 0]),
            Self::NsResInfoGet { endpoint, flags } => {
                of([endpoint.0.into(), flags.bits(), 0, 0, 0, 0, 0])
            }
            Self::MsgWait { retain_rx, .. } => of([0, retain_rx.into(), 0, 0, 0, 0, 0]),
            Self::Yield { timeout, .. } => {
                let (low, upper) = split(timeout);
                of([0, low.into(), upper.into(), 0, 0, 0, 0])
            }
            Self::Run { target, .. } => of([target.register(), 0, 0, 0, 0, 0, 0]),
            Self::Error { code } => of([0, code.map_or(0, FfaError::register), 0, 0, 0, 0, 0]),
            Self::Abort { reason, .. } => of([0, reason, 0, 0, 0, 0, 0]),
            Self::DirectReq { ids, kind, .. } | Self::DirectResp { ids, kind, .. } => {
                of([ids.register(), MessageKind::w2(kind).into(), 0, 0, 0, 0, 0])
            }
            Self::DirectReq2 { ids, uuid } => {
                let (low, upper) = uuid.registers();
                of([ids.register(), low, upper, 0, 0, 0, 0])
            }
            Self::DirectResp2 { ids } => of([ids.register(), 0, 0, 0, 0, 0, 0]),
            Self::MsgSend2 { vm, flags } => of([high(vm), flags.bits().into(), 0, 0, 0, 0, 0]),
            Self::MemDonate(call)
            | Self::MemLend(call)
            | Self::MemShare(call)
            | Self::MemRetrieveReq(call) => descriptor(call),
            Self::MemReclaim { handle: h, flags } => handle(h, flags.bits(), 0),
            Self::MemOpPause { handle: h } | Self::MemOpResume { handle: h } => handle(h, 0, 0),
            Self::MemFragRx {
                handle: h,
                offset,
                sender,
            } => handle(h, offset, high(sender)),
            Self::MemFragTx {
                handle: h,
                length,
                sender,
            } => handle(h, length, high(sender)),
            Self::MemPermGet { address, pages, .. } => {
                of([address, pages.saturating_sub(1).into(), 0, 0, 0, 0, 0])
            }
            Self::MemPermSet {
                address,
                pages,
                permissions,
                ..
            } => of([address, pages.into(), permissions.into(), 0, 0, 0, 0]),
            Self::NotificationBitmapCreate { vm, contexts } => {
                of([vm.0.into(), contexts.into(), 0, 0, 0, 0, 0])
            }
            Self::NotificationBind {
                ids,
                per_context,
                bitmap: bits,
            } => bitmap(ids.register(), per_context.into(), bits),
            Self::NotificationUnbind { ids, bitmap: bits } => bitmap(ids.register(), 0, bits),
            Self::NotificationSet {
                ids,
                flags,
                bitmap: bits,
            } => bitmap(ids.register(), flags.w2(), bits),
            Self::NotificationGet {
                receiver,
                context,
                flags,
            } => {
                let w1 = u64::from(context) << 16 | u64::from(receiver.0);
                of([w1, flags.bits().into(), 0, 0, 0, 0, 0])
            }
            Self::IdGet
            | Self::SpmIdGet
            | Self::Interrupt
            | Self::NormalWorldResume { .. }
            | Self::El3IntrHandle
            | Self::MemRelinquish
            | Self::NotificationInfoGet { .. }
            | Self::Other(_) => Regs::ZERO,
        }
    }
}

/// An endpoint in bits 31:16.
const fn high(id: EndpointId) -> u64 {
    (id.0 as u64) << 16
}

/// w1 of `FFA_VERSION`. A version with bit 31 set was not kept: the smallest such number.
const fn raw_version(version: Option<Version>) -> u64 {
    match version {
        Some(version) => version.raw() as u64,
        None => 1 << 31,
    }
}
