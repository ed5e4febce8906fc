//! What one core leaves for another to look at.

use super::super::Spmc;
use crate::{
    MAX_CPUS,
    context::{Registers, Slot},
    spm::Machine,
    sync::{AtomicU32, Ordering, array, constructor},
};

/// For each core the partitions that it is to look at, one bit for each, and [whether the normal
/// world's scheduler](Self::SCHEDULER) is to be told; and which cores are on.
///
/// Who has news for a core writes them first and looks then whether it is on; a core that goes off is
/// marked first and takes its news then. So one of the two sees them.
#[derive(Debug)]
pub(in crate::spm) struct News {
    of: [AtomicU32; MAX_CPUS],
    on: AtomicU32,
}

impl News {
    /// The schedule receiver interrupt, which another core should have raised, is to be raised.
    pub(in crate::spm) const SCHEDULER: u32 = 1 << 31;

    constructor! {
        /// No news, no core on.
        pub(in crate::spm) fn new() -> Self {
            Self {
                of: array!(AtomicU32::new(0)),
                on: AtomicU32::new(0),
            }
        }
    }

    fn place(&self, core: u16) -> &AtomicU32 {
        &self.of[usize::from(core) & (MAX_CPUS - 1)]
    }

    /// Leaves news for a core, or for the lowest that is on if it is not. Gives the core that has
    /// them, `None` if none is on.
    pub(in crate::spm) fn leave(&self, core: u16, bits: u32) -> Option<u16> {
        let mut core = core;
        for _ in 0..=MAX_CPUS {
            self.place(core).fetch_or(bits, Ordering::SeqCst);
            let on = self.on.load(Ordering::SeqCst);
            if on & 1 << core != 0 {
                return Some(core);
            }
            // Whatever is still there it did not take before it went off.
            let left = self.place(core).fetch_and(!bits, Ordering::SeqCst) & bits;
            if left == 0 || on == 0 {
                return None;
            }
            core = on.trailing_zeros() as u16;
        }
        None
    }

    /// Takes a core's news.
    pub(in crate::spm) fn take(&self, core: u16) -> u32 {
        self.place(core).swap(0, Ordering::SeqCst)
    }

    /// A core is on.
    pub(in crate::spm) fn switch_on(&self, core: u16) {
        self.on.fetch_or(1 << (core & 31), Ordering::SeqCst);
    }

    /// A core goes off; what it had not looked at.
    pub(in crate::spm) fn switch_off(&self, core: u16) -> u32 {
        self.on.fetch_and(!(1 << (core & 31)), Ordering::SeqCst);
        self.take(core)
    }

    /// For tests that go on from a state that they have noted.
    #[cfg(feature = "snapshot")]
    pub(in crate::spm) fn left_for(&self, core: u16) -> u32 {
        self.place(core).load(Ordering::SeqCst)
    }

    #[cfg(feature = "snapshot")]
    pub(in crate::spm) fn set_left(&self, core: u16, bits: u32) {
        self.place(core).store(bits, Ordering::SeqCst);
    }

    /// The cores that are on, one bit for each.
    pub(in crate::spm) fn on(&self) -> u32 {
        self.on.load(Ordering::SeqCst)
    }
}

impl<M: Registers> Spmc<'_, M> {
    /// A core is to look at a partition, or another one if that is off.
    pub(in crate::spm) fn notify(&self, core: u16, slot: Slot, machine: &mut impl Machine) {
        if let Some(core) = self.news.leave(core, 1 << slot.index()) {
            machine.kick(core);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_for_a_core_that_is_off_go_to_one_that_is_on() {
        let news = News::new();
        assert_eq!(news.leave(1, 5), None);
        news.switch_on(2);
        assert_eq!(news.leave(1, 5), Some(2));
        assert_eq!((news.take(1), news.take(2)), (0, 5));
        news.switch_on(1);
        assert_eq!(news.leave(1, 4), Some(1));
        assert_eq!(news.switch_off(1), 4);
        assert_eq!((news.take(1), news.on()), (0, 4));
    }
}
