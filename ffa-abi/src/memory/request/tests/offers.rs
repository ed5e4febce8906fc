//! `FFA_MEM_SHARE`, `LEND` and `DONATE`, row by row.

use super::{super::offer, *};
use crate::{
    memory::Composite as Head,
    sharing::{MAX_RECEIVERS, Party, Send},
};
use TransactionKind::{Donate, Lend, Share};

/// Reads a whole offer as a reader that accepts everybody.
fn read(kind: TransactionKind, draft: &Draft) -> Result<Send, FfaError> {
    let bytes = draft.bytes();
    let total = bytes.len() as u32;
    offer(draft.version, kind, &bytes, total, |_| Ok(()), |_| true).map(|offer| offer.send)
}

#[track_caller]
fn refused(kind: TransactionKind, draft: &Draft, error: FfaError) {
    let answer = read(kind, draft).map(|_| ());
    assert_eq!(answer, Err(error), "{kind:?} in {}", draft.version);
}

/// A good offer of each kind, in each version.
fn good() -> impl Iterator<Item = (TransactionKind, Draft)> {
    VERSIONS.into_iter().flat_map(|version| {
        [
            (Share, Draft::share(version)),
            (Lend, Draft::lend(version)),
            (Donate, Draft::donate(version)),
        ]
    })
}

#[test]
fn good_offers_are_read_in_each_version() {
    for (kind, draft) in good() {
        let bytes = draft.bytes();
        let total = bytes.len() as u32;
        let mut asked = 0;
        let identify = |send: &mut Send| {
            asked += 1;
            send.receivers[0].party = Some(Party(2));
            Ok(())
        };
        let read = offer(draft.version, kind, &bytes, total, identify, |id| {
            id == SENDER
        });
        let read = read.unwrap();
        assert_eq!(asked, 1);
        assert!(read.is_whole());
        assert_eq!(read.head as usize, draft.at_composite() + Head::BYTES);
        assert_eq!(read.constituents.collect::<Vec<_>>(), PARTS);
        let send = read.send;
        assert_eq!((send.kind, send.sender), (kind, SENDER));
        assert_eq!((send.pages, send.count), (6, 3));
        assert_eq!(send.tag, draft.header.tag);
        assert_eq!(send.attributes, draft.header.attributes);
        let [receiver] = &send.receivers[..] else {
            panic!("{:?}", send.receivers)
        };
        assert_eq!(receiver.endpoint, EndpointId(0x8002));
        assert_eq!(receiver.party, Some(Party(2)));
        let long = draft.version >= Version::V1_2;
        assert_eq!(receiver.implementation, long.then_some([9; 16]));
    }
}

#[test]
fn a_first_fragment_has_at_least_all_but_the_constituents() {
    for (kind, draft) in good() {
        let bytes = draft.bytes();
        let total = bytes.len() as u32;
        let head = draft.at_composite() + Head::BYTES;
        for length in 0..=bytes.len() {
            let fragment = &bytes[..length];
            let read = offer(draft.version, kind, fragment, total, |_| Ok(()), |_| true);
            match length.checked_sub(head) {
                Some(rest) if rest % 16 == 0 => {
                    let read = read.unwrap();
                    assert_eq!(read.constituents.len(), rest / 16);
                    assert_eq!(read.is_whole(), length == bytes.len());
                }
                _ => assert_eq!(read.map(|_| ()), Err(InvalidParameters), "{length}"),
            }
        }
    }
}

#[test]
fn row_2_a_fragment_longer_than_the_whole() {
    for (kind, draft) in good() {
        let bytes = draft.bytes();
        let total = bytes.len() as u32 - 16;
        let read = offer(draft.version, kind, &bytes, total, |_| Ok(()), |_| true);
        assert_eq!(read.map(|_| ()), Err(InvalidParameters));
    }
}

#[test]
fn row_7_reserved_fields() {
    for (kind, draft) in good() {
        let composite = draft.at_composite();
        let first = draft.at_access(0);
        let header = match draft.version {
            Version::V1_0 => vec![3, 24, 27],
            _ => vec![3, 36, 47],
        };
        let access = match AccessLayout::of(draft.version) {
            AccessLayout::Short => vec![first + 8, first + 15],
            AccessLayout::Long => vec![first + 24, first + 31],
        };
        // Flags of an access descriptor.
        let flags = [first + 3];
        for at in header.into_iter().chain(access).chain(flags) {
            refused(kind, &draft.clone().poke(at, &[0x80]), InvalidParameters);
        }
        for at in [composite + 8, composite + 15] {
            refused(kind, &draft.clone().poke(at, &[1]), InvalidParameters);
        }
    }
}

