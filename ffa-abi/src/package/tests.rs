//! Packages of both forms, and each mistake in them.

use super::transfer_list::{
    Entries, EntryHeader, HAS_CHECKSUM, Header as ListHeader, SIGNATURE, TAG_EMPTY, TAG_HOB_LIST,
    TAG_IMAGE, TAG_MANIFEST,
};
use super::*;
use proptest::prelude::*;

fn package(version: u32, fields: [u32; 4], len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let header = Header {
        magic: MAGIC,
        version: version.into(),
        manifest_offset: fields[0].into(),
        manifest_size: fields[1].into(),
        image_offset: fields[2].into(),
        image_size: fields[3].into(),
    };
    bytes[..24].copy_from_slice(header.as_bytes());
    bytes
}

#[test]
fn a_good_package_gives_both_ranges() {
    for version in [1, 2] {
        let bytes = package(version, [0x1000, 0x200, 0x4000, 0x1000], 0x8000);
        let parsed = Package::parse(&bytes).unwrap();
        assert_eq!(parsed.manifest, 0x1000..0x1200);
        assert_eq!(parsed.image, 0x4000..0x5000);
        assert_eq!(parsed.hob_list, None);
    }
}

#[test]
fn each_mistake_has_its_error() {
    let good = [0x1000, 0x200, 0x4000, 0x1000];
    assert_eq!(
        Package::parse(&[0; 23]),
        Err(PackageError::Short { found: 23 })
    );
    assert!(matches!(
        Package::parse(&[0; 24]),
        Err(PackageError::Magic { .. })
    ));
    assert_eq!(
        Package::parse(&package(3, good, 0x8000)),
        Err(PackageError::Version { found: 3 })
    );
    for (fields, what) in [
        ([0, 0x200, 0x4000, 0x1000], "manifest"),
        ([0x1000, 0, 0x4000, 0x1000], "manifest"),
        ([0x1000, u32::MAX, 0x4000, 0x1000], "manifest"),
        ([0x1000, 0x200, u32::MAX, 0x1000], "image"),
        ([0x1000, 0x200, 0x4000, 0x4001], "image"),
    ] {
        let error = Package::parse(&package(1, fields, 0x8000)).unwrap_err();
        assert!(
            matches!(error, PackageError::OutOfRange { what: w, .. } if w == what),
            "{fields:x?}: {error}"
        );
    }
    assert_eq!(
        Package::parse(&package(1, [0x1000, 0x4000, 0x4000, 0x1000], 0x8000)),
        Err(PackageError::Overlap)
    );
}

/// Entries of a list: the offset of the header, the tag, the size of the data.
type Parts<'a> = &'a [(usize, u32, u32)];

/// A manifest at 0x1000, a HOB list at 0x2000, an image at 0x3000, each behind an empty entry that
/// fills the page before.
const GOOD: Parts<'_> = &[
    (0x18, TAG_EMPTY, 0xfd8),
    (0xff8, TAG_MANIFEST, 0x200),
    (0x1200, TAG_EMPTY, 0xdf0),
    (0x1ff8, TAG_HOB_LIST, 0x38),
    (0x2038, TAG_EMPTY, 0xfb8),
    (0x2ff8, TAG_IMAGE, 0x801),
];

/// A list of these entries, with a checksum.
fn list(parts: Parts<'_>) -> Vec<u8> {
    let end = parts.last().map_or(24, |(offset, _, size)| {
        (offset + 8 + *size as usize).next_multiple_of(8)
    });
    let mut bytes = vec![0x5a; end];
    let header = ListHeader {
        signature: SIGNATURE,
        checksum: 0,
        version: 1,
        header_size: 24,
        alignment: 12,
        size: (end as u32).into(),
        max_size: (end as u32).into(),
        flags: HAS_CHECKSUM.into(),
        reserved: 0.into(),
    };
    bytes[..24].copy_from_slice(header.as_bytes());
    for (offset, tag, size) in parts {
        bytes[*offset..][..8].copy_from_slice(EntryHeader::new(*tag, *size).as_bytes());
    }
    sum(&mut bytes);
    bytes
}

/// Makes the checksum right again.
fn sum(bytes: &mut [u8]) {
    bytes[4] = 0;
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[4] = sum.wrapping_neg();
}

/// The good list with bytes changed, and the checksum made right for it.
fn changed(at: usize, to: &[u8]) -> Vec<u8> {
    let mut bytes = list(GOOD);
    bytes[at..][..to.len()].copy_from_slice(to);
    sum(&mut bytes);
    bytes
}

