//! Floating point, AdvSIMD, SVE and SME registers, switched only when somebody needs them.
//!
//! The image itself is softfloat. FPEN, ZEN and SMEN trap together all the time that a partition
//! may run and whenever the normal world is entered (trapping SVE alone would make the CPU narrow Z to 128 bits at
//! the change of exception level). At a guest's first use the other side's state is saved in full:
//! at the largest vector length with predicates and FFR, after leaving streaming mode; then FP
//! alone is opened. ZCR_EL2 and SVCR are put back on the way.

mod vm;

pub use vm::{VmVectors, close_vm, open_vm, prepare_vms};

use crate::{cpu::Features, read_sysreg, sysreg::isb, write_sysreg};

/// CPTR_EL2 (E2H layout): trace trapped.
const TTA: u64 = 1 << 28;
/// CPTR_EL2: the activity monitors trap, AMUSERENR_EL0 with them.
const TAM: u64 = 1 << 30;
/// CPTR_EL2: nothing of FP, SVE and SME trapped.
const OPEN_ALL: u64 = TTA | 3 << 20 | 3 << 16 | 3 << 24;
/// CPTR_EL2: FP and AdvSIMD open, SVE and SME trapped.
const OPEN_FP: u64 = TTA | TAM | 3 << 20;
/// CPTR_EL2: everything trapped.
const CLOSED: u64 = TTA | TAM;
/// The largest vector length, in bytes.
const MAX_VL: usize = 256;
const SVCR_SM: u64 = 1;

/// Makes every use of vector registers by a guest trap.
#[inline(always)]
pub fn close() {
    // SAFETY: Only what traps changes.
    unsafe { write_sysreg!("cptr_el2", CLOSED) }
}

/// Lets a guest that owns the vector state use all of it.
pub fn open_all() {
    // SAFETY: The caller runs one guest only, which owns the registers.
    unsafe { write_sysreg!("cptr_el2", OPEN_ALL) }
}

/// A partition's V0-V31, FPCR and FPSR.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct FpState {
    v: [[u64; 2]; 32],
    fpcr: u64,
    fpsr: u64,
}

impl FpState {
    /// All zero.
    pub const RESET: Self = Self {
        v: [[0; 2]; 32],
        fpcr: 0,
        fpsr: 0,
    };
}

/// The other side's vector state, at whatever length it has. One for each core.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct VectorState {
    z: [u8; 32 * MAX_VL],
    p: [u8; 17 * MAX_VL / 8],
    fpcr: u64,
    fpsr: u64,
    zcr: u64,
    svcr: u64,
}

impl VectorState {
    /// Nothing saved.
    pub const EMPTY: Self = Self {
        z: [0; 32 * MAX_VL],
        p: [0; 17 * MAX_VL / 8],
        fpcr: 0,
        fpsr: 0,
        zcr: 0,
        svcr: 0,
    };
}

