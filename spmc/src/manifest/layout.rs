//! Whether numbers of several files fit together: the SPMC's manifest with itself and with the
//! image that runs, a partition with the SPMC's manifest, its package and the other partitions.
//!
//! [`check_layout`] is fatal. [`check_partition`] is asked for one partition after the other and
//! told which are accepted already, so that a refused partition stops no other.

use core::ops::Range;

use ffa_abi::package::{Package, PackageError};
use ffa_abi::{EndpointId, Version};
use heapless::Vec;

use super::error::{File, Found, ManifestError, Name, Owner, Path, Problem, Wanted, clip};
use super::partition::{BOOT_ORDER_LAST, PartitionManifest};
use super::spmc::{MemoryKind, PAGE, PartitionEntry, SpmcManifest};
use crate::MAX_PARTITIONS;

/// A partition that may be loaded: what later ones are checked against, and what booting it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its index in [`SpmcManifest::partitions`].
    pub entry: usize,
    /// The name for the log.
    pub name: Name,
    /// Its endpoint identifier: what its manifest asks for, else 0x8000 + N for "vmN".
    pub id: EndpointId,
    /// Its memory: physical addresses, and the partition's own too.
    pub region: Range<u64>,
    /// Its first instruction: an address inside its image.
    pub entrypoint: u64,
    /// When it boots; see [`boot_sequence`].
    pub boot_order: u16,
}

