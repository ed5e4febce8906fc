//! Loading partitions: each one's package and manifest, its stage 2, its contexts.
//!
//! Whatever is wrong with one refuses that partition, by name, and the others are loaded.

// A refusal carries its sentence, there is no heap to put it on, and all this runs once.
#![allow(clippy::result_large_err)]

use super::{
    BOARD,
    boot::{self, Core, MAX_DEVICES, PeState},
    cores,
    estate::{self, Estate, Roots, Spaces},
    interrupts,
    port::Port,
    regions, spare,
    vcpu::Vcpu,
};
use core::{
    fmt::{Display, Write},
    ops::Range,
};
use defmt::{error, info};
use ffa_abi::{
    Uuid,
    boot_info::{self, Item, ItemKind},
    contract::Mode,
    package::Package,
};
use heapless::{String, Vec};
use platform::{
    cache,
    fp_habit::FpHabit,
    guest::GuestRegs,
    once::Once,
    pauth::{self, Keys},
};
use spmc::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{AbortAction, Context, Messaging, NsAction, PartitionInfo, Service, Slot, SmcFilter},
    manifest::{
        self, Accepted, ExceptionLevel, ManifestError, PartitionManifest, Reserved, SpmcManifest,
        boot_sequence, check_memory, check_partition,
    },
};

const PAGE: usize = 4096;

/// The partitions so far. Too large for a stack.
type AllAccepted = Vec<Accepted, MAX_PARTITIONS>;
static ACCEPTED: Once<AllAccepted> = Once::new(Vec::new());

/// What nobody may be given: the SPMC's own devices and the firmware's memory, the copies that restarts
/// need, and what tables are made of.
pub type Own = Vec<Range<u64>, { MAX_DEVICES + BOARD.secure_firmware.len() + MAX_PARTITIONS + 1 }>;

/// With fewer tables left than that, more are made before another partition is loaded: what it has may be all over its
/// address spaces.
const FEW_TABLES: usize = 24;

