//! What a partition says about interrupts: what they do to it, and which its devices raise
//! (DEN0077A, "Partition manifest" and "Interrupt management"; properties as Hafnium's manifests name
//! them).
//!
//! Reads what stands there; whether an interrupt is the partition's to have is said by
//! [`check_partition`](super::check_partition).

use core::ops::RangeInclusive;

use heapless::Vec;

use super::error::{Found, ManifestError, Name, Owner, Problem, clip};
use super::regions::DeviceRegion;
use super::spmc::AFFINITY;
use super::tree::Reader;
use crate::context::{InterruptRules, NsAction};

/// The most interrupts of one device.
pub const MAX_INTERRUPTS: usize = 4;

/// The INTIDs of interrupts that each core has for itself, PPIs.
const PRIVATE: RangeInclusive<u32> = 16..=31;
/// The INTIDs of interrupts that all cores share, SPIs.
pub(super) const SHARED: RangeInclusive<u32> = 32..=1019;

/// Bits of an interrupt's attributes.
const PRIORITY: u32 = 0xff;
const SECURE: u32 = 1 << 8;
const LEVEL: u32 = 1 << 9;
/// Where the type begins, and its two bits.
const TYPE_SHIFT: u32 = 10;
const TYPE: u32 = 3 << TYPE_SHIFT;
const ALL: u32 = PRIORITY | SECURE | LEVEL | TYPE;

/// The type of a PPI and of an SPI.
const TYPE_PRIVATE: u32 = 1;
const TYPE_SHARED: u32 = 2;

/// The priorities that devices of partitions have. What is more urgent is the SPMC's own, what is less
/// urgent the normal world's.
const MOST_URGENT: u8 = 0x10;
const LEAST_URGENT: u8 = 0x78;
/// The least urgent priority that a manifest may give: the last of the secure half.
const SECURE_HALF: u8 = 0x7f;

/// Bits of MPIDR_EL1 beside the affinity that authors copy along: reserved as one, uniprocessor,
/// multithreading.
const MPIDR_MARKS: u64 = 1 << 31 | 1 << 30 | 1 << 24;

/// An interrupt that a device of a partition raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceInterrupt {
    /// Its INTID: 16 to 31 for one that each core has (PPI), 32 to 1019 for a shared one (SPI).
    pub intid: u32,
    /// Its priority for the interrupt controller: 0x10 to 0x78 in steps of 8; lower is more urgent.
    pub priority: u8,
    /// Whether it is level-sensitive; else it is edge-triggered.
    pub level: bool,
    /// The affinity fields of the core that it is routed to at first, if the manifest names one. Shared
    /// interrupts only.
    pub target: Option<u64>,
}

/// Reads what interrupts do to the partition.
pub(super) fn read_rules(root: &Reader<'_>) -> Result<InterruptRules, ManifestError> {
    let ns_action = read_ns_action(root)?;
    let policy: u32 = root.optional("sri-interrupts-policy")?.unwrap_or(0);
    if policy & !3 != 0 {
        let wanted = "bit 0 (asked for while waiting), bit 1 (asked for on leaving), and no other";
        return Err(root.out_of_range("sri-interrupts-policy", policy.into(), wanted));
    }
    // Without a managed exit it says nothing, but it has to be a flag.
    let managed_exit_virq = root.flag("managed-exit-virq")?;
    Ok(InterruptRules {
        ns_action,
        managed_exit_virq: managed_exit_virq && ns_action == NsAction::ManagedExit,
        other_s_queued: read_other_s_queued(root, ns_action)?,
        sri_waiting: policy & 1 != 0,
        sri_leaving: policy & 2 != 0,
    })
}

/// Reads `ns-interrupts-action`, and the flag that manifests had before it.
fn read_ns_action(root: &Reader<'_>) -> Result<NsAction, ManifestError> {
    let property = "ns-interrupts-action";
    let found: Option<u32> = root.optional(property)?;
    let action = match found {
        None => None,
        Some(0) => Some(NsAction::Queued),
        Some(1) => Some(NsAction::ManagedExit),
        Some(2) => Some(NsAction::Signalled),
        Some(other) => {
            let wanted = "0 (queued), 1 (managed exit) or 2 (signalled)";
            return Err(root.out_of_range(property, other.into(), wanted));
        }
    };
    match (root.flag("managed-exit")?, action) {
        (false, action) => Ok(action.unwrap_or_default()),
        (true, None | Some(NsAction::ManagedExit)) => Ok(NsAction::ManagedExit),
        (true, Some(_)) => {
            let wanted = "1 (managed exit) or nothing together with managed-exit";
            Err(root.out_of_range(property, found.unwrap_or(0).into(), wanted))
        }
    }
}

/// Reads `other-s-interrupts-action`: whether it is queued.
fn read_other_s_queued(root: &Reader<'_>, ns_action: NsAction) -> Result<bool, ManifestError> {
    let property = "other-s-interrupts-action";
    match root.optional::<u32>(property)? {
        None | Some(1) => Ok(false),
        // The normal world's interrupts are less urgent than all secure ones.
        Some(0) if ns_action == NsAction::Queued => Ok(true),
        Some(0) => {
            let wanted = "1 (signalled) unless ns-interrupts-action is 0 (queued)";
            Err(root.out_of_range(property, 0, wanted))
        }
        Some(other) => {
            let wanted = "0 (queued) or 1 (signalled)";
            Err(root.out_of_range(property, other.into(), wanted))
        }
    }
}

