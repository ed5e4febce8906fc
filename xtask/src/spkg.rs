//! Partition packages: TF-A's own layout (a header, the manifest, the image), and transfer lists of
//! the Firmware Handoff specification with the same in it and a HOB list.
//!
//! All numbers are little-endian and count bytes from the start of the package. Both layouts have
//! manifest and image in the same places.

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

/// A transfer list's first word.
const SIGNATURE: u32 = 0x4a0f_b10b;
/// Its header's size, and that of an entry's header.
const LIST_HEADER: usize = 24;
const ENTRY_HEADER: usize = 8;
/// In the header's flags: the checksum counts.
const HAS_CHECKSUM: u32 = 1;
/// Tags of entries.
const TAG_EMPTY: u32 = 0;
const TAG_HOB_LIST: u32 = 3;
const TAG_IMAGE: u32 = 0x103;
const TAG_MANIFEST: u32 = 0x106;
/// Where the HOB list starts.
pub const HOB_LIST_OFFSET: usize = 0x3000;

/// A HOB list (UEFI Platform Initialization, volume 3) with nothing to say: a hand-off information
/// table of version 9, whose addresses are zero, and the end.
pub fn hob_list() -> Vec<u8> {
    let mut list = vec![0; 64];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(to) = list.get_mut(at..at + bytes.len()) {
            to.copy_from_slice(bytes);
        }
    };
    put(0, &1u16.to_le_bytes());
    put(2, &56u16.to_le_bytes());
    put(8, &9u32.to_le_bytes());
    put(56, &0xffffu16.to_le_bytes());
    put(58, &8u16.to_le_bytes());
    list
}

/// Packs a compiled manifest, a flat image and perhaps a HOB list as a transfer list.
///
/// # Errors
/// A part is larger than its place, or the whole is larger than the 4 MiB that BL2 loads.
pub fn pack_list(manifest: &[u8], image: &[u8], hob_list: Option<&[u8]>) -> Result<Vec<u8>> {
    let mut list = vec![0; LIST_HEADER];
    let mut parts = vec![(TAG_MANIFEST, MANIFEST_OFFSET, manifest)];
    parts.extend(hob_list.map(|hobs| (TAG_HOB_LIST, HOB_LIST_OFFSET, hobs)));
    parts.push((TAG_IMAGE, IMAGE_OFFSET, image));
    for (tag, offset, data) in parts {
        // Data start at a page, entries at a multiple of 8: an empty one lies between.
        let Some(gap) = offset.checked_sub(list.len() + 2 * ENTRY_HEADER) else {
            bail!("what comes before offset {offset:#x} of the package is too large");
        };
        list.extend(entry(TAG_EMPTY, gap));
        list.resize(offset - ENTRY_HEADER, 0);
        list.extend(entry(tag, data.len()));
        list.extend(data);
        list.resize(list.len().next_multiple_of(8), 0);
    }
    if list.len() > LARGEST {
        bail!(
            "the package would have {} bytes, BL2 loads at most {LARGEST}",
            list.len()
        );
    }
    let size = list.len() as u32;
    let words = [SIGNATURE, 0, size, size, HAS_CHECKSUM, 0];
    for (to, word) in list.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    // Checksum, version, size of the header, and 2^12: data are aligned to pages.
    list[4..8].copy_from_slice(&[0, 1, LIST_HEADER as u8, 12]);
    let sum = list.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    list[4] = sum.wrapping_neg();
    Ok(list)
}

/// The header of an entry: tag and the header's own size, then the size of what follows.
fn entry(tag: u32, size: usize) -> Vec<u8> {
    // Sizes were, or will be, compared with LARGEST.
    let words = [tag | (ENTRY_HEADER as u32) << 24, size as u32];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tag, offset of the data and size of every entry, found by walking the list.
    fn walk(list: &[u8]) -> Vec<(u32, usize, usize)> {
        let word = |at: usize| u32::from_le_bytes(list[at..at + 4].try_into().unwrap());
        let mut at = LIST_HEADER;
        let mut entries = Vec::new();
        while at + ENTRY_HEADER <= list.len() {
            assert_eq!(word(at) >> 24, 8);
            let size = word(at + 4) as usize;
            entries.push((word(at) & 0xff_ffff, at + ENTRY_HEADER, size));
            at = (at + ENTRY_HEADER + size).next_multiple_of(8);
        }
        assert_eq!(at, list.len());
        entries
    }

    #[test]
    fn a_transfer_list_has_each_part_at_a_page() {
        let hobs = hob_list();
        let list = pack_list(b"manifest", b"an image", Some(&hobs)).unwrap();
        let word = |at: usize| u32::from_le_bytes(list[at..at + 4].try_into().unwrap());
        assert_eq!(word(0), SIGNATURE);
        assert_eq!(list[5..8], [1, 24, 12]);
        assert_eq!([word(8), word(12)], [list.len() as u32; 2]);
        assert_eq!([word(16), word(20)], [1, 0]);
        let sum = list.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        assert_eq!(sum, 0);
        let parts: Vec<_> = walk(&list)
            .into_iter()
            .filter(|(tag, ..)| *tag != TAG_EMPTY)
            .collect();
        assert_eq!(
            parts,
            [
                (TAG_MANIFEST, 0x1000, 8),
                (TAG_HOB_LIST, 0x3000, 64),
                (TAG_IMAGE, 0x4000, 8)
            ]
        );
        assert_eq!(&list[0x1000..0x1008], b"manifest");
        assert_eq!(&list[0x3000..0x3040], hobs);
        assert_eq!(&list[0x4000..0x4008], b"an image");
    }

    #[test]
    fn a_transfer_list_may_do_without_a_hob_list() {
        let list = pack_list(&[7; 9], &[1; 3], None).unwrap();
        let tags: Vec<_> = walk(&list).into_iter().map(|(tag, ..)| tag).collect();
        assert_eq!(tags, [TAG_EMPTY, TAG_MANIFEST, TAG_EMPTY, TAG_IMAGE]);
        assert_eq!(list.len() % 8, 0);
    }

    #[test]
    fn what_does_not_fit_a_transfer_list_is_refused() {
        let hobs = hob_list();
        assert!(pack_list(&[0; 0x2000], b"", Some(&hobs)).is_err());
        assert!(pack_list(&[0; 0x1ff0], b"", Some(&hobs)).is_ok());
        assert!(pack_list(&[0; 0x2ff1], b"", None).is_err());
        assert!(pack_list(b"", &vec![0; 4 << 20], None).is_err());
    }

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
