//! Floating point, AdvSIMD, SVE and SME registers, switched only when somebody needs them.
//!
//! The image itself is softfloat. FPEN, ZEN and SMEN trap together all the time that a partition
//! may run and whenever the normal world is entered (trapping SVE alone would make the CPU narrow Z to 128 bits at
//! the change of exception level). At a guest's first use the other side's state is saved in full:
//! at the vector length that the other side has (ZCR_EL2, SMCR_EL2 and ZA are never touched: what lies beyond a length
//! nobody can rely on) with predicates and FFR, after leaving streaming mode; then FP
//! alone is opened. SVCR is put back on the way.
//!
//! A guest that uses them each time that it runs need not trap each time ([`take_quickly`], and
//! [`fp_habit`](crate::fp_habit) for which guest that is).

mod registers;
mod vm;

pub use vm::{VmVectors, close_vm, open_vm, prepare_vms};

use crate::{cpu::Features, read_sysreg, sysreg::isb, write_sysreg};
use registers::{__fp_load, __fp_save};

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
/// SVCR.SM: streaming mode.
const SVCR_SM: u64 = 1;
/// SMCR_EL2.FA64: all instructions are there in streaming mode, and with them FFR.
const SMCR_FA64: u64 = 1 << 31;

/// Makes every use of vector registers by a guest trap.
#[inline(always)]
pub fn close() {
    // SAFETY: Only what traps changes.
    unsafe { write_sysreg!("cptr_el2", CLOSED) }
}

/// Lets a guest that owns the vector state use all of it.
#[inline(always)]
pub fn open_all() {
    // SAFETY: The caller runs one guest only, which owns the registers.
    unsafe { write_sysreg!("cptr_el2", OPEN_ALL) }
}

/// Lets the guest that runs here alone have the largest vector lengths that EL3 lets it have, in streaming mode too,
/// and all instructions there: what these are after a reset nobody says. [`open_all`] has opened them to EL2.
pub fn largest(features: &Features) {
    /// LEN: more than there are is as many as there are.
    const LEN: u64 = 0xf;
    /// SMCR_EL2.EZT0: ZT0 does not trap. Without SME2 the bit means nothing.
    const SMCR_EZT0: u64 = 1 << 30;
    // SAFETY: No guest runs yet.
    unsafe {
        if features.sve {
            write_sysreg!("S3_4_C1_C2_0", LEN);
        }
        if features.sme {
            write_sysreg!("S3_4_C1_C2_6", LEN | SMCR_FA64 | SMCR_EZT0);
        }
    }
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

/// The other side's vector state, at whatever length it has. One for each core. What is used together lies together:
/// see `registers`.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct VectorState {
    p: [u8; 17 * MAX_VL / 8],
    fpcr: u64,
    fpsr: u64,
    zcr: u64,
    /// Zero while nothing is saved, or nothing in streaming mode.
    svcr: u64,
    z: [u8; 32 * MAX_VL],
}

impl VectorState {
    /// Nothing saved.
    pub const EMPTY: Self = Self {
        p: [0; 17 * MAX_VL / 8],
        fpcr: 0,
        fpsr: 0,
        zcr: 0,
        svcr: 0,
        z: [0; 32 * MAX_VL],
    };
}

fn set_fpcr(fpcr: u64, fpsr: u64) {
    // SAFETY: Control and status of the vector state that the caller is just loading.
    unsafe {
        write_sysreg!("S3_3_C4_C4_0", fpcr);
        write_sysreg!("S3_3_C4_C4_1", fpsr);
    }
}

/// Runs `body`, which is told whether there is an FFR in streaming mode: there is where the CPU can have all
/// instructions in that mode, and they are switched on for it.
fn with_streaming_ffr(features: &Features, body: impl FnOnce(bool)) {
    if !features.sme_fa64 {
        return body(false);
    }
    let smcr = read_sysreg!("S3_4_C1_C2_6");
    // SAFETY: The length stays what it is, and the bit is put back below.
    unsafe { write_sysreg!("S3_4_C1_C2_6", smcr | SMCR_FA64) }
    isb();
    body(true);
    // SAFETY: As it was.
    unsafe { write_sysreg!("S3_4_C1_C2_6", smcr) }
}

