//! VMs and partitions: forwarding to EL3, and completing a VM's call with what comes back by the
//! register contract.
//!
//! The call stays the VM's. A partition that an interrupt of the proxy's own took off the core is run
//! again here, and its answer completes what the VM asked for; so is one that was taken off with the
//! VM, when that one runs again. A VM sees `FFA_INTERRUPT` for an interrupt of its own only.

use crate::{
    owed::{Debt, Progress},
    proxy::{Machine, Next, Pe, Proxy, Turn},
    vcpu::{Kept, Registers, Secure, State, Vcpu, VmIndex, Waits},
};
use ffa_abi::{
    EndpointId, FfaError, Regs, Reply, TargetInfo, Version,
    contract::{self, Layout, Peer, Undeliverable},
    copy_registers,
    fid::raw,
    id::Endpoints,
};

/// x0-x17 of a direct request as EL3 gets it: what the VM's call carries, and nothing else of it.
#[inline(always)]
fn request(fid: u32, x: &[u64; 31], regs: &mut Regs) {
    let ids = x[1] & 0xffff_ffff;
    if fid == raw::DIRECT_REQ2 {
        copy_registers!(regs, x, u64::MAX, 2 3, 4 5, 6 7, 8 9, 10 11, 12 13, 14 15, 16 17);
    } else {
        let mask = if fid == raw::DIRECT_REQ_64 {
            u64::MAX
        } else {
            0xffff_ffff
        };
        regs[2] = 0;
        regs[3] = x[3] & mask;
        copy_registers!(regs, x, mask, 4 5, 6 7);
        // Not the VM's business on the way back, and nothing of it on the way there.
        // As a value that nothing is known of: else it becomes a call of memset, which costs ten times as much.
        let zeros = [core::hint::black_box(0u64); 18];
        copy_registers!(regs, zeros, u64::MAX, 8 9, 10 11, 12 13, 14 15, 16 17);
    }
    regs[0] = fid.into();
    regs[1] = ids;
}

