//! The first instruction to the image's `main`: relocation, memory, stack, vectors.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Where it goes on if the image's first instruction is executed again, 0 if that is as the first time. In memory
/// that an image keeps when it starts anew: it is not zeroed.
#[unsafe(link_section = ".data")]
static AGAIN: AtomicU64 = AtomicU64::new(0);

/// Has the image's first instruction lead to `entry` from now on, with all registers as they come but x8 and x9.
///
/// # Safety
/// `entry` makes do with that: no stack, no vectors, the MMU off.
pub unsafe fn next_time(entry: unsafe extern "C" fn() -> !) {
    AGAIN.store(entry as *const () as u64, Relaxed);
}

/// What the image was entered with.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Boot {
    /// x0-x7.
    pub regs: [u64; 8],
    /// Where the image was loaded.
    pub base: u64,
}

unsafe extern "C" {
    /// The image's own start, defined by each binary through [`image!`](crate::image).
    fn image_main(boot: &Boot) -> !;
}

/// Entry of every image: any EL1 or EL2, MMU off, any alignment of 4 KiB, x0-x7 kept.
///
/// # Safety
/// Called by the firmware only, once, with the image loaded in one piece.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn _start() -> ! {
    naked_asm!(
        "msr daifset, #0xf",
        "msr spsel, #1",
        "adrp x9, {again}",
        "ldr x9, [x9, :lo12:{again}]",
        "cbz x9, 7f",
        "br x9",
        "7:",
        // Relocate: every entry of .rela.dyn is R_AARCH64_RELATIVE (0x403): *(base + offset) =
        // base + addend.
        "adr x8, __image_start",
        "adrp x9, __rela_start",
        "add x9, x9, :lo12:__rela_start",
        "adrp x10, __rela_end",
        "add x10, x10, :lo12:__rela_end",
        "1: cmp x9, x10",
        "b.hs 2f",
        "ldp x11, x12, [x9]",
        "ldr x13, [x9, #16]",
        "add x9, x9, #24",
        "cmp w12, #0x403",
        "b.ne 1b",
        "add x13, x13, x8",
        "str x13, [x8, x11]",
        "b 1b",
        // Zero .bss, the stack included.
        "2: adrp x9, __bss_start",
        "add x9, x9, :lo12:__bss_start",
        "adrp x10, __bss_end",
        "add x10, x10, :lo12:__bss_end",
        "3: cmp x9, x10",
        "b.hs 4f",
        "stp xzr, xzr, [x9], #16",
        "b 3b",
        "4: adrp x9, __stack_top",
        "add x9, x9, :lo12:__stack_top",
        "mov sp, x9",
        // Vectors and vector registers, at EL2 (not VHE) or EL1.
        "adrp x9, {vectors}",
        "add x9, x9, :lo12:{vectors}",
        "mrs x10, currentel",
        "cmp x10, #8",
        "b.ne 5f",
        // HCR_EL2: RW only. CPTR_EL2: FP, SIMD and SVE not trapped; SME trapped; the rest RES1.
        "mov x10, #0x80000000",
        "msr hcr_el2, x10",
        "mov x10, #0x32ff",
        "msr cptr_el2, x10",
        "msr vbar_el2, x9",
        "b 6f",
        // CPACR_EL1.FPEN: FP and SIMD not trapped.
        "5: mov x10, #0x300000",
        "msr cpacr_el1, x10",
        "msr vbar_el1, x9",
        "6: isb",
        // struct Boot on the stack.
        "sub sp, sp, #80",
        "stp x0, x1, [sp]",
        "stp x2, x3, [sp, #16]",
        "stp x4, x5, [sp, #32]",
        "stp x6, x7, [sp, #48]",
        "str x8, [sp, #64]",
        "mov x0, sp",
        "mov x29, xzr",
        "mov x30, xzr",
        "b {main}",
        again = sym AGAIN,
        vectors = sym super::vectors::exception_vectors,
        main = sym image_main,
    )
}

/// Makes a binary: on the target, `$main(boot: &Boot) -> !` becomes the image's start; on the host,
/// a program that says what it is.
#[macro_export]
macro_rules! image {
    ($main:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn image_main(boot: &$crate::rt::entry::Boot) -> ! {
            $main(boot)
        }
    };
}