/// Saves the other side's whole vector state and opens FP for a guest whose state is `guest`.
///
/// Afterwards the guest may use V0-V31; SVE and SME still trap.
pub fn take(other: &mut VectorState, guest: &FpState, features: &Features) {
    open_all();
    isb();
    let svcr = svcr(features);
    let streaming = svcr & SVCR_SM != 0;
    if has_quick_way(features) && !streaming {
        // SAFETY: SVE is there, everything is open, and this is no streaming mode.
        unsafe { registers::take(other, guest) }
        return open_guest();
    }
    other.fpcr = read_sysreg!("S3_3_C4_C4_0");
    other.fpsr = read_sysreg!("S3_3_C4_C4_1");
    if streaming {
        other.svcr = svcr;
        // SAFETY: Everything is open, FFR if there is one in this mode.
        with_streaming_ffr(features, |ffr| unsafe { other.save_sve(ffr) });
        // SAFETY: SVCR.SM = 0 (MSR SVCRSM, #0) leaves streaming mode; ZA stays as it is.
        unsafe { core::arch::asm!(".inst 0xd503427f", options(nostack)) }
    } else {
        // SAFETY: The buffer holds V0-V31.
        unsafe { __fp_save(other.z.as_mut_ptr().cast()) }
    }
    guest.load();
    open_guest();
}

/// Loads the other side's state, which [`take`] or [`take_quickly`] saved, and closes everything. What is in the
/// registers is lost.
pub fn restore(other: &mut VectorState, features: &Features) {
    open_all();
    isb();
    // It is zero in between: nobody who saves in the quick way has to say so.
    let svcr = core::mem::take(&mut other.svcr);
    if svcr & SVCR_SM != 0 {
        // SAFETY: SVCR.SM back to what the other side had, before its registers are loaded.
        unsafe { write_sysreg!("S3_3_C4_C2_2", svcr) }
        // SAFETY: Everything is open, FFR if there is one in this mode, and the length is that of `take`.
        with_streaming_ffr(features, |ffr| unsafe { other.load_sve(ffr) });
    } else if features.sve {
        // SAFETY: Everything is open, this is no streaming mode, and the length is that of `take`.
        unsafe { registers::restore(other) }
    } else {
        // SAFETY: The buffer holds V0-V31.
        unsafe { __fp_load(other.z.as_ptr().cast()) }
    }
    set_fpcr(other.fpcr, other.fpsr);
    close();
    isb();
}

/// SVCR, which is open to EL2; 0 without SME.
#[inline(always)]
fn svcr(features: &Features) -> u64 {
    if features.sme {
        read_sysreg!("S3_3_C4_C2_2")
    } else {
        0
    }
}

/// Whether this CPU has [`take_quickly`].
#[must_use]
pub const fn has_quick_way(features: &Features) -> bool {
    features.sve
}

/// [`take`] with as few instructions as there can be, for a CPU that [has it](has_quick_way) and a normal world that is
/// not in streaming mode. Otherwise it says `false`, and has done nothing.
#[inline(always)]
pub fn take_quickly(other: &mut VectorState, guest: &FpState, features: &Features) -> bool {
    open_all();
    isb();
    if svcr(features) & SVCR_SM != 0 {
        close();
        return false;
    }
    // SAFETY: SVE is there, everything is open, and this is no streaming mode.
    unsafe { registers::take(other, guest) }
    open_guest();
    true
}

/// Saves the guest's state and loads the other side's, which [`take_quickly`] saved, and closes everything.
#[inline(always)]
pub fn give_back_quickly(other: &VectorState, guest: &mut FpState) {
    open_all();
    isb();
    // SAFETY: As in `take_quickly`: a guest without SVE and SME has run since then.
    unsafe { registers::give_back(other, guest) }
    close();
}

/// Opens FP and AdvSIMD, and nothing else, to the guest whose registers are loaded.
#[inline(always)]
pub fn open_guest() {
    // SAFETY: The registers are that guest's.
    unsafe { write_sysreg!("cptr_el2", OPEN_FP) }
}

impl FpState {
    /// Saves the live registers, which [`open_all`] has opened to EL2.
    pub fn save(&mut self) {
        // SAFETY: `self` holds V0-V31; CPTR_EL2.FPEN is open.
        unsafe { __fp_save(self.v.as_mut_ptr()) }
        self.fpcr = read_sysreg!("S3_3_C4_C4_0");
        self.fpsr = read_sysreg!("S3_3_C4_C4_1");
    }

    /// Makes these the live registers; FP must be open to EL2.
    pub fn load(&self) {
        // SAFETY: `self` holds V0-V31; CPTR_EL2.FPEN is open.
        unsafe { __fp_load(self.v.as_ptr()) }
        set_fpcr(self.fpcr, self.fpsr);
    }
}
