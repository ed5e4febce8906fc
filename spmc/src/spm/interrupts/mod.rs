//! Interrupts (DEN0077A, "Interrupt management"): those of the normal world while partitions run, and
//! those of partitions' devices, timers and contexts, whoever runs.
//!
//! Taking one and acting on it are two steps. [`device`](Spmc::device), [`timer`](Spmc::timer) and
//! [`kicked`](Spmc::kicked) note what was taken; nothing is lost from then on, and nothing else
//! changes. [`dispatch`](Spmc::dispatch) then says who runs. What can't be delivered at the moment
//! stays noted, and every way by which it could become possible comes past here again.
//!
//! | the context that it is for | what happens |
//! | --- | --- |
//! | waits | it runs, told `FFA_INTERRUPT`; who ran goes on where it was when it waits again |
//! | waits, and `sri-interrupts-policy` says so | the normal world is asked to run it |
//! | runs | a virtual interrupt line is raised |
//! | called somebody, and its callee runs | the callee is preempted, and it is told `FFA_INTERRUPT` |
//! | is elsewhere in these ways | the core that has it is kicked, and does the same |
//! | was preempted, yielded, has not run yet | it finds the line raised when it runs |
//! | is dead or off | a device's interrupt is switched off |
//!
//! The notification pending interrupt alone wakes nobody, and preempts no callee: a line is raised
//! ([`notifications`](super::notifications)).
//!
//! A partition at S-EL0 has no lines: it is told when it waits, and then it has taken what it is told of.
//!
//! While the SPMC itself gives cycles (a partition initialises, deals with an interrupt, is told that
//! its core goes off) everything but the SPMC's own interrupts is masked ([`Mask::Own`]), so none of
//! this is ever nested.

mod dispatch;
mod hypercalls;
mod info;
mod mask;
mod news;
mod off_core;
mod timer;

pub(super) use hypercalls::is_hypercall;
pub use mask::Mask;
pub(super) use news::News;
pub use timer::TimerRegister;

use super::{Machine, Notice, Pe, Spmc};
use crate::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{Lines, Registers, Slot},
    state::State,
    sync::{array, constructor},
    virtual_interrupts::{Interrupt, Virtual},
};
use core::hint::cold_path;

/// What belongs to whom: the partition of each interrupt of a device.
#[derive(Clone, Debug)]
pub(super) struct Owners([u8; Self::IDS]);

impl Owners {
    /// SGIs, PPIs and SPIs.
    const IDS: usize = 1020;
    const NOBODY: u8 = u8::MAX;

    pub(super) const fn new() -> Self {
        Self([Self::NOBODY; Self::IDS])
    }

    /// Gives an interrupt to a partition. `false` if there is no such id, or it is somebody's.
    pub(super) fn give(&mut self, intid: u32, slot: Slot) -> bool {
        match self.0.get_mut(intid as usize) {
            Some(owner) if *owner == Self::NOBODY => {
                *owner = slot.0;
                true
            }
            _ => false,
        }
    }

    fn of(&self, intid: u32) -> Option<Slot> {
        let owner = self.0.get(intid as usize).copied()?;
        (owner != Self::NOBODY).then_some(Slot(owner))
    }
}

/// The virtual interrupts of all contexts.
#[derive(Debug)]
pub(super) struct Virtuals([[Virtual; MAX_CPUS]; MAX_PARTITIONS]);

