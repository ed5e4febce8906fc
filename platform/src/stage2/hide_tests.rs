//! Hidden pages, blocks that are split and joined, and quotas of tables.

use super::tests::{Flushed, GIB, Log, MIB_2, contents, pool};
use super::*;
use std::vec::Vec;

/// A range of pages, by their numbers.
pub(super) fn pages(numbers: Range<u64>) -> Range<u64> {
    numbers.start * PAGE_SIZE..numbers.end * PAGE_SIZE
}

fn once(numbers: Range<u64>) -> core::iter::Once<Range<u64>> {
    core::iter::once(pages(numbers))
}

#[test]
fn hidden_pages_are_out_of_reach_until_they_are_shown() {
    let pool = pool::<8>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2.map(0, MIB_2, MIB_2, Attr::RWX, &log).unwrap();
    stage2
        .protect(MIB_2 / 2, PAGE_SIZE, Attr::RO, &log)
        .unwrap();
    let before = contents(&stage2);
    let hidden = [pages(256..257), pages(1..3)];
    stage2.hide(hidden.iter().cloned(), &log).unwrap();
    for page in 0..512 {
        let there = ![1, 2, 256].contains(&page);
        assert_eq!(stage2.covers(page * PAGE_SIZE + 8), there, "{page}");
    }
    // What is hidden is neither mapped nor free.
    assert_eq!(
        stage2.map(PAGE_SIZE, 0, PAGE_SIZE, Attr::RW, &log),
        Err(Stage2Error::Overlap { ipa: PAGE_SIZE })
    );
    let gone = Err(Stage2Error::NotMapped { ipa: PAGE_SIZE });
    assert_eq!(stage2.hide(once(0..2), &log), gone);
    assert_eq!(stage2.unmap(0, 2 * PAGE_SIZE, &log), gone);
    stage2.show(hidden.iter().cloned(), &log);
    assert_eq!(contents(&stage2), before);
}

#[test]
fn what_was_split_to_hide_a_page_is_a_block_again() {
    let pool = pool::<8>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2.map(GIB, GIB, GIB, Attr::RWX, &log).unwrap();
    stage2.map(0, 0, MIB_2, Attr::RW, &log).unwrap();
    let before = contents(&stage2);
    for numbers in [5..6, 0..1, 511..512, 0..512] {
        stage2.hide(once(numbers.clone()), &log).unwrap();
        stage2.show(once(numbers), &log);
        assert_eq!(contents(&stage2), before);
    }
    let first = 1 << 18;
    stage2.hide(once(first + 7..first + 600), &log).unwrap();
    assert_eq!(pool.available(), 8 - 2 - 3);
    // Two halves of it.
    stage2.show(once(first + 7..first + 300), &log);
    assert_eq!(pool.available(), 8 - 2 - 3);
    stage2.show(once(first + 300..first + 600), &log);
    assert_eq!(contents(&stage2), before);
    // The pages of a table that became a block may be cached one by one.
    assert_eq!(log.0.borrow().last(), Some(&Flushed::All));
    // Permissions, there and back.
    let ipa = GIB + 9 * PAGE_SIZE;
    stage2.protect(ipa, PAGE_SIZE, Attr::RO, &log).unwrap();
    assert_eq!(pool.available(), 8 - 2 - 2);
    stage2.protect(ipa, PAGE_SIZE, Attr::RWX, &log).unwrap();
    assert_eq!(contents(&stage2), before);
}

#[test]
fn a_block_that_was_given_in_part_is_none_again() {
    let pool = pool::<8>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2.map(0, 0, MIB_2, Attr::RW, &log).unwrap();
    stage2.hide(once(5..6), &log).unwrap();
    stage2.give_up(once(5..6), &log);
    assert_eq!(pool.available(), 8 - 3);
    // It comes back as another's: that has to stay possible to take away when there are no tables at all.
    let page = Mapping {
        ipa: 5 * PAGE_SIZE,
        pa: 5 * PAGE_SIZE,
        len: PAGE_SIZE,
        attr: Attr::RW,
    };
    stage2.map_all(core::iter::once(page), &log).unwrap();
    stage2.hide(once(9..10), &log).unwrap();
    stage2.show(once(9..10), &log);
    while pool.alloc(Contents::Any).is_some() {}
    assert_eq!(stage2.unmap_all(once(5..6), &log), Ok(()));
    assert!(!stage2.covers(5 * PAGE_SIZE));
}

