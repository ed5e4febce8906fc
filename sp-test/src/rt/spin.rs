//! Spinning with all registers watched: whatever takes the CPU away meanwhile must give them back.

use super::call;
use crate::expect::{self, Exchange, Mismatch};
use core::arch::naked_asm;

/// A routine that is watched.
type Watched = unsafe extern "C" fn(&[u64; 31], &mut [u64; 33], u64);

/// Spins until CNTVCT_EL0 has counted `ticks` further, with fresh values in x2-x30.
///
/// # Errors
/// The first register that did not keep its value; 31 stands for SP.
pub fn watched(ticks: u64) -> Result<(), Mismatch> {
    run(spin, ticks)
}

/// Executes WFI once, with fresh values in x2-x30.
///
/// # Errors
/// The first register that did not keep its value; 31 stands for SP.
pub fn watched_wait() -> Result<(), Mismatch> {
    run(sleep, 0)
}

fn run(routine: Watched, ticks: u64) -> Result<(), Mismatch> {
    let mut sent = [0; 31];
    call::fresh().fill(&mut sent);
    // x0-x30, then SP before and after.
    let mut got = [0; 33];
    // SAFETY: both arrays have the size the routine uses.
    unsafe { routine(&sent, &mut got, ticks) };
    let mut exchange = Exchange {
        sent,
        got: [0; 31],
        sp_ok: got[31] == got[32],
    };
    exchange.got.copy_from_slice(&got[..31]);
    expect::own(&exchange, 2)
}

macro_rules! watched {
    ($name:ident, $($insn:literal),*) => {
        /// Loads x2-x30 from `sent`, does what it is for with x0 and x1, stores x2-x30, SP before and SP
        /// after to `got`.
        ///
        /// # Safety
        /// Whoever interrupts leaves SP as it was; if not, the image dies here, which fails the test just
        /// as well.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(sent: &[u64; 31], got: &mut [u64; 33], ticks: u64) {
    naked_asm!(
        "stp x29, x30, [sp, #-112]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "mov x9, sp",
        "stp x1, x9, [sp, #96]",
        "mov x30, x0",
        "mrs x0, cntvct_el0",
        "add x0, x0, x2",
        "ldp x2, x3, [x30, #16]",
        "ldp x4, x5, [x30, #32]",
        "ldp x6, x7, [x30, #48]",
        "ldp x8, x9, [x30, #64]",
        "ldp x10, x11, [x30, #80]",
        "ldp x12, x13, [x30, #96]",
        "ldp x14, x15, [x30, #112]",
        "ldp x16, x17, [x30, #128]",
        "ldp x18, x19, [x30, #144]",
        "ldp x20, x21, [x30, #160]",
        "ldp x22, x23, [x30, #176]",
        "ldp x24, x25, [x30, #192]",
        "ldp x26, x27, [x30, #208]",
        "ldp x28, x29, [x30, #224]",
        "ldr x30, [x30, #240]",
        $($insn,)*
        "ldr x0, [sp, #96]",
        "stp x2, x3, [x0, #16]",
        "stp x4, x5, [x0, #32]",
        "stp x6, x7, [x0, #48]",
        "stp x8, x9, [x0, #64]",
        "stp x10, x11, [x0, #80]",
        "stp x12, x13, [x0, #96]",
        "stp x14, x15, [x0, #112]",
        "stp x16, x17, [x0, #128]",
        "stp x18, x19, [x0, #144]",
        "stp x20, x21, [x0, #160]",
        "stp x22, x23, [x0, #176]",
        "stp x24, x25, [x0, #192]",
        "stp x26, x27, [x0, #208]",
        "stp x28, x29, [x0, #224]",
        "ldr x1, [sp, #104]",
        "stp x30, x1, [x0, #240]",
        "mov x1, sp",
        "str x1, [x0, #256]",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp x29, x30, [sp], #112",
        "ret",
    )
        }
    };
}

watched!(
    spin,
    "1: isb",
    "mrs x1, cntvct_el0",
    "sub x1, x1, x0",
    "tbnz x1, #63, 1b"
);
watched!(sleep, "dsb sy", "wfi");
