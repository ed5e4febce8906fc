//! Loading partitions: each one's package and manifest, its stage 2, its contexts.
//!
//! Whatever is wrong with one refuses that partition, by name, and the others are loaded.

// A refusal carries its sentence, there is no heap to put it on, and all this runs once.
#![allow(clippy::result_large_err)]

use super::{
    BOARD,
    boot::{Core, PeState},
    vcpu::Vcpu,
};
use core::{
    fmt::{Display, Write},
    ops::Range,
};
use defmt::{error, info, warn};
use ffa_abi::{
    boot_info::{self, WithManifest},
    contract::Mode,
    package::Package,
};
use heapless::{String, Vec};
use platform::{
    cache,
    el1::El1State,
    guest::GuestRegs,
    stage1::{Kind, Stage1},
    stage2::{Attr, IpaSpace, Stage2, TablePool, Tlbi},
};
use spmc::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{Context, Messaging, PartitionInfo, Service, Slot},
    manifest::{
        Accepted, ManifestError, PartitionManifest, SpmcManifest, boot_sequence, check_memory,
        check_partition,
    },
};
use zerocopy::IntoBytes;

const PAGE: usize = 4096;

/// Tables of the partitions' maps: two roots and a few levels for each.
static STAGE2: TablePool<96> = TablePool::new();

/// Loads every partition that can be; gives the slots in boot order.
pub fn load_all(
    manifest: &SpmcManifest,
    map: &'static Stage1,
    core: &mut Core,
    pe: &mut PeState,
    contexts: &'static mut [[Context<Vcpu>; MAX_CPUS]; MAX_PARTITIONS],
) -> Vec<Slot, MAX_PARTITIONS> {
    let mut accepted: Vec<Accepted, MAX_PARTITIONS> = Vec::new();
    let mut slots: Vec<Slot, MAX_PARTITIONS> = Vec::new();
    for (entry, contexts) in contexts
        .iter_mut()
        .enumerate()
        .take(manifest.partitions.len())
    {
        match load(manifest, entry, &accepted, map, core, pe, contexts) {
            Ok((partition, slot)) => {
                info!(
                    "partition {=str}: id {=u16:#x}, {=u64:#x}..{=u64:#x}, entry {=u64:#x}",
                    partition.name.as_str(),
                    partition.id.0,
                    partition.region.start,
                    partition.region.end,
                    partition.entrypoint,
                );
                // Both hold as many as there are entries.
                let _ = accepted.push(partition);
                let _ = slots.push(slot);
            }
            Err(reason) => error!("partition refused: {=str}", reason.as_str()),
        }
    }
    boot_sequence(&accepted)
        .iter()
        .filter_map(|index| slots.get(*index).copied())
        .collect()
}

/// Why a partition was refused, as a sentence.
type Reason = String<320>;

fn sentence(what: &impl Display) -> Reason {
    let mut text = Reason::new();
    // What does not fit is cut.
    let _ = write!(text, "{what}");
    text
}

/// Loads one partition: reads its package and manifest, builds its stage 2, sets up its contexts.
fn load(
    manifest: &SpmcManifest,
    entry: usize,
    accepted: &[Accepted],
    map: &'static Stage1,
    core: &mut Core,
    pe: &mut PeState,
    contexts: &'static mut [Context<Vcpu>; MAX_CPUS],
) -> Result<(Accepted, Slot), Reason> {
    let region = check_memory(manifest, entry, accepted).map_err(|e| sentence(&e))?;
    let name = manifest
        .partitions
        .get(entry)
        .map_or("", |entry| entry.debug_name.as_str());
    if !BOARD.is_secure_ram(region.start, region.end - region.start) {
        return Err(sentence(&"its memory is not secure RAM of this board"));
    }
    let range = region.start as usize..region.end as usize;
    // SAFETY: The region is secure RAM that is neither the image's nor another partition's.
    unsafe { map.map(range.clone(), Kind::Data) }.map_err(|_| sentence(&"no tables left"))?;
    // SAFETY: Just mapped, and nothing runs there before `start`; the partition's stage 2 does not
    // exist yet.
    let memory = unsafe { core::slice::from_raw_parts_mut(range.start as *mut u8, range.len()) };
    let result = prepare(manifest, entry, accepted, name, memory);
    // What was written must be in memory before the partition runs with its MMU off.
    if result.is_ok() {
        cache::clean(memory);
    }
    // SAFETY: `memory` is not used any more.
    let unmapped = unsafe { map.unmap(range) };
    let (partition, read) = result?;
    unmapped.map_err(|_| sentence(&"its memory could not be unmapped"))?;

    let spaces = Spaces::new(&region, entry as u16 + 1).map_err(|e| sentence(&e))?;

    let services = read
        .services
        .iter()
        .map(|service| Service {
            uuid: service.uuid,
            messaging: Messaging(service.messaging_method),
        })
        .collect();
    let info = PartitionInfo {
        id: partition.id,
        services,
        messaging: Messaging(read.messaging_method()),
        contexts: read.execution_ctx_count,
        mode: if read.smccc_strict {
            Mode::SmcccStrict
        } else {
            Mode::Permissive
        },
    };
    let count = usize::from(info.contexts).min(MAX_CPUS);
    let up = info.is_up();
    let Some(slot) = core.add(info, read.ffa_version) else {
        spaces.destroy();
        return Err(sentence(&"its id is taken"));
    };
    for (index, context) in contexts.iter_mut().enumerate().take(count) {
        let vcpu = &mut context.machine;
        vcpu.regs = GuestRegs::at(partition.entrypoint);
        vcpu.regs.x[4] = index as u64;
        if index == 0
            && let Some(register) = read.gp_register_num
            && let Some(x) = vcpu.regs.x.get_mut(usize::from(register))
        {
            *x = region.start;
        }
        vcpu.vttbr = spaces.normal.vttbr();
        vcpu.vsttbr = spaces.secure.root_pa();
        vcpu.vmpidr = 1 << 31 | index as u64;
        vcpu.el1 = El1State::START;
    }
    // The context of the core that boots; the others wait for their cores.
    let mine = if up { 0 } else { usize::from(pe.index) };
    if let Some(context) = contexts.get_mut(mine) {
        core.adopt(pe, slot, context);
    }
    Ok((partition, slot))
}

