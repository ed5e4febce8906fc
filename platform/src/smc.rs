//! The call to EL3, which for the SPMC is also how the normal world runs.

/// Executes SMC with x0-x17 from `regs` and writes back what EL3 leaves in them.
///
/// x18-x30 survive: SMCCC preserves x18-x30, and an SPMD keeps them with the EL2 context of the
/// world that called.
#[inline(always)]
pub fn smc(regs: &mut [u64; 18]) {
    let frame = regs.as_mut_ptr();
    // SAFETY: `frame` points to 18 registers that only this function uses meanwhile; x0-x17 are
    // declared clobbered. What EL3 does in between cannot touch this image's memory but as the
    // calls it serves define.
    unsafe {
        core::arch::asm!(
            "ldp x0, x1, [x20]",
            "ldp x2, x3, [x20, #16]",
            "ldp x4, x5, [x20, #32]",
            "ldp x6, x7, [x20, #48]",
            "ldp x8, x9, [x20, #64]",
            "ldp x10, x11, [x20, #80]",
            "ldp x12, x13, [x20, #96]",
            "ldp x14, x15, [x20, #112]",
            "ldp x16, x17, [x20, #128]",
            "smc #0",
            "stp x0, x1, [x20]",
            "stp x2, x3, [x20, #16]",
            "stp x4, x5, [x20, #32]",
            "stp x6, x7, [x20, #48]",
            "stp x8, x9, [x20, #64]",
            "stp x10, x11, [x20, #80]",
            "stp x12, x13, [x20, #96]",
            "stp x14, x15, [x20, #112]",
            "stp x16, x17, [x20, #128]",
            in("x20") frame,
            out("x0") _, out("x1") _, out("x2") _, out("x3") _, out("x4") _, out("x5") _,
            out("x6") _, out("x7") _, out("x8") _, out("x9") _, out("x10") _, out("x11") _,
            out("x12") _, out("x13") _, out("x14") _, out("x15") _, out("x16") _, out("x17") _,
            options(nostack),
        );
    }
}
