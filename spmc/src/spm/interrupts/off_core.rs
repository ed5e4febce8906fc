//! What is to be done when a context leaves the core: interrupts that it has taken may come again,
//! and one that it has not taken keeps it (DEN0077A, "Interception of the direct response and of
//! FFA_MSG_WAIT").

use super::super::{Machine, Next, Outcome, Pe, Spmc};
use crate::{
    context::{Giver, Registers, Slot},
    state::{Event, State},
    virtual_interrupts::Interrupt,
};

impl<'c, M: Registers> Spmc<'c, M> {
    /// The context of `slot` has made a call that led to `outcome`. If it waits now, and a virtual
    /// interrupt of its own is pending, it is told of that instead, and whoever had the turn has it
    /// later, with its call complete.
    pub(in crate::spm) fn off_core(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        outcome: Outcome,
        machine: &mut impl Machine,
    ) -> Outcome {
        let own = self.own_virtuals(pe, slot);
        let Some(context) = pe.context(slot) else {
            return outcome;
        };
        let state = context.state();
        let goes = state == State::Waiting || (state == State::Blocked && outcome.left.is_some());
        if !goes || !(context.wants_attention() || own.is_deliverable()) {
            return outcome;
        }
        context.managed_exit = false;
        context.drains = false;
        own.with(|queue| {
            queue.clear(Interrupt::MANAGED_EXIT);
            // It was named to it, and it asked for none since: that was all it wanted to know.
            queue.leave_named(state == State::Waiting);
        });
        self.let_go(pe, slot, machine);
        self.refresh(pe, slot);
        let pending = own.wakes();
        let rules = self.info(slot).map(|info| info.rules).unwrap_or_default();
        if !pending || state != State::Waiting {
            return outcome;
        }
        if rules.sri_leaving {
            // It is named anew, though it was named before for what it has dealt with.
            own.untell();
            pe.sri = true;
            return outcome;
        }
        self.intercept(pe, slot, outcome)
    }

    /// The interrupts of devices that a context has taken may come again.
    pub(super) fn let_go(&self, pe: &Pe<'c, M>, slot: Slot, machine: &mut impl Machine) {
        let own = self.own_virtuals(pe, slot);
        while let Some((interrupt, core)) = own.with(|queue| queue.let_go(false)) {
            machine.deactivate(interrupt.id(self.devices(slot)), core);
        }
    }

    fn intercept(&self, pe: &mut Pe<'c, M>, slot: Slot, outcome: Outcome) -> Outcome {
        let giver = match outcome.next {
            Next::Partition(next) => {
                if let Some(context) = pe.context(next) {
                    context.transition(Event::Preempt);
                }
                Giver::Interrupted(next)
            }
            Next::NormalWorld => Giver::AnsweredNormalWorld,
            Next::NormalWorldResume => Giver::InterruptedNormalWorld,
            Next::Booted => Giver::InterruptedBoot,
            Next::PowerOff => Giver::PowerOff,
            Next::Reload(_) | Next::Wipe(_) => return outcome,
        };
        self.announce(pe, slot, giver);
        Outcome::to(Next::Partition(slot))
    }
}