#[test]
fn a_block_that_was_given_whole_takes_its_tables_along() {
    let pool = pool::<8>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    let empty = contents(&stage2);
    stage2.map(0, 0, MIB_2, Attr::RW, &log).unwrap();
    stage2
        .hide([pages(0..7), pages(7..512)].into_iter(), &log)
        .unwrap();
    stage2.give_up([pages(7..512), pages(0..7)].into_iter(), &log);
    assert_eq!(contents(&stage2), empty);
    assert_eq!(pool.available(), 7);
}

#[test]
fn scattered_pages_take_no_more_tables_than_they_need() {
    let pool = pool::<3>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    let all = (0..256).rev().map(|page| Mapping {
        ipa: page * 2 * PAGE_SIZE,
        pa: page * 2 * PAGE_SIZE,
        len: PAGE_SIZE,
        attr: Attr::RW,
    });
    stage2.map_all(all.clone(), &log).unwrap();
    assert_eq!(pool.available(), 0);
    let ranges = all.map(|page| page.ipa..page.ipa + page.len);
    stage2.hide(ranges.clone(), &log).unwrap();
    stage2.show(ranges.clone(), &log);
    stage2.unmap_all(ranges, &log).unwrap();
    assert_eq!(pool.available(), 2);
}

#[test]
fn several_splits_are_all_undone_if_one_finds_no_table() {
    let pool = pool::<4>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2.map(0, 0, 4 * MIB_2, Attr::RW, &log).unwrap();
    let before = contents(&stage2);
    let three = (0..3).map(|n| pages(n * 512 + 1..n * 512 + 2));
    let none = Err(Stage2Error::OutOfTables);
    assert_eq!(stage2.hide(three.clone(), &log), none);
    assert_eq!(stage2.unmap_all(three.clone(), &log), none);
    assert_eq!(contents(&stage2), before);
    // A hole in the last of them.
    stage2.unmap(MIB_2, MIB_2, &log).unwrap();
    let before = contents(&stage2);
    let hole = [pages(1..2), pages(512..513)];
    let gone = Err(Stage2Error::NotMapped { ipa: MIB_2 });
    assert_eq!(stage2.hide(hole.into_iter(), &log), gone);
    assert_eq!(contents(&stage2), before);
    assert_eq!(stage2.hide(three.take(1), &log), Ok(()));
}

#[test]
fn ranges_that_are_none_are_refused() {
    let pool = pool::<4>();
    let log = Log::default();
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    stage2.map(0, 0, MIB_2, Attr::RW, &log).unwrap();
    let before = contents(&stage2);
    for (range, error) in [
        (0..1, Stage2Error::Alignment),
        (0..0, Stage2Error::Alignment),
        (
            Range {
                start: 2 * PAGE_SIZE,
                end: PAGE_SIZE,
            },
            Stage2Error::Alignment,
        ),
        (0..(1 << IPA_BITS) + PAGE_SIZE, Stage2Error::Range),
    ] {
        let ranges = [pages(0..1), range];
        assert_eq!(stage2.hide(ranges.iter().cloned(), &log), Err(error));
        assert_eq!(contents(&stage2), before);
        stage2.show(ranges.iter().cloned(), &log);
        stage2.give_up(ranges.iter().cloned(), &log);
        assert_eq!(contents(&stage2), before);
    }
    // The same page twice: hidden once.
    stage2
        .hide([pages(0..1), pages(0..1)].into_iter(), &log)
        .unwrap();
    stage2.show(once(0..1), &log);
    assert_eq!(contents(&stage2), before);
}

