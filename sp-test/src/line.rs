//! A line of console text of fixed capacity, and its packing into FFA_CONSOLE_LOG registers
//! (DEN0077A, "FFA_CONSOLE_LOG": characters little-endian in x2 and up).

use core::fmt;

/// Characters in one FFA_CONSOLE_LOG_64 that uses x2-x7 only, which any version may.
pub const CHUNK: usize = 48;

/// A line being built; what does not fit is cut off and marked.
#[derive(Clone, Debug)]
pub struct Line<const N: usize> {
    text: [u8; N],
    len: usize,
}

impl<const N: usize> Line<N> {
    /// An empty line.
    pub const fn new() -> Self {
        Self {
            text: [0; N],
            len: 0,
        }
    }

    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&[])
    }

    /// The text so far.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.bytes()).unwrap_or("?")
    }
}

impl<const N: usize> Default for Line<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Line<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match self.text.get_mut(self.len) {
                Some(slot) => {
                    *slot = if byte.is_ascii() { byte } else { b'?' };
                    self.len += 1;
                }
                None => {
                    // Cut, visibly, and go on: a report must not fail for its length.
                    if let Some(last) = self.text.last_mut() {
                        *last = b'~';
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Packs at most [`CHUNK`] bytes into the six registers x2-x7; the count is for x1.
pub fn pack(chunk: &[u8]) -> (u64, [u64; 6]) {
    let mut registers = [0; 6];
    let mut count = 0;
    for (register, word) in registers.iter_mut().zip(chunk.chunks(8)) {
        for (position, byte) in word.iter().enumerate() {
            *register |= u64::from(*byte) << (8 * position);
            count += 1;
        }
    }
    (count, registers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn characters_are_packed_little_endian() {
        assert_eq!(
            pack(b"abcdefghij"),
            (10, [0x6867_6665_6463_6261, 0x6a69, 0, 0, 0, 0])
        );
        assert_eq!(pack(&[b'x'; 60]).0, CHUNK as u64);
        assert_eq!(pack(b""), (0, [0; 6]));
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_marked() {
        let mut line = Line::<8>::new();
        write!(line, "ab\u{e9}").unwrap();
        assert_eq!(line.as_str(), "ab??");
        write!(line, "0123456789").unwrap();
        assert_eq!(line.as_str(), "ab??012~");
    }
}
