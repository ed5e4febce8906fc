//! Whether one partition fits: its place in the SPMC's manifest, its package, its own manifest, and
//! the partitions accepted before it.

use core::ops::Range;

use ffa_abi::package::{Package, PackageError};

use super::regions::{self, Place, Use};
use super::{Accepted, Reserved, holds, in_spmc, interrupts, number, overlap};
use crate::manifest::entries::PartitionEntry;
use crate::manifest::error::{File, Found, ManifestError, Owner, Problem, Wanted, clip};
use crate::manifest::partition::{BOOT_ORDER_LAST, PartitionManifest};
use crate::manifest::regions::RxTx;
use crate::manifest::spmc::{MemoryKind, PAGE, SpmcManifest};

/// The memory of a partition: page aligned, in secure memory, and nobody else's.
fn check_region(
    manifest: &SpmcManifest,
    entry: &PartitionEntry,
    accepted: &[Accepted],
    board: &Reserved<'_>,
) -> Result<Range<u64>, ManifestError> {
    let fail = |property, problem| Err(in_spmc(entry.path(), property, problem));
    if entry.hyp_loaded {
        let why = "partitions are loaded by the firmware, not by a hypervisor";
        return fail("hyp_loaded", Problem::NotImplemented(why));
    }
    for smc in &entry.smc_whitelist {
        if let Some(wanted) = forbidden_smc(*smc) {
            return fail("smc_whitelist", number((*smc).into(), wanted));
        }
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
    match regions::taken(&region, Use::Memory, accepted, board) {
        Some((owner, at)) => collision(owner, at),
        None => Ok(region),
    }
}

/// What is wanted instead of a call that no partition may make to EL3, whatever the list says.
fn forbidden_smc(smc: u32) -> Option<&'static str> {
    // Both the 32-bit and the 64-bit form.
    match smc & !(1 << 30) {
        ..0x8000_0000 => Some("the id of a fast call, which has bit 31"),
        0x8400_0000..=0x8400_001f => Some("no call of PSCI: cores are not a partition's to switch"),
        0x8400_0060..=0x8400_00ef => Some("no call of FF-A: those are answered by the SPMC"),
        _ => None,
    }
}

/// Whether the memory of a partition may be touched at all: page aligned, in secure memory, and
/// nobody else's. To be asked before its package is read; [`check_partition`] asks it again.
///
/// `entry` is an index of [`SpmcManifest::partitions`], `accepted` are the partitions that
/// [`check_partition`] said yes to before.
///
/// # Errors
/// Any refuses this partition. What else stands in its node is checked too.
pub fn check_memory(
    manifest: &SpmcManifest,
    entry: usize,
    accepted: &[Accepted],
    board: &Reserved<'_>,
) -> Result<Range<u64>, ManifestError> {
    let entry = nth(manifest, entry)?;
    check_region(manifest, entry, accepted, board)
}

/// The entry with this index.
fn nth(manifest: &SpmcManifest, entry: usize) -> Result<&PartitionEntry, ManifestError> {
    manifest.partitions.get(entry).ok_or_else(|| ManifestError {
        file: File::Spmc,
        node: clip("/hypervisor"),
        property: None,
        problem: Problem::Missing {
            wanted: "as many partitions as are loaded".into(),
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
/// * the manifest, the image or the HOB list in the package does not fit, or begins in the first
///   page, which carries the boot information when the partition starts; or there is no HOB list,
///   and the manifest wants it in the boot information;
/// * its manifest's load address, entry point or number of contexts does not agree with the SPMC's
///   manifest;
/// * its boot order or its identifier is taken;
/// * a memory or device region of it is not inside memory of its kind, is somebody else's, or
///   overlaps another region or a part of the memory that the partition is loaded to;
/// * an interrupt of a device of it is reserved, another partition's or not on the board, is routed to
///   a core that there is not, or is one too many.
pub fn check_partition(
    manifest: &SpmcManifest,
    entry: usize,
    partition: &PartitionManifest,
    package: &Package,
    accepted: &[Accepted],
    board: &Reserved<'_>,
) -> Result<Accepted, ManifestError> {
    let index = entry;
    let entry = nth(manifest, index)?;
    let region = check_region(manifest, entry, accepted, board)?;
    let name = entry.debug_name.clone();
    let fail = |property, problem| {
        Err(ManifestError {
            file: File::Partition(name.clone()),
            node: clip("/"),
            property: Some(property),
            problem,
        })
    };

    check_package(entry, package, partition.boot_info_hob)?;
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
    let place = Place {
        manifest,
        accepted,
        board,
        name: &name,
        region: &region,
    };
    let memory = regions::memory(&place, partition, entrypoint)?;
    let devices = regions::devices(&place, partition, &memory)?;
    let interrupts = interrupts::of_devices(&place, partition)?;
    let buffer = |index: usize| memory.get(index).map(|mapped| mapped.range.clone());
    let rx_tx = partition
        .rx_tx
        .and_then(|RxTx { rx, tx }| Some((buffer(rx)?, buffer(tx)?)));
    Ok(Accepted {
        entry: index,
        name,
        id,
        region,
        entrypoint,
        boot_order,
        memory,
        devices,
        interrupts,
        rx_tx,
    })
}

/// The package of a partition: inside its memory, and behind the first page. That page holds the
/// header, which nobody needs any more when the partition starts, and then the boot information.
fn check_package(
    entry: &PartitionEntry,
    package: &Package,
    wants_hob_list: bool,
) -> Result<(), ManifestError> {
    let fail = |problem| {
        let file = File::Package(entry.debug_name.clone());
        Err(ManifestError::whole(&file, problem))
    };
    let parts = [
        ("manifest", Some(&package.manifest)),
        ("image", Some(&package.image)),
        ("HOB list", package.hob_list.as_ref()),
    ];
    for (what, part) in parts {
        let Some(part) = part else {
            continue;
        };
        // The package was parsed inside the memory it was read from; this is the memory it gets.
        if part.end as u64 > entry.mem_size {
            let problem = PackageError::OutOfRange {
                what,
                offset: part.start as u32,
                size: part.len() as u32,
                limit: entry.mem_size as usize,
            };
            return fail(problem.into());
        }
        if (part.start as u64) < PAGE {
            return fail(Problem::Outside {
                found: part.start as u64..part.end as u64,
                place: "what is left behind the first page, which carries the boot information",
            });
        }
    }
    if wants_hob_list && package.hob_list.is_none() {
        let wanted = "a HOB list, since the manifest's boot-info has hob_list";
        return fail(Problem::Missing {
            wanted: wanted.into(),
        });
    }
    Ok(())
}
