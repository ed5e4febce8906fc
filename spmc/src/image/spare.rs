//! Secure memory that nobody has: for copies of packages, and for tables.

use super::{BOARD, boot, estate, load::Own};
use core::ops::Range;
use defmt::info;
use platform::stage1::Kind;
use spmc::manifest::{Accepted, MemoryKind, SpmcManifest};

const PAGE: usize = 4096;

/// Makes tables of memory that is mapped and nobody's: one in eight for the image's own map, the others for
/// partitions, which is how many are returned.
pub fn make_tables(memory: Range<usize>) -> usize {
    let middle = memory.start + memory.len() / 8 / PAGE * PAGE;
    // SAFETY: `table_memory` found it where nobody has anything, and it is noted as the SPMC's from then on.
    unsafe {
        boot::map().add_tables(memory.start..middle);
        estate::add_tables(middle..memory.end)
    }
}

/// Secure memory for more tables, mapped: of what nobody has, two megabytes in one block, or less. The later a
/// partition comes the less is known of what it asks for, so all are loaded.
pub fn table_memory(
    manifest: &SpmcManifest,
    accepted: &[Accepted],
    own: &Own,
) -> Option<Range<usize>> {
    // What is no block of the map is mapped page by page, which takes time.
    const SIZES: [(u64, u64); 4] = [
        (2 << 20, 2 << 20),
        (256 << 10, PAGE as u64),
        (128 << 10, PAGE as u64),
        (64 << 10, PAGE as u64),
    ];
    let found = SIZES
        .into_iter()
        .find_map(|(size, alignment)| room(manifest, accepted.iter(), own, size, alignment))?;
    let range = found.start as usize..found.end as usize;
    // SAFETY: It is secure RAM that is neither the image's nor anybody else's.
    unsafe { boot::map().map(range.clone(), Kind::Data) }.ok()?;
    info!("{=u64:#x}..{=u64:#x} is for tables", found.start, found.end);
    Some(range)
}

/// Finds `size` bytes of secure memory that neither the image nor a partition has, aligned to a power of
/// two, as high as can be: what later partitions ask for is mostly low.
pub fn room<'a>(
    manifest: &SpmcManifest,
    partitions: impl Iterator<Item = &'a Accepted> + Clone,
    own: &Own,
    size: u64,
    alignment: u64,
) -> Option<Range<u64>> {
    let entries = manifest
        .partitions
        .iter()
        .filter_map(|entry| entry.region());
    let regions = partitions.flat_map(|one| one.memory.iter().map(|region| region.range.clone()));
    let image = manifest.image();
    // Each pass ends below the lowest thing that was in the way, so the ranges are walked once.
    let blocked = |wanted: &Range<u64>| {
        let all = entries
            .clone()
            .chain(regions.clone())
            .chain(image.clone())
            .chain(own.iter().cloned());
        all.filter(|taken| taken.start < wanted.end && wanted.start < taken.end)
            .map(|taken| taken.start)
            .min()
    };
    manifest
        .memory
        .iter()
        .filter(|memory| memory.kind == MemoryKind::Memory)
        .find_map(|memory| {
            let range = memory.range();
            let mut end = range.end;
            loop {
                let start = end.checked_sub(size)? & !(alignment - 1);
                if start < range.start {
                    return None;
                }
                let wanted = start..start.wrapping_add(size);
                if !BOARD.is_secure_ram(start, size) {
                    return None;
                }
                match blocked(&wanted) {
                    None => return Some(wanted),
                    Some(below) => end = below.min(end.wrapping_sub(PAGE as u64)),
                }
            }
        })
}
