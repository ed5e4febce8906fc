//! Boot information: what the SPMC tells a partition at its entry (DEN0077A, "Boot information
//! protocol"). A header, then descriptors, in the first page of the partition's package; all
//! numbers little-endian.

use crate::{version::Version, wire::layout};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// The header's signature.
pub const SIGNATURE: u32 = 0x0ffa;
/// Type of a descriptor: the partition's own manifest, a flattened device tree.
pub const TYPE_FDT: u8 = 0;
/// Type of a descriptor: a list of hand-off blocks.
pub const TYPE_HOB_LIST: u8 = 1;

/// The header: 32 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// Offset 0: [`SIGNATURE`].
    pub signature: U32,
    /// Offset 4: the FF-A version whose layout this is.
    pub version: U32,
    /// Offset 8: bytes of the header and all descriptors.
    pub blob_size: U32,
    /// Offset 12: bytes of one descriptor, 32.
    pub descriptor_size: U32,
    /// Offset 16: how many descriptors follow.
    pub descriptor_count: U32,
    /// Offset 20: where the first one starts, in bytes from the header; a multiple of 8.
    pub array_offset: U32,
    /// Offset 24: reserved, zero.
    pub reserved: U64,
}

/// A descriptor: 32 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Descriptor {
    /// Offset 0: a name, zero padded; empty for standard types.
    pub name: [u8; 16],
    /// Offset 16: bit 7 implementation defined, bits 6:0 the type.
    pub kind: u8,
    /// Offset 17: reserved, zero.
    pub reserved: u8,
    /// Offset 18: bits 1:0 the name's format (0 text), bits 3:2 what `contents` is (0 an address).
    pub flags: U16,
    /// Offset 20: bytes at that address.
    pub size: U32,
    /// Offset 24: the address.
    pub contents: U64,
}

layout!(Header, 32, signature: 0, version: 4, blob_size: 8, descriptor_size: 12,
    descriptor_count: 16, array_offset: 20, reserved: 24);
layout!(Descriptor, 32, name: 0, kind: 16, reserved: 17, flags: 18, size: 20, contents: 24);

/// What [`Descriptor::contents`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contents {
    /// An address in the partition's address space.
    Address(u64),
    /// The value itself, 1 to 8 bytes.
    Value(u64),
    /// An offset from the header.
    Offset(u64),
}

impl Descriptor {
    /// The contents, as bits 3:2 of the flags say; `None` if those are reserved.
    pub fn typed_contents(&self) -> Option<Contents> {
        let contents = self.contents.get();
        match self.flags.get() >> 2 & 3 {
            0 => Some(Contents::Address(contents)),
            1 => Some(Contents::Value(contents)),
            2 => Some(Contents::Offset(contents)),
            _ => None,
        }
    }

    /// The item of a standard type at an address; `None` if the descriptor is something else.
    pub fn item(&self) -> Option<Item> {
        let kind = match self.kind {
            TYPE_FDT => ItemKind::Fdt,
            TYPE_HOB_LIST => ItemKind::HobList,
            _ => return None,
        };
        match self.typed_contents()? {
            Contents::Address(address) => Some(Item {
                kind,
                address,
                size: self.size.get(),
            }),
            _ => None,
        }
    }
}

/// Reads the header at the start of `blob` and the descriptors behind it. `None` if the signature is
/// wrong, a descriptor is shorter than 32 bytes, the first one is inside the header or not at a
/// multiple of 8, or the last one beyond the end of `blob`.
pub fn read(blob: &[u8]) -> Option<(Header, impl Iterator<Item = Descriptor>)> {
    let (header, _) = Header::read_from_prefix(blob).ok()?;
    let size = header.descriptor_size.get() as usize;
    let start = header.array_offset.get() as usize;
    if header.signature.get() != SIGNATURE
        || size < size_of::<Descriptor>()
        || start < size_of::<Header>()
        || !start.is_multiple_of(8)
    {
        return None;
    }
    let bytes = size.checked_mul(header.descriptor_count.get() as usize)?;
    let array = blob.get(start..start.checked_add(bytes)?)?;
    let descriptors = array
        .chunks_exact(size)
        .filter_map(|bytes| Some(Descriptor::read_from_prefix(bytes).ok()?.0));
    Some((header, descriptors))
}

/// What a standard descriptor is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// The partition's own manifest, a flattened device tree.
    Fdt,
    /// A list of hand-off blocks.
    HobList,
}

/// Something that a partition is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Where it is, in the partition's address space.
    pub address: u64,
    /// How many bytes it has.
    pub size: u32,
}

impl Item {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: [0; 16],
            kind: match self.kind {
                ItemKind::Fdt => TYPE_FDT,
                ItemKind::HobList => TYPE_HOB_LIST,
            },
            reserved: 0,
            flags: 0.into(),
            size: self.size.into(),
            contents: self.address.into(),
        }
    }
}

