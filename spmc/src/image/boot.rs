//! Bringing up the SPMC: its own memory map, its manifest, the partitions' packages, and each
//! partition's first run.
//!
//! An error in the SPMC's own manifest stops it with a message; one in a partition's refuses that
//! partition and the others boot.

use super::{BOARD, cpu::Cpu, vcpu::Vcpu};
use core::fmt::{Display, Write};
use defmt::{error, info, warn};
use embedded_hal::delay::DelayNs;
use ffa_abi::{
    Regs,
    boot_info::{self, WithManifest},
    contract::Mode,
    fid::raw,
    package::Package,
};
use heapless::{String, Vec};
use platform::{
    cpu,
    entry::BootArgs,
    fp::VectorState,
    guest::GuestRegs,
    layout,
    once::Once,
    read_sysreg,
    stage1::{Kind, Pool, Stage1, Stage1Builder},
    stage2::{Attr, IpaSpace, Stage2, TablePool, Tlbi, Vtcr, vstcr_el2, vtcr_el2},
    timer::{self, GenericTimer},
    uart::{CONSOLE, UartConfig},
};
use spmc::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{Context, Messaging, PartitionInfo, Slot},
    manifest::{
        Accepted, PartitionManifest, SPMC_MANIFEST_LIMIT, SpmcManifest, boot_sequence,
        check_layout, check_memory, check_partition,
    },
    spm::{Next, Pe, Spmc},
};
use zerocopy::IntoBytes;

/// The core, with this machine's contexts.
pub type Core = Spmc<'static, Vcpu>;
/// One core's part, with this machine's contexts.
pub type PeState = Pe<'static, Vcpu>;

const PAGE: usize = 4096;

/// Tables of the image's own map.
static STAGE1: Pool<48> = Pool::new();
/// Tables of the partitions' maps: two roots and a few levels for each.
static STAGE2: TablePool<96> = TablePool::new();
static MAP: Once<Option<Stage1>> = Once::new(None);
static CORE: Once<Core> = Once::new(Spmc::new());
static CONTEXTS: Once<[[Context<Vcpu>; MAX_CPUS]; MAX_PARTITIONS]> =
    Once::new([const { [const { Context::new(Vcpu::RESET) }; MAX_CPUS] }; MAX_PARTITIONS]);
static VECTORS: Once<VectorState> = Once::new(VectorState::EMPTY);

/// Writes an error's sentence to the log.
fn sentence(what: &impl Display) -> String<320> {
    let mut text = String::new();
    // What does not fit is cut.
    let _ = write!(text, "{what}");
    text
}

/// Stops the SPMC before the normal world has started: the reason goes to the log and, as plain
/// text, to the UART, and EL3 is told that initialisation failed.
fn stop(reason: &impl Display) -> ! {
    let _ = writeln!(CONSOLE.raw(), "SPMC stopped: {reason}");
    let mut regs = Regs::ZERO;
    regs[0] = raw::ERROR.into();
    regs[2] = ffa_abi::FfaError::Aborted.register();
    platform::smc::smc(&mut regs.0);
    cpu::park()
}

