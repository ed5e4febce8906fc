//! What a guest reads from the identification registers (ID group 3, trapped by HCR_EL2.TID3): the
//! CPU's own values without what the guest can't have.

use crate::{
    read_sysreg,
    sysreg::isb,
    trap::{SystemAccess, sysreg_name},
    write_sysreg,
};

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

/// Keeps only the 4-bit fields of `value` that start at these bits.
const fn only(value: u64, shifts: &[u32]) -> u64 {
    value & !without(u64::MAX, shifts)
}

/// ID_AA64PFR0_EL1 whose CSV2 says no more than that speculation keeps to its context: from 2 on it promises SCXTNUM.
const fn plain_csv2(pfr0: u64) -> u64 {
    const CSV2: u32 = 56;
    if pfr0 >> CSV2 & 0xf > 1 {
        without(pfr0, &[CSV2]) | 1 << CSV2
    } else {
        pfr0
    }
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A partition: no SVE either.
    Partition,
    /// A VM that shares its cores with others.
    Vm,
}

/// The value for a read of an identification register, or `None` if `access` is no such read.
///
/// SVE for a partition, SME, MTE, MPAM, AMU, the PMU, SPE and trace are taken out: they are trapped. So are SCXTNUM
/// (of CSV2), and what is not switched on for a guest: memory copies for a partition, stores of 64 bytes. A wait that
/// ends by itself (WFIT) would be one for an interrupt to a VM. Registers of the group that are not named here are reserved or
/// AArch32's, and read zero.
pub fn read(access: SystemAccess, to: Shown) -> Option<u64> {
    let vm = to == Shown::Vm;
    // op0 = 3, op1 = 0, CRn = 0, CRm = 1 to 7.
    let name = access.name();
    let (crm, op2) = (name >> 8 & 0xf, name >> 5 & 0x7);
    if !access.is_read() || name & !0xfe0 != 3 << 19 || !(1..=7).contains(&crm) {
        return None;
    }
    Some(match (crm, op2) {
        // ID_AA64PFR0_EL1: MPAM, AMU.
        (4, 0) if vm => plain_csv2(without(read_sysreg!("id_aa64pfr0_el1"), &[40, 44])),
        // ID_AA64PFR1_EL1: BT, SSBS, RAS_frac. No NMI: the virtual GIC has none.
        (4, 1) if vm => only(read_sysreg!("id_aa64pfr1_el1"), &[0, 4, 12]),
        // ID_AA64ZFR0_EL1.
        (4, 4) if vm => read_sysreg!("S3_0_C0_C4_4"),
        // ID_AA64ISAR1_EL1: LS64.
        (6, 1) => without(read_sysreg!("id_aa64isar1_el1"), &[60]),
        // ID_AA64ISAR2_EL1: WFxT.
        (6, 2) if vm => without(read_sysreg!("S3_0_C0_C6_2"), &[0]),
        // The same: MOPS.
        (6, 2) => without(read_sysreg!("S3_0_C0_C6_2"), &[16]),
        // ID_AA64MMFR1_EL1: LO.
        (7, 1) if vm => without(read_sysreg!("id_aa64mmfr1_el1"), &[16]),
        // ID_AA64PFR0_EL1: SVE, MPAM, AMU.
        (4, 0) => plain_csv2(without(read_sysreg!("id_aa64pfr0_el1"), &[32, 40, 44])),
        // ID_AA64PFR1_EL1: MTE, MPAM_frac, SME, CSV2_frac.
        (4, 1) => without(read_sysreg!("id_aa64pfr1_el1"), &[8, 16, 24, 32, 40]),
        // ID_AA64DFR0_EL1: the debug architecture's version only; no breakpoints beyond the
        // minimum that the field can say.
        (5, 0) => read_sysreg!("id_aa64dfr0_el1") & 0xf | 1 << 12 | 1 << 20,
        (6, 0) => read_sysreg!("id_aa64isar0_el1"),
        (7, 0) => read_sysreg!("id_aa64mmfr0_el1"),
        (7, 1) => read_sysreg!("id_aa64mmfr1_el1"),
        (7, 2) => read_sysreg!("S3_0_C0_C7_2"),
        _ => 0,
    })
}

