//! Stage 2: what a guest's intermediate physical addresses (IPA) mean.
//!
//! Owns the translation tables of one IPA space and what their descriptors say. Called by the code that gives memory
//! to a partition or VM and takes it away, under that guest's lock. Never touches a system register or a TLB itself
//! (the machine does, through [`Flush`]), never decides who may own a page, never allocates: tables come from a
//! [`TablePool`] and go back to it.
//!
//! 39 bits of IPA, 4 KiB granule, walks start at level 1 with one 4 KiB root; leaves are 1 GiB, 2 MiB and 4 KiB. The
//! secure IPA space (VSTTBR_EL2) and the non-secure one (VTTBR_EL2) are two values of type [`Stage2`] with the same
//! VMID. HCR_EL2.FWB is 0.
//!
//! Every change is made in two steps: *prepare* walks the tables, finds every reason to refuse and puts every table in
//! place that will be needed (empty ones, and those that a block is split into: the guest sees no difference); *commit*
//! cannot fail. A refused change takes the new tables out again, and leaves tree and pool as they were. A change is
//! strict: mapping what is mapped and unmapping what is not are errors, never silently right. It takes any number of
//! ranges, in time in proportion to them: that they are disjoint is the caller's affair, and nothing worse than the wrong
//! one of two mappings comes of it if they are not.
//!
//! A table that a block was split into is a block again as soon as all of its entries are what they were after the split:
//! its [`Node`] counts those, so nobody has to look. If one of them went away for good it never is, and what was mapped
//! piece by piece is not joined either: a leaf never reaches beyond what was mapped at once, so that can be taken away
//! without splitting anything.
//!
//! Arm ARM (DDI 0487), D8 "The AArch64 Virtual Memory System Architecture"; for break-before-make D8.17.

mod change;
#[cfg(test)]
mod deals;
mod descriptor;
mod hide;
#[cfg(test)]
mod hide_tests;
#[cfg(test)]
mod model;
mod node;
mod path;
mod pool;
mod quota;
mod read;
mod registers;
#[cfg(test)]
mod tests;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
mod tlbi;
mod types;

pub use node::{Contents, Node, Table};
pub use pool::{TablePool, TableStore, Tables};
pub use quota::{Common, Quota};
pub use read::Translate;
pub use registers::{Vtcr, vstcr_el2, vtcr_el2, vttbr_el2};
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub use tlbi::{IpaSpace, Tlbi};
pub use types::{Attr, Flush, Mapping, Memory, Stage2Error};

use core::ops::Range;
use descriptor::Entry;
use path::{After, Part, Path};
use pool::Chain;
use types::check;

/// Bytes in a page.
pub const PAGE_SIZE: u64 = 1 << 12;
/// Bits of an IPA.
pub const IPA_BITS: u32 = 39;
/// Bits of a physical address that a descriptor holds.
pub const PA_BITS: u32 = 48;
/// Level at which every walk starts.
const ROOT_LEVEL: Level = Level::One;
/// Up to this many leaves are flushed one by one; beyond it the whole VMID is.
const MAX_SINGLE_FLUSHES: usize = 16;

/// Level of a table in the tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    /// 1 GiB to an entry.
    One = 0,
    /// 2 MiB to an entry.
    Two,
    /// 4 KiB to an entry.
    Three,
}

impl Level {
    /// The level below; the pages' own level has none.
    const fn below(self) -> Option<Self> {
        match self {
            Self::One => Some(Self::Two),
            Self::Two => Some(Self::Three),
            Self::Three => None,
        }
    }

    /// The level above; the root has none.
    const fn above(self) -> Option<Self> {
        match self {
            Self::One => None,
            Self::Two => Some(Self::One),
            Self::Three => Some(Self::Two),
        }
    }

    /// The entry that covers an IPA, in a table that does.
    const fn index(self, ipa: u64) -> usize {
        (ipa >> self.shift()) as usize % node::ENTRIES
    }

    /// The lowest bit of an IPA that chooses an entry.
    const fn shift(self) -> u32 {
        match self {
            Self::One => 30,
            Self::Two => 21,
            Self::Three => 12,
        }
    }

    /// Bytes that one entry covers.
    const fn size(self) -> u64 {
        1 << self.shift()
    }
}

/// One guest's view of one IPA space.
///
/// Dropping it leaks its tables, because a TLB may still lead into them: use [`Stage2::destroy`].
pub struct Stage2<'p> {
    pool: &'p dyn Tables,
    root: u64,
    vmid: u16,
}