#[test]
fn a_transfer_list_gives_its_three_ranges() {
    let wanted = Package {
        manifest: 0x1000..0x1200,
        image: 0x3000..0x3801,
        hob_list: Some(0x2000..0x2038),
    };
    let mut bytes = list(GOOD);
    assert_eq!(Package::parse(&bytes), Ok(wanted.clone()));
    // The partition's memory goes on behind it.
    bytes.resize(0x8000, 0xff);
    assert_eq!(Package::parse(&bytes), Ok(wanted.clone()));
    // Without a HOB list, with a tag that nobody knows, and with an empty entry at the end.
    let parts = &[
        (0x18, 0x7f_ffff, 0xfd8),
        (0xff8, TAG_MANIFEST, 0x200),
        (0x1200, TAG_EMPTY, 0xdf0),
        (0x1ff8, TAG_IMAGE, 0x1000),
        (0x3000, TAG_EMPTY, 0),
    ];
    assert_eq!(
        Package::parse(&list(parts)).unwrap(),
        Package {
            manifest: 0x1000..0x1200,
            image: 0x2000..0x3000,
            hob_list: None,
        }
    );
}

#[test]
fn newer_versions_and_longer_headers_are_read() {
    let mut bytes = changed(5, &[7]);
    assert!(Package::parse(&bytes).is_ok());
    // A header of 25 bytes: the first entry is at 32, a header of 12 bytes, its data end as before.
    bytes[6] = 25;
    bytes[32..40].copy_from_slice(&[0, 0, 0, 12, 0xcc, 0xf, 0, 0]);
    sum(&mut bytes);
    let entries: Vec<_> = Entries::new(&bytes).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len(), GOOD.len());
    assert_eq!(
        (entries[0].offset, entries[0].data.clone()),
        (32, 44..0xff8)
    );
    assert_eq!(entries[1].offset, 0xff8);
}

#[test]
fn a_checksum_counts_only_where_the_flag_says_so() {
    let mut bytes = list(GOOD);
    bytes[0x1000] ^= 1;
    let wanted = bytes[4];
    assert!(matches!(
        Package::parse(&bytes),
        Err(PackageError::ListChecksum { found, .. }) if found == wanted
    ));
    bytes[16] = 0;
    assert!(Package::parse(&bytes).is_ok());
    // As in the specification's text.
    bytes[16] = 1;
    bytes[4] = 0;
    bytes[4] = bytes.iter().fold(0, |xor, byte| xor ^ byte);
    assert!(Package::parse(&bytes).is_ok());
}

#[test]
fn the_error_of_a_checksum_says_the_right_one() {
    let mut bytes = list(GOOD);
    let wanted = bytes[4];
    bytes[4] = wanted.wrapping_add(3);
    assert_eq!(
        Package::parse(&bytes),
        Err(PackageError::ListChecksum {
            found: wanted.wrapping_add(3),
            wanted
        })
    );
}

