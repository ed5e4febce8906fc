//! What partition discovery must tell one VM about another.

use crate::abi;
use crate::contract::Subject;

/// Receives and sends both kinds of direct requests.
pub const ALL_METHODS: u32 = 1 << 0 | 1 << 1 | 1 << 9 | 1 << 10;
const AARCH64: u32 = 1 << 8;
const WIDE_CYCLES: u32 = 1 << 13;

/// Properties that a caller of this version knows.
const fn known(version: u32) -> u32 {
    match version {
        abi::V1_0 => 0x7,
        abi::V1_1 => 0x1ff,
        abi::V1_2 => 0x7ff,
        _ => 0x3fff,
    }
}

/// The properties in the descriptor of a VM with these methods for a VM of `caller`'s version.
pub const fn properties(subject: &Subject, methods: u32, caller: u32) -> u32 {
    let mut all = methods | AARCH64;
    if subject.has_wide_cycles() {
        all |= WIDE_CYCLES;
    }
    all & known(caller)
}

/// The first word of that descriptor, for a VM with so many vCPUs.
pub const fn first_word(subject: &Subject, vcpus: u16, methods: u32, caller: u32) -> u64 {
    let properties = properties(subject, methods, caller);
    subject.id as u64 | (vcpus as u64) << 16 | (properties as u64) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vms::peer;

    #[test]
    fn properties_by_version_of_the_caller() {
        let strict = peer(3, abi::V1_2, true).unwrap();
        let plain = peer(2, abi::V1_2, false).unwrap();
        let of = |subject, caller| properties(subject, ALL_METHODS, caller);
        assert_eq!(of(plain, abi::V1_0), 0x3);
        assert_eq!(of(plain, abi::V1_1), 0x103);
        assert_eq!(of(plain, abi::V1_2), 0x703);
        assert_eq!(of(plain, abi::V1_3), 0x703);
        assert_eq!(of(strict, abi::V1_3), 0x2703);
        let word = first_word(strict, 2, 1, abi::V1_2);
        assert_eq!(word, 0x0000_0101_0002_0003);
    }
}
