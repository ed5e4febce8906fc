//! Taking the state of the proxy apart and putting it together again, for the search of all states.

use crate::{
    MAX_VCPUS, MAX_VMS,
    buffers::PairNote,
    owed::{MAX_OWED, Owed},
    proxy::{Pe, Proxy},
    vcpu::{Registers, Secure, State, Vcpu, VcpuId, VmIndex},
};
use ffa_abi::{TargetInfo, notifications::Receiver};
use heapless::Vec;

/// What is noted of a VM: its version and whether that is fixed, and whether it has ended.
pub type VmNote = (u32, bool);

pub use crate::owed::Progress;

/// What partitions owe: which context, to which VM, and how far it has come.
pub type OwedNote = Vec<(TargetInfo, VmIndex, Progress), MAX_OWED>;

impl<'v, R: Registers> Proxy<'v, R> {
    /// Takes a parked vCPU.
    pub fn unpark(&self, id: VcpuId) -> Option<&'v mut Vcpu<R>> {
        self.place(id)?.lock().take()
    }

    /// The state of a vCPU that no core has.
    pub fn parked_state_of(&self, id: VcpuId) -> Option<State> {
        self.parked_state(id)
    }

    /// Parks a vCPU, in whatever state.
    pub fn put_back(&self, vcpu: &'v mut Vcpu<R>) {
        if let Some(place) = self.place(vcpu.id()) {
            *place.lock() = Some(vcpu);
        }
    }

    /// What is noted of a VM.
    pub fn note_vm(&self, vm: VmIndex) -> Option<VmNote> {
        let vm = self.vm(vm)?;
        Some((vm.version.raw(), vm.is_dead()))
    }

    /// Goes on from what was noted of a VM.
    pub fn restore_vm(&self, vm: VmIndex, note: VmNote) {
        if let Some(vm) = self.vm(vm) {
            vm.version.set_raw(note.0);
            vm.revive(note.1);
        }
    }

    /// What is noted of a VM's notifications: those from VMs, and whether the SPMC keeps others.
    pub fn note_notifications(&self, vm: VmIndex) -> Option<(Receiver<MAX_VCPUS>, bool)> {
        let vm = self.vm(vm)?;
        Some((vm.receiver.lock().clone(), vm.has_bitmap()))
    }

    /// Goes on from what was noted of those.
    pub fn restore_notifications(&self, vm: VmIndex, note: &(Receiver<MAX_VCPUS>, bool)) {
        if let Some(vm) = self.vm(vm) {
            *vm.receiver.lock() = note.0.clone();
            vm.set_bitmap(note.1);
        }
    }

    /// What is noted of a VM's pair.
    pub fn note_pair(&self, vm: VmIndex) -> Option<PairNote> {
        Some(PairNote(self.vm(vm)?.buffers.lock().clone()))
    }

    /// Goes on from what was noted of it. What the machine has opened is its own.
    pub fn restore_pair(&self, vm: VmIndex, note: &PairNote) {
        if let Some(vm) = self.vm(vm) {
            vm.buffers.lock().clone_from(&note.0);
        }
    }

    /// What partitions owe.
    pub fn note_owed(&self) -> OwedNote {
        self.owed.lock().note_all()
    }

    /// Goes on from what was noted of that.
    pub fn restore_owed(&self, note: &OwedNote) {
        *self.owed.lock() = Owed::restored(note);
    }
}

impl<'v, R: Registers> Pe<'v, R> {
    /// Takes the whole chain, the first one first, and what EL3 is called for.
    pub fn take_apart(&mut self) -> (Vec<&'v mut Vcpu<R>, MAX_VMS>, Option<Secure>) {
        (core::mem::take(&mut self.chain), self.pending.take())
    }

    /// The reverse of [`take_apart`](Self::take_apart).
    pub fn put_together(&mut self, chain: Vec<&'v mut Vcpu<R>, MAX_VMS>, pending: Option<Secure>) {
        self.chain = chain;
        self.pending = pending;
    }
}
