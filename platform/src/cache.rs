//! Cache maintenance by address, to the point of coherency: for memory that is written or read with
//! an MMU off on one side.

use crate::{
    read_sysreg,
    sysreg::{dsb_sy, isb},
};
use core::arch::asm;

/// How many bytes the smallest data cache line has.
fn line_size() -> usize {
    // DminLine: log2 of the words in it.
    4 << (read_sysreg!("ctr_el0") >> 16 & 0xf)
}

/// The addresses of the cache lines that hold `length` bytes from `start` on.
fn lines(start: usize, length: usize) -> impl Iterator<Item = usize> {
    let line = line_size();
    (start & !line.wrapping_sub(1)..start.saturating_add(length)).step_by(line)
}

/// Writes a value back from all caches, for a reader with its MMU off.
pub fn clean<T: ?Sized>(value: &T) {
    let start = (&raw const *value).cast::<u8>() as usize;
    // SAFETY: A value is mapped.
    unsafe { clean_range(start, size_of_val(value)) }
}

/// The same for memory that is no value of the image.
///
/// # Safety
///
/// It is mapped as normal memory.
pub unsafe fn clean_range(start: usize, length: usize) {
    let line = line_size();
    let end = start.saturating_add(length);
    let mut at = start & !line.wrapping_sub(1);
    // A few in a row, without looking in between whether it is the end.
    // SAFETY: The caller says that all of it is mapped.
    unsafe {
        while end.saturating_sub(at) > 4 * line {
            clean_line(at);
            clean_line(at + line);
            clean_line(at + 2 * line);
            clean_line(at + 3 * line);
            at += 4 * line;
        }
        while at < end {
            clean_line(at);
            at += line;
        }
    }
    dsb_sy();
}

/// Writes a line back from all caches.
///
/// # Safety
///
/// It is mapped as normal memory.
#[inline(always)]
unsafe fn clean_line(at: usize) {
    // SAFETY: Cleaning and invalidating a mapped line loses nothing.
    unsafe { asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) }
}

/// Drops all instructions that any core has cached: for code that was written just now.
pub fn invalidate_instructions() {
    dsb_sy();
    // SAFETY: Cores fetch again, nothing else.
    unsafe { asm!("ic ialluis", options(nostack, preserves_flags)) }
    dsb_sy();
    isb();
}

/// Drops a range from all caches without writing it back: for memory that was written with the MMU
/// off, so that older cached lines can't hide it.
///
/// # Safety
///
/// No cache holds anything of these bytes that is newer than memory and still wanted; the range
/// shares no cache line with other data of which that is not true.
pub unsafe fn invalidate(start: usize, length: usize) {
    for line in lines(start, length) {
        // SAFETY: The caller promises that the cached copies are not wanted.
        unsafe { asm!("dc ivac, {}", in(reg) line, options(nostack, preserves_flags)) }
    }
    dsb_sy();
    isb();
}
