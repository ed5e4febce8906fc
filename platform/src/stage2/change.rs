//! The steps that changes are made of.

use super::descriptor::{self, Entry};
use super::node::Contents;
use super::path::{After, Part, Path};
use super::{Level, Mapping, Memory, Stage2Error};
use core::ops::Range;

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

impl Path<'_> {
    /// Puts the tables in place that mapping `range` takes. An error if a page of it is mapped or hidden, or there are
    /// too few tables: the new ones are in place all the same, and empty.
    pub(super) fn link(&mut self, range: Range<u64>, mapping: &Mapping) -> Result<(), Stage2Error> {
        let mut rest = range;
        while !rest.is_empty() {
            let spot = self.seek(rest.start, &mut After::Keep)?;
            if spot.bits != 0 && Entry::decode(spot.bits, spot.level) != Entry::Invalid {
                return Err(Stage2Error::Overlap { ipa: rest.start });
            }
            let part = spot.part(&rest);
            if mapping.fits(&part, spot.level) {
                rest.start = part.range.end;
                continue;
            }
            let next = self
                .pool
                .alloc(Contents::Invalid)
                .ok_or(Stage2Error::OutOfTables)?;
            self.node()
                .set(spot.level, spot.index, descriptor::table(next));
        }
        Ok(())
    }

    /// Maps what of `range` is not mapped. All tables are in place.
    pub(super) fn map(&mut self, range: Range<u64>, mapping: &Mapping) -> Result<(), Stage2Error> {
        let make = &mut |part: &Part, level: Level, bits: u64| {
            let free = bits == 0 && mapping.fits(part, level);
            match free {
                true => descriptor::leaf(mapping.pa_at(part.slot), mapping.attr, level),
                false => bits,
            }
        };
        self.edit(range, make, false, &mut After::Keep)
    }

    /// Splits the blocks that `range` cuts. What the guest sees stays the same, except that a block is absent for a
    /// moment. Gives the number of leaves in `range`. An error if a page of it is not mapped or there are too few
    /// tables: some are split all the same, and [`After::Join`] makes them whole.
    pub(super) fn carve(&mut self, range: Range<u64>) -> Result<usize, Stage2Error> {
        let mut leaves = 0usize;
        let mut rest = range;
        while !rest.is_empty() {
            let spot = self.seek(rest.start, &mut After::Keep)?;
            let Entry::Leaf { pa, attr } = Entry::decode(spot.bits, spot.level) else {
                return Err(Stage2Error::NotMapped { ipa: rest.start });
            };
            let part = spot.part(&rest);
            let Some(below) = spot.level.below().filter(|_| !part.whole) else {
                rest.start = part.range.end;
                leaves = leaves.saturating_add(1);
                continue;
            };
            let next = self
                .pool
                .alloc(Contents::Any)
                .ok_or(Stage2Error::OutOfTables)?;
            let node = self.pool.table(next).ok_or(Stage2Error::Corrupt)?;
            // Filled first: a walker sees all of it or nothing.
            node.fill(below, pa, attr);
            // A block and the table in its place must never be in one TLB.
            self.node()
                .replace(spot.level, spot.index, descriptor::table(next), || {
                    self.flush.ipa(self.vmid, part.slot);
                });
            self.flush.publish();
        }
        Ok(leaves)
    }

    /// Whether a leaf of `range` is of another memory type.
    pub(super) fn changes_memory(
        &mut self,
        range: Range<u64>,
        memory: Memory,
    ) -> Result<bool, Stage2Error> {
        let mut changes = false;
        let look = &mut |_: &Part, level, bits| {
            if let Entry::Leaf { attr, .. } = Entry::decode(bits, level) {
                changes |= attr.memory != memory;
            }
            bits
        };
        self.edit(range, look, false, &mut After::Keep)?;
        Ok(changes)
    }
}
