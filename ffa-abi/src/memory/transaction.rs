//! Memory transaction descriptors: the header of what a sender gives, lends or shares, and of what a
//! borrower retrieves.

use super::{
    Access, AccessLayout, Accesses, Attributes, Composite, Constituent, DescriptorError, Handle,
};
use crate::{id::EndpointId, version::Version, wire::layout};
use bitflags::bitflags;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// The layout of 1.0: 32 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Wire10 {
    /// Offset 0: the sender.
    sender: U16,
    /// Offset 2: attributes.
    attributes: u8,
    /// Offset 3: reserved, zero.
    reserved1: u8,
    /// Offset 4: flags.
    flags: U32,
    /// Offset 8: the handle.
    handle: U64,
    /// Offset 16: the tag.
    tag: U64,
    /// Offset 24: reserved, zero.
    reserved2: U32,
    /// Offset 28: how many access descriptors follow, 16 bytes each.
    receivers: U32,
}

/// The layout from 1.1: 48 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Wire11 {
    /// Offset 0: the sender.
    sender: U16,
    /// Offset 2: attributes.
    attributes: U16,
    /// Offset 4: flags.
    flags: U32,
    /// Offset 8: the handle.
    handle: U64,
    /// Offset 16: the tag.
    tag: U64,
    /// Offset 24: bytes of an access descriptor.
    access_size: U32,
    /// Offset 28: how many of them there are.
    receivers: U32,
    /// Offset 32: where the first one is; a multiple of 16.
    access_offset: U32,
    /// Offset 36: reserved, zero.
    reserved: [u8; 12],
}

layout!(Wire10, 32, sender: 0, attributes: 2, reserved1: 3, flags: 4, handle: 8, tag: 16,
    reserved2: 24, receivers: 28);
layout!(Wire11, 48, sender: 0, attributes: 2, flags: 4, handle: 8, tag: 16, access_size: 24,
    receivers: 28, access_offset: 32, reserved: 36);

bitflags! {
    /// The flags of a transaction: offset 4 of its descriptor.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct TransactionFlags: u32 {
        /// Zero the memory before it is the receiver's.
        const ZERO = 1 << 0;
        /// The operation may be sliced in time.
        const TIME_SLICE = 1 << 1;
        /// Zero the memory after the receiver relinquished it.
        const ZERO_AFTER_RELINQUISH = 1 << 2;
        /// Bits 4:3 are the [`TransactionKind`].
        const KIND = 3 << 3;
        /// Bits 8:5 are the alignment hint.
        const ALIGNMENT_HINT = 15 << 5;
        /// The alignment hint counts.
        const HINT_VALID = 1 << 9;
        /// Do not check the other borrowers when retrieving (1.2).
        const BYPASS_BORROWERS = 1 << 10;
        const _ = !0;
    }
}

/// What kind of transaction memory came by, as `FFA_MEM_RETRIEVE_REQ` and its answer say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionKind {
    /// Not said.
    Unspecified,
    /// `FFA_MEM_SHARE`.
    Share,
    /// `FFA_MEM_LEND`.
    Lend,
    /// `FFA_MEM_DONATE`.
    Donate,
}

impl TransactionFlags {
    /// Bits 4:3.
    pub const fn kind(self) -> TransactionKind {
        match self.bits() >> 3 & 3 {
            0 => TransactionKind::Unspecified,
            1 => TransactionKind::Share,
            2 => TransactionKind::Lend,
            _ => TransactionKind::Donate,
        }
    }

    /// The same with bits 4:3 as stated.
    pub const fn with_kind(self, kind: TransactionKind) -> Self {
        let kind = match kind {
            TransactionKind::Unspecified => 0,
            TransactionKind::Share => 1 << 3,
            TransactionKind::Lend => 2 << 3,
            TransactionKind::Donate => 3 << 3,
        };
        Self::from_bits_retain(self.bits() & !Self::KIND.bits() | kind)
    }

    /// Bits 8:5, where bit 9 says that they count.
    pub const fn alignment_hint(self) -> Option<u8> {
        if self.contains(Self::HINT_VALID) {
            Some((self.bits() >> 5 & 15) as u8)
        } else {
            None
        }
    }

    /// The reserved bits that are set.
    pub const fn reserved(self) -> u32 {
        self.bits() & !0x7ff
    }
}

/// The header of a transaction descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who gives the memory.
    pub sender: EndpointId,
    /// What memory it is.
    pub attributes: Attributes,
    /// Flags.
    pub flags: TransactionFlags,
    /// The handle; 0 when sending.
    pub handle: Handle,
    /// A tag that means something to the endpoints only.
    pub tag: u64,
    /// How many access descriptors there are. 0 when a hypervisor retrieves.
    pub receivers: u32,
    /// Their layout: always short in 1.0.
    pub access_layout: AccessLayout,
    /// Where the first one is, in bytes from the start of this header: always 32 in 1.0.
    pub access_offset: u32,
}

impl Transaction {
    /// Bytes of the header in `version`: 32 in 1.0, else 48.
    pub fn header_bytes(version: Version) -> usize {
        if version < Version::V1_1 {
            size_of::<Wire10>()
        } else {
            size_of::<Wire11>()
        }
    }

    /// The header that an endpoint of `version` writes: access descriptors of its own layout, right
    /// behind the header. Flags, handle, tag and number of receivers are zero, attributes as stated.
    pub fn new(version: Version, sender: EndpointId, attributes: Attributes) -> Self {
        Self {
            sender,
            attributes,
            flags: TransactionFlags::empty(),
            handle: Handle(0),
            tag: 0,
            receivers: 0,
            access_layout: AccessLayout::of(version),
            access_offset: Self::header_bytes(version) as u32,
        }
    }

