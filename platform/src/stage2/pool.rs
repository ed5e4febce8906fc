//! Where stage 2 tables come from: a static array, one bit per table, shared by all guests of an image.

use super::Stage2Error;
use core::sync::atomic::{AtomicU64, Ordering};

/// Entries in a table.
pub(super) const ENTRIES: usize = 512;
/// The most tables a pool can hold: 16 MiB of them.
const MAX_TABLES: usize = 4096;

/// A translation table, as the hardware reads it.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; ENTRIES]);

impl Table {
    /// A table whose entries are all invalid.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; ENTRIES])
    }

    /// The descriptor at `index`; beyond the table an invalid one.
    pub(super) fn get(&self, index: usize) -> u64 {
        self.0
            .get(index)
            .map_or(0, |entry| entry.load(Ordering::Acquire))
    }

    /// Sets the descriptor at `index`. Whoever sees it also sees what was written before.
    pub(super) fn set(&self, index: usize, bits: u64) {
        if let Some(entry) = self.0.get(index) {
            entry.store(bits, Ordering::Release);
        }
    }

    /// Whether all descriptors are 0.
    pub(super) fn is_empty(&self) -> bool {
        self.0
            .iter()
            .all(|entry| entry.load(Ordering::Relaxed) == 0)
    }

    fn clear(&self) {
        for entry in &self.0 {
            entry.store(0, Ordering::Relaxed);
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// A supply of tables, named by their physical addresses. The image is identity mapped, so that is where they are.
pub trait Tables: Sync {
    /// Takes a table, all of its entries invalid. None if there is none left.
    fn alloc(&self) -> Option<u64>;

    /// Gives a table back. No walker may know it any more. An address that is no table's is ignored.
    fn free(&self, pa: u64);

    /// The table at `pa`, if it is one of these.
    fn table(&self, pa: u64) -> Option<&Table>;

    /// How many tables are left. Other cores may take some at any time.
    fn available(&self) -> usize;
}

/// The memory of a [`TablePool`]. What it holds at first does not matter: a table is cleared when it is taken. So it may
/// lie where nothing is cleared at start, with `#[unsafe(link_section = ".noinit")]`.
pub struct TableStore<const N: usize>([Table; N]);

impl<const N: usize> TableStore<N> {
    /// For a `static`.
    #[must_use]
    #[allow(clippy::new_without_default)] // Only ever a static.
    pub const fn new() -> Self {
        Self([const { Table::new() }; N])
    }
}

/// `N` tables, at most 4096, 4 KiB each.
pub struct TablePool<const N: usize> {
    tables: &'static [Table; N],
    /// One bit per table that somebody has.
    used: [AtomicU64; MAX_TABLES / 64],
}

impl<const N: usize> TablePool<N> {
    /// A pool with all tables of `store` free. It is the store's only pool.
    #[must_use]
    pub const fn new(store: &'static TableStore<N>) -> Self {
        const { assert!(N > 0 && N <= MAX_TABLES) };
        Self {
            tables: &store.0,
            used: [const { AtomicU64::new(0) }; MAX_TABLES / 64],
        }
    }

    /// Physical address of table `index`; None beyond the pool.
    #[must_use]
    pub fn pa_of(&self, index: usize) -> Option<u64> {
        Some((&raw const *self.tables.get(index)?) as u64)
    }

    /// The index of the table at `pa`; None if there is none.
    #[must_use]
    pub fn index_of(&self, pa: u64) -> Option<usize> {
        let offset = pa.checked_sub((&raw const *self.tables) as u64)?;
        let size = size_of::<Table>() as u64;
        let index = usize::try_from(offset / size).ok()?;
        (offset.is_multiple_of(size) && index < N).then_some(index)
    }
}

impl<const N: usize> Tables for TablePool<N> {
    fn alloc(&self) -> Option<u64> {
        for index in 0..N {
            let bit = 1u64 << (index % 64);
            let word = self.used.get(index / 64)?;
            // Look before asking for the line.
            if word.load(Ordering::Relaxed) & bit == 0
                && word.fetch_or(bit, Ordering::Acquire) & bit == 0
            {
                self.tables.get(index)?.clear();
                return self.pa_of(index);
            }
        }
        None
    }

    fn free(&self, pa: u64) {
        if let Some(index) = self.index_of(pa)
            && let Some(word) = self.used.get(index / 64)
        {
            word.fetch_and(!(1 << (index % 64)), Ordering::Release);
        }
    }

    fn table(&self, pa: u64) -> Option<&Table> {
        self.tables.get(self.index_of(pa)?)
    }

    fn available(&self) -> usize {
        let used: u32 = self
            .used
            .iter()
            .map(|word| word.load(Ordering::Relaxed).count_ones())
            .sum();
        N.saturating_sub(used as usize)
    }
}

/// Tables that belong to nobody's tree: reserved for a change, or taken out by one.
///
/// Each holds the address of the next in entry 0. Page aligned, it reads as an invalid descriptor to a walker that
/// still knows the table.
#[derive(Debug, Default)]
pub(super) struct Chain {
    first: Option<u64>,
}

impl Chain {
    pub(super) const fn new() -> Self {
        Self { first: None }
    }

    /// Takes `count` tables from the pool, or none.
    pub(super) fn reserve(pool: &dyn Tables, count: usize) -> Result<Self, Stage2Error> {
        let mut chain = Self::new();
        for _ in 0..count {
            match pool.alloc() {
                Some(pa) => chain.push(pool, pa),
                None => {
                    chain.give_back(pool);
                    return Err(Stage2Error::OutOfTables);
                }
            }
        }
        Ok(chain)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Adds a table whose entries are all 0.
    pub(super) fn push(&mut self, pool: &dyn Tables, pa: u64) {
        if let Some(table) = pool.table(pa) {
            table.set(0, self.first.unwrap_or(0));
            self.first = Some(pa);
        }
    }

    /// Takes a table out, all of its entries 0.
    pub(super) fn pop<'p>(&mut self, pool: &'p dyn Tables) -> Option<(u64, &'p Table)> {
        let pa = self.first?;
        let table = pool.table(pa)?;
        self.first = Some(table.get(0)).filter(|next| *next != 0);
        table.set(0, 0);
        Some((pa, table))
    }

    /// Gives all of them back to the pool.
    pub(super) fn give_back(mut self, pool: &dyn Tables) {
        while let Some((pa, _)) = self.pop(pool) {
            pool.free(pa);
        }
    }
}
