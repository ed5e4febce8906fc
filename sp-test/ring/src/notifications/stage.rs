//! Who runs where: brings an endpoint onto a core, and makes its calls.

use super::books::Books;
use crate::{
    fid,
    label::{Labels, Origin},
    random::Rng,
    world::{Taken, Who, World, id},
};
use spmc::context::Slot;
use std::collections::{BTreeMap, BTreeSet};

/// A system in which endpoints make calls.
pub(super) trait Stage {
    /// The endpoint `who`, in its context `context`, has a core: which one. `core` if it may be.
    fn bring(
        &mut self,
        books: &mut Books,
        rng: &mut Rng,
        who: u16,
        core: usize,
    ) -> Result<usize, String>;

    /// Who was brought to `core` makes a call. Gives x0 to x17 after it.
    fn call(&mut self, core: usize, who: u16, x: &[u64; 8]) -> Result<[u64; 18], String>;

    /// What waits for a core happens: interrupts of the SPMC's own.
    fn settle(&mut self, rng: &mut Rng) -> Result<(), String>;

    /// An endpoint writes into its memory.
    fn put(&mut self, address: u64, bytes: &[u8]);

    /// An endpoint fails. `false` if it can't here.
    fn end(
        &mut self,
        books: &mut Books,
        rng: &mut Rng,
        who: u16,
        core: usize,
    ) -> Result<bool, String>;

    /// Whether it finds exactly these bytes there.
    fn holds(&self, address: u64, bytes: &[u8]) -> bool;

    /// What an endpoint finds there.
    fn bytes(&self, address: u64, length: usize) -> Vec<u8>;

    /// How often the scheduler was interrupted since this was asked.
    fn scheduler_interrupts(&mut self) -> usize;

    /// Which vCPUs of VMs were told that something is pending since this was asked.
    fn vm_interrupts(&mut self) -> Vec<(u16, u16)>;

    /// Which cores the scheduler's world has, or had since this was asked.
    fn normal(&mut self) -> BTreeSet<usize>;
}

/// The slot of a partition's id.
pub(super) const fn slot_of(id: u16) -> Option<Slot> {
    match id.checked_sub(0x8001) {
        Some(n) if n < 15 => Some(Slot(n as u8)),
        _ => None,
    }
}

/// The normal world makes its calls itself, for itself and its VMs.
#[derive(Debug)]
pub(super) struct Direct<'c> {
    pub world: World<'c>,
    labels: Labels,
    /// Where partitions with a single context were interrupted.
    interrupted: BTreeMap<u8, usize>,
    /// Cores that the normal world had meanwhile.
    visited: BTreeSet<usize>,
}

impl<'c> Direct<'c> {
    pub fn new(world: World<'c>) -> Self {
        Self {
            world,
            labels: Labels::default(),
            interrupted: BTreeMap::new(),
            visited: BTreeSet::new(),
        }
    }

    /// The partition that has a core, if one has.
    pub fn running(&self, core: usize) -> Option<Slot> {
        match self.world.now(core) {
            Who::Partition(slot) => Some(slot),
            _ => None,
        }
    }

    /// The normal world has the core: a partition that had it waits, or is interrupted.
    fn leave(&mut self, books: &mut Books, rng: &mut Rng, core: usize) -> Result<(), String> {
        let Some(slot) = self.running(core) else {
            return Ok(());
        };
        leave_partition(&mut self.world, &mut self.labels, books, rng, core, slot)?;
        if self.running(core).is_some() {
            return Err(format!("{slot:?} does not leave core {core}"));
        }
        self.world.save(core);
        self.visited.insert(core);
        self.interrupted.remove(&slot.0);
        if self.world.state_anywhere(core, slot) == Some(spmc::state::State::Preempted) {
            self.interrupted.insert(slot.0, core);
        }
        Ok(())
    }
}

/// The partition that has a core waits, with or without its RX, or is interrupted.
pub(super) fn leave_partition(
    world: &mut World<'_>,
    labels: &mut Labels,
    books: &mut Books,
    rng: &mut Rng,
    core: usize,
    slot: Slot,
) -> Result<(), String> {
    let origin = Origin::Partition(slot.0);
    if rng.chance(1, 2) {
        let x = labels.frame(origin);
        world.interrupt(core, &x)?;
        return Ok(());
    }
    let keeps = rng.chance(1, 3) && world.version_of(Some(slot)) >= ffa_abi::Version::V1_2;
    let x = labels.call(origin, fid::MSG_WAIT_32, &[0, keeps.into(), 0, 0, 0, 0, 0]);
    world.partition(core, &x)?;
    if !keeps {
        books.waits(id(slot));
    }
    Ok(())
}

