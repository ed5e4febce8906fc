//! The SPMC's own manifest, `arm,ffa-core-manifest-1.0`: what the SPMD reads of it too, the
//! partitions to load, the cores, and which memory is whose.
//!
//! Reads types and shapes only; whether the numbers fit together is said by
//! [`check_layout`](super::check_layout). Accepts what Hafnium's manifests contain, `chosen` nodes
//! and other additions included, with these differences: `vmN` nodes need not be numbered without
//! gaps, and a node that calls itself a partition under another name is an error, not ignored.

use core::ops::Range;

use heapless::{String, Vec};

use super::error::{File, Found, ManifestError, Name, Owner, Problem, clip};
use super::tree::{Reader, number};
use crate::{MAX_CPUS, MAX_PARTITIONS};

/// The most ranges of memory, of all kinds together.
pub const MAX_MEMORY_RANGES: usize = 32;
/// The largest manifest in bytes: TF-A keeps it in one page.
pub const SPMC_MANIFEST_LIMIT: usize = 4096;

/// The affinity fields of MPIDR_EL1.
const AFFINITY: u64 = 0xff_00ff_ffff;
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

/// A `vmN` node: where a partition's package lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionEntry {
    /// The node's name, "vmN".
    pub node: String<16>,
    /// The number N, from 1.
    pub number: u16,
    /// The name for the log.
    pub debug_name: Name,
    /// Where the package starts: a physical address, and the partition's own too.
    pub load_address: u64,
    /// The partition's memory, package included, in bytes.
    pub mem_size: u64,
    /// Execution contexts.
    pub vcpu_count: u16,
    /// A property of the node that asks for what is not implemented yet: this partition is refused
    /// by [`check_partition`](super::check_partition), the others are not.
    pub unsupported: Option<&'static str>,
}

impl PartitionEntry {
    /// The endpoint identifier that the partition has if its manifest asks for none: 0x8000 + N, as
    /// with Hafnium. `None` if that is outside the range of partitions.
    pub fn default_id(&self) -> Option<ffa_abi::EndpointId> {
        let id = ffa_abi::EndpointId(self.number.checked_add(ffa_abi::EndpointId::SPMC.0)?);
        id.is_partition().then_some(id)
    }

    /// The partition's memory. `None` if it wraps.
    pub fn region(&self) -> Option<Range<u64>> {
        let end = self.load_address.checked_add(self.mem_size)?;
        Some(self.load_address..end)
    }

    /// The path of the node.
    pub(super) fn path(&self) -> super::error::Path {
        let mut path = clip("/hypervisor/");
        // 12 and at most 16 bytes of 64.
        let _ = path.push_str(&self.node);
        path
    }
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
        if !root.is_compatible("arm,ffa-core-manifest-1.0") {
            return Err(root.incompatible("\"arm,ffa-core-manifest-1.0\""));
        }
        let attribute = root.child("attribute")?;
        let state: u32 = attribute.optional("exec_state")?.unwrap_or(0);
        if state != 0 {
            return Err(attribute.unsupported("exec_state", state.into(), "0 (AArch64)"));
        }
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
        let wanted = "at least one node with device_type \"cpu\"";
        return Err(cpus.error(None, Problem::Missing { wanted }));
    }
    Ok(found)
}

/// Reads `/hypervisor`.
fn read_partitions(
    hypervisor: &Reader<'_>,
) -> Result<Vec<PartitionEntry, MAX_PARTITIONS>, ManifestError> {
    // The name of the program that made this format; whoever reads the format has to accept it.
    if !hypervisor.is_compatible("hafnium,hafnium") {
        return Err(hypervisor.incompatible("\"hafnium,hafnium\""));
    }
    let mut found: Vec<PartitionEntry, MAX_PARTITIONS> = Vec::new();
    for vm in hypervisor.children() {
        let is_partition = vm.flag("is_ffa_partition")?;
        let Some(number) = vm_number(vm.name()) else {
            if is_partition {
                let problem = Problem::OutOfRange {
                    found: Found::text(vm.name()),
                    wanted: "\"vm\" and a number from 1 as the node's name".into(),
                };
                return Err(vm.error(None, problem));
            }
            continue;
        };
        if !is_partition {
            let wanted = "this flag, since only FF-A partitions can be loaded";
            return Err(vm.missing("is_ffa_partition", wanted));
        }
        let node = vm.name();
        if found.iter().any(|other| other.number == number) {
            let problem = Problem::Duplicate {
                found: Found::text(node),
                by: Owner::Node(clip(node)),
            };
            return Err(vm.error(None, problem));
        }
        let entry = PartitionEntry {
            node: clip(node),
            number,
            debug_name: vm.short_text(
                "debug_name",
                vm.text("debug_name")?,
                "1 to 32 characters",
            )?,
            load_address: vm.number("load_address")?,
            mem_size: vm.number("mem_size")?,
            vcpu_count: vm.number("vcpu_count")?,
            unsupported: super::table::unsupported_of_entry(&vm),
        };
        found.push(entry).map_err(|_| {
            let problem = Problem::TooMany {
                limit: MAX_PARTITIONS,
                what: "partitions",
            };
            hypervisor.error(None, problem)
        })?;
    }
    Ok(found)
}

/// The number of a node's name "vmN", N from 1 and without leading zeros.
fn vm_number(name: &str) -> Option<u16> {
    let digits = name.strip_prefix("vm")?;
    if digits.starts_with('0') || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
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
