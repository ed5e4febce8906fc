//! The machine's part of a vCPU: everything of it that is in registers.

use super::vms::Vm;
use platform::{
    el1::El1State, fp::VmVectors, gic::virt::Interface, guest::GuestRegs, vm_state::VmState,
};
use proxy_el2::vcpu::Registers;

/// Registers of one vCPU. The general registers come first, within reach of the instructions that move two at a
/// time. While it is live on a core, all but those are in the machine.
#[repr(C)]
pub struct Guest {
    /// General registers, entry point and PSTATE.
    pub regs: GuestRegs,
    /// The EL1 registers.
    pub el1: El1State,
    /// Timers, keys and the like.
    pub state: VmState,
    /// The virtual CPU interface.
    pub interface: Interface,
    /// CSSELR_EL1, where it traps.
    pub csselr: u64,
    /// Its VM.
    pub vm: &'static Vm,
    /// Its index, which is its affinity.
    pub index: u8,
    /// The vector registers, where they are switched.
    pub vectors: VmVectors,
}

impl Guest {
    /// vCPU `index` of a VM, which starts at `entry` if nobody says otherwise before.
    pub const fn new(vm: &'static Vm, index: u8, entry: u64) -> Self {
        Self {
            regs: GuestRegs::at(entry),
            el1: El1State::START,
            state: VmState::RESET,
            interface: Interface::RESET,
            csselr: 0,
            vm,
            index,
            vectors: VmVectors::RESET,
        }
    }

    /// VMPIDR_EL2: bit 31 is set in every value, and Aff0 is the index.
    pub const fn vmpidr(&self) -> u64 {
        1 << 31 | self.index as u64
    }
}

impl Registers for Guest {
    #[inline(always)]
    fn x(&mut self) -> &mut [u64; 31] {
        &mut self.regs.x
    }

    fn start(&mut self, entry: u64, context: u64) {
        self.regs = GuestRegs::at(entry);
        self.regs.x[0] = context;
        self.el1 = El1State::START;
        self.state = VmState::RESET;
        self.interface = Interface::RESET;
        self.csselr = 0;
        self.vectors.reset();
        self.vm.reset_vcpu(self.index);
    }
}
