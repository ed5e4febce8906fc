//! Stage 2, case by case. Sequences of changes are in `model`.

use super::*;
use std::cell::RefCell;
use std::vec::Vec;

pub(super) const GIB: u64 = 1 << 30;
pub(super) const MIB_2: u64 = 1 << 21;

/// Records what was flushed.
#[derive(Default)]
pub(super) struct Log(pub(super) RefCell<Vec<Flushed>>);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flushed {
    Ipa(u64),
    All,
}

impl Flush for Log {
    fn ipa(&self, vmid: u16, ipa: u64) {
        assert_eq!(vmid, 7);
        self.0.borrow_mut().push(Flushed::Ipa(ipa));
    }

    fn all(&self, vmid: u16) {
        assert_eq!(vmid, 7);
        self.0.borrow_mut().push(Flushed::All);
    }

    fn publish(&self) {}
}

pub(super) fn pool<const N: usize>() -> Box<TablePool<N>> {
    Box::new(TablePool::new(Box::leak(Box::new(TableStore::new()))))
}

/// All tables that can be reached, and what is in them.
pub(super) fn contents(stage2: &Stage2<'_>) -> Vec<(u64, Vec<u64>)> {
    fn collect(pool: &dyn Tables, pa: u64, level: Level, seen: &mut Vec<(u64, Vec<u64>)>) {
        let table = pool.table(pa).unwrap();
        let entries: Vec<u64> = (0..512).map(|index| table.get(index)).collect();
        seen.push((pa, entries.clone()));
        for counts in table.counts(level) {
            assert_eq!(counts.0, counts.1, "of table {pa:#x}");
        }
        let joined = level == ROOT_LEVEL || table.block().is_none();
        assert!(joined, "table {pa:#x} could be a block");
        for bits in entries {
            if let Entry::Table(next) = Entry::decode(bits, level) {
                collect(pool, next, level.below().unwrap(), seen);
            }
        }
    }
    let mut seen = Vec::new();
    collect(stage2.pool, stage2.root, ROOT_LEVEL, &mut seen);
    seen
}

#[test]
fn the_largest_blocks_that_fit_are_used() {
    let pool = pool::<8>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    // 1 GiB, then 2 MiB, then a page, without a gap.
    stage2
        .map(GIB, 2 * GIB, GIB + MIB_2 + PAGE_SIZE, Attr::RW, &log)
        .unwrap();
    let lens: Vec<u64> = stage2
        .translate_range(GIB, GIB + MIB_2 + PAGE_SIZE)
        .map(|leaf| leaf.unwrap().len)
        .collect();
    assert_eq!(lens, [GIB, MIB_2, PAGE_SIZE]);
    assert_eq!(pool.available(), 8 - 3);
    assert_eq!(
        stage2.walk(2 * GIB + MIB_2 + 5),
        Some((3 * GIB + MIB_2 + 5, Attr::RW))
    );
    assert_eq!(stage2.walk(2 * GIB + MIB_2 + PAGE_SIZE), None);
    assert_eq!(stage2.walk(GIB - 1), None);
    assert_eq!(stage2.walk(u64::MAX), None);
    // Mapping what was not mapped leaves nothing to forget.
    assert!(log.0.borrow().is_empty());
}

#[test]
fn misaligned_physical_addresses_take_smaller_leaves() {
    let pool = pool::<8>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2.map(MIB_2, PAGE_SIZE, MIB_2, Attr::RX, &log).unwrap();
    assert_eq!(stage2.translate_range(MIB_2, MIB_2).count(), 512);
    assert_eq!(
        stage2.walk(2 * MIB_2 - 1),
        Some((MIB_2 + PAGE_SIZE - 1, Attr::RX))
    );
}

