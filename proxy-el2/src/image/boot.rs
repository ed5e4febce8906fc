//! Bringing up the proxy: its own memory map, the interrupt controller, EL3's side, the VMs, and the cores that come
//! later.

use super::{
    BOARD,
    cpu::Cpu,
    interrupts::Times,
    load,
    memory::{MAP, Port, own_pair},
    port::{self, MAX_CORES},
    vcpu::Guest,
};
use core::fmt::{Display, Write};
use defmt::info;
use ffa_abi::{EndpointId, Version, availability::VmEvent};
use platform::{
    cpu, entry, gic, layout,
    once::{Arena, Cells, Once, Shared},
    read_sysreg,
    stage1::{Kind, Pool, Stage1, Stage1Builder, Stage1Error, Store},
    timer::{self, GenericTimer},
    uart::CONSOLE,
};
use proxy_el2::{
    forward::Upstream,
    memory::Shares,
    proxy::{Pe, Proxy},
    vcpu::VmIndex,
};

/// The core, with this machine's vCPUs.
pub type Core = Proxy<'static, Guest>;
/// One core's part, with this machine's vCPUs.
pub type PeState = Pe<'static, Guest>;

/// The VMs' packages stand this far behind the image's start, in the file that BL2 loads.
const PACKAGE_OFFSET: usize = 0x28_0000;

/// Tables of the image's own map: the image's, that of a VM's memory while it is loaded, those of its windows,
/// each in another megabyte, and those of the window that memory is zeroed through.
const STAGE1_TABLES: usize = 48;
// SAFETY: Nothing is placed there but tables, which are cleared when they are taken.
#[unsafe(link_section = ".noinit")]
static STAGE1_STORE: Store<STAGE1_TABLES> = Store::new();
static STAGE1: Pool<STAGE1_TABLES> = Pool::new(&STAGE1_STORE);
static PLACE: Once<Option<Stage1>> = Once::new(None);

/// The core, before EL3's side was asked.
static CORE: Once<Core> = Once::new(Core::new(Upstream {
    version: Version::V1_0,
    spm_id: EndpointId::HYPERVISOR,
    direct2: false,
    rx: 0,
    info_regs: false,
    sri: None,
    indirect: false,
    notifications: false,
}));
/// In whose hands the VMs' memory is.
static SHARES: Shares = Shares::new();
static SETTINGS_CELL: Cells<Settings, 1> = Cells::new();
static SETTINGS: Arena<Settings, 1> = Arena::new(&SETTINGS_CELL);
static PES: [Once<PeState>; MAX_CORES] = [
    Once::new(PeState::new(0)),
    Once::new(PeState::new(1)),
    Once::new(PeState::new(2)),
    Once::new(PeState::new(3)),
    Once::new(PeState::new(4)),
    Once::new(PeState::new(5)),
    Once::new(PeState::new(6)),
    Once::new(PeState::new(7)),
];
/// What cores that come later need.
static SHARED: Shared<Settings> = Shared::new();

/// What is the same on all cores, once all VMs are there.
struct Settings {
    core: &'static Core,
    /// There are several VMs.
    many: bool,
    times: Times,
}

/// Stops the proxy before a VM has started. The reason goes out as plain text.
pub fn stop(reason: &impl Display) -> ! {
    let _ = writeln!(CONSOLE.raw(), "proxy stopped: {reason}");
    cpu::park()
}

/// The boot on the primary core, up to VMs that can be entered.
pub fn primary() -> (&'static Core, &'static mut PeState, Cpu) {
    let started = timer::now_us();
    let mpidr = read_sysreg!("mpidr_el1");
    let index = BOARD.linear_index(mpidr).unwrap_or_default();
    cpu::set_index(index);
    // SAFETY: The board's normal-world PL011 is this image's alone from here on (TF-A writes to it
    // only inside our calls), and `own_map` maps it for good.
    let ready = unsafe { CONSOLE.init(&BOARD.uart_normal, &mut GenericTimer) };
    let map = own_map();
    if ready.is_err() {
        cpu::park();
    }
    info!(
        "Tantalum proxy on {=str}, EL{=u8}, image {=u64:#x}..{=u64:#x}",
        BOARD.name,
        cpu::current_el(),
        layout::image_start() as u64,
        layout::image_end() as u64,
    );
    // EL3 leaves non-secure group 1 off in the distributor.
    // SAFETY: The GIC is mapped, this is NS-EL2, and nothing else runs in the normal world.
    if let Err(error) = unsafe { gic::init_normal_distributor(&BOARD.gic) } {
        defmt::warn!("no interrupts: {}", defmt::Debug2Format(&error));
    }
    let Some(core) = CORE.take() else { cpu::park() };
    core.upstream = upstream();
    core.share_memory(&SHARES);
    let times = load::all(map, package_range(), core, started);
    let core: &'static Core = core;
    load::adopt_vcpus(core);
    let many = core.info(VmIndex(1)).is_some();
    let settings = Settings { core, many, times };
    let Some(settings) = SETTINGS.add(settings) else {
        cpu::park()
    };
    let settings: &'static Settings = settings;
    SHARED.set(settings);
    offer_secondaries(map);
    // Nothing that was cached before may be found under a VM's VMID.
    platform::guest::tlbi_all_guests();
    port::is_on_for_good(index as u16);
    let (core, pe, mut cpu) = own_part(index, settings, true);
    core.create_bitmaps(&mut cpu, |vm, error| {
        defmt::warn!(
            "VM {=u16} receives no notifications: {}",
            vm.0,
            defmt::Display2Format(&error)
        );
    });
    for vm in load::indices(core) {
        let _ = core.tell(VmEvent::Created, vm, pe, &mut cpu);
    }
    (core, pe, cpu)
}

