use super::*;
use proptest::prelude::*;

fn info(n: u16) -> PartitionInfo {
    PartitionInfo {
        id: EndpointId(0x8001 + n),
        contexts: 8,
        properties: PartitionProperties::RECEIVES_DIRECT | PartitionProperties::AARCH64,
        protocol: Uuid::from_registers(0x0706_0504_0302_0100, u64::from(n)),
        image: Uuid::from_registers(0x1716_1514_1312_1110, u64::from(n)),
        version: Some(Version::V1_2),
    }
}

#[test]
fn a_descriptor_lies_as_the_tables_say() {
    let mut bytes = [0xaa; 56];
    for (version, layout, size) in [
        (Version::V1_0, DescriptorLayout::Short, 8),
        (Version::V1_1, DescriptorLayout::Medium, 24),
        (Version::V1_2, DescriptorLayout::Medium, 24),
        (Version::V1_3, DescriptorLayout::Long, 48),
    ] {
        assert_eq!(DescriptorLayout::of(version), layout);
        bytes.fill(0xaa);
        assert_eq!(info(2).write(layout, &mut bytes), Some(size));
        assert_eq!(info(2).write(layout, &mut bytes[..size - 1]), None);
        assert_eq!(bytes[..8], [0x03, 0x80, 8, 0, 1, 1, 0, 0]);
        if size > 8 {
            assert_eq!(bytes[8..24], info(2).protocol.0);
        }
        if size > 24 {
            assert_eq!(bytes[24..40], info(2).image.0);
            assert_eq!(bytes[40..48], [2, 0, 1, 0, 0, 0, 0, 0]);
        }
        assert!(bytes[size..].iter().all(|byte| *byte == 0xaa));
        let mut expected = info(2);
        if size < 48 {
            expected.image = Uuid::NIL;
            expected.version = None;
        }
        if size < 24 {
            expected.protocol = Uuid::NIL;
        }
        assert_eq!(PartitionInfo::read(size, &bytes), Some(expected));
        // A later layout is read as far as it is known.
        if size == 48 {
            assert_eq!(PartitionInfo::read(56, &bytes), Some(expected));
        }
    }
    assert_eq!(PartitionInfo::read(7, &bytes), None);
    assert_eq!(PartitionInfo::read(64, &bytes), None);
}

#[test]
fn each_version_knows_its_properties() {
    let all = PartitionProperties::all();
    for (version, bits) in [
        (Version::V1_0, 0x7),
        (Version::V1_1, 0x1ff),
        (Version::V1_2, 0x7ff),
        (Version::V1_3, 0x3fff),
    ] {
        assert_eq!(
            all.intersection(PartitionProperties::known(version)).bits(),
            bits
        );
    }
    for (bits, kind) in [
        (0, IdType::Endpoint),
        (1, IdType::IndependentStream),
        (2, IdType::DependentStream),
        (3, IdType::Auxiliary),
    ] {
        assert_eq!(
            PartitionProperties::from_bits_retain(bits << 4).id_type(),
            kind
        );
    }
}

#[test]
fn replies_in_registers_by_example() {
    let regs = InfoRegs::new(DescriptorLayout::Medium, 7, 0, 0x55, (0..7).map(info))
        .unwrap()
        .encode();
    assert_eq!(regs[0], 0xc400_0061);
    assert_eq!(regs[1], 0);
    assert_eq!(regs[2], 24 << 48 | 0x55 << 32 | 4 << 16 | 6);
    assert_eq!(regs[3], 0x0000_0101_0008_8001);
    assert_eq!(regs[4], 0x0706_0504_0302_0100);
    assert_eq!(regs[6], 0x0000_0101_0008_8002);
    assert_eq!(regs[17], 4);
    let regs = InfoRegs::new(DescriptorLayout::Long, 3, 1, 0, (1..3).map(info))
        .unwrap()
        .encode();
    assert_eq!(regs[2], 48 << 48 | 2 << 16 | 2);
    assert_eq!(regs[8], 0x1_0002);
    assert_eq!(regs[9] & 0xffff, 0x8003);
    assert_eq!(regs.0[15..], [0; 3]);
}

#[test]
fn replies_that_can_not_be() {
    let none = core::iter::empty();
    assert_eq!(InfoRegs::new(DescriptorLayout::Medium, 3, 0, 0, none), None);
    for (count, start) in [(0, 0), (3, 3), (3, u16::MAX)] {
        let reply = InfoRegs::new(DescriptorLayout::Long, count, start, 0, (0..9).map(info));
        assert_eq!(reply, None);
    }
    let good = InfoRegs::new(DescriptorLayout::Medium, 3, 0, 0, (0..3).map(info)).unwrap();
    for x2 in [
        8u64 << 48 | 2 << 16 | 2,
        25 << 48 | 2 << 16 | 2,
        128 << 48 | 2 << 16 | 2,
        24 << 48 | 3 << 16 | 2,
    ] {
        let mut regs = good.encode();
        regs[2] = x2;
        assert_eq!(InfoRegs::decode(&regs), None, "{x2:#x}");
    }
    // What a reply says of itself is no reason to read more than it has.
    assert_eq!(good.descriptors(3).count(), 0);
    let mut regs = good.encode();
    regs[2] = 24 << 48 | 0xffff << 16 | 0xffff;
    let lying = InfoRegs::decode(&regs).unwrap();
    assert_eq!(lying.descriptors(0).count(), 5);
}

proptest! {
    #![proptest_config(crate::property())]

    #[test]
    fn all_descriptors_come_through_in_as_many_replies_as_it_takes(
        count in 1u16..40, long: bool, tag: u16,
    ) {
        let layout = if long { DescriptorLayout::Long } else { DescriptorLayout::Medium };
        let mut seen = Vec::new();
        let mut start = 0;
        loop {
            let rest = (start..count).map(info);
            let reply = InfoRegs::new(layout, count, start, tag, rest).unwrap();
            let read = InfoRegs::decode(&reply.encode()).unwrap();
            prop_assert_eq!(read, reply);
            seen.extend(read.descriptors(start));
            if read.current == read.last {
                break;
            }
            start = read.current + 1;
        }
        let expected: Vec<_> = (0..count)
            .map(|n| if long {
                info(n)
            } else {
                PartitionInfo { image: Uuid::NIL, version: None, ..info(n) }
            })
            .collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn reading_is_total(x: [u64; 18], size in 0usize..80, bytes: [u8; 64], start: u16) {
        if let Some(read) = InfoRegs::decode(&Regs(x)) {
            prop_assert!(read.descriptors(start).count() <= 5);
            let mut regs = read.encode();
            regs[0] = x[0];
            regs[1] = x[1];
            prop_assert_eq!(regs, Regs(x));
        }
        let read = PartitionInfo::read(size, &bytes);
        prop_assert_eq!(read.is_some(), (8..=64).contains(&size));
    }
}
