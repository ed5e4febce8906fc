//! [`Flush`] on the machine. The only part of stage 2 that touches it.

use super::{Flush, Regime};
use crate::{read_sysreg, write_sysreg};
use core::arch::asm;

/// HCR_EL2.TGE.
const TGE: u64 = 1 << 27;
/// Bit 63 of the operand of TLBI IPAS2E1IS, in the secure state: the non-secure IPA space.
const NON_SECURE_SPACE: u64 = 1 << 63;

/// Whose IPA space is flushed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IpaSpace {
    /// The current security state's own: from NS-EL2 the only one, from S-EL2 the secure one.
    Own,
    /// From S-EL2 the non-secure one.
    NonSecure,
}

/// Flushes one guest's translations on all cores.
///
/// TLB maintenance acts on the VMID in VTTBR_EL2. That register, and VSTTBR_EL2 with it, names this guest's tables while
/// it lasts, so that no speculative walk can file another guest's tables under this VMID.
#[derive(Clone, Copy, Debug)]
pub struct Tlbi {
    /// VTTBR_EL2 of the guest.
    vttbr: u64,
    /// VSTTBR_EL2 of the guest, at S-EL2.
    vsttbr: Option<u64>,
    space: IpaSpace,
    regime: Regime,
}

impl Tlbi {
    /// For a VM, from NS-EL2.
    #[must_use]
    pub const fn normal(vttbr: u64) -> Self {
        Self {
            vttbr,
            vsttbr: None,
            space: IpaSpace::Own,
            regime: Regime::Stage2,
        }
    }

    /// For a partition at EL0, whose translations are stage 1 of EL2's own regime.
    #[must_use]
    pub const fn el0() -> Self {
        Self {
            regime: Regime::El0,
            ..Self::normal(0)
        }
    }

    /// For a partition, from S-EL2: both of its registers, and which of the two spaces changes.
    #[must_use]
    pub const fn secure(vttbr: u64, vsttbr: u64, space: IpaSpace) -> Self {
        Self {
            vttbr,
            vsttbr: Some(vsttbr),
            space,
            regime: Regime::Stage2,
        }
    }

    /// Runs `f` with the guest's VMID current and the EL1&0 regime the one that EL1's TLBI instructions act on.
    fn with_guest(&self, f: impl FnOnce()) {
        let hcr = read_sysreg!("hcr_el2");
        let vttbr = read_sysreg!("vttbr_el2");
        // VSTTBR_EL2 by its encoding: the assembler wants FEAT_SEL2 for the name.
        let vsttbr = self.vsttbr.map(|_| read_sysreg!("S3_4_C2_C6_0"));
        // SAFETY: this core is in EL2 and stays there, where stage 2 does not apply; all three registers are put back.
        // The stores before are complete before any walk through the new values.
        unsafe {
            asm!("dsb ishst", options(nostack, preserves_flags));
            write_sysreg!("hcr_el2", hcr & !TGE);
            write_sysreg!("vttbr_el2", self.vttbr);
            if let Some(vsttbr) = self.vsttbr {
                write_sysreg!("S3_4_C2_C6_0", vsttbr);
            }
            asm!("isb", options(nostack, preserves_flags));
        }
        f();
        // SAFETY: as above.
        unsafe {
            write_sysreg!("vttbr_el2", vttbr);
            if let Some(vsttbr) = vsttbr {
                write_sysreg!("S3_4_C2_C6_0", vsttbr);
            }
            write_sysreg!("hcr_el2", hcr);
            asm!("isb", options(nostack, preserves_flags));
        }
    }
}

impl Flush for Tlbi {
    fn ipa(&self, vmid: u16, ipa: u64) {
        if self.regime == Regime::El0 {
            // VA[55:12] in bits 43:0, the ASID in 63:48.
            let operand = u64::from(vmid) << 48 | ipa >> 12 & 0xfff_ffff_ffff;
            // SAFETY: invalidating makes the cores walk again, nothing else.
            unsafe {
                asm!(
                    "dsb ishst",
                    "tlbi vae2is, {operand}",
                    "dsb ish",
                    "isb",
                    operand = in(reg) operand,
                    options(nostack, preserves_flags),
                );
            }
            return;
        }
        let space = match self.space {
            IpaSpace::Own => 0,
            IpaSpace::NonSecure => NON_SECURE_SPACE,
        };
        // IPA[47:12] in bits 35:0; bits 47:44 are a level hint, 0 for none.
        let operand = (ipa >> 12 & 0xf_ffff_ffff) | space;
        // SAFETY: invalidating makes the cores walk again, nothing else. The stage 1 half goes after the stage 2 half:
        // combined entries could be made from a stage 2 entry that is still cached.
        self.with_guest(|| unsafe {
            asm!(
                "tlbi ipas2e1is, {operand}",
                "dsb ish",
                "tlbi vmalle1is",
                "dsb ish",
                "isb",
                operand = in(reg) operand,
                options(nostack, preserves_flags),
            );
        });
    }

    fn all(&self, _vmid: u16) {
        if self.regime == Regime::El0 {
            // EL2 has no instruction for one ASID. The image's own are forgotten too.
            // SAFETY: invalidating makes the cores walk again, nothing else.
            unsafe {
                asm!(
                    "dsb ishst",
                    "tlbi alle2is",
                    "dsb ish",
                    "isb",
                    options(nostack, preserves_flags)
                );
            }
            return;
        }
        // SAFETY: invalidating makes the cores walk again, nothing else.
        self.with_guest(|| unsafe {
            asm!(
                "tlbi vmalls12e1is",
                "dsb ish",
                "isb",
                options(nostack, preserves_flags)
            );
        });
    }

    fn publish(&self) {
        // SAFETY: barriers only order.
        unsafe { asm!("dsb ishst", "isb", options(nostack, preserves_flags)) };
    }
}
