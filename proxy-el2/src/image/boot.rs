//! Bringing up the proxy: its own memory map, the interrupt controller, EL3's side, and the VM.

use super::{
    BOARD,
    interrupts::Interrupts,
    memory::{Windows, own_pair},
    run::{Guest, Port},
};
use core::fmt::{Display, Write};
use defmt::info;
use ffa_abi::package::Package;
use heapless::String;
use platform::{
    board::Region,
    cache,
    confine::{Confinement, confine},
    cpu::{self, Features},
    el1::El1State,
    fp, gic,
    guest::GuestRegs,
    layout,
    once::Once,
    read_sysreg,
    stage1::{Kind, Pool, Stage1, Stage1Builder, Stage1Error, Store},
    stage2::{Attr, Stage2, TablePool, TableStore, Tlbi},
    timer::{self, GenericTimer},
    uart::CONSOLE,
    write_sysreg,
};
use proxy_el2::{forward::Upstream, manifest::VmManifest, vm::Vm};

/// The VM's package stands this far behind the image's start, in the file that BL2 loads.
const PACKAGE_OFFSET: usize = 0x20_0000;

const STAGE1_TABLES: usize = 32;
const STAGE2_TABLES: usize = 16;
// SAFETY: Nothing is placed there but tables, which are cleared when they are taken.
#[unsafe(link_section = ".noinit")]
static STAGE1_STORE: Store<STAGE1_TABLES> = Store::new();
static STAGE1: Pool<STAGE1_TABLES> = Pool::new(&STAGE1_STORE);
// SAFETY: As above.
#[unsafe(link_section = ".noinit")]
static STAGE2_STORE: TableStore<STAGE2_TABLES> = TableStore::new();
static STAGE2: TablePool<STAGE2_TABLES> = TablePool::new(&STAGE2_STORE);
static MAP: Once<Option<Stage1>> = Once::new(None);

/// Stops the proxy before its VM has started. The reason goes out as plain text.
fn stop(reason: &impl Display) -> ! {
    let _ = writeln!(CONSOLE.raw(), "proxy stopped: {reason}");
    cpu::park()
}

/// The boot on the primary core, up to a VM that can be entered.
pub fn primary() -> Guest {
    let started = timer::now_us();
    let mpidr = read_sysreg!("mpidr_el1");
    cpu::set_index(BOARD.linear_index(mpidr).unwrap_or_default());
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
    let interrupts = unsafe {
        gic::init_normal_distributor(&BOARD.gic).and_then(|()| gic::init_normal_core(&BOARD.gic))
    };
    if let Err(error) = interrupts {
        defmt::warn!("no interrupts: {}", defmt::Debug2Format(&error));
    }
    // The port looks at it before each call, and its first value is anybody's guess.
    super::interrupts::forget_pending();
    let mut port = Port {
        interrupts: None,
        windows: Windows::new(map),
    };
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
    let manifest = load(map);
    let stage2 = own_stage2(&manifest);
    take_machine(&stage2);
    port.interrupts = Some(Interrupts::start(manifest.id.0, manifest.housekeeping_us));
    info!(
        "VM {=u16} {=str}: {=u64:#x}..{=u64:#x}, entry {=u64:#x}; started after {=u64} us",
        manifest.id.0,
        manifest.description.as_str(),
        manifest.memory.start,
        manifest.memory.end,
        manifest.entrypoint,
        timer::now_us().wrapping_sub(started),
    );
    Guest {
        vm: Vm::new(manifest.id, cpu::affinity(), manifest.memory, manifest.mode),
        port,
        upstream,
        regs: GuestRegs::at(manifest.entrypoint),
        _stage2: stage2,
    }
}

/// Maps the image, the UART, the GIC and the VM's package, and switches the MMU on.
fn own_map() -> &'static Stage1 {
    let Some(place) = MAP.take() else { cpu::park() };
    let build = || {
        let devices = [
            BOARD.uart_normal.region,
            BOARD.gic.distributor,
            BOARD.gic.redistributors,
        ];
        let mut builder = Stage1Builder::for_image(&STAGE1, BOARD.max_cpus, &devices)?;
        builder.map(package_range(), Kind::RoData)?;
        Ok::<_, Stage1Error>(builder)
    };
    match build() {
        // SAFETY: E2H was set at the entry; the map holds all of the image, and nothing else runs.
        Ok(builder) => place.insert(unsafe { builder.activate() }),
        Err(_) => cpu::park(),
    }
}

