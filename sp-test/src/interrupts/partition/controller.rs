//! The interrupt controller's registers, which a partition has not: each access is undefined.

use crate::rt::fault;
use core::arch::asm;

/// EC of an undefined instruction.
const UNKNOWN: u64 = 0;

macro_rules! touch {
    (read $($register:literal)*; write $($written:literal)*;) => {
        [
            $(read(|| {
                // SAFETY: a register of the controller that must not be there.
                unsafe {
                    asm!(concat!("mrs {}, ", $register), out(reg) _, options(nostack, preserves_flags));
                }
            }),)*
            $(read(|| {
                // SAFETY: as above. What is written does no harm: it ends an interrupt that does not come here.
                unsafe {
                    asm!(concat!("msr ", $written, ", {}"), in(reg) 26u64, options(nostack, preserves_flags));
                }
            }),)*
        ]
    };
}

/// Whether an access went through, or faulted in another way than it should.
fn read(access: impl FnOnce()) -> bool {
    match fault::expecting(access) {
        Ok(()) => true,
        Err(fault) => fault.class() != UNKNOWN,
    }
}

/// Touches each register; gives how many are not undefined.
pub(super) fn touch() -> u64 {
    let reached = touch! {
        // IAR0, HPPIR0, BPR0, AP0R0, AP1R0, RPR, IAR1, HPPIR1, BPR1, CTLR, SRE, IGRPEN0, IGRPEN1, PMR.
        read "S3_0_C12_C8_0" "S3_0_C12_C8_2" "S3_0_C12_C8_3" "S3_0_C12_C8_4" "S3_0_C12_C9_0" "S3_0_C12_C11_3"
            "S3_0_C12_C12_0" "S3_0_C12_C12_2" "S3_0_C12_C12_3" "S3_0_C12_C12_4" "S3_0_C12_C12_5" "S3_0_C12_C12_6"
            "S3_0_C12_C12_7" "S3_0_C4_C6_0";
        // EOIR0, EOIR1, DIR, SGI1R, ASGI1R, SGI0R: those that change nothing for good where they are reached.
        write "S3_0_C12_C8_1" "S3_0_C12_C12_1" "S3_0_C12_C11_1" "S3_0_C12_C11_5" "S3_0_C12_C11_6" "S3_0_C12_C11_7";
    };
    reached.into_iter().filter(|reached| *reached).count() as u64
}
