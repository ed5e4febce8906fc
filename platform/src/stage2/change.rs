//! The steps that changes are made of. Each descends from the root, over the entries that a range touches; three levels
//! deep at most.

use super::descriptor::{self, Entry};
use super::node::{Contents, ENTRIES, Node};
use super::pool::{Chain, Tables};
use super::{Flush, Level, Mapping, Stage2Error};
use core::ops::Range;

/// The part of a range that one entry covers.
#[derive(Clone)]
pub(super) struct Part {
    /// Which entry of its table.
    pub(super) index: usize,
    /// First IPA that the entry covers.
    pub(super) slot: u64,
    /// The IPAs that are both the entry's and the range's.
    pub(super) range: Range<u64>,
    /// Whether that is all of the entry.
    pub(super) whole: bool,
}

impl Part {
    /// The entry at `level` that covers `ipa`; None beyond the IPA space.
    pub(super) fn of(level: Level, ipa: u64) -> Option<Self> {
        parts(level, ipa..ipa.checked_add(1)?).next()
    }
}

/// The entries at `level` that `range` touches. The range lies inside one table.
fn parts(level: Level, range: Range<u64>) -> impl Iterator<Item = Part> {
    let size = level.size();
    let mut rest = range;
    core::iter::from_fn(move || {
        if rest.is_empty() || rest.start >= 1 << super::IPA_BITS {
            return None;
        }
        let slot = rest.start & !(size - 1);
        let end = slot.saturating_add(size).min(rest.end);
        let range = rest.start..end;
        rest.start = end;
        Some(Part {
            index: (slot / size % ENTRIES as u64) as usize,
            slot,
            whole: range.start == slot && end - slot == size,
            range,
        })
    })
}

impl Mapping {
    /// Where an IPA of this mapping leads.
    const fn pa_at(&self, ipa: u64) -> u64 {
        self.pa.wrapping_add(ipa.wrapping_sub(self.ipa))
    }

    /// Whether one leaf at `level` can serve for this part.
    const fn fits(&self, part: &Part, level: Level) -> bool {
        part.whole && self.pa_at(part.slot) & (level.size() - 1) == 0
    }
}

/// What becomes of a table when the entries of a range in it were changed.
pub(super) enum After<'c> {
    /// It stays.
    Keep,
    /// If it is empty it leaves the tree. The caller has everything forgotten before it gives the tables back: a walker
    /// may have a table's address cached.
    Prune(&'c mut Chain),
    /// If it came of a block, lost no entry, and all of them are again what they were then, it is a block again.
    Join,
}

/// What every step needs at hand.
pub(super) struct Change<'a> {
    pub(super) pool: &'a dyn Tables,
    pub(super) vmid: u16,
    pub(super) flush: &'a dyn Flush,
}

