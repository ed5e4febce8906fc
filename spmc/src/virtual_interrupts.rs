//! The virtual interrupts of one execution context: which are pending, in their order, and which it
//! has enabled.
//!
//! Each id is pending once or not at all, and there is room for all ids: none is ever lost.

use crate::context::{InterruptRules, Lines, MAX_DEVICE_INTERRUPTS};
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, constructor};
use heapless::Vec;

/// The emulated EL1 physical timer.
pub const TIMER: u32 = 3;
/// The managed exit interrupt.
pub const MANAGED_EXIT: u32 = 4;
/// The notification pending interrupt.
pub const NOTIFICATION_PENDING: u32 = 5;
/// An interrupt that another context of the same partition sent.
pub const INTER_PROCESSOR: u32 = 9;

/// The ids that every partition has. They come first among its interrupts.
const OWN: [u32; 4] = [TIMER, MANAGED_EXIT, NOTIFICATION_PENDING, INTER_PROCESSOR];
/// The most interrupts of a partition.
const MAX: usize = OWN.len() + MAX_DEVICE_INTERRUPTS;

/// One of a partition's virtual interrupts: its place among the ids that every partition has and its devices'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interrupt(u8);

impl Interrupt {
    /// The emulated timer.
    pub const TIMER: Self = Self(0);
    /// The managed exit interrupt.
    pub const MANAGED_EXIT: Self = Self(1);
    /// The notification pending interrupt.
    pub const NOTIFICATION_PENDING: Self = Self(2);
    /// An interrupt of another context.
    pub const INTER_PROCESSOR: Self = Self(3);

    /// The one with this id, of a partition with these devices.
    pub fn of_id(id: u64, devices: &[u32]) -> Option<Self> {
        let own = OWN.iter().position(|own| u64::from(*own) == id);
        let device = || devices.iter().position(|device| u64::from(*device) == id);
        let place = own.or_else(|| Some(device()? + OWN.len()))?;
        u8::try_from(place).ok().filter(|_| place < MAX).map(Self)
    }

    /// Its id, of a partition with these devices.
    pub fn id(self, devices: &[u32]) -> u32 {
        let place = usize::from(self.0);
        let own = OWN.get(place).copied();
        own.or_else(|| devices.get(place.checked_sub(OWN.len())?).copied())
            .unwrap_or(0)
    }

    /// Whether it is a device's.
    pub const fn is_device(self) -> bool {
        self.0 as usize >= OWN.len()
    }

    const fn bit(self) -> u64 {
        1 << (self.0 & 63)
    }
}

/// What is known of a context's virtual interrupts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Queue {
    /// Those that are pending, the oldest first.
    order: Vec<u8, MAX>,
    /// The same, one bit for each.
    pending: u64,
    enabled: u64,
    /// Those that are virtual FIQs.
    fiq: u64,
    /// The one that the context was told of with `FFA_INTERRUPT`, until it asks for one, or it comes
    /// anew.
    named: Option<Interrupt>,
    /// Those of devices that are still active in the machine, and the cores on which they are, one bit
    /// for each: a private interrupt may be so on several.
    active: u64,
    active_on: [u8; MAX],
}

impl Queue {
    const NEW: Self = Self {
        order: Vec::new(),
        pending: 0,
        enabled: 0,
        fiq: 0,
        named: None,
        active: 0,
        active_on: [0; MAX],
    };

    /// As at a context's first entry: managed exit and notifications need not be enabled. What is
    /// active in the machine stays known, to be [let go](Self::let_go).
    pub fn reset(&mut self, rules: &InterruptRules) {
        *self = Self {
            active: self.active,
            active_on: self.active_on,
            ..Self::NEW
        };
        self.enabled = Interrupt::MANAGED_EXIT.bit() | Interrupt::NOTIFICATION_PENDING.bit();
        if !rules.managed_exit_virq {
            self.fiq = Interrupt::MANAGED_EXIT.bit();
        }
    }

    /// It is pending from now on. `false` if it was.
    pub fn pend(&mut self, interrupt: Interrupt) -> bool {
        let new = !self.is_pending(interrupt);
        if new {
            self.pending |= interrupt.bit();
            // There is room for every one of them.
            let _ = self.order.push(interrupt.0);
        }
        // It was told of an earlier one.
        self.forget_named(interrupt);
        new
    }

    /// It is not pending any more.
    pub fn clear(&mut self, interrupt: Interrupt) {
        if self.is_pending(interrupt) {
            self.pending &= !interrupt.bit();
            self.order.retain(|place| *place != interrupt.0);
        }
        self.forget_named(interrupt);
    }

    fn forget_named(&mut self, interrupt: Interrupt) {
        if self.named == Some(interrupt) {
            self.named = None;
        }
    }

