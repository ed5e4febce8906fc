//! What a VM sees of a partition's answer: completing its call with what EL3 returned, by the register
//! contract and the books of what is owed.

use super::run;
use crate::{
    owed::Progress,
    proxy::{Next, Pe, Proxy},
    vcpu::{Kept, Registers, Secure, State, Vcpu, VmIndex, Waits},
};
use ffa_abi::{
    EndpointId, FfaError, Regs, Reply, TargetInfo,
    contract::{self, Layout, Peer, Undeliverable},
    fid::raw,
    id::Endpoints,
};

/// Writes what EL3 returned into the VM's registers by the contract.
fn write(regs: &Regs, x: &mut [u64; 31]) {
    if contract::is_bare_unknown(regs[0]) {
        Reply::error(FfaError::NotSupported).write(x);
        return;
    }
    match layout(regs) {
        // EL3 answered with something that is no completion of FF-A.
        Layout::None | Layout::One | Layout::Four => Reply::error(FfaError::Aborted).write(x),
        layout => contract::write(layout, regs, x),
    }
}

/// The layout of what EL3 returned.
fn layout(regs: &Regs) -> Layout {
    contract::layout(None, regs[0])
}

/// Who is told of an answer; `None` for what is none.
fn answered(regs: &Regs) -> Option<EndpointId> {
    matches!(
        regs.w::<0>(),
        raw::DIRECT_RESP_32 | raw::DIRECT_RESP_64 | raw::DIRECT_RESP2
    )
    .then(|| Endpoints::from_register(regs[1]).receiver)
}

/// Whether an error leaves the partition with what it owes.
pub(crate) fn goes_on_owing(regs: &Regs) -> bool {
    regs.w::<0>() == raw::ERROR
        && matches!(
            FfaError::from_register(regs[2]),
            Some(
                FfaError::Busy
                    | FfaError::Denied
                    | FfaError::Retry
                    | FfaError::NoMemory
                    // It is a context of another core.
                    | FfaError::InvalidParameters
            )
        )
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// Completes the VM's call with what EL3 returned.
    pub(super) fn complete(&self, pe: &mut Pe<'v, R>) -> Next {
        let Some(call) = pe.pending.take() else {
            return Next::Vcpu;
        };
        let Some(id) = pe.running_id() else {
            return Next::Idle;
        };
        if let Some(vcpu) = pe.running() {
            vcpu.waits = Waits::Cycles;
        }
        let regs = pe.el3;
        match call {
            Secure::Request { fid, to } => self.complete_request(pe, id.vm, fid, to, &regs),
            Secure::Resumed { fid, target } => self.complete_resumed(pe, id.vm, fid, target, &regs),
            Secure::Run { wide, target } => {
                self.complete_run(pe, id.vm, wide, target, &regs);
                Next::Vcpu
            }
            Secure::Drain { fid, target } => {
                if !matches!(regs.w::<0>(), raw::INTERRUPT | raw::YIELD) && !goes_on_owing(&regs) {
                    self.drained(target, &regs);
                    return self.request_partition(pe, fid);
                }
                self.owed.lock().came_back(target, id.vm);
                if let Some(vcpu) = pe.running() {
                    Reply::error(FfaError::Busy).write(vcpu.machine.x());
                }
                Next::Vcpu
            }
        }
    }

    /// A partition's context was run to the end of what a dead VM had asked, with what EL3 returned
    /// then.
    pub(crate) fn drained(&self, target: TargetInfo, regs: &Regs) {
        let mut owed = self.owed.lock();
        owed.done(target);
        let live = answered(regs).and_then(|to| self.find(to));
        if let Some(to) = live.filter(|to| !self.is_dead(*to)) {
            // It had been asked something else meanwhile.
            owed.keep(target, to, *regs);
        }
    }

    pub(super) fn complete_request(
        &self,
        pe: &mut Pe<'v, R>,
        vm: VmIndex,
        fid: u32,
        to: EndpointId,
        regs: &Regs,
    ) -> Next {
        match regs.w::<0>() {
            raw::INTERRUPT | raw::YIELD => {
                let target = TargetInfo::from_register(regs[1]);
                self.owed.lock().note(target, vm, Progress::Told);
            }
            raw::ERROR if FfaError::from_register(regs[2]) == Some(FfaError::Busy) => {
                // Perhaps it still works for a VM that is no more.
                let core = pe.index;
                let mut owed = self.owed.lock();
                if let Some(target) = owed.orphan(to, core, |vm| self.is_dead(vm)) {
                    owed.lend(target, vm);
                    pe.el3 = run(target);
                    pe.pending = Some(Secure::Drain { fid, target });
                    return Next::El3;
                }
            }
            _ => {}
        }
        let Some(own) = self.vm(vm).map(|vm| vm.info.id) else {
            return Next::Idle;
        };
        let foreign = answered(regs).is_some_and(|receiver| receiver != own);
        if let Some(vcpu) = pe.running() {
            let x = vcpu.machine.x();
            // A response in x0-x17 to a request in x0-x7 is nothing that a VM could have asked for,
            // and nor is an answer to somebody else.
            let extended = fid == raw::DIRECT_REQ2;
            if foreign || (layout(regs) == Layout::Eighteen && !extended) {
                Reply::error(FfaError::Aborted).write(x);
            } else {
                write(regs, x);
            }
        }
        Next::Vcpu
    }

    /// The same of a request whose partition was run again. If somebody else was faster, the VM is
    /// told that it was interrupted, and finds the answer when it runs the partition.
    fn complete_resumed(
        &self,
        pe: &mut Pe<'v, R>,
        vm: VmIndex,
        fid: u32,
        target: TargetInfo,
        regs: &Regs,
    ) -> Next {
        let receiver = answered(regs).and_then(|to| self.find(to));
        if let Some(to) = receiver.filter(|to| *to != vm && !self.is_dead(*to)) {
            // Between a look at what is owed and the run it has answered this VM, and found other work.
            let mut owed = self.owed.lock();
            owed.keep(target, to, *regs);
            if let Some(answer) = owed.take(target, vm) {
                drop(owed);
                return self.complete_request(pe, vm, fid, target.endpoint, &answer);
            }
        }
        if !goes_on_owing(regs) {
            if !matches!(regs.w::<0>(), raw::INTERRUPT | raw::YIELD) {
                self.owed.lock().done(target);
            }
            return self.complete_request(pe, vm, fid, target.endpoint, regs);
        }
        self.owed.lock().note(target, vm, Progress::Told);
        if let Some(vcpu) = pe.running() {
            Reply::interrupt(target, 0).write(vcpu.machine.x());
        }
        Next::Vcpu
    }

    fn complete_run(
        &self,
        pe: &mut Pe<'v, R>,
        vm: VmIndex,
        wide: bool,
        target: TargetInfo,
        regs: &Regs,
    ) {
        let own = self.vm(vm).map(|vm| vm.info.id);
        if let Some(receiver) = answered(regs) {
            let mut owed = self.owed.lock();
            owed.done(target);
            if Some(receiver) != own {
                // Whose answer it is was not noted yet when the partition was run.
                let to = self.find(receiver).filter(|to| !self.is_dead(*to));
                let reply = match to {
                    Some(to) => {
                        owed.keep(target, to, *regs);
                        Reply::error(FfaError::Denied)
                    }
                    // Into the void: what is left to tell is that the partition waits.
                    None => Reply::msg_wait(),
                };
                drop(owed);
                if let Some(vcpu) = pe.running() {
                    reply.write(vcpu.machine.x());
                }
                return;
            }
        } else if matches!(regs.w::<0>(), raw::INTERRUPT | raw::YIELD) || goes_on_owing(regs) {
            self.owed.lock().came_back(target, vm);
        } else {
            self.owed.lock().done(target);
        }
        self.deliver(pe, regs, wide);
    }

    /// Completes `FFA_RUN` of a partition, in the form `wide`, with what EL3 returned; keeps what a
    /// strict VM can't be given in it.
    pub(super) fn deliver(&self, pe: &mut Pe<'v, R>, regs: &Regs, wide: bool) {
        let Some(peer) = self.running_vm(pe).map(|vm| vm.peer()) else {
            return;
        };
        let Some(vcpu) = pe.running() else { return };
        if let Err(error) = deliver(vcpu, peer, regs, wide) {
            Reply::error(error).write(vcpu.machine.x());
        }
    }
}

