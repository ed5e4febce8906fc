//! Where the image's stage 1 tables come from: a static array that one map owns.

use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::paging::{PAGE_SIZE, PageTable, Translation};
use core::cell::{Cell, UnsafeCell};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

/// Words that are zeroed in a row.
const ROW: usize = 8;
/// The most tables a [`Pool`] can hold.
const MAX_TABLES: usize = 256;

/// The memory of a [`Pool`]. What it holds at first does not matter: a table is cleared when it is taken. So it may lie
/// where nothing is cleared at start, with `#[unsafe(link_section = ".noinit")]`.
pub struct Store<const N: usize>(UnsafeCell<[PageTable<El1Attributes>; N]>);

// SAFETY: the tables are handed out once, by `Pool::take`, as a pointer; nobody else looks at them.
unsafe impl<const N: usize> Sync for Store<N> {}

impl<const N: usize> Store<N> {
    /// For a `static`.
    #[must_use]
    #[allow(clippy::new_without_default)] // Only ever a static.
    pub const fn new() -> Self {
        Self(UnsafeCell::new([PageTable::EMPTY; N]))
    }
}

/// What an image's stage 1 tables come from: `N` tables of 4 KiB, at most 256.
pub struct Pool<const N: usize> {
    tables: &'static Store<N>,
    taken: AtomicBool,
}

impl<const N: usize> Pool<N> {
    /// The only pool of `store`, for a `static`.
    #[must_use]
    pub const fn new(store: &'static Store<N>) -> Self {
        const { assert!(N > 0 && N <= MAX_TABLES) };
        Self {
            tables: store,
            taken: AtomicBool::new(false),
        }
    }

    /// Gives the tables to their one user. The only core that runs calls this, perhaps with the MMU off, where no
    /// atomic exchange works.
    pub(super) fn take(&'static self) -> Option<Tables> {
        if self.taken.load(Ordering::Relaxed) {
            return None;
        }
        self.taken.store(true, Ordering::Relaxed);
        Some(Tables {
            base: NonNull::new(self.tables.0.get())?.cast(),
            count: N,
            more: Cell::new(None),
            used: [const { Cell::new(0) }; MAX_TABLES / 64],
            retired: [const { Cell::new(0) }; MAX_TABLES / 64],
        })
    }
}

/// Who has which table of the pool.
pub(super) struct Tables {
    base: NonNull<PageTable<El1Attributes>>,
    count: usize,
    /// Tables that were added: where, and how many.
    more: Cell<Option<(NonNull<PageTable<El1Attributes>>, usize)>>,
    /// One bit per table that is in the tree, or retired.
    used: [Cell<u64>; MAX_TABLES / 64],
    /// One bit per table that left the tree but may still be in a TLB.
    retired: [Cell<u64>; MAX_TABLES / 64],
}

// SAFETY: the pointers are to a static array and to memory that only this value hands out.
unsafe impl Send for Tables {}

impl Tables {
    /// Address and length in bytes of the tables up to the last one that was ever taken, while none was given back.
    pub(super) fn extent(&self) -> (usize, usize) {
        let taken = self.count.saturating_sub(self.free());
        (self.base.as_ptr() as usize, taken.saturating_mul(PAGE_SIZE))
    }

    pub(super) fn free(&self) -> usize {
        let used: u32 = self.used.iter().map(|word| word.get().count_ones()).sum();
        self.len().saturating_sub(used as usize)
    }

    /// How many tables there are.
    fn len(&self) -> usize {
        let more = self.more.get().map_or(0, |(_, count)| count);
        self.count.saturating_add(more).min(MAX_TABLES)
    }

    /// Adds tables, once. They are memory that is mapped, at its own addresses, and nobody else's.
    pub(super) fn add(&self, base: NonNull<PageTable<El1Attributes>>, count: usize) {
        if self.more.get().is_none() {
            self.more.set(Some((base, count)));
        }
    }

    /// The table of this index, which is one of them.
    fn at(&self, index: usize) -> NonNull<PageTable<El1Attributes>> {
        match (self.more.get(), index.checked_sub(self.count)) {
            // SAFETY: the index is below the number of tables that were added.
            (Some((base, _)), Some(index)) => unsafe { base.add(index) },
            // SAFETY: the index is below the number of tables in the array.
            _ => unsafe { self.base.add(index) },
        }
    }

    /// The index of the table that contains this address.
    fn index_of(&self, address: usize) -> usize {
        let within = |base: NonNull<PageTable<El1Attributes>>| {
            address.wrapping_sub(base.as_ptr() as usize) / PAGE_SIZE
        };
        let index = within(self.base);
        match self.more.get() {
            Some((base, _)) if index >= self.count => within(base).wrapping_add(self.count),
            _ => index,
        }
    }

    pub(super) fn has_retired(&self) -> bool {
        self.retired.iter().any(|word| word.get() != 0)
    }

    /// Takes back the retired tables. The TLBs must have forgotten them.
    pub(super) fn reclaim(&self) {
        for (used, retired) in self.used.iter().zip(&self.retired) {
            used.set(used.get() & !retired.take());
        }
    }
}

impl Translation<El1Attributes> for Tables {
    fn allocate_table(&mut self) -> (NonNull<PageTable<El1Attributes>>, PhysicalAddress) {
        for index in 0..self.len() {
            let bit = 1u64 << (index % 64);
            if let Some(word) = self.used.get(index / 64)
                && word.get() & bit == 0
            {
                word.set(word.get() | bit);
                let table = self.at(index);
                let rows = table.cast::<[u64; ROW]>();
                for row in 0..PAGE_SIZE / size_of::<[u64; ROW]>() {
                    // A few words in a row, without looking in between whether it is the end. Not by the CPU's
                    // instruction for it: the MMU may be off.
                    // SAFETY: the table lies in the pool, in no tree and in no TLB; zeroes are an empty table.
                    unsafe { rows.add(row).write_volatile([0; ROW]) };
                }
                return (table, PhysicalAddress(table.as_ptr() as usize));
            }
        }
        // The trait has no error; `tables_needed` was asked before anything changed.
        panic!("stage 1 tables were counted wrongly");
    }

    unsafe fn deallocate_table(&mut self, table: NonNull<PageTable<El1Attributes>>) {
        let index = self.index_of(table.as_ptr() as usize);
        if let Some(word) = self.retired.get(index / 64) {
            word.set(word.get() | 1 << (index % 64));
        }
    }

    fn physical_to_virtual(&self, address: PhysicalAddress) -> NonNull<PageTable<El1Attributes>> {
        // Tables are always the pool's, where virtual equals physical.
        self.at(self.index_of(address.0))
    }
}
