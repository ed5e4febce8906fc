//! The machine's part of an execution context: everything of a partition that is in registers.

use platform::{
    cpu::Features, el0::El0State, el1::El1State, fp::FpState, fp_habit::FpHabit, guest::GuestRegs,
    pauth::Keys, vm_state,
};
use spmc::context::Registers;

/// Registers of one execution context. The general registers come first, within reach of the
/// instructions that move two at a time.
#[derive(Debug)]
#[repr(C)]
pub struct Vcpu {
    /// General registers, entry point and PSTATE.
    pub regs: GuestRegs,
    /// The switched EL1 registers. A partition at S-EL0 has none.
    pub el1: El1State,
    /// The switched registers of EL0, of a partition at S-EL0.
    pub el0: El0State,
    /// TTBR0_EL2 of a partition at S-EL0; 0 at S-EL1.
    pub ttbr0: u64,
    /// V0-V31, FPCR, FPSR.
    pub fp: FpState,
    /// Pointer authentication keys.
    pub keys: Keys,
    /// VDISR_EL2, which is DISR_EL1 for a partition.
    pub vdisr: u64,
    /// VTTBR_EL2: the non-secure intermediate address space, and the VMID.
    pub vttbr: u64,
    /// VSTTBR_EL2: the secure intermediate address space.
    pub vsttbr: u64,
    /// VMPIDR_EL2.
    pub vmpidr: u64,
    /// CSSELR_EL1 as the partition has it; the core's own is the normal world's.
    pub csselr: u64,
    /// Whether its manifest has interrupts of the normal world wait (`ns-interrupts-action`): then the priority mask has
    /// to be looked at each time that it is entered.
    pub masks: bool,
    /// Whether it uses vector registers each time that it runs.
    pub habit: FpHabit,
}

impl Vcpu {
    /// A context that can't run yet.
    pub const RESET: Self = Self {
        regs: GuestRegs::at(0),
        el1: El1State::RESET,
        el0: El0State::RESET,
        ttbr0: 0,
        fp: FpState::RESET,
        keys: Keys::RESET,
        vdisr: 0,
        vttbr: 0,
        vsttbr: 0,
        vmpidr: 0,
        csselr: 0,
        masks: false,
        habit: FpHabit::UNKNOWN,
    };

    /// Makes everything that a partition can change what it is at a first entry with these general registers.
    pub fn begin(&mut self, regs: GuestRegs) {
        self.regs = regs;
        self.el1 = El1State::START;
        self.el0 = El0State::RESET;
        self.fp = FpState::RESET;
        if !self.is_el0() {
            // One at S-EL0 can't change its own.
            self.keys = Keys::RESET;
            self.vdisr = 0;
        }
        self.csselr = 0;
        self.habit = self.habit.anew();
    }
}

impl Vcpu {
    /// Saves what EL3 keeps for this world, and only another partition takes away.
    pub fn save_kept(&mut self, features: &Features) {
        if features.pauth {
            self.keys.save();
        }
        if features.ras {
            self.vdisr = vm_state::deferred_error();
        }
    }

    /// Makes that the live registers' contents.
    pub fn load_kept(&self, features: &Features) {
        if features.pauth {
            self.keys.load();
        }
        if features.ras {
            vm_state::set_deferred_error(self.vdisr);
        }
    }

    /// Whether it is one of a partition at S-EL0.
    #[inline(always)]
    pub const fn is_el0(&self) -> bool {
        self.ttbr0 != 0
    }
}

impl Registers for Vcpu {
    #[inline(always)]
    fn x(&mut self) -> &mut [u64; 31] {
        &mut self.regs.x
    }
}
