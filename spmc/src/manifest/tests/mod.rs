//! Host tests of the manifests: good ones, one mistake at a time, and arbitrary bytes.

mod dts;
mod el0;
mod field;
// Too slow under Miri; what runs there covers the same code.
#[cfg(not(miri))]
mod fuzz;
mod good;
mod interrupts;
// Too slow under Miri; what runs there covers the same code.
#[cfg(not(miri))]
mod mistakes;

use core::ops::Range;

use ffa_abi::package::{Package, transfer_list};

use super::*;

/// An SPMC manifest as an author would write it; tests change single lines of it.
const SPMC: &str = include_str!("spmc.dts");
/// A partition manifest of format 1.0.
const ECHO: &str = include_str!("echo.dts");
/// A partition manifest of format 1.1.
const SERVICES: &str = include_str!("services.dts");

/// An SPMC manifest as those in the field are, with an operating system and a store.
const FIELD: &str = include_str!("field.dts");
/// The operating system's manifest.
const OS: &str = include_str!("os.dts");
/// The store's manifest: regions, RX/TX buffers, life cycle, HOB list.
const STORE: &str = include_str!("store.dts");

/// The memory of the SPMC's image in [`SPMC`].
const IMAGE: Range<u64> = 0x0e10_0000..0x0e28_0000;

/// What nobody is given: a UART of the SPMC and the firmware's memory at the end of the secure memory,
/// in [`SPMC`] and in [`FIELD`].
const FIRMWARE: Reserved<'_> = Reserved {
    own: &[
        0x0904_0000..0x0904_1000,
        0x0eff_0000..0x0f00_0000,
        0x1c09_0000..0x1c09_1000,
        0x07ff_0000..0x0800_0000,
    ],
    reserved_intids: &[20, 25, 26, 27, 28, 30, 39],
    intids_end: 256,
};

/// A source text with one place changed.
fn changed(source: &str, from: &str, to: &str) -> String {
    assert_eq!(source.matches(from).count(), 1, "{from:?} stands once");
    source.replacen(from, to, 1)
}

/// Reads an SPMC manifest.
fn spmc(source: &str) -> Result<SpmcManifest, ManifestError> {
    SpmcManifest::parse(&dts::compile(source))
}

/// Reads a manifest of the partition "echo".
fn echo(source: &str) -> Result<PartitionManifest, ManifestError> {
    PartitionManifest::parse("echo", &dts::compile(source))
}

/// What a packer makes: the manifest in the second page, the image behind 16 KiB.
fn package() -> Package {
    Package {
        manifest: 0x1000..0x1400,
        image: 0x4000..0x2_4000,
        hob_list: None,
    }
}

/// Loads the partitions of `manifest`, each with its own manifest and package.
fn load(
    manifest: &SpmcManifest,
    partitions: &[(&PartitionManifest, Package)],
) -> (Vec<Accepted>, Vec<String>) {
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for (entry, (partition, package)) in partitions.iter().enumerate() {
        match check_partition(manifest, entry, partition, package, &accepted, &FIRMWARE) {
            Ok(partition) => accepted.push(partition),
            Err(error) => refused.push(error.to_string()),
        }
    }
    (accepted, refused)
}

/// A partition's memory while it is loaded, with an SPKG package: see [`package`].
fn packed(manifest: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; 0x10_0000];
    let words = [1, 0x1000, manifest.len() as u32, 0x4000, 0x2_0000];
    memory[..4].copy_from_slice(b"SPKG");
    for (to, word) in memory[4..].chunks_mut(4).zip(words) {
        to.copy_from_slice(&u32::to_le_bytes(word));
    }
    memory[0x1000..][..manifest.len()].copy_from_slice(manifest);
    memory
}

/// The same with a transfer list, which has a HOB list at 0x3000.
fn listed(manifest: &[u8]) -> Vec<u8> {
    let mut list = transfer_list::SIGNATURE.to_vec();
    list.extend([0, 1, 24, 12]);
    for word in [0x2_4000u32, 0x2_4000, 0, 0] {
        list.extend(word.to_le_bytes());
    }
    let image = vec![0; 0x2_0000];
    for (tag, at, data) in [
        (transfer_list::TAG_MANIFEST, 0x1000, manifest),
        (transfer_list::TAG_HOB_LIST, 0x3000, &[0x5a; 0x100]),
        (transfer_list::TAG_IMAGE, 0x4000, &image),
    ] {
        list.resize(list.len().next_multiple_of(8), 0);
        // An empty entry up to the header of this one, which stands right before its data.
        let gap = at - 16 - list.len();
        list.extend(u64::to_le_bytes(8 << 24 | (gap as u64) << 32));
        list.resize(at - 8, 0);
        let header = u64::from(tag) | 8 << 24 | (data.len() as u64) << 32;
        list.extend(header.to_le_bytes());
        list.extend(data);
    }
    list.resize(0x10_0000, 0);
    list
}

/// Loads partitions from their memory, with the calls that the image makes.
fn boot(source: &str, partitions: &[&[u8]]) -> Result<(Vec<Accepted>, Vec<String>), ManifestError> {
    let manifest = spmc(source)?;
    let image = manifest.load_address..manifest.load_address + 0x8_0000;
    check_layout(&manifest, image)?;
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for (entry, memory) in partitions.iter().enumerate() {
        let load = || {
            check_memory(&manifest, entry, &accepted, &FIRMWARE)?;
            let name = &manifest.partitions[entry].debug_name;
            let package =
                Package::parse(memory).map_err(|error| ManifestError::package(name, error))?;
            let blob = &memory[package.manifest.clone()];
            let partition = PartitionManifest::parse(name, blob)?;
            check_partition(&manifest, entry, &partition, &package, &accepted, &FIRMWARE)
        };
        match load() {
            Ok(partition) => accepted.push(partition),
            Err(error) => refused.push(error.to_string()),
        }
    }
    Ok((accepted, refused))
}
