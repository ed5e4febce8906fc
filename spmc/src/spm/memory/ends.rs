//! Memory of partitions that fail.

use super::{Ground, Memory, party};
use crate::{
    context::{Registers, Slot},
    locks::Held,
    spm::{Mem, Owner, Spmc},
};
use ffa_abi::sharing::{PAGE, Pages, Region};

impl<'c, M: Registers> Spmc<'c, M> {
    /// A partition has failed: what it had borrowed goes back, what it has given is its own again as
    /// soon as nobody holds it, and nobody retrieves any more of it. Whether it can have another life:
    /// nobody holds any of its memory or was given it for good, and it holds nobody's.
    pub(in crate::spm) fn memory_ended(
        &self,
        slot: Slot,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> bool {
        let Some(info) = self.info(slot) else {
            return false;
        };
        self.memory.with(held, |memory, held| {
            let who = party(Owner::Partition(slot));
            let Memory { sharing, heads, .. } = memory;
            let remains = sharing.ended(who, info.id, &mut Ground { machine, held });
            heads.retain(|(handle, _)| sharing.find(*handle).is_some());
            !remains.lent && !remains.mapped && memory.gave_away & 1 << slot.index() == 0
        })
    }

    /// The next pages at or behind address `from` that a partition owns and nobody else has in hand: of
    /// one that was destroyed, what is to be wiped now. Others are wiped when they are given back.
    pub fn own_memory(&self, slot: Slot, from: u64, held: &mut Held<0>) -> Option<Region> {
        let who = party(Owner::Partition(slot));
        self.memory.with(held, |memory, _| {
            let sharing = &memory.sharing;
            sharing.regions_of(who).find_map(|region| {
                let end = region.pages.end();
                let mut start = region.pages.base.max(from);
                for lent in sharing.lent_pages(who) {
                    if lent.base <= start && start < lent.end() {
                        start = lent.end();
                    }
                }
                let lent = sharing.lent_pages(who).map(|lent| lent.base);
                let end = lent.filter(|base| start < *base).fold(end, u64::min);
                let pages = Pages::new(start, end.checked_sub(start)? / PAGE)?;
                Some(Region { pages, ..region })
            })
        })
    }
}
