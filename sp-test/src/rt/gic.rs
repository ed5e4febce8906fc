//! The interrupt controller as a VM sees it at EL1: GICD and GICR frames at the board's own addresses, ICC_*
//! registers. Each access is one plain load or store: a hypervisor that emulates the frames can't decode others.

use super::regs;
use crate::board::place;
use core::arch::asm;

/// GICD.
pub const DISTRIBUTOR: u64 = place(0x0800_0000);
/// GICR of the first vCPU; the others' follow.
pub const REDISTRIBUTORS: u64 = place(0x080a_0000);
/// Bytes from one vCPU's redistributor to the next one's.
pub const STRIDE: u64 = 0x2_0000;
/// From RD_base to SGI_base.
pub const SGI_FRAME: u64 = 0x1_0000;
/// CNTV, PPI 11.
pub const VIRTUAL_TIMER: u32 = 27;
/// INTIDs from here on mean that nothing is pending.
pub const SPECIAL: u32 = 1020;

const GICR_WAKER: u64 = 0x14;
const CHILDREN_ASLEEP: u32 = 1 << 2;
const PROCESSOR_SLEEP: u32 = 1 << 1;
const IGROUPR0: u64 = 0x80;
const ISENABLER0: u64 = 0x100;
const ICENABLER0: u64 = 0x180;
const IPRIORITYR: u64 = 0x400;

/// The priority that everything has after [`open`].
pub const PRIORITY: u8 = 0x80;

/// This vCPU's place in its VM.
pub fn vcpu() -> u64 {
    regs::mpidr() & 0xff
}

/// RD_base of this vCPU.
pub fn redistributor() -> u64 {
    REDISTRIBUTORS + vcpu() * STRIDE
}

/// Reads 32 bits.
pub fn read(address: u64) -> u32 {
    let value: u32;
    // SAFETY: a register of the controller; reading it has no effect on memory.
    unsafe {
        asm!("ldr {0:w}, [{1}]", out(reg) value, in(reg) address, options(nostack, preserves_flags));
    }
    value
}

/// Reads 64 bits.
pub fn read_64(address: u64) -> u64 {
    let value: u64;
    // SAFETY: as above.
    unsafe {
        asm!("ldr {0}, [{1}]", out(reg) value, in(reg) address, options(nostack, preserves_flags));
    }
    value
}

/// Writes 32 bits.
pub fn write(address: u64, value: u32) {
    // SAFETY: a register of the controller; which interrupts come is this image's own business.
    unsafe {
        asm!("str {0:w}, [{1}]", in(reg) value, in(reg) address, options(nostack, preserves_flags));
    }
}

/// Writes 8 bits.
pub fn write_byte(address: u64, value: u8) {
    // SAFETY: as above.
    unsafe {
        asm!("strb {0:w}, [{1}]", in(reg) u32::from(value), in(reg) address, options(nostack, preserves_flags));
    }
}

/// Opens this vCPU's interrupts: SGIs and the virtual timer are enabled in group 1, at [`PRIORITY`].
pub fn open() {
    // GICD_CTLR: affinity routing, group 1.
    write(DISTRIBUTOR, 1 << 4 | 1 << 1);
    let rd = redistributor();
    write(rd + GICR_WAKER, read(rd + GICR_WAKER) & !PROCESSOR_SLEEP);
    for _ in 0..1000 {
        if read(rd + GICR_WAKER) & CHILDREN_ASLEEP == 0 {
            break;
        }
    }
    write(rd + SGI_FRAME + IGROUPR0, u32::MAX);
    for id in 0..16 {
        set_priority(id, PRIORITY);
    }
    set_priority(VIRTUAL_TIMER, PRIORITY);
    write(rd + SGI_FRAME + ISENABLER0, 0xffff | 1 << VIRTUAL_TIMER);
    // ICC_SRE_EL1, ICC_CTLR_EL1, ICC_PMR_EL1, ICC_IGRPEN1_EL1.
    // SAFETY: whether interrupts are taken is PSTATE's business.
    unsafe {
        asm!(
            "msr S3_0_C12_C12_5, {sre}",
            "isb",
            "msr S3_0_C12_C12_4, xzr",
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

/// Enables or disables an SGI or PPI of this vCPU.
pub fn enable(id: u32, on: bool) {
    let register = if on { ISENABLER0 } else { ICENABLER0 };
    write(redistributor() + SGI_FRAME + register, 1 << (id & 31));
}

/// The priority of an SGI or PPI of this vCPU.
pub fn set_priority(id: u32, priority: u8) {
    write_byte(
        redistributor() + SGI_FRAME + IPRIORITYR + u64::from(id & 31),
        priority,
    );
}

/// ICC_PMR_EL1: what is not of a higher priority than this stays pending.
pub fn mask_priority(priority: u8) {
    // SAFETY: as in `open`.
    unsafe {
        asm!("msr S3_0_C4_C6_0, {}", "isb", in(reg) u64::from(priority), options(nostack, preserves_flags));
    }
}

/// ICC_IAR1_EL1: takes the highest pending interrupt, [`SPECIAL`] or above for none.
pub fn acknowledge() -> u32 {
    let id: u64;
    // SAFETY: what is taken must be given to `end`.
    unsafe {
        asm!("mrs {}, S3_0_C12_C12_0", "dsb sy", out(reg) id, options(nostack, preserves_flags));
    }
    id as u32 & 0xff_ffff
}

/// ICC_EOIR1_EL1.
pub fn end(id: u32) {
    // SAFETY: ends what was taken.
    unsafe {
        asm!("msr S3_0_C12_C12_1, {}", "isb", in(reg) u64::from(id), options(nostack, preserves_flags));
    }
}

/// ICC_HPPIR1_EL1: the highest pending one, which stays so.
pub fn highest_pending() -> u32 {
    let id: u64;
    // SAFETY: reads only.
    unsafe {
        asm!("mrs {}, S3_0_C12_C12_2", out(reg) id, options(nostack, preserves_flags));
    }
    id as u32 & 0xff_ffff
}

/// ICC_SGI1R_EL1 as it is.
pub fn send_raw(value: u64) {
    // SAFETY: who takes it has asked for it.
    unsafe {
        asm!("dsb sy", "msr S3_0_C12_C11_5, {}", "isb", in(reg) value, options(nostack));
    }
}

/// Sends SGI `id` to the vCPUs in `targets`, a bit for each.
pub fn send(id: u32, targets: u16) {
    send_raw(u64::from(id & 15) << 24 | u64::from(targets));
}

/// Arms the virtual timer, `ticks` from now.
pub fn arm(ticks: u64) {
    // SAFETY: the timer is this vCPU's own.
    unsafe {
        asm!(
            "msr cntv_tval_el0, {ticks}",
            "msr cntv_ctl_el0, {on}",
            "isb",
            ticks = in(reg) ticks,
            on = in(reg) 1u64,
            options(nostack, preserves_flags)
        );
    }
}

/// Stops the virtual timer.
pub fn disarm() {
    // SAFETY: as in `arm`.
    unsafe {
        asm!(
            "msr cntv_ctl_el0, xzr",
            "isb",
            options(nostack, preserves_flags)
        );
    }
}

/// WFI.
pub fn wait() {
    // SAFETY: waits; a pending interrupt ends it, masked or not.
    unsafe {
        asm!("dsb sy", "wfi", options(nostack, preserves_flags));
    }
}
