//! `FFA_MEM_RELINQUISH`, `FFA_MEM_RECLAIM`, `FFA_MEM_PERM_GET` and `FFA_MEM_PERM_SET`.

use super::*;

const B_: Who = Who::Partition(B);

/// What a VM lent, and a partition retrieved with these permissions.
fn held(f: &mut Fixture, permissions: u8) -> Handle {
    let handle = f.offer(Who::Vm, LEND, &lend(Who::Vm, B)).unwrap();
    let request = borrow(Who::Vm, B, handle).to(&[(id(B).0, permissions)]);
    f.fetch(B_, &request).unwrap();
    handle
}

#[test]
fn rows_of_9_4_what_can_not_be_given_back() {
    let mut f = Fixture::with_pairs();
    let handle = held(&mut f, RW | NX);
    let b = id(B);
    // Handles that are none.
    for wrong in [
        Handle(handle.0 + 1),
        Handle(handle.0 | 1 << 63),
        Handle::INVALID,
    ] {
        let back = f.give_back(B_, wrong, b, 0);
        assert_eq!(back, Err(InvalidParameters));
    }
    // Endpoints that are not the caller, and callers that are no borrowers.
    for (who, endpoint) in [
        (B_, id(A)),
        (B_, EndpointId(0)),
        (Who::Partition(C), b),
        (Who::Partition(C), id(C)),
        (Who::Hypervisor, b),
        (Who::Hypervisor, VM),
    ] {
        let back = f.give_back(who, handle, endpoint, 0);
        assert_eq!(back, Err(InvalidParameters), "{who:?} {endpoint:?}");
    }
    // Reserved flags and slicing in time.
    for flags in [2, 4, 1 << 31] {
        let back = f.give_back(B_, handle, b, flags);
        assert_eq!(back, Err(InvalidParameters));
    }
    // Not exactly one endpoint.
    f.turn_of(B_);
    for count in [0u8, 2, 255] {
        let mut bytes = [0; 24];
        let head = Relinquish {
            handle,
            flags: RelinquishFlags::empty(),
            count: 1,
        };
        head.write(&[b], &mut bytes).unwrap();
        bytes[12] = count;
        f.put(&bytes);
        assert_eq!(f.ask(&[RELINQUISH]), Err(InvalidParameters));
    }
    f.machine.tables = Some(0);
    assert_eq!(f.give_back(B_, handle, b, 0), Err(NoMemory));
    f.machine.tables = None;
    f.give_back(B_, handle, b, 0).unwrap();
    let twice = f.give_back(B_, handle, b, 0);
    assert_eq!(twice, Err(InvalidParameters));
}

#[test]
fn rows_of_9_4_zeroing_that_is_not_the_borrowers_to_ask_for() {
    let mut f = Fixture::with_pairs();
    let handle = held(&mut f, RO | NX);
    assert_eq!(f.give_back(B_, handle, id(B), 1), Err(Denied));
    f.give_back(B_, handle, id(B), 0).unwrap();
    f.reclaim(Who::Vm, handle, 0).unwrap();
    let handle = f.offer(Who::Vm, SHARE, &share(Who::Vm, B)).unwrap();
    f.fetch(B_, &retrieve(Who::Vm, B, handle)).unwrap();
    let zeroed = f.give_back(B_, handle, id(B), 1);
    assert_eq!(zeroed, Err(InvalidParameters));
}

#[test]
fn zeroing_waits_for_the_last_borrower() {
    let mut f = Fixture::with_pairs();
    let both = [(id(B).0, RW), (id(C).0, RW)];
    let draft = share(Who::Vm, B).to(&both);
    let handle = f.offer(Who::Vm, LEND, &draft).unwrap();
    let request = retrieve(Who::Vm, B, handle).to(&both);
    for slot in [B, C] {
        f.fetch(Who::Partition(slot), &request).unwrap();
    }
    let page = Who::Vm.memory();
    f.machine.poke(page, &[7; 16]);
    f.give_back(B_, handle, id(B), 1).unwrap();
    assert_eq!(f.machine.peek(page, 16), [7; 16]);
    f.give_back(Who::Partition(C), handle, id(C), 0).unwrap();
    assert_eq!(f.machine.peek(page, 16), [0; 16]);
}