impl<'a> Change<'a> {
    fn table(&self, pa: u64) -> Result<Node<'a>, Stage2Error> {
        self.pool.table(pa).ok_or(Stage2Error::Corrupt)
    }

    /// Puts the tables in place that mapping `range` takes. An error if a page of it is mapped or hidden, or there are
    /// too few tables: the new ones are in place all the same, and empty.
    pub(super) fn link(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        mapping: &Mapping,
    ) -> Result<(), Stage2Error> {
        let node = self.table(table)?;
        for part in parts(level, range) {
            match (Entry::decode(node.get(part.index), level), level.below()) {
                (Entry::Leaf { .. } | Entry::Parked, _) => {
                    return Err(Stage2Error::Overlap {
                        ipa: part.range.start,
                    });
                }
                (Entry::Table(next), Some(below)) => {
                    self.link(next, below, part.range, mapping)?;
                }
                (_, Some(below)) if !mapping.fits(&part, level) => {
                    let next = self
                        .pool
                        .alloc(Contents::Invalid)
                        .ok_or(Stage2Error::OutOfTables)?;
                    node.set(level, part.index, descriptor::table(next));
                    self.link(next, below, part.range, mapping)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Maps what of `range` is not mapped. All tables are in place.
    pub(super) fn map(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        mapping: &Mapping,
    ) -> Result<(), Stage2Error> {
        let make = &mut |part: &Part, level: Level, bits: u64| {
            let free = bits == 0 && mapping.fits(part, level);
            match free {
                true => descriptor::leaf(mapping.pa_at(part.slot), mapping.attr, level),
                false => bits,
            }
        };
        self.edit(table, level, range, make, false, &mut After::Keep)
    }

    /// Splits the blocks that `range` cuts. What the guest sees stays the same, except that a block is absent for a
    /// moment. Gives the number of leaves in `range`. An error if a page of it is not mapped or there are too few
    /// tables: some are split all the same, and [`Change::join`] makes them whole.
    pub(super) fn carve(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
    ) -> Result<usize, Stage2Error> {
        let node = self.table(table)?;
        let mut leaves = 0usize;
        for part in parts(level, range) {
            let more = match (Entry::decode(node.get(part.index), level), level.below()) {
                (Entry::Table(next), Some(below)) => self.carve(next, below, part.range)?,
                (Entry::Leaf { pa, attr }, Some(below)) if !part.whole => {
                    let next = self
                        .pool
                        .alloc(Contents::Any)
                        .ok_or(Stage2Error::OutOfTables)?;
                    // Filled first: a walker sees all of it or nothing.
                    self.table(next)?.fill(below, pa, attr);
                    // A block and the table in its place must never be in one TLB.
                    node.replace(level, part.index, descriptor::table(next), || {
                        self.flush.ipa(self.vmid, part.slot);
                    });
                    self.flush.publish();
                    self.carve(next, below, part.range)?
                }
                (Entry::Leaf { .. }, _) => 1,
                _ => {
                    return Err(Stage2Error::NotMapped {
                        ipa: part.range.start,
                    });
                }
            };
            leaves = leaves.saturating_add(more);
        }
        Ok(leaves)
    }

    /// Makes a block again of what `table`'s entry leads to, a table of the level below, if that is what it was.
    fn rejoin(&self, node: Node<'_>, level: Level, part: &Part, next: u64, below: Level) {
        let Some(child) = self.pool.table(next) else {
            return;
        };
        if let Some((pa, attr)) = child.block(below) {
            let block = descriptor::leaf(pa, attr, level);
            // The pages of the table may be cached one by one.
            node.replace(level, part.index, block, || self.flush.all(self.vmid));
            self.flush.publish();
            self.pool.free(next);
        }
    }

    /// Makes blocks again of the tables around `range` that are what they were when a block was split.
    pub(super) fn join(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
    ) -> Result<(), Stage2Error> {
        let same = &mut |_: &Part, _, bits| bits;
        self.edit(table, level, range, same, false, &mut After::Join)
    }

    /// Takes the tables around `range` out that are empty.
    pub(super) fn prune(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        unlinked: &mut Chain,
    ) -> Result<(), Stage2Error> {
        let same = &mut |_: &Part, _, bits| bits;
        let after = &mut After::Prune(unlinked);
        self.edit(table, level, range, same, false, after)
    }

    /// Sets each entry in `range` that is no table to what `make` makes of it; then deals with its table. If told to,
    /// flushes each leaf that was changed.
    pub(super) fn edit(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        make: &mut impl FnMut(&Part, Level, u64) -> u64,
        singly: bool,
        after: &mut After<'_>,
    ) -> Result<(), Stage2Error> {
        let node = self.table(table)?;
        for part in parts(level, range) {
            let bits = node.get(part.index);
            if let (Entry::Table(next), Some(below)) = (Entry::decode(bits, level), level.below()) {
                self.edit(next, below, part.range.clone(), make, singly, after)?;
                match after {
                    After::Prune(unlinked) if self.table(next)?.is_empty() => {
                        node.set(level, part.index, 0);
                        unlinked.push(self.pool, next);
                    }
                    After::Join => self.rejoin(node, level, &part, next, below),
                    _ => {}
                }
                continue;
            }
            let made = make(&part, level, bits);
            if made != bits {
                node.set(level, part.index, made);
                if singly {
                    self.flush.ipa(self.vmid, part.slot);
                }
            }
        }
        Ok(())
    }

    /// Whether a leaf of `range` has another memory type than `leaf`.
    pub(super) fn changes_memory(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        memory: super::Memory,
    ) -> Result<bool, Stage2Error> {
        let node = self.table(table)?;
        for part in parts(level, range) {
            let changes = match (Entry::decode(node.get(part.index), level), level.below()) {
                (Entry::Table(next), Some(below)) => {
                    self.changes_memory(next, below, part.range, memory)?
                }
                (Entry::Leaf { attr: old, .. }, _) => old.memory != memory,
                _ => false,
            };
            if changes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes all tables below `table` out and leaves it empty. Nobody walks them any more.
    pub(super) fn dismantle(&self, table: u64, level: Level, unlinked: &mut Chain) {
        let Some(node) = self.pool.table(table) else {
            return;
        };
        for index in 0..ENTRIES {
            if let (Entry::Table(next), Some(below)) =
                (Entry::decode(node.get(index), level), level.below())
            {
                self.dismantle(next, below, unlinked);
                unlinked.push(self.pool, next);
            }
        }
        node.clear();
    }
}
