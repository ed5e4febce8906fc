//! What the client is told by interrupts: that it is to give others cycles, and, a VM, that it has notifications. They
//! stay masked and are polled for; a partition that they interrupt goes on.

use super::interrupts::gic as physical;
use crate::interrupts::{NOTIFICATION_OF_VM, SCHEDULE_RECEIVER};
use crate::rt::gic;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

static OPEN: AtomicBool = AtomicBool::new(false);
/// Of the scheduler; of notifications; any others; partitions that were interrupted.
static COUNTS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// What has come since the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The schedule receiver interrupt.
    pub schedule: u64,
    /// The notification pending interrupt.
    pub notifications: u64,
    /// Another interrupt.
    pub others: u64,
    /// How often somebody did not finish what it was asked for since something came.
    pub interrupted: u64,
}

/// From now on interrupts are taken.
pub fn open(direct: bool) {
    match direct {
        true => physical::open(0),
        false => gic::open(),
    }
    OPEN.store(true, Relaxed);
    take();
}

fn count(n: usize) {
    let slot = &COUNTS[n];
    slot.store(slot.load(Relaxed).wrapping_add(1), Relaxed);
}

/// Takes all that is pending.
fn collect() {
    if !OPEN.load(Relaxed) {
        return;
    }
    loop {
        let id = gic::acknowledge();
        if id >= gic::SPECIAL {
            return;
        }
        match id {
            SCHEDULE_RECEIVER => count(0),
            NOTIFICATION_OF_VM => count(1),
            _ => count(2),
        }
        gic::end(id);
    }
}

/// A partition or VM was interrupted.
pub fn interrupted() {
    if OPEN.load(Relaxed) {
        count(3);
        collect();
    }
}

/// What has come since the last time.
pub fn take() -> Told {
    collect();
    let [schedule, notifications, others, interrupted] =
        [0, 1, 2, 3].map(|n: usize| COUNTS[n].swap(0, Relaxed));
    Told {
        schedule,
        notifications,
        others,
        interrupted,
    }
}
