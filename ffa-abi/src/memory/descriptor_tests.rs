//! Descriptors: their bytes, both ways, in each version, and anything in their place.

use super::*;
use crate::{id::EndpointId, version::Version};
use proptest::prelude::*;

const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn header(version: Version) -> Transaction {
    Transaction {
        flags: TransactionFlags::ZERO.with_kind(TransactionKind::Lend),
        handle: Handle(0x8877_6655_4433_2211),
        tag: 0x1020_3040_5060_7080,
        ..Transaction::new(version, EndpointId(0x8001), Attributes::NORMAL)
    }
}

fn access(endpoint: u16) -> Access {
    Access {
        endpoint: EndpointId(endpoint),
        permissions: AccessPermissions::new(
            DataAccess::ReadWrite,
            InstructionAccess::NotExecutable,
        ),
        flags: AccessFlags::NON_RETRIEVAL,
        composite_offset: 0,
        implementation: [9; 16],
    }
}

const PARTS: [Constituent; 2] = [
    Constituent {
        base: 0x8_8000_0000,
        pages: 3,
    },
    Constituent {
        base: 0x8_9000_1000,
        pages: 1,
    },
];

/// A whole transaction of two receivers and two constituents, as each version lays it out.
fn laid_out(version: Version) -> Vec<u8> {
    let common = [0x11, 0x4433_2211, 0x8877_6655, 0x5060_7080, 0x1020_3040];
    let composite = [4, 2, 0, 0, 0x8000_0000, 8, 3, 0, 0x9000_1000, 8, 1, 0];
    let mut bytes = words(&[0x002f_8001]);
    bytes.extend(words(&common));
    match version.minor() {
        0 => bytes.extend(words(&[0, 2])),
        1 => bytes.extend(words(&[16, 2, 48, 0, 0, 0])),
        _ => bytes.extend(words(&[32, 2, 48, 0, 0, 0])),
    }
    for id in [0x8002, 0x8003] {
        match version.minor() {
            0 => bytes.extend(words(&[0x0106_0000 | id, 64, 0, 0])),
            1 => bytes.extend(words(&[0x0106_0000 | id, 80, 0, 0])),
            _ => {
                bytes.extend(words(&[0x0106_0000 | id, 112]));
                bytes.extend([9; 16]);
                bytes.extend([0; 8]);
            }
        }
    }
    bytes.extend(words(&composite));
    bytes
}

#[test]
fn transactions_are_written_as_specified_in_each_version() {
    for version in VERSIONS {
        let wanted = laid_out(version);
        let mut bytes = vec![0xff; wanted.len() + 1];
        let receivers = [access(0x8002), access(0x8003)];
        let written = header(version).write_all(version, &receivers, &PARTS, &mut bytes);
        assert_eq!(written, Some(wanted.len()), "{version}");
        assert_eq!(bytes[..wanted.len()], wanted, "{version}");
        assert_eq!(bytes[wanted.len()], 0xff);
        for short in 0..wanted.len() {
            let out = &mut bytes[..short];
            let written = header(version).write_all(version, &receivers, &PARTS, out);
            assert_eq!(written, None);
        }
    }
}

#[test]
fn transactions_are_read_as_specified_in_each_version() {
    for version in VERSIONS {
        let bytes = laid_out(version);
        let read = Transaction::read(version, &bytes).unwrap();
        assert_eq!(
            read,
            Transaction {
                receivers: 2,
                ..header(version)
            }
        );
        let accesses: Vec<_> = read.accesses(&bytes).unwrap().collect();
        let composite_offset = read.accesses_end().unwrap();
        let implementation = [if version < Version::V1_2 { 0 } else { 9 }; 16];
        let wanted = [0x8002, 0x8003].map(|id| Access {
            composite_offset,
            implementation,
            ..access(id)
        });
        assert_eq!(accesses, wanted, "{version}");
        let composite = Composite::read(&bytes, composite_offset).unwrap();
        assert_eq!(composite, Composite { pages: 4, count: 2 });
        assert_eq!(composite.bytes(), 48);
        let parts = composite.constituents(&bytes, composite_offset);
        assert_eq!(parts.collect::<Vec<_>>(), PARTS);
    }
}