    /// The oldest that is pending and enabled and [wakes](Virtual::wakes), which the context is told
    /// of.
    pub fn name_oldest(&mut self) -> Option<Interrupt> {
        let wakes = self.enabled & !Interrupt::NOTIFICATION_PENDING.bit();
        self.named = self.oldest_of(wakes);
        self.named
    }

    /// The context leaves the core. If it `waits`, it has dealt with what it was told of and has not
    /// asked for.
    pub fn leave_named(&mut self, waits: bool) {
        if let Some(named) = self.named.take().filter(|_| waits) {
            self.clear(named);
        }
    }

    /// Whether it is pending, enabled or not.
    pub const fn is_pending(&self, interrupt: Interrupt) -> bool {
        self.pending & interrupt.bit() != 0
    }

    /// The oldest that is pending and enabled.
    pub fn oldest(&self) -> Option<Interrupt> {
        self.oldest_of(self.enabled)
    }

    fn oldest_of(&self, wanted: u64) -> Option<Interrupt> {
        let mut all = self.order.iter().map(|place| Interrupt(*place));
        all.find(|interrupt| wanted & interrupt.bit() != 0)
    }

    /// Takes that one out.
    pub fn take(&mut self) -> Option<Interrupt> {
        self.named = None;
        let oldest = self.oldest()?;
        self.clear(oldest);
        Some(oldest)
    }

    /// Enables it as a virtual IRQ or FIQ, or disables it.
    pub fn enable(&mut self, interrupt: Interrupt, on: bool, fiq: bool) {
        let with = |bits: u64, on: bool| match on {
            true => bits | interrupt.bit(),
            false => bits & !interrupt.bit(),
        };
        self.enabled = with(self.enabled, on);
        self.fiq = with(self.fiq, fiq);
    }

    /// Those that are pending and enabled, one bit for each.
    const fn deliverable(&self) -> u64 {
        self.pending & self.enabled
    }

    /// Which lines are raised.
    pub const fn lines(&self) -> Lines {
        let deliverable = self.deliverable();
        Lines {
            irq: deliverable & !self.fiq != 0,
            fiq: deliverable & self.fiq != 0,
        }
    }

    /// A device's interrupt is active on a core: it can't come again until it is
    /// [let go](Self::let_go).
    pub fn activate(&mut self, interrupt: Interrupt, core: u16) {
        self.active |= interrupt.bit();
        if let Some(on) = self.active_on.get_mut(usize::from(interrupt.0)) {
            *on |= 1 << (core & 7);
        }
    }

    /// Whether any is active, or the context was told of one that it has not asked for.
    pub const fn is_unfinished(&self) -> bool {
        self.active != 0 || self.named.is_some()
    }

    /// Takes one out that is active and that the context has taken, for it to come again, on one core
    /// on which it is active. `all`: also one that is pending still.
    pub fn let_go(&mut self, all: bool) -> Option<(Interrupt, u16)> {
        let held = if all { 0 } else { self.pending };
        let free = self.active & !held;
        if free == 0 {
            return None;
        }
        let found = Interrupt(free.trailing_zeros() as u8);
        let on = self.active_on.get_mut(usize::from(found.0))?;
        let core = on.trailing_zeros();
        *on &= on.wrapping_sub(1);
        if *on == 0 {
            self.active &= !found.bit();
        }
        Some((found, core as u16))
    }
}

/// What a queue is made of, for tests that go on from a state that they have noted: an interrupt is its
/// place, the timer 0, managed exit 1, notifications 2, another context's 3, devices from 4 on.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueNote {
    /// Those that are pending, the oldest first.
    pub order: Vec<u8, MAX>,
    /// One bit for each that is enabled.
    pub enabled: u64,
    /// One bit for each that is a virtual FIQ.
    pub fiq: u64,
    /// The one that the context was told of.
    pub named: Option<u8>,
    /// The devices' that are active in the machine, and the cores on which, one bit for each.
    pub active: Vec<(u8, u8), MAX>,
}

#[cfg(feature = "snapshot")]
impl Queue {
    fn note(&self) -> QueueNote {
        let active = (0..MAX as u8).filter(|place| self.active & Interrupt(*place).bit() != 0);
        QueueNote {
            order: self.order.clone(),
            enabled: self.enabled,
            fiq: self.fiq,
            named: self.named.map(|named| named.0),
            active: active
                .map(|place| (place, self.active_on[usize::from(place)]))
                .collect(),
        }
    }

    fn restore(&mut self, noted: &QueueNote) {
        *self = Self {
            order: noted.order.clone(),
            pending: noted
                .order
                .iter()
                .fold(0, |bits, place| bits | Interrupt(*place).bit()),
            enabled: noted.enabled,
            fiq: noted.fiq,
            named: noted.named.map(Interrupt),
            ..Self::NEW
        };
        for (place, cores) in &noted.active {
            let on = (0..8).filter(|core| cores & 1 << core != 0);
            on.for_each(|core| self.activate(Interrupt(*place), core));
        }
    }
}