impl<'p> Stage2<'p> {
    /// An empty IPA space. Costs one table of the pool.
    ///
    /// # Errors
    /// [`Stage2Error::OutOfTables`].
    pub fn new(pool: &'p dyn Tables, vmid: u16) -> Result<Self, Stage2Error> {
        let root = pool
            .alloc(Contents::Invalid)
            .ok_or(Stage2Error::OutOfTables)?;
        Ok(Self { pool, root, vmid })
    }

    /// Physical address of the root table.
    #[must_use]
    pub const fn root_pa(&self) -> u64 {
        self.root
    }

    /// The VMID that its translations are cached under.
    #[must_use]
    pub const fn vmid(&self) -> u16 {
        self.vmid
    }

    /// The value of VTTBR_EL2: VMID and root, CnP 0. VSTTBR_EL2 takes [`Stage2::root_pa`] alone.
    #[must_use]
    pub const fn vttbr(&self) -> u64 {
        vttbr_el2(self.vmid, self.root)
    }

    /// Maps `len` bytes from `ipa` to the physical addresses from `pa` on, with the largest blocks that fit.
    ///
    /// # Errors
    /// See [`Stage2Error`]; nothing has changed then. [`Stage2Error::Overlap`] if a page of it is mapped already,
    /// however alike.
    pub fn map(
        &mut self,
        ipa: u64,
        pa: u64,
        len: u64,
        attr: Attr,
        flush: &dyn Flush,
    ) -> Result<(), Stage2Error> {
        self.map_all(core::iter::once(Mapping { ipa, pa, len, attr }), flush)
    }

    /// Maps several ranges, all or none. They are disjoint; of those that are not, the first one that is met stays.
    ///
    /// # Errors
    /// As [`Stage2::map`].
    pub fn map_all(
        &mut self,
        mappings: impl Iterator<Item = Mapping> + Clone,
        flush: &dyn Flush,
    ) -> Result<(), Stage2Error> {
        let mut path = self.path(flush)?;
        let linked = mappings
            .clone()
            .try_for_each(|mapping| path.link(mapping.check()?, &mapping));
        if linked.is_err() {
            let mut unlinked = Chain::new();
            let ranges = mappings.filter_map(|mapping| mapping.check().ok());
            let same = |_: &_, _, bits| bits;
            edit(&mut path, ranges, same, false, After::Prune(&mut unlinked))?;
            self.forget_tables(unlinked, flush);
            return linked;
        }
        for mapping in mappings {
            path.map(mapping.check()?, &mapping)?;
        }
        flush.publish();
        Ok(())
    }

    /// Takes `len` bytes from `ipa` on away from the guest. Blocks that reach beyond are split; tables that end up
    /// empty go back to the pool. On return no core can reach the range any more.
    ///
    /// # Errors
    /// See [`Stage2Error`]; nothing has changed then. [`Stage2Error::NotMapped`] if a page of it is not mapped.
    pub fn unmap(&mut self, ipa: u64, len: u64, flush: &dyn Flush) -> Result<(), Stage2Error> {
        let end = ipa.checked_add(len).ok_or(Stage2Error::Range)?;
        self.unmap_all(core::iter::once(ipa..end), flush)
    }

    /// Takes several ranges away, all or none. For what was mapped with the same ranges it takes no tables, and can't
    /// fail.
    ///
    /// # Errors
    /// As [`Stage2::unmap`].
    pub fn unmap_all(
        &mut self,
        ranges: impl Iterator<Item = Range<u64>> + Clone,
        flush: &dyn Flush,
    ) -> Result<(), Stage2Error> {
        let mut path = self.path(flush)?;
        let leaves = self.carve(&mut path, ranges.clone())?;
        let mut unlinked = Chain::new();
        let erase = |_: &_, level, bits| match Entry::decode(bits, level) {
            Entry::Leaf { .. } => 0,
            _ => bits,
        };
        let singly = leaves <= MAX_SINGLE_FLUSHES;
        let after = After::Prune(&mut unlinked);
        edit(&mut path, ranges, erase, singly, after)?;
        if !singly && unlinked.is_empty() {
            flush.all(self.vmid);
        }
        self.forget_tables(unlinked, flush);
        Ok(())
    }

