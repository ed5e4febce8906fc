//! The normal world's half of the interrupt controller, at NS-EL2, and what this client can raise: its timer, an SGI,
//! [`Line::Normal`], and the PMU's interrupt, which is a partition's. Interrupts stay masked: they are polled for.

use crate::board::{self, Line};
use crate::interrupts::SCHEDULE_RECEIVER;
use crate::rt::gic::{DISTRIBUTOR, REDISTRIBUTORS, SGI_FRAME, SPECIAL, STRIDE};
use crate::rt::gic::{acknowledge, end, read, send_raw, write, write_byte};
use crate::rt::line::Device;
use core::arch::asm;

/// CNTHP, PPI 10.
pub const TIMER: u32 = 26;
/// An SGI between this client's cores.
pub const SGI: u32 = 1;

const GICD_CTLR: u64 = 0;
const GICD_CTLR_ENABLE_GRP1A: u32 = 1 << 1;
const GICD_ISENABLER: u64 = 0x100;
const GICD_IPRIORITYR: u64 = 0x400;
const GICD_IROUTER: u64 = 0x6000;
const GICR_ISENABLER0: u64 = SGI_FRAME + 0x100;
const GICR_IPRIORITYR: u64 = SGI_FRAME + 0x400;
const PRIORITY: u8 = 0x80;

/// The line that is this client's.
pub const NORMAL: Device = Device::new(Line::Normal, 0);
/// The line of a partition that this client can raise.
pub const SHARED: Device = Device::new(Line::Shared, 0);

/// Opens the CPU interface of this core, whose number it is, and its timer and SGIs; on the boot core, the line too.
pub fn open(core: u64) {
    let rd = REDISTRIBUTORS + core * STRIDE;
    write(
        DISTRIBUTOR + GICD_CTLR,
        read(DISTRIBUTOR + GICD_CTLR) | GICD_CTLR_ENABLE_GRP1A,
    );
    for id in [TIMER, SGI, SCHEDULE_RECEIVER] {
        write_byte(rd + GICR_IPRIORITYR + u64::from(id), PRIORITY);
        write(rd + GICR_ISENABLER0, 1 << id);
    }
    if core == 0 {
        let id = u64::from(Line::Normal.intid());
        write_byte(DISTRIBUTOR + GICD_IPRIORITYR + id, PRIORITY);
        route(Line::Normal.intid(), 0);
        write(DISTRIBUTOR + GICD_ISENABLER + id / 32 * 4, 1 << (id % 32));
    }
    // ICC_SRE_EL2, ICC_SRE_EL1, ICC_PMR_EL1, ICC_IGRPEN1_EL1.
    // SAFETY: interrupts are masked: nothing is taken by this.
    unsafe {
        asm!(
            "dsb sy",
            "msr S3_4_C12_C9_5, {sre}",
            "isb",
            "msr S3_0_C12_C12_5, {sre}",
            "isb",
            "msr S3_0_C4_C6_0, {pmr}",
            "msr S3_0_C12_C12_7, {one}",
            "isb",
            sre = in(reg) 0xfu64,
            pmr = in(reg) 0xffu64,
            one = in(reg) 1u64,
            options(nostack, preserves_flags)
        );
    }
}

/// Where an SPI of the normal world goes.
pub fn route(id: u32, core: u64) {
    let register = DISTRIBUTOR + GICD_IROUTER + 8 * u64::from(id);
    let affinity = board::affinity(core);
    write(register, affinity as u32);
    write(register + 4, (affinity >> 32) as u32);
}

/// Takes the highest interrupt that is pending here, if there is one, and silences what raised it.
pub fn take() -> Option<u32> {
    let id = acknowledge();
    if id >= SPECIAL {
        return None;
    }
    if id == TIMER {
        disarm();
    }
    if id == Line::Normal.intid() {
        NORMAL.lower();
    }
    end(id);
    Some(id)
}

/// Sends [`SGI`] to a core.
pub fn send(core: u64) {
    let affinity = board::affinity(core);
    let [aff0, aff1, aff2] = [0, 8, 16].map(|shift| affinity >> shift & 0xff);
    send_raw(u64::from(SGI) << 24 | aff2 << 32 | aff1 << 16 | 1 << aff0);
}

/// Lets this core's timer fire `ticks` from now.
pub fn arm(ticks: u64) {
    // SAFETY: the timer is this image's own.
    unsafe {
        asm!(
            "msr cnthp_tval_el2, {ticks}",
            "msr cnthp_ctl_el2, {on}",
            "isb",
            ticks = in(reg) ticks,
            on = in(reg) 1u64,
            options(nostack, preserves_flags)
        );
    }
}

/// Stops this core's timer.
pub fn disarm() {
    // SAFETY: as in `arm`.
    unsafe {
        asm!(
            "msr cnthp_ctl_el2, xzr",
            "isb",
            options(nostack, preserves_flags)
        );
    }
}

/// The interrupt of this core's PMU, which is a partition's here: an event counter that overflows.
pub mod pmu {
    use core::arch::asm;

    /// PMCR_EL0.E.
    const ENABLE: u64 = 1;
    /// PMEVTYPER0_EL0: software increments (event 0), also at EL2 (NSH).
    const SOFTWARE_INCREMENT: u64 = 1 << 27;

    /// Makes it ready on this core.
    pub fn open() {
        // SAFETY: nothing else here uses the PMU.
        unsafe {
            asm!(
                "msr pmovsclr_el0, {all}",
                "msr pmevtyper0_el0, {event}",
                "mrs {old}, pmcr_el0",
                "orr {old}, {old}, {enable}",
                "msr pmcr_el0, {old}",
                "msr pmcntenset_el0, {one}",
                "msr pmintenset_el1, {one}",
                "isb",
                all = in(reg) 0xffff_ffffu64,
                event = in(reg) SOFTWARE_INCREMENT,
                old = out(reg) _,
                enable = in(reg) ENABLE,
                one = in(reg) 1u64,
                options(nostack, preserves_flags)
            );
        }
    }

    /// Lets it come. It is configured as an edge: once.
    pub fn raise() {
        // SAFETY: as above.
        unsafe {
            asm!(
                "msr pmovsclr_el0, {one}",
                "msr pmevcntr0_el0, {last}",
                "isb",
                "msr pmswinc_el0, {one}",
                "isb",
                one = in(reg) 1u64,
                last = in(reg) 0xffff_ffffu64,
                options(nostack, preserves_flags)
            );
        }
    }

    /// Takes its level away.
    pub fn lower() {
        // SAFETY: as above.
        unsafe {
            asm!("msr pmovsclr_el0, {}", "isb", in(reg) 1u64, options(nostack, preserves_flags));
        }
    }
}
