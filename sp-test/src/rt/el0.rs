//! What a partition at S-EL0 has instead of the rest of this runtime: its start, and calls by SVC. It has no vectors: any
//! other exception is its end.

use super::call::{self, Conduit};
use crate::abi::Regs;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Not 0 in an image that runs at EL0.
static EL0: AtomicU64 = AtomicU64::new(0);

/// Whether this image runs at EL0.
#[inline]
pub fn is_el0() -> bool {
    EL0.load(Relaxed) != 0
}

/// Says that it does; an image at EL0 does so first.
pub fn enter() {
    EL0.store(1, Relaxed);
}

/// Calls with x0-x17 by SVC.
#[inline]
pub fn svc(regs: &mut Regs) {
    call::call(Conduit::Svc, regs);
}

/// Makes a binary for S-EL0: its first instruction, where all of it can be executed and none of it written, leads to
/// `$main(boot: &Boot) -> !`.
#[macro_export]
macro_rules! el0_image {
    ($main:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn image_main(boot: &$crate::rt::entry::Boot) -> ! {
            $crate::rt::el0::enter();
            $main(boot)
        }

        /// Entry at EL0, x0-x7 kept.
        ///
        /// # Safety
        /// Called by the firmware only, with the image loaded in one piece.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".text.entry_el0")]
        unsafe extern "C" fn _start_el0() -> ! {
            ::core::arch::naked_asm!(
                "mov x19, x0",
                "mov x20, x1",
                "mov x21, x2",
                "mov x22, x3",
                "mov x23, x4",
                "mov x24, x5",
                "mov x25, x6",
                "mov x26, x7",
                // FFA_MEM_PERM_SET, read-write, of all but the code.
                "adrp x1, __data_start",
                "adrp x2, __image_end",
                "sub x2, x2, x1",
                "lsr x2, x2, #12",
                "add x2, x2, #1",
                "movz w0, #0x0089",
                "movk w0, #0xc400, lsl #16",
                "mov w3, #5",
                "svc #0",
                "and w0, w0, #0xbfffffff",
                "movz w1, #0x0061",
                "movk w1, #0x8400, lsl #16",
                "cmp w0, w1",
                "b.ne 9f",
                // As other images do it.
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
                "sub sp, sp, #80",
                "stp x19, x20, [sp]",
                "stp x21, x22, [sp, #16]",
                "stp x23, x24, [sp, #32]",
                "stp x25, x26, [sp, #48]",
                "str x8, [sp, #64]",
                "mov x0, sp",
                "mov x29, xzr",
                "mov x30, xzr",
                "b image_main",
                "9: udf #0",
            )
        }
    };
}
