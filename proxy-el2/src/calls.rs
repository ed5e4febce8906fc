//! The one function that handles a VM's calls.

use crate::{
    buffers,
    kind::{Kind, ids},
    memory,
    proxy::{Machine, Next, Pe, Proxy},
    psci,
    secure::has_direct2,
    vcpu::Registers,
    vm::Vm,
};
use ffa_abi::{
    Call, DecodeError, FfaError, Fid, Function, Regs, Reply, Version,
    call::{FeatureQuery, console_characters},
    contract,
    features::FeatureId,
    fid::raw,
    message::MessageKind,
    smccc,
};

impl<'v, R: Registers> Proxy<'v, R> {
    /// Handles a call of the vCPU that runs in the general way.
    #[inline(never)]
    pub(crate) fn call_general(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Next {
        let Some(vcpu) = pe.running() else {
            return Next::Idle;
        };
        let fid = vcpu.machine.x()[0] as u32 & !smccc::SVE_HINT;
        let Some(kind) = Kind::of_request(fid) else {
            return self.call_other(pe, machine);
        };
        let sent = match self.check_request(pe, fid, kind) {
            Ok(true) => return self.request_partition(pe, fid),
            Ok(false) => self.request_vm(pe, kind, machine),
            Err(error) => Err(error),
        };
        match sent {
            Ok(next) => next,
            Err(error) => reply(pe, Reply::error(error)),
        }
    }

    /// Whether a direct request may be sent: its version, its ids, its reserved bits. `true` if it is
    /// for a partition.
    fn check_request(&self, pe: &mut Pe<'v, R>, fid: u32, kind: Kind) -> Result<bool, FfaError> {
        let vcpu = pe.running().ok_or(FfaError::Denied)?;
        let vm = self.vm(vcpu.id().vm).ok_or(FfaError::Denied)?;
        let own = vcpu.endpoint;
        vm.version.lock();
        let kept = vcpu.kept.is_some();
        let x = vcpu.machine.x();
        let ids = ids(x);
        if fid == raw::DIRECT_REQ2 {
            if !has_direct2(vm.version.get(), self.upstream.direct2) {
                return Err(FfaError::NotSupported);
            }
            // There is one place for a response that can't be delivered: it must be free.
            if kept {
                return Err(FfaError::Busy);
            }
        } else if x[2] as u32 != 0 {
            // Framework messages are the hypervisor's, and other bits are reserved.
            return Err(FfaError::InvalidParameters);
        }
        if ids.sender != own || ids.receiver == own {
            return Err(FfaError::InvalidParameters);
        }
        if !vm.sends(kind) {
            return Err(FfaError::Denied);
        }
        // The version is fixed now, and so is everything else that was looked at but the ids.
        vcpu.may_send(kind);
        Ok(ids.receiver.is_secure())
    }

    #[inline(never)]
    fn call_other(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Next {
        let Some(vcpu) = pe.running() else {
            return Next::Idle;
        };
        let id = vcpu.id();
        let regs = Regs::of(vcpu.machine.x());
        let Some(vm) = self.vm(id.vm) else {
            return Next::Idle;
        };
        let call = match Call::decode(vm.version.get(), &regs) {
            Ok(call) => call,
            Err(DecodeError::NotFfa(fid)) => return psci::answer(self, pe, fid, &regs, machine),
            Err(DecodeError::Unknown) => {
                vm.version.lock();
                return reply(pe, Reply::error(FfaError::NotSupported));
            }
            Err(DecodeError::Invalid(fid)) => {
                vm.version.lock();
                let error = if self.implements(vm, fid) {
                    FfaError::InvalidParameters
                } else {
                    FfaError::NotSupported
                };
                return reply(pe, Reply::error(error));
            }
        };
        if !matches!(call, Call::Version(_) | Call::ConsoleLog { .. }) {
            vm.version.lock();
        }
        let answer = match call {
            Call::Version(requested) => {
                // The proxy's own version is what both it and EL3's side speak, and no more than the
                // VM's manifest says.
                let own = self.upstream.version.min(vm.info.version);
                vm.version.negotiate(requested, own)
            }
            Call::Features { query, .. } => match query {
                FeatureQuery::Function(fid) if self.implements(vm, fid) => match fid.function {
                    Function::RxtxMap => Reply::success(buffers::PROPERTIES.w2(vm.version.get())),
                    Function::MemRetrieveReq => Reply::success2(0, memory::RETRIEVALS),
                    _ => Reply::success(0),
                },
                FeatureQuery::Feature(id) => {
                    let feature = FeatureId::try_from(id).ok();
                    let w2 = feature.and_then(|id| self.notification_feature(vm, id, machine));
                    w2.map_or(Reply::error(FfaError::NotSupported), Reply::success)
                }
                _ => Reply::error(FfaError::NotSupported),
            },
            Call::IdGet => Reply::success(vm.info.id.0.into()),
            Call::SpmIdGet => Reply::success(self.upstream.spm_id.0.into()),
            Call::ConsoleLog { wide, count } => {
                let id = vm.info.id;
                console_characters(&regs, wide, count, |c| machine.console(id, c));
                Reply::success(0)
            }
            _ => match self.cycles(pe, vm, call, machine) {
                Some(Ok(next)) => return next,
                Some(Err(error)) => Reply::error(error),
                None => match self.discover(pe, vm, call, machine) {
                    Ok(Some(answer)) => answer,
                    Ok(None) => return Next::Vcpu,
                    Err(error) => Reply::error(error),
                },
            },
        };
        reply(pe, answer)
    }

    /// Calls after which somebody else may run. `None` if it is none of them.
    #[inline(never)]
    fn cycles(
        &self,
        pe: &mut Pe<'v, R>,
        vm: &Vm<'v, R>,
        call: Call,
        machine: &mut impl Machine<R>,
    ) -> Option<Result<Next, FfaError>> {
        if !self.implements(vm, call.fid()) {
            return None;
        }
        Some(match call {
            Call::Run { wide, target } if target.endpoint.is_partition() => {
                self.run_partition(pe, target, wide)
            }
            Call::Run { wide, target } => self.run_vcpu(pe, target, wide, machine),
            Call::MsgWait { wide, retain_rx } => self.msg_wait(pe, wide, retain_rx, machine),
            Call::Yield { timeout, .. } => self.yield_core(pe, timeout, machine),
            Call::DirectResp { wide, ids, kind } => match kind {
                MessageKind::Partition => self.respond(pe, ids, Kind::Direct { wide }, machine),
                // What the framework asks is asked of partitions only.
                MessageKind::Framework(_) => Err(FfaError::InvalidParameters),
            },
            Call::DirectResp2 { ids } => self.respond(pe, ids, Kind::Direct2, machine),
            Call::Abort { .. } => {
                let id = pe.running_id()?;
                Ok(self.end(pe, id.vm, machine))
            }
            Call::NotificationInfoGet { wide } => self.whom_to_run(pe, wide, machine),
            _ => return None,
        })
    }

    /// Buffers, discovery, notifications, indirect messages and memory. `None` if the registers are written.
    #[inline(never)]
    fn discover(
        &self,
        pe: &mut Pe<'v, R>,
        vm: &Vm<'v, R>,
        call: Call,
        machine: &mut impl Machine<R>,
    ) -> Result<Option<Reply>, FfaError> {
        if let Some(answer) = self.notification(pe, vm, call, machine) {
            return answer.map(Some);
        }
        if self.upstream.rx == 0 {
            return Err(FfaError::NotSupported);
        }
        let index = pe.running_id().ok_or(FfaError::Denied)?.vm;
        match call {
            // `FFA_FEATURES` knows the 64-bit form alone, but both work.
            Call::RxtxMap { tx, rx, pages, .. } => {
                let pair = (tx, rx, pages);
                vm.map_buffers(index, pair, self.shares, &self.upstream, machine)
            }
            Call::RxtxUnmap { vm: named } => vm.unmap_buffers(index, named, self.shares, machine),
            Call::RxRelease { vm: named } => vm.release_rx(named, machine),
            Call::MsgSend2 { vm: named, flags } if self.implements(vm, call.fid()) => {
                self.send_indirect(pe, vm, index, (named, flags), machine)
            }
            Call::PartitionInfoGet { uuid, count_only } => {
                self.partition_info_get(vm, uuid, count_only, machine)
            }
            Call::PartitionInfoGetRegs { uuid, start, tag } if self.implements(vm, call.fid()) => {
                let regs = self.partition_info_get_regs(vm, uuid, start, tag, machine)?;
                if let Some(vcpu) = pe.running() {
                    let layout = contract::layout(Some(call.fid()), regs[0]);
                    contract::write(layout, &regs, vcpu.machine.x());
                }
                return Ok(None);
            }
            _ => self.memory(vm, index, call, machine),
        }
        .map(Some)
    }

    /// The interrupt with which the SPMC asks a VM for cycles: only the primary has some to give.
    pub(crate) fn sri(&self, vm: &Vm<'v, R>) -> Option<u32> {
        let primary = vm.info.primary && vm.version.get() >= Version::V1_1;
        self.upstream.sri.filter(|_| primary)
    }

    /// Whether a VM may call a function: what is not here is answered NOT_SUPPORTED both by
    /// `FFA_FEATURES` and when it is called.
    pub(crate) fn implements(&self, vm: &Vm<'v, R>, fid: Fid) -> bool {
        let upstream = &self.upstream;
        let version = vm.version.get();
        match fid.function {
            Function::Run | Function::Error | Function::Interrupt => !fid.wide || vm.wide_cycles(),
            // The primary is called by nobody: the cores are its own.
            Function::MsgWait | Function::Yield => {
                !vm.info.primary && (!fid.wide || vm.wide_cycles())
            }
            Function::MsgSendDirectResp => !vm.info.primary,
            Function::MsgSendDirectResp2 => {
                !vm.info.primary && has_direct2(version, upstream.direct2)
            }
            Function::Abort => !vm.info.primary && version >= Version::V1_3,
            Function::Success
            | Function::Version
            | Function::Features
            | Function::IdGet
            | Function::SpmIdGet
            | Function::ConsoleLog
            | Function::MsgSendDirectReq => true,
            Function::NotificationInfoGet => self.sri(vm).is_some(),
            Function::NotificationSet => upstream.notifications && version >= Version::V1_1,
            Function::NotificationBind
            | Function::NotificationUnbind
            | Function::NotificationGet => {
                upstream.notifications && version >= Version::V1_1 && vm.is_notified()
            }
            Function::MsgSendDirectReq2 => has_direct2(version, upstream.direct2),
            Function::RxtxMap => fid.wide && upstream.rx != 0,
            Function::MsgSend2 => upstream.rx != 0 && version >= Version::V1_1,
            Function::RxtxUnmap | Function::RxRelease | Function::PartitionInfoGet => {
                upstream.rx != 0
            }
            Function::MemDonate
            | Function::MemLend
            | Function::MemShare
            | Function::MemRetrieveReq
            | Function::MemRelinquish
            | Function::MemReclaim
            | Function::MemFragRx
            | Function::MemFragTx => upstream.rx != 0 && self.shares.is_some(),
            Function::PartitionInfoGetRegs => {
                version.has_extended_registers() && upstream.rx != 0 && upstream.info_regs
            }
            _ => false,
        }
    }
}

/// Completes the call of the vCPU that runs.
pub(crate) fn reply<R: Registers>(pe: &mut Pe<'_, R>, reply: Reply) -> Next {
    match pe.running() {
        Some(vcpu) => {
            reply.write(vcpu.machine.x());
            Next::Vcpu
        }
        None => Next::Idle,
    }
}
