//! Whose memory and devices are whose: the regions that a partition asks for.

use core::ops::Range;

use heapless::Vec;

use super::{Accepted, Mapped, Reserved, holds, overlap};
use crate::manifest::error::{File, Found, ManifestError, Name, Owner, Path, Problem, clip};
use crate::manifest::partition::PartitionManifest;
use crate::manifest::regions::{Base, MAX_REGIONS};
use crate::manifest::spmc::{MemoryKind, PAGE, SpmcManifest};

/// What a range is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Memory: nobody else has it.
    Memory,
    /// A device; `exclusive` says whether nobody else may have it.
    Device { exclusive: bool },
}

/// What a partition's regions are checked against.
pub(super) struct Place<'a> {
    pub(super) manifest: &'a SpmcManifest,
    pub(super) accepted: &'a [Accepted],
    pub(super) board: &'a Reserved<'a>,
    /// The partition's name.
    pub(super) name: &'a Name,
    /// The memory that it is loaded to.
    pub(super) region: &'a Range<u64>,
}

/// Who has a part of `range` already, and which range that is. Not asked about the SPMC's image.
pub(super) fn taken(
    range: &Range<u64>,
    wanted: Use,
    accepted: &[Accepted],
    board: &Reserved<'_>,
) -> Option<(Owner, Range<u64>)> {
    if let Some(own) = board.own.iter().find(|own| overlap(own, range)) {
        return Some((Owner::Firmware, own.clone()));
    }
    for other in accepted {
        if overlap(&other.region, range) {
            let owner = Owner::Partition(other.name.clone());
            return Some((owner, other.region.clone()));
        }
        if let Some(memory) = other.memory.iter().find(|m| overlap(&m.range, range)) {
            let owner = Owner::MemoryOf(other.name.clone());
            return Some((owner, memory.range.clone()));
        }
        let shared =
            |device: &Mapped| wanted == Use::Device { exclusive: false } && !device.exclusive;
        let device = other
            .devices
            .iter()
            .find(|d| overlap(&d.range, range) && !shared(d));
        if let Some(device) = device {
            let owner = Owner::DeviceOf(other.name.clone());
            return Some((owner, device.range.clone()));
        }
    }
    None
}

/// One region while it is checked.
pub(super) struct Candidate<'a> {
    pub(super) place: &'a Place<'a>,
    /// "memory-regions" or "device-regions".
    pub(super) list: &'static str,
    /// The name of its node.
    pub(super) node: &'a Name,
}

impl Candidate<'_> {
    /// An error about it.
    pub(super) fn error(&self, property: &'static str, problem: Problem) -> ManifestError {
        // The names of both nodes have at most 48 bytes of 64.
        let mut node: Path = clip("/");
        for part in [self.list, "/", self.node] {
            let _ = node.push_str(part);
        }
        ManifestError {
            file: File::Partition(self.place.name.clone()),
            node,
            property: Some(property),
            problem,
        }
    }

    /// Its addresses.
    fn range(&self, start: Option<u64>, pages: u32) -> Result<Range<u64>, ManifestError> {
        let end = start.and_then(|start| start.checked_add(u64::from(pages) * PAGE));
        match (start, end) {
            (Some(start), Some(end)) => Ok(start..end),
            _ => {
                let problem = Problem::OutOfRange {
                    found: Found::Number(pages.into()),
                    wanted: "a size that does not go past the last address".into(),
                };
                Err(self.error("pages-count", problem))
            }
        }
    }

    /// That it lies in one range of one of these kinds, and that nobody else has it.
    fn check(
        &self,
        property: &'static str,
        range: &Range<u64>,
        kinds: (&[MemoryKind], &'static str),
        wanted: Use,
    ) -> Result<(), ManifestError> {
        let place = self.place;
        let found = || range.clone();
        let (kinds, words) = kinds;
        let mut memory = place.manifest.memory.iter();
        if !memory.any(|memory| kinds.contains(&memory.kind) && holds(&memory.range(), range)) {
            let problem = Problem::Outside {
                found: found(),
                place: words,
            };
            return Err(self.error(property, problem));
        }
        let image = place.manifest.image();
        let image = image.filter(|image| overlap(image, range));
        let taken = image
            .map(|image| (Owner::SpmcImage, image))
            .or_else(|| taken(range, wanted, place.accepted, place.board));
        match taken {
            None => Ok(()),
            Some((other, at)) => {
                let found = found();
                Err(self.error(property, Problem::Overlap { found, other, at }))
            }
        }
    }

    /// That it shares nothing with the partition's earlier regions.
    fn check_earlier<'m>(
        &self,
        property: &'static str,
        range: &Range<u64>,
        mut earlier: impl Iterator<Item = (&'m Name, &'m Mapped)>,
    ) -> Result<(), ManifestError> {
        match earlier.find(|(_, mapped)| overlap(&mapped.range, range)) {
            None => Ok(()),
            Some((node, mapped)) => {
                let problem = Problem::Overlap {
                    found: range.clone(),
                    other: Owner::Node(node.clone()),
                    at: mapped.range.clone(),
                };
                Err(self.error(property, problem))
            }
        }
    }
}

