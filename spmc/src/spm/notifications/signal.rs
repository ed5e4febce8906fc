//! How receivers and their schedulers hear of what is pending: the notification pending interrupt, the
//! schedule receiver interrupt, and the framework's own notification.

use super::super::{Machine, Pe, Spmc, direct::Sender};
use super::OfPartition;
use crate::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{Giver, PartitionInfo, Registers, Slot},
    locks::Held,
    virtual_interrupts::Interrupt,
};
use ffa_abi::EndpointId;

/// Contexts of a partition, one bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::spm) struct Contexts(u32);

impl Contexts {
    pub(super) const NONE: Self = Self(0);

    /// One of them, or all `count` (`None`).
    pub(super) const fn of(one: Option<u16>, count: u16) -> Self {
        const { assert!(MAX_CPUS < 32) };
        match one {
            Some(n) => Self(1 << (n & 31)),
            None => Self((1 << (count & 31)) - 1),
        }
    }

    pub(super) const fn add(&mut self, index: u16) {
        self.0 |= 1 << (index & 31);
    }
}

impl Iterator for Contexts {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let lowest = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (lowest < u32::BITS).then_some(lowest as u16)
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// The NPI is pending for these contexts, if they have virtual interrupts that they see and their
    /// core is on: when one is on again, its context [starts](Self::pend_npi_again). Those for which it was
    /// not pending before are given to [`show_npi`](Self::show_npi) then: who sets the same again and again
    /// interrupts nobody again.
    #[inline]
    pub(super) fn pend_npi(&self, slot: Slot, contexts: Contexts) -> Contexts {
        let mut new = Contexts::NONE;
        let Some(info) = self.info(slot).filter(|info| !info.el0) else {
            return new;
        };
        for index in self.there(info, contexts) {
            let queue = self.virtuals(slot, index);
            if queue.with(|queue| queue.pend(Interrupt::NOTIFICATION_PENDING)) {
                new.add(index);
            }
        }
        new
    }

    /// The NPI is pending no more for those contexts of a partition for which nothing is: it would tell of
    /// nothing. [`show_npi`](Self::show_npi) follows, of those that are given.
    pub(super) fn take_npi_back(&self, slot: Slot, own: &OfPartition) -> Contexts {
        let mut quiet = Contexts::NONE;
        for index in self
            .all_contexts(slot)
            .filter(|index| !own.pending_for(*index))
        {
            let was = self.virtuals(slot, index).with(|queue| {
                let was = queue.is_pending(Interrupt::NOTIFICATION_PENDING);
                if was {
                    queue.clear(Interrupt::NOTIFICATION_PENDING);
                }
                was
            });
            if was {
                quiet.add(index);
            }
        }
        quiet
    }

    /// The lines of these contexts are as their interrupts say, wherever they are: those that no core
    /// has find theirs when they are entered.
    #[inline]
    pub(in crate::spm) fn show_npi(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        contexts: Contexts,
        machine: &mut impl Machine,
    ) {
        let Some(info) = self.info(slot).filter(|info| !info.el0) else {
            return;
        };
        if info.is_up() {
            if contexts != Contexts::NONE {
                match self.look(pe, slot) {
                    Some(_) => self.refresh(pe, slot),
                    None => self.elsewhere(pe, slot, machine),
                }
            }
            return;
        }
        for index in self.there(info, contexts) {
            match index == pe.index {
                true => self.refresh(pe, slot),
                false => self.notify(index, slot, machine),
            }
        }
    }

    /// Those of these contexts whose core is on; the single one is tied to none.
    fn there(&self, info: &PartitionInfo, contexts: Contexts) -> Contexts {
        match info.is_up() {
            true => contexts,
            false => Contexts(contexts.0 & self.news.on()),
        }
    }

    /// A context's interrupts are as at its first entry: what is pending for it it hears of again.
    pub(in crate::spm) fn pend_npi_again(&self, slot: Slot, index: u16, held: &mut Held<0>) {
        if self.has_notifications(slot) {
            self.notifications.of(slot).with(held, |own, _| {
                if own.pending_for(index) {
                    self.pend_npi(slot, Contexts::of(Some(index), 0));
                }
            });
        }
    }

    /// The normal world's scheduler is to ask whom to run, since `caller` has set something: at once, or when
    /// the normal world next has this core. That may be never, if this core goes off: it takes no interrupts
    /// any more then, and what was delayed is for another one.
    pub(super) fn ask_scheduler(
        pe: &mut Pe<'c, M>,
        caller: Sender,
        delay: bool,
        machine: &mut impl Machine,
    ) {
        let goes_off = match caller {
            Sender::NormalWorld => false,
            Sender::Partition(slot) => Self::goes_off(pe, slot),
        };
        match delay || goes_off {
            true => pe.sri = true,
            false => machine.schedule_receiver(),
        }
    }

