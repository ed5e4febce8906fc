//! `FFA_MEM_SHARE`, `LEND` and `DONATE`: what is looked at when all constituents are there.

use super::*;

/// `who` offers this, in both forms, and is refused.
#[track_caller]
pub fn refused(f: &mut Fixture, who: Who, fid: u64, draft: &Draft, error: FfaError) {
    for fid in [fid, fid | WIDE] {
        let answer = f.offer(who, fid, draft);
        assert_eq!(answer, Err(error), "{who:?} {fid:#x} {draft:x?}");
    }
}

#[test]
fn row_22_no_more_transactions_but_for_others() {
    let mut f = Fixture::with_pairs();
    let mut handles = Vec::new();
    let draft = |n: usize| share(Who::Vm, B).parts(&[(Who::Vm.memory() + n as u64 * PAGE, 1)]);
    let error = loop {
        match f.offer(Who::Vm, SHARE, &draft(handles.len())) {
            Ok(handle) => handles.push(handle),
            Err(error) => break error,
        }
    };
    assert_eq!(error, NoMemory);
    assert!(handles.len() > 8, "{}", handles.len());
    // Whatever a VM does, another one, the hypervisor and partitions have theirs.
    for who in [Who::Partition(A), Who::Hypervisor] {
        let page = match who {
            Who::Hypervisor => who.memory() + handles.len() as u64 * PAGE,
            _ => who.memory(),
        };
        let draft = share(who, C).parts(&[(page, 1)]);
        let handle = f.offer(who, SHARE, &draft).unwrap();
        f.reclaim(who, handle, 0).unwrap();
    }
    let unique: std::collections::BTreeSet<_> = handles.iter().copied().collect();
    assert_eq!(unique.len(), handles.len());
    for handle in handles.drain(..) {
        f.reclaim(Who::Vm, handle, 0).unwrap();
    }
    // A stale handle is nobody's.
    let handle = f.offer(Who::Vm, SHARE, &draft(0)).unwrap();
    assert!(!unique.contains(&handle));
}

#[test]
fn row_23_constituents_that_are_none_or_not_as_announced() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let page = who.memory();
        for parts in [
            vec![(page, 1), (page, 1)],
            vec![(page, 2), (page + PAGE, 1)],
            vec![(page + PAGE, 1), (page, 2)],
            vec![(page, 0)],
            vec![(page, 1), (page + PAGE, 0)],
            vec![(page + 1, 1)],
            vec![(page + 0x800, 1)],
            vec![(0xffff_ffff_ffff_f000, 1)],
            vec![(0xffff_ffff_ffff_0000, 0x10)],
        ] {
            let draft = share(who, B).parts(&parts);
            refused(&mut f, who, SHARE, &draft, InvalidParameters);
        }
        // The sum, which must not wrap either.
        for pages in [0, 2, u32::MAX] {
            let draft = share(who, B).poke(80, pages);
            refused(&mut f, who, SHARE, &draft, InvalidParameters);
        }
        let draft = share(who, B)
            .parts(&[(page, 1), (page + PAGE, 1)])
            .poke(96 + 8, u32::MAX)
            .poke(80, 0);
        refused(&mut f, who, SHARE, &draft, InvalidParameters);
    }
}

#[test]
fn row_24_constituents_of_several_kinds() {
    let mut f = Fixture::with_pairs();
    let who = Who::Partition(A);
    let own = who.memory();
    let read_only = Fake::memory(A) + 0xf000;
    for other in [
        read_only,
        LOANED_MEMORY,
        DEVICES,
        Who::Vm.memory(),
        Fake::memory(C),
    ] {
        for parts in [[(own, 1), (other, 1)], [(other, 1), (own, 1)]] {
            let draft = share(who, B).to(&[(id(B).0, RO)]).parts(&parts);
            refused(&mut f, who, SHARE, &draft, Denied);
        }
    }
}

