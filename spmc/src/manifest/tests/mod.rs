//! Host tests of the manifests: good ones, one mistake at a time, and arbitrary bytes.

mod dts;
// Too slow under Miri; what runs there covers the same code.
#[cfg(not(miri))]
mod fuzz;
mod good;
// Too slow under Miri; what runs there covers the same code.
#[cfg(not(miri))]
mod mistakes;

use core::ops::Range;

use ffa_abi::package::Package;

use super::*;

/// An SPMC manifest as an author would write it; tests change single lines of it.
const SPMC: &str = include_str!("spmc.dts");
/// A partition manifest of format 1.0.
const ECHO: &str = include_str!("echo.dts");
/// A partition manifest of format 1.1.
const SERVICES: &str = include_str!("services.dts");

/// The memory of the SPMC's image in [`SPMC`].
const IMAGE: Range<u64> = 0x0e10_0000..0x0e28_0000;

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
        match check_partition(manifest, entry, partition, package, &accepted) {
            Ok(partition) => accepted.push(partition),
            Err(error) => refused.push(error.to_string()),
        }
    }
    (accepted, refused)
}
