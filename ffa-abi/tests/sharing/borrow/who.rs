//! Who may retrieve what: rows 4 to 19.

use super::*;

#[test]
fn row_4_an_unknown_handle_is_invalid() {
    for change in [1, 1 << 16, 1 << 62, 1 << 63] {
        refused(Lend, InvalidParameters, |it| it.handle.0 ^= change);
    }
    refused(Lend, InvalidParameters, |it| it.handle = Handle(0));
    refused(Lend, InvalidParameters, |it| it.handle = Handle::INVALID);
}

#[test]
fn row_5_what_is_not_sent_in_whole_is_invalid() {
    let mut world = World::new();
    let handle = world.map.begin(A, &send(Lend, A, &[B], &PARTS)).unwrap();
    let request = world.request(handle, B);
    world.refuses(InvalidParameters, |world| world.retrieve(B, &request));
}

#[test]
fn row_6_of_a_dead_owner_is_denied() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B, C], &PARTS);
    world.retrieves(B, handle);
    let remains = world.ends(A);
    assert!(remains.lent && !remains.mapped);
    for who in [B, C] {
        let request = world.request(handle, who);
        world.refuses(Denied, |world| world.retrieve(who, &request));
    }
}

#[test]
fn row_8_another_sender_is_denied() {
    refused(Share, Denied, |it| it.sender = id(C));
    refused(Share, Denied, |it| it.sender = VM1);
}

#[test]
fn row_9_several_borrowers_of_the_normal_world_are_not_supported() {
    let mut world = World::new();
    let mut it = send(Share, NORMAL_WORLD, &[B], &[(DRAM, 1)]);
    for vm in [VM2, ffa_abi::EndpointId(3)] {
        let vm = receiver(vm, Some(NORMAL_WORLD), ReadWrite);
        it.receivers.push(vm).unwrap();
    }
    let handle = world.give(NORMAL_WORLD, &it, &[(DRAM, 1)]).unwrap();
    let mut request = world.request(handle, B);
    request.caller = VM2;
    world.refuses(NotSupported, |world| world.retrieve(NORMAL_WORLD, &request));
    // With itself alone it can.
    request.receivers.retain(|it| it.endpoint == VM2);
    request.flags |= TransactionFlags::BYPASS_BORROWERS;
    world.retrieve(NORMAL_WORLD, &request).unwrap();
    // And a partition lists all.
    world.retrieves(B, handle);
    assert_eq!(
        world.map.find(handle).unwrap().receivers()[1].retrievals(),
        1
    );
}

#[test]
fn row_10_another_kind_is_invalid() {
    for (kind, others) in [
        (Share, [Lend, Donate]),
        (Lend, [Share, Donate]),
        (Donate, [Share, Lend]),
    ] {
        for other in others {
            refused(kind, InvalidParameters, |it| {
                it.flags = it.flags.with_kind(other)
            });
        }
        let mut world = World::new();
        let handle = world.gives(kind, A, &[B], &PARTS);
        let mut request = world.request(handle, B);
        request.flags = TransactionFlags::empty();
        let retrieved = world.retrieve(B, &request).unwrap();
        assert_eq!(retrieved.flags.kind(), kind);
    }
}

#[test]
fn row_11_another_tag_is_invalid() {
    refused(Share, InvalidParameters, |it| it.tag += 1);
}

#[test]
fn row_12_who_is_no_borrower_is_invalid() {
    let mut world = World::new();
    let handle = world.gives(Share, A, &[B], &PARTS);
    for who in [A, C, D] {
        let request = world.request(handle, who);
        world.refuses(InvalidParameters, |world| world.retrieve(who, &request));
    }
    // Nor with another's name.
    let request = world.request(handle, B);
    world.refuses(InvalidParameters, |world| world.retrieve(C, &request));
    world.refuses(InvalidParameters, |world| {
        world.retrieve(NORMAL_WORLD, &request)
    });
}

#[test]
fn row_13_alignment_hints_and_reserved_flags_are_invalid() {
    for bits in [1 << 5, 1 << 8, 1 << 9, 1 << 11, 1 << 31] {
        refused(Lend, InvalidParameters, |it| {
            it.flags |= TransactionFlags::from_bits_retain(bits);
        });
    }
}

#[test]
fn row_14_shared_memory_is_not_zeroed() {
    for flag in [
        TransactionFlags::ZERO,
        TransactionFlags::ZERO_AFTER_RELINQUISH,
    ] {
        refused(Share, InvalidParameters, |it| it.flags |= flag);
    }
}

#[test]
fn row_15_zeroing_that_the_sender_did_not_want_is_denied() {
    for kind in [Lend, Donate] {
        refused(kind, Denied, |it| it.flags |= TransactionFlags::ZERO);
    }
}

#[test]
fn row_16_the_ns_bit_is_invalid() {
    refused(Lend, InvalidParameters, |it| {
        it.attributes = Attributes(0x6f)
    });
}

#[test]
fn row_17_attributes_that_memory_is_not_mapped_with_are_denied() {
    for attributes in [0x2e, 0x2c, 0x27, 0x23, 0x17, 0x1b, 0x1f, 0x10, 0x12, 0x33] {
        refused(Lend, Denied, |it| it.attributes = Attributes(attributes));
    }
    for attributes in [0, 3, 0x2f, 0x13] {
        let mut world = World::new();
        let handle = world.gives(Lend, A, &[B], &PARTS);
        let mut request = world.request(handle, B);
        request.attributes = Attributes(attributes);
        let retrieved = world.retrieve(B, &request).unwrap();
        assert_eq!(retrieved.attributes, Attributes::NORMAL);
    }
}

#[test]
fn row_18_another_number_of_borrowers_is_invalid() {
    refused(Lend, InvalidParameters, |it| it.receivers.clear());
    refused(Lend, InvalidParameters, |it| {
        let other = receiver(id(C), None, ReadWrite);
        it.receivers.push(other).unwrap();
    });
    refused_of(
        (Lend, &[B, C]),
        |_| (),
        InvalidParameters,
        |it| {
            it.receivers.truncate(1);
        },
    );
}

#[test]
fn row_18_bypass_is_for_one_of_several() {
    let bypass = TransactionFlags::BYPASS_BORROWERS;
    refused(Lend, InvalidParameters, |it| it.flags |= bypass);
    refused_of(
        (Lend, &[B, C]),
        |_| (),
        InvalidParameters,
        |it| it.flags |= bypass,
    );
    refused_of(
        (Lend, &[B, C]),
        |_| (),
        InvalidParameters,
        |it| {
            it.flags |= bypass;
            it.receivers.clear();
        },
    );
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B, C], &PARTS);
    let mut request = world.request(handle, C);
    request.receivers.remove(0);
    request.flags |= bypass;
    world.retrieve(C, &request).unwrap();
    assert_eq!(world.who_sees(MEMORY), [(C, true)]);
}

#[test]
fn row_19_a_borrower_of_nothing_is_denied() {
    refused_of(
        (Lend, &[B, C]),
        |_| (),
        Denied,
        |it| {
            it.receivers[1].endpoint = id(D);
        },
    );
}
