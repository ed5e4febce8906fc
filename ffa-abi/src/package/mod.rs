//! Partition packages: the manifest (a device tree) and the image, placed as one piece at the load
//! address and used there. There are two forms: [`SPKG`](Header), which TF-A's packer writes and
//! Hafnium reads, and [transfer lists](transfer_list), which may also hold a HOB list.
//!
//! All numbers are little-endian. Offsets count bytes from the start of the package. It never looks
//! into manifest, image or HOB list.

pub mod transfer_list;

use crate::wire::layout;
use core::ops::Range;
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::U32};

/// The first four bytes of the form "SPKG".
pub const MAGIC: [u8; 4] = *b"SPKG";

/// The header of the form "SPKG": 24 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// Offset 0: [`MAGIC`].
    pub magic: [u8; 4],
    /// Offset 4: the layout's version, 1 or 2.
    pub version: U32,
    /// Offset 8: where the manifest starts.
    pub manifest_offset: U32,
    /// Offset 12: the manifest's size in bytes.
    pub manifest_size: U32,
    /// Offset 16: where the image starts.
    pub image_offset: U32,
    /// Offset 20: the image's size in bytes.
    pub image_size: U32,
}

layout!(Header, 24, magic: 0, version: 4, manifest_offset: 8, manifest_size: 12, image_offset: 16,
    image_size: 20);

/// Why a package was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PackageError {
    /// Too short for a header.
    #[error("found {found} bytes, wanted at least a header of 24")]
    Short {
        /// The size found, in bytes.
        found: usize,
    },
    /// The first four bytes are those of no package.
    #[error("found magic {found:02x?}, wanted \"SPKG\" or [0b, b1, 0f, 4a], a transfer list")]
    Magic {
        /// The four bytes found.
        found: [u8; 4],
    },
    /// The version is unknown.
    #[error("found package version {found}, wanted 1 or 2")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The manifest or the image does not lie inside the package's memory, behind the header.
    #[error(
        "{what} at offset {offset:#x} with {size:#x} bytes does not fit in {limit:#x} bytes of memory behind the header"
    )]
    OutOfRange {
        /// "manifest" or "image".
        what: &'static str,
        /// Its offset.
        offset: u32,
        /// Its size.
        size: u32,
        /// The memory's size in bytes.
        limit: usize,
    },
    /// Manifest and image overlap.
    #[error("manifest and image overlap")]
    Overlap,
    /// The version of a transfer list is none.
    #[error("transfer list: found version {found}, wanted 1 or higher")]
    ListVersion {
        /// The version found.
        found: u8,
    },
    /// A transfer list's header is too short.
    #[error("transfer list: found a header of {found} bytes, wanted at least 24")]
    ListHeader {
        /// The size found, in bytes.
        found: u8,
    },
    /// A transfer list is shorter than its header, longer than its own limit, or longer than the
    /// memory that it lies in.
    #[error("transfer list: found a size of {found:#x} bytes, wanted {least:#x} to {most:#x}")]
    ListSize {
        /// The size found, in bytes.
        found: u32,
        /// The size of its header.
        least: usize,
        /// The smaller one of its own limit and the memory's size.
        most: usize,
    },
    /// A transfer list's checksum is wrong.
    #[error("transfer list: found checksum {found:#04x}, wanted {wanted:#04x}")]
    ListChecksum {
        /// The checksum found.
        found: u8,
        /// The checksum that makes the sum of all bytes zero.
        wanted: u8,
    },
    /// The header of an entry is too short.
    #[error(
        "transfer list: entry at offset {offset:#x}: found a header of {found} bytes, wanted at least 8"
    )]
    EntryHeader {
        /// The entry's offset.
        offset: usize,
        /// The size found, in bytes.
        found: u8,
    },
    /// An entry reaches beyond the list.
    #[error(
        "transfer list: entry at offset {offset:#x}, tag {tag:#x}, with {size:#x} bytes of data does not fit in a list of {limit:#x} bytes"
    )]
    EntryOutOfRange {
        /// The entry's offset.
        offset: usize,
        /// Its tag.
        tag: u32,
        /// The size of its data in bytes.
        size: u32,
        /// The size of the list in bytes.
        limit: usize,
    },
    /// A transfer list lacks an entry.
    #[error("transfer list: found no {what}, wanted an entry with tag {tag:#x}")]
    Missing {
        /// "manifest" or "image".
        what: &'static str,
        /// The tag that it would have.
        tag: u32,
    },
    /// A transfer list has an entry twice.
    #[error(
        "transfer list: found a second {what} (tag {tag:#x}) at offset {offset:#x}, wanted one"
    )]
    Twice {
        /// "manifest", "image" or "HOB list".
        what: &'static str,
        /// Its tag.
        tag: u32,
        /// The second one's offset.
        offset: usize,
    },
    /// An entry of a transfer list is empty.
    #[error("transfer list: found an empty {what} (tag {tag:#x}) at offset {offset:#x}")]
    Empty {
        /// "manifest", "image" or "HOB list".
        what: &'static str,
        /// Its tag.
        tag: u32,
        /// The offset of its data.
        offset: usize,
    },
    /// The data of an entry do not start at a page.
    #[error("transfer list: found the {what} at offset {offset:#x}, wanted a multiple of 0x1000")]
    Unaligned {
        /// "manifest", "image" or "HOB list".
        what: &'static str,
        /// The offset of its data.
        offset: usize,
    },
    /// An entry lies behind the image, where the image's zeroed data will be.
    #[error(
        "transfer list: found an entry with tag {tag:#x} at offset {offset:#x}, wanted none behind the image"
    )]
    NotLast {
        /// The tag of the entry behind the image.
        tag: u32,
        /// Its offset.
        offset: usize,
    },
}

