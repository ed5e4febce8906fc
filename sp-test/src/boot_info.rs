//! The boot information blob (DEN0077A, "Boot information protocol") as a partition sees it: only
//! the header's first words, to tell a good pointer from a bad one.

/// The signature in the first word.
pub const SIGNATURE: u32 = 0x0ffa;

/// What a partition found at the address in its boot-information register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum BootInfo {
    /// The register was zero: no boot information was asked for.
    None = 0,
    /// A header with the right signature and plausible sizes.
    Good = 1,
    /// Something else.
    Bad = 2,
}

/// Judges the first eight words of the blob: signature, version, blob size, descriptor size,
/// descriptor count, array offset (all u32, little-endian), then eight reserved bytes.
pub const fn judge(header: &[u32; 8]) -> BootInfo {
    let [
        signature,
        _version,
        size,
        descriptor,
        count,
        offset,
        reserved0,
        reserved1,
    ] = *header;
    // The fields are the SPMC's; still, sums are made in 64 bits.
    let end = offset as u64 + descriptor as u64 * count as u64;
    if signature == SIGNATURE
        && descriptor == 32
        && offset >= 32
        && offset % 8 == 0
        && size as u64 >= end
        && reserved0 == 0
        && reserved1 == 0
    {
        BootInfo::Good
    } else {
        BootInfo::Bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_judged_by_signature_and_sizes() {
        let good = [SIGNATURE, 0x1_0002, 64, 32, 1, 32, 0, 0];
        assert_eq!(judge(&good), BootInfo::Good);
        for (word, value) in [
            (0, 0xffa0),
            (2, 63),
            (3, 24),
            (4, u32::MAX),
            (5, 12),
            (7, 1),
        ] {
            let mut bad = good;
            bad[word] = value;
            assert_eq!(judge(&bad), BootInfo::Bad, "word {word} = {value:#x}");
        }
    }
}