/// What is known of a context's virtual interrupts, for the same tests.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualNote {
    /// Its queue.
    pub queue: QueueNote,
    /// When its emulated timer fires.
    pub deadline: u64,
    /// The core that sees to that.
    pub watcher: u16,
    /// Whether the normal world was told of what is pending.
    pub told: bool,
}

#[cfg(feature = "snapshot")]
impl Virtual {
    /// Notes it.
    pub fn note(&self) -> VirtualNote {
        VirtualNote {
            queue: self.queue.lock().note(),
            deadline: self.deadline.load(Ordering::Relaxed),
            watcher: self.watcher.load(Ordering::Relaxed) as u16,
            told: self.is_told(),
        }
    }

    /// Goes back to what was noted.
    pub fn restore(&self, noted: &VirtualNote) {
        self.with(|queue| queue.restore(&noted.queue));
        self.watch(noted.deadline, noted.watcher);
        self.told.store(noted.told.into(), Ordering::Relaxed);
    }
}

/// Whether there is more among these than that notifications are pending.
const fn wakes(interrupts: u64) -> bool {
    interrupts & !Interrupt::NOTIFICATION_PENDING.bit() != 0
}

/// No time at all.
pub const NEVER: u64 = u64::MAX;

/// What any core may look at of a context's virtual interrupts.
#[derive(Debug)]
pub struct Virtual {
    queue: Mutex<Queue>,
    /// Those that are pending and enabled, one bit for each: what is seen without the lock.
    deliverable: AtomicU64,
    /// When its emulated timer fires, [`NEVER`] if it does not.
    deadline: AtomicU64,
    /// The core whose alarm is set for it.
    watcher: AtomicU32,
    /// Whether `FFA_NOTIFICATION_INFO_GET` has told of what is pending.
    told: AtomicU32,
}

impl Default for Virtual {
    fn default() -> Self {
        Self::new()
    }
}

impl Virtual {
    constructor! {
        /// Nothing pending, nothing enabled.
        pub fn new() -> Self {
            Self {
                queue: Mutex::new(Queue::NEW),
                deliverable: AtomicU64::new(0),
                deadline: AtomicU64::new(NEVER),
                watcher: AtomicU32::new(0),
                told: AtomicU32::new(0),
            }
        }
    }

    /// Changes the queue. Nothing else is locked meanwhile.
    pub fn with<R>(&self, change: impl FnOnce(&mut Queue) -> R) -> R {
        let mut queue = self.queue.lock();
        let result = change(&mut queue);
        let deliverable = queue.deliverable();
        if wakes(deliverable) && !wakes(self.deliverable.load(Ordering::Relaxed)) {
            self.told.store(0, Ordering::Relaxed);
        }
        self.deliverable.store(deliverable, Ordering::SeqCst);
        result
    }

    /// Looks at the queue.
    pub fn look<R>(&self, look: impl FnOnce(&Queue) -> R) -> R {
        look(&self.queue.lock())
    }

    /// Whether one is pending and enabled.
    #[inline(always)]
    pub fn is_deliverable(&self) -> bool {
        self.deliverable.load(Ordering::SeqCst) != 0
    }

    /// Whether one is for which the context is to run. For notifications alone it is not: the normal
    /// world's scheduler knows of those.
    #[inline(always)]
    pub fn wakes(&self) -> bool {
        wakes(self.deliverable.load(Ordering::SeqCst))
    }

    /// When its timer fires, if that is for `core` to see to.
    pub fn deadline(&self, core: u16) -> u64 {
        match self.watcher.load(Ordering::SeqCst) == u32::from(core) {
            true => self.deadline.load(Ordering::Acquire),
            false => NEVER,
        }
    }

    /// Its timer fires at this time, and this core sees to it.
    pub fn watch(&self, deadline: u64, core: u16) {
        self.deadline.store(deadline, Ordering::Release);
        self.watcher.store(core.into(), Ordering::Release);
    }

