//! What the cores know of one another: plain loads and stores, each word written by one side only.

use super::Plan;
use crate::client::report::Failure;
use crate::rt::cores::VCPUS;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

/// What a core is to do. The boot core says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Order {
    /// Talk.
    Talk = 0,
    /// Go off.
    Leave = 1,
    /// Talk no more, but stay.
    Rest = 2,
}

/// What a core does. It says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum State {
    /// It is off, or on its way.
    Away = 0,
    /// It talks.
    Talks = 1,
    /// It rests.
    Rests = 2,
}

/// What a core counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// Answers to messages of 32 bits.
    Req32,
    /// Of 64 bits.
    Req64,
    /// Of 64 bits with more registers.
    Req2,
    /// Messages whose receiver was busy on another core.
    Busy,
    /// FFA_INTERRUPT: the receiver was preempted.
    Preempted,
    /// FFA_YIELD.
    Yielded,
    /// Messages that were passed on.
    Chains,
    /// Its timer fired.
    Timers,
    /// Interrupts from other cores.
    Sgis,
    /// Requests for cycles.
    Sris,
    /// Partitions that were run since they had asked for it.
    Runs,
    /// Interrupts of its PMU that it raised.
    Pmu,
    /// Interrupts of a partition's device that it raised.
    Device,
    /// It was switched on.
    On,
}

impl Count {
    /// How many there are.
    const ALL: usize = Self::On as usize + 1;
}

/// A core's words.
#[repr(C, align(64))]
pub struct Station {
    order: AtomicU64,
    state: AtomicU64,
    counts: [AtomicU64; Count::ALL],
    /// The last call: x0 and x1.
    doing: [AtomicU64; 2],
    failed: AtomicU64,
    failure: UnsafeCell<Option<Failure>>,
}

// SAFETY: the failure is written once, by its core, before `failed`, and read afterwards.
unsafe impl Sync for Station {}

static STATIONS: [Station; VCPUS] = [const {
    Station {
        order: AtomicU64::new(0),
        state: AtomicU64::new(0),
        counts: [const { AtomicU64::new(0) }; Count::ALL],
        doing: [const { AtomicU64::new(0) }; 2],
        failed: AtomicU64::new(0),
        failure: UnsafeCell::new(None),
    }
}; VCPUS];

static INTERRUPTS: AtomicU64 = AtomicU64::new(0);
/// Somebody failed: all end.
static OVER: AtomicU64 = AtomicU64::new(0);

/// Sets what is done.
pub fn begin(plan: Plan) {
    INTERRUPTS.store(plan.interrupts().into(), Ordering::Release);
}

/// Whether everything interrupts.
pub fn interrupts() -> bool {
    INTERRUPTS.load(Ordering::Acquire) != 0
}

/// Whether somebody failed.
pub fn over() -> bool {
    OVER.load(Ordering::Acquire) != 0
}

/// The core with this number.
pub fn of(core: u64) -> &'static Station {
    STATIONS.get(core as usize).unwrap_or(&STATIONS[0])
}

/// All of them.
pub fn all() -> impl Iterator<Item = (u64, &'static Station)> {
    (0..).zip(&STATIONS)
}

/// Over all cores.
pub fn sum(count: Count) -> u64 {
    STATIONS.iter().map(|station| station.count(count)).sum()
}

/// The first failure, and whose.
pub fn failure() -> Option<(u64, Failure)> {
    all().find_map(|(core, station)| {
        if station.failed.load(Ordering::Acquire) == 0 {
            return None;
        }
        // SAFETY: it was written before `failed`, and nobody writes any more.
        unsafe { *station.failure.get() }.map(|failure| (core, failure))
    })
}

impl Station {
    /// What it is to do.
    pub fn order(&self) -> u64 {
        self.order.load(Ordering::Acquire)
    }

    /// Says what it is to do.
    pub fn tell(&self, order: Order) {
        self.order.store(order as u64, Ordering::Release);
    }

    /// Whether it does this.
    pub fn is(&self, state: State) -> bool {
        self.state.load(Ordering::Acquire) == state as u64
    }

    /// Says what it does.
    pub fn now(&self, state: State) {
        self.state.store(state as u64, Ordering::Release);
    }

    /// One more.
    pub fn add(&self, count: Count) {
        if let Some(word) = self.counts.get(count as usize) {
            word.store(word.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
    }

    /// How many.
    pub fn count(&self, count: Count) -> u64 {
        self.counts
            .get(count as usize)
            .map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// All answers.
    pub fn answers(&self) -> u64 {
        [Count::Req32, Count::Req64, Count::Req2]
            .into_iter()
            .map(|count| self.count(count))
            .sum()
    }

    /// Notes the call that it makes.
    pub fn does(&self, x0: u64, x1: u64) {
        self.doing[0].store(x0, Ordering::Relaxed);
        self.doing[1].store(x1, Ordering::Release);
    }

    /// The last call that it made, or makes.
    pub fn doing(&self) -> [u64; 2] {
        [0, 1].map(|n| self.doing[n].load(Ordering::Acquire))
    }

    /// Notes why it failed; the first failure stays.
    pub fn fail(&self, failure: Failure) {
        if self.failed.load(Ordering::Relaxed) == 0 {
            // SAFETY: this core alone writes here, once.
            unsafe { *self.failure.get() = Some(failure) };
            self.failed.store(1, Ordering::Release);
        }
        OVER.store(1, Ordering::Release);
    }
}
