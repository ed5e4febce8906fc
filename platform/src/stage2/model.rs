//! Stage 2 against a model that is a list of pages, and against what a TLB may still hold.

use super::tests::{Flushed, GIB, Log, MIB_2, contents, pool};
use super::*;
use proptest::prelude::*;
use std::vec::Vec;

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
