//! Whose memory is whose when the normal world starts: what the manifests say, told to the core.

use super::{BOARD, boot::Core};
use core::ops::Range;
use defmt::{error, warn};
use ffa_abi::{
    FfaError,
    sharing::{PAGE, Pages, Region},
};
use heapless::Vec;
use spmc::{
    context::Slot,
    manifest::{Accepted, Access, MemoryKind, SpmcManifest},
    spm::Owner,
};

/// All that can be done with memory.
const ALL: Access = Access {
    read: true,
    write: true,
    execute: true,
};

/// Tells the core of all partitions' memory and devices; what is left of the normal world's memory is its own.
pub fn tell(manifest: &SpmcManifest, core: &mut Core, partitions: &[Accepted], slots: &[Slot]) {
    for (partition, slot) in partitions.iter().zip(slots) {
        if let Err(error) = tell_of(core, *slot, partition, partitions) {
            error!(
                "partition {=str}: not all of its memory can be given to others ({=i32})",
                partition.name.as_str(),
                error as i32
            );
        }
    }
    let memory = manifest.memory.iter();
    for memory in memory.filter(|memory| memory.kind == MemoryKind::NsMemory) {
        let range = memory.range();
        // The manifest may call address space memory that has none.
        for ram in BOARD.normal_ram {
            let there = range.start.max(ram.base)..range.end.min(ram.end());
            let Some(region) = region(&there, ALL, true, false) else {
                continue;
            };
            if let Err(error) = core.add_rest(Owner::NormalWorld, region) {
                warn!(
                    "not all of the normal world's memory can be given to others ({=i32})",
                    error as i32
                );
            }
        }
    }
}

/// Tells it of one partition's.
fn tell_of(
    core: &mut Core,
    slot: Slot,
    partition: &Accepted,
    all: &[Accepted],
) -> Result<(), FfaError> {
    let mut add = |range: &Range<u64>, access, normal_world, device| match region(
        range,
        access,
        normal_world,
        device,
    ) {
        Some(region) => core.add_region(Owner::Partition(slot), region),
        None => Ok(()),
    };
    let mut inside: Vec<_, 16> = Vec::new();
    for region in &partition.memory {
        if region.inside {
            // There is room for all regions.
            let _ = inside.push(region);
        } else {
            add(&region.range, region.access, region.normal_world, false)?;
        }
    }
    // What it was loaded into, but for the parts of which its manifest says something else.
    inside.sort_unstable_by_key(|region| region.range.start);
    let mut start = partition.region.start;
    for region in inside {
        add(&(start..region.range.start), ALL, false, false)?;
        add(&region.range, region.access, false, false)?;
        start = region.range.end;
    }
    add(&(start..partition.region.end), ALL, false, false)?;
    for device in &partition.devices {
        let range = &device.range;
        // Who shares a device with others can't give it away.
        let others = all.iter().filter(|other| other.id != partition.id);
        let mut others = others.flat_map(|other| &other.devices);
        if !others.any(|other| other.range.start < range.end && range.start < other.range.end) {
            add(range, device.access, device.normal_world, true)?;
        }
    }
    Ok(())
}

/// A region of these addresses; None if it is empty.
fn region(range: &Range<u64>, access: Access, normal_world: bool, device: bool) -> Option<Region> {
    Some(Region {
        pages: Pages::new(range.start, range.end.checked_sub(range.start)? / PAGE)?,
        normal_world,
        device,
        write: access.write,
        execute: access.execute && !device,
        shareable: true,
    })
}