#[test]
fn a_malformed_request_is_refused() {
    let pool = pool::<4>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    let mut map = |ipa, pa, len, attr| stage2.map(ipa, pa, len, attr, &log);
    assert_eq!(map(1, 0, PAGE_SIZE, Attr::RW), Err(Stage2Error::Alignment));
    assert_eq!(map(0, 1, PAGE_SIZE, Attr::RW), Err(Stage2Error::Alignment));
    assert_eq!(map(0, 0, 1, Attr::RW), Err(Stage2Error::Alignment));
    assert_eq!(map(0, 0, 0, Attr::RW), Err(Stage2Error::Alignment));
    let top = 1 << IPA_BITS;
    assert_eq!(map(top, 0, PAGE_SIZE, Attr::RW), Err(Stage2Error::Range));
    assert_eq!(
        map(top - PAGE_SIZE, 0, 2 * PAGE_SIZE, Attr::RW),
        Err(Stage2Error::Range)
    );
    assert_eq!(
        map(PAGE_SIZE, 0, u64::MAX - PAGE_SIZE + 1, Attr::RW),
        Err(Stage2Error::Range)
    );
    assert_eq!(
        map(0, 1 << PA_BITS, PAGE_SIZE, Attr::RW),
        Err(Stage2Error::Range)
    );
    assert_eq!(
        map(0, u64::MAX - PAGE_SIZE + 1, PAGE_SIZE, Attr::RW),
        Err(Stage2Error::Range)
    );
    let none = Attr {
        read: false,
        ..Attr::RW
    };
    assert_eq!(map(0, 0, PAGE_SIZE, none), Err(Stage2Error::Attributes));
    let code_in_device = Attr {
        execute: true,
        ..Attr::DEVICE
    };
    assert_eq!(
        map(0, 0, PAGE_SIZE, code_in_device),
        Err(Stage2Error::Attributes)
    );
    assert_eq!(
        map(
            top - PAGE_SIZE,
            (1 << PA_BITS) - PAGE_SIZE,
            PAGE_SIZE,
            Attr::RW
        ),
        Ok(())
    );
    assert_eq!(
        stage2.unmap(0, PAGE_SIZE, &log),
        Err(Stage2Error::NotMapped { ipa: 0 })
    );
    assert_eq!(
        stage2.protect(0, PAGE_SIZE, none, &log),
        Err(Stage2Error::Attributes)
    );
    assert_eq!(
        stage2.protect(top, PAGE_SIZE, Attr::RO, &log),
        Err(Stage2Error::Range)
    );
}

#[test]
fn several_ranges_are_mapped_all_or_none() {
    let pool = pool::<8>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    let page = |ipa| Mapping {
        ipa,
        pa: ipa,
        len: PAGE_SIZE,
        attr: Attr::RW,
    };
    let before = contents(&stage2);
    let twice = [page(0), page(PAGE_SIZE), page(0)];
    assert_eq!(stage2.map_all(twice.into_iter(), &log), Ok(()));
    assert_eq!(stage2.walk(0), Some((0, Attr::RW)));
    stage2.unmap(0, 2 * PAGE_SIZE, &log).unwrap();
    assert_eq!(contents(&stage2), before);
    // Each range alone would need both new tables; together they need them once.
    stage2
        .map_all([page(0), page(2 * PAGE_SIZE)].into_iter(), &log)
        .unwrap();
    assert_eq!(pool.available(), 8 - 3);
    let before = contents(&stage2);
    let late = [page(MIB_2), page(GIB), page(2 * PAGE_SIZE)];
    assert_eq!(
        stage2.map_all(late.into_iter(), &log),
        Err(Stage2Error::Overlap { ipa: 2 * PAGE_SIZE })
    );
    assert_eq!(contents(&stage2), before);
    assert_eq!(pool.available(), 8 - 3);
}

/// Looks, whenever something is flushed, whether it is absent at that moment.
struct AbsentWhenFlushed<'a> {
    pool: &'a dyn Tables,
    root: u64,
    flushes: RefCell<usize>,
}

impl Flush for AbsentWhenFlushed<'_> {
    fn ipa(&self, vmid: u16, ipa: u64) {
        let view = Stage2 {
            pool: self.pool,
            root: self.root,
            regime: super::Regime::Stage2,
            vmid,
        };
        assert_eq!(view.walk(ipa), None);
        *self.flushes.borrow_mut() += 1;
    }

    fn all(&self, _: u16) {
        panic!("not for a few leaves");
    }

    fn publish(&self) {}
}

