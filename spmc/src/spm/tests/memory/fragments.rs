//! Descriptors in several fragments, both ways: `FFA_MEM_FRAG_TX` and `FFA_MEM_FRAG_RX`.

use super::*;

/// Many pages of `who`, each a constituent of its own, in an order that is not that of addresses.
fn scattered(who: Who, count: u64) -> Vec<(u64, u32)> {
    let page = |n: u64| who.memory() + (count - 1 - n) * PAGE;
    (0..count).map(|n| (page(n), 1)).collect()
}

/// An offer of many pages, of which the first fragment was sent; the handle and the rest of the bytes.
fn begun(f: &mut Fixture, who: Who, draft: &Draft, first: usize) -> (Handle, Vec<u8>) {
    f.turn_of(who);
    let bytes = draft.bytes(f.version());
    f.put(&bytes[..first]);
    let answer = f.ask(&[SHARE, bytes.len() as u64, first as u64]).unwrap();
    assert_eq!(answer[0], FRAG_RX);
    assert_eq!((answer[3], answer[4]), (first as u64, who.w4()));
    (Handle(answer[2] << 32 | answer[1]), bytes[first..].to_vec())
}

fn next(f: &mut Fixture, who: Who, handle: Handle, bytes: &[u8]) -> Result<[u64; 8], FfaError> {
    f.turn_of(who);
    f.put(bytes);
    let (low, high) = handle.words();
    let call = [
        FRAG_TX,
        low.into(),
        high.into(),
        bytes.len() as u64,
        who.w4(),
    ];
    f.ask(&call)
}

#[test]
fn every_way_of_cutting_a_descriptor_is_good() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let parts = scattered(who, 7);
        let draft = share(who, B).parts(&parts);
        for first in 0..7 {
            for step in 1..=7 {
                let (handle, rest) = begun(&mut f, who, &draft, 96 + 16 * first);
                let mut sent = 96 + 16 * first;
                let mut answer = [0; 8];
                for fragment in rest.chunks(16 * step) {
                    answer = next(&mut f, who, handle, fragment).unwrap();
                    sent += fragment.len();
                    if sent < 96 + 16 * 7 {
                        let (low, high) = handle.words();
                        let wanted = [FRAG_RX, low.into(), high.into(), sent as u64, who.w4()];
                        assert_eq!(answer[..5], wanted);
                    }
                }
                let (low, high) = handle.words();
                let done = [SUCCESS_32.into(), 0, low.into(), high.into(), 0, 0, 0, 0];
                assert_eq!(answer, done);
                let request = retrieve(who, B, handle);
                let told = f.fetch(Who::Partition(B), &request).unwrap();
                assert_eq!(read(Version::V1_2, &told).2, parts);
                f.give_back(Who::Partition(B), handle, id(B), 0).unwrap();
                f.reclaim(who, handle, 0).unwrap();
            }
        }
    }
}

#[test]
fn offsets_are_of_the_layout_that_each_side_speaks() {
    // The sender speaks 1.0: 32 bytes of header, 16 for a receiver, 16 for the composite region.
    let specs = [Version::V1_0, Version::V1_3, Version::V1_0, Version::V1_1].map(Spec::up);
    let mut f = Fixture::with(2, &specs);
    f.boot();
    f.nwd(frame(&[0x8400_0063, Version::V1_0.raw().into()]));
    let mut f = Fixture::pairs(f);
    for who in [Who::Partition(A), Who::Vm] {
        let parts = scattered(who, 5);
        let draft = share(who, B).to(&[(id(B).0, RW)]).parts(&parts);
        let (handle, rest) = begun(&mut f, who, &draft, 64);
        let answer = next(&mut f, who, handle, &rest[..32]).unwrap();
        assert_eq!(answer[3], 96);
        next(&mut f, who, handle, &rest[32..]).unwrap();
        f.fetch(Who::Partition(B), &retrieve(who, B, handle))
            .unwrap();
        f.give_back(Who::Partition(B), handle, id(B), 0).unwrap();
        f.reclaim(who, handle, 0).unwrap();
    }
}

