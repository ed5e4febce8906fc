//! `FFA_MEM_SHARE`, `LEND` and `DONATE`: each mistake, in the order in which they are looked for.
//!
//! What a descriptor alone shows to be wrong is tested mistake by mistake beside its reader; here each
//! kind of it comes once.

use super::*;

/// `who` makes the call with these registers, after `draft` was put into TX.
#[track_caller]
fn calls(f: &mut Fixture, who: Who, call: &[u64], draft: &Draft, error: FfaError) {
    f.turn_of(who);
    let bytes = draft.bytes(f.version());
    f.put(&bytes);
    let mut call = call.to_vec();
    for register in &mut call[1..] {
        if *register == u64::MAX {
            *register = bytes.len() as u64;
        }
    }
    assert_eq!(f.ask(&call).map(|_| ()), Err(error), "{who:?} {call:x?}");
}

/// In a call: the length of the descriptor.
const L: u64 = u64::MAX;

#[track_caller]
fn refused(f: &mut Fixture, who: Who, fid: u64, draft: &Draft, error: FfaError) {
    for fid in [fid, fid | WIDE] {
        let answer = f.offer(who, fid, draft);
        assert_eq!(answer, Err(error), "{who:?} {fid:#x} {draft:x?}");
    }
}

#[test]
fn row_1_the_descriptor_lies_in_tx() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let draft = share(who, B);
        for fid in [SHARE, LEND | WIDE, DONATE] {
            let buffer = [fid, L, L, who.memory(), 1];
            calls(&mut f, who, &buffer, &draft, InvalidParameters);
            calls(&mut f, who, &[fid, L, L, 0, 1], &draft, InvalidParameters);
            calls(&mut f, who, &[fid, L, L, PAGE], &draft, InvalidParameters);
        }
        // Upper halves of a 32-bit form are nothing.
        let handle = {
            f.turn_of(who);
            let bytes = draft.bytes(f.version());
            f.put(&bytes);
            let length = bytes.len() as u64;
            let answer = f.ask(&[SHARE, length, length, 1 << 32, 1 << 32]).unwrap();
            Handle(answer[3] << 32 | answer[2])
        };
        f.reclaim(who, handle, 0).unwrap();
        let wide = [SHARE | WIDE, L, L, 1 << 32];
        calls(&mut f, who, &wide, &draft, InvalidParameters);
    }
}

#[test]
fn row_2_a_fragment_longer_than_the_whole() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        for call in [[SHARE, 0x40, L], [SHARE, 0, L], [SHARE, 0, 1]] {
            calls(&mut f, who, &call, &share(who, B), InvalidParameters);
        }
    }
}

#[test]
fn row_3_no_buffers() {
    let mut f = Fixture::new();
    for who in Who::ALL {
        f.turn_of(who);
        for fid in [SHARE, LEND, DONATE, RETRIEVE] {
            assert_eq!(f.ask(&[fid, 0x90, 0x90]), Err(InvalidParameters));
        }
        assert_eq!(f.ask(&[RELINQUISH]), Err(InvalidParameters));
        assert_eq!(f.ask(&[FRAG_TX, 1, 0, 16]), Err(InvalidParameters));
        assert_eq!(f.ask(&[FRAG_RX, 1, 0, 16]), Err(InvalidParameters));
    }
}

#[test]
fn row_4_a_fragment_longer_than_tx() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        for length in [PAIR * PAGE + 16, 0x10_0000, 0xffff_fff0] {
            let call = [SHARE, length, length];
            calls(&mut f, who, &call, &share(who, B), InvalidParameters);
        }
    }
}

#[test]
fn row_6_memory_that_can_not_be_read() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        f.turn_of(who);
        f.machine.broken = true;
        for call in [[SHARE, 0x90, 0x90], [RETRIEVE, 0x60, 0x60]] {
            assert_eq!(f.ask(&call), Err(Aborted));
        }
        assert_eq!(f.ask(&[RELINQUISH]), Err(Aborted));
        f.machine.broken = false;
    }
}

/// Mistakes in a descriptor of version 1.2: 48 bytes of header, 32 for each receiver.
#[test]
fn rows_7_to_21_what_the_descriptor_says() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let two = [(id(B).0, RW), (id(C).0, RW)];
        let b = id(B).0;
        let share = || share(who, B);
        let lend = || lend(who, B);
        let donate = || donate(who, B);
        for (row, fid, draft, error) in [
            (7, SHARE, share().poke(36, 1), InvalidParameters),
            (7, SHARE, share().poke(24, 16), InvalidParameters),
            (7, SHARE, share().poke(32, 56), InvalidParameters),
            (7, SHARE, share().poke(28, 0), InvalidParameters),
            (7, SHARE, share().poke(28, 9), InvalidParameters),
            (7, SHARE, share().poke(52, 64), InvalidParameters),
            (7, SHARE, share().poke(52, u32::MAX), InvalidParameters),
            (7, SHARE, share().to(&two).poke(52, 128), InvalidParameters),
            (8, SHARE, share().flags(1), InvalidParameters),
            (8, LEND, lend().flags(1 << 2), InvalidParameters),
            (8, LEND, lend().flags(2 << 3), InvalidParameters),
            (8, LEND, lend().flags(1 << 31), InvalidParameters),
            (9, DONATE, donate().to(&two), InvalidParameters),
            (13, SHARE, Draft { sender: id(C), ..share() }, Denied),
            (14, SHARE, share().poke(84, 2), InvalidParameters),
            (14, SHARE, share().poke(84, 0), InvalidParameters),
            (14, SHARE, share().poke(84, 0x1000_0001), InvalidParameters),
            (15, SHARE, share().flags(2), InvalidParameters),
            (15, LEND, lend().flags(3), InvalidParameters),
            (16, SHARE, share().to(&[(b, RW), (b, RW)]), InvalidParameters),
            (17, SHARE, share().to(&[(b, 3)]), InvalidParameters),
            (17, SHARE, share().to(&[(b, RW | NX)]), InvalidParameters),
            (17, LEND, lend().to(&[(b, RW | X)]), InvalidParameters),
            (17, LEND, lend().to(&[(b, RW | 0x80)]), InvalidParameters),
            (18, SHARE, share().to(&[(b, 0)]), InvalidParameters),
            (18, DONATE, donate().to(&[(b, RO)]), InvalidParameters),
            (19, SHARE, share().attributes(0x6f), InvalidParameters),
            (20, LEND, lend().attributes(NORMAL), InvalidParameters),
            (20, DONATE, donate().attributes(NORMAL), InvalidParameters),
            (21, SHARE, share().attributes(0), Denied),
            (21, SHARE, share().attributes(0x25), Denied),
            (21, LEND, lend().to(&two), Denied),
        ] {
            let answer = f.offer(who, fid, &draft);
            assert_eq!(answer, Err(error), "row {row}, {who:?}: {draft:x?}");
        }
    }
}

