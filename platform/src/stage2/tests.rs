//! Stage 2 against a model that is a list of pages, and against what a TLB may still hold.

use super::*;
use proptest::prelude::*;
use std::cell::RefCell;
use std::vec::Vec;

const GIB: u64 = 1 << 30;
const MIB_2: u64 = 1 << 21;

/// Records what was flushed.
#[derive(Default)]
struct Log(RefCell<Vec<Flushed>>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flushed {
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

fn pool<const N: usize>() -> Box<TablePool<N>> {
    Box::new(TablePool::new())
}

/// All tables that can be reached, and what is in them.
fn contents(stage2: &Stage2<'_>) -> Vec<(u64, Vec<u64>)> {
    fn collect(pool: &dyn Tables, pa: u64, level: Level, seen: &mut Vec<(u64, Vec<u64>)>) {
        let table = pool.table(pa).unwrap();
        let entries: Vec<u64> = (0..512).map(|index| table.get(index)).collect();
        seen.push((pa, entries.clone()));
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
    assert_eq!(
        stage2.map_all(&twice, &log),
        Err(Stage2Error::Overlap { ipa: 0 })
    );
    assert_eq!(contents(&stage2), before);
    // Each range alone would need both new tables; together they need them once.
    stage2
        .map_all(&[page(0), page(2 * PAGE_SIZE)], &log)
        .unwrap();
    assert_eq!(pool.available(), 8 - 3);
    let before = contents(&stage2);
    let late = [page(MIB_2), page(GIB), page(2 * PAGE_SIZE)];
    assert_eq!(
        stage2.map_all(&late, &log),
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
    assert!(log.0.borrow().is_empty());
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

/// The pages around a 1 GiB border, and the rest of the upper gibibyte as one piece, so that block mappings of every size
/// come up and the model stays small.
const WINDOW_PAGES: usize = 1024;
const CELLS: usize = WINDOW_PAGES + 1;
const WINDOW: u64 = GIB - MIB_2;

/// First IPA and length of a cell.
fn cell(index: usize) -> (u64, u64) {
    let ipa = WINDOW + index as u64 * PAGE_SIZE;
    if index < WINDOW_PAGES {
        (ipa, PAGE_SIZE)
    } else {
        (ipa, 2 * GIB - ipa)
    }
}

#[derive(Clone, Debug)]
enum Op {
    Map {
        cells: Range<usize>,
        shift: u64,
        attr: Attr,
    },
    Unmap {
        cells: Range<usize>,
    },
    Protect {
        cells: Range<usize>,
        attr: Attr,
    },
}

fn any_cells() -> impl Strategy<Value = Range<usize>> {
    // Ends at and around the borders of blocks are the interesting ones.
    let end = || {
        prop_oneof![
            prop_oneof![
                Just(0),
                Just(1),
                Just(511),
                Just(512),
                Just(513),
                Just(1023),
                Just(1024),
                Just(1025)
            ],
            0..=CELLS,
        ]
    };
    (end(), end())
        .prop_map(|(a, b)| a.min(b)..a.max(b).max(a.min(b) + 1).min(CELLS))
        .prop_filter("empty", |cells| !cells.is_empty())
}

fn any_attr() -> impl Strategy<Value = Attr> {
    prop_oneof![
        4 => prop_oneof![Just(Attr::RW), Just(Attr::RX), Just(Attr::RO), Just(Attr::RWX)],
        1 => Just(Attr::DEVICE),
        1 => Just(Attr { memory: Memory::NormalNonCacheable, ..Attr::RW }),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    // How far the physical address is from fitting a block.
    let shift = prop_oneof![3 => Just(0), 1 => Just(MIB_2), 1 => Just(PAGE_SIZE)];
    prop_oneof![
        3 => (any_cells(), shift, any_attr()).prop_map(|(cells, shift, attr)| Op::Map { cells, shift, attr }),
        2 => any_cells().prop_map(|cells| Op::Unmap { cells }),
        2 => (any_cells(), any_attr()).prop_map(|(cells, attr)| Op::Protect { cells, attr }),
    ]
}

fn range_of(cells: &Range<usize>) -> (u64, u64) {
    let (start, _) = cell(cells.start);
    let (last, len) = cell(cells.end - 1);
    (start, last + len - start)
}

type Model = Vec<Option<(u64, Attr)>>;

/// Does to the model what the operation says.
fn apply(model: &mut Model, op: &Op) -> Result<(), Stage2Error> {
    match op {
        Op::Map { cells, shift, attr } => {
            if let Some(taken) = cells.clone().find(|index| model[*index].is_some()) {
                return Err(Stage2Error::Overlap { ipa: cell(taken).0 });
            }
            for index in cells.clone() {
                model[index] = Some((cell(index).0 + 4 * GIB + shift, *attr));
            }
        }
        Op::Unmap { cells } | Op::Protect { cells, .. } => {
            if let Some(hole) = cells.clone().find(|index| model[*index].is_none()) {
                return Err(Stage2Error::NotMapped { ipa: cell(hole).0 });
            }
            for index in cells.clone() {
                model[index] = match (op, model[index]) {
                    (Op::Protect { attr, .. }, Some((pa, _))) => Some((pa, *attr)),
                    _ => None,
                };
            }
        }
    }
    Ok(())
}

/// Does the operation; says what was flushed.
fn perform(stage2: &mut Stage2<'_>, op: &Op) -> (Result<(), Stage2Error>, Vec<Flushed>) {
    let log = Log::default();
    let result = match op {
        Op::Map { cells, shift, attr } => {
            let (ipa, len) = range_of(cells);
            stage2.map(ipa, ipa + 4 * GIB + shift, len, *attr, &log)
        }
        Op::Unmap { cells } => {
            let (ipa, len) = range_of(cells);
            stage2.unmap(ipa, len, &log)
        }
        Op::Protect { cells, attr } => {
            let (ipa, len) = range_of(cells);
            stage2.protect(ipa, len, *attr, &log)
        }
    };
    (result, log.0.into_inner())
}

/// Every leaf of the window, as a TLB may hold it.
fn leaves(stage2: &Stage2<'_>) -> Vec<Mapping> {
    let mut ipa = WINDOW;
    let mut leaves = Vec::new();
    while ipa < 2 * GIB {
        match stage2.leaf(ipa) {
            Some(leaf) => {
                ipa = leaf.ipa + leaf.len;
                leaves.push(leaf);
            }
            None => ipa += PAGE_SIZE,
        }
    }
    leaves
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_agrees_with_the_model(ops in prop::collection::vec(any_op(), 1..24), roomy: bool) {
        let large = pool::<64>();
        let small = pool::<6>();
        let pool: &dyn Tables = if roomy { &*large } else { &*small };
        let total = pool.available();
        let mut stage2 = Stage2::new(pool, 7).unwrap();
        let mut model: Model = vec![None; CELLS];
        for op in ops {
            let before = contents(&stage2);
            let cached = leaves(&stage2);
            let mut next = model.clone();
            let expected = apply(&mut next, &op);
            let (result, flushed) = perform(&mut stage2, &op);
            let out_of_tables = result == Err(Stage2Error::OutOfTables);
            if out_of_tables {
                // Only a gibibyte in pages takes more than the larger pool has.
                let in_pages = matches!(op, Op::Map { shift: PAGE_SIZE, .. });
                prop_assert!(!roomy || in_pages);
            } else {
                prop_assert_eq!(result, expected, "{:?}", &op);
            }
            if result.is_ok() {
                model = next;
            } else {
                prop_assert_eq!(&contents(&stage2), &before);
            }
            // Every page reads as the model says, at both ends.
            for (index, expected) in model.iter().enumerate() {
                let (ipa, len) = cell(index);
                prop_assert_eq!(stage2.walk(ipa), *expected);
                let last = expected.map(|(pa, attr)| (pa + len - 1, attr));
                prop_assert_eq!(stage2.walk(ipa + len - 1), last);
            }
            prop_assert_eq!(stage2.walk(WINDOW - 1), None);
            prop_assert_eq!(stage2.walk(2 * GIB), None);
            // Every table that is taken is in the tree.
            prop_assert_eq!(total - pool.available(), contents(&stage2).len());
            // Whatever a TLB held and the tables no longer say, in whole or in part, was flushed.
            for old in &cached {
                let same = stage2.leaf(old.ipa) == Some(*old);
                let forgotten = flushed.iter().any(|flush| match flush {
                    Flushed::All => true,
                    Flushed::Ipa(ipa) => (old.ipa..old.ipa + old.len).contains(ipa),
                });
                prop_assert!(same || forgotten, "{:x?} survives {:?}", old, &op);
            }
            // A table that left the tree was flushed with everything.
            let after = contents(&stage2);
            let lost = before.iter().any(|(pa, _)| !after.iter().any(|(other, _)| other == pa));
            prop_assert!(!lost || flushed.contains(&Flushed::All));
        }
        // With everything unmapped only the root is left.
        for (index, mapped) in model.iter().enumerate() {
            if mapped.is_some() {
                let (ipa, len) = cell(index);
                if stage2.unmap(ipa, len, &Log::default()).is_err() {
                    prop_assert!(!roomy);
                }
            }
        }
        if roomy {
            prop_assert_eq!(pool.available(), total - 1);
        }
        stage2.destroy(&Log::default());
        prop_assert_eq!(pool.available(), total);
    }

    #[test]
    fn the_leaves_of_a_range_join_up(ops in prop::collection::vec(any_op(), 1..12), cells in any_cells(), cut in 0..PAGE_SIZE) {
        let pool = pool::<64>();
        let mut stage2 = Stage2::new(&*pool, 7).unwrap();
        for op in ops {
            let _ = perform(&mut stage2, &op);
        }
        let (ipa, len) = range_of(&cells);
        let (start, end) = (ipa + cut, ipa + len);
        let mut next = start;
        for item in stage2.translate_range(start, end - start) {
            match item {
                Ok(piece) => {
                    prop_assert_eq!(piece.ipa, next);
                    prop_assert!(piece.len > 0);
                    prop_assert_eq!(stage2.walk(piece.ipa), Some((piece.pa, piece.attr)));
                    next += piece.len;
                }
                Err(error) => {
                    prop_assert_eq!(error, Stage2Error::NotMapped { ipa: next });
                    prop_assert_eq!(stage2.walk(next), None);
                    next = end;
                }
            }
        }
        prop_assert_eq!(next, end);
    }
}
