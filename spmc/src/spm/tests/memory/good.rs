//! What works: in all versions, both forms, from and to everybody.

use super::*;

/// A partition of each version.
const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

/// Four partitions, one of each version, and a normal world of this one.
fn of_all_versions(normal_world: Version) -> Fixture {
    let mut f = Fixture::with(2, &VERSIONS.map(Spec::up));
    f.boot();
    f.nwd(frame(&[0x8400_0063, normal_world.raw().into()]));
    Fixture::pairs(f)
}

/// One whole life of what `from` gives to the partition in `to`.
fn conversation(f: &mut Fixture, from: Who, to: Slot, fid: u64) {
    let before = f.memory();
    let kind = fid & 0xff;
    let parts = [(from.memory() + 2 * PAGE, 2), (from.memory(), 1)];
    let draft = match kind {
        0x73 => share(from, to),
        _ => lend(from, to),
    };
    let handle = f.offer(from, fid, &draft.parts(&parts)).unwrap();
    let page = parts[0].0;
    let hidden = |f: &Fixture| match from {
        Who::Partition(slot) => f.machine.ground.hidden.contains(&(slot.0, page)),
        _ => kind == 0x72,
    };
    assert_eq!(hidden(f), kind == 0x72);
    assert_eq!(
        f.reclaim(Who::Partition(to), handle, 0),
        Err(InvalidParameters)
    );

    let version = f.spmc.version(to);
    let request = match kind {
        0x73 => retrieve(from, to, handle),
        _ => borrow(from, to, handle),
    };
    let told = f.fetch(Who::Partition(to), &request).unwrap();
    let (header, receivers, got) = read(version, &told);
    assert_eq!(got, parts);
    let permissions = RW | NX;
    assert_eq!(receivers, [(id(to).0, permissions)]);
    assert_eq!((header.sender, header.tag), (from.id(), 0x77));
    assert_eq!(header.handle, handle);
    let normal = !matches!(from, Who::Partition(_)) && version >= Version::V1_1;
    let attributes = Attributes::NORMAL.with_non_secure(normal);
    assert_eq!(header.attributes, attributes, "{version}");
    let flags = if kind == 0x73 { 1 << 3 } else { 2 << 3 };
    assert_eq!(header.flags.bits(), flags);
    let view = f.machine.ground.granted[&(to.0, page)];
    assert!(view.write && !view.execute && !view.device);
    assert_eq!(view.normal_world, !matches!(from, Who::Partition(_)));

    assert_eq!(f.reclaim(from, handle, 0), Err(Denied));
    f.give_back(Who::Partition(to), handle, id(to), 0).unwrap();
    f.reclaim(from, handle, 0).unwrap();
    assert_eq!(f.reclaim(from, handle, 0), Err(InvalidParameters));
    assert_eq!(
        f.fetch(Who::Partition(to), &request),
        Err(InvalidParameters)
    );
    let after = f.memory();
    assert_eq!(after.map, before.map);
    assert_eq!(after.ground, before.ground);
}

#[test]
fn memory_is_shared_and_lent_between_all_versions_in_both_forms() {
    for normal_world in VERSIONS {
        let mut f = of_all_versions(normal_world);
        let partitions = [A, B, C, OLD];
        let senders = partitions.map(Who::Partition).into_iter();
        for from in senders.chain([Who::Hypervisor, Who::Vm]) {
            for to in partitions {
                if from == Who::Partition(to) {
                    continue;
                }
                for fid in [SHARE, LEND, SHARE | WIDE, LEND | WIDE] {
                    conversation(&mut f, from, to, fid);
                }
            }
        }
    }
}

#[test]
fn a_partition_of_1_0_is_shown_the_ns_bit_when_it_has_asked_for_it() {
    let mut f = of_all_versions(Version::V1_2);
    let told = |f: &mut Fixture| {
        let handle = f.offer(Who::Vm, SHARE, &share(Who::Vm, A)).unwrap();
        let request = retrieve(Who::Vm, A, handle);
        let bytes = f.fetch(Who::Partition(A), &request).unwrap();
        f.give_back(Who::Partition(A), handle, id(A), 0).unwrap();
        f.reclaim(Who::Vm, handle, 0).unwrap();
        read(Version::V1_0, &bytes).0.attributes.is_non_secure()
    };
    assert!(!told(&mut f));
    f.turn_of(Who::Partition(A));
    let features = [0x8400_0064, RETRIEVE, 0];
    f.answered(frame(&features), &[SUCCESS_32.into(), 0, 4, 7]);
    assert!(!told(&mut f));
    f.turn_of(Who::Partition(A));
    let features = [0x8400_0064, RETRIEVE, 2];
    f.answered(frame(&features), &[SUCCESS_32.into(), 0, 6, 7]);
    assert!(told(&mut f));
}

