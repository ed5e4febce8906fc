//! What a guest reads from the identification registers (ID group 3, trapped by HCR_EL2.TID3): the
//! CPU's own values without what the guest can't have.

use crate::{read_sysreg, trap::SystemAccess};

/// Keeps all fields of `value` but the 4-bit ones that start at these bits.
const fn without(value: u64, shifts: &[u32]) -> u64 {
    let mut value = value;
    let mut i = 0;
    while i < shifts.len() {
        value &= !(0xf << shifts[i]);
        i += 1;
    }
    value
}

/// The value for a read of an identification register, or `None` if `access` is no such read.
///
/// SVE, SME, MTE, MPAM, AMU, the PMU, SPE and trace are taken out: they are trapped. Registers of
/// the group that are not named here are reserved or AArch32's, and read zero.
pub fn read(access: SystemAccess) -> Option<u64> {
    // op0 = 3, op1 = 0, CRn = 0, CRm = 1 to 7.
    let name = access.name();
    let (crm, op2) = (name >> 8 & 0xf, name >> 5 & 0x7);
    if !access.is_read() || name & !0xfe0 != 3 << 19 || !(1..=7).contains(&crm) {
        return None;
    }
    Some(match (crm, op2) {
        // ID_AA64PFR0_EL1: SVE, MPAM, AMU.
        (4, 0) => without(read_sysreg!("id_aa64pfr0_el1"), &[32, 40, 44]),
        // ID_AA64PFR1_EL1: MTE, MPAM_frac, SME.
        (4, 1) => without(read_sysreg!("id_aa64pfr1_el1"), &[8, 16, 24, 40]),
        // ID_AA64DFR0_EL1: the debug architecture's version only; no breakpoints beyond the
        // minimum that the field can say.
        (5, 0) => read_sysreg!("id_aa64dfr0_el1") & 0xf | 1 << 12 | 1 << 20,
        (6, 0) => read_sysreg!("id_aa64isar0_el1"),
        (6, 1) => read_sysreg!("id_aa64isar1_el1"),
        (6, 2) => read_sysreg!("S3_0_C0_C6_2"),
        (7, 0) => read_sysreg!("id_aa64mmfr0_el1"),
        (7, 1) => read_sysreg!("id_aa64mmfr1_el1"),
        (7, 2) => read_sysreg!("S3_0_C0_C7_2"),
        _ => 0,
    })
}
