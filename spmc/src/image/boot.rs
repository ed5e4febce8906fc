//! Bringing up the SPMC: its own memory map, its manifest, each partition's first run.
//!
//! An error in the SPMC's own manifest stops it with a message.

use super::{BOARD, cores, cpu::Cpu, interrupts, load, vcpu::Vcpu};
use core::{
    fmt::{Display, Write},
    ops::Range,
};
use defmt::{error, info};
use ffa_abi::{
    Regs,
    fid::{Function, raw},
};
use heapless::{String, Vec};
use platform::{
    board::Region,
    cpu,
    entry::{self, BootArgs},
    layout,
    once::{Once, Shared},
    read_sysreg,
    stage1::{Kind, Pool, Stage1, Stage1Builder, Store},
    timer::{self, GenericTimer},
    uart::{CONSOLE, ENDPOINTS},
};
use spmc::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{Context, Slot},
    manifest::{SPMC_MANIFEST_LIMIT, SpmcManifest, check_layout},
    spm::{Pe, Spmc},
};

/// The core, with this machine's contexts.
pub type Core = Spmc<'static, Vcpu>;
/// One core's part, with this machine's contexts.
pub type PeState = Pe<'static, Vcpu>;

const PAGE: usize = 4096;

/// Tables of the image's own map: the image's, those of the windows through which memory is zeroed and
/// which loading opens, and of a few RX/TX pairs. With those that are added when all partitions are loaded
/// there are enough for 33 pairs, each in other megabytes.
const TABLES: usize = 42;
// SAFETY: Nothing is placed there but tables, which are cleared when they are taken.
#[unsafe(link_section = ".noinit")]
static STORE: Store<TABLES> = Store::new();
static STAGE1: Pool<TABLES> = Pool::new(&STORE);
static MAP: Once<Option<Stage1>> = Once::new(None);
/// The image's own map, once it is on.
static MAPPED: Shared<Stage1> = Shared::new();
static MANIFEST: Once<Option<SpmcManifest>> = Once::new(None);
static CORE: Once<Core> = Once::new(Spmc::new());
static CONTEXTS: Once<[[Context<Vcpu>; MAX_CPUS]; MAX_PARTITIONS]> =
    Once::new([const { [const { Context::new(Vcpu::RESET) }; MAX_CPUS] }; MAX_PARTITIONS]);
/// The core, for cores that come later.
static SHARED: Shared<Core> = Shared::new();

/// The core, once all partitions are loaded.
pub fn shared() -> Option<&'static Core> {
    SHARED.get()
}

/// The image's own map.
pub fn map() -> &'static Stage1 {
    match MAPPED.get() {
        Some(map) => map,
        // Nothing that needs it runs before it is on.
        None => cpu::park(),
    }
}

