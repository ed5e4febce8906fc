//! The EL2 registers that confine what runs at EL1: stage 2, traps, timers.

use crate::{
    cpu::Features,
    read_sysreg,
    stage2::{Vtcr, vtcr_el2},
    trap::{SystemAccess, sysreg_name},
    write_sysreg,
};
use cortex_a::registers::{
    HCR_EL2, ICH_HCR_EL2, MDCR_EL2, MIDR_EL1, MPIDR_EL1, Readable, VMPIDR_EL2, Writeable,
};

/// CNTHCTL_EL2 (E2H layout): EL1PCTEN, so that the physical counter can be read.
const EL1PCTEN: u64 = 1 << 10;
/// CNTHCTL_EL2 (E2H layout): EL1PTEN, so that the physical timer does not trap.
const EL1PTEN: u64 = 1 << 11;
/// CNTHCTL_EL2.EL1TVT: the virtual timer traps (FEAT_ECV).
const EL1TVT: u64 = 1 << 13;
/// HFGRTR_EL2 and HFGWTR_EL2: TPIDR2_EL0 and SMPRI_EL1 do not trap (their bits count the other way).
const FGT_SME: u64 = 1 << 54 | 1 << 55;

/// HFGRTR_EL2 and HFGWTR_EL2: AFSR0_EL1 and AFSR1_EL1 trap.
const FGT_AFSR: u64 = 1 << 0 | 1 << 1;
/// HFGWTR_EL2: AMAIR_EL1, CONTEXTIDR_EL1, TPIDR_EL1, TPIDRRO_EL0, TPIDR_EL0 and TTBR1_EL1 trap.
const FGT_SELDOM: u64 = 1 << 3 | 1 << 11 | 1 << 33 | 1 << 34 | 1 << 35 | 1 << 37;
/// HCR_EL2.TID2: CTR_EL0 and what describes caches trap.
const TID2: u64 = 1 << 17;
/// HCR_EL2.TID4: what describes caches traps (FEAT_EVT).
const TID4: u64 = 1 << 49;

/// ICH_HCR_EL2: TC, TALL0, TALL1, TDIR.
const ICC_TRAPS: u64 = 1 << 10 | 1 << 11 | 1 << 12 | 1 << 14;

/// HCR_EL2.TWI: WFI traps.
const TWI: u64 = 1 << 13;
/// HCR_EL2.APK: the registers of pointer authentication keys do not trap. What signs with them never does: where they
/// trap they are zero.
const APK: u64 = 1 << 40;
/// MPAM2_EL2: TRAPMPAM1EL1 and TRAPMPAM0EL1.
const MPAM_TRAPS: u64 = 1 << 48 | 1 << 49;
/// HCRX_EL2.MSCEn: the memory copy instructions are there (FEAT_MOPS).
const HCRX_MSCEN: u64 = 1 << 11;

/// Who runs at EL1 on this core, and with that what a guest has of the machine beside its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guests {
    /// Partitions, in the secure state with its second IPA space. What is not switched traps, identification registers
    /// and the GIC's too.
    Partitions,
    /// One VM, always the same vCPU of it: it owns what is not switched, both EL1 timers, debug, PMU, SME's registers.
    OneVm,
    /// VMs, which have timers and virtual interrupts each. What is not switched traps, identification registers too.
    ManyVms,
}

