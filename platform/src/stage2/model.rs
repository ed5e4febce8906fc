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
    /// Hides several ranges.
    Hide {
        cells: Vec<Range<usize>>,
    },
    /// Shows what the hiding of this number hid, counted round.
    Show {
        which: usize,
    },
    /// The same, for good.
    GiveUp {
        which: usize,
    },
}

/// Disjoint ranges, in any order.
fn any_pieces() -> impl Strategy<Value = Vec<Range<usize>>> {
    prop::collection::vec(any_cells(), 1..4).prop_map(|all| {
        let mut pieces: Vec<Range<usize>> = Vec::new();
        for cells in all {
            let apart = |other: &Range<usize>| other.end <= cells.start || cells.end <= other.start;
            if pieces.iter().all(apart) {
                pieces.push(cells);
            }
        }
        pieces
    })
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
        2 => any_pieces().prop_map(|cells| Op::Hide { cells }),
        2 => any::<usize>().prop_map(|which| Op::Show { which }),
        1 => any::<usize>().prop_map(|which| Op::GiveUp { which }),
    ]
}

fn range_of(cells: &Range<usize>) -> (u64, u64) {
    let (start, _) = cell(cells.start);
    let (last, len) = cell(cells.end - 1);
    (start, last + len - start)
}

/// Where a page leads, and what was hidden with it.
#[derive(Clone, Default)]
struct Model {
    pages: Vec<Option<(u64, Attr)>>,
    /// The cells that are hidden, as they were.
    hidden: Vec<Vec<Range<usize>>>,
    covered: Vec<Option<(u64, Attr)>>,
}

impl Model {
    fn new() -> Self {
        Self {
            pages: vec![None; CELLS],
            hidden: Vec::new(),
            covered: vec![None; CELLS],
        }
    }

    /// Does what the operation says.
    fn apply(&mut self, op: &Op) -> Result<(), Stage2Error> {
        match op {
            Op::Map { cells, shift, attr } => {
                let taken =
                    |index: &usize| self.pages[*index].is_some() || self.covered[*index].is_some();
                if let Some(taken) = cells.clone().find(taken) {
                    return Err(Stage2Error::Overlap { ipa: cell(taken).0 });
                }
                for index in cells.clone() {
                    self.pages[index] = Some((cell(index).0 + 4 * GIB + shift, *attr));
                }
            }
            Op::Unmap { cells } => {
                self.all_mapped(core::slice::from_ref(cells))?;
                self.pages[cells.clone()].fill(None);
            }
            Op::Protect { cells, attr } => {
                self.all_mapped(core::slice::from_ref(cells))?;
                for page in self.pages[cells.clone()].iter_mut().flatten() {
                    page.1 = *attr;
                }
            }
            Op::Hide { cells } => {
                self.all_mapped(cells)?;
                for index in cells.iter().cloned().flatten() {
                    self.covered[index] = self.pages[index].take();
                }
                self.hidden.push(cells.clone());
            }
            Op::Show { which } | Op::GiveUp { which } => {
                if let Some(number) = which.checked_rem(self.hidden.len()) {
                    for index in self.hidden.remove(number).into_iter().flatten() {
                        let covered = self.covered[index].take();
                        if matches!(op, Op::Show { .. }) {
                            self.pages[index] = covered;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn all_mapped(&self, cells: &[Range<usize>]) -> Result<(), Stage2Error> {
        let mut all = cells.iter().cloned().flatten();
        match all.find(|index| self.pages[*index].is_none()) {
            Some(hole) => Err(Stage2Error::NotMapped { ipa: cell(hole).0 }),
            None => Ok(()),
        }
    }

    /// What `which` of an operation stands for.
    fn hidden(&self, which: usize) -> Vec<Range<usize>> {
        let number = which.checked_rem(self.hidden.len());
        number.map_or(Vec::new(), |number| self.hidden[number].clone())
    }
}

/// The IPAs of several ranges of cells.
fn ipas(cells: &[Range<usize>]) -> impl Iterator<Item = Range<u64>> + Clone {
    cells.iter().map(|cells| {
        let (ipa, len) = range_of(cells);
        ipa..ipa + len
    })
}

/// Does the operation; says what was flushed.
fn perform(
    stage2: &mut Stage2<'_>,
    model: &Model,
    op: &Op,
) -> (Result<(), Stage2Error>, Vec<Flushed>) {
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
        Op::Hide { cells } => stage2.hide(ipas(cells), &log),
        Op::Show { which } => {
            stage2.show(ipas(&model.hidden(*which)), &log);
            Ok(())
        }
        Op::GiveUp { which } => {
            stage2.give_up(ipas(&model.hidden(*which)), &log);
            Ok(())
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
        let mut model = Model::new();
        for op in ops {
            let before = contents(&stage2);
            let cached = leaves(&stage2);
            let mut next = model.clone();
            let expected = next.apply(&op);
            let (result, flushed) = perform(&mut stage2, &model, &op);
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
            for (index, expected) in model.pages.iter().enumerate() {
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
        while !model.hidden.is_empty() {
            let op = Op::GiveUp { which: 0 };
            prop_assert_eq!(perform(&mut stage2, &model, &op).0, Ok(()));
            model.apply(&op).unwrap();
        }
        for (index, mapped) in model.pages.iter().enumerate() {
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
        let mut model = Model::new();
        for op in ops {
            if perform(&mut stage2, &model, &op).0.is_ok() {
                model.apply(&op).unwrap();
            }
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