/// Reads the interrupts of the device in `node`; `earlier` are the devices before it.
pub(super) fn read_device(
    node: &Reader<'_>,
    earlier: &[DeviceRegion],
) -> Result<Vec<DeviceInterrupt, MAX_INTERRUPTS>, ManifestError> {
    let property = "interrupts";
    let wanted = "two 32-bit cells for each interrupt, its INTID and its attributes";
    let mut interrupts: Vec<DeviceInterrupt, MAX_INTERRUPTS> = Vec::new();
    for [intid, attributes] in groups(node, property, wanted)? {
        let interrupt = read_interrupt(node, *intid, *attributes)?;
        let has =
            |others: &[DeviceInterrupt]| others.iter().any(|other| other.intid == interrupt.intid);
        let by = match earlier.iter().find(|device| has(&device.interrupts)) {
            Some(device) => Some(device.name.clone()),
            None => has(&interrupts).then(|| clip(node.name())),
        };
        if let Some(name) = by {
            return Err(taken(node, property, interrupt.intid, name));
        }
        interrupts.push(interrupt).map_err(|_| {
            let problem = Problem::TooMany {
                limit: MAX_INTERRUPTS,
                what: "interrupts",
            };
            node.error(Some(property), problem)
        })?;
    }
    read_targets(node, &mut interrupts)?;
    Ok(interrupts)
}

/// Reads one INTID and its attributes.
fn read_interrupt(
    node: &Reader<'_>,
    intid: [u8; 4],
    attributes: [u8; 4],
) -> Result<DeviceInterrupt, ManifestError> {
    let fail = |found: u32, wanted| Err(node.out_of_range("interrupts", found.into(), wanted));
    let [intid, attributes] = [intid, attributes].map(u32::from_be_bytes);
    let (wanted_type, type_words) = if PRIVATE.contains(&intid) {
        (
            TYPE_PRIVATE,
            "attributes whose bits 11:10 are 1 (PPI), as for all INTIDs of 16 to 31",
        )
    } else if SHARED.contains(&intid) {
        (
            TYPE_SHARED,
            "attributes whose bits 11:10 are 2 (SPI), as for all INTIDs from 32 on",
        )
    } else {
        return fail(intid, "an INTID of 16 to 31 (PPI) or 32 to 1019 (SPI)");
    };
    if attributes & !ALL != 0 {
        return fail(attributes, "attributes whose bits 31:12 are 0");
    }
    if (attributes & TYPE) >> TYPE_SHIFT != wanted_type {
        return fail(attributes, type_words);
    }
    if attributes & SECURE == 0 {
        let wanted = "attributes with bit 8 (secure): others are the normal world's";
        return fail(attributes, wanted);
    }
    match u8::try_from(attributes & PRIORITY) {
        Ok(priority @ ..=SECURE_HALF) => Ok(DeviceInterrupt {
            intid,
            // As the interrupt controller does, which has 32 secure priorities.
            priority: priority.clamp(MOST_URGENT, LEAST_URGENT) & !7,
            level: attributes & LEVEL != 0,
            target: None,
        }),
        _ => fail(
            attributes,
            "attributes whose bits 7:0, the priority, are at most 0x7f: others are the normal world's",
        ),
    }
}

/// Reads to which cores the interrupts of a device are routed.
fn read_targets(
    node: &Reader<'_>,
    interrupts: &mut [DeviceInterrupt],
) -> Result<(), ManifestError> {
    let property = "interrupts-target";
    let wanted = "three 32-bit cells for each interrupt, its INTID and an MPIDR";
    let fail = |found, wanted| Err(node.out_of_range(property, found, wanted));
    for [intid, high, low] in groups(node, property, wanted)? {
        let [intid, high, low] = [*intid, *high, *low].map(u32::from_be_bytes);
        let mut own = interrupts.iter_mut();
        let Some(interrupt) = own.find(|interrupt| interrupt.intid == intid) else {
            return fail(intid.into(), "an INTID in the interrupts of this node");
        };
        if !SHARED.contains(&intid) {
            let wanted = "an INTID of 32 to 1019: each core has the others for itself";
            return fail(intid.into(), wanted);
        }
        if interrupt.target.is_some() {
            return Err(taken(node, property, intid, clip(node.name())));
        }
        let mpidr = u64::from(high) << 32 | u64::from(low);
        if mpidr & !(AFFINITY | MPIDR_MARKS) != 0 {
            return fail(mpidr, "an MPIDR: bits 63:40 and 29:25 are 0");
        }
        interrupt.target = Some(mpidr & AFFINITY);
    }
    Ok(())
}

/// The cells of a list, in groups of `N`; none if the property is not there.
fn groups<'t, const N: usize>(
    node: &Reader<'t>,
    property: &'static str,
    wanted: &'static str,
) -> Result<&'t [[[u8; 4]; N]], ManifestError> {
    let cells = node.cells(property, wanted)?.unwrap_or_default();
    match cells.as_chunks::<N>() {
        (groups, []) => Ok(groups),
        _ => {
            let found = Found::Bytes(cells.as_flattened().len());
            Err(node.wrong_type(property, found, wanted))
        }
    }
}

/// That an INTID stands somewhere already.
fn taken(node: &Reader<'_>, property: &'static str, intid: u32, by: Name) -> ManifestError {
    let problem = Problem::Duplicate {
        found: Found::Number(intid.into()),
        by: Owner::Node(by),
    };
    node.error(Some(property), problem)
}
