//! The ID registers: each can be read, and what a partition can't have is not there.

use super::{Case, Env, Problem, Verdict, Wrong, case, equal, for_};
use crate::rt::fault;
use crate::rt::id::{self, ID_REGISTERS};

pub(super) const CASES: &[Case] = &[
    case("id_registers_are_readable", for_::partitions, readable),
    case("id_reserved_are_zero", for_::partitions, reserved),
    case("id_el1_is_aarch64", for_::partitions, levels),
    case("id_fp_and_simd_are_there", for_::partitions, fp),
    case("id_no_sve_sme_mte", for_::partitions, none),
    case("id_granule_and_addresses", for_::partitions, memory),
    case("id_reads_are_the_same", for_::partitions, same),
];

/// op2 and CRm of the AArch64 ones: `id(4, 0)` is ID_AA64PFR0_EL1.
fn id(crm: u64, op2: u64) -> Result<u64, Wrong> {
    let number = crm << 4 | op2;
    id::read(number).map_err(|fault| Wrong {
        step: "reading S3_0_C0_Cm_n, m and n",
        turn: number,
        problem: Problem::Fault(fault),
    })
}

fn field(value: u64, shift: u32) -> u64 {
    value >> shift & 0xf
}

fn readable(_: &mut Env) -> Verdict {
    for (crm, op2) in ID_REGISTERS {
        id(crm, op2)?;
    }
    // What is beside them: MIDR_EL1, MPIDR_EL1, REVIDR_EL1.
    for op2 in [0, 5, 6] {
        id(0, op2)?;
    }
    // And something that is no register, to see that this would be seen.
    equal(
        "an undefined instruction faults",
        0,
        u64::from(fault::probe_undefined().is_err()),
        1,
    )
}

fn reserved(_: &mut Env) -> Verdict {
    for (crm, op2) in [
        (4, 3),
        (4, 6),
        (5, 3),
        (5, 6),
        (5, 7),
        (6, 4),
        (6, 5),
        (6, 6),
        (6, 7),
        (7, 5),
        (7, 6),
        (7, 7),
    ] {
        equal("reserved", crm << 4 | op2, id(crm, op2)?, 0)?;
    }
    Ok(())
}

fn levels(_: &mut Env) -> Verdict {
    let pfr0 = id(4, 0)?;
    for (name, shift) in [("EL0", 0), ("EL1", 4)] {
        if !matches!(field(pfr0, shift), 1 | 2) {
            equal(name, pfr0, field(pfr0, shift), 1)?;
        }
    }
    Ok(())
}

fn fp(_: &mut Env) -> Verdict {
    let pfr0 = id(4, 0)?;
    for (name, shift) in [("FP", 16), ("AdvSIMD", 20)] {
        if !matches!(field(pfr0, shift), 0 | 1) {
            equal(name, pfr0, field(pfr0, shift), 1)?;
        }
    }
    Ok(())
}

fn none(_: &mut Env) -> Verdict {
    let (pfr0, pfr1) = (id(4, 0)?, id(4, 1)?);
    equal("SVE", pfr0, field(pfr0, 32), 0)?;
    equal("SME", pfr1, field(pfr1, 24), 0)?;
    equal("MTE", pfr1, field(pfr1, 8), 0)?;
    equal("ID_AA64ZFR0_EL1", 0, id(4, 4)?, 0)?;
    equal("ID_AA64SMFR0_EL1", 0, id(4, 5)?, 0)
}

fn memory(_: &mut Env) -> Verdict {
    let mmfr0 = id(7, 0)?;
    if !matches!(field(mmfr0, 0), 0..=7) {
        equal("PARange", mmfr0, field(mmfr0, 0), 5)?;
    }
    // 4 KiB pages: 0, or 1 with 52-bit addresses.
    if !matches!(field(mmfr0, 28), 0 | 1) {
        equal("TGran4", mmfr0, field(mmfr0, 28), 0)?;
    }
    Ok(())
}

/// Some partitions read one of them hundreds of times.
fn same(_: &mut Env) -> Verdict {
    let first = id(4, 1)?;
    for turn in 1..300 {
        equal("ID_AA64PFR1_EL1", turn, id(4, 1)?, first)?;
    }
    Ok(())
}
