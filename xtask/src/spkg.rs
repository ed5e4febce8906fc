//! Partition packages in TF-A's layout: a header, the manifest, the image.
//!
//! All numbers are little-endian and count bytes from the start of the package.

use anyhow::{Result, bail};

/// The header's first four bytes.
const MAGIC: &[u8; 4] = b"SPKG";
/// The layout's version, as TF-A 2.12's packer writes it.
const VERSION: u32 = 2;
/// Where the manifest starts.
pub const MANIFEST_OFFSET: usize = 0x1000;
/// Where the image starts.
pub const IMAGE_OFFSET: usize = 0x4000;
/// Room for a manifest.
const MANIFEST_ROOM: usize = IMAGE_OFFSET - MANIFEST_OFFSET;
/// BL2 loads no larger package.
const LARGEST: usize = 4 << 20;

/// Packs a compiled manifest and a flat image.
///
/// # Errors
/// The manifest is larger than 12 KiB, or the whole is larger than the 4 MiB that BL2 loads.
pub fn pack(manifest: &[u8], image: &[u8]) -> Result<Vec<u8>> {
    if manifest.len() > MANIFEST_ROOM {
        bail!(
            "the compiled manifest has {} bytes, at most {MANIFEST_ROOM} fit in front of the image",
            manifest.len()
        );
    }
    if IMAGE_OFFSET + image.len() > LARGEST {
        bail!(
            "the package would have {} bytes, BL2 loads at most {LARGEST}",
            IMAGE_OFFSET + image.len()
        );
    }
    let mut package = Vec::with_capacity(IMAGE_OFFSET + image.len());
    package.extend(MAGIC);
    for field in [
        VERSION as usize,
        MANIFEST_OFFSET,
        manifest.len(),
        IMAGE_OFFSET,
        image.len(),
    ] {
        // Each is below LARGEST.
        package.extend((field as u32).to_le_bytes());
    }
    package.resize(MANIFEST_OFFSET, 0);
    package.extend(manifest);
    package.resize(IMAGE_OFFSET, 0);
    package.extend(image);
    Ok(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_manifest_and_image_are_where_tf_a_puts_them() {
        let package = pack(b"manifest", b"image").unwrap();
        assert_eq!(&package[..4], b"SPKG");
        let word = |at: usize| u32::from_le_bytes(package[at..at + 4].try_into().unwrap());
        assert_eq!(
            [word(4), word(8), word(12), word(16), word(20)],
            [2, 0x1000, 8, 0x4000, 5]
        );
        assert_eq!(&package[0x1000..0x1008], b"manifest");
        assert_eq!(&package[0x4000..], b"image");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(pack(&[0; 0x3001], b"").is_err());
        assert!(pack(&[0; 0x3000], b"").is_ok());
        assert!(pack(b"", &vec![0; 4 << 20]).is_err());
    }
}
