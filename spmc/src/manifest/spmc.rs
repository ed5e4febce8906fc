//! The SPMC's own manifest, `arm,ffa-core-manifest-1.0`: what the SPMD reads of it too, the
//! partitions to load, the cores, and which memory is whose.
//!
//! Reads types and shapes only; whether the numbers fit together is said by
//! [`check_layout`](super::check_layout). Accepts what Hafnium's manifests contain, `chosen` nodes
//! and other additions included, with these differences: `vmN` nodes need not be numbered without
//! gaps, and a node that calls itself a partition under another name is an error, not ignored.

use core::ops::Range;

use heapless::Vec;

use super::entries::{PartitionEntry, read_partitions};
use super::error::{File, Found, ManifestError, Name, Owner, Problem, Wanted, clip};
use super::tree::{Listed, Reader, number};
use crate::{MAX_CPUS, MAX_PARTITIONS};

/// The most ranges of memory, of all kinds together.
pub const MAX_MEMORY_RANGES: usize = 32;
/// The largest manifest in bytes: TF-A keeps it in one page.
pub const SPMC_MANIFEST_LIMIT: usize = 4096;

/// The affinity fields of MPIDR_EL1.
pub(super) const AFFINITY: u64 = 0xff_00ff_ffff;
/// 4 KiB.
pub(super) const PAGE: u64 = 4096;

/// The SPMC's own manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpmcManifest {
    /// The SPMC's endpoint identifier.
    pub spmc_id: u16,
    /// The FF-A version it is to speak towards the SPMD, major.
    pub version_major: u16,
    /// And minor.
    pub version_minor: u16,
    /// Where the SPMC's image was loaded: a physical address.
    pub load_address: u64,
    /// Where the SPMD enters it: a physical address.
    pub entrypoint: u64,
    /// The memory that belongs to the image, in bytes from `load_address`.
    pub binary_size: u64,
    /// The affinity fields of the cores' MPIDR_EL1, in the order of the file: the boot core first,
    /// the others descending. See [`core_index`](Self::core_index).
    pub cpus: Vec<u64, MAX_CPUS>,
    /// The partitions to load, in the order of the file.
    pub partitions: Vec<PartitionEntry, MAX_PARTITIONS>,
    /// Whose memory is where, in the order of the file. No range is empty or wraps.
    pub memory: Vec<MemoryRange, MAX_MEMORY_RANGES>,
}

/// Whose a range of memory is, and of which kind. From `device_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryKind {
    /// "memory": secure memory that partitions may have.
    Memory,
    /// "ns-memory": memory of the normal world.
    NsMemory,
    /// "device-memory": secure devices.
    DeviceMemory,
    /// "ns-device-memory": devices of the normal world.
    NsDeviceMemory,
}

impl MemoryKind {
    fn from_device_type(device_type: &str) -> Option<Self> {
        Some(match device_type {
            "memory" => Self::Memory,
            "ns-memory" => Self::NsMemory,
            "device-memory" => Self::DeviceMemory,
            "ns-device-memory" => Self::NsDeviceMemory,
            _ => return None,
        })
    }
}

/// A range of physical memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    /// The node it comes from, for messages.
    pub node: Name,
    /// Whose it is.
    pub kind: MemoryKind,
    /// Its first byte's address, a multiple of 4 KiB.
    pub base: u64,
    /// Its size in bytes, a multiple of 4 KiB and not 0; `base + size` does not wrap.
    pub size: u64,
}

impl MemoryRange {
    /// The addresses.
    pub fn range(&self) -> Range<u64> {
        self.base..self.base.saturating_add(self.size)
    }
}

