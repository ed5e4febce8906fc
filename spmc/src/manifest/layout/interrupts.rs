//! Whose interrupts are whose: those of the devices that a partition asks for.

use heapless::Vec;

use super::number;
use super::regions::{Candidate, Place};
use crate::context::MAX_DEVICE_INTERRUPTS;
use crate::manifest::error::{Found, ManifestError, Owner, Problem, Wanted};
use crate::manifest::interrupts::{DeviceInterrupt, SHARED};
use crate::manifest::partition::PartitionManifest;

/// The interrupts of the partition's devices.
///
/// That no two of them are the same has been seen when they were read.
pub(super) fn of_devices(
    place: &Place<'_>,
    partition: &PartitionManifest,
) -> Result<Vec<DeviceInterrupt, MAX_DEVICE_INTERRUPTS>, ManifestError> {
    let property = "interrupts";
    let mut all: Vec<DeviceInterrupt, MAX_DEVICE_INTERRUPTS> = Vec::new();
    for region in &partition.device_regions {
        let candidate = Candidate {
            place,
            list: "device-regions",
            node: &region.name,
        };
        for interrupt in &region.interrupts {
            let intid = interrupt.intid;
            // Each core has all the private ones.
            if SHARED.contains(&intid) && intid >= place.board.intids_end {
                let there = u64::from(*SHARED.start())..u64::from(place.board.intids_end);
                let wanted = Wanted::Inside(there, "the shared interrupts of this board");
                return Err(candidate.error(property, number(intid.into(), wanted)));
            }
            if let Some(by) = owner(place, intid) {
                let found = Found::Number(intid.into());
                return Err(candidate.error(property, Problem::Duplicate { found, by }));
            }
            if let Some(mpidr) = interrupt.target
                && place.manifest.core_index(mpidr).is_none()
            {
                let wanted = "the MPIDR of a core in the SPMC manifest";
                return Err(candidate.error("interrupts-target", number(mpidr, wanted)));
            }
            all.push(*interrupt).map_err(|_| {
                let problem = Problem::TooMany {
                    limit: MAX_DEVICE_INTERRUPTS,
                    what: "interrupts of one partition's devices",
                };
                candidate.error(property, problem)
            })?;
        }
    }
    Ok(all)
}

/// Who has this interrupt already.
fn owner(place: &Place<'_>, intid: u32) -> Option<Owner> {
    if place.board.reserved_intids.contains(&intid) {
        return Some(Owner::System);
    }
    let has = |interrupt: &DeviceInterrupt| interrupt.intid == intid;
    let mut others = place.accepted.iter();
    let other = others.find(|other| other.interrupts.iter().any(has))?;
    Some(Owner::Partition(other.name.clone()))
}
