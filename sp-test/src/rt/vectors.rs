//! The exception vectors: save everything, let [`fault`](super::fault) decide, restore, return.

use core::arch::naked_asm;

/// What an exception interrupted.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Frame {
    /// x0-x30.
    pub x: [u64; 31],
    /// ELR: where to return to.
    pub elr: u64,
    /// SPSR.
    pub spsr: u64,
    /// ESR.
    pub esr: u64,
    /// FAR.
    pub far: u64,
    /// Which of the sixteen vectors was taken.
    pub vector: u64,
}

const _: () = assert!(size_of::<Frame>() == 288);

extern "C" fn take(frame: &mut Frame) {
    super::fault::take(frame);
}

/// The vector table and the common part behind it.
///
/// # Safety
/// For VBAR_ELx only.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.vectors")]
pub unsafe extern "C" fn exception_vectors() {
    naked_asm!(
        // The section is aligned by this; the function is its first byte.
        ".balign 2048",
        ".set vector, 0",
        ".rept 16",
        ".balign 128",
        "sub sp, sp, #288",
        "stp x0, x1, [sp]",
        "mov x0, #vector",
        "b 1f",
        ".set vector, vector + 1",
        ".endr",
        ".balign 128",
        "1: str x0, [sp, #280]",
        "stp x2, x3, [sp, #16]",
        "stp x4, x5, [sp, #32]",
        "stp x6, x7, [sp, #48]",
        "stp x8, x9, [sp, #64]",
        "stp x10, x11, [sp, #80]",
        "stp x12, x13, [sp, #96]",
        "stp x14, x15, [sp, #112]",
        "stp x16, x17, [sp, #128]",
        "stp x18, x19, [sp, #144]",
        "stp x20, x21, [sp, #160]",
        "stp x22, x23, [sp, #176]",
        "stp x24, x25, [sp, #192]",
        "stp x26, x27, [sp, #208]",
        "stp x28, x29, [sp, #224]",
        "mrs x9, currentel",
        "cmp x9, #8",
        "b.ne 2f",
        "mrs x10, elr_el2",
        "mrs x11, spsr_el2",
        "mrs x12, esr_el2",
        "mrs x13, far_el2",
        "b 3f",
        "2: mrs x10, elr_el1",
        "mrs x11, spsr_el1",
        "mrs x12, esr_el1",
        "mrs x13, far_el1",
        "3: stp x30, x10, [sp, #240]",
        "stp x11, x12, [sp, #256]",
        "str x13, [sp, #272]",
        "mov x0, sp",
        "bl {take}",
        "ldp x30, x10, [sp, #240]",
        "ldr x11, [sp, #256]",
        "mrs x9, currentel",
        "cmp x9, #8",
        "b.ne 4f",
        "msr elr_el2, x10",
        "msr spsr_el2, x11",
        "b 5f",
        "4: msr elr_el1, x10",
        "msr spsr_el1, x11",
        "5: ldp x0, x1, [sp]",
        "ldp x2, x3, [sp, #16]",
        "ldp x4, x5, [sp, #32]",
        "ldp x6, x7, [sp, #48]",
        "ldp x8, x9, [sp, #64]",
        "ldp x10, x11, [sp, #80]",
        "ldp x12, x13, [sp, #96]",
        "ldp x14, x15, [sp, #112]",
        "ldp x16, x17, [sp, #128]",
        "ldp x18, x19, [sp, #144]",
        "ldp x20, x21, [sp, #160]",
        "ldp x22, x23, [sp, #176]",
        "ldp x24, x25, [sp, #192]",
        "ldp x26, x27, [sp, #208]",
        "ldp x28, x29, [sp, #224]",
        "add sp, sp, #288",
        "eret",
        take = sym take,
    )
}
