//! The VMs: their packages, their memory, their stage 2, their vCPUs.

use super::{
    BOARD,
    boot::{Core, stop},
    interrupts::Receiver,
    interrupts::Times,
    vcpu::Guest,
    vms,
};
use core::{fmt::Write, ops::Range};
use defmt::{error, info};
use ffa_abi::package::{Package, PackageError};
use heapless::{String, Vec};
use platform::{
    board::{Region, World},
    cache, cpu, gic,
    once::{Arena, Cells, Once},
    stage1::{Kind, Stage1},
    stage2::{Attr, Common, Quota, Stage2, Stage2Error, TablePool, TableStore, Tlbi},
    timer,
};
use proxy_el2::{
    MAX_VCPUS, MAX_VMS,
    manifest::{DEFAULT_TIME_SLICE_US, VmManifest, set},
    vcpu::{Vcpu, VcpuId, VmIndex},
};

const PAGE: usize = 4096;
/// What stands behind the last package, where another's magic would.
const ZEROS: [u8; 4] = [0; 4];
/// Tables of all VMs' stage 2.
const STAGE2_TABLES: usize = 96;
/// What each VM is guaranteed beside those that it starts with: some blocks are cut.
const GUARANTEED: usize = 4;
// SAFETY: Nothing is placed there but tables, which are cleared when they are taken.
#[unsafe(link_section = ".noinit")]
static STAGE2_STORE: TableStore<STAGE2_TABLES> = TableStore::new();
static STAGE2: TablePool<STAGE2_TABLES> = TablePool::new(&STAGE2_STORE);
static STAGE2_COMMON: Common = Common::new(STAGE2_TABLES);
/// Each VM's part of them.
static QUOTAS: [Quota<'static, TablePool<STAGE2_TABLES>>; MAX_VMS] =
    [const { Quota::new(&STAGE2, &STAGE2_COMMON) }; MAX_VMS];

/// All vCPUs.
const VCPUS: usize = MAX_VMS * MAX_VCPUS;
// SAFETY: A place is written before it is read.
#[unsafe(link_section = ".noinit")]
static VCPU_CELLS: Cells<Vcpu<Guest>, VCPUS> = Cells::new();
static VCPU_ARENA: Arena<Vcpu<Guest>, VCPUS> = Arena::new(&VCPU_CELLS);

/// The manifests, which are large for a stack.
static MANIFESTS: Once<Vec<VmManifest, MAX_VMS>> = Once::new(Vec::new());

/// Images of the VMs, in the order of their manifests.
type Images = Vec<&'static [u8], MAX_VMS>;

/// Reads all packages in `range`, checks what they ask for, and gives each VM its memory and its place in the core.
/// Stops if anything is wrong. `started` is when the proxy was, in microseconds.
pub fn all(map: &'static Stage1, range: Range<usize>, core: &mut Core, started: u64) -> Times {
    // SAFETY: The image's map has the range read-only; BL2 wrote it before, and nobody does now.
    let memory = unsafe { core::slice::from_raw_parts(range.start as *const u8, range.len()) };
    let Some(manifests) = MANIFESTS.take() else {
        cpu::park()
    };
    let mut images = Images::new();
    read(memory, range.start, manifests, &mut images);
    let cores = u16::try_from(BOARD.max_cpus).unwrap_or(u16::MAX);
    if let Err(error) = set::check(manifests, cores, is_free_ram, is_free_device) {
        stop(&error);
    }
    let mut times = Times {
        housekeeping_us: None,
        time_slice_us: DEFAULT_TIME_SLICE_US,
    };
    for (manifest, image) in manifests.iter().zip(images) {
        if manifest.primary {
            times.housekeeping_us = manifest.housekeeping_us;
            times.time_slice_us = manifest.time_slice_us;
        }
        copy(map, manifest, image);
        add(core, manifest);
        info!(
            "VM {=u16} {=str}: {=u64:#x}..{=u64:#x}, entry {=u64:#x}, {=u8} vCPUs; started after {=u64} us",
            manifest.id.0,
            manifest.name.as_str(),
            manifest.memory.start,
            manifest.memory.end,
            manifest.entrypoint,
            manifest.vcpus,
            timer::now_us().wrapping_sub(started),
        );
    }
    share_tables();
    times
}

/// Guarantees the VMs their tables. What is left is had by who needs more, but by nobody more than half of it.
fn share_tables() {
    for quota in QUOTAS.iter().filter(|quota| quota.taken() != 0) {
        let wanted = quota.taken().saturating_add(GUARANTEED);
        if !quota.guarantee(wanted) {
            stop(&"too few tables for the VMs' stage 2");
        }
    }
    STAGE2_COMMON.limit(STAGE2_COMMON.left() / 2);
}

/// Reads the packages, each at a page, one behind the other, until there are zeros. A damaged package
/// must not pass for the end, or its VM is missing without a word.
fn read(
    memory: &'static [u8],
    base: usize,
    manifests: &mut Vec<VmManifest, MAX_VMS>,
    images: &mut Images,
) {
    let mut offset = 0;
    loop {
        let rest = memory.get(offset..).unwrap_or_default();
        let package = match Package::parse(rest) {
            Ok(package) => package,
            Err(PackageError::Magic { found: ZEROS } | PackageError::Short { .. })
                if offset != 0 =>
            {
                return;
            }
            Err(error) => {
                let mut text: String<200> = String::new();
                let at = base.wrapping_add(offset);
                let _ = write!(text, "package of a VM at {at:#x}: {error}");
                stop(&text)
            }
        };
        let blob = rest.get(package.manifest.clone()).unwrap_or_default();
        let image = rest.get(package.image.clone()).unwrap_or_default();
        let manifest = match VmManifest::parse(blob) {
            Ok(manifest) => manifest,
            Err(error) => stop(&error),
        };
        if manifests.push(manifest).is_err() || images.push(image).is_err() {
            stop(&"more than 8 packages of VMs");
        }
        let end = package.manifest.end.max(package.image.end);
        // Packages are not empty, so this ends.
        offset = offset.saturating_add(end).next_multiple_of(PAGE);
    }
}

/// Whether a VM may have this memory.
fn is_free_ram(base: u64, size: u64) -> bool {
    let own = Region::new(base, size);
    BOARD.is_normal_ram(base, size)
        && !own.overlaps(&BOARD.normal_image)
        && !own.overlaps(&BOARD.normal_device_tree)
}

/// Whether a VM may have this device.
fn is_free_device(base: u64, size: u64) -> bool {
    BOARD.devices.iter().any(|device| {
        device.world != World::Secure && !device.dma && device.region.contains(base, size)
    })
}

/// Copies a VM's image into its memory; the rest of it is zero.
fn copy(map: &'static Stage1, manifest: &VmManifest, image: &[u8]) {
    let memory = &manifest.memory;
    let size = memory.end.saturating_sub(memory.start);
    if image.len() as u64 > size {
        let mut text: String<200> = String::new();
        let _ = write!(
            text,
            "package of VM {}: image of {:#x} bytes, wanted at most its memory of {size:#x}",
            manifest.id.0,
            image.len()
        );
        stop(&text);
    }
    let target = memory.start as usize..memory.end as usize;
    // SAFETY: The region is RAM that is neither the image's nor anybody else's (`set::check`).
    if unsafe { map.map(target.clone(), Kind::Data) }.is_err() {
        stop(&"no tables left for a VM's memory");
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
        stop(&"a VM's memory could not be unmapped");
    }
}

/// Gives a VM its stage 2 and its interrupts, and the core what it has to know of it.
fn add(core: &mut Core, manifest: &VmManifest) {
    let Some(index) = core.add(manifest.info()) else {
        stop(&"a VM's manifest is none that the core takes");
    };
    let Ok(stage2) = own_stage2(index, manifest) else {
        stop(&"no tables left for a VM's stage 2");
    };
    let Some(vm) = vms::add(index, manifest, stage2) else {
        stop(&"no room for a VM");
    };
    for interrupt in manifest
        .devices
        .iter()
        .flat_map(|device| &device.interrupts)
    {
        vms::give_spi(index, interrupt.intid);
        // SAFETY: The GIC is mapped, this is NS-EL2, and only this core runs.
        let enabled = unsafe {
            let level = interrupt.level;
            gic::enable_spi(&BOARD.gic, interrupt.intid, level, cpu::affinity())
        };
        if let Err(problem) = enabled {
            error!(
                "interrupt {=u32} of VM {=u16} stays silent: {}",
                interrupt.intid,
                vm.id,
                defmt::Debug2Format(&problem)
            );
        }
    }
}

/// A VM's stage 2: its memory, its devices and nothing else.
fn own_stage2(index: VmIndex, manifest: &VmManifest) -> Result<Stage2<'static>, Stage2Error> {
    // VMID 0 is nobody's.
    let vmid = u16::from(index.0).saturating_add(1);
    let quota = QUOTAS.get(usize::from(index.0));
    let quota = quota.ok_or(Stage2Error::OutOfTables)?;
    let mut stage2 = Stage2::new(quota, vmid)?;
    let flush = Tlbi::normal(stage2.vttbr());
    let mut map = |range: &Range<u64>, attributes| {
        let size = range.end.saturating_sub(range.start);
        stage2.map(range.start, range.start, size, attributes, &flush)
    };
    map(&manifest.memory, Attr::RWX)?;
    for device in &manifest.devices {
        let write = device.write;
        map(
            &device.registers,
            Attr {
                write,
                ..Attr::DEVICE
            },
        )?;
    }
    Ok(stage2)
}

/// Makes the vCPUs of all VMs and parks them in the core.
pub fn adopt_vcpus(core: &'static Core) {
    for vm in indices(core) {
        let (Some(info), Some(own)) = (core.info(vm), vms::get(vm)) else {
            continue;
        };
        for vcpu in 0..info.vcpus {
            let id = VcpuId { vm, vcpu };
            let vcpu = VCPU_ARENA.add(Vcpu::new(Guest::new(own, vcpu, own.entry), id));
            if vcpu.is_none_or(|vcpu| core.adopt(vcpu).is_err()) {
                stop(&"no room for a vCPU");
            }
        }
    }
}

/// The primary, and its vCPU of a core.
pub fn primary_on(core: &Core, index: u16) -> Option<Receiver> {
    let place = indices(core).find(|vm| core.info(*vm).is_some_and(|info| info.primary))?;
    let vcpu = core.info(place)?.vcpu_on(index)?;
    Some(Receiver {
        vm: vms::get(place)?,
        vcpu,
    })
}

/// The places of all VMs.
pub fn indices(core: &Core) -> impl Iterator<Item = VmIndex> {
    (0..MAX_VMS as u8)
        .map(VmIndex)
        .take_while(|vm| core.info(*vm).is_some())
}
