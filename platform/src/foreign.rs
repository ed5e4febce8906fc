//! Copies to and from memory that somebody else may write at the same time.
//!
//! Each byte is loaded or stored once, by accesses that the compiler neither repeats nor drops. What
//! was copied is the image's own; what it says may be torn, and is checked after the copy.

use core::ptr::{read_volatile, write_volatile};

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

/// Zeroes `length` bytes from `address` on.
///
/// # Safety
///
/// As [`write`](fn@write).
pub unsafe fn zero(address: usize, length: usize) {
    let mut at = address;
    let end = address.saturating_add(length);
    while at < end {
        if at.is_multiple_of(WORD) && end - at >= WORD {
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
}
