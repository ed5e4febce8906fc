//! The VMs: their packages, their memory, their stage 2, their vCPUs.

use super::{
    BOARD,
    boot::{Core, stop},
    interrupts::Times,
    vcpu::Guest,
    vms,
};
use core::{fmt::Write, ops::Range};
use defmt::info;
use ffa_abi::{
    messaging::Messaging,
    package::{Package, PackageError},
};
use heapless::{String, Vec};
use platform::{
    board::Region,
    cache,
    once::{Arena, Cells},
    stage1::{Kind, Stage1},
    stage2::{Attr, Stage2, Stage2Error, TablePool, TableStore, Tlbi},
    timer,
};
use proxy_el2::{
    MAX_VCPUS, MAX_VMS,
    manifest::VmManifest,
    vcpu::{Vcpu, VcpuId, VmIndex},
    vm::VmInfo,
};

const PAGE: usize = 4096;
/// Tables of all VMs' stage 2.
const STAGE2_TABLES: usize = 64;
// SAFETY: Nothing is placed there but tables, which are cleared when they are taken.
#[unsafe(link_section = ".noinit")]
static STAGE2_STORE: TableStore<STAGE2_TABLES> = TableStore::new();
static STAGE2: TablePool<STAGE2_TABLES> = TablePool::new(&STAGE2_STORE);

/// All vCPUs.
const VCPUS: usize = MAX_VMS * MAX_VCPUS;
// SAFETY: A place is written before it is read.
#[unsafe(link_section = ".noinit")]
static VCPU_CELLS: Cells<Vcpu<Guest>, VCPUS> = Cells::new();
static VCPU_ARENA: Arena<Vcpu<Guest>, VCPUS> = Arena::new(&VCPU_CELLS);

/// A package, read.
struct Loaded<'m> {
    manifest: VmManifest,
    image: &'m [u8],
}

/// Reads all packages in `range`, checks what they ask for, and adds their VMs to the core. Stops if anything is
/// wrong.
pub fn all(map: &'static Stage1, range: Range<usize>, core: &mut Core, started: u64) -> Times {
    // SAFETY: The image's map has the range read-only; BL2 wrote it before, and nobody does now.
    let memory = unsafe { core::slice::from_raw_parts(range.start as *const u8, range.len()) };
    let mut loaded: Vec<Loaded<'_>, MAX_VMS> = Vec::new();
    let mut offset = 0;
    while let Some(next) = package(memory, range.start, &mut offset) {
        if loaded.push(next).is_err() {
            stop(&"more than 8 packages of VMs");
        }
    }
    for vm in &loaded {
        check(vm);
    }
    let mut times = Times {
        housekeeping_us: None,
        time_slice_us: 10_000,
    };
    for vm in &loaded {
        let manifest = &vm.manifest;
        let info = info_of(manifest);
        if info.primary {
            times.housekeeping_us = manifest.housekeeping_us;
        }
        copy(map, vm);
        add(core, manifest, info);
        info!(
            "VM {=u16} {=str}: {=u64:#x}..{=u64:#x}, entry {=u64:#x}; started after {=u64} us",
            manifest.id.0,
            manifest.description.as_str(),
            manifest.memory.start,
            manifest.memory.end,
            manifest.entrypoint,
            timer::now_us().wrapping_sub(started),
        );
        ENTRIES.lock().push(manifest.entrypoint).ok();
    }
    times
}
