//! Copies to and from memory that somebody else may write at the same time.
//!
//! Each byte is loaded or stored once, by accesses that the compiler neither repeats nor drops. What
//! was copied is the image's own; what it says may be torn, and is checked after the copy.

use core::{
    ops::Range,
    ptr::{read_volatile, write_volatile},
};

const WORD: usize = size_of::<u64>();

/// Whether words can be used: all of this is aligned.
const fn aligned(address: usize, length: usize, own: usize) -> bool {
    (address | length | own).is_multiple_of(WORD)
}

/// Copies `to.len()` bytes from `address`. In words, if `to` and the memory are aligned to them.
///
/// # Safety
///
/// The bytes are mapped, and no Rust object of the image.
pub unsafe fn read(address: usize, to: &mut [u8]) {
    if aligned(address, to.len(), to.as_ptr() as usize) {
        // SAFETY: Any bits are a word.
        let (_, words, _) = unsafe { to.align_to_mut::<u64>() };
        for (n, word) in words.iter_mut().enumerate() {
            // SAFETY: The caller vouches for the bytes; the address is aligned.
            *word = unsafe { read_volatile((address as *const u64).add(n)) };
        }
        return;
    }
    for (n, byte) in to.iter_mut().enumerate() {
        // SAFETY: The caller vouches for the bytes.
        *byte = unsafe { read_volatile((address as *const u8).add(n)) };
    }
}

/// Copies `from` to `address`. In words, if `from` and the memory are aligned to them.
///
/// # Safety
///
/// As [`read`], and the bytes may be written.
pub unsafe fn write(address: usize, from: &[u8]) {
    if aligned(address, from.len(), from.as_ptr() as usize) {
        // SAFETY: Any bits are a word.
        let (_, words, _) = unsafe { from.align_to::<u64>() };
        for (n, word) in words.iter().enumerate() {
            // SAFETY: The caller vouches for the bytes; the address is aligned.
            unsafe { write_volatile((address as *mut u64).add(n), *word) }
        }
        return;
    }
    for (n, byte) in from.iter().enumerate() {
        // SAFETY: The caller vouches for the bytes.
        unsafe { write_volatile((address as *mut u8).add(n), *byte) }
    }
}

/// Copies `length` bytes from `from` to `to`: in words, as far as both are aligned alike.
///
/// # Safety
///
/// As [`read`] for the first, as [`write`](fn@write) for the others, and they share no byte.
pub unsafe fn copy(from: usize, to: usize, length: usize) {
    let mut done = 0;
    while done < length {
        let left = length - done;
        let (source, target) = (from.wrapping_add(done), to.wrapping_add(done));
        if left >= WORD && (source | target).is_multiple_of(WORD) {
            // SAFETY: The caller vouches for the bytes; both addresses are aligned.
            unsafe { write_volatile(target as *mut u64, read_volatile(source as *const u64)) }
            done += WORD;
        } else {
            // SAFETY: The caller vouches for the bytes.
            unsafe { write_volatile(target as *mut u8, read_volatile(source as *const u8)) }
            done += 1;
        }
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
        zero_blocks(blocks.clone());
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

/// Zeroes a range that consists of whole blocks.
///
/// # Safety
///
/// As [`zero`].
unsafe fn zero_blocks(range: Range<usize>) {
    let size = block_size();
    let mut at = range.start;
    // SAFETY: The caller vouches for all of it. A few in a row, without looking in between whether it is the end.
    unsafe {
        while range.end - at > 4 * size {
            zero_block(at);
            zero_block(at + size);
            zero_block(at + 2 * size);
            zero_block(at + 3 * size);
            at += 4 * size;
        }
        while at < range.end {
            zero_block(at);
            at += size;
        }
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
        let bytes: Vec<u8> = (1..=64).collect();
        let mut own = [0u64; 8];
        for (offset, length, own_offset) in [
            (0, 16, 0),
            (0, 16, 1),
            (8, 24, 0),
            (3, 9, 0),
            (8, 5, 8),
            (1, 0, 0),
            (7, 17, 7),
        ] {
            // SAFETY: Any word is bytes.
            let (_, own, _) = unsafe { own.align_to_mut::<u8>() };
            let to = &mut own[own_offset..own_offset + length];
            to.copy_from_slice(&bytes[..length]);
            let from = to.to_vec();
            // SAFETY: All of it lies in `memory`, which nobody else uses.
            unsafe {
                write(base + offset, to);
                to.fill(0);
                read(base + offset, to);
                assert_eq!(to, from);
                zero(base + offset, length);
                read(base + offset, to);
            }
            assert!(to.iter().all(|byte| *byte == 0));
        }
        assert_eq!(memory, [0; 8]);
    }

    #[test]
    fn copies_are_what_was_there_whatever_their_alignment() {
        let bytes: Vec<u8> = (1..=64).collect();
        for from in 0..9 {
            for to in 0..9 {
                for length in 0..40 {
                    let (mut source, mut target) = ([0u64; 8], [0u64; 8]);
                    let base = source.as_mut_ptr() as usize;
                    let other = target.as_mut_ptr() as usize;
                    // SAFETY: All of it lies in the two arrays, which nobody else uses.
                    unsafe {
                        write(base, &bytes);
                        copy(base + from, other + to, length);
                    }
                    let copied: Vec<u8> = target.iter().flat_map(|w| w.to_ne_bytes()).collect();
                    let mut wanted = [0; 64];
                    wanted[to..][..length].copy_from_slice(&bytes[from..][..length]);
                    assert_eq!(copied, wanted, "{from} {to} {length}");
                }
            }
        }
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