#[test]
fn long_descriptors_go_both_ways_whatever_the_layouts() {
    let mut f = Fixture::with_pairs();
    // Two pages hold 506 constituents of 1.2, 507 of 1.1.
    for count in [505, 506, 507, 508, 1100] {
        let who = Who::Vm;
        let parts = scattered(who, count);
        let both = [(id(B).0, RW), (id(OLD).0, RO)];
        for (fid, draft) in [(SHARE, share(who, B)), (LEND, share(who, B))] {
            let handle = f.offer(who, fid, &draft.parts(&parts).to(&both)).unwrap();
            for slot in [B, OLD] {
                let request = retrieve(who, slot, handle).to(&both);
                let told = f.fetch(Who::Partition(slot), &request).unwrap();
                let (_, _, got) = read(f.spmc.version(slot), &told);
                assert_eq!(got, parts);
                f.give_back(Who::Partition(slot), handle, id(slot), 0)
                    .unwrap();
            }
            f.reclaim(who, handle, 0).unwrap();
        }
    }
}

#[test]
fn row_9_2_fragments_that_are_none_change_nothing() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let draft = share(who, B).parts(&scattered(who, 4));
        let (handle, rest) = begun(&mut f, who, &draft, 96 + 16);
        let (low, high) = handle.words();
        let (low, high) = (u64::from(low), u64::from(high));
        let invalid = |f: &mut Fixture, caller: Who, call: &[u64]| {
            f.turn_of(caller);
            f.put(&rest);
            let answer = f.ask(call);
            assert_eq!(answer, Err(InvalidParameters), "{caller:?} {call:x?}");
        };
        let w4 = who.w4();
        // No such handle, one of the hypervisor's, one that is none.
        invalid(&mut f, who, &[FRAG_TX, low + 1, high, 16, w4]);
        invalid(&mut f, who, &[FRAG_TX, low, high | 1 << 31, 16, w4]);
        invalid(&mut f, who, &[FRAG_TX, 0xffff_ffff, 0xffff_ffff, 16, w4]);
        // Nothing, parts of constituents, more than TX, more than was announced.
        for length in [0, 8, 15, 17, PAIR * PAGE + 16, 0xffff_fff0, 64] {
            invalid(&mut f, who, &[FRAG_TX, low, high, length, w4]);
        }
        // Somebody else.
        invalid(&mut f, Who::Partition(C), &[FRAG_TX, low, high, 16]);
        match who {
            Who::Partition(_) => {
                invalid(&mut f, who, &[FRAG_TX, low, high, 16, 1 << 16]);
                invalid(&mut f, Who::Hypervisor, &[FRAG_TX, low, high, 16]);
                let w4 = u64::from(who.id().0) << 16;
                invalid(&mut f, Who::Hypervisor, &[FRAG_TX, low, high, 16, w4]);
            }
            _ => invalid(&mut f, who, &[FRAG_TX, low, high, 16, 9 << 16]),
        }
        // It is not there for anybody else yet.
        let request = retrieve(who, B, handle);
        assert_eq!(f.fetch(Who::Partition(B), &request), Err(InvalidParameters));
        assert_eq!(f.reclaim(who, handle, 0), Err(InvalidParameters));
        // Yet it can be finished.
        next(&mut f, who, handle, &rest).unwrap();
        let over = next(&mut f, who, handle, &rest[..16]);
        assert_eq!(over, Err(InvalidParameters), "it is complete");
        f.reclaim(who, handle, 0).unwrap();
    }
}

#[test]
fn what_is_wrong_in_the_last_fragment_leaves_nothing_of_the_first() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let good = scattered(who, 4);
        let mut wrong = Vec::new();
        for (bad, error) in [
            ((good[0].0, 1), InvalidParameters),
            ((who.memory(), 0), InvalidParameters),
            ((who.memory() + 8, 1), InvalidParameters),
            ((u64::MAX - 0xfff, 1), InvalidParameters),
            ((0x10_0000_0000, 1), Denied),
        ] {
            let mut parts = good.clone();
            parts[3] = bad;
            wrong.push((parts, error));
        }
        for (parts, error) in wrong {
            let before = f.memory();
            let draft = share(who, B).parts(&parts);
            let (handle, rest) = begun(&mut f, who, &draft, 96 + 16);
            let (low, high) = handle.words();
            f.turn_of(who);
            f.put(&rest);
            let call = [FRAG_TX, low.into(), high.into(), 48, who.w4()];
            assert_eq!(f.ask_ending(&call, &before), Err(error));
            assert_eq!(f.ask(&call), Err(InvalidParameters));
        }
    }
}

