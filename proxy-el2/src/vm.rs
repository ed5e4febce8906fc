//! A VM as the proxy sees it, and the one function that handles its calls.

use crate::{
    buffers::{self, Memory, Pair},
    forward::{self, Upstream},
    psci,
};
use core::ops::Range;
use ffa_abi::{
    Call, DecodeError, EndpointId, FfaError, Fid, Function, Regs, Reply, TargetInfo, Version,
    call::{FeatureQuery, console_characters},
    contract::{self, Mode, Peer, Undeliverable},
    fid::raw,
    id::Endpoints,
    smccc,
};

/// What the core asks of the machine.
pub trait Machine: Memory {
    /// Calls EL3 with these registers and puts what came back in their place.
    fn smc(&mut self, regs: &mut Regs);

    /// A character that a VM wrote with `FFA_CONSOLE_LOG`.
    fn console(&mut self, from: EndpointId, character: u8);

    /// An interrupt took a partition away from the core while it worked for a VM. Takes all that are
    /// pending: handles those that are the proxy's own, and makes the VM's pending for the VM.
    ///
    /// `true` if there was one of the proxy's own and none of the VM's: the VM need not know. If
    /// there was none at all it is the VM's turn too, or a partition that cannot go on would keep
    /// the VM from the core.
    fn take_own_interrupts(&mut self) -> bool;
}

/// What happens to the VM after its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// It goes on with its registers.
    Resume,
    /// It asked for SYSTEM_OFF.
    PowerOff,
    /// It asked for SYSTEM_RESET.
    Reset,
}

/// A VM.
#[derive(Debug)]
pub struct Vm {
    /// Its id, 1 to 0x7ffe.
    pub id: EndpointId,
    /// MPIDR_EL1 affinity of its only vCPU.
    pub affinity: u64,
    version: Version,
    /// Whether it made a call that fixes the version.
    version_locked: bool,
    mode: Mode,
    /// In strict mode: a 64-bit response that found a 32-bit `FFA_RUN`, until a 64-bit one fetches
    /// it.
    parked: Option<Regs>,
    /// Its memory, as intermediate physical addresses.
    pub(crate) memory: Range<u64>,
    /// Its RX/TX pair.
    pub(crate) buffers: Option<Pair>,
}

impl Vm {
    /// A VM that has not called anything yet.
    pub const fn new(id: EndpointId, affinity: u64, memory: Range<u64>, mode: Mode) -> Self {
        Self {
            id,
            affinity,
            memory,
            buffers: None,
            version: Version::V1_0,
            version_locked: false,
            mode,
            parked: None,
        }
    }

    /// Whether it may use the 64-bit form of `FFA_RUN`: from FF-A 1.3, and in strict mode whatever
    /// its version, since it needs it there.
    fn wide_cycles(&self) -> bool {
        self.version >= Version::V1_3 || self.mode == Mode::SmcccStrict
    }

    /// What its calls have changed: its version, whether that is fixed, and the response that is kept.
    #[cfg(feature = "snapshot")]
    pub const fn note(&self) -> (Version, bool, Option<Regs>) {
        (self.version, self.version_locked, self.parked)
    }

    /// Goes on from what was [noted](Self::note).
    #[cfg(feature = "snapshot")]
    pub const fn restore(&mut self, noted: (Version, bool, Option<Regs>)) {
        (self.version, self.version_locked, self.parked) = noted;
    }

    /// The FF-A version it negotiated, 1.0 before.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Handles an SMC or HVC of this VM, whose x0-x30 are `x`.
    #[inline]
    pub fn handle(
        &mut self,
        upstream: &Upstream,
        x: &mut [u64; 31],
        machine: &mut impl Machine,
    ) -> Next {
        let fid = x[0] as u32 & !smccc::SVE_HINT;
        // The messages are worth a shortcut; they pass the same checks as any other call.
        if matches!(
            fid,
            raw::DIRECT_REQ2 | raw::DIRECT_REQ_32 | raw::DIRECT_REQ_64
        ) {
            self.version_locked = true;
            match self.check_request(upstream, fid, x) {
                Ok(()) => forward::message(fid, x, machine),
                Err(error) => Reply::error(error).write(x),
            }
            return Next::Resume;
        }
        self.handle_other(upstream, x, machine)
    }

