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
            let mut spot = self.seek(rest.start, &mut After::Keep)?;
            loop {
                if spot.bits != 0 && Entry::decode(spot.bits, spot.level) != Entry::Invalid {
                    return Err(Stage2Error::Overlap { ipa: rest.start });
                }
                let part = spot.part(&rest);
                if !mapping.fits(&part, spot.level) {
                    let next = self.pool.alloc(Contents::Invalid);
                    let next = next.ok_or(Stage2Error::OutOfTables)?;
                    let table = descriptor::table(next);
                    spot.node.set(spot.level, spot.index, table);
                    break;
                }
                rest.start = part.range.end;
                if rest.is_empty() || !spot.step() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Maps what of `range` is not mapped. All tables are in place.
    pub(super) fn map(&mut self, range: Range<u64>, mapping: &Mapping) -> Result<(), Stage2Error> {
        let regime = self.regime;
        let make = &mut |part: &Part, level: Level, bits: u64| {
            let free = bits == 0 && mapping.fits(part, level);
            match free {
                true => descriptor::leaf(regime, mapping.pa_at(part.slot), mapping.attr, level),
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
            let mut spot = self.seek(rest.start, &mut After::Keep)?;
            loop {
                if !matches!(Entry::decode(spot.bits, spot.level), Entry::Leaf { .. }) {
                    return Err(Stage2Error::NotMapped { ipa: rest.start });
                }
                let part = spot.part(&rest);
                if let Some(below) = spot.level.below()
                    && !part.whole
                {
                    let next = self.pool.alloc(Contents::Any);
                    let next = next.ok_or(Stage2Error::OutOfTables)?;
                    let node = self.pool.table(next).ok_or(Stage2Error::Corrupt)?;
                    // Filled first: a walker sees all of it or nothing.
                    node.fill(below, spot.bits);
                    let table = descriptor::table(next);
                    // A block and the table in its place must never be in one TLB.
                    spot.node.replace(spot.level, spot.index, table, || {
                        self.flush.ipa(self.vmid, part.slot);
                    });
                    self.flush.publish();
                    break;
                }
                rest.start = part.range.end;
                leaves = leaves.saturating_add(1);
                if rest.is_empty() || !spot.step() {
                    break;
                }
            }
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
        let regime = self.regime;
        let look = &mut |_: &Part, level, bits| {
            if let Entry::Leaf { .. } = Entry::decode(bits, level) {
                changes |= descriptor::attributes(regime, bits).memory != memory;
            }
            bits
        };
        self.edit(range, look, false, &mut After::Keep)?;
        Ok(changes)
    }
}