#[test]
fn row_7_size_and_place_of_access_descriptors() {
    for (kind, draft) in good() {
        if draft.version == Version::V1_0 {
            continue;
        }
        let other = match AccessLayout::of(draft.version) {
            AccessLayout::Short => 32,
            AccessLayout::Long => 16,
        };
        for size in [0, 8, other, 64, u32::MAX] {
            refused(kind, &draft.clone().poke32(24, size), InvalidParameters);
        }
        for offset in [0, 32, 40, 56, 0x1000, 0xffff_fff0, u32::MAX] {
            refused(kind, &draft.clone().poke32(32, offset), InvalidParameters);
        }
    }
}

#[test]
fn row_7_number_of_receivers() {
    for version in VERSIONS {
        for count in [0, 0x1000_0000, u32::MAX] {
            let draft = Draft::share(version).poke32(28, count);
            refused(Share, &draft, InvalidParameters);
        }
        let mut draft = Draft::share(version);
        for more in 1..MAX_RECEIVERS {
            draft = draft.and(0x8002 + more as u16);
            assert_eq!(read(Share, &draft).unwrap().receivers.len(), more + 1);
        }
        refused(Share, &draft.and(0x8010), InvalidParameters);
    }
}

#[test]
fn row_7_composite_offsets_that_differ_or_point_elsewhere() {
    for version in VERSIONS {
        let draft = Draft::share(version).and(0x8003);
        let second = draft.at_access(1) + 4;
        let composite = draft.at_composite() as u32;
        refused(Share, &draft.clone().poke32(second, 0), InvalidParameters);
        let moved = draft.clone().poke32(second, composite + 16);
        refused(Share, &moved, InvalidParameters);
        let first = draft.at_access(0) + 4;
        for offset in [0, 16, composite - 16, 0x1000, 0xffff_fff0, u32::MAX] {
            let moved = draft.clone().poke32(first, offset).poke32(second, offset);
            refused(Share, &moved, InvalidParameters);
        }
    }
}

#[test]
fn row_8_flags_of_a_retrieval_and_zeroing_what_is_shared() {
    for (kind, draft) in good() {
        for bit in 2..32 {
            let flags = TransactionFlags::from_bits_retain(1 << bit);
            refused(kind, &draft.clone().flags(flags), InvalidParameters);
        }
        let zero = draft.clone().flags(TransactionFlags::ZERO);
        match kind {
            Share => refused(kind, &zero, InvalidParameters),
            _ => assert_eq!(read(kind, &zero).unwrap().flags, TransactionFlags::ZERO),
        }
    }
}

#[test]
fn row_9_a_donation_has_one_receiver() {
    for version in VERSIONS {
        refused(
            Donate,
            &Draft::donate(version).and(0x8003),
            InvalidParameters,
        );
    }
}

#[test]
fn rows_10_and_11_come_before_12_and_after_9() {
    for version in VERSIONS {
        let draft = Draft::share(version);
        let bytes = draft.bytes();
        let refuse = |_: &mut Send| Err(Denied);
        // Not even a composite region is there.
        let cut = &bytes[..draft.at_composite()];
        let read = offer(version, Share, cut, 0x1000, refuse, |_| true);
        assert_eq!(read.map(|_| ()), Err(Denied));
        // What is wrong before is not the reader's to judge.
        let bytes = draft.flags(TransactionFlags::ZERO).bytes();
        let total = bytes.len() as u32;
        let read = offer(
            version,
            Share,
            &bytes,
            total,
            |_| unreachable!(),
            |_| unreachable!(),
        );
        assert_eq!(read.map(|_| ()), Err(InvalidParameters));
    }
}

#[test]
fn row_12_lengths() {
    for (kind, draft) in good() {
        let bytes = draft.bytes();
        let read = |length: usize, total: usize| {
            let fragment = &bytes[..length];
            let sender = |_| -> bool { panic!("asked too early") };
            let read = offer(
                draft.version,
                kind,
                fragment,
                total as u32,
                |_| Ok(()),
                sender,
            );
            read.map(|_| ())
        };
        let (composite, total) = (draft.at_composite(), bytes.len());
        for length in [composite, composite + 15, composite + 17, total - 1] {
            assert_eq!(read(length, total), Err(InvalidParameters), "{length}");
        }
        for total in [total + 1, total + 8] {
            assert_eq!(read(composite + 16, total), Err(InvalidParameters));
        }
        assert_eq!(read(composite + 16, composite + 16), Err(InvalidParameters));
    }
}

#[test]
fn row_13_a_sender_that_the_caller_is_not() {
    for (kind, draft) in good() {
        // It comes before all of 14 to 21.
        let draft = draft.flags(TransactionFlags::TIME_SLICE).permissions(0xff);
        let bytes = draft.bytes();
        let total = bytes.len() as u32;
        let read = offer(
            draft.version,
            kind,
            &bytes,
            total,
            |_| Ok(()),
            |id| {
                assert_eq!(id, SENDER);
                false
            },
        );
        assert_eq!(read.map(|_| ()), Err(Denied));
    }
}

