//! The ID registers of the System register space S3_0_C0_C1_0 to S3_0_C0_C7_7, by number.

use super::fault::{self, Fault};
use core::arch::asm;

/// CRm and op2 of all of them.
pub const ID_REGISTERS: [(u64, u64); 56] = {
    let mut all = [(0, 0); 56];
    let mut n = 0;
    while n < 56 {
        all[n as usize] = (1 + n / 8, n % 8);
        n += 1;
    }
    all
};

macro_rules! readers {
    ($number:ident, $($m:literal)*) => {
        match $number >> 4 {
            $($m => readers!(@row $number, $m, 0 1 2 3 4 5 6 7),)*
            _ => 0,
        }
    };
    (@row $number:ident, $m:literal, $($n:literal)*) => {
        match $number & 0xf {
            $($n => {
                let mut value = 0u64;
                // SAFETY: reads an ID register; a fault is stepped over.
                unsafe {
                    asm!(
                        concat!("mrs {}, S3_0_C0_C", $m, "_", $n),
                        inout(reg) value,
                        options(nostack, preserves_flags)
                    );
                }
                value
            })*
            _ => 0,
        }
    };
}

/// Reads S3_0_C0_Cm_n, with m in bits 7:4 of `number` and n in bits 3:0, both at most 7.
///
/// # Errors
/// The fault that the read took.
pub fn read(number: u64) -> Result<u64, Fault> {
    fault::expecting(|| readers!(number, 0 1 2 3 4 5 6 7))
}