#[test]
fn nobody_takes_the_tables_that_another_is_guaranteed() {
    let pool = pool::<10>();
    let common = Common::new(10);
    let log = Log::default();
    let quotas: Vec<Quota<'_, TablePool<10>>> =
        (0..3).map(|_| Quota::new(&*pool, &common)).collect();
    assert!(quotas.iter().all(|quota| quota.guarantee(2)));
    common.limit(3);
    let mut first = Stage2::new(&quotas[0], 7).unwrap();
    let page = |stage2: &mut Stage2<'_>, n: u64| {
        let ipa = n * MIB_2;
        stage2.map(ipa, ipa, PAGE_SIZE, Attr::RW, &log)
    };
    for n in 0..3 {
        page(&mut first, n).unwrap();
    }
    assert_eq!(quotas[0].available(), 0);
    let before = contents(&first);
    assert_eq!(page(&mut first, 3), Err(Stage2Error::OutOfTables));
    assert_eq!(contents(&first), before);
    // One is left beyond what is guaranteed.
    let mut second = Stage2::new(&quotas[1], 7).unwrap();
    page(&mut second, 0).unwrap();
    assert_eq!(quotas[1].taken(), 3);
    assert_eq!(page(&mut second, 1), Err(Stage2Error::OutOfTables));
    assert_eq!(quotas[2].available(), 2);
    let third = Stage2::new(&quotas[2], 7).unwrap();
    first.unmap(0, PAGE_SIZE, &log).unwrap();
    page(&mut second, 1).unwrap();
    for stage2 in [first, second, third] {
        stage2.destroy(&log);
    }
    assert!(quotas.iter().all(|quota| quota.taken() == 0));
    assert_eq!(pool.available(), 10);
    quotas[0].free(1);
    assert_eq!(quotas[0].taken(), 0);
    assert_eq!(quotas[0].available(), 5);
    // What it is guaranteed later is beside what it has already.
    let tables: Vec<u64> = (0..5)
        .filter_map(|_| quotas[0].alloc(Contents::Any))
        .collect();
    assert_eq!(common.left(), 1);
    assert!(!quotas[0].guarantee(2));
    assert!(quotas[0].guarantee(1));
    assert_eq!(common.left(), 0);
    let own = quotas[0].alloc(Contents::Any);
    assert!(own.is_some());
    assert!(quotas[0].alloc(Contents::Any).is_none());
    for table in tables.into_iter().chain(own) {
        quotas[0].free(table);
    }
    // They stay its own.
    assert_eq!((common.left(), quotas[0].available()), (0, 6));
}

#[test]
fn a_pool_can_grow_once() {
    let pool = pool::<2>();
    let log = Log::default();
    let memory = Box::leak(Box::new([const { Table::new() }; 5]));
    let start = memory.as_ptr() as usize;
    // SAFETY: memory that nobody else uses, and that is never freed.
    let added = unsafe { pool.add(start..start + 5 * 4096) };
    assert_eq!(added, 4);
    // SAFETY: as above.
    assert_eq!(unsafe { pool.add(start..start + 5 * 4096) }, 0);
    assert_eq!(pool.available(), 6);
    let mut stage2 = Stage2::new(&*pool, 7).unwrap();
    for n in 0..4 {
        stage2.map(n * MIB_2, 0, PAGE_SIZE, Attr::RW, &log).unwrap();
    }
    assert_eq!(pool.available(), 0);
    assert_eq!(
        stage2.map(4 * MIB_2, 0, PAGE_SIZE, Attr::RW, &log),
        Err(Stage2Error::OutOfTables)
    );
    let tables: Vec<u64> = (0..6).filter_map(|index| pool.pa_of(index)).collect();
    assert_eq!(tables.len(), 6);
    assert_eq!(tables[2], start as u64);
    for (index, table) in tables.iter().enumerate() {
        assert_eq!(pool.index_of(*table), Some(index));
    }
    assert_eq!(pool.pa_of(6), None);
    assert_eq!(pool.index_of(start as u64 + 4 * 4096), None);
    assert_eq!(contents(&stage2).len(), 6);
    stage2.destroy(&log);
    assert_eq!(pool.available(), 6);
}
