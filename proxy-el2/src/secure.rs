//! VMs and partitions: forwarding to EL3, and completing a VM's call with what comes back by the
//! register contract.
//!
//! The call stays the VM's. A partition that an interrupt of the proxy's own took off the core is run
//! again here, and its answer completes what the VM asked for; so is one that was taken off with the
//! VM, when that one runs again. A VM sees `FFA_INTERRUPT` for an interrupt of its own only.

mod complete;

pub(crate) use complete::{fetch_kept, goes_on_owing};

use crate::{
    owed::{Debt, Progress},
    proxy::{Machine, Next, Pe, Proxy, Turn},
    vcpu::{Registers, Secure, VmIndex, Waits},
};
use ffa_abi::{
    FfaError, Regs, Reply, TargetInfo, Version,
    contract::{self, Layout},
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
        let mut owed = self.owed.lock();
        if let Some(answer) = owed.take(target, vm) {
            drop(owed);
            pe.pending = None;
            return self.complete_request(pe, vm, fid, target.endpoint, &answer);
        }
        // From here on nobody else runs it.
        owed.note(target, vm, Progress::InFlight);
        pe.pending = Some(Secure::Resumed { fid, target });
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

    /// A core goes off, and what partitions' contexts of it owe is lost. The VM that asked is told ABORTED when it
    /// asks for the answer; the primary has wished it so.
    pub(crate) fn lose(&self, core: u16) {
        let waits = |vm| self.info(vm).is_some_and(|info| !info.primary) && !self.is_dead(vm);
        self.owed.lock().core_goes_off(core, waits);
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
}

/// Whether a VM of this version is offered messages in x0-x17.
pub(crate) fn has_direct2(version: Version, upstream_direct2: bool) -> bool {
    version.has_extended_registers() && upstream_direct2
}
