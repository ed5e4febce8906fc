//! Transfer lists (the Firmware Handoff specification) as packages of a partition: a header, then
//! entries that name by a tag what they hold.
//!
//! * Each entry starts at the next multiple of 8 behind the one before, whatever the list's
//!   alignment is: that one says only how far the list may be moved. Data that must start at a page
//!   have an empty entry before them that ends where it should.
//! * Versions above 1 are read as version 1: the specification promises that they only append to the
//!   headers, which state their own sizes. There is no version 0.
//! * The checksum is the byte that makes the sum of the list's bytes zero: TF-A, Hafnium, OP-TEE and
//!   their tools compute it so. The specification's text has "xor" in its place; that is accepted too.
//! * Empty entries and unknown tags are skipped.

use super::{Package, PackageError};
use crate::wire::layout;
use core::ops::Range;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::U32};

/// The first four bytes, 0x4a0fb10b.
pub const SIGNATURE: [u8; 4] = [0x0b, 0xb1, 0x0f, 0x4a];
/// Bit 0 of the header's flags: the checksum counts.
pub const HAS_CHECKSUM: u32 = 1 << 0;
/// Tag of an entry that holds nothing.
pub const TAG_EMPTY: u32 = 0;
/// Tag of a HOB list.
pub const TAG_HOB_LIST: u32 = 3;
/// Tag of a partition's image.
pub const TAG_IMAGE: u32 = 0x103;
/// Tag of a partition's manifest, a device tree.
pub const TAG_MANIFEST: u32 = 0x106;

/// Where an entry starts: a multiple of this.
const GRANULE: usize = 8;
/// Where the data of the entries that are used start: a multiple of this.
const PAGE: usize = 0x1000;

/// The header of a list: 24 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// Offset 0: [`SIGNATURE`].
    pub signature: [u8; 4],
    /// Offset 4: the checksum, zero without [`HAS_CHECKSUM`].
    pub checksum: u8,
    /// Offset 5: the version, 1.
    pub version: u8,
    /// Offset 6: bytes of the header, 24.
    pub header_size: u8,
    /// Offset 7: the highest alignment that an entry's data need, as a power of 2.
    pub alignment: u8,
    /// Offset 8: bytes of the header and all entries.
    pub size: U32,
    /// Offset 12: bytes that the list may grow to.
    pub max_size: U32,
    /// Offset 16: bit 0 [`HAS_CHECKSUM`].
    pub flags: U32,
    /// Offset 20: reserved.
    pub reserved: U32,
}

layout!(Header, 24, signature: 0, checksum: 4, version: 5, header_size: 6, alignment: 7, size: 8,
    max_size: 12, flags: 16, reserved: 20);

/// The header of an entry: 8 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EntryHeader {
    /// Offset 0: the tag, 24 bits.
    pub tag: [u8; 3],
    /// Offset 3: bytes of this header, 8.
    pub header_size: u8,
    /// Offset 4: bytes of the data behind it.
    pub data_size: U32,
}

layout!(EntryHeader, 8, tag: 0, header_size: 3, data_size: 4);

impl EntryHeader {
    /// The header of an entry with `size` bytes of data. Only the lower 24 bits of `tag` count.
    pub fn new(tag: u32, size: u32) -> Self {
        let [t0, t1, t2, _] = tag.to_le_bytes();
        Self {
            tag: [t0, t1, t2],
            header_size: size_of::<Self>() as u8,
            data_size: size.into(),
        }
    }

    /// The tag as a number.
    pub fn tag(&self) -> u32 {
        let [t0, t1, t2] = self.tag;
        u32::from_le_bytes([t0, t1, t2, 0])
    }
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it holds.
    pub tag: u32,
    /// Where its header starts, in bytes from the start of the list.
    pub offset: usize,
    /// Where its data are, in bytes from the start of the list.
    pub data: Range<usize>,
}

/// The entries of a list whose header was checked. It ends behind the last entry, or with the first
/// one that is malformed.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    list: &'a [u8],
    next: Option<usize>,
}

impl<'a> Entries<'a> {
    /// Checks the header of the list at the start of `memory`.
    pub fn new(memory: &'a [u8]) -> Result<Self, PackageError> {
        let (header, _) = Header::read_from_prefix(memory).map_err(|_| PackageError::Short {
            found: memory.len(),
        })?;
        if header.signature != SIGNATURE {
            return Err(PackageError::Magic {
                found: header.signature,
            });
        }
        if header.version == 0 {
            return Err(PackageError::ListVersion { found: 0 });
        }
        let least = usize::from(header.header_size);
        if least < size_of::<Header>() {
            return Err(PackageError::ListHeader {
                found: header.header_size,
            });
        }
        let most = memory.len().min(header.max_size.get() as usize);
        let list = memory
            .get(..header.size.get() as usize)
            .filter(|list| (least..=most).contains(&list.len()))
            .ok_or(PackageError::ListSize {
                found: header.size.get(),
                least,
                most,
            })?;
        if header.flags.get() & HAS_CHECKSUM != 0 {
            check_sum(list, header.checksum)?;
        }
        Ok(Self {
            list,
            next: least.checked_next_multiple_of(GRANULE),
        })
    }

