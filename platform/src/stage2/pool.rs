//! Where stage 2 tables come from: a static array, one bit per table, shared by all guests of an image.

use super::node::{Contents, Node, Note, Table};
use core::{
    ops::Range,
    slice,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

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

/// `N` tables, 4 KiB each, and those that were [added](TablePool::add): at most 4096.
pub struct TablePool<const N: usize> {
    tables: &'static [Table; N],
    notes: [Note; N],
    /// One bit per table that somebody has; those that were added come last.
    used: [AtomicU64; MAX_TABLES / 64],
    /// Where the tables are that were added.
    more_base: AtomicUsize,
    /// How many there are. What is known of them comes behind.
    more: AtomicUsize,
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
            more_base: AtomicUsize::new(0),
            more: AtomicUsize::new(0),
        }
    }

    /// Makes tables of a range of memory, and gives their number. Works once: later ones are not used.
    ///
    /// # Safety
    /// The range is page aligned, and it is mapped at its own addresses as normal memory to read and write, which
    /// nobody uses for anything else from now on.
    pub unsafe fn add(&self, range: Range<usize>) -> usize {
        let each = size_of::<Table>() + size_of::<Note>();
        let count = (range.len() / each).min(MAX_TABLES - N);
        let taken =
            self.more_base
                .compare_exchange(0, range.start, Ordering::Relaxed, Ordering::Relaxed);
        if count == 0 || taken.is_err() {
            return 0;
        }
        // SAFETY: the notes lie inside of the range, behind the tables, and are aligned like those.
        let notes = unsafe { (range.start as *mut Table).add(count) }.cast::<Note>();
        for index in 0..count {
            // SAFETY: as above.
            unsafe { notes.add(index).write(Note::new()) };
        }
        self.more.store(count, Ordering::Release);
        count
    }

    /// The tables that were added, and what is known of them.
    fn more(&self) -> (&'static [Table], &'static [Note]) {
        let count = self.more.load(Ordering::Acquire);
        if count == 0 {
            return (&[], &[]);
        }
        let tables = self.more_base.load(Ordering::Relaxed) as *const Table;
        // SAFETY: `add` was promised that memory for ever. A table may hold anything, and its notes were written before
        // the count.
        unsafe {
            (
                slice::from_raw_parts(tables, count),
                slice::from_raw_parts(tables.add(count).cast(), count),
            )
        }
    }

    /// How many tables there are.
    fn len(&self) -> usize {
        N.saturating_add(self.more.load(Ordering::Acquire))
    }

    /// Physical address of table `index`; None beyond the pool.
    #[must_use]
    pub fn pa_of(&self, index: usize) -> Option<u64> {
        let (table, _) = self.parts(index)?;
        Some((&raw const *table) as u64)
    }

    /// The index of the table at `pa`; None if there is none.
    #[must_use]
    pub fn index_of(&self, pa: u64) -> Option<usize> {
        let within = |tables: &[Table]| {
            let offset = pa.checked_sub(tables.as_ptr() as u64)?;
            let size = size_of::<Table>() as u64;
            let index = usize::try_from(offset / size).ok()?;
            (offset.is_multiple_of(size) && index < tables.len()).then_some(index)
        };
        within(self.tables).or_else(|| Some(N + within(self.more().0)?))
    }

    fn parts(&self, index: usize) -> Option<(&Table, &Note)> {
        match index.checked_sub(N) {
            None => Some((self.tables.get(index)?, self.notes.get(index)?)),
            Some(index) => {
                let (tables, notes) = self.more();
                Some((tables.get(index)?, notes.get(index)?))
            }
        }
    }

    fn node(&self, index: usize) -> Option<Node<'_>> {
        let (table, note) = self.parts(index)?;
        Some(Node::new(table, note))
    }
}

impl<const N: usize> Tables for TablePool<N> {
    fn alloc(&self, contents: Contents) -> Option<u64> {
        let tables = self.len();
        for (number, word) in self.used.iter().enumerate().take(tables.div_ceil(64)) {
            loop {
                // Look before asking for the line.
                let free = (!word.load(Ordering::Relaxed)).trailing_zeros() as usize;
                let index = number * 64 + free;
                if free == 64 || index >= tables {
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
        let within = |tables: &'static [Table], notes| {
            let offset = pa.checked_sub(tables.as_ptr() as u64)? as usize;
            let index = offset / size_of::<Table>();
            let node = Node::new(tables.get(index)?, <[Note]>::get(notes, index)?);
            offset.is_multiple_of(size_of::<Table>()).then_some(node)
        };
        within(self.tables, &self.notes).or_else(|| {
            let (tables, notes) = self.more();
            within(tables, notes)
        })
    }

    fn available(&self) -> usize {
        let used: u32 = self
            .used
            .iter()
            .map(|word| word.load(Ordering::Relaxed).count_ones())
            .sum();
        self.len().saturating_sub(used as usize)
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
