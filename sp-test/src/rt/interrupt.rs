//! One timer interrupt for a client: armed, polled for, ended. Interrupts stay masked all the time;
//! a pending one takes the secure world off the CPU all the same.
//!
//! At NS-EL2 it is the EL2 physical timer, and this image owns the GIC's normal half. As a VM it is
//! the virtual timer, which the hypervisor has enabled, and there is no GIC but ICC_* registers.

use super::regs;
use crate::board::place;
use core::arch::asm;

/// CNTHP, PPI 10.
const EL2_TIMER: u64 = 26;
/// CNTV, PPI 11.
const VIRTUAL_TIMER: u64 = 27;
/// INTIDs from here on mean that nothing is pending.
const SPECIAL: u64 = 1020;

/// GICD_CTLR as the normal world has it.
const GICD_CTLR: *mut u32 = place(0x0800_0000) as *mut u32;
const GICD_CTLR_ENABLE_GRP1A: u32 = 1 << 1;
/// The boot core's redistributor: its frame of SGIs and PPIs.
const GICR_SGI: u64 = place(0x080a_0000) + 0x1_0000;
const GICR_ISENABLER0: *mut u32 = (GICR_SGI + 0x100) as *mut u32;
const GICR_IPRIORITYR0: u64 = GICR_SGI + 0x400;

/// Opens the CPU interface, and at NS-EL2 the interrupt itself.
pub fn open() {
    if regs::current_el() == 2 {
        // SAFETY: this image is alone in the normal world, the MMU is off, interrupts are masked.
        unsafe {
            GICD_CTLR.write_volatile(GICD_CTLR.read_volatile() | GICD_CTLR_ENABLE_GRP1A);
            ((GICR_IPRIORITYR0 + EL2_TIMER) as *mut u8).write_volatile(0x80);
            GICR_ISENABLER0.write_volatile(1 << EL2_TIMER);
            // ICC_SRE_EL2.
            asm!("dsb sy", "msr S3_4_C12_C9_5, {}", "isb", in(reg) 0xfu64, options(nostack, preserves_flags));
        }
    }
    // ICC_SRE_EL1, ICC_PMR_EL1, ICC_IGRPEN1_EL1.
    // SAFETY: interrupts are masked: nothing is taken by this.
    unsafe {
        asm!(
            "msr S3_0_C12_C12_5, {sre}",
            "isb",
            "msr S3_0_C4_C6_0, {pmr}",
            "msr S3_0_C12_C12_7, {one}",
            "isb",
            sre = in(reg) 0x7u64,
            pmr = in(reg) 0xffu64,
            one = in(reg) 1u64,
            options(nostack, preserves_flags)
        );
    }
}

/// Lets the timer fire `ticks` from now.
pub fn arm(ticks: u64) {
    // SAFETY: the timer is this image's own.
    unsafe {
        match regs::current_el() {
            2 => asm!(
                "msr cnthp_tval_el2, {ticks}",
                "msr cnthp_ctl_el2, {on}",
                "isb",
                ticks = in(reg) ticks,
                on = in(reg) 1u64,
                options(nostack, preserves_flags)
            ),
            _ => asm!(
                "msr cntv_tval_el0, {ticks}",
                "msr cntv_ctl_el0, {on}",
                "isb",
                ticks = in(reg) ticks,
                on = in(reg) 1u64,
                options(nostack, preserves_flags)
            ),
        }
    }
}

fn stop() {
    // SAFETY: as in `arm`.
    unsafe {
        match regs::current_el() {
            2 => asm!(
                "msr cnthp_ctl_el2, xzr",
                "isb",
                options(nostack, preserves_flags)
            ),
            _ => asm!(
                "msr cntv_ctl_el0, xzr",
                "isb",
                options(nostack, preserves_flags)
            ),
        }
    }
}

/// Switches the timer off and ends its interrupt, if it is pending. Says whether it was, and gives
/// the number of anything else that was there instead.
///
/// # Errors
/// An interrupt of another number was pending; it has been ended.
pub fn take() -> Result<bool, u64> {
    let wanted = match regs::current_el() {
        2 => EL2_TIMER,
        _ => VIRTUAL_TIMER,
    };
    let id: u64;
    // ICC_IAR1_EL1.
    // SAFETY: acknowledges; it is ended below.
    unsafe {
        asm!("mrs {}, S3_0_C12_C12_0", "dsb sy", out(reg) id, options(nostack, preserves_flags));
    }
    // Before its end: the line is level-sensitive.
    stop();
    if id >= SPECIAL {
        return Ok(false);
    }
    // ICC_EOIR1_EL1.
    // SAFETY: ends what was acknowledged above.
    unsafe {
        asm!("msr S3_0_C12_C12_1, {}", "isb", in(reg) id, options(nostack, preserves_flags));
    }
    if id == wanted { Ok(true) } else { Err(id) }
}