    /// Takes the deadline out if it has passed and is this core's. `true` if it was.
    pub fn expire(&self, now: u64, core: u16) -> bool {
        let due = |deadline: u64| (deadline != NEVER && deadline <= now).then_some(NEVER);
        self.watcher.load(Ordering::Acquire) == u32::from(core)
            && self
                .deadline
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, due)
                .is_ok()
    }

    /// The same, and it is pending then, in one step.
    pub fn fire(&self, now: u64, core: u16) -> bool {
        self.with(|queue| {
            let due = self.expire(now, core);
            if due {
                queue.pend(Interrupt::TIMER);
            }
            due
        })
    }

    /// Another core sees to it, if it is `from`'s now and there is something to see to.
    pub fn hand_over(&self, from: u16, to: u16) -> bool {
        self.deadline(from) != NEVER
            && self
                .watcher
                .compare_exchange(from.into(), to.into(), Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
    }

    /// Whether what is pending was told of.
    pub fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed) != 0
    }

    /// What is pending is not told of.
    pub fn untell(&self) {
        self.told.store(0, Ordering::Relaxed);
    }

    /// What is pending is told of.
    pub fn tell(&self) {
        self.told.store(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: [u32; 2] = [39, 34];

    fn queue() -> Queue {
        let mut queue = Queue::NEW;
        queue.reset(&InterruptRules::default());
        queue
    }

    fn of(id: u64) -> Interrupt {
        Interrupt::of_id(id, &DEVICES).unwrap()
    }

    #[test]
    fn ids() {
        for id in [3, 4, 5, 9, 39, 34] {
            assert_eq!(u64::from(of(id).id(&DEVICES)), id);
            assert_eq!(of(id).is_device(), id > 9);
        }
        for id in [0, 1, 2, 8, 35, 1 << 32 | 39, u64::MAX] {
            assert_eq!(Interrupt::of_id(id, &DEVICES), None);
        }
    }

    #[test]
    fn oldest_first_and_each_once() {
        let mut queue = queue();
        for id in [34, 39, 3] {
            queue.enable(of(id), true, false);
        }
        assert!(queue.pend(of(39)));
        assert!(queue.pend(of(34)));
        assert!(!queue.pend(of(39)));
        assert!(queue.pend(of(3)));
        assert_eq!(queue.oldest(), Some(of(39)));
        for id in [39, 34, 3] {
            assert_eq!(queue.take(), Some(of(id)));
        }
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn what_is_not_enabled_stays_pending() {
        let mut queue = queue();
        queue.pend(of(39));
        queue.pend(of(9));
        assert_eq!((queue.take(), queue.lines()), (None, Lines::DOWN));
        queue.enable(of(9), true, true);
        assert_eq!(
            queue.lines(),
            Lines {
                irq: false,
                fiq: true
            }
        );
        assert_eq!(queue.take(), Some(of(9)));
        queue.enable(of(39), true, false);
        assert_eq!(
            queue.lines(),
            Lines {
                irq: true,
                fiq: false
            }
        );
    }

    #[test]
    fn all_fit() {
        let devices: std::vec::Vec<u32> = (32..64).collect();
        let mut queue = queue();
        let ids = [3, 4, 5, 9].into_iter().chain(32..64);
        for id in ids.clone() {
            let interrupt = Interrupt::of_id(id, &devices).unwrap();
            queue.enable(interrupt, true, false);
            assert!(queue.pend(interrupt));
        }
        for id in ids {
            assert_eq!(
                queue.take().map(|one| u64::from(one.id(&devices))),
                Some(id)
            );
        }
    }

    #[test]
    fn managed_exit_needs_no_enabling() {
        for virq in [false, true] {
            let mut queue = Queue::NEW;
            queue.reset(&InterruptRules {
                managed_exit_virq: virq,
                ..InterruptRules::default()
            });
            queue.pend(Interrupt::MANAGED_EXIT);
            let lines = queue.lines();
            assert_eq!((lines.irq, lines.fiq), (virq, !virq));
        }
    }

    #[test]
    fn only_what_was_taken_is_let_go() {
        let mut queue = queue();
        queue.enable(of(39), true, false);
        queue.pend(of(39));
        queue.activate(of(39), 5);
        assert_eq!(queue.let_go(false), None);
        assert_eq!(queue.take(), Some(of(39)));
        assert_eq!(queue.let_go(false), Some((of(39), 5)));
        assert_eq!(queue.let_go(true), None);
        assert!(!queue.is_unfinished());
    }

    #[test]
    fn a_timer_expires_once_and_where_it_is_watched() {
        let one = Virtual::new();
        one.watch(100, 1);
        assert_eq!((one.deadline(0), one.deadline(1)), (NEVER, 100));
        assert!(!one.expire(99, 1));
        assert!(!one.expire(100, 0));
        assert!(!one.hand_over(0, 2));
        assert!(one.hand_over(1, 2));
        assert!(one.expire(100, 2));
        assert!(!one.expire(100, 2));
        assert!(!one.hand_over(2, 1));
    }

    #[test]
    fn what_comes_anew_is_told_anew() {
        let one = Virtual::new();
        one.with(|queue| {
            queue.enable(of(39), true, false);
            queue.pend(of(39));
        });
        assert!(!one.is_told());
        one.tell();
        assert!(one.is_told());
        one.with(|queue| queue.take());
        one.with(|queue| queue.pend(of(39)));
        assert!(!one.is_told());
    }
}