/// Gives `f` secure memory that no partition can reach meanwhile: it has not run yet, or will never
/// run again as it was. `None` if it could not be mapped.
pub fn with_memory<R>(range: Range<u64>, f: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
    let range = range.start as usize..range.end as usize;
    let map = map();
    // SAFETY: Callers name secure RAM that is neither the image's nor mapped otherwise (the map
    // would refuse it); nobody else uses it meanwhile.
    unsafe { map.map(range.clone(), Kind::Data) }.ok()?;
    // SAFETY: Just mapped, for this function alone.
    let memory = unsafe { core::slice::from_raw_parts_mut(range.start as *mut u8, range.len()) };
    let result = f(memory);
    // SAFETY: `memory` is not used any more.
    if unsafe { map.unmap(range) }.is_err() {
        error!("memory of a partition could not be unmapped");
        return None;
    }
    Some(result)
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
pub fn primary(args: &BootArgs) -> (&'static Core, &'static mut PeState, Cpu) {
    let started = timer::now_us();
    let index = BOARD
        .linear_index(read_sysreg!("mpidr_el1"))
        .unwrap_or_default();
    cpu::set_index(index);
    // A console that could not be set up stays silent; the partitions work without.
    // SAFETY: The board's secure PL011 is this image's alone, and `own_map` maps it for good.
    let _ = unsafe { CONSOLE.init(&BOARD.uart_secure, &mut GenericTimer) };
    if let Some(uart) = &BOARD.uart_partitions {
        // SAFETY: As above, for the UART of partitions' lines.
        let _ = unsafe { ENDPOINTS.init(uart, &mut GenericTimer) };
    }
    let config = config(args.x[0]);
    let map = own_map(&config);
    info!(
        "Tantalum SPMC on {=str}, core {=usize}, EL{=u8}, image {=u64:#x}..{=u64:#x}",
        BOARD.name,
        index,
        cpu::current_el(),
        layout::image_start() as u64,
        layout::image_end() as u64,
    );

    let manifest = read_manifest(args.x[0], config);
    let Some(core) = CORE.take() else { cpu::park() };
    let Some(contexts) = CONTEXTS.take() else {
        cpu::park()
    };
    let Some((pe, vectors)) = cores::first(index) else {
        cpu::park()
    };
    load::load_all(manifest, core, pe, contexts);
    let core: &'static Core = core;
    SHARED.set(core);
    interrupts::bring_up_core();
    let mut cpu = Cpu::new(vectors);
    // Nothing that was cached before may be found under a partition's VMID.
    platform::guest::tlbi_all_guests();
    core.core_is_on(pe);
    for slot in core.boot_order() {
        initialise(core, pe, &mut cpu, *slot);
    }
    offer_secondaries(map);
    info!(
        "all partitions have booted after {=u64} us; the normal world's turn",
        timer::now_us().wrapping_sub(started)
    );
    (core, pe, cpu)
}

/// Tells EL3 where secondary cores enter. Without it they would start where the primary did, over
/// the running image.
fn offer_secondaries(map: &'static Stage1) {
    let own = cpu::affinity();
    let others = (0..BOARD.max_cpus)
        .filter_map(|index| BOARD.affinity(index))
        .filter(|affinity| *affinity != own);
    entry::prepare_secondaries(&map.registers(), core::iter::once(own).chain(others));
    let mut regs = Regs::ZERO;
    regs[0] = Function::SecondaryEpRegister.raw64().into();
    regs[1] = entry::secondary_entry() as u64;
    platform::smc::smc(&mut regs.0);
    if !matches!(regs.w::<0>(), raw::SUCCESS_32 | raw::SUCCESS_64) {
        error!(
            "EL3 refused the secondary entry point {=u64:#x}: {=i32}",
            entry::secondary_entry() as u64,
            regs.w::<2>() as i32
        );
    }
}

/// The most devices that [`devices`] gives.
pub const MAX_DEVICES: usize = 4;

/// The registers that are the SPMC's own.
pub fn devices() -> impl Iterator<Item = Region> {
    let uarts = [Some(BOARD.uart_secure), BOARD.uart_partitions];
    let uarts = uarts.into_iter().flatten().map(|uart| uart.region);
    uarts.chain([BOARD.gic.distributor, BOARD.gic.redistributors])
}

/// The memory in which the manifest lies if x0 has this value: its end is that of the largest manifest, or of what
/// EL3 keeps for it. None if no manifest can lie there: not all of it is secure memory, or it is the image's, or not
/// aligned as device trees are.
fn config(address: u64) -> Option<Range<usize>> {
    let size = BOARD.config_at(address, SPMC_MANIFEST_LIMIT as u64)? as usize;
    let range = address as usize..(address as usize).checked_add(size)?;
    let image = layout::image_start()..layout::image_end();
    let apart = range.end <= image.start || image.end <= range.start;
    (address.is_multiple_of(8) && apart).then_some(range)
}

/// Maps the image (each section with its own permissions), its devices and the pages of its manifest, and switches
/// the MMU on.
fn own_map(config: &Option<Range<usize>>) -> &'static Stage1 {
    let Some(place) = MAP.take() else { cpu::park() };
    let build = || {
        let devices: Vec<Region, MAX_DEVICES> = devices().collect();
        let mut builder = Stage1Builder::for_image(&STAGE1, MAX_CPUS, &devices)?;
        if let Some(config) = config {
            let pages = config.start & !(PAGE - 1)..config.end.next_multiple_of(PAGE);
            builder.map(pages, Kind::RoData)?;
        }
        builder.add_window()?;
        Ok::<_, platform::stage1::Stage1Error>(builder)
    };
    match build() {
        Ok(builder) => {
            // SAFETY: E2H was set at the entry; the map holds all of the image, and nothing else
            // runs.
            let map = place.insert(unsafe { builder.activate() });
            MAPPED.set(map);
            map
        }
        // The pool is sized for this map; nothing could be said without one.
        Err(_) => cpu::park(),
    }
}

/// Reads the SPMC's manifest, which lies in `config`, or stops.
fn read_manifest(address: u64, config: Option<Range<usize>>) -> &'static SpmcManifest {
    let Some(config) = config else {
        let mut text: String<128> = String::new();
        let _ = write!(
            text,
            "SPMC manifest: x0 is {address:#x} at entry, wanted secure memory beside the image, aligned to 8 bytes"
        );
        stop(&text);
    };
    // SAFETY: `own_map` mapped it read-only; EL3 wrote it before and nobody does now.
    let blob = unsafe { core::slice::from_raw_parts(config.start as *const u8, config.len()) };
    let manifest = match SpmcManifest::parse(blob) {
        Ok(manifest) => manifest,
        Err(error) => stop(&error),
    };
    let image = layout::image_start() as u64..layout::image_end() as u64;
    if let Err(error) = check_layout(&manifest, image) {
        stop(&error);
    }
    let Some(place) = MANIFEST.take() else {
        cpu::park()
    };
    place.insert(manifest)
}

/// A partition's first run, until it waits or fails.
fn initialise(core: &'static Core, pe: &mut PeState, cpu: &mut Cpu, slot: Slot) {
    if cores::start(core, pe, cpu, slot) {
        let id = core.info(slot).map_or(0, |info| info.id.0);
        info!("partition {=u16:#x} waits", id);
    }
}
