//! Pages that a guest keeps but can't reach: those that it lent, or gave away to somebody who has not taken them yet.

use super::descriptor::{self, Entry};
use super::path::{After, Part};
use super::pool::Chain;
use super::{Flush, MAX_SINGLE_FLUSHES, Stage2, Stage2Error, edit};
use core::ops::Range;

impl Stage2<'_> {
    /// Hides several ranges from the guest, all or none: it cannot reach them, but their tables and what they say stay,
    /// so that [`Stage2::show`] cannot fail. On return no core can reach them any more.
    ///
    /// # Errors
    /// As [`Stage2::unmap`].
    pub fn hide(
        &mut self,
        ranges: impl Iterator<Item = Range<u64>> + Clone,
        flush: &dyn Flush,
    ) -> Result<(), Stage2Error> {
        let mut path = self.path(flush)?;
        let leaves = self.carve(&mut path, ranges.clone())?;
        let park = |_: &_, level, bits| match Entry::decode(bits, level) {
            Entry::Leaf { .. } => descriptor::park(bits),
            _ => bits,
        };
        let singly = leaves <= MAX_SINGLE_FLUSHES;
        edit(&mut path, ranges, park, singly, After::Keep)?;
        if !singly {
            flush.all(self.vmid);
        }
        Ok(())
    }

    /// Shows ranges again that were [hidden](Stage2::hide): those that one call hid, or several whole ones. What of
    /// them is not hidden stays as it is. Blocks that were split for it are joined.
    pub fn show(&mut self, ranges: impl Iterator<Item = Range<u64>> + Clone, flush: &dyn Flush) {
        let unpark = |part: &Part, level, bits| match Entry::decode(bits, level) {
            Entry::Parked if part.whole => descriptor::unpark(bits),
            _ => bits,
        };
        // A table that is none of the pool's is all that can be wrong.
        let _ = self
            .path(flush)
            .and_then(|mut path| edit(&mut path, ranges, unpark, false, After::Join));
        flush.publish();
    }

    /// Takes hidden ranges away for good, as [`Stage2::show`] would show them. Tables that end up empty go back to the
    /// pool.
    pub fn give_up(&mut self, ranges: impl Iterator<Item = Range<u64>> + Clone, flush: &dyn Flush) {
        let mut unlinked = Chain::new();
        let drop = |part: &Part, level, bits| match Entry::decode(bits, level) {
            Entry::Parked if part.whole => 0,
            _ => bits,
        };
        let after = After::Prune(&mut unlinked);
        let _ = self
            .path(flush)
            .and_then(|mut path| edit(&mut path, ranges, drop, false, after));
        self.forget_tables(unlinked, flush);
    }
}
