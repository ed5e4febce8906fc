//! Copies to and from memory that somebody else may write at the same time.
//!
//! Each byte is loaded or stored once, by accesses that the compiler neither repeats nor drops. What
//! was copied is the image's own; what it says may be torn, and is checked after the copy.

use core::{
    ops::Range,
    ptr::{read_volatile, write_volatile},
};

const WORD: usize = size_of::<u64>();

/// Whether words can be used: both ends aligned.
const fn aligned(address: usize, length: usize) -> bool {
    (address | length).is_multiple_of(WORD)
}

/// Copies `to.len()` bytes from `address`.
///
/// # Safety
///
/// The bytes are mapped, and no Rust object of the image.
pub unsafe fn read(address: usize, to: &mut [u8]) {
    if aligned(address, to.len()) {
        for (n, word) in to.chunks_exact_mut(WORD).enumerate() {
            // SAFETY: The caller vouches for the bytes; the address is aligned.
            let value = unsafe { read_volatile((address as *const u64).add(n)) };
            word.copy_from_slice(&value.to_le_bytes());
        }
        return;
    }
    for (n, byte) in to.iter_mut().enumerate() {
        // SAFETY: The caller vouches for the bytes.
        *byte = unsafe { read_volatile((address as *const u8).add(n)) };
    }
}

/// Copies `from` to `address`.
///
/// # Safety
///
/// As [`read`], and the bytes may be written.
pub unsafe fn write(address: usize, from: &[u8]) {
    if aligned(address, from.len()) {
        for (n, word) in from.as_chunks::<WORD>().0.iter().enumerate() {
            // SAFETY: The caller vouches for the bytes; the address is aligned.
            unsafe { write_volatile((address as *mut u64).add(n), u64::from_le_bytes(*word)) }
        }
        return;
    }
    for (n, byte) in from.iter().enumerate() {
        // SAFETY: The caller vouches for the bytes.
        unsafe { write_volatile((address as *mut u8).add(n), *byte) }
    }
}

/// Zeroes `length` bytes from `address` on, in whole blocks where the CPU has an instruction for it.
///
/// # Safety
///
/// As [`write`](fn@write), and the memory is mapped as normal memory.
pub unsafe fn zero(address: usize, length: usize) {
    let blocks = blocks(address..address.saturating_add(length));
    // SAFETY: The caller vouches for all of it.
    unsafe {
        zero_words(address..blocks.start);
        for block in blocks.clone().step_by(block_size().max(1)) {
            zero_block(block);
        }
        zero_words(blocks.end..address.saturating_add(length));
    }
}

/// The part of a range that consists of whole blocks.
fn blocks(range: Range<usize>) -> Range<usize> {
    let size = block_size();
    // Sizes are powers of two.
    let inside = size.wrapping_sub(1);
    let start = range.start.saturating_add(inside) & !inside;
    let end = range.end & !inside;
    match size > 0 && start < end {
        true => start..end,
        false => range.start..range.start,
    }
}

/// Zeroes a range by words, and by bytes at its ends.
///
/// # Safety
///
/// As [`write`](fn@write).
unsafe fn zero_words(range: Range<usize>) {
    let mut at = range.start;
    while at < range.end {
        if at.is_multiple_of(WORD) && range.end - at >= WORD {
            // SAFETY: The caller vouches for the bytes; the address is aligned.
            unsafe { write_volatile(at as *mut u64, 0) }
            at += WORD;
        } else {
            // SAFETY: The caller vouches for the bytes.
            unsafe { write_volatile(at as *mut u8, 0) }
            at += 1;
        }
    }
}

/// How many bytes [`zero_block`] zeroes: a power of two; 0 if there is no instruction for it.
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
#[inline(always)]
fn block_size() -> usize {
    // DZP: prohibited. BS: log2 of the words.
    match crate::read_sysreg!("dczid_el0") {
        value if value & 1 << 4 == 0 => 4 << (value & 0xf),
        _ => 0,
    }
}

/// Zeroes the block at an address that is aligned to its size.
///
/// # Safety
///
/// As [`zero`].
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
#[inline(always)]
unsafe fn zero_block(at: usize) {
    // SAFETY: As the caller promises.
    unsafe { core::arch::asm!("dc zva, {}", in(reg) at, options(nostack, preserves_flags)) }
}

/// On the host, where only the arithmetic around it is tested.
#[cfg(not(all(target_arch = "aarch64", target_os = "none")))]
const fn block_size() -> usize {
    64
}

/// On the host as on the target.
///
/// # Safety
///
/// As [`zero`].
#[cfg(not(all(target_arch = "aarch64", target_os = "none")))]
unsafe fn zero_block(at: usize) {
    // SAFETY: As the caller promises.
    unsafe { zero_words(at..at + block_size()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_whatever_their_alignment() {
        let mut memory = [0u64; 8];
        let base = memory.as_mut_ptr() as usize;
        for (offset, length) in [(0, 16), (3, 9), (8, 5), (1, 0), (7, 17)] {
            let from: Vec<u8> = (1..=length as u8).collect();
            let mut to = vec![0; length];
            // SAFETY: All of it lies in `memory`, which nobody else uses.
            unsafe {
                write(base + offset, &from);
                read(base + offset, &mut to);
                assert_eq!(to, from);
                zero(base + offset, length);
                read(base + offset, &mut to);
            }
            assert!(to.iter().all(|byte| *byte == 0));
        }
        assert_eq!(memory, [0; 8]);
    }
    #[test]
    fn zeroes_end_where_they_should() {
        let mut memory = [u64::MAX; 64];
        let base = memory.as_mut_ptr() as usize;
        for offset in (0..130).step_by(3) {
            for length in (0..300).step_by(7) {
                memory.fill(u64::MAX);
                // SAFETY: All of it lies in `memory`, which nobody else uses.
                unsafe { zero(base + offset, length) }
                let bytes = memory.iter().flat_map(|word| word.to_ne_bytes());
                for (index, byte) in bytes.enumerate() {
                    let inside = (offset..offset + length).contains(&index);
                    assert_eq!(byte == 0, inside, "{offset} {length} {index}");
                }
            }
        }
    }
}
