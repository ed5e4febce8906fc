//! What EL0 must not do, one instruction each: it is the partition's end.

use core::arch::asm;

/// An instruction.
pub struct Instruction {
    /// Its name.
    pub name: &'static str,
    /// Executes it; gives what it left in x0.
    pub execute: fn() -> u64,
}

macro_rules! instructions {
    ($($name:literal: $($code:literal),+;)*) => {
        &[$(Instruction {
            name: $name,
            execute: || {
                let mut x0: u64 = 0;
                // SAFETY: It is the partition's end, or changes nothing but x0 and the flags; a test fails then.
                unsafe { asm!($($code,)+ inout("x0") x0, options(nostack)) }
                x0
            },
        }),*]
    };
}

/// All of them.
pub const ALL: &[Instruction] = instructions! {
    "undefined": "udf #0";
    "breakpoint": "brk #1";
    "hvc": "hvc #0";
    "smc": "smc #0";
    "eret": "eret";
    "daifset": "msr daifset, #0xf";
    "read_daif": "mrs x0, daif";
    "read_current_el": "mrs x0, currentel";
    "read_sctlr_el1": "mrs x0, sctlr_el1";
    "write_sctlr_el1": "msr sctlr_el1, x0";
    "read_ttbr0_el1": "mrs x0, ttbr0_el1";
    "write_ttbr0_el1": "msr ttbr0_el1, x0";
    "read_vbar_el1": "mrs x0, vbar_el1";
    "write_vbar_el1": "msr vbar_el1, x0";
    "read_tpidr_el1": "mrs x0, tpidr_el1";
    "write_tpidrro_el0": "msr tpidrro_el0, x0";
    "read_sp_el0": "mrs x0, sp_el0";
    "read_mpidr_el1": "mrs x0, mpidr_el1";
    "read_id_aa64pfr0_el1": "mrs x0, id_aa64pfr0_el1";
    "read_ttbr0_el2": "mrs x0, ttbr0_el2";
    "write_hcr_el2": "msr hcr_el2, x0";
    "tlbi": "tlbi vmalle1";
    "invalidate_by_set": "dc isw, x0";
    "invalidate_by_address": "dc ivac, x0";
    "read_virtual_timer": "mrs x0, cntv_ctl_el0";
    "write_virtual_timer": "msr cntv_ctl_el0, x0";
    "write_virtual_compare": "msr cntv_cval_el0, x0";
    "read_physical_timer": "mrs x0, cntp_ctl_el0";
    "write_physical_timer": "msr cntp_ctl_el0, x0";
    "read_cycle_counter": "mrs x0, pmccntr_el0";
    "read_pmu_control": "mrs x0, pmcr_el0";
    "read_pmuserenr": "mrs x0, pmuserenr_el0";
    // SCXTNUM_EL0 and TPIDR2_EL0.
    "read_scxtnum_el0": "mrs x0, S3_3_C13_C0_7";
    "write_scxtnum_el0": "msr S3_3_C13_C0_7, x0";
    "read_tpidr2_el0": "mrs x0, S3_3_C13_C0_5";
    // CNTVL, a vector length.
    "sve": ".inst 0x04bf5020";
    // SMSTART.
    "sme": ".inst 0xd503477f";
    // An implementation's own register.
    "implementation_defined": "mrs x0, S3_3_C15_C0_0";
    "read_icc_pmr": "mrs x0, S3_0_C4_C6_0";
};
