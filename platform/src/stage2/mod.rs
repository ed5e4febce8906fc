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
//! Every change is made in two steps: *prepare* walks the tables, finds every reason to refuse and reserves every
//! table that will be needed; *commit* cannot fail. A refused change leaves tables and pool as they were. A change is
//! strict: mapping what is mapped and unmapping what is not are errors, never silently right.
//!
//! Arm ARM (DDI 0487), D8 "The AArch64 Virtual Memory System Architecture"; for break-before-make D8.17.

mod change;
mod descriptor;
#[cfg(test)]
mod model;
mod pool;
mod registers;
#[cfg(test)]
mod tests;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
mod tlbi;

pub use pool::{Table, TablePool, TableStore, Tables};
pub use registers::{Vtcr, vstcr_el2, vtcr_el2, vttbr_el2};
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub use tlbi::{IpaSpace, Tlbi};

use change::{Change, Part};
use core::ops::Range;
use descriptor::Entry;
use pool::Chain;

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
    One,
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

    /// Bytes that one entry covers.
    const fn size(self) -> u64 {
        match self {
            Self::One => 1 << 30,
            Self::Two => 1 << 21,
            Self::Three => PAGE_SIZE,
        }
    }
}

/// What kind of memory a mapping makes of its pages, before stage 1 has its say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Memory {
    /// Normal, inner and outer write-back cacheable, inner shareable.
    Normal,
    /// Normal, non-cacheable.
    NormalNonCacheable,
    /// Device-nGnRE.
    Device,
}

/// What a guest may do with a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attr {
    /// The memory type.
    pub memory: Memory,
    /// Reads are allowed. A mapping without is refused: unmap instead.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
    /// Execution is allowed, at EL1 and EL0 alike. Refused for device memory.
    pub execute: bool,
}

impl Attr {
    /// Normal memory to read.
    pub const RO: Self = Self::normal(false, false);
    /// Normal memory to read and write.
    pub const RW: Self = Self::normal(true, false);
    /// Normal memory to read and execute.
    pub const RX: Self = Self::normal(false, true);
    /// Normal memory to do anything with.
    pub const RWX: Self = Self::normal(true, true);
    /// Device registers to read and write.
    pub const DEVICE: Self = Self {
        memory: Memory::Device,
        read: true,
        write: true,
        execute: false,
    };

    const fn normal(write: bool, execute: bool) -> Self {
        Self {
            memory: Memory::Normal,
            read: true,
            write,
            execute,
        }
    }

    /// Whether a mapping may have these.
    const fn is_valid(self) -> bool {
        self.read && !(self.execute && matches!(self.memory, Memory::Device))
    }
}

/// A range of IPAs, where it leads, and what may be done there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mapping {
    /// First byte, page aligned.
    pub ipa: u64,
    /// Physical address of the first byte, page aligned.
    pub pa: u64,
    /// Length in bytes, a multiple of 4096.
    pub len: u64,
    /// What the guest may do.
    pub attr: Attr,
}

/// Why a change was refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage2Error {
    /// An address or a length is not a multiple of 4096, or the length is 0.
    Alignment,
    /// The range ends beyond the IPA space (39 bits) or what a descriptor can hold (48 bits).
    Range,
    /// No read access, or executable device memory.
    Attributes,
    /// This IPA is mapped already, or stands in the request twice.
    Overlap {
        /// The first page that is.
        ipa: u64,
    },
    /// This IPA is not mapped.
    NotMapped {
        /// The first page that is not.
        ipa: u64,
    },
    /// The pool has too few tables left.
    OutOfTables,
    /// A descriptor points outside the pool: a bug, or memory that went bad.
    Corrupt,
}

/// How the machine makes its cores forget.
///
/// Each call returns only when all cores of the system have forgotten, for combined stage 1 and 2 entries too.
pub trait Flush {
    /// Forget what is cached of the translation that covers `ipa`, for `vmid`. A block is forgotten whole, by any
    /// address inside it, and so is what is cached of the tables on the way.
    fn ipa(&self, vmid: u16, ipa: u64);

    /// Forget all of `vmid`.
    fn all(&self, vmid: u16);

