//! What endpoints do to each other's stage 2, in any order: what was given is always to be had back.

use super::hide_tests::pages;
use super::tests::{Log, contents, pool};
use super::*;
use proptest::prelude::*;
use std::vec::Vec;

/// What endpoints do to each other, seen from one of them.
#[derive(Clone, Debug)]
enum Deal {
    /// It lends pages of its own.
    Lend(Vec<Range<u64>>),
    /// It takes back what it has lent first.
    Reclaim,
    /// It gives those away for good.
    Donate,
    /// It borrows pages.
    Borrow(Vec<Range<u64>>, Attr),
    /// It gives back what it has borrowed first.
    Relinquish,
}

/// Pages of its own end here, and others' begin.
const OWN: u64 = 1200;

fn any_pages(from: u64) -> impl Strategy<Value = Vec<Range<u64>>> {
    let one = (
        0..OWN,
        prop_oneof![3 => Just(1u64), 1 => Just(512), 1 => 1..600u64],
    );
    prop::collection::vec(one, 1..4).prop_map(move |all| {
        let mut pieces: Vec<Range<u64>> = Vec::new();
        for (start, count) in all {
            let start = if count == 512 { start & !511 } else { start };
            let end = (start + count).min(OWN);
            if pieces
                .iter()
                .all(|other| other.end <= start || end <= other.start)
            {
                pieces.push(start..end);
            }
        }
        pieces
            .iter()
            .map(|piece| pages(from + piece.start..from + piece.end))
            .collect()
    })
}

fn any_deal() -> impl Strategy<Value = Deal> {
    let attr = prop_oneof![Just(Attr::RW), Just(Attr::RO), Just(Attr::RWX)];
    prop_oneof![
        3 => any_pages(0).prop_map(Deal::Lend),
        2 => Just(Deal::Reclaim),
        1 => Just(Deal::Donate),
        // Also where it has given pages away.
        3 => (prop_oneof![any_pages(0), any_pages(OWN)], attr)
            .prop_map(|(pages, attr)| Deal::Borrow(pages, attr)),
        2 => Just(Deal::Relinquish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_given_is_always_to_be_had_back(deals in prop::collection::vec(any_deal(), 1..40)) {
        let pool = pool::<7>();
        let log = Log::default();
        let mut stage2 = Stage2::new(&*pool, 7).unwrap();
        stage2.map(0, 0, OWN * PAGE_SIZE, Attr::RWX, &log).unwrap();
        let (mut lent, mut borrowed) = (Vec::new(), Vec::<Vec<Range<u64>>>::new());
        for deal in deals {
            match deal {
                Deal::Lend(pages) => {
                    // What is another's is not lent on.
                    let others = |range: &Range<u64>| {
                        let mut all = borrowed.iter().flatten();
                        all.any(|other: &Range<u64>| other.start < range.end && range.start < other.end)
                    };
                    if !pages.iter().any(others) && stage2.hide(pages.iter().cloned(), &log).is_ok() {
                        lent.push(pages);
                    }
                }
                Deal::Reclaim if !lent.is_empty() => {
                    let pages = lent.remove(0);
                    stage2.show(pages.iter().cloned(), &log);
                    for range in pages {
                        let len = range.end - range.start;
                        prop_assert!(stage2.translate_range(range.start, len).all(|one| one.is_ok()));
                    }
                }
                Deal::Donate if !lent.is_empty() => {
                    stage2.give_up(lent.remove(0).into_iter(), &log);
                }
                Deal::Borrow(pages, attr) => {
                    let mappings = pages.iter().map(|range| Mapping {
                        ipa: range.start,
                        pa: range.start,
                        len: range.end - range.start,
                        attr,
                    });
                    if stage2.map_all(mappings, &log).is_ok() {
                        borrowed.push(pages);
                    }
                }
                Deal::Relinquish if !borrowed.is_empty() => {
                    prop_assert_eq!(stage2.unmap_all(borrowed.remove(0).into_iter(), &log), Ok(()));
                }
                _ => {}
            }
            prop_assert_eq!(7 - pool.available(), contents(&stage2).len());
        }
        for pages in lent {
            stage2.show(pages.into_iter(), &log);
        }
        for pages in borrowed {
            prop_assert_eq!(stage2.unmap_all(pages.into_iter(), &log), Ok(()));
        }
    }
}