#[test]
fn a_fragment_gives_the_whole_constituents_that_it_has() {
    let bytes = laid_out(Version::V1_1);
    let composite = Composite::read(&bytes, 80).unwrap();
    let seen = |len: usize| {
        let parts = composite.constituents(&bytes[..len], 80);
        (parts.len(), parts.remainder().len())
    };
    assert_eq!(seen(128), (2, 0));
    assert_eq!(seen(127), (1, 15));
    assert_eq!(seen(112), (1, 0));
    assert_eq!(seen(96), (0, 0));
    assert_eq!(seen(90), (0, 0));
    // More bytes than constituents.
    let one = Composite { pages: 3, count: 1 };
    assert_eq!(one.constituents(&bytes, 80).len(), 1);
    assert_eq!(one.constituents(&bytes, u32::MAX).len(), 0);
    let rest = Constituents::new(&bytes[112..]);
    assert_eq!(rest.collect::<Vec<_>>(), PARTS[1..]);
}

#[test]
fn each_mistake_of_a_transaction_has_its_error() {
    let short = |what, offset, wanted, found| DescriptorError::Short {
        what,
        offset,
        wanted,
        found,
    };
    for (version, size) in [(Version::V1_0, 32), (Version::V1_1, 48)] {
        let found = size - 1;
        assert_eq!(
            Transaction::read(version, &laid_out(version)[..found]),
            Err(short("memory transaction header", 0, size as u64, found))
        );
    }
    let changed = |at: usize, to: u32| {
        let mut bytes = laid_out(Version::V1_2);
        bytes[at..][..4].copy_from_slice(&to.to_le_bytes());
        bytes
    };
    for found in [0, 15, 24, 48, u32::MAX] {
        assert_eq!(
            Transaction::read(Version::V1_2, &changed(24, found)),
            Err(DescriptorError::AccessSize { found })
        );
    }
    for found in [0, 32, 47, 56, u32::MAX] {
        assert_eq!(
            Transaction::read(Version::V1_2, &changed(32, found)),
            Err(DescriptorError::AccessOffset { found })
        );
    }
    // A hypervisor that retrieves states neither.
    let mut bytes = words(&[0; 12]);
    bytes[8] = 5;
    let read = Transaction::read(Version::V1_2, &bytes).unwrap();
    assert_eq!((read.handle, read.receivers), (Handle(5), 0));
    assert_eq!(read.accesses(&bytes).unwrap().len(), 0);
    // Access descriptors beyond the end.
    let found = laid_out(Version::V1_2).len();
    let what = "array of endpoint memory access descriptors";
    for (at, to, offset, wanted) in [
        (28, 6, 48, 192),
        (28, u32::MAX, 48, 0x1f_ffff_ffe0),
        (32, 0xffff_fff0, 0xffff_fff0, 64),
    ] {
        let bytes = changed(at, to);
        let read = Transaction::read(Version::V1_2, &bytes).unwrap();
        let error = read.accesses(&bytes).unwrap_err();
        assert_eq!(error, short(what, offset, wanted, found));
        assert_eq!(FfaError::from(error), FfaError::InvalidParameters);
    }
    let error = Composite::read(&bytes, 40).unwrap_err();
    assert_eq!(
        error.to_string(),
        "composite memory region at offset 0x28: wanted 0x10 bytes, found 0x30 in all"
    );
}

#[test]
fn what_1_0_can_not_say_is_not_written() {
    let mut out = [0; 48];
    let good = header(Version::V1_0);
    assert_eq!(good.write(Version::V1_0, &mut out), Some(32));
    for bad in [
        header(Version::V1_1),
        header(Version::V1_2),
        Transaction {
            attributes: Attributes(0x12f),
            ..good
        },
    ] {
        assert_eq!(bad.write(Version::V1_0, &mut out), None);
    }
}

#[test]
fn flags_of_transactions() {
    use TransactionKind::{Donate, Lend, Share, Unspecified};
    for (bits, kind) in [(0, Unspecified), (8, Share), (0x10, Lend), (0x18, Donate)] {
        let flags = TransactionFlags::from_bits_retain(bits | 0x8000_0807);
        assert_eq!(flags.kind(), kind);
        assert_eq!(flags.reserved(), 0x8000_0800);
        let again = TransactionFlags::from_bits_retain(!bits).with_kind(kind);
        assert_eq!(again.bits(), !0x18 | bits);
    }
    let hint = TransactionFlags::from_bits_retain(5 << 5);
    assert_eq!(hint.alignment_hint(), None);
    let hint = hint | TransactionFlags::HINT_VALID;
    assert_eq!(hint.alignment_hint(), Some(5));
    assert_eq!(AccessFlags::from_bits_retain(0x83).reserved(), 0x82);
    assert_eq!(RelinquishFlags::from_bits_retain(0x83).reserved(), 0x80);
}