    /// Whether a direct request may be forwarded: its version, its ids, its reserved bits.
    #[inline(always)]
    fn check_request(&self, upstream: &Upstream, fid: u32, x: &[u64; 31]) -> Result<(), FfaError> {
        let ids = Endpoints::from_register(x[1]);
        if fid == raw::DIRECT_REQ2 {
            if !self.version.has_extended_registers() || !upstream.direct2 {
                return Err(FfaError::NotSupported);
            }
            // There is one place for a response that can't be delivered: it must be free.
            if self.parked.is_some() {
                return Err(FfaError::Busy);
            }
        } else if x[2] as u32 != 0 {
            // Framework messages are the hypervisor's, and other bits are reserved.
            return Err(FfaError::InvalidParameters);
        }
        // There is one VM: every receiver is in the secure world.
        if ids.sender != self.id || !ids.receiver.is_secure() {
            return Err(FfaError::InvalidParameters);
        }
        Ok(())
    }

    #[inline(never)]
    fn handle_other(
        &mut self,
        upstream: &Upstream,
        x: &mut [u64; 31],
        machine: &mut impl Machine,
    ) -> Next {
        let regs = Regs::of(x);
        let call = match Call::decode(self.version, &regs) {
            Ok(call) => call,
            Err(DecodeError::NotFfa(fid)) => {
                let (reply, next) = psci::answer(self, fid, &regs);
                reply.write(x);
                return next;
            }
            Err(DecodeError::Unknown) => {
                self.version_locked = true;
                Reply::error(FfaError::NotSupported).write(x);
                return Next::Resume;
            }
            Err(DecodeError::Invalid(fid)) => {
                self.version_locked = true;
                let error = if self.implements(fid, upstream) {
                    FfaError::InvalidParameters
                } else {
                    FfaError::NotSupported
                };
                Reply::error(error).write(x);
                return Next::Resume;
            }
        };
        if !matches!(call, Call::Version(_) | Call::ConsoleLog { .. }) {
            self.version_locked = true;
        }
        let reply = match call {
            Call::Version(requested) => self.negotiate(upstream, requested),
            Call::Features { query, .. } => match query {
                FeatureQuery::Function(fid) if self.implements(fid, upstream) => {
                    Reply::success(match fid.function {
                        Function::RxtxMap => buffers::PROPERTIES.w2(self.version),
                        _ => 0,
                    })
                }
                _ => Reply::error(FfaError::NotSupported),
            },
            Call::IdGet => Reply::success(self.id.0.into()),
            Call::SpmIdGet => Reply::success(upstream.spm_id.0.into()),
            Call::ConsoleLog { wide, count } => {
                let id = self.id;
                console_characters(&regs, wide, count, |c| machine.console(id, c));
                Reply::success(0)
            }
            Call::Run { wide, target } if !wide || self.wide_cycles() => {
                match self.run(target, wide, x, machine) {
                    Ok(()) => return Next::Resume,
                    Err(error) => Reply::error(error),
                }
            }
            _ => match self.discover(call, upstream, x, machine) {
                Ok(Some(reply)) => reply,
                Ok(None) => return Next::Resume,
                Err(error) => Reply::error(error),
            },
        };
        reply.write(x);
        Next::Resume
    }