/// Sets this core's EL2 registers for guests of this kind. Stage 2's own root is not among them.
///
/// MTE tags and SCXTNUM trap for everybody (HCR_EL2.ATA and EnSCXT are 0), WFI and WFE for nobody without [`trap_wait`].
///
/// # Safety
///
/// Nothing is running at EL1 on this core, and EL2's own translation regime is EL2&0 (E2H = 1).
pub unsafe fn confine(features: &Features, guests: Guests) {
    let mut hcr = HCR_EL2::VM::Enable
        + HCR_EL2::SWIO::SET
        + HCR_EL2::PTW::SET
        + HCR_EL2::FMO::EnableVirtualFIQ
        + HCR_EL2::IMO::EnableVirtualIRQ
        + HCR_EL2::AMO::SET
        + HCR_EL2::FB::SET
        + HCR_EL2::BSU::InnerShareable
        + HCR_EL2::TSC::EnableTrapEl1SmcToEl2
        + HCR_EL2::TIDCP::SET
        + HCR_EL2::TACR::SET
        + HCR_EL2::TSW::SET
        + HCR_EL2::RW::EL1IsAarch64
        + HCR_EL2::E2H::EnableOsAtEl2
        + HCR_EL2::TLOR::SET
        + HCR_EL2::TERR::SET
        + HCR_EL2::TEA::SET
        + HCR_EL2::APK::SET
        + HCR_EL2::API::SET;
    // E2PB and E2TB stay 0: the profiling and trace buffers are EL2's, which owns none.
    let mut mdcr = MDCR_EL2::HPMN.val(MDCR_EL2.read(MDCR_EL2::HPMN));
    let mut cnthctl = EL1PCTEN;
    let mut fine = 0;
    let mut caches = 0;
    let mut hcrx = 0;
    if guests != Guests::Partitions {
        cnthctl |= EL1PTEN;
        ICH_HCR_EL2.set(0);
        if features.mops {
            hcrx = HCRX_MSCEN;
        }
    }
    if guests == Guests::OneVm {
        if features.sme {
            fine = FGT_SME;
        }
    } else {
        hcr += HCR_EL2::TID3::SET;
        caches = if features.evt { TID4 } else { TID2 };
        fine = FGT_AFSR;
        mdcr += MDCR_EL2::TPMCR::SET
            + MDCR_EL2::TPM::SET
            + MDCR_EL2::TDA::SET
            + MDCR_EL2::TDOSA::SET
            + MDCR_EL2::TDRA::SET
            + MDCR_EL2::TPMS::SET
            + MDCR_EL2::TTRF::SET
            + MDCR_EL2::TDCC::SET;
    }
    if guests == Guests::Partitions {
        if features.ecv {
            cnthctl |= EL1TVT;
        }
        // Any ICC register: the list registers are the other world's, and so are its interrupts.
        ICH_HCR_EL2.set(ICC_TRAPS);
    }
    HCR_EL2.set(hcr.value | caches);
    MDCR_EL2.write(mdcr);
    VMPIDR_EL2.set(MPIDR_EL1.get());
    let vtcr = vtcr_el2(Vtcr {
        pa_range: features.pa_range,
        vmid16: false,
        secure: guests == Guests::Partitions,
    });
    // SAFETY: These control what EL1 may do and how stage 2 is walked; nothing runs at EL1 now.
    unsafe {
        write_sysreg!("vtcr_el2", vtcr);
        write_sysreg!("vpidr_el2", MIDR_EL1.get());
        write_sysreg!("cnthctl_el2", cnthctl);
        write_sysreg!("cntvoff_el2", 0);
        write_sysreg!("hstr_el2", 0);
        if guests != Guests::Partitions {
            // The EL1 timers, by their _EL02 names: what they are after a reset nobody says, and their line stays high
            // until somebody switches them off.
            write_sysreg!("S3_5_C14_C3_1", 0);
            write_sysreg!("S3_5_C14_C2_1", 0);
        }
        if guests == Guests::ManyVms {
            // Its accesses trap: no breakpoint, no single step, for nobody.
            write_sysreg!("mdscr_el1", 0);
            if features.mpam {
                // MPAM2_EL2. All VMs are in partition 0 of the caches.
                write_sysreg!("S3_4_C10_C5_0", MPAM_TRAPS);
            }
        }
        if features.hcx {
            // TCR2_EL1, SCTLR2_EL1 and the like trap.
            write_sysreg!("S3_4_C1_C2_2", hcrx);
        }
        if features.fgt {
            // Of the others only those are on that count the other way.
            write_sysreg!("S3_4_C1_C1_4", fine);
            write_sysreg!("S3_4_C1_C1_5", fine);
            write_sysreg!("S3_4_C1_C1_6", 0);
            write_sysreg!("S3_4_C3_C1_4", 0);
            write_sysreg!("S3_4_C3_C1_5", 0);
        }
    }
    crate::sysreg::isb();
}

/// What HCR_EL2 is for all VMs of this core, after [`confine`]: without what [`trap_wait`] and [`open_keys`] are.
#[must_use]
pub fn common_hcr() -> u64 {
    read_sysreg!("hcr_el2") & !(TWI | APK)
}

/// The bit of HCR_EL2 with which WFI traps.
#[must_use]
pub const fn trap_wait() -> u64 {
    TWI
}

