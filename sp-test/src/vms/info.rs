//! What partition discovery must tell one VM about another.

use crate::abi;
use crate::contract::Subject;

const RECEIVES: u32 = 1 << 0;
const RECEIVES2: u32 = 1 << 9;
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

/// The properties of `subject` in the descriptor that a VM of `caller`'s version gets. What a VM sends is not told:
/// nobody but VMs is asked by it.
pub const fn properties(subject: &Subject, caller: u32) -> u32 {
    let mut all = RECEIVES | RECEIVES2 | AARCH64;
    if subject.has_wide_cycles() {
        all |= WIDE_CYCLES;
    }
    all & known(caller)
}

/// The first word of that descriptor, for a VM with so many vCPUs.
pub const fn first_word(subject: &Subject, vcpus: u16, caller: u32) -> u64 {
    subject.id as u64 | (vcpus as u64) << 16 | (properties(subject, caller) as u64) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vms::peer;

    #[test]
    fn properties_by_version_of_the_caller() {
        let strict = peer(3, abi::V1_2, true).unwrap();
        let plain = peer(2, abi::V1_2, false).unwrap();
        assert_eq!(properties(plain, abi::V1_0), 0x1);
        assert_eq!(properties(plain, abi::V1_1), 0x101);
        assert_eq!(properties(plain, abi::V1_2), 0x301);
        assert_eq!(properties(plain, abi::V1_3), 0x301);
        assert_eq!(properties(strict, abi::V1_3), 0x2301);
        assert_eq!(first_word(strict, 2, abi::V1_2), 0x0000_0301_0002_0003);
    }
}