impl Virtuals {
    constructor! {
        pub(super) fn new() -> Self {
            Self(array!(array!(Virtual::new())))
        }
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// The virtual interrupts of the context with this index.
    #[inline(always)]
    pub(super) fn virtuals(&self, slot: Slot, index: u16) -> &Virtual {
        const { assert!(MAX_CPUS.is_power_of_two()) };
        &self.virtuals.0[slot.index()][usize::from(index) & (MAX_CPUS - 1)]
    }

    /// Those of a partition's context for this core.
    #[inline(always)]
    pub(super) fn own_virtuals(&self, pe: &Pe<'c, M>, slot: Slot) -> &Virtual {
        self.virtuals(slot, self.context_index(slot, pe.index))
    }

    fn devices(&self, slot: Slot) -> &[u32] {
        self.info(slot).map_or(&[], |info| &info.devices)
    }

    /// An interrupt of a device was acknowledged on this core and its priority dropped; it is still
    /// active.
    #[cold]
    #[inline(never)]
    pub fn device(&self, pe: &mut Pe<'c, M>, intid: u32, machine: &mut impl Machine) {
        let owner = self.owners.of(intid).filter(|slot| self.is_alive(*slot));
        let interrupt = owner.and_then(|slot| {
            let interrupt = Interrupt::of_id(intid.into(), self.devices(slot))?;
            Some((slot, interrupt))
        });
        let Some((slot, interrupt)) = interrupt else {
            machine.enable(intid, false);
            machine.deactivate(intid, pe.index);
            machine.notice(Notice::InterruptOfNobody { intid });
            return;
        };
        let core = pe.index;
        self.own_virtuals(pe, slot).with(|queue| {
            queue.pend(interrupt);
            queue.activate(interrupt, core);
        });
        pe.due |= 1 << slot.index();
    }

    /// Another core, or this one, has something for this core to look at.
    #[cold]
    #[inline(never)]
    pub fn kicked(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) {
        let news = self.news.take(pe.index);
        pe.due |= news & !News::SCHEDULER;
        pe.sri |= news & News::SCHEDULER != 0;
        for slot in (0..self.partitions.len()).map(|slot| Slot(slot as u8)) {
            if !self.is_alive(slot) {
                self.stop_idle(pe, slot);
            }
        }
        // A timer may have become this core's to see to.
        self.set_alarm(pe, machine);
    }

    /// Whether something waits for this core's mask to be [`Mask::Own`] no more. Whoever loosens it
    /// kicks this core then.
    #[inline(always)]
    pub fn needs_kick(&self, pe: &Pe<'c, M>) -> bool {
        pe.due != 0
    }

    /// Raises the lines of a context on this core as its queue says.
    pub(super) fn refresh(&self, pe: &mut Pe<'c, M>, slot: Slot) {
        let index = self.context_index(slot, pe.index);
        // With a schedule receiver interrupt to raise, its answer must not go the short way.
        let sri = pe.sri;
        if let Some(context) = pe.context(slot) {
            let (lines, unfinished) = self
                .virtuals(slot, index)
                .look(|queue| (queue.lines(), queue.is_unfinished()));
            if context.el0 {
                cold_path();
                return context.set_lines(Lines::DOWN, unfinished || sri || lines.any());
            }
            context.set_lines(lines, unfinished || sri);
        }
    }

    /// The same, if there is anything to raise or to take down: for who is entered by a call.
    #[inline(always)]
    pub(super) fn refresh_if_needed(&self, pe: &mut Pe<'c, M>, slot: Slot) {
        let deliverable = self.own_virtuals(pe, slot).is_deliverable();
        let raised = pe
            .context(slot)
            .is_some_and(|context| context.lines().any());
        if deliverable || raised {
            self.refresh(pe, slot);
        }
    }

    /// A context's interrupts are as at its first entry.
    pub(super) fn reset_interrupts(&self, pe: &mut Pe<'c, M>, slot: Slot) {
        let index = self.context_index(slot, pe.index);
        let rules = self.info(slot).map(|info| info.rules).unwrap_or_default();
        let own = self.virtuals(slot, index);
        own.watch(crate::virtual_interrupts::NEVER, pe.index);
        own.with(|queue| {
            let sent = queue.is_pending(Interrupt::INTER_PROCESSOR);
            queue.reset(&rules);
            if sent {
                queue.pend(Interrupt::INTER_PROCESSOR);
            }
        });
        if let Some(context) = pe.context(slot) {
            context.forget_interrupts();
        }
        self.pend_npi_again(slot, index, &mut pe.held);
        self.refresh_if_needed(pe, slot);
    }

    /// A partition's devices interrupt nobody any more.
    #[cold]
    pub(super) fn silence(&self, slot: Slot, machine: &mut impl Machine) {
        for intid in self.devices(slot) {
            machine.reset(*intid, self.news.on());
        }
        for index in 0..MAX_CPUS as u16 {
            let own = self.virtuals(slot, index);
            own.watch(crate::virtual_interrupts::NEVER, index);
            while let Some((interrupt, core)) = own.with(|queue| queue.let_go(true)) {
                machine.deactivate(interrupt.id(self.devices(slot)), core);
            }
        }
    }

    /// The interrupts of devices that a context has, taken or not, may come again.
    pub(super) fn drop_active(&self, pe: &Pe<'c, M>, slot: Slot, machine: &mut impl Machine) {
        let own = self.own_virtuals(pe, slot);
        while let Some((interrupt, core)) = own.with(|queue| queue.let_go(true)) {
            machine.deactivate(interrupt.id(self.devices(slot)), core);
        }
    }

    /// A partition has failed as a whole: its context on this core is dead, unless it runs or waits
    /// for a callee: the first is stopped by [`dispatch`](Self::dispatch), the other when its callee
    /// comes back.
    fn stop_idle(&self, pe: &mut Pe<'c, M>, slot: Slot) {
        if let Some(context) = pe.context(slot) {
            let idle = match context.state() {
                State::Waiting | State::Preempted | State::Created => true,
                State::Blocked => !context.is_in_chain(),
                _ => false,
            };
            if idle {
                self.kill(pe, slot);
            }
        }
    }
}