#[test]
fn the_end_of_a_constituent_is_an_address() {
    let end = |base, pages| Constituent { base, pages }.end();
    assert_eq!(end(0x1000, 2), Some(0x3000));
    assert_eq!(end(u64::MAX - 0xffe, 1), None);
    assert_eq!(end(0, u32::MAX), Some(0xfff_ffff_f000));
    let many = [Constituent {
        base: 0,
        pages: u32::MAX,
    }; 2];
    assert_eq!(Composite::of(&many), None);
    assert_eq!(
        Composite {
            pages: 0,
            count: u32::MAX
        }
        .bytes(),
        0x10_0000_0000
    );
}

proptest! {
    #![proptest_config(crate::property())]

    #[test]
    fn transactions_are_read_as_written(
        version in prop::sample::select(VERSIONS.to_vec()),
        fields: (u16, u8, u32, u64, u64),
        receivers in prop::collection::vec(any::<(u16, u8, u8, [u8; 16])>(), 0..4),
        parts in prop::collection::vec((any::<u64>(), 0u32..0x1000_0000), 0..5),
    ) {
        let (sender, attributes, flags, handle, tag) = fields;
        let header = Transaction {
            flags: TransactionFlags::from_bits_retain(flags),
            handle: Handle(handle),
            tag,
            ..Transaction::new(version, EndpointId(sender), Attributes(attributes.into()))
        };
        let accesses: Vec<_> = receivers
            .into_iter()
            .map(|(endpoint, permissions, flags, implementation)| Access {
                endpoint: EndpointId(endpoint),
                permissions: AccessPermissions(permissions),
                flags: AccessFlags::from_bits_retain(flags),
                composite_offset: 0,
                implementation: if version < Version::V1_2 { [0; 16] } else { implementation },
            })
            .collect();
        let parts: Vec<_> = parts
            .into_iter()
            .map(|(base, pages)| Constituent { base, pages })
            .collect();
        let mut bytes = [0xa5; 512];
        let written = header.write_all(version, &accesses, &parts, &mut bytes).unwrap();
        let bytes = &bytes[..written];
        let read = Transaction::read(version, bytes).unwrap();
        prop_assert_eq!(read, Transaction { receivers: accesses.len() as u32, ..header });
        let composite_offset = if parts.is_empty() { 0 } else { read.accesses_end().unwrap() };
        let wanted: Vec<_> = accesses.iter().map(|a| Access { composite_offset, ..*a }).collect();
        prop_assert_eq!(read.accesses(bytes).unwrap().collect::<Vec<_>>(), wanted);
        if !parts.is_empty() {
            let composite = Composite::read(bytes, composite_offset).unwrap();
            prop_assert_eq!(Some(composite), Composite::of(&parts));
            let end = u64::from(composite_offset) + composite.bytes();
            prop_assert_eq!(end, written as u64);
            let again: Vec<_> = composite.constituents(bytes, composite_offset).collect();
            prop_assert_eq!(again, parts);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        offset: u32,
        steer: [u8; 3],
    ) {
        let walk = |bytes: &[u8]| {
            for version in VERSIONS {
                let Ok(header) = Transaction::read(version, bytes) else { continue };
                let Ok(accesses) = header.accesses(bytes) else { continue };
                for access in accesses {
                    if let Ok(composite) = Composite::read(bytes, access.composite_offset) {
                        assert!(composite.constituents(bytes, access.composite_offset).count() <= 12);
                    }
                }
            }
            if let Ok(head) = Relinquish::read(bytes) {
                let _ = head.endpoints(bytes).map(|ids| ids.count());
            }
            if let Ok(head) = ResourceInfo::read(bytes) {
                let _ = head.maps(bytes).map(|maps| maps.count());
            }
            let _ = Composite::read(bytes, offset).map(|c| c.constituents(bytes, offset).count());
        };
        walk(&bytes);
        // Numbers that lead further in.
        if bytes.len() >= 48 {
            bytes[24..36].fill(0);
            bytes[24] = if steer[0] & 1 == 0 { 16 } else { 32 };
            bytes[28] = steer[1] & 7;
            bytes[32] = steer[2] & 0xf0;
        }
        walk(&bytes);
    }
}
