//! Who runs after an interrupt.

use super::super::{Look, Machine, Next, Outcome, Pe, Spmc};
use super::Mask;
use crate::{
    context::{Giver, NsAction, Registers, Slot, WaitsFor},
    state::{Event, Model, State},
    virtual_interrupts::Interrupt,
};
use ffa_abi::{EndpointId, Function, Regs, Reply, TargetInfo};

/// What became of an interrupt that a context has.
enum Delivery {
    /// Somebody else runs.
    Runs(Outcome),
    /// Nothing changed but what is noted of it.
    Noted,
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// All interrupts that were pending on this core were taken from `current`, or from the normal
    /// world (`None`): who runs.
    #[cold]
    #[inline(never)]
    pub fn dispatch(
        &self,
        pe: &mut Pe<'c, M>,
        current: Option<Slot>,
        machine: &mut impl Machine,
    ) -> Outcome {
        self.pass_on(pe, machine);
        let mut mask = Mask::Open;
        if let Some(slot) = current {
            if !self.is_alive(slot) {
                return self.stopped_elsewhere(pe, slot, machine);
            }
            self.refresh(pe, slot);
            mask = self.mask(pe, slot);
        }
        if mask != Mask::Own {
            while pe.due != 0 {
                let slot = Slot(pe.due.trailing_zeros() as u8);
                pe.due &= pe.due.wrapping_sub(1);
                if let Delivery::Runs(outcome) = self.deliver(pe, current, slot, machine) {
                    return self.finish(pe, outcome, machine);
                }
            }
        }
        let same = match current {
            Some(slot) => Next::Partition(slot),
            None => Next::NormalWorldResume,
        };
        self.finish(pe, Outcome::to(same), machine)
    }

    /// What another core has to see to it is told of at once, whatever is masked here.
    fn pass_on(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) {
        let mut left = pe.due;
        while left != 0 {
            let slot = Slot(left.trailing_zeros() as u8);
            left &= left.wrapping_sub(1);
            if self.is_alive(slot) && self.look(pe, slot).is_none() {
                pe.due &= !(1 << slot.index());
                self.elsewhere(pe, slot, machine);
            }
        }
    }

    /// Delivers what is pending for a partition's context of this core, if that can be now.
    fn deliver(
        &self,
        pe: &mut Pe<'c, M>,
        current: Option<Slot>,
        slot: Slot,
        machine: &mut impl Machine,
    ) -> Delivery {
        let Some(partition) = self.partitions.get(slot.index()) else {
            return Delivery::Noted;
        };
        if !partition.life.is_alive() {
            self.silence(slot, machine);
            return Delivery::Noted;
        }
        if !self.own_virtuals(pe, slot).wakes() {
            self.show(pe, slot, machine);
            return Delivery::Noted;
        }
        let rules = partition.info.rules;
        let Some(look) = self.look(pe, slot) else {
            self.elsewhere(pe, slot, machine);
            return Delivery::Noted;
        };
        match look.state {
            State::Waiting if rules.sri_waiting => {
                // Whoever calls it in the short way raises its line.
                self.refresh(pe, slot);
                pe.sri = true;
                Delivery::Noted
            }
            State::Waiting => {
                // Another core may have had it meanwhile, and dealt with the interrupt.
                let own = self.own_virtuals(pe, slot);
                let wanted = |now: &Look| now.state == State::Waiting && own.wakes();
                match self.claim(pe, slot, wanted) {
                    true => Delivery::Runs(self.enter_for_interrupt(pe, current, slot)),
                    false if own.wakes() => {
                        self.elsewhere(pe, slot, machine);
                        Delivery::Noted
                    }
                    false => Delivery::Noted,
                }
            }
            State::Blocked if look.waits_for != WaitsFor::Cycles && !partition.info.el0 => {
                match current {
                    // Its callee runs, or calls who runs.
                    Some(running) if self.precedes(pe, slot, running) => {
                        Delivery::Runs(self.back_out(pe, running, slot, machine))
                    }
                    _ => Delivery::Noted,
                }
            }
            // Who runs has its line raised; whoever has not the core finds it raised later.
            _ => {
                self.refresh(pe, slot);
                Delivery::Noted
            }
        }
    }

    /// A context has nothing to run for: its lines are as its interrupts say.
    #[cold]
    fn show(&self, pe: &mut Pe<'c, M>, slot: Slot, machine: &mut impl Machine) {
        match self.look(pe, slot) {
            Some(_) => self.refresh_if_needed(pe, slot),
            None if self.own_virtuals(pe, slot).is_deliverable() => {
                self.elsewhere(pe, slot, machine);
            }
            None => {}
        }
    }

    /// Another core has the context: it is to look.
    pub(in crate::spm) fn elsewhere(&self, pe: &Pe<'c, M>, slot: Slot, machine: &mut impl Machine) {
        let at = self.whereabouts(slot);
        if at != pe.index {
            self.notify(at, slot, machine);
        }
    }

