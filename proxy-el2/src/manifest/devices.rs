//! The devices that a VM has, `device-regions`: their registers and interrupts, written as a
//! partition's manifest has them (DEN0077A, "Partition manifest"). A device is one VM's alone.
//!
//! Reads what stands there; whether the machine has it to give is said by [`set::check`](super::set).

use super::PAGE;
use super::error::{Found, Name, Owner, Problem, VmManifestError};
use super::names;
use super::tree::Reader;
use core::ops::Range;
use heapless::Vec;

/// The most device regions of a VM.
pub const MAX_DEVICES: usize = 8;
/// The most interrupts of a device.
pub const MAX_INTERRUPTS: usize = 4;

/// Bits of `attributes`.
const READ: u32 = 1 << 0;
const WRITE: u32 = 1 << 1;
const NORMAL_WORLD: u32 = 1 << 3;

/// Fields of an interrupt's attributes: the priority, bits 7:0, informs, since the virtual interrupt
/// controller has the VM's own.
const PRIORITY: u32 = 0xff;
const LEVEL: u32 = 1 << 9;
const SHARED: u32 = 2 << 10;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmDevice {
    /// Its registers: whole pages, physical and intermediate physical addresses. Not empty.
    pub registers: Range<u64>,
    /// Whether the VM may write them.
    pub write: bool,
    /// Its interrupts.
    pub interrupts: Vec<Interrupt, MAX_INTERRUPTS>,
    /// The name of its node, cut to 32 bytes.
    pub name: Name,
}

/// An interrupt of a device: a shared peripheral interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Its INTID, 32 to 255.
    pub intid: u32,
    /// Whether it is level-sensitive; otherwise it is edge-triggered.
    pub level: bool,
}

/// Reads `device-regions`.
///
/// # Errors
/// As the sentences say: a wrong type or value, more than there is room for, an interrupt that is
/// another device's.
pub(super) fn read(root: &Reader<'_>) -> Result<Vec<VmDevice, MAX_DEVICES>, VmManifestError> {
    let mut devices = Vec::new();
    let Some(list) = root.chapter("device-regions", "arm,ffa-manifest-device-regions")? else {
        return Ok(devices);
    };
    names::check(&list, &["description"], None)?;
    for node in list.children() {
        let device = read_device(&node, &devices)?;
        devices.push(device).map_err(|_| {
            let problem = Problem::TooMany {
                limit: MAX_DEVICES,
                what: "device regions",
            };
            list.error(None, problem)
        })?;
    }
    match devices.is_empty() {
        true => Err(list.empty("at least one node with a region")),
        false => Ok(devices),
    }
}

/// Reads one device region; `earlier` are those before it.
fn read_device(node: &Reader<'_>, earlier: &[VmDevice]) -> Result<VmDevice, VmManifestError> {
    let own = [
        "base-address",
        "pages-count",
        "attributes",
        "interrupts",
        "description",
        "exclusive-access",
    ];
    names::check(node, &own, Some(&[]))?;
    node.optional_text("description")?;
    // A VM's device is always its own.
    node.flag("exclusive-access")?;
    let aligned = |base: &u64| base.is_multiple_of(PAGE);
    let base: u64 = node.number("base-address", aligned, "a multiple of 4 KiB")?;
    let end = |pages: u32| base.checked_add(u64::from(pages) * PAGE);
    let pages: u32 = node.number(
        "pages-count",
        |pages| *pages != 0 && end(*pages).is_some(),
        "at least 1, and none past the last address",
    )?;
    let attributes: u32 = node.number(
        "attributes",
        |found| [READ, READ | WRITE].contains(&(found & !NORMAL_WORLD)),
        "1 (read), perhaps with 2 (write) and 8 (normal world), and no other",
    )?;
    Ok(VmDevice {
        registers: base..end(pages).unwrap_or(base),
        write: attributes & WRITE != 0,
        interrupts: read_interrupts(node, earlier)?,
        name: node.short_name(),
    })
}

/// Reads `interrupts`: pairs of an INTID and its attributes.
fn read_interrupts(
    node: &Reader<'_>,
    earlier: &[VmDevice],
) -> Result<Vec<Interrupt, MAX_INTERRUPTS>, VmManifestError> {
    let property = "interrupts";
    let pairs = "two 32-bit cells for each interrupt, its INTID and attributes";
    let cells = node.cells(property, pairs)?.unwrap_or_default();
    let (found, []) = cells.as_chunks::<2>() else {
        let bytes = Found::Bytes(cells.as_flattened().len());
        return Err(node.wrong(property, bytes, pairs));
    };
    let mut interrupts: Vec<Interrupt, MAX_INTERRUPTS> = Vec::new();
    for pair in found {
        let [intid, attributes] = pair.map(u32::from_be_bytes);
        let number = |number: u32| Found::Number(number.into());
        if !(32..=255).contains(&intid) {
            let wanted = "32 to 255, a shared peripheral interrupt";
            return Err(node.wrong(property, number(intid), wanted));
        }
        if attributes & !(PRIORITY | LEVEL) != SHARED {
            let wanted = "attributes with bits 11:10 = 2 (shared), perhaps with bit 9 (level) and a \
                          priority in bits 7:0, and no other";
            return Err(node.wrong(property, number(attributes), wanted));
        }
        let taken = |others: &[Interrupt]| others.iter().any(|other| other.intid == intid);
        let by = match earlier.iter().find(|device| taken(&device.interrupts)) {
            Some(device) => Some(device.name.clone()),
            None => taken(&interrupts).then(|| node.short_name()),
        };
        if let Some(name) = by {
            let problem = Problem::Duplicate {
                found: number(intid),
                by: Owner::Node(name),
            };
            return Err(node.error(property, problem));
        }
        let level = attributes & LEVEL != 0;
        interrupts.push(Interrupt { intid, level }).map_err(|_| {
            let problem = Problem::TooMany {
                limit: MAX_INTERRUPTS,
                what: "interrupts",
            };
            node.error(property, problem)
        })?;
    }
    Ok(interrupts)
}
