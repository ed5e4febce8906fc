//! Whether numbers of several files fit together: the SPMC's manifest with itself and with the
//! image that runs, a partition with the SPMC's manifest, its package and the other partitions.
//!
//! [`check_layout`] is fatal. [`check_partition`] is asked for one partition after the other and
//! told which are accepted already, so that a refused partition stops no other.

mod interrupts;
mod partition;
mod regions;

use core::ops::Range;

use ffa_abi::{EndpointId, Version};
use heapless::Vec;

use super::error::{File, Found, ManifestError, Name, Owner, Path, Problem, Wanted, clip};
use super::interrupts::DeviceInterrupt;
use super::regions::{Access, MAX_REGIONS};
use super::spmc::{MemoryKind, PAGE, SpmcManifest};
use crate::MAX_PARTITIONS;
use crate::context::MAX_DEVICE_INTERRUPTS;

pub use partition::{check_memory, check_partition};

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
    /// Its memory regions, in the order of its manifest.
    pub memory: Vec<Mapped, MAX_REGIONS>,
    /// Its device regions, in the order of its manifest.
    pub devices: Vec<Mapped, MAX_REGIONS>,
    /// The interrupts of its devices, in the order of its manifest. Nobody else has one of them.
    pub interrupts: Vec<DeviceInterrupt, MAX_DEVICE_INTERRUPTS>,
    /// Its RX and its TX buffer, if the SPMC is to map them before it starts: two of `memory`, of
    /// the same size of 1 to 4 pages, secure, read-write and not executable.
    pub rx_tx: Option<(Range<u64>, Range<u64>)>,
}

/// A region of memory or of a device that a partition gets: physical addresses, and the partition's
/// own too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The addresses: not empty, whole pages.
    pub range: Range<u64>,
    /// What the partition may do there.
    pub access: Access,
    /// Whether the normal world owns it: it is reached by non-secure accesses.
    pub normal_world: bool,
    /// Whether it lies in the memory that the partition is loaded to, all of it: that is mapped
    /// anyway, and this changes what may be done there.
    pub inside: bool,
    /// Whether nobody else has it. Devices only: memory never is shared this way.
    pub exclusive: bool,
}

/// What no partition may be given, beside the SPMC's image.
#[derive(Clone, Copy, Debug)]
pub struct Reserved<'a> {
    /// The devices that the SPMC uses, and the memory of the firmware below it.
    pub own: &'a [Range<u64>],
    /// The INTIDs of the SPMC's, the firmware's and the normal world's timers and devices.
    pub reserved_intids: &'a [u32],
    /// The first INTID that the board's interrupt controller does not have; 1020 if that is not known.
    pub intids_end: u32,
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
            why: "the SPMC has this endpoint id only",
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

/// The order in which to boot: indices into `accepted`, lower boot orders first, equal ones (only
/// [`BOOT_ORDER_LAST`](super::BOOT_ORDER_LAST) can be) in the order of the SPMC's manifest.
pub fn boot_sequence(accepted: &[Accepted]) -> Vec<usize, MAX_PARTITIONS> {
    let mut order: Vec<usize, MAX_PARTITIONS> = (0..accepted.len().min(MAX_PARTITIONS)).collect();
    let key = |index: &usize| accepted.get(*index).map(|a| (a.boot_order, a.entry));
    order.sort_unstable_by_key(key);
    order
}
