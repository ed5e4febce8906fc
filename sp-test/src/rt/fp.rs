//! V0-V31, FPCR and FPSR as data. The compiler never uses them (softfloat), so what is put there
//! stays until someone else takes it.

use super::call;
use crate::random::Random;
use core::arch::naked_asm;

/// V0-V31 as pairs of words, then FPCR and FPSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Vectors {
    v: [u64; 64],
    /// FPCR, FPSR.
    control: [u64; 2],
}

/// FPCR's rounding mode, flush-to-zero and default NaN; FPSR's cumulative flags and QC. Only bits
/// that every implementation keeps.
const FPCR_BITS: u64 = 0x03c0_0000;
const FPSR_BITS: u64 = 0x0800_001f;

impl Vectors {
    /// All zero.
    pub const fn zero() -> Self {
        Self {
            v: [0; 64],
            control: [0; 2],
        }
    }

    /// A pattern made from `seed`.
    pub fn pattern(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut vectors = Self::zero();
        random.fill(&mut vectors.v);
        vectors.control = [random.next() & FPCR_BITS, random.next() & FPSR_BITS];
        vectors
    }

    /// A fresh pattern.
    pub fn fresh() -> Self {
        Self::pattern(call::fresh().next())
    }

    /// Puts these values into the registers.
    pub fn load(&self) {
        // SAFETY: reads the structure it is given and writes registers the compiler does not use.
        unsafe { load_vectors(self) }
    }

    /// Takes the registers' values.
    pub fn store() -> Self {
        let mut vectors = Self::zero();
        // SAFETY: writes the structure it is given.
        unsafe { store_vectors(&mut vectors) }
        vectors
    }

    /// How many of the 66 words differ.
    pub fn differences(&self, other: &Self) -> u64 {
        let mine = self.v.iter().chain(&self.control);
        let theirs = other.v.iter().chain(&other.control);
        mine.zip(theirs)
            .filter(|(mine, theirs)| mine != theirs)
            .count() as u64
    }
}

macro_rules! vectors {
    ($name:ident, $pair:literal, $fpcr:literal, $fpsr:literal, $this:ty) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(this: $this) {
            naked_asm!(
                ".arch_extension fp",
                ".arch_extension simd",
                concat!($pair, " q0, q1, [x0]"),
                concat!($pair, " q2, q3, [x0, #32]"),
                concat!($pair, " q4, q5, [x0, #64]"),
                concat!($pair, " q6, q7, [x0, #96]"),
                concat!($pair, " q8, q9, [x0, #128]"),
                concat!($pair, " q10, q11, [x0, #160]"),
                concat!($pair, " q12, q13, [x0, #192]"),
                concat!($pair, " q14, q15, [x0, #224]"),
                concat!($pair, " q16, q17, [x0, #256]"),
                concat!($pair, " q18, q19, [x0, #288]"),
                concat!($pair, " q20, q21, [x0, #320]"),
                concat!($pair, " q22, q23, [x0, #352]"),
                concat!($pair, " q24, q25, [x0, #384]"),
                concat!($pair, " q26, q27, [x0, #416]"),
                concat!($pair, " q28, q29, [x0, #448]"),
                concat!($pair, " q30, q31, [x0, #480]"),
                "add x0, x0, #512",
                $fpcr,
                $fpsr,
                concat!($pair, " x1, x2, [x0]"),
                "ret",
                ".arch_extension nosimd",
                ".arch_extension nofp",
            )
        }
    };
}

#[unsafe(naked)]
unsafe extern "C" fn load_control(from: &[u64; 2]) {
    naked_asm!(
        ".arch_extension fp",
        "ldp x1, x2, [x0]",
        "msr fpcr, x1",
        "msr fpsr, x2",
        "ret",
        ".arch_extension nofp",
    )
}

vectors!(
    store_vectors,
    "stp",
    "mrs x1, fpcr",
    "mrs x2, fpsr",
    &mut Vectors
);
vectors!(load_lanes, "ldp", "", "", &Vectors);

/// # Safety
/// Overwrites the vector registers.
unsafe fn load_vectors(from: &Vectors) {
    // SAFETY: as this function's.
    unsafe {
        load_lanes(from);
        load_control(&from.control);
    }
}

/// Uses a vector register, as briefly as possible.
#[inline(always)]
pub fn touch() {
    // SAFETY: writes V0, which the compiler does not use.
    unsafe {
        core::arch::asm!(
            ".arch_extension fp",
            ".arch_extension simd",
            "fmov d0, xzr",
            ".arch_extension nosimd",
            ".arch_extension nofp",
            options(nomem, nostack, preserves_flags)
        );
    }
}