    /// Whether this core goes off as soon as the call chain ends in which `slot` runs.
    fn goes_off(pe: &mut Pe<'c, M>, slot: Slot) -> bool {
        let mut current = slot;
        // A chain has no more members than there are partitions.
        for _ in 0..MAX_PARTITIONS {
            match pe.context(current).map(|context| context.giver) {
                Some(Giver::PowerOff) => return true,
                Some(Giver::Partition(previous) | Giver::Interrupted(previous)) => {
                    current = previous;
                }
                _ => return false,
            }
        }
        false
    }

    /// Notes that a message lies in the RX buffer of `receiver`. Whether anybody is to be told of it: it
    /// has notifications, and its scheduler does not know it yet. [`signal_rx_full`](Self::signal_rx_full)
    /// follows then.
    pub(in crate::spm) fn note_rx_full<const HELD: u8>(
        &self,
        receiver: EndpointId,
        held: &mut Held<HELD>,
    ) -> bool {
        if !receiver.is_secure() {
            return self.notifications.normal_world.with(held, |all, _| {
                all.find(receiver).is_some_and(|of| {
                    of.receiver.rx_full();
                    of.receiver.has_news()
                })
            });
        }
        let Some(slot) = self.find(receiver) else {
            return false;
        };
        if !self.has_notifications(slot) {
            return false;
        }
        self.notifications.of(slot).with(held, |own, _| {
            // It has failed meanwhile.
            if self.is_buried(slot) {
                return false;
            }
            own.rx_full();
            self.pend_npi(slot, self.all_contexts(slot));
            true
        })
    }

    /// Tells `receiver` and its scheduler what [`note_rx_full`](Self::note_rx_full) has noted: `caller` has sent
    /// a message.
    pub(in crate::spm) fn signal_rx_full(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Sender,
        receiver: EndpointId,
        delay: bool,
        machine: &mut impl Machine,
    ) {
        if receiver.is_secure()
            && let Some(slot) = self.find(receiver)
        {
            self.show_npi(pe, slot, self.all_contexts(slot), machine);
        }
        Self::ask_scheduler(pe, caller, delay, machine);
    }

    /// Whether `receiver` has notifications and has not read yet that a message lies in its RX buffer.
    pub(in crate::spm) fn has_unread_rx_full<const HELD: u8>(
        &self,
        receiver: EndpointId,
        held: &mut Held<HELD>,
    ) -> bool {
        if !receiver.is_secure() {
            return self.notifications.normal_world.with(held, |all, _| {
                all.find(receiver)
                    .is_some_and(|of| of.receiver.has_unread_rx_full())
            });
        }
        self.find(receiver).is_some_and(|slot| {
            let own = self.notifications.of(slot);
            own.with(held, |own, _| own.has_unread_rx_full())
        })
    }

    /// No message lies in the RX buffer of an endpoint of the normal world any more that it would read of: its
    /// pair is gone.
    pub(in crate::spm) fn forget_rx_full<const HELD: u8>(
        &self,
        receiver: EndpointId,
        held: &mut Held<HELD>,
    ) {
        self.notifications.normal_world.with(held, |all, _| {
            if let Some(of) = all.find(receiver) {
                of.receiver.rx_emptied();
            }
        });
    }

    /// The same of a partition. [`show_npi`](Self::show_npi) follows, of the contexts that are given.
    pub(in crate::spm) fn forget_rx_full_of_partition<const HELD: u8>(
        &self,
        slot: Slot,
        held: &mut Held<HELD>,
    ) -> Contexts {
        self.notifications.of(slot).with(held, |own, _| {
            own.rx_emptied();
            self.take_npi_back(slot, own)
        })
    }

    /// Whether `vm` has a bitmap.
    pub(in crate::spm) fn has_bitmap<const HELD: u8>(
        &self,
        vm: EndpointId,
        held: &mut Held<HELD>,
    ) -> bool {
        self.notifications
            .normal_world
            .with(held, |all, _| all.find(vm).is_some())
    }

    pub(super) fn all_contexts(&self, slot: Slot) -> Contexts {
        self.info(slot)
            .map_or(Contexts::NONE, |info| Contexts::of(None, info.contexts))
    }
}