#[test]
fn row_10_receivers_that_are_nobody_or_oneself() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        for nobody in [0x8000, 0x8006, 0x9000, 0xffc0, 0xffff, who.id().0] {
            for (fid, draft) in [
                (SHARE, share(who, B)),
                (LEND, lend(who, B)),
                (DONATE, donate(who, B)),
            ] {
                let permissions = draft.receivers[0].1;
                let draft = draft.to(&[(nobody, permissions)]);
                refused(&mut f, who, fid, &draft, InvalidParameters);
            }
        }
        // It comes before 11: somebody of the normal world, then nobody.
        let draft = share(who, B).to(&[(5, RW), (0x9000, RW)]);
        refused(&mut f, who, LEND, &draft, InvalidParameters);
    }
}

#[test]
fn row_11_receivers_of_the_normal_world() {
    let mut f = Fixture::with_pairs();
    for vm in [1, 5, 0x7fff] {
        for who in Who::ALL {
            let mixed = [(id(B).0, RW), (vm, RW)];
            refused(&mut f, who, LEND, &lend(who, B).to(&[(vm, RW)]), Denied);
            refused(&mut f, who, LEND, &share(who, B).to(&mixed), Denied);
            refused(&mut f, who, DONATE, &donate(who, B).to(&[(vm, 0)]), Denied);
            refused(&mut f, who, SHARE, &share(who, B).to(&[(vm, RW)]), Denied);
            let draft = share(who, B).to(&mixed);
            match who {
                Who::Partition(_) => refused(&mut f, who, SHARE, &draft, Denied),
                _ => {
                    let handle = f.offer(who, SHARE, &draft).unwrap();
                    f.reclaim(who, handle, 0).unwrap();
                }
            }
        }
    }
    // The hypervisor itself, or the OS where there is none.
    let who = Who::Partition(A);
    for (fid, draft) in [
        (SHARE, share(who, B).to(&[(0, RW)])),
        (LEND, lend(who, B).to(&[(0, RW)])),
        (DONATE, donate(who, B).to(&[(0, 0)])),
    ] {
        refused(&mut f, who, fid, &draft, Denied);
    }
}

#[test]
fn row_12_lengths() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let draft = share(who, B);
        // 80 bytes are in front of the composite region, 96 in front of the constituent.
        for (total, fragment) in [(112, 80), (112, 88), (112, 104), (113, 112), (96, 96), (80, 80)] {
            let call = [SHARE, total, fragment];
            calls(&mut f, who, &call, &draft, InvalidParameters);
        }
        for length in [0, 1, 16, 47, 48, 79] {
            let call = [SHARE, length, length];
            calls(&mut f, who, &call, &draft, InvalidParameters);
        }
    }
}

#[test]
fn row_13_senders_that_the_caller_is_not() {
    let mut f = Fixture::with_pairs();
    for sender in [0, VM.0, id(C).0, 0x8000] {
        let draft = Draft {
            sender: EndpointId(sender),
            ..share(Who::Partition(A), B)
        };
        refused(&mut f, Who::Partition(A), SHARE, &draft, Denied);
    }
    for sender in [0x8000, id(A).0, id(C).0, 0xffff] {
        let draft = Draft {
            sender: EndpointId(sender),
            ..share(Who::Vm, B)
        };
        refused(&mut f, Who::Vm, SHARE, &draft, Denied);
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
    for other in [read_only, LOANED_MEMORY, DEVICES, Who::Vm.memory(), Fake::memory(C)] {
        for parts in [
            [(own, 1), (other, 1)],
            [(other, 1), (own, 1)],
        ] {
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
        let mut all = vec![0, 0x0e10_0000, 0x0b10_0000, NORMAL_MEMORY.end, 0x10_0000_0000];
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
    f.take(Who::Partition(B), &retrieve(Who::Vm, B, handle))
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
    assert_eq!(f.take(Who::Partition(B), &request), Err(Denied));
    let request = request.to(&[(id(B).0, RO)]);
    f.take(Who::Partition(B), &request).unwrap();
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
