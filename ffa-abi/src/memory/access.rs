//! Endpoint memory access descriptors: who gets a memory region, and how.

use super::{AccessPermissions, DescriptorError, Transaction};
use crate::{id::EndpointId, version::Version, wire::layout};
use bitflags::bitflags;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// What both layouts begin with: 8 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireHead {
    /// Offset 0: who gets it.
    endpoint: U16,
    /// Offset 2: permissions.
    permissions: u8,
    /// Offset 3: flags.
    flags: u8,
    /// Offset 4: where the composite region is, from the start of the transaction descriptor.
    composite_offset: U32,
}

/// The layout of 1.0 and 1.1: 16 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireShort {
    /// Offset 0: the common part.
    head: WireHead,
    /// Offset 8: reserved, zero.
    reserved: U64,
}

/// The layout from 1.2: 32 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireLong {
    /// Offset 0: the common part.
    head: WireHead,
    /// Offset 8: implementation defined.
    implementation: [u8; 16],
    /// Offset 24: reserved, zero.
    reserved: U64,
}

layout!(WireHead, 8, endpoint: 0, permissions: 2, flags: 3, composite_offset: 4);
layout!(WireShort, 16, head: 0, reserved: 8);
layout!(WireLong, 32, head: 0, implementation: 8, reserved: 24);

/// The layouts of an access descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessLayout {
    /// 1.0 and 1.1: 16 bytes.
    Short,
    /// From 1.2: 32 bytes, with an implementation defined value.
    Long,
}

impl AccessLayout {
    /// What an endpoint of `version` uses.
    pub fn of(version: Version) -> Self {
        if version < Version::V1_2 {
            Self::Short
        } else {
            Self::Long
        }
    }

    /// The layout of this size in bytes; `None` if there is none.
    pub const fn of_bytes(bytes: u32) -> Option<Self> {
        match bytes {
            16 => Some(Self::Short),
            32 => Some(Self::Long),
            _ => None,
        }
    }

    /// Its size in bytes.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Short => size_of::<WireShort>() as u32,
            Self::Long => size_of::<WireLong>() as u32,
        }
    }
}

bitflags! {
    /// Offset 3 of an access descriptor.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct AccessFlags: u8 {
        /// This borrower does not retrieve the memory; another one of the same transaction does.
        const NON_RETRIEVAL = 1 << 0;
        const _ = !0;
    }
}

impl AccessFlags {
    /// The reserved bits that are set.
    pub const fn reserved(self) -> u8 {
        self.bits() & !1
    }
}

/// An access descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who gets the memory.
    pub endpoint: EndpointId,
    /// What it may do with it.
    pub permissions: AccessPermissions,
    /// Flags.
    pub flags: AccessFlags,
    /// Where the composite region is, in bytes from the start of the transaction descriptor; 0 in
    /// requests to retrieve without one. The same in all descriptors of a transaction.
    pub composite_offset: u32,
    /// An implementation defined value, which the borrower repeats when it retrieves. Read as zero
    /// from [`AccessLayout::Short`] and not written to it.
    pub implementation: [u8; 16],
}

impl Access {
    fn head(&self) -> WireHead {
        WireHead {
            endpoint: self.endpoint.0.into(),
            permissions: self.permissions.0,
            flags: self.flags.bits(),
            composite_offset: self.composite_offset.into(),
        }
    }

    fn of(head: &WireHead, implementation: [u8; 16]) -> Self {
        Self {
            endpoint: EndpointId(head.endpoint.get()),
            permissions: AccessPermissions(head.permissions),
            flags: AccessFlags::from_bits_retain(head.flags),
            composite_offset: head.composite_offset.get(),
            implementation,
        }
    }

    /// Reads a descriptor at the start of `bytes`; `None` if `bytes` is shorter.
    pub fn read(layout: AccessLayout, bytes: &[u8]) -> Option<Self> {
        Some(match layout {
            AccessLayout::Short => {
                let (wire, _) = WireShort::read_from_prefix(bytes).ok()?;
                Self::of(&wire.head, [0; 16])
            }
            AccessLayout::Long => {
                let (wire, _) = WireLong::read_from_prefix(bytes).ok()?;
                Self::of(&wire.head, wire.implementation)
            }
        })
    }

    /// Writes a descriptor at the start of `out` and returns its size in bytes; `None` if `out` is
    /// shorter.
    pub fn write(&self, layout: AccessLayout, out: &mut [u8]) -> Option<usize> {
        let head = self.head();
        let reserved = U64::ZERO;
        match layout {
            AccessLayout::Short => WireShort { head, reserved }.write_to_prefix(out).ok()?,
            AccessLayout::Long => {
                let implementation = self.implementation;
                let wire = WireLong {
                    head,
                    implementation,
                    reserved,
                };
                wire.write_to_prefix(out).ok()?;
            }
        }
        Some(layout.bytes() as usize)
    }
}

/// The access descriptors of a transaction.
#[derive(Clone, Debug)]
pub struct Accesses<'a> {
    layout: AccessLayout,
    chunks: core::slice::ChunksExact<'a, u8>,
}

impl<'a> Accesses<'a> {
    /// Those that `transaction`, read from the start of `descriptor`, says there are. All of them
    /// must be in `descriptor`: they may not be spread over fragments.
    pub(super) fn new(
        transaction: &Transaction,
        descriptor: &'a [u8],
    ) -> Result<Self, DescriptorError> {
        let (offset, receivers) = (transaction.access_offset, transaction.receivers);
        let layout = transaction.access_layout;
        let bytes = u64::from(receivers) * u64::from(layout.bytes());
        let array = usize::try_from(bytes)
            .ok()
            .and_then(|bytes| (offset as usize).checked_add(bytes))
            .and_then(|end| descriptor.get(offset as usize..end));
        let array = array.ok_or(DescriptorError::Short {
            what: "array of endpoint memory access descriptors",
            offset,
            wanted: bytes,
            found: descriptor.len(),
        })?;
        Ok(Self {
            layout,
            chunks: array.chunks_exact(layout.bytes() as usize),
        })
    }

    /// Whether the reserved fields of all of them are zero, as they must be.
    pub(super) fn reserved_is_zero(&self) -> bool {
        self.chunks.clone().all(|bytes| match self.layout {
            AccessLayout::Short => {
                WireShort::ref_from_bytes(bytes).is_ok_and(|wire| wire.reserved.get() == 0)
            }
            AccessLayout::Long => {
                WireLong::ref_from_bytes(bytes).is_ok_and(|wire| wire.reserved.get() == 0)
            }
        })
    }
}

impl Iterator for Accesses<'_> {
    type Item = Access;

    fn next(&mut self) -> Option<Access> {
        Access::read(self.layout, self.chunks.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks.size_hint()
    }
}

impl ExactSizeIterator for Accesses<'_> {}
