//! How many tables of a pool one guest may have: so that none can use up those of the others.

use super::node::{Contents, Node};
use super::pool::Tables;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What the guests of a pool share beside what each of them is guaranteed.
#[derive(Debug)]
pub struct Common {
    left: AtomicUsize,
    /// How many of them one guest may have.
    most: AtomicUsize,
}

impl Common {
    /// `tables` of the pool: all that nobody is guaranteed.
    #[must_use]
    pub const fn new(tables: usize) -> Self {
        Self {
            left: AtomicUsize::new(tables),
            most: AtomicUsize::new(usize::MAX),
        }
    }

    /// There are more: the pool has grown.
    pub fn add(&self, tables: usize) {
        self.left.fetch_add(tables, Relaxed);
    }

    /// One guest may have so many of them from now on.
    pub fn limit(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    /// How many are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left.load(Relaxed)
    }

    /// Takes some. False if there are too few left.
    fn take(&self, tables: usize) -> bool {
        self.left
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(tables))
            .is_ok()
    }
}

/// One guest's part of a pool: a number of tables that nobody else can take, and beyond it as many as are left of the
/// common ones, up to a limit.
pub struct Quota<'p, P> {
    pool: &'p P,
    common: &'p Common,
    guaranteed: AtomicUsize,
    taken: AtomicUsize,
}

impl<'p, P: Tables> Quota<'p, P> {
    /// Nothing is guaranteed.
    #[must_use]
    pub const fn new(pool: &'p P, common: &'p Common) -> Self {
        Self {
            pool,
            common,
            guaranteed: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }
    }

    /// Guarantees `more` tables of the common ones, beside those that the guest has, which are its own from now on. False
    /// if there are too few. Nobody takes one or gives one back for this guest meanwhile.
    pub fn guarantee(&self, more: usize) -> bool {
        if !self.common.take(more) {
            return false;
        }
        // Common ones that it took were taken of those already.
        let own = self.guaranteed.load(Relaxed).max(self.taken());
        self.guaranteed.store(own.saturating_add(more), Relaxed);
        true
    }

    /// How many tables the guest has.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// Counts one more. False if the guest may have no more.
    fn count(&self) -> bool {
        let guaranteed = self.guaranteed.load(Relaxed);
        let most = guaranteed.saturating_add(self.common.most.load(Relaxed));
        let mut taken = self.taken();
        loop {
            let from_common = taken >= guaranteed;
            if from_common && (taken >= most || !self.common.take(1)) {
                return false;
            }
            let one_more = taken.saturating_add(1);
            match self
                .taken
                .compare_exchange(taken, one_more, Relaxed, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => taken = now,
            }
            if from_common {
                self.common.add(1);
            }
        }
    }

    /// Counts one less.
    fn discount(&self) {
        if self.taken.fetch_sub(1, Relaxed) > self.guaranteed.load(Relaxed) {
            self.common.add(1);
        }
    }
}

impl<P: Tables> Tables for Quota<'_, P> {
    fn alloc(&self, contents: Contents) -> Option<u64> {
        if !self.count() {
            return None;
        }
        let table = self.pool.alloc(contents);
        if table.is_none() {
            self.discount();
        }
        table
    }

    fn free(&self, pa: u64) {
        if self.pool.table(pa).is_some() {
            self.pool.free(pa);
            self.discount();
        }
    }

    fn table(&self, pa: u64) -> Option<Node<'_>> {
        self.pool.table(pa)
    }

    fn available(&self) -> usize {
        let guaranteed = self.guaranteed.load(Relaxed);
        let taken = self.taken();
        let own = guaranteed.saturating_sub(taken);
        let most = self.common.most.load(Relaxed);
        let more = most.saturating_sub(taken.saturating_sub(guaranteed));
        let more = more.min(self.common.left());
        own.saturating_add(more).min(self.pool.available())
    }
}
