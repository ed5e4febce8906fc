//! What a caller in the normal world is told of partitions, by its version. Layouts are written down
//! here once more, byte by byte.

use ffa_abi::{Regs, Version, fid::raw::SUCCESS_64};

pub(super) const VERSIONS: [Version; 4] =
    [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

/// A service's UUID, as the two words that registers and memory hold.
pub(super) type Words = [u64; 2];
pub(super) const NIL: Words = [0, 0];

pub(super) fn uuid(n: u64) -> Words {
    [0x1111_0000_2222_0000 | n, 0x3333_0000_4444_0000 | n]
}

#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub id: u16,
    pub contexts: u16,
    /// Bits that are no messaging methods.
    pub properties: u32,
    pub image: Words,
    pub version: u32,
    /// UUIDs, and the methods of each: bits 0, 1, 9, 10.
    pub services: Vec<(Words, u32)>,
}

/// A descriptor in its longest form: 48 bytes as words.
pub(super) type Descriptor = [u64; 6];

/// What a caller of the normal world with this version is told, in the order of the list.
pub(super) fn told(partitions: &[Partition], version: Version, query: Words) -> Vec<Descriptor> {
    let minor = version.minor();
    let known: u32 = [0x7, 0x1ff, 0x7ff, 0x3fff][usize::from(minor)] & !0x402;
    let mut list = Vec::new();
    let mut image_found = false;
    for partition in partitions {
        let descriptor = |methods: u32, protocol: Words, image: Words| {
            let properties = (partition.properties | methods) & known;
            let mut words = [
                u64::from(partition.id)
                    | u64::from(partition.contexts) << 16
                    | u64::from(properties) << 32,
                protocol[0],
                protocol[1],
                image[0],
                image[1],
                partition.version.into(),
            ];
            words[[1, 3, 3, 6][usize::from(minor)]..].fill(0);
            words
        };
        let services = &partition.services;
        let all = services.iter().fold(0, |all, (_, methods)| all | methods);
        let each = |image| {
            services
                .iter()
                .map(move |(uuid, methods)| descriptor(*methods, *uuid, image))
        };
        if query == NIL {
            if minor >= 2 {
                list.extend(each(partition.image));
            } else {
                list.push(descriptor(all, services[0].0, partition.image));
            }
        } else if let Some((_, methods)) = services.iter().find(|(uuid, _)| *uuid == query) {
            list.push(descriptor(*methods, NIL, partition.image));
        } else if minor >= 3 && partition.image == query && !image_found {
            image_found = true;
            list.extend(each(NIL));
        }
    }
    list
}

/// The size of a descriptor in memory.
pub(super) fn size(version: Version) -> usize {
    [8, 24, 24, 48][usize::from(version.minor())]
}

pub(super) fn bytes(list: &[Descriptor], size: usize) -> Vec<u8> {
    let one = |words: &Descriptor| -> Vec<u8> {
        let all = words.iter().flat_map(|word| word.to_le_bytes());
        all.chain([0; 200]).take(size).collect()
    };
    list.iter().flat_map(one).collect()
}

/// Three partitions: one service, several, and one that takes another's image for a service.
pub(super) fn three() -> Vec<Partition> {
    let one = |id, properties, image, version, services: &[(u64, u32)]| Partition {
        id,
        contexts: id & 0xf,
        properties,
        image: uuid(image),
        version,
        services: services.iter().map(|(n, m)| (uuid(*n), *m)).collect(),
    };
    vec![
        one(0x8001, 0x100, 101, 0x1_0001, &[(1, 0x3)]),
        one(
            0x8002,
            0x210c,
            102,
            0x1_0003,
            &[(2, 0x201), (1, 0x200), (3, 0x602)],
        ),
        one(0x8003, 0x100, 103, 0x1_0002, &[(102, 0x1), (4, 0x1)]),
    ]
}

/// The reply of `FFA_PARTITION_INFO_GET_REGS` to a caller of that version.
pub(super) fn registers(list: &[Descriptor], version: Version, start: usize, tag: u16) -> Regs {
    let words = size(version) / 8;
    let mut regs = Regs::ZERO;
    let slots = regs.0[3..].chunks_exact_mut(words);
    let mut current = start;
    for (n, (slot, descriptor)) in slots.zip(&list[start..]).enumerate() {
        slot.copy_from_slice(&descriptor[..words]);
        current = start + n;
    }
    regs[0] = SUCCESS_64.into();
    regs[2] = (list.len() as u64 - 1)
        | (current as u64) << 16
        | u64::from(tag) << 32
        | (words as u64 * 8) << 48;
    regs
}
