//! The `vmN` nodes of the SPMC's manifest: which partitions to load, and from where.

use core::ops::Range;

use heapless::{String, Vec};

use super::error::{Found, ManifestError, Name, Owner, Problem, Wanted, clip};
use super::tree::Reader;
use crate::MAX_PARTITIONS;

/// The most calls in a partition's `smc_whitelist`.
pub const MAX_SMCS: usize = 32;

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
    /// Calls that the partition may make to EL3 beside those of FF-A. Those that nobody may make are
    /// refused by [`check_memory`](super::check_memory).
    pub smc_whitelist: Vec<u32, MAX_SMCS>,
    /// Whether it may make all others too: all but FF-A's, PSCI's and hypercalls.
    pub smc_whitelist_permissive: bool,
    /// Whether a hypervisor is to load it, which [`check_memory`](super::check_memory) refuses.
    pub hyp_loaded: bool,
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

/// Reads `/hypervisor`.
pub(super) fn read_partitions(
    hypervisor: &Reader<'_>,
) -> Result<Vec<PartitionEntry, MAX_PARTITIONS>, ManifestError> {
    // The name of the program that made this format; whoever reads the format has to accept it.
    if !hypervisor.is_compatible("hafnium,hafnium") {
        return Err(hypervisor.incompatible(Wanted::Name("hafnium,hafnium")));
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
            smc_whitelist: read_smcs(&vm)?,
            smc_whitelist_permissive: vm.flag("smc_whitelist_permissive")?,
            hyp_loaded: vm.flag("hyp_loaded")?,
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

/// Reads `smc_whitelist`.
fn read_smcs(vm: &Reader<'_>) -> Result<Vec<u32, MAX_SMCS>, ManifestError> {
    let property = "smc_whitelist";
    let mut smcs = Vec::new();
    let cells = vm.cells(property, "one 32-bit cell for each call")?;
    for cell in cells.unwrap_or_default() {
        smcs.push(u32::from_be_bytes(*cell)).map_err(|_| {
            let problem = Problem::TooMany {
                limit: MAX_SMCS,
                what: "calls",
            };
            vm.error(Some(property), problem)
        })?;
    }
    Ok(smcs)
}

/// The number of a node's name "vmN", N from 1 and without leading zeros.
fn vm_number(name: &str) -> Option<u16> {
    let digits = name.strip_prefix("vm")?;
    if digits.starts_with('0') || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