#[test]
fn several_may_be_unfinished_as_many_as_the_quota_has_room_for() {
    let mut f = Fixture::with_pairs();
    let who = Who::Vm;
    let mut open = Vec::new();
    let before = f.memory();
    loop {
        let page = who.memory() + 2 * open.len() as u64 * PAGE;
        let draft = share(who, B).parts(&[(page, 1), (page + PAGE, 1)]);
        f.turn_of(who);
        f.put(&draft.bytes(Version::V1_2));
        match f.ask(&[SHARE, 128, 112]) {
            Ok(answer) => open.push(Handle(answer[2] << 32 | answer[1])),
            Err(error) => {
                assert_eq!(error, NoMemory);
                break;
            }
        }
    }
    assert!(open.len() > 4);
    // What is no fragment ends each.
    for handle in open {
        let (low, high) = handle.words();
        f.put(&[0; 16]);
        let call = frame(&[FRAG_TX, low.into(), high.into(), 16, who.w4()]);
        f.call(call);
        assert_eq!(f.result()[2], InvalidParameters.register());
        f.memory();
    }
    assert_eq!(f.memory().map, before.map);
}

/// What `request` asks for is being fetched by `who`: the first fragment was read and RX released. The
/// offset of the next one.
fn fetching(f: &mut Fixture, who: Who, request: &[u8]) -> u64 {
    f.turn_of(who);
    f.put(request);
    let length = request.len() as u64;
    let answer = f.ask(&[RETRIEVE, length, length]).unwrap();
    assert_eq!(answer[0], RETRIEVED);
    assert!(answer[2] < answer[1]);
    f.release();
    answer[2]
}

/// What is shared with two partitions, and longer than RX.
fn long(f: &mut Fixture) -> (Handle, Draft) {
    let who = Who::Vm;
    let both = [(id(B).0, RW), (id(C).0, RW)];
    let draft = share(who, B).parts(&scattered(who, 600)).to(&both);
    let handle = f.offer(who, SHARE, &draft).unwrap();
    (handle, retrieve(who, B, handle).to(&both))
}

#[test]
fn row_9_6_fragments_are_fetched_in_order_by_who_retrieved() {
    let mut f = Fixture::with_pairs();
    let (handle, request) = long(&mut f);
    let (low, high) = handle.words();
    let (low, high) = (u64::from(low), u64::from(high));
    let invalid = |f: &mut Fixture, who: Who, call: &[u64]| {
        f.turn_of(who);
        assert_eq!(f.ask(call), Err(InvalidParameters), "{who:?} {call:x?}");
    };
    let b = Who::Partition(B);
    // Nothing is being fetched.
    for who in [b, Who::Hypervisor] {
        invalid(&mut f, who, &[FRAG_RX, low, high, 96]);
    }
    let bytes = request.bytes(Version::V1_2);
    let at = fetching(&mut f, b, &bytes);
    for offset in [0, 96, at - 16, at + 16, at + 8, 0xffff_fff0] {
        invalid(&mut f, b, &[FRAG_RX, low, high, offset]);
    }
    invalid(&mut f, b, &[FRAG_RX, low, high, at, 1 << 16]);
    invalid(&mut f, b, &[FRAG_RX, low + 1, high, at]);
    invalid(&mut f, Who::Partition(C), &[FRAG_RX, low, high, at]);
    invalid(&mut f, Who::Hypervisor, &[FRAG_RX, low, high, at]);
    // It is not given back before all of it was told.
    f.turn_of(b);
    let back = f.give_back(b, handle, id(B), 0);
    assert_eq!(back, Err(InvalidParameters));
    // RX is not its own to write while it is full.
    let info = frame(&[0x8400_0068]);
    f.call(info);
    assert_eq!(f.result()[0], u64::from(SUCCESS_32));
    assert_eq!(f.ask(&[FRAG_RX, low, high, at]), Err(Busy));
    f.put(&bytes);
    let length = bytes.len() as u64;
    assert_eq!(f.ask(&[RETRIEVE, length, length]), Err(Busy));
    f.release();
    let answer = f.ask(&[FRAG_RX, low, high, at]).unwrap();
    assert_eq!(answer[..3], [FRAG_TX, low, high]);
    assert_eq!(answer[4], 0);
    f.release();
    let end = at + answer[3];
    invalid(&mut f, b, &[FRAG_RX, low, high, end]);
    f.give_back(b, handle, id(B), 0).unwrap();
}