#[test]
fn rows_of_9_5_what_can_not_be_taken_back() {
    let mut f = Fixture::with_pairs();
    for owner in [Who::Partition(A), Who::Vm] {
        let handle = f.offer(owner, LEND, &lend(owner, B)).unwrap();
        for wrong in [
            Handle(handle.0 + 1),
            Handle(handle.0 ^ 1 << 40),
            Handle(handle.0 | 1 << 63),
            Handle::INVALID,
        ] {
            let back = f.reclaim(owner, wrong, 0);
            assert_eq!(back, Err(InvalidParameters));
        }
        let other = match owner {
            Who::Vm => Who::Partition(A),
            _ => Who::Hypervisor,
        };
        for who in [other, B_, Who::Partition(C)] {
            let back = f.reclaim(who, handle, 0);
            assert_eq!(back, Err(InvalidParameters), "{who:?}");
        }
        let request = borrow(owner, B, handle);
        f.fetch(B_, &request).unwrap();
        assert_eq!(f.reclaim(owner, handle, 0), Err(Denied));
        assert_eq!(f.reclaim(owner, handle, 1), Err(Denied));
        f.give_back(B_, handle, id(B), 0).unwrap();
        f.reclaim(owner, handle, 1).unwrap();
        let again = f.reclaim(owner, handle, 0);
        assert_eq!(again, Err(InvalidParameters));
    }
}

#[test]
fn a_partition_at_s_el1_has_no_permissions_of_the_spmcs() {
    let mut f = Fixture::with_pairs();
    for (who, error) in [
        (Who::Partition(A), Denied),
        (Who::Partition(C), Denied),
        (Who::Hypervisor, NotSupported),
    ] {
        f.turn_of(who);
        for wide in [0, WIDE] {
            for (address, pages) in [(who.memory(), 1), (1, 0), (0, 0)] {
                let get = [0x8400_0088 | wide, address, pages];
                assert_eq!(f.ask(&get), Err(error));
                let set = [0x8400_0089 | wide, address, pages, 5];
                assert_eq!(f.ask(&set), Err(error));
            }
        }
        // From 1.3 it says how many pages less one: too many is told first.
        let get = [0x8400_0088, 0, 0xffff_ffff];
        let error = match who {
            Who::Partition(C) => InvalidParameters,
            _ => error,
        };
        assert_eq!(f.ask(&get), Err(error));
    }
}

#[test]
fn what_is_there_features_says() {
    let mut f = Fixture::with_pairs();
    let there = [
        DONATE,
        LEND,
        SHARE,
        DONATE | WIDE,
        LEND | WIDE,
        SHARE | WIDE,
    ];
    let there = there
        .into_iter()
        .chain([RELINQUISH, RECLAIM, FRAG_RX, FRAG_TX]);
    let there: Vec<_> = there.collect();
    for who in [Who::Partition(A), Who::Partition(OLD), Who::Hypervisor] {
        f.turn_of(who);
        for fid in &there {
            f.answered(frame(&[0x8400_0064, *fid]), &DONE);
        }
        for fid in [RETRIEVE, RETRIEVE | WIDE] {
            let answer = [SUCCESS_32.into(), 0, 6, 7];
            f.answered(frame(&[0x8400_0064, fid, 2]), &answer);
            // A partition that does not know the NS bit would take the normal world's for its own.
            match who {
                Who::Partition(_) => f.refused(frame(&[0x8400_0064, fid, 0]), NotSupported),
                _ => f.answered(frame(&[0x8400_0064, fid, 0]), &answer),
            }
        }
        for fid in [
            RETRIEVED,
            0x8400_0078,
            0x8400_0079,
            0x8400_0088,
            0x8400_0089,
        ] {
            f.refused(frame(&[0x8400_0064, fid]), NotSupported);
        }
        for fid in [RETRIEVED, 0x8400_0078, 0x8400_0079] {
            f.refused(frame(&[fid]), NotSupported);
        }
    }
}