    /// Reads the header at the start of `descriptor`, in the layout of `version`.
    ///
    /// From 1.1 the header states where its access descriptors are, which is checked: their size is
    /// that of a layout, whatever `version` is, and their offset a multiple of 16 behind the header.
    /// Where there are none, neither counts, and both are as [`new`](Self::new) sets them.
    pub fn read(version: Version, descriptor: &[u8]) -> Result<Self, DescriptorError> {
        let short = DescriptorError::Short {
            what: "memory transaction header",
            offset: 0,
            wanted: Self::header_bytes(version) as u64,
            found: descriptor.len(),
        };
        if version < Version::V1_1 {
            let (wire, _) = Wire10::read_from_prefix(descriptor).map_err(|_| short)?;
            return Ok(Self {
                sender: EndpointId(wire.sender.get()),
                attributes: Attributes(wire.attributes.into()),
                flags: TransactionFlags::from_bits_retain(wire.flags.get()),
                handle: Handle(wire.handle.get()),
                tag: wire.tag.get(),
                receivers: wire.receivers.get(),
                access_layout: AccessLayout::Short,
                access_offset: size_of::<Wire10>() as u32,
            });
        }
        let (wire, _) = Wire11::read_from_prefix(descriptor).map_err(|_| short)?;
        let attributes = Attributes(wire.attributes.get());
        let mut header = Self {
            flags: TransactionFlags::from_bits_retain(wire.flags.get()),
            handle: Handle(wire.handle.get()),
            tag: wire.tag.get(),
            receivers: wire.receivers.get(),
            ..Self::new(version, EndpointId(wire.sender.get()), attributes)
        };
        if header.receivers != 0 {
            let (size, offset) = (wire.access_size.get(), wire.access_offset.get());
            header.access_layout =
                AccessLayout::of_bytes(size).ok_or(DescriptorError::AccessSize { found: size })?;
            if (offset as usize) < size_of::<Wire11>() || !offset.is_multiple_of(16) {
                return Err(DescriptorError::AccessOffset { found: offset });
            }
            header.access_offset = offset;
        }
        Ok(header)
    }

    /// Whether the reserved fields of the header at the start of `descriptor` are zero, as they must
    /// be.
    pub(super) fn reserved_is_zero(version: Version, descriptor: &[u8]) -> bool {
        if version < Version::V1_1 {
            Wire10::ref_from_prefix(descriptor)
                .is_ok_and(|(wire, _)| wire.reserved1 == 0 && wire.reserved2.get() == 0)
        } else {
            Wire11::ref_from_prefix(descriptor).is_ok_and(|(wire, _)| wire.reserved == [0; 12])
        }
    }

    /// The access descriptors in `descriptor`, which starts with this header. All of them must be
    /// there, else [`DescriptorError::Short`].
    pub fn accesses<'a>(&self, descriptor: &'a [u8]) -> Result<Accesses<'a>, DescriptorError> {
        Accesses::new(self, descriptor)
    }

    /// Where the access descriptors end, and a composite region may start; `None` if that is beyond
    /// 32 bits.
    pub fn accesses_end(&self) -> Option<u32> {
        self.receivers
            .checked_mul(self.access_layout.bytes())?
            .checked_add(self.access_offset)
    }

    /// Writes the header at the start of `out`, in the layout of `version`, and returns its size in
    /// bytes. `None` if `out` is shorter, or if it can't be said in 1.0: access descriptors that are
    /// long or not at 32, attributes above bit 7.
    pub fn write(&self, version: Version, out: &mut [u8]) -> Option<usize> {
        if version < Version::V1_1 {
            let here = self.access_offset as usize == size_of::<Wire10>();
            if self.access_layout != AccessLayout::Short || !here {
                return None;
            }
            let wire = Wire10 {
                sender: self.sender.0.into(),
                attributes: self.attributes.0.try_into().ok()?,
                reserved1: 0,
                flags: self.flags.bits().into(),
                handle: self.handle.0.into(),
                tag: self.tag.into(),
                reserved2: 0.into(),
                receivers: self.receivers.into(),
            };
            wire.write_to_prefix(out).ok()?;
        } else {
            let wire = Wire11 {
                sender: self.sender.0.into(),
                attributes: self.attributes.0.into(),
                flags: self.flags.bits().into(),
                handle: self.handle.0.into(),
                tag: self.tag.into(),
                access_size: self.access_layout.bytes().into(),
                receivers: self.receivers.into(),
                access_offset: self.access_offset.into(),
                reserved: [0; 12],
            };
            wire.write_to_prefix(out).ok()?;
        }
        Some(Self::header_bytes(version))
    }

    /// Writes a whole descriptor at the start of `out`: this header, the access descriptors right
    /// behind it, then the composite region. Number and place of the access descriptors and their
    /// composite offset (0 if there are no constituents) are filled in. Returns its size in bytes;
    /// `None` if `out` is shorter or a number does not fit.
    pub fn write_all(
        &self,
        version: Version,
        accesses: &[Access],
        constituents: &[Constituent],
        out: &mut [u8],
    ) -> Option<usize> {
        let header = Self {
            receivers: accesses.len().try_into().ok()?,
            access_layout: AccessLayout::of(version),
            access_offset: Self::header_bytes(version) as u32,
            ..*self
        };
        let mut written = header.write(version, out)?;
        let composite_offset = match constituents {
            [] => 0,
            _ => header.accesses_end()?,
        };
        for access in accesses {
            let access = Access {
                composite_offset,
                ..*access
            };
            let size = access.write(header.access_layout, out.get_mut(written..)?)?;
            written = written.checked_add(size)?;
        }
        if !constituents.is_empty() {
            let size = Composite::write_all(constituents, out.get_mut(written..)?)?;
            written = written.checked_add(size)?;
        }
        Some(written)
    }
}
