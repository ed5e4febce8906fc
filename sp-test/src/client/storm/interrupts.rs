//! What interrupts whom: each core's own timer, the other cores, and devices of partitions; and taking what is the normal
//! world's.

use super::station::{self, Count, State};
use super::talk::Talker;
use super::{Check, PATIENCE, page, ticks};
use crate::client::interrupts::gic;
use crate::client::report::{Failure, equal};
use crate::interrupts::{SCHEDULE_RECEIVER, SIGNALLED, SINGLE};
use crate::rt::{cores, regs};
use crate::storm::page::Count as Seen;
use core::sync::atomic::{AtomicU64, Ordering};

/// Interrupts of the normal world that can be pending at once, and more.
const PENDING: u32 = 64;

/// Whose turn it is to raise the line of a partition's device.
static TURN: AtomicU64 = AtomicU64::new(0);
/// How often it was raised.
static RAISED: AtomicU64 = AtomicU64::new(0);
/// When, the last time.
static SINCE: AtomicU64 = AtomicU64::new(0);
/// A partition has asked for cycles, so many times by all cores, of which the boot core knows so many.
static ASKED: [AtomicU64; cores::VCPUS] = [const { AtomicU64::new(0) }; cores::VCPUS];

/// How often the device's line was raised.
pub fn raised() -> u64 {
    RAISED.load(Ordering::Acquire)
}

/// How often partitions have asked for cycles.
pub fn asked() -> u64 {
    ASKED
        .iter()
        .map(|asked| asked.load(Ordering::Acquire))
        .sum()
}

/// Its turn is not this core's any more, which goes off.
pub fn leave(core: u64) {
    if TURN.load(Ordering::Acquire) == core {
        TURN.store(0, Ordering::Release);
    }
}

impl Talker {
    /// Sees to it that somebody is interrupted soon.
    pub(super) fn interrupt(&mut self) -> Check {
        let choice = self.random.next();
        if choice & 3 == 0 {
            gic::arm(ticks(10 + self.random.next() % 700));
        }
        if choice >> 2 & 7 == 0 {
            let to = self.random.next() % cores::VCPUS as u64;
            if station::of(to).is(State::Talks) {
                gic::send(to);
            }
        }
        if choice >> 5 & 15 == 0 {
            self.raise_pmu()?;
        }
        if TURN.load(Ordering::Acquire) == self.core {
            self.raise_device(choice >> 9)?;
        }
        Ok(())
    }

    /// This core's own interrupt of a partition: it comes at once, since nothing is masked here.
    fn raise_pmu(&mut self) -> Check {
        let page = page(SIGNALLED, self.core);
        gic::pmu::lower();
        self.station.add(Count::Pmu);
        gic::pmu::raise();
        let want = self.station.count(Count::Pmu);
        cores::patiently(PATIENCE, || page.count(Seen::Pmu) >= want);
        equal("interrupts of the PMU", page.count(Seen::Pmu), want)
    }

    /// The line of a partition that is anywhere: it is raised when the last time was seen.
    fn raise_device(&mut self, choice: u64) -> Check {
        let (seen, raised) = (page(SINGLE, 0).count(Seen::Device), raised());
        if seen != raised {
            equal("interrupts of the device, at most", seen.min(raised), seen)?;
            let waits = regs::cntvct().wrapping_sub(SINCE.load(Ordering::Acquire));
            if waits > PATIENCE * regs::cntfrq() {
                equal("interrupts of the device", seen, raised)?;
            }
            return Ok(());
        }
        match choice & 7 {
            0..=3 => {
                SINCE.store(regs::cntvct(), Ordering::Release);
                RAISED.store(raised + 1, Ordering::Release);
                self.station.add(Count::Device);
                gic::SHARED.raise();
            }
            4 => {
                let next = self.random.next() % cores::VCPUS as u64;
                // One that is off gets it when it is on; nobody else has it meanwhile.
                TURN.store(next, Ordering::Release);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes all interrupts of the normal world that are pending here. Gives how many.
    pub(super) fn take(&mut self) -> Result<u32, Failure> {
        for number in 0..PENDING {
            match gic::take() {
                None => return Ok(number),
                Some(gic::TIMER) => self.station.add(Count::Timers),
                Some(gic::SGI) => self.station.add(Count::Sgis),
                Some(SCHEDULE_RECEIVER) => {
                    self.station.add(Count::Sris);
                    if let Some(asked) = ASKED.get(self.core as usize) {
                        asked.store(asked.load(Ordering::Relaxed) + 1, Ordering::Release);
                    }
                }
                Some(id) => equal("an interrupt that is nobody's", id.into(), 0)?,
            }
        }
        equal("interrupts at once", PENDING.into(), 0)?;
        Ok(PENDING)
    }

    /// Takes what a partition was preempted for: there is something. A more urgent interrupt, which is the secure
    /// world's, may hide it for a moment.
    pub(super) fn take_what_preempted(&mut self) -> Check {
        let start = regs::cntvct();
        while self.take()? == 0 {
            let waits = regs::cntvct().wrapping_sub(start) > regs::cntfrq();
            equal("preempted for nothing", waits.into(), 0)?;
        }
        Ok(())
    }
}
