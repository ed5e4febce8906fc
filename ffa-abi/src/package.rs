//! The partition package "SPKG": a header, the manifest (a device tree) and the image, placed as
//! one piece at the load address (the layout that TF-A's packer writes and Hafnium reads).
//!
//! All numbers are little-endian. Offsets count bytes from the start of the package.

use core::ops::Range;
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::U32};

/// The header's first four bytes.
pub const MAGIC: [u8; 4] = *b"SPKG";

/// The header: 24 bytes.
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

const _: () = assert!(size_of::<Header>() == 24);

/// Why a package was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PackageError {
    /// Too short for a header.
    #[error("found {found} bytes, wanted at least a header of 24")]
    Short {
        /// The size found, in bytes.
        found: usize,
    },
    /// The magic is wrong.
    #[error("found magic {found:02x?}, wanted \"SPKG\"")]
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
}

/// Where the two parts of a package lie, in bytes from its start. Both ranges are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The manifest.
    pub manifest: Range<usize>,
    /// The image.
    pub image: Range<usize>,
}

impl Package {
    /// Reads the header of a package that lies at the start of `memory`, which is all the memory
    /// that the partition has.
    pub fn parse(memory: &[u8]) -> Result<Self, PackageError> {
        let (header, _) = Header::read_from_prefix(memory).map_err(|_| PackageError::Short {
            found: memory.len(),
        })?;
        if header.magic != MAGIC {
            return Err(PackageError::Magic {
                found: header.magic,
            });
        }
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
                Some(end) if fits && end <= memory.len() => Ok(start..end),
                _ => Err(PackageError::OutOfRange {
                    what,
                    offset,
                    size,
                    limit: memory.len(),
                }),
            }
        };
        let manifest = part("manifest", header.manifest_offset, header.manifest_size)?;
        let image = part("image", header.image_offset, header.image_size)?;
        if manifest.start < image.end && image.start < manifest.end {
            return Err(PackageError::Overlap);
        }
        Ok(Self { manifest, image })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(version: u32, fields: [u32; 4], len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let header = Header {
            magic: MAGIC,
            version: version.into(),
            manifest_offset: fields[0].into(),
            manifest_size: fields[1].into(),
            image_offset: fields[2].into(),
            image_size: fields[3].into(),
        };
        bytes[..24].copy_from_slice(header.as_bytes());
        bytes
    }

    #[test]
    fn a_good_package_gives_both_ranges() {
        for version in [1, 2] {
            let bytes = package(version, [0x1000, 0x200, 0x4000, 0x1000], 0x8000);
            let parsed = Package::parse(&bytes).unwrap();
            assert_eq!(parsed.manifest, 0x1000..0x1200);
            assert_eq!(parsed.image, 0x4000..0x5000);
        }
    }

    #[test]
    fn each_mistake_has_its_error() {
        let good = [0x1000, 0x200, 0x4000, 0x1000];
        assert_eq!(
            Package::parse(&[0; 23]),
            Err(PackageError::Short { found: 23 })
        );
        assert!(matches!(
            Package::parse(&[0; 24]),
            Err(PackageError::Magic { .. })
        ));
        assert_eq!(
            Package::parse(&package(3, good, 0x8000)),
            Err(PackageError::Version { found: 3 })
        );
        for (fields, what) in [
            ([0, 0x200, 0x4000, 0x1000], "manifest"),
            ([0x1000, 0, 0x4000, 0x1000], "manifest"),
            ([0x1000, u32::MAX, 0x4000, 0x1000], "manifest"),
            ([0x1000, 0x200, u32::MAX, 0x1000], "image"),
            ([0x1000, 0x200, 0x4000, 0x4001], "image"),
        ] {
            let error = Package::parse(&package(1, fields, 0x8000)).unwrap_err();
            assert!(
                matches!(error, PackageError::OutOfRange { what: w, .. } if w == what),
                "{fields:x?}: {error}"
            );
        }
        assert_eq!(
            Package::parse(&package(1, [0x1000, 0x4000, 0x4000, 0x1000], 0x8000)),
            Err(PackageError::Overlap)
        );
    }
}
