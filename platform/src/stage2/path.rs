//! From the root to an entry: the way that a change goes, kept while it goes from page to page.

use super::descriptor::{self, Entry};
use super::node::{ENTRIES, Node};
use super::pool::{Chain, Tables};
use super::{Flush, Level, ROOT_LEVEL, Stage2Error};
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
pub(super) struct Spot {
    /// The level of its table.
    pub(super) level: Level,
    /// Which entry of it.
    pub(super) index: usize,
    /// What it is.
    pub(super) bits: u64,
    /// First IPA that it covers.
    slot: u64,
}

impl Spot {
    /// The part of `range`, which begins here, that the entry covers.
    pub(super) fn part(&self, range: &Range<u64>) -> Part {
        let end = self.slot.saturating_add(self.level.size());
        Part {
            slot: self.slot,
            whole: range.start == self.slot && end <= range.end,
            range: range.start..end.min(range.end),
        }
    }
}

/// A table on the way.
#[derive(Clone, Copy)]
struct Place<'a> {
    node: Node<'a>,
    pa: u64,
    level: Level,
    /// First IPA that it covers.
    base: u64,
}

impl Place<'_> {
    const fn covers(&self, ipa: u64) -> bool {
        // The root covers everything.
        ipa.wrapping_sub(self.base) >> self.level.shift() < ENTRIES as u64
    }

    const fn index(&self, ipa: u64) -> usize {
        (ipa >> self.level.shift()) as usize % ENTRIES
    }
}

/// The tables from the root to where a change is at work, and what it needs at hand.
pub(super) struct Path<'a> {
    pub(super) pool: &'a dyn Tables,
    pub(super) vmid: u16,
    pub(super) flush: &'a dyn Flush,
    /// The table that it is in.
    here: Place<'a>,
    /// Those above it: the root is the first.
    above: [Option<Place<'a>>; 2],
}

impl<'a> Path<'a> {
    /// At the root.
    pub(super) fn new(
        pool: &'a dyn Tables,
        root: u64,
        vmid: u16,
        flush: &'a dyn Flush,
    ) -> Result<Self, Stage2Error> {
        Ok(Self {
            pool,
            vmid,
            flush,
            here: Place {
                node: pool.table(root).ok_or(Stage2Error::Corrupt)?,
                pa: root,
                level: ROOT_LEVEL,
                base: 0,
            },
            above: [None; 2],
        })
    }

    /// The table that it is in.
    pub(super) const fn node(&self) -> Node<'a> {
        self.here.node
    }

    /// Goes to the entry that covers `ipa` and leads to no table. Tables that are left are dealt with.
    pub(super) fn seek(&mut self, ipa: u64, after: &mut After<'_>) -> Result<Spot, Stage2Error> {
        while !self.here.covers(ipa) {
            self.leave(after)?;
        }
        loop {
            let Place { node, level, .. } = self.here;
            let index = self.here.index(ipa);
            let bits = node.get(index);
            let slot = ipa & !(level.size() - 1);
            let Some((next, below)) = descriptor::next(bits, level) else {
                return Ok(Spot {
                    level,
                    index,
                    bits,
                    slot,
                });
            };
            self.enter(next, below, slot)?;
        }
    }

    /// Goes to a table of the level below, which covers the IPAs from `base` on.
    fn enter(&mut self, pa: u64, level: Level, base: u64) -> Result<(), Stage2Error> {
        let place = Place {
            node: self.pool.table(pa).ok_or(Stage2Error::Corrupt)?,
            pa,
            level,
            base,
        };
        self.above = [
            self.above[0].or(Some(self.here)),
            self.above[0].and(Some(self.here)),
        ];
        self.here = place;
        Ok(())
    }

    /// Goes back to the table above, and deals with the one that is left.
    fn leave(&mut self, after: &mut After<'_>) -> Result<(), Stage2Error> {
        let left = self.here;
        self.here = match self.above {
            [first, Some(second)] => {
                self.above = [first, None];
                second
            }
            [Some(first), None] => {
                self.above = [None; 2];
                first
            }
            // Every IPA is the root's.
            [None, None] => return Err(Stage2Error::Corrupt),
        };
        let Place { node, level, .. } = self.here;
        let index = self.here.index(left.base);
        match after {
            After::Prune(unlinked) if left.node.is_empty() => {
                node.set(level, index, 0);
                unlinked.push(self.pool, left.pa);
            }
            After::Join => {
                if let Some((pa, attr)) = left.node.block(left.level) {
                    let block = descriptor::leaf(pa, attr, level);
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
        while self.above[0].is_some() {
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
            let spot = self.seek(rest.start, after)?;
            let part = spot.part(&rest);
            rest.start = part.range.end;
            let made = make(&part, spot.level, spot.bits);
            if made != spot.bits {
                self.node().set(spot.level, spot.index, made);
                if singly {
                    self.flush.ipa(self.vmid, part.slot);
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