impl SpmcManifest {
    /// Reads the manifest at the start of `blob`, which may be longer.
    ///
    /// # Errors
    /// Any: the SPMC cannot go on without it.
    pub fn parse(blob: &[u8]) -> Result<Self, ManifestError> {
        let file = File::Spmc;
        let root = Reader::open(&file, blob, SPMC_MANIFEST_LIMIT)?;
        let listed = Listed::of(&root);
        let root = root.with(&listed);
        if !root.is_compatible("arm,ffa-core-manifest-1.0") {
            return Err(root.incompatible(Wanted::Name("arm,ffa-core-manifest-1.0")));
        }
        let attribute = root.child("attribute")?;
        let listed = Listed::properties_of(&attribute);
        let attribute = attribute.with(&listed);
        let state: u32 = attribute.optional("exec_state")?.unwrap_or(0);
        if state != 0 {
            let why = "the SPMC's image is AArch64 code";
            return Err(attribute.unsupported("exec_state", state.into(), "0 (AArch64)", why));
        }
        check_gic(&root)?;
        Ok(Self {
            spmc_id: attribute.number("spmc_id")?,
            version_major: attribute.number("maj_ver")?,
            version_minor: attribute.number("min_ver")?,
            load_address: attribute.number("load_address")?,
            entrypoint: attribute.number("entrypoint")?,
            binary_size: attribute.number("binary_size")?,
            cpus: read_cpus(&root.child("cpus")?)?,
            partitions: read_partitions(&root.child("hypervisor")?)?,
            memory: read_memory(&root)?,
        })
    }

    /// The linear index of a core, which is also the index of the execution context that belongs to
    /// it: 0 for the first in the file, and the others counted from the file's end, because the file
    /// lists them in descending order. `None` for a core that the manifest does not have.
    ///
    /// `mpidr` is a whole MPIDR_EL1; only its affinity fields count.
    pub fn core_index(&self, mpidr: u64) -> Option<usize> {
        let position = self.cpus.iter().position(|cpu| *cpu == mpidr & AFFINITY)?;
        match position {
            0 => Some(0),
            _ => self.cpus.len().checked_sub(position),
        }
    }

    /// The memory of the SPMC's image. `None` if it is empty or wraps, which
    /// [`check_layout`](super::check_layout) refuses.
    pub fn image(&self) -> Option<Range<u64>> {
        let end = self.load_address.checked_add(self.binary_size)?;
        (self.load_address < end).then_some(self.load_address..end)
    }
}

/// Reads `/cpus`.
fn read_cpus(cpus: &Reader<'_>) -> Result<Vec<u64, MAX_CPUS>, ManifestError> {
    let cells: u32 = cpus.optional("#address-cells")?.unwrap_or(2);
    if !matches!(cells, 1 | 2) {
        return Err(cpus.out_of_range("#address-cells", cells.into(), "1 or 2"));
    }
    let width = cells as usize * 4;
    let mut found: Vec<u64, MAX_CPUS> = Vec::new();
    for cpu in cpus.children() {
        let device_type = cpu.optional_text("device_type")?;
        if device_type != Some("cpu") {
            if cpu.base_name() == "cpu" {
                return Err(device_type_error(&cpu, device_type, "\"cpu\""));
            }
            // Topology, idle states and the like.
            continue;
        }
        let wanted = "one number of #address-cells cells for each core";
        let reg = cpu.bytes("reg").ok_or_else(|| cpu.missing("reg", wanted))?;
        if reg.is_empty() || !reg.len().is_multiple_of(width) {
            return Err(cpu.wrong_type("reg", Found::Bytes(reg.len()), wanted));
        }
        for mpidr in reg.chunks_exact(width).filter_map(number) {
            if mpidr & !AFFINITY != 0 {
                let wanted = "the affinity fields of MPIDR_EL1 only";
                return Err(cpu.out_of_range("reg", mpidr, wanted));
            }
            if found.contains(&mpidr) {
                let problem = Problem::Duplicate {
                    found: Found::Number(mpidr),
                    by: Owner::Core,
                };
                return Err(cpu.error(Some("reg"), problem));
            }
            found.push(mpidr).map_err(|_| {
                let problem = Problem::TooMany {
                    limit: MAX_CPUS,
                    what: "cores",
                };
                cpus.error(None, problem)
            })?;
        }
    }
    if found.is_empty() {
        let wanted = "at least one node with device_type \"cpu\"".into();
        return Err(cpus.error(None, Problem::Missing { wanted }));
    }
    Ok(found)
}