/// `FFA_RUN` as EL3 gets it: always the 32-bit form, it knows no other.
fn run(target: TargetInfo) -> Regs {
    let mut regs = Regs::ZERO;
    regs[0] = raw::RUN.into();
    regs[1] = target.register();
    regs
}

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
    /// Has EL3 forward a checked direct request of the vCPU that runs.
    #[inline(always)]
    pub(crate) fn request_partition(&self, pe: &mut Pe<'v, R>, fid: u32) -> Next {
        let Pe {
            chain,
            el3,
            pending,
            ..
        } = pe;
        let Some(vcpu) = chain.last_mut() else {
            return Next::Idle;
        };
        let x = vcpu.machine.x();
        request(fid, x, el3);
        *pending = Some(Secure::Request {
            fid,
            to: Endpoints::from_register(x[1]).receiver,
        });
        Next::El3
    }

    /// `FFA_RUN` of a partition by the vCPU that runs. An error changes nothing.
    pub(crate) fn run_partition(
        &self,
        pe: &mut Pe<'v, R>,
        target: TargetInfo,
        wide: bool,
    ) -> Result<Next, FfaError> {
        let id = pe.running_id().ok_or(FfaError::Denied)?;
        let vcpu = pe.running().ok_or(FfaError::Denied)?;
        if fetch_kept(vcpu, target.endpoint, wide)? {
            return Ok(Next::Vcpu);
        }
        if let Some(answer) = self.may_run(target, id.vm)? {
            self.deliver(pe, &answer, wide);
            return Ok(Next::Vcpu);
        }
        pe.el3 = run(target);
        pe.pending = Some(Secure::Run { wide, target });
        Ok(Next::El3)
    }

    /// Whether a VM may run a partition's context; the answer to it, if that is here already.
    fn may_run(&self, target: TargetInfo, vm: VmIndex) -> Result<Option<Regs>, FfaError> {
        let mut owed = self.owed.lock();
        match owed.debt(target, vm) {
            Debt::None | Debt::Own => Ok(None),
            Debt::Answered => Ok(owed.take(target, vm)),
            // As long as another vCPU's call has not come back, the partition is at work.
            Debt::InFlight | Debt::Lent(_) => Err(FfaError::Busy),
            Debt::Other { to, in_flight } if self.is_dead(to) => match in_flight {
                // The core that has the dead vCPU has not looked yet.
                true => Err(FfaError::Busy),
                false => Ok(None),
            },
            // It works for another VM, whose affair it is.
            Debt::Other { .. } => Err(FfaError::Denied),
        }
    }

    /// A vCPU that was taken off the core in the midst of a partition's work runs again: so does
    /// the partition.
    pub(crate) fn run_again(
        &self,
        pe: &mut Pe<'v, R>,
        call: Secure,
        preempted: TargetInfo,
    ) -> Next {
        let Some(id) = pe.running_id() else {
            return Next::Idle;
        };
        if let Secure::Request { fid, .. } = call {
            return self.run_for_request(pe, id.vm, fid, preempted);
        }
        // What it merely ran may have found other work since.
        let wide = matches!(call, Secure::Run { wide: true, .. });
        match self.may_run(preempted, id.vm) {
            Ok(None) => {
                pe.pending = Some(call);
                pe.el3 = run(preempted);
                return Next::El3;
            }
            Ok(Some(answer)) => self.deliver(pe, &answer, wide),
            Err(error) => {
                if let Some(vcpu) = pe.running() {
                    Reply::error(error).write(vcpu.machine.x());
                }
            }
        }
        Next::Vcpu
    }

    /// Has the partition go on with a request of this VM, of which the VM knows nothing but that it
    /// has made it.
    fn run_for_request(
        &self,
        pe: &mut Pe<'v, R>,
        vm: VmIndex,
        fid: u32,
        target: TargetInfo,
    ) -> Next {
        pe.pending = Some(Secure::Resumed { fid, target });
        let mut owed = self.owed.lock();
        if let Some(answer) = owed.take(target, vm) {
            drop(owed);
            pe.el3 = answer;
            return self.complete(pe);
        }
        // From here on nobody else runs it.
        owed.note(target, vm, Progress::InFlight);
        pe.el3 = run(target);
        Next::El3
    }

    /// EL3 came back; what it returned is in [`Pe::el3`].
    #[inline(always)]
    pub fn returned(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Next {
        // The one completion that a request of a kind wants; x8-x17 are written for no other.
        if let Some(Secure::Request { fid, .. }) = pe.pending {
            let Pe { chain, el3, .. } = pe;
            let Some(vcpu) = chain.last_mut() else {
                return Next::Idle;
            };
            let own = Endpoints::from_register(el3[1]).receiver == vcpu.endpoint;
            let x = vcpu.machine.x();
            match (fid, el3.w::<0>()) {
                (raw::DIRECT_REQ2, raw::DIRECT_RESP2)
                    if own && contract::message_layout(true, true) == Layout::Eighteen =>
                {
                    copy_registers!(x, el3, u64::MAX, 0 1, 2 3, 4 5, 6 7, 8 9, 10 11, 12 13, 14 15, 16 17);
                    pe.pending = None;
                    return Next::Vcpu;
                }
                (_, raw::DIRECT_RESP_64)
                    if own && contract::message_layout(false, true) == Layout::Eight =>
                {
                    copy_registers!(x, el3, u64::MAX, 0 1, 2 3, 4 5, 6 7);
                    pe.pending = None;
                    return Next::Vcpu;
                }
                (_, raw::DIRECT_RESP_32)
                    if own && contract::message_layout(false, false) == Layout::Eight =>
                {
                    copy_registers!(x, el3, 0xffff_ffff, 0 1, 2 3, 4 5, 6 7);
                    pe.pending = None;
                    return Next::Vcpu;
                }
                _ => {}
            }
        }
        self.returned_rare(pe, machine)
    }

    /// Completions other than the wanted response: errors, interrupts, yields, ends of runs.
    #[cold]
    #[inline(never)]
    fn returned_rare(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Next {
        if pe.el3.w::<0>() != raw::INTERRUPT {
            return self.complete(pe);
        }
        let preempted = TargetInfo::from_register(pe.el3[1]);
        let turn = machine.interrupts(&pe.chain());
        let Some(id) = pe.running_id() else {
            return Next::Idle;
        };
        let top = pe.chain.len().saturating_sub(1);
        if let Some(call) = pe.pending
            && let Some(level) = self.lowest_dead(pe)
        {
            self.leave_partition(pe, call, preempted, id.vm);
            return self.reap(pe, level, turn.level(), machine);
        }
        match (turn, pe.pending) {
            (Turn::Nobody, Some(Secure::Request { fid, .. } | Secure::Resumed { fid, .. })) => {
                self.run_for_request(pe, id.vm, fid, preempted)
            }
            (Turn::Nobody, Some(call)) => {
                if let Secure::Run { .. } = call {
                    self.owed.lock().lend(preempted, id.vm);
                }
                pe.el3 = run(preempted);
                Next::El3
            }
            (Turn::Level(level), Some(call)) if level < top => {
                self.leave_partition(pe, call, preempted, id.vm);
                self.unwind(pe, level, machine);
                Next::Vcpu
            }
            // If there was no interrupt at all it is the VM's turn too, or a partition that cannot
            // go on would keep the VM from the core.
            _ => self.complete(pe),
        }
    }

    /// A partition's work for the vCPU that runs ends for now, and is gone on with before that one
    /// goes on.
    fn leave_partition(
        &self,
        pe: &mut Pe<'v, R>,
        call: Secure,
        preempted: TargetInfo,
        vm: VmIndex,
    ) {
        pe.pending = None;
        if let Secure::Drain { .. } = call {
            self.owed.lock().came_back(preempted, vm);
            // What waits behind it has not begun: it is tried again when somebody asks for it.
            if let Some(vcpu) = pe.running() {
                Reply::error(FfaError::Busy).write(vcpu.machine.x());
            }
            return;
        }
        let call = match call {
            Secure::Resumed { fid, target } => Secure::Request {
                fid,
                to: target.endpoint,
            },
            call => call,
        };
        match call {
            Secure::Request { .. } => {
                self.owed.lock().note(preempted, vm, Progress::InFlight);
            }
            // One that was merely run owes nothing.
            _ => self.owed.lock().came_back(preempted, vm),
        }
        if let Some(vcpu) = pe.running() {
            vcpu.waits = Waits::Partition { call, preempted };
        }
    }

    /// Completes the VM's call with what EL3 returned.
    fn complete(&self, pe: &mut Pe<'v, R>) -> Next {
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

    fn complete_request(
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
    fn deliver(&self, pe: &mut Pe<'v, R>, regs: &Regs, wide: bool) {
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
pub(crate) fn deliver<R: Registers>(
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

/// Whether a VM of this version is offered messages in x0-x17.
pub(crate) fn has_direct2(version: Version, upstream_direct2: bool) -> bool {
    version.has_extended_registers() && upstream_direct2
}