#[test]
fn donated_memory_is_its_receivers_to_give_on() {
    let mut f = Fixture::with_pairs();
    // What VMs have is one owner's with what their hypervisor has.
    for who in [Who::Partition(A), Who::Vm] {
        let page = who.memory();
        let handle = f.offer(who, DONATE, &donate(who, B)).unwrap();
        let request = borrow(who, B, handle);
        let told = f.fetch(Who::Partition(B), &request).unwrap();
        let (header, receivers, parts) = read(Version::V1_2, &told);
        assert_eq!(parts, [(page, 1)]);
        assert_eq!(receivers, [(id(B).0, RW | NX)]);
        assert_eq!(header.flags.bits(), 3 << 3);
        // The handle is gone.
        assert_eq!(f.reclaim(who, handle, 0), Err(InvalidParameters));
        let back = f.give_back(Who::Partition(B), handle, id(B), 0);
        assert_eq!(back, Err(InvalidParameters));
        // It can't be given twice by who had it, but by who has it.
        assert_eq!(f.offer(who, SHARE, &share(who, C)), Err(Denied));
        let on = share(Who::Partition(B), C).parts(&[(page, 1)]);
        let handle = f.offer(Who::Partition(B), SHARE, &on).unwrap();
        let request = retrieve(Who::Partition(B), C, handle);
        let told = f.fetch(Who::Partition(C), &request).unwrap();
        let attributes = read(Version::V1_3, &told).0.attributes;
        let normal = !matches!(who, Who::Partition(_));
        assert_eq!(attributes.is_non_secure(), normal, "the NS attribute stays");
        f.give_back(Who::Partition(C), handle, id(C), 0).unwrap();
        f.reclaim(Who::Partition(B), handle, 0).unwrap();
    }
}

#[test]
fn several_borrowers_each_retrieve_their_own() {
    let mut f = Fixture::with_pairs();
    let all = [(id(B).0, RW), (id(C).0, RO), (id(OLD).0, RW)];
    for fid in [SHARE, LEND] {
        let draft = share(Who::Vm, B).to(&all);
        let handle = f.offer(Who::Vm, fid, &draft).unwrap();
        for (slot, granted) in [(B, RW | NX), (C, RO | NX), (OLD, RW | NX)] {
            let request = retrieve(Who::Vm, slot, handle).to(&all);
            let told = f.fetch(Who::Partition(slot), &request).unwrap();
            let (_, receivers, _) = read(f.spmc.version(slot), &told);
            assert_eq!(receivers, [(id(slot).0, granted)]);
        }
        // One of several may name itself alone.
        let alone = retrieve(Who::Vm, B, handle).flags(1 << 10);
        f.fetch(Who::Partition(B), &alone).unwrap();
        for slot in [B, B, C, OLD] {
            assert_eq!(f.reclaim(Who::Vm, handle, 0), Err(Denied));
            f.give_back(Who::Partition(slot), handle, id(slot), 0)
                .unwrap();
        }
        f.reclaim(Who::Vm, handle, 0).unwrap();
    }
    assert!(f.machine.ground.granted.is_empty());
}

#[test]
fn a_vm_that_is_one_of_several_retrieves_through_its_hypervisor() {
    let mut f = Fixture::with_pairs();
    let all = [(id(B).0, RW), (5, RW)];
    let draft = share(Who::Vm, B).to(&all);
    let handle = f.offer(Who::Vm, SHARE, &draft).unwrap();
    let request = retrieve(Who::Vm, B, handle).to(&all);
    let told = f.fetch(Who::Hypervisor, &request).unwrap();
    let (_, receivers, _) = read(Version::V1_2, &told);
    assert_eq!(receivers, [(5, RW | NX)]);
    assert_eq!(f.reclaim(Who::Vm, handle, 0), Err(Denied));
    let back = f.give_back(Who::Hypervisor, handle, EndpointId(6), 0);
    assert_eq!(back, Err(InvalidParameters));
    f.give_back(Who::Hypervisor, handle, EndpointId(5), 0)
        .unwrap();
    f.reclaim(Who::Vm, handle, 0).unwrap();
}

#[test]
fn a_borrower_retrieves_up_to_255_times() {
    let mut f = Fixture::with_pairs();
    let handle = f.offer(Who::Vm, SHARE, &share(Who::Vm, B)).unwrap();
    let request = retrieve(Who::Vm, B, handle);
    for _ in 0..255 {
        f.fetch(Who::Partition(B), &request).unwrap();
    }
    assert_eq!(f.fetch(Who::Partition(B), &request), Err(Denied));
    for _ in 0..255 {
        assert_eq!(f.machine.ground.granted.len(), 1);
        f.give_back(Who::Partition(B), handle, id(B), 0).unwrap();
    }
    assert!(f.machine.ground.granted.is_empty());
    let back = f.give_back(Who::Partition(B), handle, id(B), 0);
    assert_eq!(back, Err(InvalidParameters));
}

