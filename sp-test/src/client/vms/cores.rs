//! This VM's other vCPUs: each is switched on for one piece of work, says what came of it through shared memory, and
//! switches itself off.

use super::{Env, Verdict};
use crate::client::report::{Failure, equal};
use crate::rt::{cores, gic};
use core::cell::UnsafeCell;

/// vCPUs of this VM.
pub const VCPUS: u64 = 4;
/// Seconds until a vCPU counts as lost.
const PATIENCE: u64 = 30;

type Work = fn(&mut Env) -> Verdict;

/// What a vCPU works on, and what came of it.
struct Seat {
    order: UnsafeCell<Option<(Env, Work)>>,
    verdict: UnsafeCell<Option<Verdict>>,
}

// SAFETY: vCPU 0 writes before it switches another on, and reads after that one is done.
unsafe impl Sync for Seat {}

static SEATS: [Seat; cores::VCPUS] = [const {
    Seat {
        order: UnsafeCell::new(None),
        verdict: UnsafeCell::new(None),
    }
}; cores::VCPUS];

fn seat(core: u64) -> Option<&'static Seat> {
    SEATS.get(usize::try_from(core).ok()?)
}

fn work(core: u64) {
    gic::open();
    let Some(seat) = seat(core) else { return };
    // SAFETY: vCPU 0 has written it, and waits.
    let order = unsafe { (*seat.order.get()).take() };
    if let Some((mut env, work)) = order {
        let verdict = work(&mut env);
        // SAFETY: as above.
        unsafe {
            *seat.verdict.get() = Some(verdict);
        }
    }
}

/// Switches vCPU `core` on for this work.
pub fn begin(core: u64, env: &Env, order: Work) -> Result<(), Failure> {
    let Some(seat) = seat(core) else {
        return equal("vCPU", core, 0);
    };
    // SAFETY: that vCPU is off.
    unsafe {
        *seat.order.get() = Some((*env, order));
        *seat.verdict.get() = None;
    }
    equal("CPU_ON", cores::start(core, work, core) as u64, 0)
}

/// Whether vCPU `core` has done its work.
pub fn is_done(core: u64) -> bool {
    cores::done(core)
}

/// Waits until vCPU `core` has done its work and is off.
pub fn finish(core: u64) -> Verdict {
    let done = cores::patiently(PATIENCE, || cores::done(core));
    equal("a vCPU came to the end of its work", done.into(), 1)?;
    let off = cores::patiently(PATIENCE, || cores::affinity_info(core) == 1);
    equal("a vCPU is off", off.into(), 1)?;
    // SAFETY: it is off.
    let verdict = seat(core).and_then(|seat| unsafe { (*seat.verdict.get()).take() });
    verdict.unwrap_or(Err(Failure::Value {
        what: "verdicts of a vCPU",
        got: 0,
        want: 1,
    }))
}

/// Has vCPU `core` do this work.
pub fn on(core: u64, env: &Env, order: Work) -> Verdict {
    begin(core, env, order)?;
    finish(core)
}