/// The boot on the primary core. Returns when all partitions have initialised.
pub fn primary(args: &BootArgs) -> (&'static Core, PeState, Cpu) {
    let started = timer::ticks();
    let index = BOARD
        .linear_index(read_sysreg!("mpidr_el1"))
        .unwrap_or_default();
    cpu::set_index(index);
    // SAFETY: The board's secure PL011 is this image's alone, and `own_map` maps it for good.
    let uart = unsafe {
        CONSOLE.init(
            BOARD.uart_secure.region.base,
            UartConfig {
                clock_hz: BOARD.uart_secure.clock_hz,
                baud: BOARD.uart_secure.baud,
            },
        )
    };
    let manifest_page = args.x[0] as usize & !(PAGE - 1);
    let map = own_map(manifest_page);
    if uart.is_err() {
        // Nothing can be said without it; the partitions may still work.
        GenericTimer.delay_us(1);
    }
    info!(
        "Tantalum SPMC on {=str}, core {=usize}, EL{=u8}, image {=u64:#x}..{=u64:#x}",
        BOARD.name,
        index,
        cpu::current_el(),
        layout::image_start() as u64,
        layout::image_end() as u64,
    );

    let manifest = read_manifest(args.x[0], manifest_page);
    let Some(core) = CORE.take() else { cpu::park() };
    let Some(contexts) = CONTEXTS.take() else {
        cpu::park()
    };
    let mut pe = PeState::new(index as u16);
    let order = load_all(&manifest, map, core, &mut pe, contexts);
    let core: &'static Core = core;
    let Some(vectors) = VECTORS.take() else {
        cpu::park()
    };
    let mut cpu = Cpu::new(vectors, vtcr(), vstcr_el2());
    for slot in order {
        initialise(core, &mut pe, &mut cpu, slot);
    }
    info!(
        "all partitions have booted after {=u64} us; the normal world's turn",
        micros(timer::ticks().wrapping_sub(started))
    );
    (core, pe, cpu)
}

fn micros(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000) / timer::frequency().max(1)
}

fn vtcr() -> u64 {
    vtcr_el2(Vtcr {
        pa_range: platform::cpu::Features::read().pa_range,
        vmid16: false,
        secure: true,
    })
}

/// Maps the image (each section with its own permissions), its UART and its manifest, and switches
/// the MMU on.
fn own_map(manifest_page: usize) -> &'static Stage1 {
    let Some(place) = MAP.take() else { cpu::park() };
    let build = || {
        let mut builder = Stage1Builder::new(&STAGE1)?;
        builder.map(layout::image_start()..layout::text_end(), Kind::Code)?;
        builder.map(layout::text_end()..layout::rodata_end(), Kind::RoData)?;
        builder.map(layout::rodata_end()..layout::stacks_start(), Kind::Data)?;
        for index in 0..MAX_CPUS {
            builder.map(layout::stack(index), Kind::Data)?;
        }
        let uart = BOARD.uart_secure.region;
        builder.map(uart.base as usize..uart.end() as usize, Kind::Device)?;
        if BOARD.is_secure_ram(manifest_page as u64, PAGE as u64)
            && !(layout::image_start()..layout::image_end()).contains(&manifest_page)
        {
            builder.map(manifest_page..manifest_page + PAGE, Kind::RoData)?;
        }
        Ok::<_, platform::stage1::Stage1Error>(builder)
    };
    match build() {
        // SAFETY: E2H was set at the entry; the map holds all of the image, and nothing else runs.
        Ok(builder) => place.insert(unsafe { builder.activate() }),
        // The pool is sized for this map; nothing could be said without one.
        Err(_) => cpu::park(),
    }
}

/// Reads the SPMC's manifest, or stops.
fn read_manifest(address: u64, page: usize) -> SpmcManifest {
    if address as usize != page || !BOARD.is_secure_ram(address, PAGE as u64) {
        let mut text: String<96> = String::new();
        let _ = write!(
            text,
            "SPMC manifest: x0 is {address:#x} at entry, wanted a page of secure memory"
        );
        stop(&text);
    }
    // SAFETY: `own_map` mapped the page read-only; EL3 wrote it before and nobody does now.
    let blob = unsafe { core::slice::from_raw_parts(page as *const u8, SPMC_MANIFEST_LIMIT) };
    let manifest = match SpmcManifest::parse(blob) {
        Ok(manifest) => manifest,
        Err(error) => stop(&error),
    };
    let image = layout::image_start() as u64..layout::image_end() as u64;
    if let Err(error) = check_layout(&manifest, image) {
        stop(&error);
    }
    manifest
}

