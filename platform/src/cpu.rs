//! The core that this code runs on: who it is and what it can do.

use crate::{read_sysreg, write_sysreg};

/// The affinity fields of MPIDR_EL1, with the MT and U bits removed.
pub fn affinity() -> u64 {
    read_sysreg!("mpidr_el1") & 0x0000_00ff_00ff_ffff
}

/// Stores the linear index of this core where [`index`] finds it.
///
/// TPIDR_EL2 holds nothing else in these images, and EL3 keeps it with each world's EL2 context.
pub fn set_index(index: usize) {
    // SAFETY: TPIDR_EL2 is software's own register; nothing but `index` reads it.
    unsafe { write_sysreg!("tpidr_el2", index as u64) }
}

/// The linear index of this core, 0 until [`set_index`] was called.
#[inline(always)]
pub fn index() -> usize {
    read_sysreg!("tpidr_el2") as usize
}

/// The current exception level, 0 to 3.
pub fn current_el() -> u8 {
    (read_sysreg!("currentel") >> 2) as u8 & 3
}

/// What the CPU has, as far as the images ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// SVE.
    pub sve: bool,
    /// SME.
    pub sme: bool,
    /// All instructions, FFR's too, in streaming mode (FEAT_SME_FA64).
    pub sme_fa64: bool,
    /// Pointer authentication, in any of its algorithms.
    pub pauth: bool,
    /// Branch target identification.
    pub bti: bool,
    /// The enhanced counter: traps of the virtual timer.
    pub ecv: bool,
    /// Fine-grained traps.
    pub fgt: bool,
    /// HCRX_EL2.
    pub hcx: bool,
    /// Enhanced virtualization traps: those of cache descriptions without CTR_EL0.
    pub evt: bool,
    /// Reliability extension: deferred errors (DISR_EL1).
    pub ras: bool,
    /// Memory copy instructions.
    pub mops: bool,
    /// Memory partitioning (MPAM).
    pub mpam: bool,
    /// Bits of physical address, as ID_AA64MMFR0_EL1.PARange encodes them.
    pub pa_range: u8,
}

impl Features {
    /// Reads the identification registers of this core.
    pub fn read() -> Self {
        let pfr0 = read_sysreg!("id_aa64pfr0_el1");
        let pfr1 = read_sysreg!("id_aa64pfr1_el1");
        let mmfr0 = read_sysreg!("id_aa64mmfr0_el1");
        let mmfr1 = read_sysreg!("id_aa64mmfr1_el1");
        let mmfr2 = read_sysreg!("S3_0_C0_C7_2");
        let isar1 = read_sysreg!("id_aa64isar1_el1");
        let isar2 = read_sysreg!("S3_0_C0_C6_2");
        let field = |register: u64, shift: u32| register >> shift & 0xf;
        Self {
            sve: field(pfr0, 32) != 0,
            sme: field(pfr1, 24) != 0,
            // ID_AA64SMFR0_EL1.FA64; without SME the register reads zero.
            sme_fa64: read_sysreg!("S3_0_C0_C4_5") >> 63 != 0,
            pauth: field(isar1, 4) != 0 || field(isar1, 8) != 0 || field(isar2, 12) != 0,
            bti: field(pfr1, 0) != 0,
            ecv: field(mmfr0, 60) != 0,
            fgt: field(mmfr0, 56) != 0,
            hcx: field(mmfr1, 40) != 0,
            evt: field(mmfr2, 56) != 0,
            ras: field(pfr0, 28) != 0,
            mops: field(isar2, 16) != 0,
            // Version 0.1 stands in the fraction alone.
            mpam: field(pfr0, 40) != 0 || field(pfr1, 16) != 0,
            pa_range: field(mmfr0, 0) as u8,
        }
    }
}

/// Waits for an interrupt. One that is masked here ends it too.
pub fn wait() {
    // SAFETY: WFI only waits; what was written before is there for whoever raises the interrupt.
    unsafe { core::arch::asm!("dsb sy", "wfi", options(nostack, preserves_flags)) }
}

/// Waits for an event for ever: the last thing an image does when it can do nothing else.
pub fn park() -> ! {
    loop {
        // SAFETY: WFE only waits.
        unsafe { core::arch::asm!("wfe", options(nomem, nostack, preserves_flags)) }
    }
}
