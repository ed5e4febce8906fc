//! Interrupts that are taken: counted for each vCPU, by INTID and in their order. The timer goes on by itself if it was
//! told to.

use super::{gic, regs};
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// vCPUs of a VM.
const VCPUS: usize = 8;
/// SGIs and PPIs.
const IDS: usize = 32;
/// How many of the first are known in their order.
pub const LOG: usize = 64;

/// What one vCPU has taken. It alone writes here.
struct Taken {
    counts: [AtomicU64; IDS],
    /// IAR said that there was nothing.
    nothing: AtomicU64,
    /// SPIs, or nonsense.
    others: AtomicU64,
    log: [AtomicU64; LOG],
    logged: AtomicU64,
    /// Ticks from one interrupt of the timer to the next, 0 if it shall stop.
    period: AtomicU64,
}

static TAKEN: [Taken; VCPUS] = [const {
    Taken {
        counts: [const { AtomicU64::new(0) }; IDS],
        nothing: AtomicU64::new(0),
        others: AtomicU64::new(0),
        log: [const { AtomicU64::new(0) }; LOG],
        logged: AtomicU64::new(0),
        period: AtomicU64::new(0),
    }
}; VCPUS];

fn own() -> &'static Taken {
    of(gic::vcpu())
}

fn of(vcpu: u64) -> &'static Taken {
    TAKEN.get(vcpu as usize).unwrap_or(&TAKEN[0])
}

/// Plain loads and stores: with the MMU off there is nothing else.
fn add(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

/// Called by the vectors: takes one interrupt.
pub(super) fn take() {
    poll();
}

/// Takes an interrupt if there is one, whether they are masked or not; gives its INTID.
pub fn poll() -> Option<u32> {
    let taken = own();
    let id = gic::acknowledge();
    if id >= gic::SPECIAL {
        add(&taken.nothing);
        return None;
    }
    if id == gic::VIRTUAL_TIMER {
        // Before its end: the line is level-sensitive.
        match taken.period.load(Relaxed) {
            0 => gic::disarm(),
            period => gic::arm(period),
        }
    }
    match taken.counts.get(id as usize) {
        Some(count) => add(count),
        None => add(&taken.others),
    }
    let logged = taken.logged.load(Relaxed);
    if let Some(slot) = taken.log.get(logged as usize) {
        slot.store(id.into(), Relaxed);
        taken.logged.store(logged + 1, Relaxed);
    }
    gic::end(id);
    Some(id)
}

/// Takes all that there are. That there is nothing more, in the end, is nothing strange.
pub fn drain() {
    while poll().is_some() {}
    let nothing = &own().nothing;
    nothing.store(nothing.load(Relaxed).wrapping_sub(1), Relaxed);
}

/// How often vCPU `vcpu` took interrupt `id` since [`forget`].
pub fn count_of(vcpu: u64, id: u32) -> u64 {
    let taken = of(vcpu);
    taken
        .counts
        .get(id as usize)
        .unwrap_or(&taken.others)
        .load(Relaxed)
}

/// The same for this vCPU.
pub fn count(id: u32) -> u64 {
    count_of(gic::vcpu(), id)
}

/// How often this vCPU was interrupted and found nothing, and by what it has no count for.
pub fn strange() -> [u64; 2] {
    let taken = own();
    [taken.nothing.load(Relaxed), taken.others.load(Relaxed)]
}

/// The `n`th interrupt that this vCPU took since [`forget`].
pub fn logged(n: usize) -> Option<u64> {
    let taken = own();
    let slot = taken.log.get(n)?;
    (taken.logged.load(Relaxed) > n as u64).then(|| slot.load(Relaxed))
}

/// Forgets what this vCPU took.
pub fn forget() {
    let taken = own();
    for counter in taken
        .counts
        .iter()
        .chain([&taken.nothing, &taken.others, &taken.logged])
    {
        counter.store(0, Relaxed);
    }
}

/// Has the timer fire every `ticks`; 0 stops it.
pub fn every(ticks: u64) {
    own().period.store(ticks, Relaxed);
    match ticks {
        0 => gic::disarm(),
        _ => gic::arm(ticks),
    }
}

/// Lets this vCPU be interrupted.
pub fn unmask() {
    // SAFETY: the vectors take what comes.
    unsafe {
        asm!("msr daifclr, #2", "isb", options(nostack, preserves_flags));
    }
}

/// Ends that.
pub fn mask() {
    // SAFETY: nothing is lost by it.
    unsafe {
        asm!("msr daifset, #2", "isb", options(nostack, preserves_flags));
    }
}

/// Waits until `done` says so, for `ticks` at most. Says whether it did.
///
/// Who waits may lose the core for longer than that: it asks once more after the time is over.
pub fn wait_until(ticks: u64, mut done: impl FnMut() -> bool) -> bool {
    let start = regs::cntvct();
    loop {
        let over = regs::cntvct().wrapping_sub(start) > ticks;
        if done() {
            return true;
        }
        if over {
            return false;
        }
        core::hint::spin_loop();
    }
}