/// A partition's two intermediate physical address spaces. Dropped, they last for ever.
struct Spaces {
    /// The non-secure one: empty.
    normal: Stage2<'static>,
    /// The secure one: the partition's memory.
    secure: Stage2<'static>,
}

impl Spaces {
    /// Builds both. After an error the pool has all its tables again.
    fn new(region: &Range<u64>, vmid: u16) -> Result<Self, &'static str> {
        let no_tables = |_| "no tables left for its stage 2";
        let normal = Stage2::new(&STAGE2, vmid).map_err(no_tables)?;
        let secure = match Stage2::new(&STAGE2, vmid).map_err(no_tables) {
            Ok(secure) => secure,
            Err(error) => {
                let flush = flush(&normal, &normal);
                normal.destroy(&flush);
                return Err(error);
            }
        };
        let mut spaces = Self { normal, secure };
        let flush = flush(&spaces.normal, &spaces.secure);
        let length = region.end - region.start;
        match spaces
            .secure
            .map(region.start, region.start, length, Attr::RWX, &flush)
        {
            Ok(()) => Ok(spaces),
            Err(_) => {
                spaces.destroy();
                Err("its memory could not be mapped")
            }
        }
    }

    /// Gives their tables back. The partition never runs.
    fn destroy(self) {
        let flush = flush(&self.normal, &self.secure);
        self.normal.destroy(&flush);
        self.secure.destroy(&flush);
    }
}

/// Flushes the secure space of a partition with these two.
fn flush(normal: &Stage2<'_>, secure: &Stage2<'_>) -> Tlbi {
    Tlbi::secure(normal.vttbr(), secure.root_pa(), IpaSpace::Own)
}

/// Reads and checks the package in `memory`, and writes the boot information into its first page.
fn prepare(
    manifest: &SpmcManifest,
    entry: usize,
    accepted: &[Accepted],
    name: &str,
    memory: &mut [u8],
) -> Result<(Accepted, PartitionManifest), Reason> {
    let package =
        Package::parse(memory).map_err(|error| sentence(&ManifestError::package(name, error)))?;
    let blob = memory.get(package.manifest.clone()).unwrap_or_default();
    let read = PartitionManifest::parse(name, blob).map_err(|e| sentence(&e))?;
    let partition =
        check_partition(manifest, entry, &read, &package, accepted).map_err(|e| sentence(&e))?;
    if read.eager_fp {
        warn!(
            "partition {=str}: tantalum,eager-fp has no effect yet",
            name
        );
    }
    let address = partition
        .region
        .start
        .wrapping_add(package.manifest.start as u64);
    if let Some(page) = memory.get_mut(..PAGE) {
        page.fill(0);
        if read.gp_register_num.is_some() {
            let blob = WithManifest::new(read.ffa_version, address, package.manifest.len() as u32);
            let empty = boot_info::header(read.ffa_version, 0);
            let bytes = if read.boot_info_fdt {
                blob.as_bytes()
            } else {
                empty.as_bytes()
            };
            if let Some(to) = page.get_mut(..bytes.len()) {
                to.copy_from_slice(bytes);
            }
        }
    }
    Ok((partition, read))
}
