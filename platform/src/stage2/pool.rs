//! Where stage 2 tables come from: a static array, one bit per table, shared by all guests of an image.

use super::node::{Contents, Node, Note, Table};
use core::sync::atomic::{AtomicU64, Ordering};

/// The most tables a pool can hold: 16 MiB of them.
const MAX_TABLES: usize = 4096;

/// A supply of tables, named by their physical addresses. The image is identity mapped, so that is where they are.
pub trait Tables: Sync {
    /// Takes a table. None if there is none left.
    fn alloc(&self, contents: Contents) -> Option<u64>;

    /// Gives a table back. No walker may know it any more. An address that is no table's is ignored.
    fn free(&self, pa: u64);

    /// The table at `pa`, if it is one of these.
    fn table(&self, pa: u64) -> Option<Node<'_>>;

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
    notes: [Note; N],
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
            notes: [const { Note::new() }; N],
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

    fn node(&self, index: usize) -> Option<Node<'_>> {
        Some(Node::new(self.tables.get(index)?, self.notes.get(index)?))
    }
}

impl<const N: usize> Tables for TablePool<N> {
    fn alloc(&self, contents: Contents) -> Option<u64> {
        for (number, word) in self.used.iter().enumerate().take(N.div_ceil(64)) {
            loop {
                // Look before asking for the line.
                let free = (!word.load(Ordering::Relaxed)).trailing_zeros() as usize;
                let index = number * 64 + free;
                if free == 64 || index >= N {
                    break;
                }
                let bit = 1u64 << free;
                if word.fetch_or(bit, Ordering::Acquire) & bit == 0 {
                    self.node(index)?.taken(contents);
                    return self.pa_of(index);
                }
            }
        }
        None
    }

    fn free(&self, pa: u64) {
        if let Some(index) = self.index_of(pa)
            && let Some(word) = self.used.get(index / 64)
            && let Some(node) = self.node(index)
        {
            node.returned();
            word.fetch_and(!(1 << (index % 64)), Ordering::Release);
        }
    }

    fn table(&self, pa: u64) -> Option<Node<'_>> {
        self.node(self.index_of(pa)?)
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

/// Empty tables that were taken out of a tree, until no walker knows them any more.
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

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Adds a table whose entries are all 0.
    pub(super) fn push(&mut self, pool: &dyn Tables, pa: u64) {
        if let Some(node) = pool.table(pa) {
            node.set_link(self.first.unwrap_or(0));
            self.first = Some(pa);
        }
    }

    /// Gives all of them back to the pool.
    pub(super) fn give_back(mut self, pool: &dyn Tables) {
        while let Some(pa) = self.first
            && let Some(node) = pool.table(pa)
        {
            self.first = Some(node.link()).filter(|next| *next != 0);
            node.set_link(0);
            pool.free(pa);
        }
    }
}
