//! The machine's part of a vCPU: everything of it that is in registers.

use super::{side::Side, vms::Vm};
use platform::{
    confine,
    el1::VmEl1,
    fp::VmVectors,
    guest::GuestRegs,
    vm_state::{Seldom, Timer},
};
use proxy_el2::vcpu::Registers;

/// Registers of one vCPU. The general registers come first, within reach of the instructions that move two at a
/// time. While it is live on a core, all but those are in the machine.
#[repr(C)]
pub struct Guest {
    /// General registers, entry point and PSTATE.
    pub regs: GuestRegs,
    /// The EL1 registers.
    pub el1: VmEl1,
    /// VTTBR_EL2.
    pub vttbr: u64,
    /// VMPIDR_EL2.
    pub vmpidr: u64,
    /// HCR_EL2, once it was live.
    pub hcr: u64,
    /// VDISR_EL2.
    pub vdisr: u64,
    /// The virtual timer.
    pub timer: Timer,
    /// What of it others may know; the virtual CPU interface is there.
    pub side: &'static Side,
    /// It has used what traps at the first access.
    pub uses_seldom: bool,
    /// It was calm when it was put away ([`Listed::calm`](super::lists::Listed::calm)).
    pub was_calm: bool,
    /// What traps at the first access.
    pub seldom: Seldom,
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
    pub fn new(vm: &'static Vm, index: u8, entry: u64) -> Self {
        Self {
            regs: GuestRegs::at(entry),
            el1: VmEl1::START,
            vttbr: vm.vttbr,
            // Bit 31 is set in every value, and Aff0 is the index.
            vmpidr: 1 << 31 | u64::from(index),
            hcr: 0,
            vdisr: 0,
            timer: Timer::RESET,
            side: vm.side(index),
            uses_seldom: false,
            was_calm: false,
            seldom: Seldom::RESET,
            csselr: 0,
            vm,
            index,
            vectors: VmVectors::RESET,
        }
    }

    /// What HCR_EL2 has for it beside what it has for all.
    pub const fn traps(&self) -> u64 {
        // The primary's waiting is the core's.
        let wait = if self.vm.primary {
            0
        } else {
            confine::trap_wait()
        };
        let keys = if self.uses_seldom {
            confine::open_keys()
        } else {
            0
        };
        wait | keys
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
        self.el1 = VmEl1::START;
        self.vdisr = 0;
        self.timer = Timer::RESET;
        self.uses_seldom = false;
        self.was_calm = false;
        self.seldom = Seldom::RESET;
        self.csselr = 0;
        self.vectors.reset();
        self.vm.reset_vcpu(self.index);
    }
}
