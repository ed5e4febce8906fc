//! How many tables of a pool one guest may have: so that none can use up those of the others.

use super::node::{Contents, Node};
use super::pool::Tables;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What the guests of a pool share beside what each of them is guaranteed.
#[derive(Debug)]
pub struct Common(AtomicUsize);

impl Common {
    /// `tables` of the pool. With what guests are guaranteed they are at most the pool's.
    #[must_use]
    pub const fn new(tables: usize) -> Self {
        Self(AtomicUsize::new(tables))
    }

    /// Takes one. False if there is none left.
    fn take(&self) -> bool {
        self.0
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }

    fn put(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// One guest's part of a pool: a number of tables that nobody else can take, and beyond it as many as are left of the
/// common ones, up to a limit.
pub struct Quota<'p> {
    pool: &'p dyn Tables,
    common: &'p Common,
    guaranteed: usize,
    most: usize,
    taken: AtomicUsize,
}

impl<'p> Quota<'p> {
    /// `guaranteed` tables, and at most `most` in all.
    #[must_use]
    pub const fn new(
        pool: &'p dyn Tables,
        common: &'p Common,
        guaranteed: usize,
        most: usize,
    ) -> Self {
        Self {
            pool,
            common,
            guaranteed,
            most,
            taken: AtomicUsize::new(0),
        }
    }

    /// How many tables the guest has.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// Counts one more. False if the guest may have no more.
    fn count(&self) -> bool {
        let mut taken = self.taken();
        loop {
            let from_common = taken >= self.guaranteed;
            if from_common && (taken >= self.most || !self.common.take()) {
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
                self.common.put();
            }
        }
    }

    /// Counts one less.
    fn discount(&self) {
        if self.taken.fetch_sub(1, Relaxed) > self.guaranteed {
            self.common.put();
        }
    }
}

impl Tables for Quota<'_> {
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
        let taken = self.taken();
        let own = self.guaranteed.saturating_sub(taken);
        let more = self.most.saturating_sub(taken.max(self.guaranteed));
        own.saturating_add(more.min(self.common.0.load(Relaxed)))
            .min(self.pool.available())
    }
}