#[test]
fn a_block_is_absent_while_it_is_split() {
    let pool = pool::<8>();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2
        .map(GIB, GIB, GIB, Attr::RWX, &Log::default())
        .unwrap();
    let flush = AbsentWhenFlushed {
        pool: &*pool,
        root: stage2.root_pa(),
        flushes: RefCell::new(0),
    };
    // Two splits, and the page itself.
    stage2.unmap(GIB + PAGE_SIZE, PAGE_SIZE, &flush).unwrap();
    assert_eq!(*flush.flushes.borrow(), 3);
    assert_eq!(stage2.walk(GIB + PAGE_SIZE), None);
    assert_eq!(stage2.walk(GIB), Some((GIB, Attr::RWX)));
    assert_eq!(stage2.walk(2 * GIB - 1), Some((2 * GIB - 1, Attr::RWX)));
    assert_eq!(pool.available(), 8 - 3);
}

#[test]
fn a_changed_memory_type_is_absent_in_between() {
    let pool = pool::<8>();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2
        .map(0, MIB_2, 4 * PAGE_SIZE, Attr::RW, &Log::default())
        .unwrap();
    let flush = AbsentWhenFlushed {
        pool: &*pool,
        root: stage2.root_pa(),
        flushes: RefCell::new(0),
    };
    stage2
        .protect(0, 4 * PAGE_SIZE, Attr::DEVICE, &flush)
        .unwrap();
    assert_eq!(*flush.flushes.borrow(), 4);
    assert_eq!(
        stage2.walk(PAGE_SIZE),
        Some((MIB_2 + PAGE_SIZE, Attr::DEVICE))
    );
}

#[test]
fn a_split_that_finds_no_table_changes_nothing() {
    let pool = pool::<2>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2.map(0, 0, GIB, Attr::RW, &log).unwrap();
    let before = contents(&stage2);
    // Two are needed, one is there.
    assert_eq!(
        stage2.unmap(0, PAGE_SIZE, &log),
        Err(Stage2Error::OutOfTables)
    );
    assert_eq!(
        stage2.protect(0, PAGE_SIZE, Attr::RO, &log),
        Err(Stage2Error::OutOfTables)
    );
    assert_eq!(contents(&stage2), before);
    assert_eq!(pool.available(), 1);
}

#[test]
fn destroying_gives_every_table_back() {
    let pool = pool::<16>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    for gib in 0..4 {
        stage2
            .map(gib * GIB + PAGE_SIZE, 0, PAGE_SIZE, Attr::RO, &log)
            .unwrap();
    }
    assert_eq!(pool.available(), 16 - 9);
    stage2.destroy(&log);
    assert_eq!(pool.available(), 16);
    assert_eq!(*log.0.borrow(), [Flushed::All]);
    // They come out clean again.
    let stage2 = Stage2::new(&*pool, 7).unwrap();
    assert_eq!(
        stage2.translate_range(0, 1 << IPA_BITS).next(),
        Some(Err(Stage2Error::NotMapped { ipa: 0 }))
    );
}

#[test]
fn two_guests_share_a_pool_and_nothing_else() {
    let pool = pool::<16>();
    let log = Log::default();
    let mut one = Stage2::new(&*pool, 7).unwrap();
    let mut two = Stage2::new(&*pool, 7).unwrap();
    one.map(0, 0, PAGE_SIZE, Attr::RW, &log).unwrap();
    two.map(0, GIB, PAGE_SIZE, Attr::RO, &log).unwrap();
    assert_eq!(one.walk(0), Some((0, Attr::RW)));
    assert_eq!(two.walk(0), Some((GIB, Attr::RO)));
    two.destroy(&log);
    assert_eq!(one.walk(0), Some((0, Attr::RW)));
    one.destroy(&log);
    assert_eq!(pool.available(), 16);
}

#[test]
fn addresses_that_are_no_tables_are_nobodys() {
    let pool = pool::<2>();
    let first = pool.pa_of(0).unwrap();
    assert_eq!(pool.pa_of(2), None);
    assert_eq!(pool.index_of(first + 8), None);
    assert_eq!(pool.index_of(first.wrapping_sub(4096)), None);
    assert_eq!(pool.index_of(first + 2 * 4096), None);
    assert_eq!(pool.index_of(first + 4096), Some(1));
    pool.free(1);
    assert!(pool.table(1).is_none());
    assert_eq!(pool.available(), 2);
}
