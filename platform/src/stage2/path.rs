//! From the root to an entry: the way that a change goes, kept while it goes from page to page.

use super::descriptor::{self, Entry};
use super::node::{ENTRIES, Node};
use super::pool::{Chain, Tables};
use super::{Flush, Level, ROOT_LEVEL, Regime, Stage2Error};
use core::ops::Range;

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

/// The part of a range that one entry covers.
pub(super) struct Part {
    /// First IPA that the entry covers.
    pub(super) slot: u64,
    /// The IPAs that are both the entry's and the range's.
    pub(super) range: Range<u64>,
    /// Whether that is all of the entry.
    pub(super) whole: bool,
}

/// An entry that leads to no table.
pub(super) struct Spot<'a> {
    /// Its table.
    pub(super) node: Node<'a>,
    /// The level of that.
    pub(super) level: Level,
    /// Which entry it is.
    pub(super) index: usize,
    /// What it is.
    pub(super) bits: u64,
    /// First IPA that it covers.
    slot: u64,
}

impl Spot<'_> {
    /// The part of `range`, which begins here, that the entry covers.
    pub(super) const fn part(&self, range: &Range<u64>) -> Part {
        let end = self.slot.wrapping_add(self.level.size());
        let whole = range.start == self.slot && end <= range.end;
        Part {
            slot: self.slot,
            range: range.start..if whole || end < range.end {
                end
            } else {
                range.end
            },
            whole,
        }
    }

    /// Goes on to the next entry of the same table. False if it is the last one, or the next leads to a table.
    pub(super) fn step(&mut self) -> bool {
        let index = self.index + 1;
        let bits = self.node.get(index);
        if index == ENTRIES || descriptor::next(bits, self.level).is_some() {
            return false;
        }
        self.index = index;
        self.bits = bits;
        self.slot = self.slot.wrapping_add(self.level.size());
        true
    }
}

/// A table on the way.
struct Place<'a> {
    node: Node<'a>,
    pa: u64,
    /// First IPA that it covers.
    base: u64,
}

/// The tables from the root to where a change is at work, and what it needs at hand.
pub(super) struct Path<'a> {
    pub(super) pool: &'a dyn Tables,
    pub(super) regime: Regime,
    pub(super) vmid: u16,
    pub(super) flush: &'a dyn Flush,
    /// The level of the table that it is in.
    level: Level,
    /// By level. Those below that are left over.
    places: [Place<'a>; 3],
}

impl<'a> Path<'a> {
    /// At the root.
    pub(super) fn new(
        pool: &'a dyn Tables,
        root: u64,
        (regime, vmid): (Regime, u16),
        flush: &'a dyn Flush,
    ) -> Result<Self, Stage2Error> {
        let node = pool.table(root).ok_or(Stage2Error::Corrupt)?;
        let place = || Place {
            node,
            pa: root,
            base: 0,
        };
        Ok(Self {
            pool,
            regime,
            vmid,
            flush,
            level: ROOT_LEVEL,
            places: [place(), place(), place()],
        })
    }

    /// The table that it is in.
    const fn here(&self) -> &Place<'a> {
        &self.places[self.level as usize]
    }

    /// Goes to the entry that covers `ipa` and leads to no table. Tables that are left are dealt with.
    pub(super) fn seek(
        &mut self,
        ipa: u64,
        after: &mut After<'_>,
    ) -> Result<Spot<'a>, Stage2Error> {
        // The root covers everything.
        while ipa.wrapping_sub(self.here().base) >> self.level.shift() >= ENTRIES as u64 {
            self.leave(after)?;
        }
        loop {
            let (level, node) = (self.level, self.here().node);
            let index = level.index(ipa);
            let bits = node.get(index);
            let slot = ipa & !(level.size() - 1);
            let Some((next, below)) = descriptor::next(bits, level) else {
                return Ok(Spot {
                    node,
                    level,
                    index,
                    bits,
                    slot,
                });
            };
            let place = &mut self.places[below as usize];
            place.node = self.pool.table(next).ok_or(Stage2Error::Corrupt)?;
            place.pa = next;
            place.base = slot;
            self.level = below;
        }
    }

    /// Goes back to the table above, and deals with the one that is left.
    fn leave(&mut self, after: &mut After<'_>) -> Result<(), Stage2Error> {
        let below = self.level;
        let level = below.above().ok_or(Stage2Error::Corrupt)?;
        self.level = level;
        let left = &self.places[below as usize];
        let node = self.here().node;
        let index = level.index(left.base);
        match after {
            After::Prune(unlinked) if left.node.is_empty() => {
                node.set(level, index, 0);
                unlinked.push(self.pool, left.pa);
            }
            After::Join => {
                if let Some(origin) = left.node.block() {
                    let block = descriptor::resize(origin, level);
                    // The pages of the table may be cached one by one.
                    node.replace(level, index, block, || self.flush.all(self.vmid));
                    self.flush.publish();
                    self.pool.free(left.pa);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Goes back to the root, and deals with all tables that are left.
    pub(super) fn back(&mut self, after: &mut After<'_>) -> Result<(), Stage2Error> {
        while self.level != ROOT_LEVEL {
            self.leave(after)?;
        }
        Ok(())
    }

    /// Sets each entry in `range` that is no table to what `make` makes of it. If told to, flushes each leaf that was
    /// changed.
    pub(super) fn edit(
        &mut self,
        range: Range<u64>,
        make: &mut impl FnMut(&Part, Level, u64) -> u64,
        singly: bool,
        after: &mut After<'_>,
    ) -> Result<(), Stage2Error> {
        let mut rest = range;
        while !rest.is_empty() {
            let mut spot = self.seek(rest.start, after)?;
            loop {
                let part = spot.part(&rest);
                rest.start = part.range.end;
                let made = make(&part, spot.level, spot.bits);
                if made != spot.bits {
                    spot.node.set(spot.level, spot.index, made);
                    if singly {
                        self.flush.ipa(self.vmid, part.slot);
                    }
                }
                if rest.is_empty() || !spot.step() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Makes all tables below a table leave the tree, and it is empty then. Nobody walks them any more.
    pub(super) fn dismantle(pool: &dyn Tables, table: u64, level: Level, unlinked: &mut Chain) {
        let Some(node) = pool.table(table) else {
            return;
        };
        for index in 0..ENTRIES {
            if let (Entry::Table(next), Some(below)) =
                (Entry::decode(node.get(index), level), level.below())
            {
                Self::dismantle(pool, next, below, unlinked);
                unlinked.push(pool, next);
            }
        }
        node.clear();
    }
}