#[test]
fn memory_is_zeroed_when_that_was_asked_for() {
    let mut f = Fixture::with_pairs();
    let page = Who::Vm.memory();
    let write = |f: &mut Fixture| f.machine.poke(page, &[7; 32]);
    let is_zero = |f: &mut Fixture| f.machine.peek(page, 4096).iter().all(|byte| *byte == 0);
    // By the sender, before anybody has it.
    write(&mut f);
    let handle = f.offer(Who::Vm, LEND, &lend(Who::Vm, B).flags(1)).unwrap();
    assert!(is_zero(&mut f));
    // By the borrower, when it retrieves it.
    write(&mut f);
    let request = borrow(Who::Vm, B, handle);
    let told = f
        .fetch(Who::Partition(B), &request.clone().flags(1))
        .unwrap();
    assert!(is_zero(&mut f));
    assert_eq!(read(Version::V1_2, &told).0.flags.bits(), 1 | 2 << 3);
    // When it gives it back.
    write(&mut f);
    f.give_back(Who::Partition(B), handle, id(B), 1).unwrap();
    assert!(is_zero(&mut f));
    // As it had asked for when it retrieved it.
    write(&mut f);
    f.fetch(Who::Partition(B), &request.flags(1 << 2)).unwrap();
    assert!(!is_zero(&mut f));
    f.give_back(Who::Partition(B), handle, id(B), 0).unwrap();
    assert!(is_zero(&mut f));
    // By the owner, when it takes it back.
    write(&mut f);
    f.reclaim(Who::Vm, handle, 1).unwrap();
    assert!(is_zero(&mut f));
}

#[test]
fn a_device_is_lent_to_one_borrower() {
    let mut f = Fixture::with_pairs();
    let from = Who::Partition(A);
    let device = [(DEVICES, 1)];
    for (fid, draft) in [
        (SHARE, share(from, B).attributes(0x13)),
        (DONATE, donate(from, B)),
        (LEND, lend(from, B).flags(1)),
        (
            LEND,
            lend(from, B)
                .to(&[(id(B).0, RW), (id(C).0, RW)])
                .attributes(0x13),
        ),
    ] {
        assert_eq!(f.offer(from, fid, &draft.parts(&device)), Err(Denied));
    }
    let draft = lend(from, B).parts(&device);
    let handle = f.offer(from, LEND, &draft).unwrap();
    let normal = borrow(from, B, handle);
    assert_eq!(f.fetch(Who::Partition(B), &normal), Err(Denied));
    let told = f
        .fetch(Who::Partition(B), &normal.attributes(0x13))
        .unwrap();
    assert_eq!(read(Version::V1_2, &told).0.attributes.0, 0x13);
    assert!(f.machine.ground.granted[&(B.0, DEVICES)].device);
    f.give_back(Who::Partition(B), handle, id(B), 0).unwrap();
    f.reclaim(from, handle, 0).unwrap();
}

#[test]
fn a_partitions_memory_of_the_normal_world_keeps_its_ns_attribute() {
    let mut f = Fixture::with_pairs();
    let from = Who::Partition(A);
    let draft = share(from, B).parts(&[(LOANED_MEMORY, 2)]);
    // It is not the normal world's to give.
    let stolen = share(Who::Vm, B).parts(&[(LOANED_MEMORY, 1)]);
    assert_eq!(f.offer(Who::Vm, SHARE, &stolen), Err(Denied));
    let handle = f.offer(from, SHARE, &draft).unwrap();
    let told = f
        .fetch(Who::Partition(B), &retrieve(from, B, handle))
        .unwrap();
    assert!(read(Version::V1_2, &told).0.attributes.is_non_secure());
    assert!(f.machine.ground.granted[&(B.0, LOANED_MEMORY)].normal_world);
}

#[test]
fn a_borrower_repeats_the_implementation_defined_value() {
    let mut f = Fixture::with_pairs();
    let valued = |draft: Draft, value: u8| Draft {
        implementation: [value; 16],
        ..draft
    };
    let draft = valued(share(Who::Vm, B), 9);
    let handle = f.offer(Who::Vm, SHARE, &draft).unwrap();
    let request = retrieve(Who::Vm, B, handle);
    for value in [0, 8] {
        let wrong = f.fetch(Who::Partition(B), &valued(request.clone(), value));
        assert_eq!(wrong, Err(InvalidParameters));
    }
    let told = f.fetch(Who::Partition(B), &valued(request, 9)).unwrap();
    assert_eq!(told[48 + 8..][..16], [9; 16]);
    // Who can't say it need not.
    let draft = valued(share(Who::Vm, OLD), 9);
    let handle = f.offer(
        Who::Vm,
        SHARE,
        &draft.parts(&[(Who::Vm.memory() + PAGE, 1)]),
    );
    let request = retrieve(Who::Vm, OLD, handle.unwrap());
    f.fetch(Who::Partition(OLD), &request).unwrap();
}