/// Writes a completion of `FFA_RUN`, in the form `wide`, into a vCPU's registers, or keeps it for the
/// 64-bit form.
fn deliver<R: Registers>(
    vcpu: &mut Vcpu<R>,
    peer: Peer,
    regs: &Regs,
    wide: bool,
) -> Result<(), FfaError> {
    debug_assert_eq!(vcpu.state(), State::Running);
    match contract::deliverable(peer, wide, layout(regs)) {
        Ok(()) => {
            write(regs, vcpu.machine.x());
            Ok(())
        }
        // The place is free: it was looked at before.
        Err(Undeliverable::Strict) => {
            vcpu.keep(Kept {
                from: Endpoints::from_register(regs[1]).sender,
                message: *regs,
            });
            Err(FfaError::Denied)
        }
        Err(Undeliverable::Version) => Err(FfaError::Aborted),
    }
}

/// `FFA_RUN` of `from`, when a response is kept: it is fetched by the 64-bit form, and nothing else
/// is run in the 32-bit form before. `true` if it was fetched.
pub(crate) fn fetch_kept<R: Registers>(
    vcpu: &mut Vcpu<R>,
    from: EndpointId,
    wide: bool,
) -> Result<bool, FfaError> {
    let Some(kept) = vcpu.kept else {
        return Ok(false);
    };
    // Two may owe it a response. There is one place: what is kept is fetched first.
    if !wide {
        return Err(FfaError::Denied);
    }
    if kept.from != from {
        return Ok(false);
    }
    contract::write(
        contract::message_layout(true, true),
        &kept.message,
        vcpu.machine.x(),
    );
    vcpu.kept = None;
    Ok(true)
}
