//! Service UUIDs in the byte orders that FF-A uses.

use core::fmt;

/// A UUID as sixteen bytes in the order of its text form. Aligned, so that it is compared in two
/// steps where unaligned accesses are not allowed.
#[derive(Clone, Copy, Eq, Default)]
#[repr(align(8))]
pub struct Uuid(pub [u8; 16]);

impl PartialEq for Uuid {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.registers() == other.registers()
    }
}

impl Uuid {
    /// The nil UUID: "any service".
    pub const NIL: Self = Self([0; 16]);

    /// From two registers, as in x2 and x3 of `FFA_MSG_SEND_DIRECT_REQ2`: x2 holds bytes 0 to 7,
    /// little-endian.
    #[inline(always)]
    pub const fn from_registers(low: u64, high: u64) -> Self {
        let bits = low as u128 | (high as u128) << 64;
        Self(bits.to_le_bytes())
    }

    /// The two registers.
    #[inline(always)]
    pub const fn registers(self) -> (u64, u64) {
        let bits = u128::from_le_bytes(self.0);
        (bits as u64, (bits >> 64) as u64)
    }

    /// From four words, as in w1 to w4 of `FFA_PARTITION_INFO_GET` and in a partition's manifest:
    /// word `i` holds bytes `4i` to `4i + 3`, little-endian.
    pub const fn from_words(w: [u32; 4]) -> Self {
        Self::from_registers(
            w[0] as u64 | (w[1] as u64) << 32,
            w[2] as u64 | (w[3] as u64) << 32,
        )
    }

    /// The four words.
    pub const fn words(self) -> [u32; 4] {
        let (low, high) = self.registers();
        [
            low as u32,
            (low >> 32) as u32,
            high as u32,
            (high >> 32) as u32,
        ]
    }

    /// Reads the text form as manifests have it: 8, 4, 4, 4 and 12 hexadecimal digits. `None` for any
    /// other text.
    ///
    /// The digits are the four words of [`from_words`](Self::from_words), written one behind the
    /// other, so that "b4b5671e-4a90-…" and `<0xb4b5671e 0x4a90…>` are the same service, as Hafnium
    /// reads them. It is not what [`Display`](fmt::Display) writes: that has the order of the bytes,
    /// in which each word's bytes are swapped.
    pub fn from_manifest_text(text: &str) -> Option<Self> {
        let mut bits: u128 = 0;
        let mut groups = text.split('-');
        for length in [8, 4, 4, 4, 12] {
            let group = groups.next()?;
            if group.len() != length {
                return None;
            }
            for digit in group.chars() {
                bits = bits << 4 | u128::from(digit.to_digit(16)?);
            }
        }
        if groups.next().is_some() {
            return None;
        }
        let word = |shift: u32| (bits >> shift) as u32;
        Some(Self::from_words([word(96), word(64), word(32), word(0)]))
    }

    /// Whether this is the nil UUID.
    pub fn is_nil(self) -> bool {
        u128::from_le_bytes(self.0) == 0
    }
}

impl core::hash::Hash for Uuid {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.registers().hash(state);
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_registers_are_the_same_bytes() {
        let words = [0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c];
        let uuid = Uuid::from_words(words);
        let expected: [u8; 16] = core::array::from_fn(|i| i as u8);
        assert_eq!(uuid.0, expected);
        assert_eq!(uuid.words(), words);
        let (low, high) = uuid.registers();
        assert_eq!(Uuid::from_registers(low, high), uuid);
        assert_eq!(low, 0x0706_0504_0302_0100);
        assert_eq!(uuid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert!(Uuid::NIL.is_nil() && !uuid.is_nil());
    }

    #[test]
    fn a_manifests_text_and_its_words_are_the_same() {
        let words = Uuid::from_words([0xb4b5_671e, 0x4a90_4fe1, 0xb81f_fb13, 0xdae1_dacb]);
        let text = "b4b5671e-4a90-4fe1-b81f-fb13dae1dacb";
        assert_eq!(Uuid::from_manifest_text(text), Some(words));
        for wrong in [
            "",
            "b4b5671e-4a90-4fe1-b81f-fb13dae1dac",
            "b4b5671e-4a90-4fe1-b81f-fb13dae1dacb-",
            "b4b5671e_4a90-4fe1-b81f-fb13dae1dacb",
            "b4b5671e-4a90-4fe1-b81f-fb13dae1dacg",
            "b4b5671e4a90-4fe1-b81f-fb13dae1dacb-",
        ] {
            assert_eq!(Uuid::from_manifest_text(wrong), None, "{wrong}");
        }
    }
}
