//! Taking a state of the core apart and putting it together again, for tests that go on from a state
//! that they have noted. Only with the feature `snapshot`; nothing here runs in firmware.

use super::{Left, Negotiated, Pe, Spmc, memory::Shares};
use crate::{
    context::{Context, Registers, Slot},
    locks,
    virtual_interrupts::VirtualNote,
};
use core::sync::atomic::Ordering;
use ffa_abi::Version;

/// What all cores know of an endpoint that may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Negotiation {
    /// Its version.
    pub version: Version,
    /// Whether that is fixed.
    pub locked: bool,
}

/// Bit 31 of what is remembered of a version: whether it is fixed.
const LOCKED: u32 = 1 << 31;

fn note(version: &Negotiated) -> Negotiation {
    Negotiation {
        version: version.get(),
        locked: version.raw() & LOCKED != 0,
    }
}

fn restore(version: &Negotiated, noted: Negotiation) {
    let lock = if noted.locked { LOCKED } else { 0 };
    version.set_raw(noted.version.raw() | lock);
}

/// What a core remembers beside contexts and registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CoreNote {
    /// Partitions whose interrupts are to be looked at, one bit for each.
    pub due: u32,
    /// Whether the schedule receiver interrupt is to be raised.
    pub sri: bool,
    /// How many partitions were told, or passed over, that the core goes off.
    pub told: u8,
}

impl<'c, M> Pe<'c, M> {
    /// Notes what the core remembers.
    pub const fn note(&self) -> CoreNote {
        CoreNote {
            due: self.due,
            sri: self.sri,
            told: self.told,
        }
    }

    /// Goes back to what was noted.
    pub const fn restore(&mut self, noted: CoreNote) {
        self.due = noted.due;
        self.sri = noted.sri;
        self.told = noted.told;
    }

    /// Takes the context of `slot` off this core.
    pub fn take(&mut self, slot: Slot) -> Option<&'c mut Context<M>> {
        self.contexts[slot.index()].take()
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Takes the single context of `slot` if no core has it.
    pub fn unpark(&self, slot: Slot) -> Option<&'c mut Context<M>> {
        let parked = &self.partitions.get(slot.index())?.parked;
        locks::run(|held| parked.with(held, |parked, _| parked.take()))
    }

    /// Leaves the single context of `slot` to all cores. It was on none.
    pub fn leave(&self, slot: Slot, context: &'c mut Context<M>) {
        context.migrates = true;
        if let Some(partition) = self.partitions.get(slot.index()) {
            locks::run(|held| {
                partition
                    .parked
                    .with(held, |parked, _| *parked = Some(context))
            });
        }
    }

    /// What is known of a partition's version, or of the normal world's (`None`).
    pub fn negotiation(&self, of: Option<Slot>) -> Option<Negotiation> {
        match of {
            Some(slot) => Some(note(&self.partitions.get(slot.index())?.version)),
            None => Some(note(&self.normal_world)),
        }
    }

    /// Sets the version of a partition, or of the normal world (`None`).
    pub fn set_negotiation(&self, of: Option<Slot>, noted: Negotiation) {
        match of {
            Some(slot) => {
                if let Some(partition) = self.partitions.get(slot.index()) {
                    restore(&partition.version, noted);
                    partition.open.work_out(&partition.info, noted.version);
                }
            }
            None => restore(&self.normal_world, noted),
        }
    }

    /// Which contexts of a partition are known to be gone for good: one bit for each.
    pub fn gone(&self, slot: Slot) -> u32 {
        self.partitions
            .get(slot.index())
            .map_or(0, |partition| partition.dead.load(Ordering::Relaxed))
    }

    /// Sets which contexts of a partition are gone for good.
    pub fn set_gone(&self, slot: Slot, gone: u32) {
        if let Some(partition) = self.partitions.get(slot.index()) {
            partition.dead.store(gone, Ordering::Relaxed);
        }
    }

    /// Whether a partition can be called, and which of its lives it has: a number to be given back
    /// to [`set_life`](Self::set_life).
    pub fn life(&self, slot: Slot) -> u32 {
        self.partitions
            .get(slot.index())
            .map_or(0, |partition| partition.life.word())
    }

    /// Goes back to a life that was noted, in which no core has gone off.
    pub fn set_life(&self, slot: Slot, life: u32) {
        if let Some(partition) = self.partitions.get(slot.index()) {
            partition.life.set_word(life);
            if !partition.life.is_alive() {
                partition.open.close();
            }
            for epoch in &partition.epochs {
                epoch.store(0, Ordering::Relaxed);
            }
        }
    }

    /// The number of the present life of a partition's context on core `core`.
    pub fn life_of_context(&self, slot: Slot, core: u16) -> u16 {
        self.incarnation(slot, core)
    }

    /// What is known of the virtual interrupts of a partition's context with this index.
    pub fn interrupts(&self, slot: Slot, index: u16) -> VirtualNote {
        self.virtuals(slot, index).note()
    }

    /// Goes back to what was noted of them.
    pub fn set_interrupts(&self, slot: Slot, index: u16, noted: &VirtualNote) {
        self.virtuals(slot, index).restore(noted);
    }

    /// The cores that are on, and what is left for this one, one bit for each partition.
    pub fn news(&self, core: u16) -> (u32, u32) {
        (self.news.on(), self.news.left_for(core))
    }

    /// Sets the same.
    pub fn set_news(&self, core: u16, is_on: bool, left: u32) {
        let _ = self.news.switch_off(core);
        if is_on {
            self.news.switch_on(core);
        }
        self.news.set_left(core, left);
    }

    /// Gives `work` the ownership map and the memory transactions.
    pub fn with_sharing<R>(&self, work: impl FnOnce(&Shares) -> R) -> R {
        locks::run(|held| self.memory.with(held, |memory, _| work(&memory.sharing)))
    }

    /// The token of a context that left `pe` and was not saved when its state was noted.
    pub fn left(&self, pe: &mut Pe<'c, M>, slot: Slot) -> Option<Left> {
        Some(pe.context(slot)?.left(slot))
    }
}