#[test]
fn row_14_the_composite_region_is_aligned_and_ends_where_the_descriptor_does() {
    for (kind, draft) in good() {
        let at = draft.at_composite();
        for count in [0, 2, 4, 0x1000_0000, u32::MAX] {
            refused(
                kind,
                &draft.clone().poke32(at + 4, count),
                InvalidParameters,
            );
        }
        // Moved by 8 bytes, and the same count.
        let mut bytes = draft.bytes();
        let first = draft.at_access(0) + 4;
        bytes[first..][..4].copy_from_slice(&(at as u32 + 8).to_le_bytes());
        bytes.splice(at..at, [0; 8]);
        bytes.extend([0; 8]);
        let total = bytes.len() as u32;
        let read = offer(draft.version, kind, &bytes, total, |_| Ok(()), |_| true);
        assert_eq!(read.map(|_| ()), Err(InvalidParameters));
        // More bytes than constituents.
        let mut bytes = draft.bytes();
        bytes.extend([0; 16]);
        let total = bytes.len() as u32;
        let read = offer(draft.version, kind, &bytes, total, |_| Ok(()), |_| true);
        assert_eq!(read.map(|_| ()), Err(InvalidParameters));
    }
}

#[test]
fn a_gap_in_front_of_the_composite_region_is_good() {
    for (kind, draft) in good() {
        let at = draft.at_composite();
        let mut bytes = draft.bytes();
        let first = draft.at_access(0) + 4;
        bytes[first..][..4].copy_from_slice(&(at as u32 + 32).to_le_bytes());
        bytes.splice(at..at, [0xff; 32]);
        let total = bytes.len() as u32;
        let read = offer(draft.version, kind, &bytes, total, |_| Ok(()), |_| true).unwrap();
        assert_eq!(read.head as usize, at + 48);
        assert_eq!(read.constituents.collect::<Vec<_>>(), PARTS);
    }
}

#[test]
fn row_15_no_slicing_in_time() {
    for (kind, draft) in good() {
        let sliced = draft.flags(TransactionFlags::TIME_SLICE);
        refused(kind, &sliced, InvalidParameters);
    }
}

#[test]
fn row_16_nobody_is_a_receiver_twice() {
    for version in VERSIONS {
        let twice = Draft::share(version).and(0x8003).and(0x8002);
        refused(Share, &twice, InvalidParameters);
        let mut lent = Draft::lend(version).and(0x8002);
        lent.header.attributes = Attributes::NORMAL;
        refused(Lend, &lent, InvalidParameters);
    }
}

#[test]
fn row_17_permissions_that_mean_nothing_or_are_not_the_senders() {
    for (kind, draft) in good() {
        let data = draft.accesses[0].permissions.0;
        for permissions in [3, data | 4, data | 8, data | 12, data | 0x10, data | 0x80] {
            let draft = draft.clone().permissions(permissions);
            refused(kind, &draft, InvalidParameters);
        }
    }
}

#[test]
fn row_18_data_access_is_said_unless_it_is_donated() {
    for version in VERSIONS {
        refused(
            Share,
            &Draft::share(version).permissions(0),
            InvalidParameters,
        );
        refused(
            Lend,
            &Draft::lend(version).permissions(0),
            InvalidParameters,
        );
        for data in [1, 2] {
            let donation = Draft::donate(version).permissions(data);
            refused(Donate, &donation, InvalidParameters);
            assert!(read(Share, &Draft::share(version).permissions(data)).is_ok());
            assert!(read(Lend, &Draft::lend(version).permissions(data)).is_ok());
        }
    }
}

#[test]
fn row_19_the_ns_bit() {
    for (kind, draft) in good() {
        let attributes = draft.header.attributes.0 | 0x40;
        refused(kind, &draft.attributes(attributes), InvalidParameters);
    }
    for version in [Version::V1_1, Version::V1_2, Version::V1_3] {
        // Reserved bits.
        for bit in 7..16 {
            let draft = Draft::share(version).attributes(0x2f | 1 << bit);
            refused(Share, &draft, InvalidParameters);
        }
    }
}

#[test]
fn row_20_a_type_of_memory_that_is_not_the_senders_to_say() {
    for version in VERSIONS {
        for attributes in [0x2f, 0x13, 0x20, 0x30] {
            let lent = Draft::lend(version).attributes(attributes);
            refused(Lend, &lent, InvalidParameters);
            let donated = Draft::donate(version).attributes(attributes);
            refused(Donate, &donated, InvalidParameters);
        }
    }
}

#[test]
fn row_21_normal_memory_or_a_device_in_one_way_only() {
    for version in VERSIONS {
        let several = |attributes| Draft::lend(version).and(0x8003).attributes(attributes);
        for attributes in 0..0x40 {
            let good = matches!(attributes, 0x2f | 0x13) || attributes & 0x33 == 3;
            for (kind, draft) in [
                (Share, Draft::share(version).attributes(attributes)),
                (Lend, several(attributes)),
            ] {
                match good {
                    true => assert!(read(kind, &draft).is_ok(), "{attributes:#x}"),
                    false => refused(kind, &draft, Denied),
                }
            }
        }
    }
}