/// Where the parts of a package lie, in bytes from its start. All ranges are checked: not empty,
/// inside the package's memory, apart from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The manifest.
    pub manifest: Range<usize>,
    /// The image.
    pub image: Range<usize>,
    /// The HOB list; only transfer lists have one.
    pub hob_list: Option<Range<usize>>,
}

impl Package {
    /// Reads the header of a package that lies at the start of `memory`, which is all the memory
    /// that the partition has. A transfer list must lie at the start of a page.
    pub fn parse(memory: &[u8]) -> Result<Self, PackageError> {
        let (header, _) = Header::read_from_prefix(memory).map_err(|_| PackageError::Short {
            found: memory.len(),
        })?;
        match header.magic {
            MAGIC => spkg(&header, memory.len()),
            transfer_list::SIGNATURE => transfer_list::parse(memory),
            found => Err(PackageError::Magic { found }),
        }
    }
}

/// Checks a header of the form "SPKG" in memory of `limit` bytes.
fn spkg(header: &Header, limit: usize) -> Result<Package, PackageError> {
    if !matches!(header.version.get(), 1 | 2) {
        return Err(PackageError::Version {
            found: header.version.get(),
        });
    }
    let part = |what, offset: U32, size: U32| {
        let (offset, size) = (offset.get(), size.get());
        let start = offset as usize;
        let fits = size != 0 && start >= size_of::<Header>();
        match start.checked_add(size as usize) {
            Some(end) if fits && end <= limit => Ok(start..end),
            _ => Err(PackageError::OutOfRange {
                what,
                offset,
                size,
                limit,
            }),
        }
    };
    let manifest = part("manifest", header.manifest_offset, header.manifest_size)?;
    let image = part("image", header.image_offset, header.image_size)?;
    if manifest.start < image.end && image.start < manifest.end {
        return Err(PackageError::Overlap);
    }
    Ok(Package {
        manifest,
        image,
        hob_list: None,
    })
}

#[cfg(test)]
mod tests;