/// Interrupts of the SPMC's own are taken on every core where one waits.
pub(super) fn take_kicks(
    world: &mut World<'_>,
    labels: &mut Labels,
    rng: &mut Rng,
    normal: Origin,
) -> Result<(), String> {
    for core in 0..world.cores() {
        if !world.can_take(core, Taken::Kick) || rng.chance(1, 4) {
            continue;
        }
        let origin = match world.now(core) {
            Who::Partition(slot) => Origin::Partition(slot.0),
            _ => normal,
        };
        let x = labels.frame(origin);
        let before = world.now(core);
        world.take(core, normal, &x, Taken::Kick)?;
        if world.now(core) != before {
            return Err(format!("core {core}: {before:?} is interrupted for good"));
        }
    }
    Ok(())
}

impl Stage for Direct<'_> {
    fn bring(
        &mut self,
        books: &mut Books,
        rng: &mut Rng,
        who: u16,
        core: usize,
    ) -> Result<usize, String> {
        let Some(slot) = slot_of(who) else {
            self.leave(books, rng, core)?;
            return Ok(core);
        };
        let single = self.world.has_single_context(slot);
        let mut cores = 0..self.world.cores();
        if single && let Some(core) = cores.find(|core| self.running(*core) == Some(slot)) {
            return Ok(core);
        }
        let there = self.interrupted.get(&slot.0).copied().filter(|_| single);
        let core = there.unwrap_or(core);
        if self.running(core) == Some(slot) {
            return Ok(core);
        }
        self.leave(books, rng, core)?;
        let context = if single { 0 } else { core as u64 };
        let target = u64::from(who) << 16 | context;
        let x = self
            .labels
            .call(Origin::Hypervisor, fid::RUN_32, &[target, 0, 0, 0, 0, 0, 0]);
        let landing = self.world.smc(core, Origin::Hypervisor, &x)?;
        self.interrupted.remove(&slot.0);
        match landing.who == Who::Partition(slot) {
            true => Ok(core),
            false => Err(format!("{slot:?} does not run on core {core}: {landing:?}")),
        }
    }

    fn call(&mut self, core: usize, who: u16, x: &[u64; 8]) -> Result<[u64; 18], String> {
        let (call, arguments) = (x[0] as u32, &x[1..]);
        match slot_of(who) {
            Some(slot) => {
                let x = self.labels.call(Origin::Partition(slot.0), call, arguments);
                let landing = self.world.partition(core, &x)?;
                if landing.who != Who::Partition(slot) {
                    return Err(format!("{slot:?} loses the core in a call: {landing:?}"));
                }
            }
            None => {
                let x = self.labels.call(Origin::Hypervisor, call, arguments);
                let landing = self.world.smc(core, Origin::Hypervisor, &x)?;
                if landing.who != Who::Normal {
                    return Err(format!("the normal world loses core {core}: {landing:?}"));
                }
            }
        }
        let mut got = [0; 18];
        got.copy_from_slice(&self.world.registers(core)[..18]);
        Ok(got)
    }

    fn settle(&mut self, rng: &mut Rng) -> Result<(), String> {
        take_kicks(&mut self.world, &mut self.labels, rng, Origin::Hypervisor)
    }

    fn put(&mut self, address: u64, bytes: &[u8]) {
        self.world.land.put(address, bytes);
    }

    fn end(
        &mut self,
        books: &mut Books,
        rng: &mut Rng,
        who: u16,
        core: usize,
    ) -> Result<bool, String> {
        let Some(slot) = slot_of(who).filter(|slot| self.world.has_single_context(*slot)) else {
            return Ok(false);
        };
        let core = self.bring(books, rng, who, core)?;
        let landing = self.world.abort(core)?;
        if landing.who != Who::Normal {
            return Err(format!("{slot:?} fails, and {landing:?}"));
        }
        Ok(true)
    }

    fn holds(&self, address: u64, bytes: &[u8]) -> bool {
        self.world.land.holds(address, bytes)
    }

    fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        self.world.land.bytes(address, length)
    }

    fn scheduler_interrupts(&mut self) -> usize {
        self.world.scheduler_interrupts()
    }

    fn vm_interrupts(&mut self) -> Vec<(u16, u16)> {
        Vec::new()
    }

    fn normal(&mut self) -> BTreeSet<usize> {
        let mut all = std::mem::take(&mut self.visited);
        let cores = 0..self.world.cores();
        all.extend(cores.filter(|core| self.running(*core).is_none()));
        all
    }
}