    /// The entry at `offset`; `None` if the list ends there.
    fn entry(&self, offset: usize) -> Option<Result<Entry, PackageError>> {
        let (header, _) = EntryHeader::read_from_prefix(self.list.get(offset..)?).ok()?;
        if usize::from(header.header_size) < size_of::<EntryHeader>() {
            return Some(Err(PackageError::EntryHeader {
                offset,
                found: header.header_size,
            }));
        }
        let start = offset.checked_add(header.header_size.into());
        let end = start.and_then(|start| start.checked_add(header.data_size.get() as usize));
        Some(match (start, end) {
            (Some(start), Some(end)) if end <= self.list.len() => Ok(Entry {
                tag: header.tag(),
                offset,
                data: start..end,
            }),
            _ => Err(PackageError::EntryOutOfRange {
                offset,
                tag: header.tag(),
                size: header.data_size.get(),
                limit: self.list.len(),
            }),
        })
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, PackageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entry(self.next?);
        self.next = match &entry {
            Some(Ok(entry)) => entry.data.end.checked_next_multiple_of(GRANULE),
            _ => None,
        };
        entry
    }
}

/// Whether all bytes of a list give zero.
fn check_sum(list: &[u8], found: u8) -> Result<(), PackageError> {
    let (sum, xor) = sum_and_xor(list);
    if sum == 0 || xor == 0 {
        return Ok(());
    }
    Err(PackageError::ListChecksum {
        found,
        wanted: found.wrapping_sub(sum),
    })
}

/// The sum of all bytes modulo 256, and their xor. Eight at a time where they are aligned, as memory
/// of a partition is: the list holds a whole image, and this is done while the machine boots.
fn sum_and_xor(bytes: &[u8]) -> (u8, u8) {
    // Every other byte has the one above it to carry into.
    const LANES: u64 = 0x00ff_00ff_00ff_00ff;
    let (words, rest) =
        <[u64]>::ref_from_prefix_with_elems(bytes, bytes.len() / 8).unwrap_or((&[], bytes));
    let (mut even, mut odd, mut xor) = (0, 0, 0);
    for word in words {
        even = ((word & LANES) + even) & LANES;
        odd = ((word >> 8 & LANES) + odd) & LANES;
        xor ^= word;
    }
    let sums = even.to_ne_bytes().into_iter().chain(odd.to_ne_bytes());
    let sum = sums.chain(rest.iter().copied()).fold(0, u8::wrapping_add);
    let xors = xor.to_ne_bytes().into_iter().chain(rest.iter().copied());
    (sum, xors.fold(0, |xor, byte| xor ^ byte))
}

/// Reads the list at the start of `memory` as a package.
pub(super) fn parse(memory: &[u8]) -> Result<Package, PackageError> {
    let (mut manifest, mut image, mut hob_list) = (None, None, None);
    for entry in Entries::new(memory)? {
        let entry = entry?;
        // It may grow when it runs: what is behind it would be lost. A second image is said so.
        if image.is_some() && !matches!(entry.tag, TAG_EMPTY | TAG_IMAGE) {
            return Err(PackageError::NotLast {
                tag: entry.tag,
                offset: entry.offset,
            });
        }
        match entry.tag {
            TAG_MANIFEST => place(&mut manifest, "manifest", entry)?,
            TAG_IMAGE => place(&mut image, "image", entry)?,
            TAG_HOB_LIST => place(&mut hob_list, "HOB list", entry)?,
            _ => {}
        }
    }
    let missing = |what, tag| PackageError::Missing { what, tag };
    Ok(Package {
        manifest: manifest.ok_or(missing("manifest", TAG_MANIFEST))?,
        image: image.ok_or(missing("image", TAG_IMAGE))?,
        hob_list,
    })
}

/// Notes where an entry's data are. All that is used starts at a page: the partition's first page
/// becomes its boot information.
fn place(
    to: &mut Option<Range<usize>>,
    what: &'static str,
    entry: Entry,
) -> Result<(), PackageError> {
    let Entry { tag, offset, data } = entry;
    if to.is_some() {
        return Err(PackageError::Twice { what, tag, offset });
    }
    let offset = data.start;
    if data.is_empty() {
        return Err(PackageError::Empty { what, tag, offset });
    }
    if !offset.is_multiple_of(PAGE) {
        return Err(PackageError::Unaligned { what, offset });
    }
    *to = Some(data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn bytes_are_summed_as_one_by_one(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for start in 0..bytes.len().min(8) {
                let bytes = &bytes[start..];
                let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
                let xor = bytes.iter().fold(0, |xor, byte| xor ^ byte);
                prop_assert_eq!(sum_and_xor(bytes), (sum, xor));
            }
        }
    }

    #[test]
    fn many_high_bytes_do_not_overflow() {
        // 0x8001 times -1 is 0x7fff.
        assert_eq!(sum_and_xor(&[0xff; 0x8001]), (0xff, 0xff));
        assert_eq!(sum_and_xor(&[0xff; 0x8000]), (0, 0));
    }
}
