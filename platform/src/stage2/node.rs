//! One table of a tree, and what is known of it without reading all of it.

use super::Level;
use super::descriptor;
use core::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed, Ordering::Release};

/// Entries in a table.
pub(super) const ENTRIES: usize = 512;

/// A translation table, as the hardware reads it.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; ENTRIES]);

impl Table {
    /// A table whose entries are all invalid.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; ENTRIES])
    }

    /// Sets the descriptor at `index`. Whoever sees it also sees what was written before.
    fn set(&self, index: usize, bits: u64) {
        if let Some(entry) = self.0.get(index) {
            entry.store(bits, Release);
        }
    }

    /// Sets all entries: the first one to `first`, and each of the others to `step` more than the one before.
    fn fill(&self, first: u64, step: u64) {
        let mut bits = first;
        // A few in a row, without looking in between whether it is the end.
        let (rows, _) = self.0.as_chunks::<8>();
        for row in rows {
            for entry in row {
                entry.store(bits, Relaxed);
                bits = bits.wrapping_add(step);
            }
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// What is known of a table. Who changes a tree does so alone, under the guest's lock.
#[derive(Debug)]
pub(super) struct Note {
    /// The leaf that entry 0 was when a block was split into this table; 0 if the table did not come of a block, or
    /// lost an entry since.
    origin: AtomicU64,
    /// How many entries are what they were when the block was split.
    alike: AtomicU16,
    /// How many entries are not 0.
    used: AtomicU16,
    /// Whether the table is free, and all of its entries are known to be 0.
    clean: AtomicBool,
}

impl Note {
    /// Of a free table that may hold anything.
    pub(super) const fn new() -> Self {
        Self {
            origin: AtomicU64::new(0),
            alike: AtomicU16::new(0),
            used: AtomicU16::new(0),
            clean: AtomicBool::new(false),
        }
    }
}

/// What a table is to hold when it is taken from its pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contents {
    /// Invalid entries.
    Invalid,
    /// Anything: all of it is written before it is used.
    Any,
}

/// A table with what is known of it.
#[derive(Clone, Copy)]
pub struct Node<'p> {
    table: &'p Table,
    note: &'p Note,
}

impl<'p> Node<'p> {
    /// These two belong together.
    pub(super) const fn new(table: &'p Table, note: &'p Note) -> Self {
        Self { table, note }
    }

    /// The descriptor at `index`; beyond the table an invalid one.
    pub(super) fn get(self, index: usize) -> u64 {
        self.table
            .0
            .get(index)
            .map_or(0, |entry| entry.load(Relaxed))
    }

    /// Sets the descriptor at `index` of this table of `level`. Whoever sees it also sees what was written before.
    pub(super) fn set(self, level: Level, index: usize, bits: u64) {
        let old = self.get(index);
        self.table.set(index, bits);
        self.count(level, index, old, bits);
    }

    /// Sets a valid descriptor in the place of another one; between the two there is none, and `forget` makes sure that
    /// all cores have forgotten the first (break before make).
    pub(super) fn replace(self, level: Level, index: usize, bits: u64, forget: impl FnOnce()) {
        let old = self.get(index);
        self.table.set(index, 0);
        forget();
        self.table.set(index, bits);
        self.count(level, index, old, bits);
    }

    /// Counts a change.
    fn count(self, level: Level, index: usize, old: u64, bits: u64) {
        let count = |counter: &AtomicU16, before: bool, after: bool| {
            let one = u16::from(after).wrapping_sub(u16::from(before));
            counter.store(counter.load(Relaxed).wrapping_add(one), Relaxed);
        };
        count(&self.note.used, old != 0, bits != 0);
        let origin = self.note.origin.load(Relaxed);
        if origin != 0 && bits == 0 {
            self.note.origin.store(0, Relaxed);
            self.note.alike.store(0, Relaxed);
        } else if origin != 0 {
            let then = origin.wrapping_add(level.size().wrapping_mul(index as u64));
            count(&self.note.alike, old == then, bits == then);
        }
    }

    /// Fills the table, which nobody walks yet, with the leaves of `level` that `block` is made of.
    pub(super) fn fill(self, level: Level, block: u64) {
        let first = descriptor::resize(block, level);
        self.table.fill(first, level.size());
        self.note.used.store(ENTRIES as u16, Relaxed);
        self.note.origin.store(first, Relaxed);
        self.note.alike.store(ENTRIES as u16, Relaxed);
    }

    /// Whether all descriptors are 0.
    pub(super) fn is_empty(self) -> bool {
        self.note.used.load(Relaxed) == 0
    }

    /// The first leaf of the block that the table came of, if all of its entries are what they were then.
    pub(super) fn block(self) -> Option<u64> {
        let whole = usize::from(self.note.alike.load(Relaxed)) == ENTRIES;
        whole.then(|| self.note.origin.load(Relaxed))
    }

    /// Entry 0 of a table that is in no tree, as a place to keep something.
    pub(super) fn link(self) -> u64 {
        self.get(0)
    }

    /// Sets entry 0 of a table that is in no tree. It has to be 0 again before the table is given back.
    pub(super) fn set_link(self, bits: u64) {
        self.table.set(0, bits);
    }

    /// Makes all entries invalid, of a table that nobody walks.
    pub(super) fn clear(self) {
        self.table.fill(0, 0);
        self.note.used.store(0, Relaxed);
        self.note.origin.store(0, Relaxed);
        self.note.alike.store(0, Relaxed);
    }

    /// The table was taken from its pool.
    pub(super) fn taken(self, contents: Contents) {
        let clean = self.note.clean.load(Relaxed);
        if clean || contents == Contents::Any {
            self.note.used.store(0, Relaxed);
            self.note.origin.store(0, Relaxed);
            self.note.alike.store(0, Relaxed);
        } else {
            self.clear();
        }
        self.note.clean.store(false, Relaxed);
    }

    /// The table goes back to its pool.
    pub(super) fn returned(self) {
        self.note.clean.store(self.is_empty(), Relaxed);
    }

    /// What the counters should say, and what they do: for tests.
    #[cfg(test)]
    pub(super) fn counts(self, level: Level) -> [(u16, u16); 2] {
        let origin = self.note.origin.load(Relaxed);
        let entries = || (0..ENTRIES).map(|index| (index as u64, self.get(index)));
        let used = entries().filter(|(_, bits)| *bits != 0).count();
        let alike = entries().filter(|(index, bits)| {
            origin != 0 && *bits == origin.wrapping_add(level.size() * index)
        });
        [
            (used as u16, self.note.used.load(Relaxed)),
            (alike.count() as u16, self.note.alike.load(Relaxed)),
        ]
    }
}