    /// Gives `len` bytes from `ipa` on other attributes; the physical addresses stay. On return no core uses the old
    /// ones any more.
    ///
    /// While the memory type changes, the range is absent for a moment: a fault there has to be looked at again under
    /// the guest's lock before it counts.
    ///
    /// # Errors
    /// See [`Stage2Error`]; nothing has changed then. [`Stage2Error::NotMapped`] if a page of it is not mapped.
    pub fn protect(
        &mut self,
        ipa: u64,
        len: u64,
        attr: Attr,
        flush: &dyn Flush,
    ) -> Result<(), Stage2Error> {
        if !attr.is_valid() {
            return Err(Stage2Error::Attributes);
        }
        let end = ipa.checked_add(len).ok_or(Stage2Error::Range)?;
        let range = check(&(ipa..end))?;
        let ranges = || core::iter::once(range.clone());
        let mut path = self.path(flush)?;
        let leaves = self.carve(&mut path, ranges())?;
        let rewrite = |_: &_, level, bits| descriptor::leaf(descriptor::address(bits), attr, level);
        let singly = leaves <= MAX_SINGLE_FLUSHES;
        if path.changes_memory(range.clone(), attr.memory)? {
            // Another memory type needs break before make (permissions do not).
            let park = |_: &_, _, bits| descriptor::park(bits);
            edit(&mut path, ranges(), park, singly, After::Keep)?;
            if !singly {
                flush.all(self.vmid);
            }
            edit(&mut path, ranges(), rewrite, false, After::Join)?;
        } else {
            // What a core has cached of the old ones goes before blocks are joined.
            edit(&mut path, ranges(), rewrite, singly, After::Keep)?;
            if !singly {
                flush.all(self.vmid);
            }
            edit(&mut path, ranges(), |_, _, bits| bits, false, After::Join)?;
        }
        flush.publish();
        Ok(())
    }

    /// Unmaps everything and gives all tables but the root back to the pool, after every core has forgotten them. What
    /// still names the root, a register that was not loaded anew since, finds nothing there.
    pub fn clear(&mut self, flush: &dyn Flush) {
        let mut unlinked = Chain::new();
        Path::dismantle(self.pool, self.root, ROOT_LEVEL, &mut unlinked);
        flush.all(self.vmid);
        unlinked.give_back(self.pool);
    }

    /// Gives all tables back to the pool, after every core has forgotten them. The guest never runs again.
    pub fn destroy(self, flush: &dyn Flush) {
        flush.all(self.vmid);
        let mut unlinked = Chain::new();
        Path::dismantle(self.pool, self.root, ROOT_LEVEL, &mut unlinked);
        unlinked.push(self.pool, self.root);
        unlinked.give_back(self.pool);
    }

    /// The way from the root to the first thing that is changed.
    fn path<'a>(&self, flush: &'a dyn Flush) -> Result<Path<'a>, Stage2Error>
    where
        'p: 'a,
    {
        Path::new(self.pool, self.root, self.vmid, flush)
    }

    /// Every reason to refuse what takes these ranges away or changes them: splits the blocks that they cut, all or
    /// none. Gives the number of leaves in them.
    fn carve(
        &self,
        path: &mut Path<'_>,
        ranges: impl Iterator<Item = Range<u64>> + Clone,
    ) -> Result<usize, Stage2Error> {
        let carved = ranges.clone().try_fold(0usize, |leaves, range| {
            Ok(leaves.saturating_add(path.carve(check(&range)?)?))
        });
        if carved.is_err() {
            edit(path, ranges, |_, _, bits| bits, false, After::Join)?;
        }
        carved
    }

    /// Gives tables back that left the tree, once no walker knows them.
    fn forget_tables(&self, unlinked: Chain, flush: &dyn Flush) {
        if !unlinked.is_empty() {
            flush.all(self.vmid);
            unlinked.give_back(self.pool);
        }
    }
}

/// Edits all ranges that are well formed, and deals with their tables; see [`Path::edit`].
fn edit(
    path: &mut Path<'_>,
    ranges: impl Iterator<Item = Range<u64>>,
    mut make: impl FnMut(&Part, Level, u64) -> u64,
    singly: bool,
    mut after: After<'_>,
) -> Result<(), Stage2Error> {
    for range in ranges.filter_map(|range| check(&range).ok()) {
        path.edit(range, &mut make, singly, &mut after)?;
    }
    path.back(&mut after)
}