    /// Make entries that were invalid until now visible to all cores' walkers. Nothing needs to be forgotten.
    fn publish(&self);
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
        let root = pool.alloc().ok_or(Stage2Error::OutOfTables)?;
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
        self.map_all(&[Mapping { ipa, pa, len, attr }], flush)
    }

    /// Maps several ranges, all or none.
    ///
    /// Takes time in the square of the number of ranges.
    ///
    /// # Errors
    /// As [`Stage2::map`], and [`Stage2Error::Overlap`] if two of the ranges share a page.
    pub fn map_all(&mut self, mappings: &[Mapping], flush: &dyn Flush) -> Result<(), Stage2Error> {
        let change = self.change(flush);
        let budget = self.pool.available();
        let mut needed = 0usize;
        for (index, mapping) in mappings.iter().enumerate() {
            let range = check_mapping(mapping)?;
            for earlier in mappings.iter().take(index) {
                let other = check_mapping(earlier)?;
                let start = range.start.max(other.start);
                if start < range.end.min(other.end) {
                    return Err(Stage2Error::Overlap { ipa: start });
                }
            }
            needed =
                needed.saturating_add(change.tables_to_map(self.root, ROOT_LEVEL, range, mapping)?);
            if needed > budget {
                return Err(Stage2Error::OutOfTables);
            }
        }
        let mut reserved = Chain::reserve(self.pool, needed)?;
        for mapping in mappings {
            let range = check_mapping(mapping)?;
            change.map(self.root, ROOT_LEVEL, range, mapping, &mut reserved)?;
        }
        // Two ranges may have counted the same new table.
        reserved.give_back(self.pool);
        flush.publish();
        Ok(())
    }

    /// Takes `len` bytes from `ipa` on away from the guest. Blocks that reach beyond are split; tables that end up
    /// empty go back to the pool. On return no core can reach the range any more.
    ///
    /// # Errors
    /// See [`Stage2Error`]; nothing has changed then. [`Stage2Error::NotMapped`] if a page of it is not mapped.
    pub fn unmap(&mut self, ipa: u64, len: u64, flush: &dyn Flush) -> Result<(), Stage2Error> {
        let range = check_ipa(ipa, len)?;
        let change = self.change(flush);
        let (mut reserved, leaves) = self.prepare_split(&change, &range)?;
        change.split(self.root, ROOT_LEVEL, range.clone(), &mut reserved)?;
        reserved.give_back(self.pool);
        let singly = leaves <= MAX_SINGLE_FLUSHES;
        let mut unlinked = Chain::new();
        change.clear(self.root, ROOT_LEVEL, range, singly, &mut unlinked)?;
        // A walker may have a table's address cached: it must forget that before the table is used for anything else.
        if !singly || !unlinked.is_empty() {
            flush.all(self.vmid);
        }
        unlinked.give_back(self.pool);
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
        let range = check_ipa(ipa, len)?;
        let change = self.change(flush);
        let (mut reserved, leaves) = self.prepare_split(&change, &range)?;
        change.split(self.root, ROOT_LEVEL, range.clone(), &mut reserved)?;
        reserved.give_back(self.pool);
        let singly = leaves <= MAX_SINGLE_FLUSHES;
        if change.changes_memory(self.root, ROOT_LEVEL, range.clone(), attr)? {
            // Another memory type needs break before make (permissions do not).
            change.park(self.root, ROOT_LEVEL, range.clone(), singly)?;
            if !singly {
                flush.all(self.vmid);
            }
            change.rewrite(self.root, ROOT_LEVEL, range, attr, false)?;
            flush.publish();
        } else {
            change.rewrite(self.root, ROOT_LEVEL, range, attr, singly)?;
            if !singly {
                flush.all(self.vmid);
            }
        }
        Ok(())
    }

    /// Where `ipa` leads and what the guest may do there; None if it is not mapped. `ipa` need not be aligned.
    #[must_use]
    pub fn walk(&self, ipa: u64) -> Option<(u64, Attr)> {
        let leaf = self.leaf(ipa)?;
        Some((leaf.pa.checked_add(ipa.checked_sub(leaf.ipa)?)?, leaf.attr))
    }

    /// Where `len` bytes from `ipa` on lead: one item for each leaf, cut to the range, in order. The first page that
    /// is not mapped gives [`Stage2Error::NotMapped`] and ends it. Neither value need be aligned.
    #[must_use]
    pub fn translate_range(&self, ipa: u64, len: u64) -> Translate<'_> {
        match ipa.checked_add(len) {
            Some(end) => Translate {
                stage2: self,
                rest: ipa..end,
                failed: false,
            },
            None => Translate {
                stage2: self,
                rest: ipa..u64::MAX,
                failed: false,
            },
        }
    }

    /// Unmaps everything and gives all tables but the root back to the pool, after every core has forgotten them. What
    /// still names the root, a register that was not loaded anew since, finds nothing there.
    pub fn clear(&mut self, flush: &dyn Flush) {
        let change = self.change(flush);
        let mut unlinked = Chain::new();
        change.dismantle(self.root, ROOT_LEVEL, &mut unlinked);
        flush.all(self.vmid);
        unlinked.give_back(self.pool);
    }

    /// Gives all tables back to the pool, after every core has forgotten them. The guest never runs again.
    pub fn destroy(self, flush: &dyn Flush) {
        flush.all(self.vmid);
        let change = self.change(flush);
        let mut unlinked = Chain::new();
        change.dismantle(self.root, ROOT_LEVEL, &mut unlinked);
        unlinked.push(self.pool, self.root);
        unlinked.give_back(self.pool);
    }

    /// Every reason to refuse, and the tables for what must be split. Also says how many leaves the range will have.
    fn prepare_split(
        &self,
        change: &Change<'_>,
        range: &Range<u64>,
    ) -> Result<(Chain, usize), Stage2Error> {
        let (needed, leaves) = change.tables_to_split(self.root, ROOT_LEVEL, range.clone())?;
        Ok((Chain::reserve(self.pool, needed)?, leaves))
    }

    fn change<'a>(&self, flush: &'a dyn Flush) -> Change<'a>
    where
        'p: 'a,
    {
        Change {
            pool: self.pool,
            vmid: self.vmid,
            flush,
        }
    }

    /// The leaf that covers `ipa`, whole.
    fn leaf(&self, ipa: u64) -> Option<Mapping> {
        let mut table = self.root;
        let mut level = ROOT_LEVEL;
        loop {
            let part = Part::of(level, ipa)?;
            match Entry::decode(self.pool.table(table)?.get(part.index), level) {
                Entry::Invalid => return None,
                Entry::Leaf { pa, attr } => {
                    return Some(Mapping {
                        ipa: part.slot,
                        pa,
                        len: level.size(),
                        attr,
                    });
                }
                Entry::Table(next) => {
                    table = next;
                    level = level.below()?;
                }
            }
        }
    }
}