/// The bit of HCR_EL2 without which the registers of keys trap.
#[must_use]
pub const fn open_keys() -> u64 {
    APK
}

/// Sets HCR_EL2 for the guest that runs next.
#[inline(always)]
pub fn set_hcr(hcr: u64) {
    // SAFETY: The caller has it from `common_hcr`, with bits that change what traps.
    unsafe { write_sysreg!("hcr_el2", hcr) }
}

/// Raises the virtual IRQ and the virtual FIQ of the guest that runs next, or takes them down.
pub fn set_lines(irq: bool, fiq: bool) {
    const VF: u64 = 1 << 6;
    const VI: u64 = 1 << 7;
    let rest = read_sysreg!("hcr_el2") & !(VI | VF);
    let lines = if irq { VI } else { 0 } | if fiq { VF } else { 0 };
    // SAFETY: Only what the guest has pending changes.
    unsafe { write_sysreg!("hcr_el2", rest | lines) }
}

/// Opens what a VM uses that not every one does to the guest that runs next, beside the keys ([`open_keys`]), or has it
/// trap: the physical timer, and writes of EL1 registers where the CPU can have them trap one by one (FEAT_FGT).
pub fn open(open: bool, features: &Features) {
    let with = |value: u64, bits: u64, on: bool| if on { value | bits } else { value & !bits };
    let cnthctl = read_sysreg!("cnthctl_el2");
    // SAFETY: Only this trap changes.
    unsafe { write_sysreg!("cnthctl_el2", with(cnthctl, EL1PTEN, open)) }
    if features.fgt {
        let fine = read_sysreg!("S3_4_C1_C1_5");
        // SAFETY: Only these traps change.
        unsafe { write_sysreg!("S3_4_C1_C1_5", with(fine, FGT_SELDOM, !open)) }
    }
}

/// Whether a trapped access is to a register that [`open_keys`] or [`open`] opens.
#[must_use]
pub const fn is_seldom(access: SystemAccess) -> bool {
    const KEYS_FIRST: u32 = sysreg_name(3, 0, 2, 1, 0);
    const KEYS_LAST: u32 = sysreg_name(3, 0, 2, 3, 1);
    const TIMER_FIRST: u32 = sysreg_name(3, 3, 14, 2, 0);
    const TIMER_LAST: u32 = sysreg_name(3, 3, 14, 2, 2);
    const TTBR1: u32 = sysreg_name(3, 0, 2, 0, 1);
    const AMAIR: u32 = sysreg_name(3, 0, 10, 3, 0);
    const CONTEXTIDR: u32 = sysreg_name(3, 0, 13, 0, 1);
    const TPIDR_EL1: u32 = sysreg_name(3, 0, 13, 0, 4);
    const TPIDR_EL0: u32 = sysreg_name(3, 3, 13, 0, 2);
    const TPIDRRO_EL0: u32 = sysreg_name(3, 3, 13, 0, 3);
    matches!(
        access.name(),
        KEYS_FIRST..=KEYS_LAST
            | TIMER_FIRST..=TIMER_LAST
            | TTBR1
            | AMAIR
            | CONTEXTIDR
            | TPIDR_EL1
            | TPIDR_EL0
            | TPIDRRO_EL0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seldom_registers() {
        let access = |op0: u32, op1: u32, crn: u32, crm: u32, op2: u32| {
            SystemAccess(op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1)
        };
        // The five keys, low and high.
        for (crm, op2) in [(1, 0), (1, 3), (2, 0), (2, 3), (3, 0), (3, 1)] {
            assert!(is_seldom(access(3, 0, 2, crm, op2)));
        }
        // CNTP_TVAL, CNTP_CTL and CNTP_CVAL, and not the virtual timer.
        for op2 in 0..3 {
            assert!(is_seldom(access(3, 3, 14, 2, op2)));
            assert!(!is_seldom(access(3, 3, 14, 3, op2)));
        }
        // TTBR1_EL1, and not TTBR0_EL1.
        assert!(is_seldom(access(3, 0, 2, 0, 1)));
        assert!(!is_seldom(access(3, 0, 2, 0, 0)));
        // TCR_EL1, and GCSCR_EL1 behind the keys.
        assert!(!is_seldom(access(3, 0, 2, 0, 2)));
        assert!(!is_seldom(access(3, 0, 2, 5, 0)));
    }
}
