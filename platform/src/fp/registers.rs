//! The instructions that move vector registers, all of them: `xtask vector-check` knows these functions by name.
//!
//! Z registers go to memory four at a time and interleaved (ST4D, LD4D), which is nobody's concern: they come back the
//! same way. P0 governs that, so it is saved before the first Z and loaded after the last one.

use super::{FpState, VectorState};
use core::mem::offset_of;

/// From a [`VectorState`]'s P0 to its Z0, both in bytes.
const Z: usize = offset_of!(VectorState, z);
/// From its Z0 back to FPCR, which FPSR follows.
const CONTROL: usize = Z - offset_of!(VectorState, fpcr);

const _: () = {
    assert!(offset_of!(VectorState, p) == 0);
    assert!(offset_of!(FpState, fpcr) == 512 && offset_of!(FpState, fpsr) == 520);
    assert!(offset_of!(VectorState, fpsr) == offset_of!(VectorState, fpcr) + 8);
    // Within reach of ADD and of STP.
    assert!(Z < 4096 && CONTROL <= 512);
};

core::arch::global_asm!(
    r#"
    .arch_extension fp
    .arch_extension simd
    .arch_extension sve

    // V0-V31 to or from [at]; it is behind them afterwards.
    .macro  move_v what, at
    \what   {{v0.2d-v3.2d}}, [\at], #64
    \what   {{v4.2d-v7.2d}}, [\at], #64
    \what   {{v8.2d-v11.2d}}, [\at], #64
    \what   {{v12.2d-v15.2d}}, [\at], #64
    \what   {{v16.2d-v19.2d}}, [\at], #64
    \what   {{v20.2d-v23.2d}}, [\at], #64
    \what   {{v24.2d-v27.2d}}, [\at], #64
    \what   {{v28.2d-v31.2d}}, [\at], #64
    .endm

    // P0-P15 to or from [x1], an eighth of a Z's bytes each.
    .macro  move_p what
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \what   p\n, [x1, #\n, mul vl]
    .endr
    .endm

    // Z0-Z31 at the present length to [x2]; loses P0.
    .macro  save_z
    ptrue   p0.b
    st4d    {{z0.d-z3.d}}, p0, [x2]
    st4d    {{z4.d-z7.d}}, p0, [x2, #4, mul vl]
    st4d    {{z8.d-z11.d}}, p0, [x2, #8, mul vl]
    st4d    {{z12.d-z15.d}}, p0, [x2, #12, mul vl]
    st4d    {{z16.d-z19.d}}, p0, [x2, #16, mul vl]
    st4d    {{z20.d-z23.d}}, p0, [x2, #20, mul vl]
    st4d    {{z24.d-z27.d}}, p0, [x2, #24, mul vl]
    st4d    {{z28.d-z31.d}}, p0, [x2, #28, mul vl]
    .endm

    // The same from there.
    .macro  load_z
    ptrue   p0.b
    ld4d    {{z0.d-z3.d}}, p0/z, [x2]
    ld4d    {{z4.d-z7.d}}, p0/z, [x2, #4, mul vl]
    ld4d    {{z8.d-z11.d}}, p0/z, [x2, #8, mul vl]
    ld4d    {{z12.d-z15.d}}, p0/z, [x2, #12, mul vl]
    ld4d    {{z16.d-z19.d}}, p0/z, [x2, #16, mul vl]
    ld4d    {{z20.d-z23.d}}, p0/z, [x2, #20, mul vl]
    ld4d    {{z24.d-z27.d}}, p0/z, [x2, #24, mul vl]
    ld4d    {{z28.d-z31.d}}, p0/z, [x2, #28, mul vl]
    .endm

    .section .text.fp, "ax"
    // x0: 512 bytes for V0-V31.
__fp_save:
    move_v  st1, x0
    ret
__fp_load:
    move_v  ld1, x0
    ret

    // x1: P0-P15 and FFR; x2: Z0-Z31, at the present length; x3: whether FFR may be used.
__sve_save:
    move_p  str
    cbz     x3, 1f
    rdffr   p0.b
    str     p0, [x1, #16, mul vl]
1:  save_z
    ret
__sve_load:
    load_z
    cbz     x3, 1f
    ldr     p0, [x1, #16, mul vl]
    wrffr   p0.b
1:  move_p  ldr
    ret

    .section .text.hot.fp, "ax"
    // x0: V0-V31, FPCR and FPSR of a partition, but for the last; x1: the other side's state. No streaming mode, everything open to EL2.
    // All lose x0 and x2 to x4 alone, and are no calls by the standard. Where Z is no longer than V, neither are P and
    // FFR than what stays of them under a partition: only V is moved.
__fp_take:
    mrs     x3, S3_3_C4_C4_0        // FPCR
    mrs     x4, S3_3_C4_C4_1        // FPSR
    add     x2, x1, #{z}
    stp     x3, x4, [x2, #-{control}]
    rdvl    x3, #1
    cmp     x3, #16
    b.eq    2f
    move_p  str
    rdffr   p0.b
    str     p0, [x1, #16, mul vl]
    save_z
1:  move_v  ld1, x0
    ldp     x3, x4, [x0]
    msr     S3_3_C4_C4_0, x3
    msr     S3_3_C4_C4_1, x4
    ret
2:  move_v  st1, x2
    b       1b
__fp_give_back:
    move_v  st1, x0
    mrs     x3, S3_3_C4_C4_0
    mrs     x4, S3_3_C4_C4_1
    stp     x3, x4, [x0]
__fp_restore:
    add     x2, x1, #{z}
    ldp     x3, x4, [x2, #-{control}]
    msr     S3_3_C4_C4_0, x3
    msr     S3_3_C4_C4_1, x4
    rdvl    x3, #1
    cmp     x3, #16
    b.eq    3f
    load_z
    ldr     p0, [x1, #16, mul vl]
    wrffr   p0.b
    move_p  ldr
    ret
3:  move_v  ld1, x2
    ret
"#,
    z = const Z,
    control = const CONTROL,
);

unsafe extern "C" {
    /// Saves V0-V31.
    pub(super) fn __fp_save(v: *mut [u64; 2]);
    /// Loads V0-V31.
    pub(super) fn __fp_load(v: *const [u64; 2]);
    fn __sve_save(unused: usize, p: *mut u8, z: *mut u8, ffr: u64);
    fn __sve_load(unused: usize, p: *const u8, z: *const u8, ffr: u64);
    fn __fp_take();
    fn __fp_give_back();
    fn __fp_restore();
}

impl VectorState {
    /// Saves Z0-Z31, P0-P15 and, if `ffr`, FFR at the present length. Only [`load_sve`](Self::load_sve) loads them.
    ///
    /// # Safety
    ///
    /// They are open to EL2, FFR too if it is wanted.
    pub(super) unsafe fn save_sve(&mut self, ffr: bool) {
        // SAFETY: The buffers hold the largest length; the caller vouches for the rest.
        unsafe { __sve_save(0, self.p.as_mut_ptr(), self.z.as_mut_ptr(), ffr.into()) }
    }

    /// Loads them.
    ///
    /// # Safety
    ///
    /// As [`save_sve`](Self::save_sve). They were saved at this very length, and nobody wants what is in them now.
    pub(super) unsafe fn load_sve(&self, ffr: bool) {
        // SAFETY: The buffers hold the largest length; the caller vouches for the rest.
        unsafe { __sve_load(0, self.p.as_ptr(), self.z.as_ptr(), ffr.into()) }
    }
}

/// Saves the other side's vector registers at the present length and loads a partition's.
///
/// # Safety
///
/// SVE is there and open to EL2, and it is not in streaming mode.
#[inline(always)]
pub(super) unsafe fn take(other: &mut VectorState, guest: &FpState) {
    // SAFETY: The assembly reads `guest`, writes `other` and loses what is declared here; the caller vouches for the
    // rest.
    unsafe {
        core::arch::asm!(
            "bl {take}",
            take = sym __fp_take,
            inout("x0") core::ptr::from_ref(guest) => _,
            in("x1") core::ptr::from_mut(other),
            out("x2") _, out("x3") _, out("x4") _, out("x30") _,
            options(nostack)
        );
    }
}

/// Loads the other side's vector registers.
///
/// # Safety
///
/// As [`give_back`]. Nobody wants what is in the registers now.
pub(super) unsafe fn restore(other: &VectorState) {
    // SAFETY: As in `give_back`.
    unsafe {
        core::arch::asm!(
            "bl {restore}",
            restore = sym __fp_restore,
            in("x1") core::ptr::from_ref(other),
            out("x2") _, out("x3") _, out("x4") _, out("x30") _,
            options(nostack)
        );
    }
}

/// Saves a partition's vector registers and loads the other side's.
///
/// # Safety
///
/// As [`take`], which saved `other` at the length of now.
#[inline(always)]
pub(super) unsafe fn give_back(other: &VectorState, guest: &mut FpState) {
    // SAFETY: The assembly writes `guest`, reads `other` and loses what is declared here; the caller vouches for the
    // rest.
    unsafe {
        core::arch::asm!(
            "bl {give_back}",
            give_back = sym __fp_give_back,
            inout("x0") core::ptr::from_mut(guest) => _,
            in("x1") core::ptr::from_ref(other),
            out("x2") _, out("x3") _, out("x4") _, out("x30") _,
            options(nostack)
        );
    }
}
