//! What is in the registers: patterns, and comparing with them.

use super::LARGEST;
use crate::random::Random;
use core::cell::UnsafeCell;

/// Z0-Z31, P0-P15, FFR, FPCR and FPSR at one length.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Scalable {
    z: [u64; 32 * LARGEST / 8],
    p: [u64; 17 * LARGEST / 64],
    control: [u64; 2],
}

/// Where two sets of registers differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// In how many words of Z.
    pub z: u64,
    /// In how many bytes of P.
    pub p: u64,
    /// In how many bytes of FFR.
    pub ffr: u64,
    /// In how many of FPCR and FPSR.
    pub control: u64,
}

impl Differences {
    /// All together.
    pub const fn all(self) -> u64 {
        self.z + self.p + self.ffr + self.control
    }
}

/// As for the vectors of everybody: bits that every implementation keeps.
const FPCR_BITS: u64 = 0x03c0_0000;
const FPSR_BITS: u64 = 0x0800_001f;

impl Scalable {
    /// All zero.
    pub const ZERO: Self = Self {
        z: [0; 32 * LARGEST / 8],
        p: [0; 17 * LARGEST / 64],
        control: [0; 2],
    };

    /// A pattern for vectors of `bytes`, made from `seed`. FFR, if it is used, has ones and then zeros: nothing else is
    /// allowed.
    pub fn fill(&mut self, seed: u64, bytes: usize, ffr: bool) {
        *self = Self::ZERO;
        let mut random = Random::new(seed);
        random.fill(self.z.get_mut(..32 * bytes / 8).unwrap_or_default());
        let p_bytes = bytes / 8;
        let ones = (random.next() % (bytes as u64 + 1)) as usize;
        for n in 0..if ffr { 17 } else { 16 } {
            for byte in 0..p_bytes {
                let value = match n {
                    // The bits of this byte that are among the first.
                    16 => (1u64 << ones.saturating_sub(8 * byte).min(8)) - 1,
                    _ => random.next() & 0xff,
                };
                let at = n * p_bytes + byte;
                if let Some(word) = self.p.get_mut(at / 8) {
                    *word |= value << (8 * (at % 8));
                }
            }
        }
        self.control = [random.next() & FPCR_BITS, random.next() & FPSR_BITS];
    }

    /// Puts these values into the registers.
    pub fn load(&self, ffr: bool) {
        // SAFETY: reads the structure; the compiler uses none of the registers.
        unsafe { __test_sve_load(self.z.as_ptr(), self.p.as_ptr(), ffr.into(), &self.control) }
    }

    /// Takes the registers' values.
    pub fn store(&mut self, ffr: bool) {
        *self = Self::ZERO;
        // SAFETY: writes the structure; it has room for the largest length.
        unsafe {
            __test_sve_store(
                self.z.as_mut_ptr(),
                self.p.as_mut_ptr(),
                ffr.into(),
                &mut self.control,
            );
        }
    }

    /// Compares, at vectors of `bytes`.
    pub fn differences(&self, other: &Self, bytes: usize) -> Differences {
        // FFR comes behind the sixteen predicates, an eighth of a vector each.
        let predicates = 16 * bytes / 8;
        let byte = |set: &Self, at: usize| {
            let word = set.p.get(at / 8).copied().unwrap_or(0);
            (word >> (8 * (at % 8))) as u8
        };
        let differ = |range: core::ops::Range<usize>| {
            range
                .filter(|at| byte(self, *at) != byte(other, *at))
                .count() as u64
        };
        Differences {
            z: different(&self.z, &other.z),
            p: differ(0..predicates),
            ffr: differ(predicates..8 * self.p.len()),
            control: different(&self.control, &other.control),
        }
    }
}

fn different(one: &[u64], other: &[u64]) -> u64 {
    one.iter()
        .zip(other)
        .filter(|(one, other)| one != other)
        .count() as u64
}

/// ZA at the largest length.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Za([u64; LARGEST * LARGEST / 8]);

