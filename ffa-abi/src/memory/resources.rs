//! What `FFA_NS_RES_INFO_GET` (1.3) leaves in the RX buffer: the memory of the normal world that
//! partitions have. Longer than a buffer, it comes in pieces; these are of the whole.
//!
//! One public implementation is all there is to know its layout from.

use super::DescriptorError;
use crate::{id::EndpointId, wire::layout};
use bitflags::bitflags;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// Header: 16 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireHeader {
    /// Offset 0: bytes of a descriptor.
    size: U32,
    /// Offset 4: how many descriptors.
    count: U32,
    /// Offset 8: where the first one is, from the start of this header.
    offset: U32,
    /// Offset 12: reserved, zero.
    reserved: U32,
}

/// Address map descriptor: 16 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireMap {
    /// Offset 0: the address of the first page.
    base: U64,
    /// Offset 8: how many 4 KiB pages.
    pages: U32,
    /// Offset 12: permissions.
    permissions: u8,
    /// Offset 13: whose it is.
    endpoint: U16,
    /// Offset 15: flags.
    flags: u8,
}

layout!(WireHeader, 16, size: 0, count: 4, offset: 8, reserved: 12);
layout!(WireMap, 16, base: 0, pages: 8, permissions: 12, endpoint: 13, flags: 15);

bitflags! {
    /// What a partition may do with memory of the normal world.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MapPermissions: u8 {
        /// It reads, unprivileged.
        const UNPRIVILEGED_READ = 1 << 0;
        /// It writes, unprivileged.
        const UNPRIVILEGED_WRITE = 1 << 1;
        /// It executes, unprivileged.
        const UNPRIVILEGED_EXECUTE = 1 << 2;
        /// It reads, privileged.
        const PRIVILEGED_READ = 1 << 4;
        /// It writes, privileged.
        const PRIVILEGED_WRITE = 1 << 5;
        /// It executes, privileged.
        const PRIVILEGED_EXECUTE = 1 << 6;
        const _ = !0;
    }
}

bitflags! {
    /// How a partition came by memory of the normal world.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MapFlags: u8 {
        /// By a memory transaction, not by its manifest.
        const INDIRECT = 1 << 0;
        const _ = !0;
    }
}

/// An address map descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressMap {
    /// The address of the first page.
    pub base: u64,
    /// How many 4 KiB pages.
    pub pages: u32,
    /// What the partition may do with them.
    pub permissions: MapPermissions,
    /// The partition.
    pub endpoint: EndpointId,
    /// How it came by them.
    pub flags: MapFlags,
}

impl AddressMap {
    /// Bytes of its descriptor.
    pub const BYTES: usize = size_of::<WireMap>();

    /// Reads a descriptor at the start of `bytes`; `None` if `bytes` is shorter.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (wire, _) = WireMap::read_from_prefix(bytes).ok()?;
        Some(Self {
            base: wire.base.get(),
            pages: wire.pages.get(),
            permissions: MapPermissions::from_bits_retain(wire.permissions),
            endpoint: EndpointId(wire.endpoint.get()),
            flags: MapFlags::from_bits_retain(wire.flags),
        })
    }

    /// Writes a descriptor at the start of `out` and returns its size in bytes; `None` if `out` is
    /// shorter.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let wire = WireMap {
            base: self.base.into(),
            pages: self.pages.into(),
            permissions: self.permissions.bits(),
            endpoint: self.endpoint.0.into(),
            flags: self.flags.bits(),
        };
        wire.write_to_prefix(out).ok()?;
        Some(Self::BYTES)
    }
}

/// The header in front of the address maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceInfo {
    /// Bytes of a descriptor, at least 16. Readers stride by it.
    pub size: u32,
    /// How many descriptors.
    pub count: u32,
    /// Where the first one is, in bytes from the start of the header.
    pub offset: u32,
}

impl ResourceInfo {
    /// Bytes of the header.
    pub const BYTES: usize = size_of::<WireHeader>();

    /// A header for `count` descriptors right behind it.
    pub const fn new(count: u32) -> Self {
        Self {
            size: AddressMap::BYTES as u32,
            count,
            offset: Self::BYTES as u32,
        }
    }

    /// Reads the header at the start of `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Self, DescriptorError> {
        let (wire, _) =
            WireHeader::read_from_prefix(bytes).map_err(|_| DescriptorError::Short {
                what: "resource information header",
                offset: 0,
                wanted: Self::BYTES as u64,
                found: bytes.len(),
            })?;
        Ok(Self {
            size: wire.size.get(),
            count: wire.count.get(),
            offset: wire.offset.get(),
        })
    }

    /// The address maps in `bytes`, which starts with this header. All of them must be there.
    pub fn maps<'a>(
        &self,
        bytes: &'a [u8],
    ) -> Result<impl Iterator<Item = AddressMap> + use<'a>, DescriptorError> {
        let size = self.size as usize;
        if size < AddressMap::BYTES {
            return Err(DescriptorError::MapSize { found: self.size });
        }
        let wanted = u64::from(self.size) * u64::from(self.count);
        let array = usize::try_from(wanted)
            .ok()
            .and_then(|bytes| (self.offset as usize).checked_add(bytes))
            .and_then(|end| bytes.get(self.offset as usize..end))
            .ok_or(DescriptorError::Short {
                what: "array of address map descriptors",
                offset: self.offset,
                wanted,
                found: bytes.len(),
            })?;
        Ok(array.chunks_exact(size).filter_map(AddressMap::read))
    }

    /// Writes the header at the start of `out` and returns its size in bytes; `None` if `out` is
    /// shorter.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let wire = WireHeader {
            size: self.size.into(),
            count: self.count.into(),
            offset: self.offset.into(),
            reserved: 0.into(),
        };
        wire.write_to_prefix(out).ok()?;
        Some(Self::BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::descriptor_tests::words;

    #[test]
    fn resources_of_the_normal_world_are_laid_out_as_specified() {
        let map = AddressMap {
            base: 0x8_8000_0000,
            pages: 5,
            permissions: MapPermissions::UNPRIVILEGED_READ | MapPermissions::PRIVILEGED_WRITE,
            endpoint: EndpointId(0x8001),
            flags: MapFlags::INDIRECT,
        };
        let mut bytes = [0xff; 48];
        assert_eq!(ResourceInfo::new(2).write(&mut bytes), Some(16));
        assert_eq!(map.write(&mut bytes[16..]), Some(16));
        assert_eq!(map.write(&mut bytes[32..]), Some(16));
        assert_eq!(bytes[..24], words(&[16, 2, 16, 0, 0x8000_0000, 8]));
        assert_eq!(bytes[24..32], [5, 0, 0, 0, 0x21, 0x01, 0x80, 1]);
        let read = ResourceInfo::read(&bytes).unwrap();
        assert_eq!(read, ResourceInfo::new(2));
        assert_eq!(read.maps(&bytes).unwrap().collect::<Vec<_>>(), [map; 2]);
        assert!(read.maps(&bytes[..47]).is_err());
        // Longer descriptors than known.
        let longer = ResourceInfo {
            size: 32,
            count: 1,
            ..read
        };
        assert_eq!(longer.maps(&bytes).unwrap().collect::<Vec<_>>(), [map]);
        for bad in [
            ResourceInfo { size: 15, ..read },
            ResourceInfo { size: 0, ..read },
            ResourceInfo {
                count: u32::MAX,
                size: u32::MAX,
                ..read
            },
            ResourceInfo {
                offset: u32::MAX,
                ..read
            },
        ] {
            assert!(bad.maps(&bytes).is_err(), "{bad:?}");
        }
    }
}
