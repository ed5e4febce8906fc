//! What a partition's execution contexts have for themselves: an entry, hypercalls, PSTATE's masks, the emulated timer.

use super::call::{self, Conduit};
use super::regs;
use core::arch::asm;

/// Makes `$name` an entry of a partition's contexts, on the stack of the one whose number comes in x4. It goes on in
/// `$begin(x0, x4, $registered)`.
macro_rules! entry {
    ($(#[$doc:meta])* $name:ident, $begin:path, $registered:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// Started by the firmware on a context that is not running.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name() -> ! {
            core::arch::naked_asm!(
                "msr daifset, #0xf",
                "msr spsel, #1",
                "adrp x9, {stacks}",
                "add x9, x9, :lo12:{stacks}",
                "add x10, x4, #1",
                "mov x11, #{size}",
                "madd x9, x10, x11, x9",
                "mov sp, x9",
                "adrp x9, {vectors}",
                "add x9, x9, :lo12:{vectors}",
                "msr vbar_el1, x9",
                // CPACR_EL1.FPEN: FP and SIMD not trapped.
                "mov x10, #0x300000",
                "msr cpacr_el1, x10",
                "isb",
                "mov x29, xzr",
                "mov x30, xzr",
                "mov x1, x4",
                concat!("mov x2, #", $registered),
                "b {begin}",
                stacks = sym $crate::rt::cores::STACKS,
                size = const $crate::rt::cores::STACK,
                vectors = sym $crate::rt::vectors::exception_vectors,
                begin = sym $begin,
            )
        }
    };
}
pub(crate) use entry;

/// A hypercall: x0.
pub fn hypercall(x0: u64, x1: u64, x2: u64, x3: u64) -> u64 {
    let mut regs = [0; 18];
    regs[..4].copy_from_slice(&[x0, x1, x2, x3]);
    call::call(Conduit::Hvc, &mut regs);
    regs[0]
}

/// Masks virtual IRQs and FIQs, or unmasks them.
pub fn mask(masked: bool) {
    // SAFETY: the vectors take what comes.
    unsafe {
        match masked {
            true => asm!("msr daifset, #3", options(nostack, preserves_flags)),
            false => asm!("msr daifclr, #3", "isb", options(nostack, preserves_flags)),
        }
    }
}

/// Puts DAIF back.
pub fn set_daif(daif: u64) {
    // SAFETY: as `mask`.
    unsafe {
        asm!("msr daif, {}", "isb", in(reg) daif, options(nostack, preserves_flags));
    }
}

/// Calls `body` with virtual IRQs and FIQs masked.
pub fn masked<T>(body: impl FnOnce() -> T) -> T {
    let daif = regs::daif();
    mask(true);
    let value = body();
    set_daif(daif);
    value
}

/// Makes this context's number known to [`index`].
pub fn set_index(index: u64) {
    // SAFETY: these images use the register for this only.
    unsafe {
        asm!("msr tpidr_el1, {}", in(reg) index, options(nomem, nostack, preserves_flags));
    }
}

/// The number of the context that runs this.
pub fn index() -> u64 {
    let index: u64;
    // SAFETY: reads what `set_index` wrote.
    unsafe {
        asm!("mrs {}, tpidr_el1", out(reg) index, options(nomem, nostack, preserves_flags));
    }
    index
}

/// CNTP_CTL_EL0.
const ENABLE: u64 = 1;

/// Lets the context's timer fire `ticks` from now, by CNTP_TVAL or by CNTP_CVAL.
pub fn arm(ticks: u64, by_tval: bool) {
    // SAFETY: the timer is this context's own.
    unsafe {
        match by_tval {
            true => {
                asm!("msr cntp_tval_el0, {}", in(reg) ticks, options(nostack, preserves_flags));
            }
            false => {
                asm!("msr cntp_cval_el0, {}", in(reg) regs::cntvct() + ticks, options(nostack, preserves_flags));
            }
        }
        asm!("msr cntp_ctl_el0, {}", "isb", in(reg) ENABLE, options(nostack, preserves_flags));
    }
}

/// Stops it.
pub fn disarm() {
    // SAFETY: as above.
    unsafe {
        asm!(
            "msr cntp_ctl_el0, xzr",
            "isb",
            options(nostack, preserves_flags)
        );
    }
}

/// CNTP_CTL_EL0 and CNTP_TVAL_EL0.
pub fn timer() -> [u64; 2] {
    let (ctl, tval): (u64, u64);
    // SAFETY: reads only.
    unsafe {
        asm!("mrs {}, cntp_ctl_el0", "mrs {}, cntp_tval_el0", out(reg) ctl, out(reg) tval, options(nostack, preserves_flags));
    }
    [ctl, tval]
}