/// Refuses an interrupt controller of several chips. Where that of one chip is, is known already; so
/// its node only informs.
fn check_gic(root: &Reader<'_>) -> Result<(), ManifestError> {
    for node in root.children() {
        let named = matches!(node.base_name(), "gic" | "interrupt-controller");
        if !named && !node.is_compatible("arm,gic-v3") {
            continue;
        }
        for property in [
            "#distributor-regions",
            "#redistributor-regions",
            "#spi-regions",
        ] {
            if let Some(found) = node.optional::<u32>(property)?.filter(|count| *count > 1) {
                let why = "the interrupt controllers of other chips are not driven";
                return Err(node.unsupported(property, found.into(), "at most 1", why));
            }
        }
    }
    Ok(())
}

/// Reads the memory nodes.
fn read_memory(root: &Reader<'_>) -> Result<Vec<MemoryRange, MAX_MEMORY_RANGES>, ManifestError> {
    let cells = |property| -> Result<usize, ManifestError> {
        match root.number::<u32>(property)? {
            1 => Ok(1),
            2 => Ok(2),
            found => Err(root.out_of_range(property, found.into(), "1 or 2")),
        }
    };
    let address_bytes = cells("#address-cells")? * 4;
    let width = address_bytes + cells("#size-cells")? * 4;
    let mut found: Vec<MemoryRange, MAX_MEMORY_RANGES> = Vec::new();
    for node in root.children() {
        let device_type = node.optional_text("device_type")?;
        let Some(kind) = device_type.and_then(MemoryKind::from_device_type) else {
            if matches!(node.base_name(), "memory" | "device-memory") {
                let wanted = "\"memory\", \"ns-memory\", \"device-memory\" or \"ns-device-memory\"";
                return Err(device_type_error(&node, device_type, wanted));
            }
            continue;
        };
        let wanted = "address and size, of #address-cells and #size-cells cells, for each range";
        let reg = node
            .bytes("reg")
            .ok_or_else(|| node.missing("reg", wanted))?;
        if reg.is_empty() || !reg.len().is_multiple_of(width) {
            return Err(node.wrong_type("reg", Found::Bytes(reg.len()), wanted));
        }
        for entry in reg.chunks_exact(width) {
            let Some((base, size)) = entry
                .split_at_checked(address_bytes)
                .and_then(|(base, size)| Some((number(base)?, number(size)?)))
            else {
                // Cannot be: both parts have one or two cells.
                continue;
            };
            let fault = if base % PAGE != 0 {
                Some((base, "an address that is a multiple of 4 KiB"))
            } else if size == 0 || size % PAGE != 0 {
                Some((size, "a size that is a multiple of 4 KiB and not 0"))
            } else if base.checked_add(size).is_none() {
                Some((size, "a size that does not go past the last address"))
            } else {
                None
            };
            if let Some((found, wanted)) = fault {
                return Err(node.out_of_range("reg", found, wanted));
            }
            let range = MemoryRange {
                node: clip(node.name()),
                kind,
                base,
                size,
            };
            found.push(range).map_err(|_| {
                let problem = Problem::TooMany {
                    limit: MAX_MEMORY_RANGES,
                    what: "ranges of memory",
                };
                node.error(Some("reg"), problem)
            })?;
        }
    }
    Ok(found)
}

/// That `device_type` is missing or unknown.
fn device_type_error(
    node: &Reader<'_>,
    found: Option<&str>,
    wanted: &'static str,
) -> ManifestError {
    match found {
        None => node.missing("device_type", wanted),
        Some(found) => {
            let problem = Problem::OutOfRange {
                found: Found::text(found),
                wanted: wanted.into(),
            };
            node.error(Some("device_type"), problem)
        }
    }
}
