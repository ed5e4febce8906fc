//! The end of a partition's life and what comes after it (DEN0077A, "Partition lifecycle").
//!
//! | `abort-action` | afterwards | who calls it is told |
//! | --- | --- | --- |
//! | none, no `lifecycle-support` | it has failed | ABORTED |
//! | none, or stop | it has stopped | BUSY |
//! | destroy | it is gone, its memory wiped | INVALID_PARAMETERS |
//! | restart | it initialises again, and then serves | BUSY until it waits |
//! | propagate | all partitions have stopped | ABORTED, everybody and always |
//!
//! A partition that fails while it initialises, first or again, is not restarted: it stops. So does one
//! whose memory others still hold, or were given for good: it could not begin as it did at first. Memory
//! of a destroyed partition that others still hold is wiped when they give it back.

use super::{Left, Machine, Next, Notice, Outcome, Pe, Spmc};
use crate::{
    MAX_CPUS,
    context::{AbortAction, Giver, Registers, Slot},
    locks::Held,
    state::{Event, Model, State},
};
use core::sync::atomic::{AtomicU32, Ordering};
use ffa_abi::{FfaError, Reply};

/// Whether a partition can be called, in bits 1:0, and in bits 31:16 how often it was restarted.
#[derive(Debug)]
pub(super) struct Life(AtomicU32);

