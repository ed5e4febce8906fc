//! The beginning of a buffer, byte by byte.

/// Words of a [`Block`].
const WORDS: usize = 96;

/// Bytes of a buffer's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    words: [u64; WORDS],
    /// How many bytes are in use.
    pub length: u32,
}

impl Block {
    /// As many zeroes as there can be bytes, none of them in use.
    pub const fn new() -> Self {
        Self {
            words: [0; WORDS],
            length: 0,
        }
    }

    /// The most bytes that there can be.
    pub const fn capacity() -> u32 {
        (WORDS * 8) as u32
    }

    /// The words in use, the last one filled up with zeroes.
    pub fn words(&self) -> &[u64] {
        self.words
            .get(..self.length.div_ceil(8) as usize)
            .unwrap_or(&self.words)
    }

    /// Sets the word with this number.
    pub fn set_word(&mut self, number: usize, value: u64) {
        if let Some(word) = self.words.get_mut(number) {
            *word = value;
        }
    }

    /// Writes the lowest `size` bytes (1, 2, 4 or 8) of `value` at `at`, in one word. Beyond the end nothing happens.
    pub fn put(&mut self, at: u32, size: u32, value: u64) {
        let mask = u64::MAX >> (64 - 8 * size);
        let shift = 8 * (at % 8);
        if let Some(word) = self.words.get_mut(at as usize / 8) {
            *word = *word & !(mask << shift) | (value & mask) << shift;
        }
    }

    /// Reads `size` bytes at `at`, in one word; zero beyond the end.
    pub fn get(&self, at: u32, size: u32) -> u64 {
        let mask = u64::MAX >> (64 - 8 * size);
        let word = self.words.get(at as usize / 8).copied().unwrap_or(0);
        word >> (8 * (at % 8)) & mask
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_put_in_their_word() {
        let mut block = Block::new();
        block.put(3, 1, 0x1ff);
        block.put(4, 4, u64::MAX);
        block.put(9999, 8, 1);
        assert_eq!(block.get(0, 8), 0xffff_ffff_ff00_0000);
        assert_eq!(block.get(3, 1), 0xff);
        assert_eq!(block.get(9999, 8), 0);
    }
}