/// Loads every partition that can be; gives the slots in boot order.
fn load_all(
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

type Reason = String<320>;

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
        clean(&range);
    }
    // SAFETY: `memory` is not used any more.
    let unmapped = unsafe { map.unmap(range) };
    let (partition, read) = result?;
    unmapped.map_err(|_| sentence(&"its memory could not be unmapped"))?;

    let vmid = entry as u16 + 1;
    let no_tables = |_| sentence(&"no tables left for its stage 2");
    let normal = Stage2::new(&STAGE2, vmid).map_err(no_tables)?;
    let mut secure = Stage2::new(&STAGE2, vmid).map_err(no_tables)?;
    let flush = Tlbi::secure(normal.vttbr(), secure.root_pa(), IpaSpace::Own);
    secure
        .map(
            region.start,
            region.start,
            region.end - region.start,
            Attr::RWX,
            &flush,
        )
        .map_err(|_| sentence(&"its memory could not be mapped"))?;

    let uuids = read.uuids().collect();
    let info = PartitionInfo {
        id: partition.id,
        uuids,
        messaging: Messaging(read.messaging_method()),
        contexts: read.execution_ctx_count,
        mode: Mode::Permissive,
    };
    let count = usize::from(info.contexts).min(MAX_CPUS);
    let up = info.is_up();
    let slot = core
        .add(info, read.ffa_version)
        .ok_or_else(|| sentence(&"its id is taken"))?;
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
        vcpu.vttbr = normal.vttbr();
        vcpu.vsttbr = secure.root_pa();
        vcpu.vmpidr = 1 << 31 | index as u64;
        // RES1 bits; MMU, caches and alignment checks off.
        vcpu.el1.sctlr = 0x30c5_0830;
        // Floating point is the partition's to enable.
        vcpu.el1.cpacr = 0;
    }
    // The context of the core that boots; the others wait for their cores.
    let mine = if up { 0 } else { usize::from(pe.index) };
    if let Some(context) = contexts.iter_mut().nth(mine) {
        core.adopt(pe, slot, context);
    }
    Ok((partition, slot))
}

/// Reads and checks the package in `memory`, and writes the boot information into its first page.
fn prepare(
    manifest: &SpmcManifest,
    entry: usize,
    accepted: &[Accepted],
    name: &str,
    memory: &mut [u8],
) -> Result<(Accepted, PartitionManifest), Reason> {
    let package = Package::parse(memory).map_err(|error| {
        let mut text = Reason::new();
        let _ = write!(text, "package of partition {name:?}: {error}");
        text
    })?;
    let blob = memory.get(package.manifest.clone()).unwrap_or_default();
    let read = PartitionManifest::parse(name, blob).map_err(|e| sentence(&e))?;
    let partition =
        check_partition(manifest, entry, &read, &package, accepted).map_err(|e| sentence(&e))?;
    if read.smccc_strict {
        let mut text = Reason::new();
        let _ = write!(
            text,
            "partition {name:?}: property tantalum,smccc-strict: not implemented yet"
        );
        return Err(text);
    }
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

/// Cleans the caches of a range to the point of coherency.
fn clean(range: &core::ops::Range<usize>) {
    for line in range.clone().step_by(64) {
        // SAFETY: Cleaning and invalidating a mapped line loses nothing.
        unsafe { core::arch::asm!("dc civac, {}", in(reg) line, options(nostack, preserves_flags)) }
    }
    platform::sysreg::dsb_sy();
}

/// A partition's first run, until it waits or fails.
fn initialise(core: &'static Core, pe: &mut PeState, cpu: &mut Cpu, slot: Slot) {
    if !core.start(pe, slot) {
        return;
    }
    let next = cpu.run(core, pe, slot);
    let id = core.info(slot).map_or(0, |info| info.id.0);
    match pe.context(slot).map(|context| context.state()) {
        Some(spmc::state::State::Waiting) | None => info!("partition {=u16:#x} waits", id),
        _ => error!("partition {=u16:#x} failed to initialise", id),
    }
    if next != Next::Booted {
        warn!(
            "partition {=u16:#x} left its initialisation in an unexpected way",
            id
        );
    }
}