core::arch::global_asm!(
    r#"
    .section .text.fp, "ax"
    .arch_extension fp
    .arch_extension simd
    // x0: 512 bytes for V0-V31.
__fp_save:
    stp     q0, q1, [x0]
    stp     q2, q3, [x0, #32]
    stp     q4, q5, [x0, #64]
    stp     q6, q7, [x0, #96]
    stp     q8, q9, [x0, #128]
    stp     q10, q11, [x0, #160]
    stp     q12, q13, [x0, #192]
    stp     q14, q15, [x0, #224]
    stp     q16, q17, [x0, #256]
    stp     q18, q19, [x0, #288]
    stp     q20, q21, [x0, #320]
    stp     q22, q23, [x0, #352]
    stp     q24, q25, [x0, #384]
    stp     q26, q27, [x0, #416]
    stp     q28, q29, [x0, #448]
    stp     q30, q31, [x0, #480]
    ret
__fp_load:
    ldp     q0, q1, [x0]
    ldp     q2, q3, [x0, #32]
    ldp     q4, q5, [x0, #64]
    ldp     q6, q7, [x0, #96]
    ldp     q8, q9, [x0, #128]
    ldp     q10, q11, [x0, #160]
    ldp     q12, q13, [x0, #192]
    ldp     q14, q15, [x0, #224]
    ldp     q16, q17, [x0, #256]
    ldp     q18, q19, [x0, #288]
    ldp     q20, q21, [x0, #320]
    ldp     q22, q23, [x0, #352]
    ldp     q24, q25, [x0, #384]
    ldp     q26, q27, [x0, #416]
    ldp     q28, q29, [x0, #448]
    ldp     q30, q31, [x0, #480]
    ret

    .arch_extension sve
    // x0: Z0-Z31 at the present length; x1: P0-P15 and FFR; x2: whether FFR may be used.
__sve_save:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    str     z\n, [x0, #\n, mul vl]
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    str     p\n, [x1, #\n, mul vl]
    .endr
    cbz     x2, 1f
    rdffr   p0.b
    str     p0, [x1, #16, mul vl]
1:  ret
__sve_load:
    cbz     x2, 1f
    ldr     p0, [x1, #16, mul vl]
    wrffr   p0.b
1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    ldr     p\n, [x1, #\n, mul vl]
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ldr     z\n, [x0, #\n, mul vl]
    .endr
    ret
"#
);

unsafe extern "C" {
    fn __fp_save(v: *mut [u64; 2]);
    fn __fp_load(v: *const [u64; 2]);
    fn __sve_save(z: *mut u8, p: *mut u8, ffr: u64);
    fn __sve_load(z: *const u8, p: *const u8, ffr: u64);
}

fn set_fpcr(fpcr: u64, fpsr: u64) {
    // SAFETY: Control and status of the vector state that the caller is just loading.
    unsafe {
        write_sysreg!("S3_3_C4_C4_0", fpcr);
        write_sysreg!("S3_3_C4_C4_1", fpsr);
    }
}

/// Saves the other side's whole vector state and opens FP for a guest whose state is `guest`.
///
/// Afterwards the guest may use V0-V31; SVE and SME still trap.
pub fn take(other: &mut VectorState, guest: &FpState, features: &Features) {
    // SAFETY: EL2 needs access itself for the moment; the guest is not running.
    unsafe { write_sysreg!("cptr_el2", OPEN_ALL) }
    isb();
    other.fpcr = read_sysreg!("S3_3_C4_C4_0");
    other.fpsr = read_sysreg!("S3_3_C4_C4_1");
    other.svcr = if features.sme {
        read_sysreg!("S3_3_C4_C2_2")
    } else {
        0
    };
    let streaming = other.svcr & SVCR_SM != 0;
    if features.sve || streaming {
        if features.sve && !streaming {
            other.zcr = read_sysreg!("S3_4_C1_C2_0");
            // SAFETY: EL2's own limit on the vector length, put back in `give_back`.
            unsafe { write_sysreg!("S3_4_C1_C2_0", 0xf) }
            isb();
        }
        // SAFETY: The buffers hold the largest length. FFR does not exist in streaming mode.
        unsafe {
            __sve_save(
                other.z.as_mut_ptr(),
                other.p.as_mut_ptr(),
                u64::from(!streaming),
            );
        }
        if streaming {
            // SAFETY: SVCR.SM = 0 (MSR SVCRSM, #0) leaves streaming mode; ZA stays as it is.
            unsafe { core::arch::asm!(".inst 0xd503427f", options(nostack)) }
        }
    } else {
        // SAFETY: The buffer holds V0-V31.
        unsafe { __fp_save(other.z.as_mut_ptr().cast()) }
    }
    guest.load();
    open_guest();
}

/// Saves the guest's state, loads the other side's and closes everything.
pub fn give_back(other: &VectorState, guest: &mut FpState, features: &Features) {
    // SAFETY: EL2 needs access itself for the moment; the guest is not running.
    unsafe { write_sysreg!("cptr_el2", OPEN_ALL) }
    isb();
    swap_out(guest);
    let streaming = other.svcr & SVCR_SM != 0;
    if streaming {
        // SAFETY: SVCR.SM back to what the other side had, before its registers are loaded.
        unsafe { write_sysreg!("S3_3_C4_C2_2", other.svcr) }
    }
    if features.sve || streaming {
        // SAFETY: The buffers were written by `take` at this very length.
        unsafe {
            __sve_load(other.z.as_ptr(), other.p.as_ptr(), u64::from(!streaming));
        }
        if features.sve && !streaming {
            // SAFETY: As it was before `take`.
            unsafe { write_sysreg!("S3_4_C1_C2_0", other.zcr) }
        }
    } else {
        // SAFETY: The buffer holds V0-V31.
        unsafe { __fp_load(other.z.as_ptr().cast()) }
    }
    set_fpcr(other.fpcr, other.fpsr);
    close();
    isb();
}

/// Opens FP and AdvSIMD, and nothing else, to the guest whose registers are loaded.
#[inline(always)]
pub fn open_guest() {
    // SAFETY: The registers are that guest's.
    unsafe { write_sysreg!("cptr_el2", OPEN_FP) }
}

impl FpState {
    /// Saves the live registers; FP must be open to EL2.
    pub fn save(&mut self) {
        swap_out(self);
    }

    /// Makes these the live registers; FP must be open to EL2.
    pub fn load(&self) {
        // SAFETY: `self` holds V0-V31; CPTR_EL2.FPEN is open.
        unsafe { __fp_load(self.v.as_ptr()) }
        set_fpcr(self.fpcr, self.fpsr);
    }
}

fn swap_out(guest: &mut FpState) {
    // SAFETY: `guest` holds V0-V31; CPTR_EL2.FPEN is open.
    unsafe { __fp_save(guest.v.as_mut_ptr()) }
    guest.fpcr = read_sysreg!("S3_3_C4_C4_0");
    guest.fpsr = read_sysreg!("S3_3_C4_C4_1");
}