#[test]
fn who_goes_on_to_another_answer_leaves_the_first() {
    let mut f = Fixture::with_pairs();
    let (handle, request) = long(&mut f);
    let b = Who::Partition(B);
    let bytes = request.bytes(Version::V1_2);
    fetching(&mut f, b, &bytes);
    let other = f.offer(Who::Partition(A), SHARE, &share(Who::Partition(A), B));
    let other = other.unwrap();
    f.fetch(b, &retrieve(Who::Partition(A), B, other)).unwrap();
    let (low, high) = handle.words();
    let call = [FRAG_RX, low.into(), high.into(), 96];
    assert_eq!(f.ask(&call), Err(InvalidParameters));
    f.give_back(b, handle, id(B), 0).unwrap();
}

#[test]
fn a_donation_is_known_until_its_receiver_was_told_all_of_it() {
    for end in 0..4 {
        let mut f = Fixture::with_pairs();
        let who = Who::Vm;
        let b = Who::Partition(B);
        // A page of RX holds 250 constituents; more than 400 runs of pages are not one partition's.
        f.turn_of(b);
        f.answered(frame(&[0x8400_0067, 0]), &DONE);
        let base = Fake::memory(B);
        f.answered(frame(&[0xc400_0066, base, base + PAIR * PAGE, 1]), &DONE);
        let before = f.memory();
        let draft = donate(who, B).parts(&scattered(who, 300));
        let handle = f.offer(who, DONATE, &draft).unwrap();
        let bytes = borrow(who, B, handle).bytes(Version::V1_2);
        let at = fetching(&mut f, b, &bytes);
        assert_eq!(f.memory().map.transactions().count(), 1);
        let back = f.give_back(b, handle, id(B), 0);
        assert_eq!(back, Err(InvalidParameters));
        let (low, high) = handle.words();
        match end {
            0 => {
                let answer = f.ask(&[FRAG_RX, low.into(), high.into(), at]).unwrap();
                assert_eq!(answer[0], FRAG_TX);
            }
            1 => f.answered(frame(&[0x8400_0067, 0]), &DONE),
            2 => {
                f.abort();
            }
            _ => {
                let a = Who::Partition(A);
                let other = f.offer(a, SHARE, &share(a, B)).unwrap();
                f.turn_of(b);
                f.put(&retrieve(a, B, other).bytes(Version::V1_2));
                f.ask(&[RETRIEVE, 80, 80]).unwrap();
                f.release();
                f.give_back(b, other, id(B), 0).unwrap();
                f.reclaim(a, other, 0).unwrap();
            }
        }
        let after = f.memory();
        assert_eq!(after.map.transactions().count(), 0, "{end}");
        assert!(after.map != before.map, "the memory is another's");
    }
}

#[test]
fn what_a_hypervisor_fetches_for_itself_ends_nobody_elses_donation() {
    for end in 0..3 {
        let mut f = Fixture::with_pairs();
        let who = Who::Vm;
        let b = Who::Partition(B);
        let draft = donate(who, B).parts(&scattered(who, 300));
        let handle = f.offer(who, DONATE, &draft).unwrap();
        // A page of RX holds 250 constituents.
        for party in [b, Who::Hypervisor] {
            f.turn_of(party);
            let base = f.tx();
            f.answered(frame(&[0x8400_0067, 0]), &DONE);
            f.answered(frame(&[0xc400_0066, base, base + PAIR * PAGE, 1]), &DONE);
        }
        let own = super::hypervisor::own(handle).bytes(Version::V1_2);
        let of_hypervisor = fetching(&mut f, Who::Hypervisor, &own);
        let bytes = borrow(who, B, handle).bytes(Version::V1_2);
        let at = fetching(&mut f, b, &bytes);
        let (low, high) = handle.words();
        f.turn_of(Who::Hypervisor);
        match end {
            0 => {
                let _ = f.ask(&[FRAG_RX, low.into(), high.into(), of_hypervisor]);
                f.release();
            }
            1 => f.answered(frame(&[0x8400_0067, 0]), &DONE),
            _ => {}
        }
        f.turn_of(b);
        let answer = f.ask(&[FRAG_RX, low.into(), high.into(), at]).unwrap();
        assert_eq!(answer[0], FRAG_TX, "{end}");
        assert_eq!(f.memory().map.transactions().count(), 0, "{end}");
    }
}