/// Writes a header and a descriptor for each item at the start of `out`, in the layout of `version`,
/// and returns how many bytes that were; `None` if `out` is shorter.
pub fn write(version: Version, items: &[Item], out: &mut [u8]) -> Option<usize> {
    let count: u32 = items.len().try_into().ok()?;
    let bytes = items.len().checked_add(1)?.checked_mul(32)?;
    u32::try_from(bytes).ok()?;
    let out = out.get_mut(..bytes)?;
    let mut slots = out.chunks_exact_mut(32);
    header(version, count).write_to(slots.next()?).ok()?;
    for (slot, item) in slots.zip(items) {
        item.descriptor().write_to(slot).ok()?;
    }
    Some(bytes)
}

/// A header with one descriptor, that of the partition's manifest.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct WithManifest {
    /// The header.
    pub header: Header,
    /// The descriptor.
    pub manifest: Descriptor,
}

impl WithManifest {
    /// Boot information that points to the manifest of `size` bytes at `address`.
    pub fn new(version: Version, address: u64, size: u32) -> Self {
        Self {
            header: header(version, 1),
            manifest: Item {
                kind: ItemKind::Fdt,
                address,
                size,
            }
            .descriptor(),
        }
    }
}

/// A header for `count` descriptors.
pub fn header(version: Version, count: u32) -> Header {
    Header {
        signature: SIGNATURE.into(),
        version: version.raw().into(),
        blob_size: count.saturating_add(1).saturating_mul(32).into(),
        descriptor_size: 32.into(),
        descriptor_count: count.into(),
        array_offset: 32.into(),
        reserved: 0.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_blob_is_laid_out_as_specified() {
        let blob = WithManifest::new(crate::Version::V1_2, 0x0e30_1000, 0x234);
        let bytes = blob.as_bytes();
        assert_eq!(bytes.len(), 64);
        assert_eq!(bytes[0..4], 0x0ffau32.to_le_bytes());
        assert_eq!(bytes[8..12], 64u32.to_le_bytes());
        assert_eq!(bytes[20..24], 32u32.to_le_bytes());
        assert_eq!(bytes[52..56], 0x234u32.to_le_bytes());
        assert_eq!(bytes[56..64], 0x0e30_1000u64.to_le_bytes());
    }

    #[test]
    fn items_follow_the_header() {
        let items = [
            Item {
                kind: ItemKind::Fdt,
                address: 0x0e30_1000,
                size: 0x234,
            },
            Item {
                kind: ItemKind::HobList,
                address: 0x0e30_2000,
                size: 0x38,
            },
        ];
        let mut bytes = [0xff; 100];
        assert_eq!(write(Version::V1_2, &items, &mut bytes), Some(96));
        let blob = WithManifest::new(Version::V1_2, 0x0e30_1000, 0x234);
        assert_eq!(bytes[..8], blob.as_bytes()[..8]);
        assert_eq!(bytes[8..20], [96, 0, 0, 0, 32, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(bytes[20..64], blob.as_bytes()[20..]);
        assert_eq!(
            (bytes[80], bytes[84], bytes[96]),
            (TYPE_HOB_LIST, 0x38, 0xff)
        );
        assert_eq!(write(Version::V1_2, &items[..1], &mut bytes), Some(64));
        assert_eq!(&bytes[..64], blob.as_bytes());
        assert_eq!(write(Version::V1_2, &[], &mut bytes), Some(32));
        assert_eq!(bytes[..32], *header(Version::V1_2, 0).as_bytes());
        assert_eq!(write(Version::V1_2, &items, &mut [0; 95]), None);
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn items_are_read_as_written(
            items in prop::collection::vec((any::<bool>(), any::<u64>(), any::<u32>()), 0..5),
        ) {
            let items: Vec<_> = items
                .into_iter()
                .map(|(fdt, address, size)| Item {
                    kind: if fdt { ItemKind::Fdt } else { ItemKind::HobList },
                    address,
                    size,
                })
                .collect();
            let mut bytes = [0xa5; 200];
            let written = write(Version::V1_1, &items, &mut bytes).unwrap();
            let (header, descriptors) = read(&bytes[..written]).unwrap();
            prop_assert_eq!(header.blob_size.get() as usize, written);
            let read_again: Vec<_> = descriptors.map(|found| found.item().unwrap()).collect();
            prop_assert_eq!(read_again, items);
            prop_assert!(read(&bytes[..written - 1]).is_none());
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..160)) {
            if let Some(start) = bytes.get_mut(..2) {
                start.copy_from_slice(&[0xfa, 0x0f]);
            }
            if let Some(numbers) = bytes.get_mut(12..24) {
                numbers.iter_mut().skip(1).step_by(4).for_each(|byte| *byte = 0);
                numbers.iter_mut().skip(2).step_by(4).for_each(|byte| *byte = 0);
                numbers.iter_mut().skip(3).step_by(4).for_each(|byte| *byte = 0);
            }
            if let Some((_, descriptors)) = read(&bytes) {
                for descriptor in descriptors {
                    descriptor.item();
                }
            }
        }
    }
}
