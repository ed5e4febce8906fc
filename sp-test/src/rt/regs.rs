//! The few system registers these images read.

use core::arch::asm;

macro_rules! reader {
    ($(#[$doc:meta])* $name:ident, $register:literal) => {
        $(#[$doc])*
        #[inline]
        pub fn $name() -> u64 {
            let value;
            // SAFETY: reads a register that exists at EL1 and above, without side effects.
            unsafe {
                asm!(concat!("mrs {}, ", $register), out(reg) value, options(nomem, nostack, preserves_flags));
            }
            value
        }
    };
}

reader!(
    /// CNTVCT_EL0: the virtual count.
    cntvct, "cntvct_el0");
reader!(
    /// CNTFRQ_EL0: how often it counts in a second.
    cntfrq, "cntfrq_el0");
reader!(
    /// MPIDR_EL1: what this CPU believes to be.
    mpidr, "mpidr_el1");
reader!(
    /// CurrentEL, exception level in bits 3:2.
    current_el_raw, "currentel");

reader!(
    /// CSSELR_EL1: which cache is described.
    csselr, "csselr_el1");
reader!(
    /// CLIDR_EL1: which caches there are.
    clidr, "clidr_el1");

/// Selects which cache is described.
pub fn select_cache(value: u64) {
    // SAFETY: changes what CCSIDR_EL1 reads, nothing else.
    unsafe {
        asm!("msr csselr_el1, {}", "isb", in(reg) value, options(nomem, nostack, preserves_flags));
    }
}

reader!(
    /// CNTV_CVAL_EL0.
    cntv_cval, "cntv_cval_el0");
reader!(
    /// CNTV_CTL_EL0.
    cntv_ctl, "cntv_ctl_el0");
reader!(
    /// DAIF.
    daif, "daif");

/// CNTV_CVAL_EL0, CNTV_CTL_EL0, DAIF.
pub fn timer() -> [u64; 3] {
    [cntv_cval(), cntv_ctl(), daif()]
}

/// The exception level, 0 to 2.
#[inline]
pub fn current_el() -> u64 {
    match super::el0::is_el0() {
        // It can't be asked for there.
        true => 0,
        false => current_el_raw() >> 2,
    }
}
