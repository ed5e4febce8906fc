//! Boot information: what the SPMC tells a partition at its entry (DEN0077A, "Boot information
//! protocol"). A header, then descriptors, in the first page of the partition's package; all
//! numbers little-endian.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// The header's signature.
pub const SIGNATURE: u32 = 0x0ffa;
/// Type of a descriptor: the partition's own manifest, a flattened device tree.
pub const TYPE_FDT: u8 = 0;

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

const _: () = assert!(size_of::<Header>() == 32 && size_of::<Descriptor>() == 32);

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
    pub fn new(version: crate::Version, address: u64, size: u32) -> Self {
        Self {
            header: header(version, 1),
            manifest: Descriptor {
                name: [0; 16],
                kind: TYPE_FDT,
                reserved: 0,
                flags: 0.into(),
                size: size.into(),
                contents: address.into(),
            },
        }
    }
}

/// A header for `count` descriptors.
pub fn header(version: crate::Version, count: u32) -> Header {
    Header {
        signature: SIGNATURE.into(),
        version: version.raw().into(),
        blob_size: (32 + 32 * count).into(),
        descriptor_size: 32.into(),
        descriptor_count: count.into(),
        array_offset: 32.into(),
        reserved: 0.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

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
}