#[test]
fn row_26_only_what_is_ones_own_alone() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let others = match who {
            Who::Partition(_) => vec![Who::Vm.memory(), LOANED_MEMORY + 4 * PAGE],
            _ => vec![Fake::memory(A), LOANED_MEMORY],
        };
        // The SPMC's, nobody's, another partition's, beyond what there is, buffers of all.
        let mut all = vec![
            0,
            0x0e10_0000,
            0x0b10_0000,
            NORMAL_MEMORY.end,
            0x10_0000_0000,
        ];
        all.extend(others);
        all.extend([Fake::memory(B) + 6 * PAGE, Fake::memory(B)]);
        let buffers = match who {
            Who::Partition(slot) => Fake::memory(slot),
            _ => NORMAL_MEMORY.start,
        };
        all.extend([buffers, buffers + PAIR * PAGE]);
        for page in all {
            for (fid, draft) in [
                (SHARE, share(who, C)),
                (LEND, lend(who, C)),
                (DONATE, donate(who, C)),
            ] {
                refused(&mut f, who, fid, &draft.parts(&[(page, 1)]), Denied);
            }
        }
        let edge = share(who, C).parts(&[(buffers + 2 * PAIR * PAGE - PAGE, 2)]);
        refused(&mut f, who, SHARE, &edge, Denied);
        // What is given already, by whatever transaction.
        for (fid, draft) in [
            (SHARE, share(who, C)),
            (LEND, lend(who, C)),
            (DONATE, donate(who, C)),
        ] {
            let handle = f.offer(who, fid, &draft).unwrap();
            refused(&mut f, who, SHARE, &share(who, B), Denied);
            refused(&mut f, who, LEND, &lend(who, B), Denied);
            refused(&mut f, who, DONATE, &donate(who, B), Denied);
            f.reclaim(who, handle, 0).unwrap();
        }
    }
}

#[test]
fn what_is_given_is_no_buffer() {
    let mut f = Fixture::with_pairs();
    let page = Who::Vm.memory();
    let handle = f.offer(Who::Vm, SHARE, &share(Who::Vm, B)).unwrap();
    f.answered(frame(&[0x8400_0067, 0]), &DONE);
    let map = [0xc400_0066, page, page + PAGE, 1];
    assert_eq!(f.ask(&map), Err(Denied));
    f.turn_of(Who::Partition(B));
    f.answered(frame(&[0x8400_0067, 0]), &DONE);
    f.fetch(Who::Partition(B), &retrieve(Who::Vm, B, handle))
        .unwrap_err();
    assert_eq!(f.ask(&map), Err(InvalidParameters));
}

#[test]
fn rows_27_and_28_nobody_gives_what_he_has_not() {
    let mut f = Fixture::with_pairs();
    let who = Who::Partition(A);
    let read_only = [(Fake::memory(A) + 0xf000, 1)];
    for (fid, draft) in [
        (LEND, lend(who, B).flags(1)),
        (DONATE, donate(who, B).flags(1)),
        (SHARE, share(who, B)),
        (LEND, lend(who, B)),
    ] {
        refused(&mut f, who, fid, &draft.parts(&read_only), Denied);
    }
    let draft = share(who, B).to(&[(id(B).0, RO)]).parts(&read_only);
    let handle = f.offer(who, SHARE, &draft).unwrap();
    let request = retrieve(who, B, handle).to(&[(id(B).0, RW)]);
    assert_eq!(f.fetch(Who::Partition(B), &request), Err(Denied));
    let request = request.to(&[(id(B).0, RO)]);
    f.fetch(Who::Partition(B), &request).unwrap();
    assert!(!f.machine.ground.granted[&(B.0, read_only[0].0)].write);
}

#[test]
fn row_30_no_tables_to_hide_it() {
    let mut f = Fixture::with_pairs();
    let who = Who::Partition(A);
    f.machine.tables = Some(0);
    refused(&mut f, who, LEND, &lend(who, B), NoMemory);
    refused(&mut f, who, DONATE, &donate(who, B).flags(1), NoMemory);
    // Sharing takes none.
    f.offer(who, SHARE, &share(who, B)).unwrap();
}
