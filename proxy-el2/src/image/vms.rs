//! The machine's part of VMs: what all vCPUs of one share, whichever cores they are on.

use super::{
    BOARD,
    side::{NOBODY, Side},
};
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use defmt::warn;
use platform::{
    gic,
    gic::virt::{Interface, Shape},
    once::{Arena, Cells, Shared},
    stage2::Stage2,
};
use proxy_el2::{
    MAX_VCPUS, MAX_VMS,
    manifest::VmManifest,
    vcpu::{VcpuId, VmIndex},
    vgic::{Frame, REDISTRIBUTOR_SIZE, VGic},
};
use spin::mutex::SpinMutex;

/// The SGI with which one core has another look.
pub const KICK: u32 = 7;
/// How many lines a VM may cause by what it does wrong. A line takes milliseconds on a real UART, and all
/// cores share it.
const LINES: u32 = 64;
/// SPIs that a VM can have: 32 to 255.
const SPIS: usize = 256;

/// A VM.
pub struct Vm {
    /// Its id, for the log.
    pub id: u16,
    /// VTTBR_EL2.
    pub vttbr: u64,
    /// Whether the cores' time is its own.
    pub primary: bool,
    /// Its first instruction.
    pub entry: u64,
    /// Its interrupt controller.
    pub gic: SpinMutex<VGic>,
    /// How many vCPUs it has.
    pub vcpus: u8,
    /// What others may know of its vCPUs.
    sides: [Side; MAX_VCPUS],
    lines: AtomicU32,
    /// What it sees. The tables must live as long as it may run.
    pub stage2: SpinMutex<Stage2<'static>>,
}

impl Vm {
    fn new(index: VmIndex, manifest: &VmManifest, stage2: Stage2<'static>) -> Self {
        let vcpus = manifest.vcpus;
        let mut vgic = VGic::new(vcpus);
        for vcpu in 0..vcpus {
            wake(&mut vgic, vcpu);
        }
        // GICD_CTLR: EnableGrp1.
        let _ = vgic.access(0, Frame::Distributor, 0, 4, Some(1 << 1));
        Self {
            id: manifest.id.0,
            vttbr: stage2.vttbr(),
            primary: manifest.primary,
            entry: manifest.entrypoint,
            gic: SpinMutex::new(vgic),
            vcpus,
            sides: core::array::from_fn(|vcpu| {
                Side::new(VcpuId {
                    vm: index,
                    vcpu: vcpu as u8,
                })
            }),
            lines: AtomicU32::new(0),
            stage2: SpinMutex::new(stage2),
        }
    }

    /// What others may know of a vCPU.
    pub fn side(&self, vcpu: u8) -> &Side {
        const { assert!(MAX_VCPUS.is_power_of_two()) };
        &self.sides[usize::from(vcpu) & (MAX_VCPUS - 1)]
    }

    /// Whether a vCPU that is not live would take an interrupt now.
    pub fn deliverable(&self, vcpu: u8, shape: Shape) -> bool {
        let threshold = self.side(vcpu).interface().threshold(shape);
        self.gic.lock().deliverable(vcpu, threshold, true)
    }

    /// Has the vCPUs of a mask look at their interrupt controller: each by its core, or when it runs next. `own` is
    /// looked after by the caller.
    pub fn kick(&self, mask: u8, own: Option<u8>) {
        for vcpu in (0..self.vcpus).filter(|vcpu| mask & 1 << vcpu != 0) {
            // Before it is looked where the vCPU is: a core that it comes to meanwhile sees the one or the other.
            let side = self.side(vcpu);
            side.look();
            if Some(vcpu) == own {
                continue;
            }
            if let Some(core) = side.core() {
                kick(core);
            }
        }
    }

    /// A vCPU is switched on: its redistributor is as firmware leaves it.
    pub fn reset_vcpu(&self, vcpu: u8) {
        let mut vgic = self.gic.lock();
        vgic.reset_vcpu(vcpu);
        wake(&mut vgic, vcpu);
        drop(vgic);
        let side = self.side(vcpu);
        side.set_interface(&Interface::RESET);
        side.hold_timer(false);
    }

    /// Whether one more line about what it did wrong may be logged.
    pub fn may_log(&self) -> bool {
        let before = self
            .lines
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                (n <= LINES).then(|| n.saturating_add(1))
            });
        if before == Ok(LINES) {
            warn!("VM {=u16}: no more lines about what it does wrong", self.id);
        }
        before.is_ok_and(|n| n < LINES)
    }
}

/// What firmware leaves of a vCPU's redistributor: awake, and the virtual timer enabled at a middle priority.
fn wake(vgic: &mut VGic, vcpu: u8) {
    const GICR_WAKER: u64 = 0x14;
    const SGI_BASE: u64 = 0x1_0000;
    const GICR_ISENABLER0: u64 = SGI_BASE + 0x100;
    const GICR_IPRIORITYR: u64 = SGI_BASE + 0x400;
    const PRIORITY: u64 = 0xa0;
    let timer = BOARD.virtual_timer;
    let base = u64::from(vcpu).saturating_mul(REDISTRIBUTOR_SIZE);
    let mut write = |offset: u64, size, value| {
        let _ = vgic.access(
            vcpu,
            Frame::Redistributor,
            base.wrapping_add(offset),
            size,
            Some(value),
        );
    };
    write(GICR_WAKER, 4, 0);
    write(GICR_IPRIORITYR + u64::from(timer), 1, PRIORITY);
    write(GICR_ISENABLER0, 4, 1 << timer);
}

/// Has a core look ([`KICK`]); it may be this one.
pub fn kick(core: u16) {
    if let Some(affinity) = BOARD.affinity(core.into()) {
        gic::raise_sgi(KICK, affinity);
    }
}

static CELLS: Cells<Vm, MAX_VMS> = Cells::new();
static ARENA: Arena<Vm, MAX_VMS> = Arena::new(&CELLS);
static VMS: [Shared<Vm>; MAX_VMS] = [const { Shared::new() }; MAX_VMS];
/// Whose each SPI is: the VM's place, or [`NOBODY`].
static OWNERS: [AtomicU8; SPIS] = [const { AtomicU8::new(NOBODY) }; SPIS];

/// Adds a VM, before any runs. `None` if it can't be.
pub fn add(index: VmIndex, manifest: &VmManifest, stage2: Stage2<'static>) -> Option<&'static Vm> {
    let place = VMS.get(usize::from(index.0))?;
    let vm: &'static Vm = ARENA.add(Vm::new(index, manifest, stage2))?;
    place.set(vm);
    Some(vm)
}

/// The VM at a place.
pub fn get(index: VmIndex) -> Option<&'static Vm> {
    VMS.get(usize::from(index.0)).and_then(Shared::get)
}

/// All VMs.
pub fn all() -> impl Iterator<Item = &'static Vm> {
    VMS.iter().filter_map(Shared::get)
}

/// A device's interrupt is this VM's.
pub fn give_spi(index: VmIndex, intid: u32) {
    if let Some(owner) = OWNERS.get(intid as usize) {
        owner.store(index.0, Ordering::Relaxed);
    }
}

/// Whose a device's interrupt is.
pub fn owner_of(intid: u32) -> Option<&'static Vm> {
    let owner = OWNERS.get(intid as usize)?.load(Ordering::Relaxed);
    get(VmIndex(owner))
}

/// The VM of a vCPU.
pub fn of(id: VcpuId) -> Option<&'static Vm> {
    get(id.vm)
}