impl Za {
    /// All zero.
    pub const ZERO: Self = Self([0; LARGEST * LARGEST / 8]);

    /// A pattern for vectors of `bytes`.
    pub fn fill(&mut self, seed: u64, bytes: usize) {
        self.0.fill(0);
        let used = self.0.get_mut(..bytes * bytes / 8);
        Random::new(seed).fill(used.unwrap_or_default());
    }

    /// Puts these values into ZA, which is on.
    pub fn load(&self) {
        // SAFETY: reads the structure.
        unsafe { __test_za_load(self.0.as_ptr()) }
    }

    /// Takes ZA's values.
    pub fn store(&mut self) {
        self.0.fill(0);
        // SAFETY: writes the structure, which has room for the largest length.
        unsafe { __test_za_store(self.0.as_mut_ptr()) }
    }

    /// How many words differ.
    pub fn differences(&self, other: &Self) -> u64 {
        different(&self.0, &other.0)
    }
}

/// What is put into the registers and what is found there, for one core. Too large for a stack.
pub struct Sets(UnsafeCell<[(Scalable, Za); 2]>);

// SAFETY: each is one core's, by the promise of `take`.
unsafe impl Sync for Sets {}

static SETS: [Sets; 2] =
    [const { Sets(UnsafeCell::new([const { (Scalable::ZERO, Za::ZERO) }; 2])) }; 2];

/// The two sets of one of two cores: what is put there, and what is found.
///
/// # Safety
/// No other reference to them is alive.
pub unsafe fn sets(core: usize) -> &'static mut [(Scalable, Za); 2] {
    let sets = SETS.get(core).unwrap_or(&SETS[0]);
    // SAFETY: the caller's promise.
    unsafe { &mut *sets.0.get() }
}

core::arch::global_asm!(
    r#"
    .arch_extension sve
    .arch_extension sme
    .macro  test_all_z what
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \what   z\n, [x0, #\n, mul vl]
    .endr
    .endm
    .macro  test_all_p what
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \what   p\n, [x1, #\n, mul vl]
    .endr
    .endm

    .section .text.test_sve, "ax"
    // x0: Z0-Z31; x1: P0-P15 and FFR; x2: whether FFR is used; x3: FPCR and FPSR.
__test_sve_load:
    cbz     x2, 1f
    ldr     p0, [x1, #16, mul vl]
    wrffr   p0.b
1:  test_all_p ldr
    test_all_z ldr
    ldp     x4, x5, [x3]
    msr     S3_3_C4_C4_0, x4
    msr     S3_3_C4_C4_1, x5
    ret
__test_sve_store:
    mrs     x4, S3_3_C4_C4_0
    mrs     x5, S3_3_C4_C4_1
    stp     x4, x5, [x3]
    test_all_z str
    test_all_p str
    cbz     x2, 1f
    rdffr   p0.b
    str     p0, [x1, #16, mul vl]
1:  ret

    // x0: ZA, a row after the other.
__test_za_load:
    rdsvl   x1, #1
    mov     w12, #0
1:  ldr     za[w12, 0], [x0]
    add     x0, x0, x1
    add     w12, w12, #1
    cmp     w12, w1
    b.lo    1b
    ret
__test_za_store:
    rdsvl   x1, #1
    mov     w12, #0
1:  str     za[w12, 0], [x0]
    add     x0, x0, x1
    add     w12, w12, #1
    cmp     w12, w1
    b.lo    1b
    ret
    .arch_extension nosme
    .arch_extension nosve
    .arch_extension nosimd
    .arch_extension nofp
"#
);

unsafe extern "C" {
    fn __test_sve_load(z: *const u64, p: *const u64, ffr: u64, control: &[u64; 2]);
    fn __test_sve_store(z: *mut u64, p: *mut u64, ffr: u64, control: &mut [u64; 2]);
    fn __test_za_load(za: *const u64);
    fn __test_za_store(za: *mut u64);
}
