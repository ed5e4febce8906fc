//! Vector registers of VMs that share a core: each vCPU has SVE in full, at the largest vector length, and none has
//! SME.
//!
//! While they are another vCPU's, every use of them traps (all of FP and SVE together: see the module above); the one
//! whose they are uses them without a trap.

use super::{__fp_load, __fp_save, CLOSED, TAM, TTA, VectorState, largest, open_all, set_fpcr};
use crate::{cpu::Features, read_sysreg, sysreg::isb, write_sysreg};

/// CPTR_EL2: FP, AdvSIMD and SVE open.
const OPEN_VM: u64 = TTA | TAM | 3 << 20 | 3 << 16;

/// Sets this core up for VMs that share it, and makes every use of vector registers trap. No streaming mode, and the
/// largest vector length, which each limits for itself (ZCR_EL1).
pub fn prepare_vms(features: &Features) {
    open_all();
    isb();
    if features.sme {
        // SAFETY: No VM runs, and nobody's registers are live yet.
        unsafe { write_sysreg!("S3_3_C4_C2_2", 0) }
    }
    largest(features);
    close_vm();
    isb();
}

/// Opens FP, AdvSIMD and SVE, and nothing else, to the vCPU whose registers are loaded, and to EL2.
pub fn open_vm() {
    // SAFETY: The registers are that vCPU's.
    unsafe { write_sysreg!("cptr_el2", OPEN_VM) }
}

/// Makes every use of vector registers by a VM trap.
pub fn close_vm() {
    // SAFETY: Only what traps changes.
    unsafe { write_sysreg!("cptr_el2", CLOSED) }
}

/// The vector registers of a vCPU.
#[derive(Debug)]
#[repr(transparent)]
pub struct VmVectors(
    /// Its `zcr` is ZCR_EL1, and there is no streaming mode.
    VectorState,
);

impl VmVectors {
    /// All zero.
    pub const RESET: Self = Self(VectorState::EMPTY);

    /// Sets all to zero. The live registers are not touched.
    pub fn reset(&mut self) {
        let VectorState {
            z,
            p,
            fpcr,
            fpsr,
            zcr,
            svcr,
        } = &mut self.0;
        z.fill(0);
        p.fill(0);
        (*fpcr, *fpsr, *zcr, *svcr) = (0, 0, 0, 0);
    }

    /// Saves the live registers, which [`open_vm`] has opened to EL2.
    pub fn save(&mut self, features: &Features) {
        let state = &mut self.0;
        state.fpcr = read_sysreg!("S3_3_C4_C4_0");
        state.fpsr = read_sysreg!("S3_3_C4_C4_1");
        if features.sve {
            // ZCR_EL12.
            state.zcr = read_sysreg!("S3_5_C1_C2_0");
            // SAFETY: SVE is open, and this is no streaming mode.
            unsafe { state.save_sve(true) }
        } else {
            // SAFETY: The buffer holds V0-V31.
            unsafe { __fp_save(state.z.as_mut_ptr().cast()) }
        }
    }

    /// Makes these the live registers. [`open_vm`] has opened them to EL2, and the earlier owner's were saved.
    pub fn load(&self, features: &Features) {
        let state = &self.0;
        if features.sve {
            // SAFETY: SVE is open, this is no streaming mode, and the length is the same for all. ZCR_EL12 limits EL1
            // and EL0 alone.
            unsafe {
                write_sysreg!("S3_5_C1_C2_0", state.zcr);
                state.load_sve(true);
            }
        } else {
            // SAFETY: The buffer holds V0-V31.
            unsafe { __fp_load(state.z.as_ptr().cast()) }
        }
        set_fpcr(state.fpcr, state.fpsr);
    }
}