    /// A context that waited runs, to deal with its interrupt.
    fn enter_for_interrupt(
        &self,
        pe: &mut Pe<'c, M>,
        current: Option<Slot>,
        slot: Slot,
    ) -> Outcome {
        let giver = match current {
            Some(running) => {
                if let Some(context) = pe.context(running) {
                    context.transition(Event::Preempt);
                }
                Giver::Interrupted(running)
            }
            None => Giver::InterruptedNormalWorld,
        };
        self.announce(pe, slot, giver);
        Outcome::to(Next::Partition(slot))
    }

    /// A context that waits is told with `FFA_INTERRUPT` of its oldest interrupt; `giver` is who goes
    /// on when it has dealt with it.
    pub(super) fn announce(&self, pe: &mut Pe<'c, M>, slot: Slot, giver: Giver) {
        let own = self.own_virtuals(pe, slot);
        let el0 = pe.context(slot).is_some_and(|context| context.el0);
        let oldest = own.with(|queue| match el0 {
            true => queue.take(),
            false => queue.name_oldest(),
        });
        let intid = oldest.map_or(0, |interrupt| interrupt.id(self.devices(slot)));
        if let Some(context) = pe.context(slot) {
            context.transition(Event::Enter);
            context.model = Model::SecureInterrupt;
            context.giver = giver;
            let nobody = TargetInfo {
                endpoint: EndpointId(0),
                context: 0,
            };
            Reply::interrupt(nobody, intid).write(context.machine.x());
        }
        self.refresh(pe, slot);
    }

    /// `running` is preempted, and who called it is told; `slot`, further back in the chain, has an
    /// interrupt. One step at a time: another interrupt of this core's own follows at once if `slot`
    /// is not the caller itself.
    fn back_out(
        &self,
        pe: &mut Pe<'c, M>,
        running: Slot,
        slot: Slot,
        machine: &mut impl Machine,
    ) -> Outcome {
        let outcome = self.preempt(pe, running);
        if outcome.next == Next::Partition(slot) {
            if let Some(context) = pe.context(slot) {
                context.drains = true;
            }
            self.refresh(pe, slot);
        } else {
            pe.due |= 1 << slot.index();
            machine.kick(pe.index);
        }
        outcome
    }

    /// A partition that runs here has failed on another core.
    fn stopped_elsewhere(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        machine: &mut impl Machine,
    ) -> Outcome {
        let outcome = self.stop_running(pe, slot);
        // What else was taken with the news.
        if pe.due != 0 {
            machine.kick(pe.index);
        }
        self.finish(pe, outcome, machine)
    }

    /// An interrupt of the normal world arrived while `slot` ran, and its mask lets it through: the
    /// partition is preempted, and who gave it cycles is told with `FFA_INTERRUPT`; or it is asked to
    /// make room (managed exit), and runs on with the normal world's interrupts masked. The interrupt
    /// stays pending.
    #[cold]
    #[inline(never)]
    pub fn normal_world_interrupt(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        machine: &mut impl Machine,
    ) -> Outcome {
        if !self.is_alive(slot) {
            return self.stopped_elsewhere(pe, slot, machine);
        }
        // It came before the mask was tight, and is masked now.
        if self.mask(pe, slot) != Mask::Open {
            return Outcome::to(Next::Partition(slot));
        }
        let rules = self.info(slot).map(|info| info.rules).unwrap_or_default();
        if rules.ns_action == NsAction::ManagedExit {
            self.own_virtuals(pe, slot)
                .with(|queue| queue.pend(Interrupt::MANAGED_EXIT));
            if let Some(context) = pe.context(slot) {
                context.managed_exit = true;
            }
            self.refresh(pe, slot);
            return Outcome::to(Next::Partition(slot));
        }
        let outcome = self.preempt(pe, slot);
        self.finish(pe, outcome, machine)
    }

    /// `slot` is preempted, and who gave it cycles gets them back.
    fn preempt(&self, pe: &mut Pe<'c, M>, slot: Slot) -> Outcome {
        let interrupt = Reply::interrupt(self.target(pe, slot), 0);
        let Some(context) = pe.context(slot) else {
            return Outcome::to(Next::NormalWorld);
        };
        context.transition(Event::Preempt);
        let giver = context.giver;
        let left = Some(context.left(slot));
        Outcome {
            next: self.complete(pe, giver, interrupt),
            left,
        }
    }

    /// A Group 0 interrupt, which is EL3's, arrived while `slot` ran, which goes on.
    #[cold]
    #[inline(never)]
    pub fn group0(&self, slot: Slot, machine: &mut impl Machine) -> Outcome {
        let mut regs = Regs::ZERO;
        regs[0] = Function::El3IntrHandle.raw32().into();
        machine.el3(&mut regs);
        Outcome::to(Next::Partition(slot))
    }
}