/// The leaves of a range, in order. See [`Stage2::translate_range`].
pub struct Translate<'a> {
    stage2: &'a Stage2<'a>,
    rest: Range<u64>,
    failed: bool,
}

impl Iterator for Translate<'_> {
    type Item = Result<Mapping, Stage2Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let ipa = self.rest.start;
        let found = self.stage2.leaf(ipa).and_then(|leaf| {
            let offset = ipa.checked_sub(leaf.ipa)?;
            let end = leaf.ipa.checked_add(leaf.len)?.min(self.rest.end);
            self.rest.start = end;
            Some(Mapping {
                ipa,
                pa: leaf.pa.checked_add(offset)?,
                len: end.checked_sub(ipa)?,
                attr: leaf.attr,
            })
        });
        self.failed = found.is_none();
        Some(found.ok_or(Stage2Error::NotMapped { ipa }))
    }
}

/// Checks a range of IPAs that a change is about.
fn check_ipa(ipa: u64, len: u64) -> Result<Range<u64>, Stage2Error> {
    if len == 0 || !(ipa | len).is_multiple_of(PAGE_SIZE) {
        return Err(Stage2Error::Alignment);
    }
    match ipa.checked_add(len) {
        Some(end) if end <= 1 << IPA_BITS => Ok(ipa..end),
        _ => Err(Stage2Error::Range),
    }
}

/// Checks a mapping's form.
fn check_mapping(mapping: &Mapping) -> Result<Range<u64>, Stage2Error> {
    let range = check_ipa(mapping.ipa, mapping.len)?;
    if !mapping.pa.is_multiple_of(PAGE_SIZE) {
        return Err(Stage2Error::Alignment);
    }
    if !mapping.attr.is_valid() {
        return Err(Stage2Error::Attributes);
    }
    match mapping.pa.checked_add(mapping.len) {
        Some(end) if end <= 1 << PA_BITS => Ok(range),
        _ => Err(Stage2Error::Range),
    }
}
