//! The steps that changes are made of. Each descends from the root, over the entries that a range touches; three levels
//! deep at most.

use super::descriptor::{self, Entry};
use super::pool::{Chain, ENTRIES, Table, Tables};
use super::{Attr, Flush, Level, Mapping, Stage2Error};
use core::ops::Range;

/// The part of a range that one entry covers.
pub(super) struct Part {
    /// Which entry of its table.
    pub(super) index: usize,
    /// First IPA that the entry covers.
    pub(super) slot: u64,
    /// The IPAs that are both the entry's and the range's.
    pub(super) range: Range<u64>,
    /// Whether that is all of the entry.
    whole: bool,
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
        let slot = rest.start - rest.start % size;
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
        part.whole && self.pa_at(part.slot).is_multiple_of(level.size())
    }
}

/// What every step needs at hand.
pub(super) struct Change<'a> {
    pub(super) pool: &'a dyn Tables,
    pub(super) vmid: u16,
    pub(super) flush: &'a dyn Flush,
}

impl<'a> Change<'a> {
    fn table(&self, pa: u64) -> Result<&'a Table, Stage2Error> {
        self.pool.table(pa).ok_or(Stage2Error::Corrupt)
    }

    /// How many tables mapping `range` takes. An error if a page of it is mapped.
    pub(super) fn tables_to_map(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        mapping: &Mapping,
    ) -> Result<usize, Stage2Error> {
        let table = self.table(table)?;
        let budget = self.pool.available();
        let mut needed = 0usize;
        for part in parts(level, range) {
            let more = match (Entry::decode(table.get(part.index), level), level.below()) {
                (Entry::Leaf { .. }, _) => {
                    return Err(Stage2Error::Overlap {
                        ipa: part.range.start,
                    });
                }
                (Entry::Table(next), Some(below)) => {
                    self.tables_to_map(next, below, part.range, mapping)?
                }
                (Entry::Invalid, Some(below)) if !mapping.fits(&part, level) => {
                    tables_for_fresh(below, part.range, mapping).saturating_add(1)
                }
                _ => 0,
            };
            needed = needed.saturating_add(more);
            // An overlap further on would be the better answer, but a walk of the whole space is not worth it.
            if needed > budget {
                return Err(Stage2Error::OutOfTables);
            }
        }
        Ok(needed)
    }

    /// Maps `range`, all of it invalid, with tables from `reserved`.
    pub(super) fn map(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        mapping: &Mapping,
        reserved: &mut Chain,
    ) -> Result<(), Stage2Error> {
        let table = self.table(table)?;
        for part in parts(level, range) {
            match (Entry::decode(table.get(part.index), level), level.below()) {
                (Entry::Table(next), Some(below)) => {
                    self.map(next, below, part.range, mapping, reserved)?;
                }
                (_, Some(below)) if !mapping.fits(&part, level) => {
                    let (next, _) = reserved.pop(self.pool).ok_or(Stage2Error::OutOfTables)?;
                    // Filled first: a walker sees all of it or nothing.
                    self.map(next, below, part.range, mapping, reserved)?;
                    table.set(part.index, descriptor::table(next));
                }
                _ => {
                    let pa = mapping.pa_at(part.slot);
                    table.set(part.index, descriptor::leaf(pa, mapping.attr, level));
                }
            }
        }
        Ok(())
    }

    /// How many tables it takes until `range` begins and ends at leaves' borders, and how many leaves it then has. An
    /// error if a page of it is not mapped.
    pub(super) fn tables_to_split(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
    ) -> Result<(usize, usize), Stage2Error> {
        let table = self.table(table)?;
        let mut tables = 0usize;
        let mut leaves = 0usize;
        for part in parts(level, range) {
            let (more_tables, more_leaves) =
                match (Entry::decode(table.get(part.index), level), level.below()) {
                    (Entry::Table(next), Some(below)) => {
                        self.tables_to_split(next, below, part.range)?
                    }
                    (Entry::Leaf { .. }, Some(below)) if !part.whole => {
                        let (tables, leaves) = tables_for_split(below, part.range);
                        (tables.saturating_add(1), leaves)
                    }
                    (Entry::Leaf { .. }, _) => (0, 1),
                    _ => {
                        return Err(Stage2Error::NotMapped {
                            ipa: part.range.start,
                        });
                    }
                };
            tables = tables.saturating_add(more_tables);
            leaves = leaves.saturating_add(more_leaves);
        }
        Ok((tables, leaves))
    }

    /// Splits the blocks that `range` cuts, with tables from `reserved`. What the guest sees stays the same, except that
    /// a block is absent for a moment.
    pub(super) fn split(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        reserved: &mut Chain,
    ) -> Result<(), Stage2Error> {
        let Some(below) = level.below() else {
            return Ok(());
        };
        let table = self.table(table)?;
        for part in parts(level, range) {
            let next = match Entry::decode(table.get(part.index), level) {
                Entry::Table(next) => next,
                Entry::Leaf { pa, attr } if !part.whole => {
                    let (next, fresh) = reserved.pop(self.pool).ok_or(Stage2Error::OutOfTables)?;
                    let mut piece = pa;
                    for index in 0..ENTRIES {
                        fresh.set(index, descriptor::leaf(piece, attr, below));
                        piece = piece.wrapping_add(below.size());
                    }
                    // Break before make: a block and the table in its place must never be in one TLB.
                    table.set(part.index, 0);
                    self.flush.ipa(self.vmid, part.slot);
                    table.set(part.index, descriptor::table(next));
                    self.flush.publish();
                    next
                }
                _ => continue,
            };
            self.split(next, below, part.range, reserved)?;
        }
        Ok(())
    }

    /// Takes the leaves of `range` away, which cuts none, and then the tables that are empty. Flushes each leaf if told
    /// to do it singly; the tables it leaves to the caller.
    pub(super) fn clear(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        singly: bool,
        unlinked: &mut Chain,
    ) -> Result<(), Stage2Error> {
        let table = self.table(table)?;
        for part in parts(level, range) {
            match (Entry::decode(table.get(part.index), level), level.below()) {
                (Entry::Table(next), Some(below)) => {
                    self.clear(next, below, part.range, singly, unlinked)?;
                    if self.table(next)?.is_empty() {
                        table.set(part.index, 0);
                        unlinked.push(self.pool, next);
                    }
                }
                (Entry::Leaf { .. }, _) => {
                    table.set(part.index, 0);
                    if singly {
                        self.flush.ipa(self.vmid, part.slot);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a leaf of `range` has another memory type than `attr`.
    pub(super) fn changes_memory(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        attr: Attr,
    ) -> Result<bool, Stage2Error> {
        let table = self.table(table)?;
        for part in parts(level, range) {
            let changes = match (Entry::decode(table.get(part.index), level), level.below()) {
                (Entry::Table(next), Some(below)) => {
                    self.changes_memory(next, below, part.range, attr)?
                }
                (Entry::Leaf { attr: old, .. }, _) => old.memory != attr.memory,
                _ => false,
            };
            if changes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the leaves of `range` invalid, their addresses kept for [`Change::rewrite`].
    pub(super) fn park(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        singly: bool,
    ) -> Result<(), Stage2Error> {
        let table = self.table(table)?;
        for part in parts(level, range) {
            let bits = table.get(part.index);
            match (Entry::decode(bits, level), level.below()) {
                (Entry::Table(next), Some(below)) => self.park(next, below, part.range, singly)?,
                _ => {
                    table.set(part.index, descriptor::park(bits));
                    if singly {
                        self.flush.ipa(self.vmid, part.slot);
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives the leaves of `range`, parked or not, these attributes.
    pub(super) fn rewrite(
        &self,
        table: u64,
        level: Level,
        range: Range<u64>,
        attr: Attr,
        singly: bool,
    ) -> Result<(), Stage2Error> {
        let table = self.table(table)?;
        for part in parts(level, range) {
            let bits = table.get(part.index);
            match (Entry::decode(bits, level), level.below()) {
                (Entry::Table(next), Some(below)) => {
                    self.rewrite(next, below, part.range, attr, singly)?;
                }
                _ => {
                    let pa = descriptor::address(bits);
                    table.set(part.index, descriptor::leaf(pa, attr, level));
                    if singly {
                        self.flush.ipa(self.vmid, part.slot);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes all tables below `table` out and leaves it empty. Nobody walks them any more.
    pub(super) fn dismantle(&self, table: u64, level: Level, unlinked: &mut Chain) {
        let Some(entries) = self.pool.table(table) else {
            return;
        };
        for index in 0..ENTRIES {
            if let (Entry::Table(next), Some(below)) =
                (Entry::decode(entries.get(index), level), level.below())
            {
                self.dismantle(next, below, unlinked);
                unlinked.push(self.pool, next);
            }
            entries.set(index, 0);
        }
    }
}

/// How many tables below it a new, empty table of `level` needs to map `range`.
fn tables_for_fresh(level: Level, range: Range<u64>, mapping: &Mapping) -> usize {
    let Some(below) = level.below() else {
        return 0;
    };
    parts(level, range)
        .filter(|part| !mapping.fits(part, level))
        .map(|part| tables_for_fresh(below, part.range, mapping).saturating_add(1))
        .fold(0, usize::saturating_add)
}

/// How many tables below it a new table of `level`, full of leaves, needs until `range` cuts none, and how many leaves
/// the range has then.
fn tables_for_split(level: Level, range: Range<u64>) -> (usize, usize) {
    parts(level, range)
        .map(|part| match level.below() {
            Some(below) if !part.whole => {
                let (tables, leaves) = tables_for_split(below, part.range);
                (tables.saturating_add(1), leaves)
            }
            _ => (0, 1),
        })
        .fold(
            (0, 0),
            |(tables, leaves): (usize, usize), (more_tables, more_leaves)| {
                (
                    tables.saturating_add(more_tables),
                    leaves.saturating_add(more_leaves),
                )
            },
        )
}