/// Loads every partition that can be.
pub fn load_all(
    manifest: &SpmcManifest,
    core: &mut Core,
    pe: &mut PeState,
    contexts: &'static mut [[Context<Vcpu>; MAX_CPUS]; MAX_PARTITIONS],
) {
    let Some(accepted) = ACCEPTED.take() else {
        return;
    };
    let regions = boot::devices().chain(BOARD.secure_firmware.iter().copied());
    let mut own: Own = regions.map(|region| region.base..region.end()).collect();
    let mut slots: Vec<Slot, MAX_PARTITIONS> = Vec::new();
    let mut added = None;
    for (entry, contexts) in contexts
        .iter_mut()
        .enumerate()
        .take(manifest.partitions.len())
    {
        if added.is_none() && estate::free_tables() < FEW_TABLES {
            added = Some(make_tables(manifest, accepted, &mut own));
        }
        match load(manifest, entry, accepted, &mut own, core, pe, contexts) {
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
    let added = added.unwrap_or_else(|| make_tables(manifest, accepted, &mut own));
    estate::share_tables(added);
    regions::tell(manifest, core, accepted, &slots);
    for slot in &slots {
        estate::map_static_buffers(core, *slot, &mut Port, &mut pe.held);
    }
    let sequence = boot_sequence(accepted);
    let order = sequence.iter().filter_map(|index| slots.get(*index));
    let order: Vec<Slot, MAX_PARTITIONS> = order.copied().collect();
    core.set_boot_order(&order);
}

/// Makes tables of secure memory that nobody has, for which there is one place; how many.
fn make_tables(manifest: &SpmcManifest, accepted: &[Accepted], own: &mut Own) -> usize {
    let Some(memory) = spare::table_memory(manifest, accepted, own) else {
        return 0;
    };
    // There is room for one.
    let _ = own.push(memory.start as u64..memory.end as u64);
    spare::make_tables(memory)
}

/// Why a partition was refused, as a sentence.
type Reason = String<320>;

fn sentence(what: &impl Display) -> Reason {
    let mut text = Reason::new();
    // What does not fit is cut.
    let _ = write!(text, "{what}");
    text
}

/// The same, about a partition.
fn about(name: &str, what: &str) -> Reason {
    sentence(&format_args!("partition {name:?}: {what}"))
}

/// Loads one partition: reads its package and manifest, builds its address spaces, sets up its contexts.
fn load(
    manifest: &SpmcManifest,
    entry: usize,
    accepted: &[Accepted],
    own: &mut Own,
    core: &mut Core,
    pe: &mut PeState,
    contexts: &'static mut [Context<Vcpu>; MAX_CPUS],
) -> Result<(Accepted, Slot), Reason> {
    let region =
        check_memory(manifest, entry, accepted, &reserved(own)).map_err(|e| sentence(&e))?;
    let name = manifest
        .partitions
        .get(entry)
        .map_or("", |entry| entry.debug_name.as_str());
    if !BOARD.is_secure_ram(region.start, region.end - region.start) {
        return Err(about(name, "its memory is not secure RAM of this board"));
    }
    let no_tables = || about(name, "no tables left to read its memory");
    let (partition, read, used) = boot::with_memory(region.clone(), |memory| {
        prepare(manifest, entry, accepted, own, name, memory)
    })
    .ok_or_else(no_tables)??;

    let info = partition_info(manifest, entry, &partition, &read);
    let saved = match info.abort_action {
        AbortAction::Restart => Some(save(manifest, accepted, own, &partition, used)?),
        _ => None,
    };
    let el0 = info.el0;
    let spaces = Spaces::new(&partition, entry, el0).map_err(|what| about(name, what))?;
    let count = usize::from(info.contexts).min(MAX_CPUS);
    let up = info.is_up();
    let masks = info.rules.ns_action == NsAction::Queued;
    let Some(slot) = core.add(info, read.ffa_version) else {
        spaces.destroy();
        return Err(about(name, "its id is taken"));
    };
    let mut start = GuestRegs::at(partition.entrypoint);
    if el0 {
        start.pstate = platform::el0::PSTATE_EL0;
        // It can't choose its keys itself.
        start.ia_key = pauth::fresh_key();
    }
    if let Some(register) = read.gp_register_num
        && let Some(x) = start.x.get_mut(usize::from(register))
    {
        *x = region.start;
    }
    // The context of the core that boots; the others are made ready when their cores are on.
    let mine = if up { 0 } else { usize::from(pe.index) };
    for (index, context) in contexts.iter_mut().enumerate().take(count) {
        let vcpu = &mut context.machine;
        match spaces.roots() {
            Roots::El1 { vttbr, vsttbr } => (vcpu.vttbr, vcpu.vsttbr) = (vttbr, vsttbr),
            Roots::El0 { ttbr0 } => {
                vcpu.ttbr0 = ttbr0;
                vcpu.keys = Keys::fresh();
            }
        }
        if index == mine {
            vcpu.begin(start.clone());
            vcpu.regs.x[4] = index as u64;
        }
        vcpu.vmpidr = 1 << 31 | index as u64;
        vcpu.masks = masks;
        vcpu.habit = FpHabit::new(read.eager_fp);
    }
    Estate {
        load: region,
        others: partition.memory.iter().cloned().collect(),
        devices: partition.devices.iter().cloned().collect(),
        spaces,
        saved,
        start,
        rx_tx: partition.rx_tx.clone(),
        changes: 0,
    }
    .install(slot, &mut pe.held);
    interrupts::add_devices(&partition.interrupts);
    for (index, context) in contexts.iter_mut().enumerate().take(count) {
        if index == mine {
            core.adopt(pe, slot, context);
        } else {
            cores::keep(index, slot, context);
        }
    }
    Ok((partition, slot))
}

/// What no partition may be given.
fn reserved(own: &Own) -> Reserved<'_> {
    Reserved {
        own,
        reserved_intids: BOARD.reserved_intids,
        intids_end: BOARD.gic.intids_end,
    }
}

/// What the core has to know of a partition.
fn partition_info(
    manifest: &SpmcManifest,
    entry: usize,
    partition: &Accepted,
    read: &PartitionManifest,
) -> PartitionInfo {
    let services = read
        .services
        .iter()
        .map(|service| Service {
            uuid: service.uuid,
            messaging: Messaging(service.messaging_method),
        })
        .collect();
    let smc = manifest
        .partitions
        .get(entry)
        .map(|entry| SmcFilter {
            whitelist: entry.smc_whitelist.clone(),
            permissive: entry.smc_whitelist_permissive,
        })
        .unwrap_or_default();
    PartitionInfo {
        mode: if read.smccc_strict {
            Mode::SmcccStrict
        } else {
            Mode::Permissive
        },
        image: read.image_uuid.unwrap_or(Uuid::NIL),
        abort_action: match (read.lifecycle, read.abort_action) {
            (false, _) => AbortAction::Fail,
            (true, None | Some(manifest::AbortAction::Stop)) => AbortAction::Stop,
            (true, Some(manifest::AbortAction::Destroy)) => AbortAction::Destroy,
            (true, Some(manifest::AbortAction::Restart)) => AbortAction::Restart,
            (true, Some(manifest::AbortAction::Propagate)) => AbortAction::Propagate,
        },
        smc,
        vm_events: read.vm_events,
        rules: read.rules,
        devices: partition.interrupts.iter().map(|one| one.intid).collect(),
        power_off_messages: read.power_off_messages,
        el0: read.exception_level == ExceptionLevel::SEl0,
        notifications: read.notifications,
        ..PartitionInfo::new(partition.id, services, read.execution_ctx_count)
    }
}

/// Reads and checks the package in `memory`, and writes the boot information into its first page.
/// Gives also how many bytes of the memory the package takes.
fn prepare(
    manifest: &SpmcManifest,
    entry: usize,
    accepted: &[Accepted],
    own: &Own,
    name: &str,
    memory: &mut [u8],
) -> Result<(Accepted, PartitionManifest, usize), Reason> {
    let package =
        Package::parse(memory).map_err(|error| sentence(&ManifestError::package(name, error)))?;
    let blob = memory.get(package.manifest.clone()).unwrap_or_default();
    let read = PartitionManifest::parse(name, blob).map_err(|e| sentence(&e))?;
    let partition = check_partition(manifest, entry, &read, &package, accepted, &reserved(own))
        .map_err(|e| sentence(&e))?;
    for region in &partition.memory {
        let start = region.range.start;
        let size = region.range.end.saturating_sub(start);
        let there = match region.normal_world {
            true => BOARD.is_normal_ram(start, size),
            false => BOARD.is_secure_ram(start, size),
        };
        if !there {
            return Err(about(name, "a memory region is not RAM of this board"));
        }
    }
    let item = |kind, part: &Range<usize>| Item {
        kind,
        address: partition.region.start.wrapping_add(part.start as u64),
        size: part.len() as u32,
    };
    let mut items: Vec<Item, 2> = Vec::new();
    if read.boot_info_fdt {
        let _ = items.push(item(ItemKind::Fdt, &package.manifest));
    }
    if read.boot_info_hob
        && let Some(list) = &package.hob_list
    {
        let _ = items.push(item(ItemKind::HobList, list));
    }
    if let Some(page) = memory.get_mut(..PAGE) {
        page.fill(0);
        if read.gp_register_num.is_some()
            && boot_info::write(read.ffa_version, &items, page).is_none()
        {
            return Err(about(name, "its boot information does not fit in a page"));
        }
        // BL2 has cleaned the rest; the partition starts with its MMU off.
        cache::clean(page);
    }
    let ends = [
        Some(&package.manifest),
        Some(&package.image),
        package.hob_list.as_ref(),
    ];
    let used = ends.into_iter().flatten().map(|part| part.end).max();
    Ok((partition, read, used.unwrap_or(PAGE)))
}

/// Copies the first `used` bytes of a partition's memory to secure memory that is nobody's, for when
/// it has to be restarted.
fn save(
    manifest: &SpmcManifest,
    accepted: &[Accepted],
    own: &mut Own,
    partition: &Accepted,
    used: usize,
) -> Result<Range<u64>, Reason> {
    let name = partition.name.as_str();
    let size = used.next_multiple_of(PAGE) as u64;
    let no_room = || {
        about(
            name,
            "abort-action restart: no secure memory is free for the copy of its package that a restart needs",
        )
    };
    let all = accepted.iter().chain([partition]);
    let copy = spare::room(manifest, all, own, size, PAGE as u64).ok_or_else(no_room)?;
    let from = partition.region.start..partition.region.start.wrapping_add(size);
    let copied = boot::with_memory(from, |from| {
        boot::with_memory(copy.clone(), |to| to.copy_from_slice(from))
    });
    if copied.flatten().is_none() {
        return Err(about(name, "no tables left to copy its package"));
    }
    own.push(copy.clone()).map_err(|_| no_room())?;
    Ok(copy)
}
