//! A small generator of patterns. It is not for secrets: it only has to give registers values that
//! no mistake would produce by chance.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts a sequence.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills `words`.
    pub fn fill(&mut self, words: &mut [u64]) {
        for word in words {
            *word = self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_does_not_repeat_soon() {
        let mut random = Random::new(7);
        let mut words = [0; 1000];
        random.fill(&mut words);
        let distinct: std::collections::BTreeSet<_> = words.into_iter().collect();
        assert_eq!(distinct.len(), words.len());
    }
}
