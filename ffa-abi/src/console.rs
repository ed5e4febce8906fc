//! The characters of `FFA_CONSOLE_LOG` (DEN0077A, from FF-A 1.2), packed little-endian from register
//! 2: four to a w register, eight to an x register.

use crate::{call::Call, regs::Regs, version::Version};

/// The most characters that one `FFA_CONSOLE_LOG` can carry: w2-w7, x2-x7, or x2-x17 from 1.2.
pub const fn console_capacity(wide: bool, version: Version) -> usize {
    match (wide, version.has_extended_registers()) {
        (false, _) => 24,
        (true, false) => 48,
        (true, true) => 128,
    }
}

/// Gives the characters of a `FFA_CONSOLE_LOG` to `sink`, one by one.
pub fn console_characters(regs: &Regs, wide: bool, count: usize, mut sink: impl FnMut(u8)) {
    let per_register = if wide { 8 } else { 4 };
    let mut left = count;
    for value in &regs.0[2..] {
        for byte in value.to_le_bytes().into_iter().take(per_register) {
            if left == 0 {
                return;
            }
            left -= 1;
            sink(byte);
        }
    }
}

/// The registers of a `FFA_CONSOLE_LOG` with as much of `text` as a caller of `version` can send in
/// one, and how many bytes of `text` that is. `None` for an empty text, which would be refused.
pub fn console_call(version: Version, wide: bool, text: &[u8]) -> Option<(Regs, usize)> {
    let count = text.len().min(console_capacity(wide, version));
    if count == 0 {
        return None;
    }
    let mut regs = Call::ConsoleLog { wide, count }.encode();
    let per_register = if wide { 8 } else { 4 };
    let text = text.iter().take(count);
    for (n, byte) in text.enumerate() {
        if let Some(register) = regs.0.get_mut(2 + n / per_register) {
            *register |= u64::from(*byte) << (8 * (n % per_register));
        }
    }
    Some((regs, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn characters_are_little_endian() {
        let text = u64::from_le_bytes(*b"abcdXXXX");
        let mut regs = Regs::ZERO;
        regs[2] = text;
        regs[3] = text;
        let mut out = Vec::new();
        console_characters(&regs, false, 6, |c| out.push(c));
        assert_eq!(out, b"abcdab");
        out.clear();
        console_characters(&regs, true, 10, |c| out.push(c));
        assert_eq!(out, b"abcdXXXXab");
    }

    #[test]
    fn no_text_is_no_call() {
        assert_eq!(console_call(Version::V1_3, true, b""), None);
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn a_text_comes_out_as_it_went_in(
            text in proptest::collection::vec(any::<u8>(), 1..300), wide: bool, minor in 0u16..4,
        ) {
            let version = Version::new(1, minor);
            let mut left = text.as_slice();
            let mut seen = Vec::new();
            while let Some((regs, taken)) = console_call(version, wide, left) {
                prop_assert_eq!(
                    Call::decode(version, &regs),
                    Ok(Call::ConsoleLog { wide, count: taken })
                );
                console_characters(&regs, wide, taken, |c| seen.push(c));
                left = &left[taken..];
            }
            prop_assert_eq!(seen, text);
        }
    }
}