#[test]
fn each_mistake_in_a_transfer_list_has_its_error() {
    use PackageError as E;
    let size = list(GOOD).len();
    let sized = |size: usize| changed(8, &(size as u32).to_le_bytes());
    let cases: &[(Vec<u8>, E, &str)] = &[
        (
            changed(5, &[0]),
            E::ListVersion { found: 0 },
            "transfer list: found version 0, wanted 1 or higher",
        ),
        (
            changed(6, &[23]),
            E::ListHeader { found: 23 },
            "transfer list: found a header of 23 bytes, wanted at least 24",
        ),
        (
            sized(size + 1),
            E::ListSize {
                found: 0x3809,
                least: 24,
                most: 0x3808,
            },
            "transfer list: found a size of 0x3809 bytes, wanted 0x18 to 0x3808",
        ),
        (
            sized(23),
            E::ListSize {
                found: 23,
                least: 24,
                most: 0x3808,
            },
            "transfer list: found a size of 0x17 bytes, wanted 0x18 to 0x3808",
        ),
        (
            changed(12, &0x1000u32.to_le_bytes()),
            E::ListSize {
                found: 0x3808,
                least: 24,
                most: 0x1000,
            },
            "transfer list: found a size of 0x3808 bytes, wanted 0x18 to 0x1000",
        ),
        (
            changed(0xffb, &[7]),
            E::EntryHeader {
                offset: 0xff8,
                found: 7,
            },
            "transfer list: entry at offset 0xff8: found a header of 7 bytes, wanted at least 8",
        ),
        (
            changed(0xffc, &u32::MAX.to_le_bytes()),
            E::EntryOutOfRange {
                offset: 0xff8,
                tag: 0x106,
                size: u32::MAX,
                limit: 0x3808,
            },
            "transfer list: entry at offset 0xff8, tag 0x106, with 0xffffffff bytes of data does not fit in a list of 0x3808 bytes",
        ),
        (
            changed(0xff8, &[9]),
            E::Missing {
                what: "manifest",
                tag: 0x106,
            },
            "transfer list: found no manifest, wanted an entry with tag 0x106",
        ),
        (
            changed(0x2ff8, &[9]),
            E::Missing {
                what: "image",
                tag: 0x103,
            },
            "transfer list: found no image, wanted an entry with tag 0x103",
        ),
        (
            changed(0x1ff8, &[6, 1]),
            E::Twice {
                what: "manifest",
                tag: 0x106,
                offset: 0x1ff8,
            },
            "transfer list: found a second manifest (tag 0x106) at offset 0x1ff8, wanted one",
        ),
        (
            changed(0x1ff8, &[3, 1]),
            E::Twice {
                what: "image",
                tag: 0x103,
                offset: 0x2ff8,
            },
            "transfer list: found a second image (tag 0x103) at offset 0x2ff8, wanted one",
        ),
        (
            list(&[(0x18, TAG_EMPTY, 0xfd8), (0xff8, TAG_MANIFEST, 0)]),
            E::Empty {
                what: "manifest",
                tag: 0x106,
                offset: 0x1000,
            },
            "transfer list: found an empty manifest (tag 0x106) at offset 0x1000",
        ),
        (
            list(&[(0x18, TAG_MANIFEST, 0x200)]),
            E::Unaligned {
                what: "manifest",
                offset: 0x20,
            },
            "transfer list: found the manifest at offset 0x20, wanted a multiple of 0x1000",
        ),
        (
            list(&[(0x18, TAG_IMAGE, 0x200)]),
            E::Unaligned {
                what: "image",
                offset: 0x20,
            },
            "transfer list: found the image at offset 0x20, wanted a multiple of 0x1000",
        ),
        (
            list(&[(0x18, TAG_HOB_LIST, 0x200)]),
            E::Unaligned {
                what: "HOB list",
                offset: 0x20,
            },
            "transfer list: found the HOB list at offset 0x20, wanted a multiple of 0x1000",
        ),
        (
            list(&[
                (0x18, TAG_EMPTY, 0xfd8),
                (0xff8, TAG_IMAGE, 0x200),
                (0x1200, TAG_EMPTY, 0xdf0),
                (0x1ff8, TAG_MANIFEST, 0x200),
            ]),
            E::NotLast {
                tag: 0x106,
                offset: 0x1ff8,
            },
            "transfer list: found an entry with tag 0x106 at offset 0x1ff8, wanted none behind the image",
        ),
    ];
    for (bytes, error, text) in cases {
        assert_eq!(Package::parse(bytes), Err(*error), "{text}");
        assert_eq!(error.to_string(), *text);
    }
}

proptest! {
    #![proptest_config(crate::property())]

    #[test]
    fn any_list_of_bytes_is_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 24..0x80)) {
        bytes[..4].copy_from_slice(&SIGNATURE);
        let _ = Package::parse(&bytes);
        // Further in: a header that is right.
        let size = bytes.len() as u32;
        bytes[5..8].copy_from_slice(&[1, 24, 3]);
        bytes[8..12].copy_from_slice(&size.to_le_bytes());
        bytes[12..16].copy_from_slice(&size.to_le_bytes());
        bytes[16] &= !1;
        let mut end = 24;
        for entry in Entries::new(&bytes).unwrap().flatten() {
            prop_assert!(entry.offset >= end && entry.offset % 8 == 0);
            prop_assert!(entry.data.start >= entry.offset + 8 && entry.data.end <= bytes.len());
            end = entry.data.end;
        }
        let _ = Package::parse(&bytes);
    }

    #[test]
    fn a_damaged_list_stays_inside_of_its_memory(
        damage in prop::collection::vec((0usize..0x3808, any::<u8>()), 1..4),
    ) {
        let mut bytes = list(GOOD);
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        sum(&mut bytes);
        if let Ok(package) = Package::parse(&bytes) {
            for part in [Some(package.manifest), Some(package.image), package.hob_list] {
                let part = part.unwrap_or(0x1000..0x1001);
                prop_assert!(!part.is_empty() && part.start % 0x1000 == 0 && part.end <= bytes.len());
            }
        }
    }
}