/// A core that was switched on for the primary's vCPU, for the first time or again.
pub fn secondary() -> (&'static Core, &'static mut PeState, Cpu) {
    let index = BOARD
        .linear_index(read_sysreg!("mpidr_el1"))
        .filter(|index| *index < MAX_CORES);
    let (Some(index), Some(settings)) = (index, SHARED.get()) else {
        cpu::park()
    };
    cpu::set_index(index);
    // What its TLB holds is from before it was off.
    platform::guest::tlbi_all_guests();
    own_part(index, settings, false)
}

/// Sets up what each core has of its own.
fn own_part(
    index: usize,
    settings: &Settings,
    first: bool,
) -> (&'static Core, &'static mut PeState, Cpu) {
    let Some(place) = PES.get(index) else {
        cpu::park()
    };
    let pe = place.take().unwrap_or_else(|| {
        // SAFETY: EL3 starts no core that is on: what ran here before has been switched off.
        unsafe { place.retake() }
    });
    // SAFETY: The GIC is mapped, this is NS-EL2, and nothing else runs on this core.
    if let Err(error) = unsafe { gic::init_normal_core(&BOARD.gic) } {
        defmt::warn!("no interrupts: {}", defmt::Debug2Format(&error));
    }
    let core = settings.core;
    let primary = load::primary_on(core, pe.index);
    let sri = core.upstream.sri.zip(primary);
    let cpu = Cpu::new(pe.index, settings.many, first, &settings.times, sri);
    (core, pe, cpu)
}

/// Negotiates with EL3's side, or stops.
fn upstream() -> Upstream {
    let mut port = Port;
    let mut upstream = match Upstream::negotiate(&mut port) {
        Ok(upstream) => upstream,
        Err(error) => stop(&error),
    };
    if let Err(error) = upstream.map_buffers(own_pair(), &mut port) {
        stop(&error);
    }
    info!(
        "EL3's side: FF-A {=u16}.{=u16}, SPMC {=u16:#x}, DIRECT_REQ2 {=bool}",
        upstream.version.major(),
        upstream.version.minor(),
        upstream.spm_id.0,
        upstream.direct2,
    );
    match upstream.rx {
        0 => info!("EL3's side takes no RX/TX buffers: no partition discovery for VMs"),
        bytes => info!("RX/TX buffers of {=usize} bytes", bytes),
    }
    upstream
}

/// Prepares the entry of the other cores.
fn offer_secondaries(map: &Stage1) {
    let own = cpu::affinity();
    let others = (0..BOARD.max_cpus)
        .filter_map(|index| BOARD.affinity(index))
        .filter(|affinity| *affinity != own);
    entry::prepare_secondaries(&map.registers(), core::iter::once(own).chain(others));
}

/// Maps the image, the UART, the GIC and the VMs' packages, and switches the MMU on.
fn own_map() -> &'static Stage1 {
    let Some(place) = PLACE.take() else {
        cpu::park()
    };
    let build = || {
        let devices = [
            BOARD.uart_normal.region,
            BOARD.gic.distributor,
            BOARD.gic.redistributors,
        ];
        let mut builder = Stage1Builder::for_image(&STAGE1, BOARD.max_cpus, &devices)?;
        builder.map(package_range(), Kind::RoData)?;
        builder.add_window()?;
        Ok::<_, Stage1Error>(builder)
    };
    match build() {
        Ok(builder) => {
            // SAFETY: E2H was set at the entry; the map holds all of the image, and nothing else runs.
            let map = place.insert(unsafe { builder.activate() });
            MAP.set(map);
            map
        }
        Err(_) => cpu::park(),
    }
}

/// Where the VMs' packages may be: behind the image, to the end of what the board sets aside.
fn package_range() -> core::ops::Range<usize> {
    let start = layout::image_start() + PACKAGE_OFFSET;
    start..(BOARD.normal_image.end() as usize).max(start + 0x1000)
}