/// Where the VM's package may be: behind the image, to the end of what the board sets aside.
fn package_range() -> core::ops::Range<usize> {
    let start = layout::image_start() + PACKAGE_OFFSET;
    start..(BOARD.normal_image.end() as usize).max(start + 0x1000)
}

/// Reads the VM's package, checks its memory and copies its image there.
fn load(map: &'static Stage1) -> VmManifest {
    let range = package_range();
    // SAFETY: `own_map` mapped the range read-only; BL2 wrote it before, and nobody does now.
    let memory = unsafe { core::slice::from_raw_parts(range.start as *const u8, range.len()) };
    let package = match Package::parse(memory) {
        Ok(package) => package,
        Err(error) => {
            let mut text: String<200> = String::new();
            let _ = write!(text, "package of the VM at {:#x}: {error}", range.start);
            stop(&text)
        }
    };
    let blob = memory.get(package.manifest).unwrap_or_default();
    let image = memory.get(package.image).unwrap_or_default();
    let manifest = match VmManifest::parse(blob) {
        Ok(manifest) => manifest,
        Err(error) => stop(&error),
    };
    let region = manifest.memory.clone();
    let size = region.end - region.start;
    let own = Region::new(region.start, size);
    if !BOARD.is_normal_ram(region.start, size)
        || own.overlaps(&BOARD.normal_image)
        || own.overlaps(&BOARD.normal_device_tree)
    {
        let mut text: String<200> = String::new();
        let _ = write!(
            text,
            "VM manifest: memory {:#x}..{:#x}: wanted normal-world RAM that is neither the proxy's nor the device tree's",
            region.start, region.end
        );
        stop(&text);
    }
    if image.len() as u64 > size {
        let mut text: String<200> = String::new();
        let _ = write!(
            text,
            "package of the VM: image of {:#x} bytes, wanted at most its memory of {size:#x}",
            image.len()
        );
        stop(&text);
    }
    let target = region.start as usize..region.end as usize;
    // SAFETY: The region is RAM that is neither the image's nor anybody else's.
    if unsafe { map.map(target.clone(), Kind::Data) }.is_err() {
        stop(&"no tables left for the VM's memory");
    }
    {
        // SAFETY: Just mapped; the VM does not run yet.
        let memory =
            unsafe { core::slice::from_raw_parts_mut(target.start as *mut u8, target.len()) };
        let (head, tail) = memory.split_at_mut(image.len());
        head.copy_from_slice(image);
        tail.fill(0);
        // The VM starts with its MMU off: what was written must be in memory.
        cache::clean(memory);
    }
    // SAFETY: Nothing uses the mapping any more; the memory is the VM's from here on.
    if unsafe { map.unmap(target) }.is_err() {
        stop(&"the VM's memory could not be unmapped");
    }
    manifest
}

/// The VM's stage 2: its memory and nothing else.
fn own_stage2(manifest: &VmManifest) -> Stage2<'static> {
    let build = || {
        let mut stage2 = Stage2::new(&STAGE2, 1)?;
        let flush = Tlbi::normal(stage2.vttbr());
        let memory = &manifest.memory;
        stage2.map(
            memory.start,
            memory.start,
            memory.end - memory.start,
            Attr::RWX,
            &flush,
        )?;
        Ok::<_, platform::stage2::Stage2Error>(stage2)
    };
    match build() {
        Ok(stage2) => stage2,
        Err(_) => stop(&"no tables left for the VM's stage 2"),
    }
}

/// Sets the EL2 registers that confine the VM, and its EL1 registers to those it starts with.
fn take_machine(stage2: &Stage2<'_>) {
    let features = Features::read();
    // SAFETY: Nothing runs at EL1 yet, E2H was set at the entry, and nobody needs the earlier EL1
    // registers. The only VM owns everything that is not switched.
    unsafe {
        confine(
            &features,
            Confinement {
                secure: false,
                owner: true,
            },
        );
        write_sysreg!("vttbr_el2", stage2.vttbr());
        El1State::START.load();
    }
    // The VM owns the vector registers: nothing else at this level uses any.
    fp::open_all();
    platform::sysreg::isb();
    platform::guest::tlbi_current_vmid();
}
