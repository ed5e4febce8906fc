//! What belongs to one core, and cores that come after the first, once or again and again.

use super::{
    BOARD,
    boot::{self, Core, PeState},
    cpu::Cpu,
    estate, interrupts,
    port::Port,
    vcpu::Vcpu,
};
use defmt::{error, info, warn};
use heapless::Vec;
use platform::{cpu, fp::VectorState, guest::GuestRegs, once::Once, read_sysreg};
use spin::mutex::SpinMutex;
use spmc::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{Context, Slot},
    spm::Next,
    state::State,
};

static VECTORS: [Once<VectorState>; MAX_CPUS] = [const { Once::new(VectorState::EMPTY) }; MAX_CPUS];
static PES: [Once<PeState>; MAX_CPUS] = [
    Once::new(PeState::new(0)),
    Once::new(PeState::new(1)),
    Once::new(PeState::new(2)),
    Once::new(PeState::new(3)),
    Once::new(PeState::new(4)),
    Once::new(PeState::new(5)),
    Once::new(PeState::new(6)),
    Once::new(PeState::new(7)),
];

/// A core's contexts of partitions that have several.
type Contexts = Vec<(Slot, &'static mut Context<Vcpu>), MAX_PARTITIONS>;
/// Those of cores that were not on yet.
static KEPT: [SpinMutex<Contexts>; MAX_CPUS] = [const { SpinMutex::new(Vec::new()) }; MAX_CPUS];

/// Keeps a partition's context for its core.
pub fn keep(core: usize, slot: Slot, context: &'static mut Context<Vcpu>) {
    if let Some(kept) = KEPT.get(core) {
        // There is room for one of each partition.
        let _ = kept.lock().push((slot, context));
    }
}

/// What belongs to the core that boots. `None` if it was taken.
pub fn first(index: usize) -> Option<(&'static mut PeState, &'static mut VectorState)> {
    Some((PES.get(index)?.take()?, VECTORS.get(index)?.take()?))
}

/// A core that the normal world switched on, for the first time or again.
pub fn secondary() -> (&'static Core, &'static mut PeState, Cpu) {
    let index = BOARD
        .linear_index(read_sysreg!("mpidr_el1"))
        .filter(|index| *index < MAX_CPUS);
    let (Some(index), Some(core)) = (index, boot::shared()) else {
        cpu::park()
    };
    cpu::set_index(index);
    let (Some(pe), Some(vectors)) = (PES.get(index), VECTORS.get(index)) else {
        cpu::park()
    };
    // SAFETY: Only this core uses its own; if it ran before, it was switched off since, and what
    // held them then can't come back.
    let (pe, vectors) = unsafe { (pe.retake(), vectors.retake()) };
    if let Some(kept) = KEPT.get(index) {
        for (slot, context) in core::mem::take(&mut *kept.lock()) {
            core.adopt(pe, slot, context);
        }
    }
    interrupts::bring_up_core();
    // What its TLB holds is from before it was off: it has heard of no change since.
    platform::guest::tlbi_all_guests();
    let mut cpu = Cpu::new(vectors);
    core.core_is_on(pe);
    core.kicked(pe, &mut Port);
    let mut started = 0u32;
    for slot in core.boot_order() {
        if begin_again(core, pe, *slot) && start(core, pe, &mut cpu, *slot) {
            started = started.saturating_add(1);
        }
    }
    info!("core {=usize} is on, with {=u32} contexts", index, started);
    (core, pe, cpu)
}

/// Makes this core's context of a partition what it is at a first entry. `false` if it has none that
/// is to start now.
fn begin_again(core: &Core, pe: &mut PeState, slot: Slot) -> bool {
    let several = core.info(slot).is_some_and(|info| !info.is_up());
    let index = pe.index;
    let alive = several && core.is_alive(slot);
    pe.with_context(slot, |context, held| {
        if !alive || !matches!(context.state(), State::Created | State::Off) {
            return false;
        }
        let registered = core.secondary_entry(slot);
        let Some(entry) = registered.or_else(|| estate::entry_point(slot, held)) else {
            return false;
        };
        let mut regs = GuestRegs::at(entry);
        regs.x[4] = index.into();
        context.machine.begin(regs);
        true
    })
    .unwrap_or(false)
}

/// A context's first run, until it waits or fails. `true` if it waits.
pub fn start(core: &'static Core, pe: &mut PeState, cpu: &mut Cpu, slot: Slot) -> bool {
    if !core.start(pe, slot) {
        return false;
    }
    let next = cpu.run_once(core, pe, slot);
    let id = core.info(slot).map_or(0, |info| info.id.0);
    let failed = core.is_dead(slot, pe.index);
    if failed {
        error!("partition {=u16:#x} failed to initialise", id);
    }
    if next != Next::Booted {
        warn!(
            "partition {=u16:#x} left its initialisation in an unexpected way",
            id
        );
    }
    !failed
}