impl Life {
    const ALIVE: u32 = 0;
    const FAILED: u32 = 1;
    const STOPPED: u32 = 2;
    const DESTROYED: u32 = 3;
    const STATE: u32 = 3;
    const ONE_LIFE: u32 = 1 << 16;

    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(Self::ALIVE))
    }

    #[inline(always)]
    fn state(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & Self::STATE
    }

    #[inline(always)]
    pub(super) fn is_destroyed(&self) -> bool {
        self.state() == Self::DESTROYED
    }

    pub(super) fn is_alive(&self) -> bool {
        self.state() == Self::ALIVE
    }

    /// Which of its lives this is. After 65,536 restarts the first number comes again; a request
    /// that is as old as that would be answered as if nothing had happened to its sender.
    #[inline(always)]
    pub(super) fn number(&self) -> u16 {
        (self.0.load(Ordering::Relaxed) >> 16) as u16
    }

    /// The first end counts.
    fn end(&self, state: u32) {
        let _ = self
            .0
            .fetch_update(Ordering::Release, Ordering::Relaxed, |word| {
                (word & Self::STATE == Self::ALIVE).then_some(word | state)
            });
    }

    fn begin_another(&self) {
        self.0.fetch_add(Self::ONE_LIFE, Ordering::Release);
    }

    /// For tests that go on from a state that they have noted.
    #[cfg(feature = "snapshot")]
    pub(super) fn word(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn set_word(&self, word: u32) {
        self.0.store(word, Ordering::Relaxed);
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// The number of the present life of the context that a partition has on core `core`: another one
    /// after each restart, and after each time that the core went off. Both only grow.
    pub(super) fn incarnation(&self, slot: Slot, core: u16) -> u16 {
        let index = self.context_index(slot, core);
        self.partitions.get(slot.index()).map_or(0, |partition| {
            let epoch = partition.epochs.get(usize::from(index));
            let epoch = epoch.map_or(0, |epoch| epoch.load(Ordering::Acquire));
            partition.life.number().wrapping_add(epoch)
        })
    }

    /// The core of a context goes off: when it is on again, that is another life.
    pub(super) fn epoch(&self, slot: Slot, index: u16) {
        let partition = self.partitions.get(slot.index());
        let epoch = partition.and_then(|partition| partition.epochs.get(usize::from(index)));
        if let Some(epoch) = epoch {
            epoch.fetch_add(1, Ordering::Release);
        }
    }

    /// Whether a partition's failure has stopped all of them.
    #[inline(always)]
    pub fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// The error for one who calls a partition that has failed.
    pub(super) fn why_dead(&self, slot: Slot) -> FfaError {
        let state = self.partitions.get(slot.index()).map(|p| p.life.state());
        match state {
            Some(Life::STOPPED) if !self.is_halted() => FfaError::Busy,
            Some(Life::DESTROYED) | None => FfaError::InvalidParameters,
            _ => FfaError::Aborted,
        }
    }

    /// The context on this core failed: a fault that can't be its own EL1's to handle, or its own
    /// wish, with a `reason`. Its partition has failed with all of its contexts: those on other cores
    /// are stopped there. Who waits for it gets ABORTED, requests that it sent are answered into the
    /// void, its RX/TX pair and its notifications are nobody's any more, its devices interrupt nobody, and its manifest says
    /// what becomes of it.
    #[cold]
    #[inline(never)]
    pub fn abort(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        reason: Option<u64>,
        machine: &mut impl Machine,
    ) -> Outcome {
        let Some(partition) = self.partitions.get(slot.index()) else {
            return Outcome::to(Next::NormalWorld);
        };
        // It has failed on another core just now, and this one only hears of it.
        if !partition.life.is_alive() {
            let outcome = self.stop_running(pe, slot);
            return self.finish(pe, outcome, machine);
        }
        let Some(context) = pe.context(slot) else {
            return Outcome::to(Next::NormalWorld);
        };
        let initialises = matches!(context.model, Model::Init | Model::Restart);
        let giver = context.giver;
        let left = context.left(slot);
        self.kill(pe, slot);
        // Who works for it, or keeps a response of its, asks whether it is alive; and nothing of its
        // begins on another core that would have to end now.
        self.bury_all(slot);
        // Its notifications go next, and with them what they interrupt it for.
        let _ = self.unmap_of_partition(slot, machine, &mut pe.held);
        self.forget_notifications(slot, &mut pe.held);
        let whole = self.memory_ended(slot, machine, &mut pe.held);
        let action = match partition.info.abort_action {
            AbortAction::Restart if initialises || !whole => AbortAction::Stop,
            action => action,
        };
        machine.notice(Notice::Aborted {
            partition: partition.info.id,
            action,
            reason,
        });
        self.silence(slot, machine);
        self.set_alarm(pe, machine);
        match action {
            AbortAction::Fail => self.end(slot, Life::FAILED, &mut pe.held),
            AbortAction::Stop => self.end(slot, Life::STOPPED, &mut pe.held),
            AbortAction::Restart => {
                partition.open.close();
                return Outcome::to(Next::Reload(slot));
            }
            AbortAction::Destroy => {
                self.end(slot, Life::DESTROYED, &mut pe.held);
                self.destroyed.fetch_add(1, Ordering::Relaxed);
                return Outcome::to(Next::Wipe(slot));
            }
            AbortAction::Propagate => self.halt(&mut pe.held),
        }
        if !partition.info.is_up() || action == AbortAction::Propagate {
            self.stop_elsewhere(pe, slot, machine);
        }
        let outcome = self.ended(pe, giver, left);
        self.finish(pe, outcome, machine)
    }

    /// A context on this core is dead.
    pub(super) fn kill(&self, pe: &mut Pe<'c, M>, slot: Slot) {
        if let Some(context) = pe.context(slot) {
            if !matches!(context.state(), State::Aborted | State::Off) {
                context.transition(Event::Abort);
            }
            context.served();
            context.parked = None;
            context.forget_interrupts();
        }
        self.bury(slot, pe.index);
    }

    /// The context that runs on this core is dead, since its partition has failed on another one.
    pub(super) fn stop_running(&self, pe: &mut Pe<'c, M>, slot: Slot) -> Outcome {
        let Some(context) = pe.context(slot) else {
            return Outcome::to(Next::NormalWorld);
        };
        let giver = context.giver;
        let left = context.left(slot);
        self.kill(pe, slot);
        self.ended(pe, giver, left)
    }

    /// Other cores are to stop what they have of a partition that has failed here.
    fn stop_elsewhere(&self, pe: &mut Pe<'c, M>, slot: Slot, machine: &mut impl Machine) {
        let on = self.news.on();
        for core in (0..MAX_CPUS as u16).filter(|core| on & 1 << core != 0) {
            if core != pe.index {
                self.notify(core, slot, machine);
            }
        }
        self.kicked(pe, machine);
    }

    /// Who waited for a partition that has ended gets the core back.
    fn ended(&self, pe: &mut Pe<'c, M>, giver: Giver, left: Left) -> Outcome {
        Outcome {
            next: self.complete(pe, giver, Reply::error(FfaError::Aborted)),
            left: Some(left),
        }
    }

    fn end(&self, slot: Slot, state: u32, held: &mut Held<0>) {
        if let Some(partition) = self.partitions.get(slot.index()) {
            partition.parked.with(held, |_, _| {
                partition.life.end(state);
                partition.open.close();
            });
        }
    }

    /// Stops all partitions.
    fn halt(&self, held: &mut Held<0>) {
        self.halted.store(true, Ordering::SeqCst);
        for slot in (0..self.partitions.len()).map(|slot| Slot(slot as u8)) {
            self.end(slot, Life::FAILED, held);
            self.bury_all(slot);
        }
    }

    /// The partition that [`Next::Reload`] named was loaded anew, or could not be: who runs next.
    #[cold]
    #[inline(never)]
    pub fn reloaded(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        done: bool,
        machine: &mut impl Machine,
    ) -> Outcome {
        let core = pe.index;
        let Some(context) = pe.context(slot) else {
            return Outcome::to(Next::NormalWorld);
        };
        if done && !self.is_halted() && context.transition(Event::Restart) {
            context.model = Model::Restart;
            context.call_is_wide = false;
            self.reset_interrupts(pe, slot);
            // What came while it was loaded, to the last moment.
            self.drop_active(pe, slot, machine);
            if let Some(partition) = self.partitions.get(slot.index()) {
                partition.parked.with(&mut pe.held, |_, _| {
                    partition.life.begin_another();
                    partition.version.forget(partition.first_version);
                    partition.knows_ns_bit.store(false, Ordering::Relaxed);
                    if partition.life.is_alive() {
                        partition
                            .open
                            .work_out(&partition.info, partition.first_version);
                    }
                });
                let bit = self.bit(slot, core);
                // Who sees it alive sees that this is another life.
                partition.dead.fetch_and(!bit, Ordering::Release);
            }
            return Outcome::to(Next::Partition(slot));
        }
        let giver = context.giver;
        let left = context.left(slot);
        // It may have got the pair that its manifest fixes.
        self.unmap_of_partition(slot, machine, &mut pe.held);
        self.end(slot, Life::STOPPED, &mut pe.held);
        let outcome = self.ended(pe, giver, left);
        self.finish(pe, outcome, machine)
    }

    /// The memory of the partition that [`Next::Wipe`] named was wiped: who runs next.
    #[cold]
    #[inline(never)]
    pub fn wiped(&self, pe: &mut Pe<'c, M>, slot: Slot, machine: &mut impl Machine) -> Outcome {
        let Some(context) = pe.context(slot) else {
            return Outcome::to(Next::NormalWorld);
        };
        let giver = context.giver;
        let left = context.left(slot);
        let outcome = self.ended(pe, giver, left);
        self.finish(pe, outcome, machine)
    }
}
