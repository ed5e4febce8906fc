//! The two functions that the compiler calls to copy and to fill memory, 64 bytes at a time.
//!
//! The core library's own are weak, and move a word at a time. All accesses here are aligned: before the MMU is on others
//! fault. Vector registers belong to the endpoints.

use core::arch::naked_asm;

/// C's `memcpy`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    naked_asm!(
        "hint #34", // BTI C
        "mov x3, x0",
        // Words, if both can be aligned to them.
        "eor x4, x0, x1",
        "tst x4, #7",
        "b.ne 5f",
        // Up to the first whole one.
        "1: tst x3, #7",
        "b.eq 2f",
        "cbz x2, 7f",
        "ldrb w4, [x1], #1",
        "strb w4, [x3], #1",
        "sub x2, x2, #1",
        "b 1b",
        "2: subs x2, x2, #64",
        "b.lo 4f",
        "3: ldp x4, x5, [x1]",
        "ldp x6, x7, [x1, #16]",
        "ldp x8, x9, [x1, #32]",
        "ldp x10, x11, [x1, #48]",
        "add x1, x1, #64",
        "stp x4, x5, [x3]",
        "stp x6, x7, [x3, #16]",
        "stp x8, x9, [x3, #32]",
        "stp x10, x11, [x3, #48]",
        "add x3, x3, #64",
        "subs x2, x2, #64",
        "b.hs 3b",
        // 0 to 63 bytes are left: the low bits of the count say which parts.
        "4: tbz x2, #5, 41f",
        "ldp x4, x5, [x1]",
        "ldp x6, x7, [x1, #16]",
        "add x1, x1, #32",
        "stp x4, x5, [x3]",
        "stp x6, x7, [x3, #16]",
        "add x3, x3, #32",
        "41: tbz x2, #4, 42f",
        "ldp x4, x5, [x1], #16",
        "stp x4, x5, [x3], #16",
        "42: tbz x2, #3, 43f",
        "ldr x4, [x1], #8",
        "str x4, [x3], #8",
        "43: tbz x2, #2, 44f",
        "ldr w4, [x1], #4",
        "str w4, [x3], #4",
        "44: tbz x2, #1, 45f",
        "ldrh w4, [x1], #2",
        "strh w4, [x3], #2",
        "45: tbz x2, #0, 7f",
        "ldrb w4, [x1]",
        "strb w4, [x3]",
        "ret",
        "5: cbz x2, 7f",
        "6: ldrb w4, [x1], #1",
        "strb w4, [x3], #1",
        "subs x2, x2, #1",
        "b.ne 6b",
        "7: ret",
    )
}

/// C's `memset`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn memset(to: *mut u8, value: i32, bytes: usize) -> *mut u8 {
    naked_asm!(
        "hint #34", // BTI C
        "mov x3, x0",
        "and x1, x1, #0xff",
        "orr x1, x1, x1, lsl #8",
        "orr x1, x1, x1, lsl #16",
        "orr x1, x1, x1, lsl #32",
        // Up to the first whole word.
        "1: tst x3, #7",
        "b.eq 2f",
        "cbz x2, 7f",
        "strb w1, [x3], #1",
        "sub x2, x2, #1",
        "b 1b",
        "2: subs x2, x2, #64",
        "b.lo 4f",
        "3: stp x1, x1, [x3]",
        "stp x1, x1, [x3, #16]",
        "stp x1, x1, [x3, #32]",
        "stp x1, x1, [x3, #48]",
        "add x3, x3, #64",
        "subs x2, x2, #64",
        "b.hs 3b",
        // 0 to 63 bytes are left: the low bits of the count say which parts.
        "4: tbz x2, #5, 41f",
        "stp x1, x1, [x3]",
        "stp x1, x1, [x3, #16]",
        "add x3, x3, #32",
        "41: tbz x2, #4, 42f",
        "stp x1, x1, [x3], #16",
        "42: tbz x2, #3, 43f",
        "str x1, [x3], #8",
        "43: tbz x2, #2, 44f",
        "str w1, [x3], #4",
        "44: tbz x2, #1, 45f",
        "strh w1, [x3], #2",
        "45: tbz x2, #0, 7f",
        "strb w1, [x3]",
        "7: ret",
    )
}