/// Whether `access` is one to a debug register (trapped by MDCR_EL2.TDA, TDOSA, TDRA and TDCC). They read zero and
/// ignore writes, so that a kernel that sets them up at its start finds no breakpoints, and goes on.
pub fn is_debug(access: SystemAccess) -> bool {
    // op0 = 2, op1 = 0 or, for EL0's, 3. op1 = 1 is trace.
    let name = access.name();
    name >> 19 == 2 && matches!(name >> 16 & 7, 0 | 3)
}

const CCSIDR: u32 = sysreg_name(3, 1, 0, 0, 0);
const CLIDR: u32 = sysreg_name(3, 1, 0, 0, 1);
const CCSIDR2: u32 = sysreg_name(3, 1, 0, 0, 2);
const CSSELR: u32 = sysreg_name(3, 2, 0, 0, 0);
const CTR: u32 = sysreg_name(3, 3, 0, 0, 1);
const AFSR0: u32 = sysreg_name(3, 0, 5, 1, 0);
const AFSR1: u32 = sysreg_name(3, 0, 5, 1, 1);
/// Whether it is op0 3, op1 0, CRn 5, CRm 3 to 5.
const fn is_error_record(name: u32) -> bool {
    let crm = name >> 8 & 0xf;
    name & !0xfff == sysreg_name(3, 0, 5, 0, 0) && 3 <= crm && crm <= 5
}
/// CSSELR_EL1: TnD, Level, InD.
const SELECTION: u64 = 0x1f;

/// An access to the registers that describe caches (trapped by HCR_EL2.TID4 or TID2), to AFSR0_EL1 and
/// AFSR1_EL1 (trapped where fine-grained traps are there), or to error records (trapped by HCR_EL2.TERR), of
/// which a guest has none. CSSELR_EL1 selects which cache is
/// described, and it is one register for all who share the core: each guest has its own, `selected`, in
/// memory instead.
///
/// Gives the value of a read, and something that means nothing for a write of `written`. `None` if
/// `access` is none of these.
pub fn cache(access: SystemAccess, written: u64, selected: &mut u64) -> Option<u64> {
    Some(match (access.name(), access.is_read()) {
        (CSSELR, true) => *selected,
        (CSSELR, false) => {
            *selected = written & SELECTION;
            0
        }
        (CLIDR, true) => read_sysreg!("clidr_el1"),
        (CTR, true) => read_sysreg!("ctr_el0"),
        (CCSIDR, true) => described(*selected, || read_sysreg!("ccsidr_el1")),
        // CCIDX, bits 23:20 of ID_AA64MMFR2_EL1: without it there is no such register.
        (CCSIDR2, true) if read_sysreg!("S3_0_C0_C7_2") >> 20 & 0xf != 0 => {
            described(*selected, || read_sysreg!("S3_1_C0_C0_2"))
        }
        // Implementation defined, and nothing that a guest can rely on.
        (AFSR0 | AFSR1, _) => 0,
        // ERRIDR_EL1, ERRSELR_EL1, ERX*_EL1: as many records as ERRIDR_EL1 says, which is none.
        (name, _) if is_error_record(name) && read_sysreg!("id_aa64pfr0_el1") >> 28 & 0xf != 0 => 0,
        _ => return None,
    })
}

/// Reads a description of the selected cache, and puts back what the core's owner has selected.
fn described(selected: u64, read: impl Fn() -> u64) -> u64 {
    let own = read_sysreg!("csselr_el1");
    // SAFETY: it only selects what the next read describes, and is put back.
    unsafe { write_sysreg!("csselr_el1", selected) }
    isb();
    let value = read();
    // SAFETY: as above.
    unsafe { write_sysreg!("csselr_el1", own) }
    isb();
    value
}
