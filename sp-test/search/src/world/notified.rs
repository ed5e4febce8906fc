//! What of notifications and indirect messages a world has.

use super::World;
use crate::state::{GLOBAL, Notes, S, SLOTS};

/// Who sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The partition in this slot.
    Slot(u8),
    /// The normal world's OS, which has the id 0 and no proxy in front of it.
    Os,
    /// A VM behind the proxy.
    Vm(u8),
}

impl Who {
    /// Its id.
    pub const fn id(self) -> u16 {
        match self {
            Self::Slot(slot) => World::id(slot as usize),
            Self::Os => 0,
            Self::Vm(vm) => World::vm_id(vm),
        }
    }

    /// The place of its RX buffer.
    pub const fn buffer(self) -> usize {
        match self {
            Self::Slot(slot) => slot as usize,
            Self::Os => SLOTS,
            Self::Vm(vm) => SLOTS + 1 + vm as usize,
        }
    }

    /// Whether it is a partition.
    pub const fn is_partition(self) -> bool {
        matches!(self, Self::Slot(_))
    }
}

/// A notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who may set it when it is bound.
    pub sender: Who,
    /// Who binds it and reads it.
    pub receiver: Who,
    /// Whether each context of the receiver's has its own.
    pub per_context: bool,
    /// Its number among those of the receiver's from partitions, or from VMs.
    pub number: u8,
}

impl Notification {
    /// Whether another one is the same bit of the same receiver's: only one of them is ever bound.
    pub fn excludes(&self, other: &Self) -> bool {
        self.receiver == other.receiver
            && self.sender.is_partition() == other.sender.is_partition()
            && self.number == other.number
    }

    /// Whether the proxy keeps it, and not the SPMC.
    pub const fn is_proxys(&self) -> bool {
        matches!((self.sender, self.receiver), (Who::Vm(_), Who::Vm(_)))
    }
}

/// Something that goes wrong with what is pending, so that tests see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// What is set is not pending.
    Drops,
    /// What was read is pending still.
    DeliversTwice,
    /// What was told is told again.
    TellsTwice,
    /// What was set is set for another receiver.
    Misdirects,
    /// RX that got a message is anybody's to write.
    LosesMessage,
    /// Of a core that goes off, no other one raises the schedule receiver interrupt.
    ForgetsScheduler,
}

/// Notifications and indirect messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notified {
    /// Notifications, [`BITS`](crate::state::BITS) at most.
    pub list: &'static [Notification],
    /// Whether the scheduler is told later, if a partition wants it so.
    pub delays: bool,
    /// Whether calls are made with wrong arguments as well.
    pub wrong: bool,
    /// Who sends whom messages.
    pub messages: &'static [(Who, Who)],
    /// Whether pairs are given up and mapped again.
    pub maps: bool,
    /// What goes wrong, in tests.
    pub sabotage: Option<Sabotage>,
}

impl World {
    /// The same with notifications and indirect messages.
    pub(super) fn notifying(self, notified: Notified) -> Self {
        Self {
            notified: Some(notified),
            ..self
        }
    }

    /// The notifications.
    pub fn list(&self) -> &'static [Notification] {
        self.notified.map_or(&[], |notified| notified.list)
    }

    /// Who sends whom messages.
    pub fn messages(&self) -> &'static [(Who, Who)] {
        self.notified.map_or(&[], |notified| notified.messages)
    }

    /// Whether an endpoint receives notifications.
    pub fn is_notified(&self, who: Who) -> bool {
        let receives = self.list().iter().any(|one| one.receiver == who);
        receives || self.messages().iter().any(|(_, to)| *to == who)
    }

    /// Whether an endpoint exchanges messages.
    pub fn has_pair(&self, who: Who) -> bool {
        let mut all = self.messages().iter();
        all.any(|(from, to)| *from == who || *to == who)
    }

    /// How many contexts, or vCPUs, an endpoint has.
    pub fn contexts_of(&self, who: Who) -> u16 {
        match who {
            Who::Slot(slot) => self.info(usize::from(slot)).contexts,
            Who::Os => 1,
            Who::Vm(vm) => self.vms[usize::from(vm)].vcpus.into(),
        }
    }

    /// The notifications that an endpoint receives, by their places.
    pub fn received_by(&self, who: Who) -> impl Iterator<Item = usize> {
        let all = self.list().iter().enumerate();
        all.filter(move |(_, one)| one.receiver == who)
            .map(|(place, _)| place)
    }

    /// Whether a context of an endpoint's has anything to read, of whatever kind.
    pub fn has_for(&self, notes: &Notes, who: Who, context: u16) -> bool {
        notes.unread[who.buffer()].iter().any(Option::is_some)
            || self
                .received_by(who)
                .any(|place| notes.bits[place].is_for(context))
    }

    /// The contexts of the partition in `slot` that take part in what is set for these, [`GLOBAL`] for
    /// all: by their numbers.
    pub fn contexts_for(&self, slot: u8, pending: u8) -> impl Iterator<Item = usize> {
        let all = self.contexts.iter().enumerate();
        all.filter(move |(_, (of, index))| *of == slot && pending & (GLOBAL | 1 << index) != 0)
            .map(|(number, _)| number)
    }

    /// Who makes a call on a core: a partition, the OS, or the VM whose vCPU runs.
    pub fn who(&self, s: &S, core: usize) -> Who {
        match s.core[core].now {
            crate::state::Now::Slot(slot) => Who::Slot(slot),
            _ if self.has_proxy() => {
                let top = s.core[core].chain.iter().rev().flatten().next();
                Who::Vm(top.map_or(0, |top| self.vcpus[usize::from(*top)].0))
            }
            _ => Who::Os,
        }
    }
}