/// Whether two ranges share an address.
fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Whether `outer` holds all of `inner`.
fn holds(outer: &Range<u64>, inner: &Range<u64>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// An error in the SPMC's manifest.
fn in_spmc(node: Path, property: &'static str, problem: Problem) -> ManifestError {
    ManifestError {
        file: File::Spmc,
        node,
        property: Some(property),
        problem,
    }
}

/// An error about a number.
fn number(found: u64, wanted: impl Into<Wanted>) -> Problem {
    Problem::OutOfRange {
        found: Found::Number(found),
        wanted: wanted.into(),
    }
}

/// Checks the SPMC's manifest. `spmc_image` is the memory that the running image takes, everything
/// it carries with it included.
///
/// # Errors
/// The identifier or the version is not this SPMC's, the image is not where the manifest says or
/// lies in memory declared to be something else than secure memory, or ranges of memory overlap.
pub fn check_layout(manifest: &SpmcManifest, spmc_image: Range<u64>) -> Result<(), ManifestError> {
    let attribute = |property, problem| Err(in_spmc(clip("/attribute"), property, problem));
    let id = EndpointId(manifest.spmc_id);
    if !id.is_secure() {
        return attribute("spmc_id", number(id.0.into(), "a number with bit 15 set"));
    }
    if id != EndpointId::SPMC {
        let problem = Problem::Unsupported {
            found: Found::Number(id.0.into()),
            wanted: "0x8000",
        };
        return attribute("spmc_id", problem);
    }
    if manifest.version_major != Version::OWN.major() {
        return attribute("maj_ver", number(manifest.version_major.into(), "1"));
    }
    if manifest.version_minor > Version::OWN.minor() {
        return attribute(
            "min_ver",
            number(manifest.version_minor.into(), "at most 3"),
        );
    }
    if !manifest.load_address.is_multiple_of(PAGE) {
        let problem = number(manifest.load_address, "a multiple of 4 KiB");
        return attribute("load_address", problem);
    }
    let Some(image) = manifest.image() else {
        let wanted = "a size that is not 0 and does not go past the last address";
        return attribute("binary_size", number(manifest.binary_size, wanted));
    };
    if !holds(&image, &spmc_image) {
        let problem = Problem::Outside {
            found: spmc_image,
            place: "the memory that load_address and binary_size give to the image",
        };
        return attribute("binary_size", problem);
    }
    if !image.contains(&manifest.entrypoint) || !manifest.entrypoint.is_multiple_of(4) {
        let wanted = Wanted::Inside(image, "the image");
        return attribute("entrypoint", number(manifest.entrypoint, wanted));
    }
    for (index, memory) in manifest.memory.iter().enumerate() {
        let collision = |other, at| {
            let problem = Problem::Overlap {
                found: memory.range(),
                other,
                at,
            };
            let mut node: Path = clip("/");
            // One and at most 32 bytes of 64.
            let _ = node.push_str(&memory.node);
            Err(in_spmc(node, "reg", problem))
        };
        if memory.kind != MemoryKind::Memory && overlap(&memory.range(), &image) {
            return collision(Owner::SpmcImage, image);
        }
        for earlier in manifest.memory.iter().take(index) {
            if overlap(&memory.range(), &earlier.range()) {
                return collision(Owner::Node(earlier.node.clone()), earlier.range());
            }
        }
    }
    Ok(())
}

/// The memory of a partition: page aligned, in secure memory, and nobody else's.
fn check_region(
    manifest: &SpmcManifest,
    entry: &PartitionEntry,
    accepted: &[Accepted],
) -> Result<Range<u64>, ManifestError> {
    let fail = |property, problem| Err(in_spmc(entry.path(), property, problem));
    if let Some(property) = entry.unsupported {
        return fail(property, Problem::NotImplemented);
    }
    if !entry.load_address.is_multiple_of(PAGE) {
        return fail(
            "load_address",
            number(entry.load_address, "a multiple of 4 KiB"),
        );
    }
    if entry.mem_size == 0 || !entry.mem_size.is_multiple_of(PAGE) {
        let wanted = "a multiple of 4 KiB that is not 0";
        return fail("mem_size", number(entry.mem_size, wanted));
    }
    let Some(region) = entry.region() else {
        let wanted = "a size that does not go past the last address";
        return fail("mem_size", number(entry.mem_size, wanted));
    };
    let collision = |other, at| {
        let problem = Problem::Overlap {
            found: region.clone(),
            other,
            at,
        };
        fail("load_address", problem)
    };
    // An image that wraps has been refused by `check_layout`.
    if let Some(image) = manifest.image().filter(|image| overlap(image, &region)) {
        return collision(Owner::SpmcImage, image);
    }
    let mut secure = manifest
        .memory
        .iter()
        .filter(|memory| memory.kind == MemoryKind::Memory);
    if !secure.any(|memory| holds(&memory.range(), &region)) {
        let problem = Problem::Outside {
            found: region,
            place: "secure memory, that is, any one range with device_type \"memory\"",
        };
        return fail("load_address", problem);
    }
    for other in accepted {
        if overlap(&other.region, &region) {
            return collision(Owner::Partition(other.name.clone()), other.region.clone());
        }
    }
    Ok(region)
}

/// Whether the memory of a partition may be touched at all: page aligned, in secure memory, and
/// nobody else's. To be asked before its package is read; [`check_partition`] asks it again.
///
/// `entry` is an index of [`SpmcManifest::partitions`].
///
/// # Errors
/// Any refuses this partition.
pub fn check_memory(
    manifest: &SpmcManifest,
    entry: usize,
    accepted: &[Accepted],
) -> Result<Range<u64>, ManifestError> {
    let entry = nth(manifest, entry)?;
    check_region(manifest, entry, accepted)
}

/// The entry with this index.
fn nth(manifest: &SpmcManifest, entry: usize) -> Result<&PartitionEntry, ManifestError> {
    manifest.partitions.get(entry).ok_or_else(|| ManifestError {
        file: File::Spmc,
        node: clip("/hypervisor"),
        property: None,
        problem: Problem::Missing {
            wanted: "as many partitions as are loaded",
        },
    })
}

/// Checks one partition: `entry` is its index in [`SpmcManifest::partitions`], `package` lies at the
/// start of its memory, and `accepted` are the partitions that this said yes to before.
///
/// # Errors
/// Any refuses this partition and no other:
/// * its memory is not aligned to pages, not inside one secure range, or overlaps the SPMC's image
///   or an accepted partition;
/// * the manifest or the image in the package does not fit, or begins in the first page, which
///   carries the boot information when the partition starts;
/// * its manifest's load address, entry point or number of contexts does not agree with the SPMC's
///   manifest;
/// * its boot order or its identifier is taken.
pub fn check_partition(
    manifest: &SpmcManifest,
    entry: usize,
    partition: &PartitionManifest,
    package: &Package,
    accepted: &[Accepted],
) -> Result<Accepted, ManifestError> {
    let index = entry;
    let entry = nth(manifest, index)?;
    let region = check_region(manifest, entry, accepted)?;
    let name = entry.debug_name.clone();
    let fail = |property, problem| {
        Err(ManifestError {
            file: File::Partition(name.clone()),
            node: clip("/"),
            property: Some(property),
            problem,
        })
    };

    check_package(entry, package)?;
    if let Some(found) = partition.load_address.filter(|at| *at != region.start) {
        let why = "as load_address in the SPMC manifest";
        return fail(
            "load-address",
            number(found, Wanted::Number(region.start, why)),
        );
    }
    let image = package.image.start as u64..package.image.end as u64;
    let offset = partition.entrypoint_offset;
    let entrypoint = match region.start.checked_add(offset) {
        Some(entrypoint) if image.contains(&offset) && offset.is_multiple_of(4) => entrypoint,
        _ => {
            let wanted = Wanted::Inside(image, "the image in the package, a multiple of 4");
            return fail("entrypoint-offset", number(offset, wanted));
        }
    };

    let contexts = partition.execution_ctx_count;
    let cpus = manifest.cpus.len() as u64;
    if contexts != 1 && u64::from(contexts) != cpus {
        let wanted = Wanted::Number(cpus, "the number of cores, or 1");
        return fail("execution-ctx-count", number(contexts.into(), wanted));
    }
    if entry.vcpu_count != contexts {
        let wanted = Wanted::Number(
            contexts.into(),
            "as execution-ctx-count in the partition's manifest",
        );
        let problem = number(entry.vcpu_count.into(), wanted);
        return Err(in_spmc(entry.path(), "vcpu_count", problem));
    }

    let boot_order = partition.boot_order;
    if let Some(other) = accepted
        .iter()
        .find(|other| boot_order != BOOT_ORDER_LAST && other.boot_order == boot_order)
    {
        let problem = Problem::Duplicate {
            found: Found::Number(boot_order.into()),
            by: Owner::Partition(other.name.clone()),
        };
        return fail("boot-order", problem);
    }
    let Some(id) = partition.id.or_else(|| entry.default_id()) else {
        let problem = Problem::OutOfRange {
            found: Found::text(&entry.node),
            wanted: "a number that gives an id of 0x8001 to 0xffbf".into(),
        };
        return Err(ManifestError {
            property: None,
            ..in_spmc(entry.path(), "", problem)
        });
    };
    if let Some(other) = accepted.iter().find(|other| other.id == id) {
        let problem = Problem::Duplicate {
            found: Found::Number(id.0.into()),
            by: Owner::Partition(other.name.clone()),
        };
        return fail("id", problem);
    }
    Ok(Accepted {
        entry: index,
        name,
        id,
        region,
        entrypoint,
        boot_order,
    })
}

/// The package of a partition: inside its memory, and behind the first page. That page holds the
/// header, which nobody needs any more when the partition starts, and then the boot information.
fn check_package(entry: &PartitionEntry, package: &Package) -> Result<(), ManifestError> {
    for (what, part) in [("manifest", &package.manifest), ("image", &package.image)] {
        // The package was parsed inside the memory it was read from; this is the memory it gets.
        if part.end as u64 > entry.mem_size {
            let problem = PackageError::OutOfRange {
                what,
                offset: part.start as u32,
                size: part.len() as u32,
                limit: entry.mem_size as usize,
            };
            return Err(ManifestError::package(&entry.debug_name, problem));
        }
        if (part.start as u64) < PAGE {
            let found = part.start as u64..part.end as u64;
            let problem = Problem::Outside {
                found,
                place: "what is left behind the first page, which carries the boot information",
            };
            return Err(ManifestError::whole(
                &File::Package(entry.debug_name.clone()),
                problem,
            ));
        }
    }
    Ok(())
}

/// The order in which to boot: indices into `accepted`, lower boot orders first, equal ones (only
/// [`BOOT_ORDER_LAST`] can be) in the order of the SPMC's manifest.
pub fn boot_sequence(accepted: &[Accepted]) -> Vec<usize, MAX_PARTITIONS> {
    let mut order: Vec<usize, MAX_PARTITIONS> = (0..accepted.len().min(MAX_PARTITIONS)).collect();
    let key = |index: &usize| accepted.get(*index).map(|a| (a.boot_order, a.entry));
    order.sort_unstable_by_key(key);
    order
}