    /// Buffers and discovery. `None` if the registers are written.
    #[inline(never)]
    fn discover(
        &mut self,
        call: Call,
        upstream: &Upstream,
        x: &mut [u64; 31],
        machine: &mut impl Machine,
    ) -> Result<Option<Reply>, FfaError> {
        if upstream.rx == 0 {
            return Err(FfaError::NotSupported);
        }
        match call {
            // `FFA_FEATURES` knows the 64-bit form alone, but both work.
            Call::RxtxMap { tx, rx, pages, .. } => self.map_buffers(tx, rx, pages, machine),
            Call::RxtxUnmap { vm } => self.unmap_buffers(vm, machine),
            Call::RxRelease { vm } => self.release_rx(vm),
            Call::PartitionInfoGet { uuid, count_only } => {
                self.partition_info_get(upstream, uuid, count_only, machine)
            }
            Call::PartitionInfoGetRegs { uuid, start, tag }
                if self.implements(call.fid(), upstream) =>
            {
                let regs = self.partition_info_get_regs(upstream, uuid, start, tag, machine)?;
                contract::write(contract::layout(Some(call.fid()), regs[0]), &regs, x);
                return Ok(None);
            }
            // Direct requests came here only to be decoded again: never.
            _ => Err(FfaError::NotSupported),
        }
        .map(Some)
    }

    /// `FFA_RUN` of a partition. Towards EL3 it is always the 32-bit form: EL3 knows no other.
    fn run(
        &mut self,
        target: TargetInfo,
        wide: bool,
        x: &mut [u64; 31],
        machine: &mut impl Machine,
    ) -> Result<(), FfaError> {
        if !target.endpoint.is_partition() {
            return Err(FfaError::InvalidParameters);
        }
        if let Some(message) = &self.parked {
            // Two partitions may owe it a response. There is one place: what is kept is fetched
            // first.
            if !wide {
                return Err(FfaError::Denied);
            }
            if Endpoints::from_register(message[1]).sender == target.endpoint {
                contract::write(contract::message_layout(true, true), message, x);
                self.parked = None;
                return Ok(());
            }
        }
        let completion = forward::run(target, machine);
        let peer = Peer {
            version: self.version,
            mode: self.mode,
        };
        let layout = forward::layout(&completion);
        match contract::deliverable(peer, wide, layout) {
            Ok(()) => forward::write(&completion, x),
            // The place is free: it was looked at before.
            Err(Undeliverable::Strict) => {
                self.parked = Some(completion);
                return Err(FfaError::Denied);
            }
            Err(Undeliverable::Version) => return Err(FfaError::Aborted),
        }
        Ok(())
    }

    /// `FFA_VERSION`: the proxy's own version is what both it and EL3's side speak.
    fn negotiate(&mut self, upstream: &Upstream, requested: Option<Version>) -> Reply {
        match requested {
            Some(version)
                if upstream.version.serves(version)
                    && (!self.version_locked || version == self.version) =>
            {
                self.version = version;
                Reply::Version(Some(upstream.version))
            }
            _ => Reply::Version(None),
        }
    }

    /// Whether it may call a function: what is not here is answered NOT_SUPPORTED both by
    /// `FFA_FEATURES` and when it is called.
    fn implements(&self, fid: Fid, upstream: &Upstream) -> bool {
        match fid.function {
            Function::Run | Function::Error | Function::Interrupt => {
                !fid.wide || self.wide_cycles()
            }
            Function::Success
            | Function::Version
            | Function::Features
            | Function::IdGet
            | Function::SpmIdGet
            | Function::ConsoleLog
            | Function::MsgSendDirectReq => true,
            Function::MsgSendDirectReq2 => {
                self.version.has_extended_registers() && upstream.direct2
            }
            Function::RxtxMap => fid.wide && upstream.rx != 0,
            Function::RxtxUnmap | Function::RxRelease | Function::PartitionInfoGet => {
                upstream.rx != 0
            }
            Function::PartitionInfoGetRegs => {
                self.version.has_extended_registers() && upstream.rx != 0 && upstream.info_regs
            }
            _ => false,
        }
    }
}
