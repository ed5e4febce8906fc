//! The end of a VM: `FFA_ABORT`, an SError, or its own wish. It leaves nothing behind: callers get
//! ABORTED, its buffers are closed, what it had asked of partitions is answered into the void.

use crate::{
    owed::{Debt, Progress},
    proxy::{Machine, Next, Pe, Proxy},
    vcpu::{Registers, Vcpu, VmIndex, Waits},
};
use ffa_abi::{FfaError, Reply, availability::VmEvent};

impl<'v, R: Registers> Proxy<'v, R> {
    /// The vCPU that runs can't be trusted any more (an SError): its VM ends.
    pub fn abort(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Next {
        match pe.running_id() {
            Some(id) => self.end(pe, id.vm, machine),
            None => self.begin(pe),
        }
    }

    /// A VM ends. If it is the primary, so does everything.
    pub(crate) fn end(
        &self,
        pe: &mut Pe<'v, R>,
        index: VmIndex,
        machine: &mut impl Machine<R>,
    ) -> Next {
        let Some(vm) = self.vm(index) else {
            return Next::Vcpu;
        };
        if vm.info.primary {
            return Next::PowerOff;
        }
        let mut turn = None;
        if vm.end() {
            // What is parked dies here; what another core has dies there, as soon as it looks.
            for place in &vm.parked {
                if let Some(vcpu) = &mut *place.lock() {
                    self.bury(vcpu);
                }
            }
            self.owed.lock().forget_answers(index);
            vm.close_buffers(index, self.shares, machine);
            self.end_notifications(index, machine);
            self.end_memory(index, vm.info.id, machine);
            for core in self.cores().filter(|core| *core != pe.index) {
                machine.kick(core);
            }
            turn = self.tell(VmEvent::Destroyed, index, pe, machine);
            // Partitions that know may have relinquished what it had given them.
            self.take_back_again(machine);
        }
        match self.lowest_dead(pe) {
            Some(level) => self.reap(pe, level, turn, machine),
            None => self.take_turn(pe, turn, machine),
        }
    }

    /// The cores that VMs may run on: those of the primary's vCPUs.
    fn cores(&self) -> impl Iterator<Item = u16> + '_ {
        let primary = self.vms.iter().filter(|vm| vm.info.primary);
        primary.flat_map(|vm| vm.info.cores.iter().flatten().copied())
    }

    /// The lowest member of this core's chain whose VM has ended.
    pub(crate) fn lowest_dead(&self, pe: &Pe<'v, R>) -> Option<usize> {
        pe.chain.iter().position(|vcpu| self.is_dead(vcpu.id().vm))
    }

    /// Takes a vCPU whose VM has ended off the chain, and whom it had called; its caller gets
    /// ABORTED. Then it is the turn of the member of the chain whose it was.
    #[cold]
    #[inline(never)]
    pub(crate) fn reap(
        &self,
        pe: &mut Pe<'v, R>,
        level: usize,
        turn: Option<usize>,
        machine: &mut impl Machine<R>,
    ) -> Next {
        if level == 0 {
            return Next::PowerOff;
        }
        self.take_off(pe, level.saturating_add(1), machine);
        if let Some(vcpu) = pe.running() {
            self.bury(vcpu);
        }
        match self.give_back(pe, Reply::error(FfaError::Aborted), machine) {
            Next::Vcpu => self.take_turn(pe, turn, machine),
            next => next,
        }
    }

    /// A vCPU dies with its VM. A partition that works for it is run to its end by who needs it next.
    pub(crate) fn bury(&self, vcpu: &mut Vcpu<R>) {
        if let Waits::Partition { preempted, .. } = vcpu.waits {
            let vm = vcpu.id().vm;
            let mut owed = self.owed.lock();
            // One that it merely ran may work for another by now.
            if matches!(
                owed.debt(preempted, vm),
                Debt::None | Debt::Own | Debt::InFlight
            ) {
                owed.note(preempted, vm, Progress::Told);
            }
        }
        vcpu.die();
    }
}
