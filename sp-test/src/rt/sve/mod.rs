//! What SVE and SME add to the vector registers, as data: Z, P and FFR at a length, ZA, streaming mode. For clients at
//! NS-EL2 or, as a VM, at EL1: partitions have none of it.

mod state;

pub use state::{Differences, Scalable, Sets, Za, sets};

use super::{fault, id, regs};
use core::arch::asm;

/// The largest vector length in bytes.
pub const LARGEST: usize = 256;
const FA64: u64 = 1 << 31;
/// SVCR.SM and SVCR.ZA.
pub const STREAMING: u64 = 1;
/// See [`STREAMING`].
pub const WITH_ZA: u64 = 2;

/// What the CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// SVE.
    pub sve: bool,
    /// SME.
    pub sme: bool,
    /// All instructions in streaming mode, FFR's too.
    pub fa64: bool,
    /// MTE with its registers.
    pub mte: bool,
}

/// An ID register, 0 if it can't be read.
fn id(number: u64) -> u64 {
    id::read(number).unwrap_or(0)
}

/// Finds out what there is.
pub fn present() -> Present {
    let (pfr0, pfr1, smfr0) = (id(0x40), id(0x41), id(0x45));
    Present {
        sve: pfr0 >> 32 & 0xf != 0,
        sme: pfr1 >> 24 & 0xf != 0,
        fa64: smfr0 >> 63 != 0,
        mte: pfr1 >> 8 & 0xf >= 2,
    }
}

/// Lets this exception level use all of it, at the largest lengths.
pub fn open(present: Present) {
    // CPTR_EL2: TSM (bit 12) off; TZ and TFP are off. CPACR_EL1: FPEN, ZEN, SMEN.
    // SAFETY: only what traps changes.
    unsafe {
        match regs::current_el() {
            2 => {
                asm!("msr cptr_el2, {}", "isb", in(reg) if present.sme { 0x22ffu64 } else { 0x32ff },
                options(nostack, preserves_flags))
            }
            _ => {
                asm!("msr cpacr_el1, {}", "isb", in(reg) 0x0333_0000u64, options(nostack, preserves_flags))
            }
        }
    }
    if present.sve {
        set_length(0xf);
    }
    if present.sme {
        set_streaming_length(0xf, present);
    }
}

/// For a client that has not thought about SVE: uses the longest vectors, if there are any.
pub fn lengthen() {
    let present = present();
    if present.sve {
        open(Present {
            sme: false,
            ..present
        });
    }
}

/// Sets ZCR_ELx.LEN; a length that is not there becomes the next shorter one.
pub fn set_length(len: u64) {
    // SAFETY: what is in the registers is nobody's.
    unsafe {
        match regs::current_el() {
            2 => {
                asm!("msr S3_4_C1_C2_0, {}", "isb", in(reg) len, options(nostack, preserves_flags));
            }
            _ => {
                asm!("msr S3_0_C1_C2_0, {}", "isb", in(reg) len, options(nostack, preserves_flags));
            }
        }
    }
}

/// Sets SMCR_ELx.LEN, and all instructions in streaming mode if there is that.
pub fn set_streaming_length(len: u64, present: Present) {
    let smcr = if present.fa64 { len | FA64 } else { len };
    // SAFETY: what is in the registers is nobody's.
    unsafe {
        match regs::current_el() {
            2 => {
                asm!("msr S3_4_C1_C2_6, {}", "isb", in(reg) smcr, options(nostack, preserves_flags));
            }
            _ => {
                asm!("msr S3_0_C1_C2_6, {}", "isb", in(reg) smcr, options(nostack, preserves_flags));
            }
        }
    }
}

/// ZCR_ELx and, with SME, SMCR_ELx.
pub fn controls(present: Present) -> [u64; 2] {
    let (mut zcr, mut smcr) = (0, 0);
    // SAFETY: reads.
    unsafe {
        if regs::current_el() == 2 {
            if present.sve {
                asm!("mrs {}, S3_4_C1_C2_0", out(reg) zcr, options(nomem, nostack, preserves_flags));
            }
            if present.sme {
                asm!("mrs {}, S3_4_C1_C2_6", out(reg) smcr, options(nomem, nostack, preserves_flags));
            }
        } else {
            if present.sve {
                asm!("mrs {}, S3_0_C1_C2_0", out(reg) zcr, options(nomem, nostack, preserves_flags));
            }
            if present.sme {
                asm!("mrs {}, S3_0_C1_C2_6", out(reg) smcr, options(nomem, nostack, preserves_flags));
            }
        }
    }
    [zcr, smcr]
}

/// Bytes of a vector as the CPU is now, in streaming mode or not (RDVL).
pub fn length() -> usize {
    let bytes: u64;
    // SAFETY: reads a length.
    unsafe {
        asm!(".inst 0x04bf5020", out("x0") bytes, options(nomem, nostack, preserves_flags));
    }
    bytes as usize
}

/// Bytes of a vector in streaming mode (RDSVL).
pub fn streaming_length() -> usize {
    let bytes: u64;
    // SAFETY: reads a length.
    unsafe {
        asm!(".inst 0x04bf5820", out("x0") bytes, options(nomem, nostack, preserves_flags));
    }
    bytes as usize
}

/// SVCR.
pub fn svcr() -> u64 {
    let svcr;
    // SAFETY: reads.
    unsafe {
        asm!("mrs {}, S3_3_C4_C2_2", out(reg) svcr, options(nomem, nostack, preserves_flags));
    }
    svcr
}

/// Sets SVCR: in or out of streaming mode, with or without ZA.
pub fn set_svcr(svcr: u64) {
    // SAFETY: what is in the registers is nobody's.
    unsafe {
        asm!("msr S3_3_C4_C2_2, {}", in(reg) svcr, options(nostack, preserves_flags));
    }
}

/// TPIDR2_EL0; 0 if that is not this image's to read.
pub fn tpidr2() -> u64 {
    fault::expecting(|| {
        let mut value = 0;
        // SAFETY: reads; a fault is stepped over.
        unsafe {
            asm!("mrs {}, S3_3_C13_C0_5", inout(reg) value, options(nostack, preserves_flags));
        }
        value
    })
    .unwrap_or(0)
}

/// Sets TPIDR2_EL0.
pub fn set_tpidr2(value: u64) {
    let _ = fault::expecting(|| {
        // SAFETY: the register is software's; a fault is stepped over.
        unsafe {
            asm!("msr S3_3_C13_C0_5, {}", in(reg) value, options(nostack, preserves_flags));
        }
    });
}