/// The partition's memory regions. `entrypoint` is its first instruction.
///
/// A region in the memory that the partition is loaded to changes what may be done there. It may do
/// so anywhere, so long as the partition can start: the page of its first instruction stays
/// executable. (All regions can be read, so the boot information can be.)
pub(super) fn memory(
    place: &Place<'_>,
    partition: &PartitionManifest,
    entrypoint: u64,
) -> Result<Vec<Mapped, MAX_REGIONS>, ManifestError> {
    let mut all: Vec<Mapped, MAX_REGIONS> = Vec::new();
    for region in &partition.memory_regions {
        let candidate = Candidate {
            place,
            list: "memory-regions",
            node: &region.name,
        };
        let (property, start) = match region.base {
            Base::Address(address) => ("base-address", Some(address)),
            Base::Offset(offset) => (
                "load-address-relative-offset",
                place.region.start.checked_add(offset),
            ),
        };
        let range = candidate.range(start, region.pages)?;
        let inside = holds(place.region, &range);
        if !inside && overlap(place.region, &range) {
            let problem = Problem::Overlap {
                found: range,
                other: Owner::OwnEdge,
                at: place.region.clone(),
            };
            return Err(candidate.error(property, problem));
        }
        let kinds: (&[_], _) = if region.normal_world {
            (
                &[MemoryKind::NsMemory],
                "the normal world's memory, that is, any one range with device_type \"ns-memory\"",
            )
        } else {
            (
                &[MemoryKind::Memory],
                "secure memory, that is, any one range with device_type \"memory\"",
            )
        };
        candidate.check(property, &range, kinds, Use::Memory)?;
        let earlier = partition.memory_regions.iter().map(|region| &region.name);
        candidate.check_earlier(property, &range, earlier.zip(&all))?;
        if range.contains(&entrypoint) && !region.access.execute {
            let problem = Problem::OutOfRange {
                found: Found::Number(region.access.attributes().into()),
                wanted: "4 (execute) too, since the first instruction is in this region".into(),
            };
            return Err(candidate.error("attributes", problem));
        }
        // There is room for as many as the manifest has.
        let _ = all.push(Mapped {
            range,
            access: region.access,
            normal_world: region.normal_world,
            inside,
            exclusive: false,
        });
    }
    Ok(all)
}

/// The partition's device regions; `memory` are its memory regions.
pub(super) fn devices(
    place: &Place<'_>,
    partition: &PartitionManifest,
    memory: &[Mapped],
) -> Result<Vec<Mapped, MAX_REGIONS>, ManifestError> {
    let mut all: Vec<Mapped, MAX_REGIONS> = Vec::new();
    for region in &partition.device_regions {
        let candidate = Candidate {
            place,
            list: "device-regions",
            node: &region.name,
        };
        let property = "base-address";
        let range = candidate.range(Some(region.base), region.pages)?;
        let kinds: (&[_], _) = if region.normal_world {
            // Platforms call the whole of the normal world's addresses "ns-memory", devices and all.
            (
                &[MemoryKind::NsDeviceMemory, MemoryKind::NsMemory],
                "the normal world's devices, that is, any one range with device_type \
                 \"ns-device-memory\" or \"ns-memory\"",
            )
        } else {
            (
                &[MemoryKind::DeviceMemory],
                "the secure devices, that is, any one range with device_type \"device-memory\"",
            )
        };
        let exclusive = region.exclusive;
        candidate.check(property, &range, kinds, Use::Device { exclusive })?;
        let names = partition.memory_regions.iter().map(|region| &region.name);
        candidate.check_earlier(property, &range, names.zip(memory))?;
        let names = partition.device_regions.iter().map(|region| &region.name);
        candidate.check_earlier(property, &range, names.zip(&all))?;
        // There is room for as many as the manifest has.
        let _ = all.push(Mapped {
            range,
            access: region.access,
            normal_world: region.normal_world,
            inside: false,
            exclusive,
        });
    }
    Ok(all)
}
