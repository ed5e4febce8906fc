//! Composite memory regions: how many pages, and the constituents that they are made of.

use super::DescriptorError;
use crate::wire::layout;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

/// Composite memory region descriptor, without its constituents: 16 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireComposite {
    /// Offset 0: 4 KiB pages of all constituents.
    pages: U32,
    /// Offset 4: how many constituents follow.
    count: U32,
    /// Offset 8: reserved, zero.
    reserved: U64,
}

layout!(WireComposite, 16, pages: 0, count: 4, reserved: 8);

/// Constituent memory region descriptor: 16 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireConstituent {
    /// Offset 0: the address of the first page.
    base: U64,
    /// Offset 8: how many 4 KiB pages.
    pages: U32,
    /// Offset 12: reserved, zero.
    reserved: U32,
}

layout!(WireConstituent, 16, base: 0, pages: 8, reserved: 12);

/// A constituent: contiguous 4 KiB pages. It is as the descriptor says: the base may be unaligned,
/// the count zero, the end beyond all addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Constituent {
    /// The address of the first page.
    pub base: u64,
    /// How many pages.
    pub pages: u32,
}

impl Constituent {
    /// Bytes of its descriptor.
    pub const BYTES: usize = size_of::<WireConstituent>();

    /// The address behind the last page; `None` if there is no such address.
    pub const fn end(self) -> Option<u64> {
        self.base.checked_add(self.pages as u64 * 0x1000)
    }

    /// Writes its descriptor at the start of `out` and returns its size in bytes; `None` if `out` is
    /// shorter.
    pub fn write(self, out: &mut [u8]) -> Option<usize> {
        let wire = WireConstituent {
            base: self.base.into(),
            pages: self.pages.into(),
            reserved: 0.into(),
        };
        wire.write_to_prefix(out).ok()?;
        Some(Self::BYTES)
    }
}

/// The constituents in a slice of bytes: as many as it holds in whole. It never reads beyond the
/// slice.
#[derive(Clone, Debug)]
pub struct Constituents<'a> {
    chunks: core::slice::ChunksExact<'a, u8>,
}

impl<'a> Constituents<'a> {
    /// Those that start at the start of `bytes`, for example a fragment of `FFA_MEM_FRAG_TX`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            chunks: bytes.chunks_exact(Constituent::BYTES),
        }
    }

    /// The bytes behind the last whole constituent. A fragment that leaves some is malformed.
    pub fn remainder(&self) -> &'a [u8] {
        self.chunks.remainder()
    }
}

impl Iterator for Constituents<'_> {
    type Item = Constituent;

    fn next(&mut self) -> Option<Constituent> {
        let wire = WireConstituent::read_from_bytes(self.chunks.next()?).ok()?;
        Some(Constituent {
            base: wire.base.get(),
            pages: wire.pages.get(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks.size_hint()
    }
}

impl ExactSizeIterator for Constituents<'_> {}

/// The head of a composite region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composite {
    /// Pages of all constituents; what the sender says, not what they add up to.
    pub pages: u32,
    /// How many constituents.
    pub count: u32,
}

impl Composite {
    /// Bytes of its descriptor, without constituents.
    pub const BYTES: usize = size_of::<WireComposite>();

    /// The head for these constituents; `None` if there are too many or too many pages.
    pub fn of(constituents: &[Constituent]) -> Option<Self> {
        Some(Self {
            pages: constituents
                .iter()
                .try_fold(0u32, |sum, part| sum.checked_add(part.pages))?,
            count: constituents.len().try_into().ok()?,
        })
    }

    /// Bytes of the whole descriptor with all constituents.
    pub const fn bytes(self) -> u64 {
        Self::BYTES as u64 + self.count as u64 * Constituent::BYTES as u64
    }

    /// Reads the head at `offset` of `descriptor`.
    pub fn read(descriptor: &[u8], offset: u32) -> Result<Self, DescriptorError> {
        let wire = descriptor
            .get(offset as usize..)
            .and_then(|bytes| WireComposite::read_from_prefix(bytes).ok());
        let (wire, _) = wire.ok_or(DescriptorError::Short {
            what: "composite memory region",
            offset,
            found: descriptor.len(),
            wanted: Self::BYTES as u64,
        })?;
        Ok(Self {
            pages: wire.pages.get(),
            count: wire.count.get(),
        })
    }

    /// Whether the reserved field of the head at `offset` of `descriptor` is zero, as it must be.
    pub(super) fn reserved_is_zero(descriptor: &[u8], offset: u32) -> bool {
        let bytes = descriptor.get(offset as usize..).unwrap_or_default();
        WireComposite::ref_from_prefix(bytes).is_ok_and(|(wire, _)| wire.reserved.get() == 0)
    }

    /// The constituents of the head at `offset` of `descriptor`. Fewer than `count` if the rest is
    /// in later fragments; never more.
    pub fn constituents(self, descriptor: &[u8], offset: u32) -> Constituents<'_> {
        let bytes = (offset as usize)
            .checked_add(Self::BYTES)
            .and_then(|start| descriptor.get(start..))
            .unwrap_or_default();
        let wanted = (self.count as usize).saturating_mul(Constituent::BYTES);
        Constituents::new(bytes.get(..wanted).unwrap_or(bytes))
    }

    /// Writes the head at the start of `out` and returns its size in bytes; `None` if `out` is
    /// shorter.
    pub fn write(self, out: &mut [u8]) -> Option<usize> {
        let wire = WireComposite {
            pages: self.pages.into(),
            count: self.count.into(),
            reserved: 0.into(),
        };
        wire.write_to_prefix(out).ok()?;
        Some(Self::BYTES)
    }

    /// Writes a whole composite region at the start of `out` and returns its size in bytes; `None`
    /// if `out` is shorter or there are too many pages.
    pub fn write_all(constituents: &[Constituent], out: &mut [u8]) -> Option<usize> {
        let mut written = Self::of(constituents)?.write(out)?;
        for constituent in constituents {
            written = written.checked_add(constituent.write(out.get_mut(written..)?)?)?;
        }
        Some(written)
    }
}
