//! Borrowing: state-machines rows 4 to 27 of RETRIEVE, and RELINQUISH.

use crate::rig::*;
use ffa_abi::{
    FfaError,
    memory::{
        Attributes, DataAccess, Handle, InstructionAccess, RelinquishFlags, TransactionFlags,
        TransactionKind,
    },
    sharing::{Party, Retrieve, Send},
};

const PARTS: [(u64, u32); 1] = [(MEMORY, 2)];

/// A's two pages to `to`, the transaction changed by `sent`, are not retrieved by B with `wanted`, and
/// are without.
#[track_caller]
fn refused_of(
    (kind, to): (TransactionKind, &[Party]),
    sent: impl FnOnce(&mut Send),
    error: FfaError,
    wanted: impl FnOnce(&mut Retrieve),
) {
    let mut world = World::new();
    let mut it = send(kind, A, to, &PARTS);
    sent(&mut it);
    let handle = world.give(A, &it, &PARTS).unwrap();
    let mut request = world.request(handle, B);
    wanted(&mut request);
    world.refuses(error, |world| world.retrieve(B, &request));
    world.retrieves(B, handle);
}

#[track_caller]
fn refused(kind: TransactionKind, error: FfaError, wanted: impl FnOnce(&mut Retrieve)) {
    refused_of((kind, &[B]), |_| (), error, wanted);
}

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

#[test]
fn row_20_data_access_beyond_what_was_sent_is_denied() {
    let read_only = |it: &mut Send| it.receivers[0].data = ReadOnly;
    for kind in [Share, Lend] {
        refused_of((kind, &[B]), read_only, Denied, |it| {
            it.receivers[0].data = ReadWrite;
        });
    }
    // And for others in the list.
    refused_of(
        (Lend, &[B, C]),
        |it| it.receivers[1].data = ReadOnly,
        Denied,
        |it| it.receivers[1].data = ReadWrite,
    );
}

#[test]
fn row_20_less_than_was_sent_is_granted() {
    for kind in [Share, Lend, Donate] {
        for (wanted, write) in [
            (ReadOnly, false),
            (ReadWrite, true),
            (DataAccess::Unspecified, true),
        ] {
            let mut world = World::new();
            let handle = world.gives(kind, A, &[B], &PARTS);
            let mut request = world.request(handle, B);
            request.receivers[0].data = wanted;
            let granted = world.retrieve(B, &request).unwrap().receiver.data;
            assert_eq!(granted == ReadWrite, write);
            assert_eq!(world.machine.sight(B, MEMORY).unwrap().write, write);
        }
    }
}

#[test]
fn row_21_instruction_access_is_said_by_single_borrowers_of_what_is_lent_or_donated() {
    for kind in [Lend, Donate] {
        refused(kind, InvalidParameters, |it| {
            it.receivers[0].instruction = InstructionAccess::Unspecified;
        });
        let mut world = World::new();
        let handle = world.gives(kind, A, &[B], &PARTS);
        let mut request = world.request(handle, B);
        request.receivers[0].instruction = Executable;
        let granted = world.retrieve(B, &request).unwrap().receiver.instruction;
        assert_eq!(granted, Executable);
        assert!(world.machine.sight(B, MEMORY).unwrap().execute);
    }
    for says in [NotExecutable, Executable] {
        refused(Share, InvalidParameters, |it| {
            it.receivers[0].instruction = says
        });
        refused_of(
            (Lend, &[B, C]),
            |_| (),
            InvalidParameters,
            |it| {
                it.receivers[0].instruction = says;
            },
        );
        refused_of(
            (Lend, &[B, C]),
            |_| (),
            InvalidParameters,
            |it| {
                it.receivers[1].instruction = says;
            },
        );
    }
    let mut world = World::new();
    let handle = world.gives(Share, A, &[B], &PARTS);
    let retrieved = world.retrieves(B, handle);
    assert_eq!(retrieved.receiver.instruction, NotExecutable);
    assert!(!world.machine.sight(B, MEMORY).unwrap().execute);
}

#[test]
fn row_21_partitions_do_not_execute_the_normal_worlds_memory() {
    for (owner, base) in [(NORMAL_WORLD, DRAM), (A, OF_NORMAL_WORLD)] {
        let mut world = World::new();
        let handle = world.gives(Lend, owner, &[B], &[(base, 1)]);
        let mut request = world.request(handle, B);
        request.receivers[0].instruction = Executable;
        world.refuses(InvalidParameters, |world| world.retrieve(B, &request));
        world.retrieves(B, handle);
    }
}

#[test]
fn row_21_instruction_access_beyond_the_owners_is_denied() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &[(DEVICE, 1)]);
    let mut request = world.request(handle, B);
    request.receivers[0].instruction = Executable;
    world.refuses(Denied, |world| world.retrieve(B, &request));
}

#[test]
fn row_22_zeroing_by_who_can_only_read_is_denied() {
    for flag in [
        TransactionFlags::ZERO,
        TransactionFlags::ZERO_AFTER_RELINQUISH,
    ] {
        let zero = |it: &mut Send| it.flags = TransactionFlags::ZERO;
        refused_of((Lend, &[B]), zero, Denied, |it| {
            it.receivers[0].data = ReadOnly;
            it.flags |= flag;
        });
    }
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &[(DEVICE, 1)]);
    let mut request = world.request(handle, B);
    request.flags |= TransactionFlags::ZERO_AFTER_RELINQUISH;
    world.refuses(Denied, |world| world.retrieve(B, &request));
}

#[test]
fn row_23_another_implementation_defined_value_is_invalid() {
    let value = |value: u8| move |it: &mut Send| it.receivers[0].implementation = Some([value; 16]);
    refused_of((Share, &[B]), value(7), InvalidParameters, |it| {
        it.receivers[0].implementation = Some([8; 16]);
    });
    // Where one side's descriptors have none, there is nothing to compare.
    for (sent, wanted) in [(Some([7; 16]), None), (None, Some([7; 16]))] {
        let mut world = World::new();
        let mut it = send(Share, A, &[B], &PARTS);
        it.receivers[0].implementation = sent;
        let handle = world.give(A, &it, &PARTS).unwrap();
        let mut request = world.request(handle, B);
        request.receivers[0].implementation = wanted;
        let retrieved = world.retrieve(B, &request).unwrap();
        assert_eq!(retrieved.receiver.implementation, sent);
    }
}

#[test]
fn row_24_who_does_not_list_itself_is_invalid() {
    refused_of(
        (Lend, &[B, C]),
        |_| (),
        InvalidParameters,
        |it| {
            it.receivers.truncate(1);
            it.receivers[0].endpoint = id(C);
            it.flags |= TransactionFlags::BYPASS_BORROWERS;
        },
    );
    // Nor twice instead of another.
    for twice in [B, C] {
        refused_of(
            (Lend, &[B, C]),
            |_| (),
            InvalidParameters,
            |it| {
                it.receivers[0].endpoint = id(twice);
                it.receivers[1].endpoint = id(twice);
            },
        );
    }
}

#[test]
fn row_25_a_device_as_normal_memory_is_denied() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &[(DEVICE, 1)]);
    let mut request = world.request(handle, B);
    request.attributes = Attributes::NORMAL;
    world.refuses(Denied, |world| world.retrieve(B, &request));
    request.attributes = Attributes(0x13);
    world.retrieve(B, &request).unwrap();
}

#[test]
fn row_26_retrieving_again_is_counted_up_to_255_times() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &PARTS);
    for _ in 0..255 {
        world.retrieves(B, handle);
    }
    let request = world.request(handle, B);
    world.refuses(Denied, |world| world.retrieve(B, &request));
    for left in (0..255).rev() {
        assert_eq!(world.who_sees(MEMORY), [(B, true)]);
        world.relinquishes(B, handle);
        assert_eq!(
            world.map.find(handle).unwrap().receivers()[0].retrievals(),
            left
        );
    }
    assert_eq!(world.who_sees(MEMORY), []);
    let none = RelinquishFlags::empty();
    world.refuses(InvalidParameters, |world| world.relinquish(B, handle, none));
}

#[test]
fn row_26_again_with_other_permissions_is_denied() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &PARTS);
    let mut request = world.request(handle, B);
    world.retrieve(B, &request).unwrap();
    request.receivers[0].data = ReadOnly;
    world.refuses(Denied, |world| world.retrieve(B, &request));
    request.receivers[0].data = ReadWrite;
    request.receivers[0].instruction = Executable;
    world.refuses(Denied, |world| world.retrieve(B, &request));
    // With the last one gone, it may choose again.
    world.relinquishes(B, handle);
    world.retrieve(B, &request).unwrap();
}

#[test]
fn row_27_no_tables_is_no_memory() {
    for kind in [Share, Lend, Donate] {
        let mut world = World::new();
        let handle = world.gives(kind, A, &[B], &PARTS);
        let request = world.request(handle, B);
        world.refuses(NoMemory, |world| {
            world.machine.fails = Some(0);
            world.retrieve(B, &request)
        });
        world.retrieves(B, handle);
    }
}

#[test]
fn the_answer_says_what_the_sender_said_and_what_was_granted() {
    let mut world = World::new();
    let mut it = send(
        Lend,
        NORMAL_WORLD,
        &[B, C],
        &[(DRAM, 3), (DRAM + 0x8000, 1)],
    );
    it.flags = TransactionFlags::ZERO;
    it.receivers[1].implementation = Some([5; 16]);
    let handle = world
        .give(NORMAL_WORLD, &it, &[(DRAM, 3), (DRAM + 0x8000, 1)])
        .unwrap();
    let retrieved = world.retrieves(C, handle);
    assert_eq!(retrieved.attributes.0, 0x6f);
    assert_eq!(retrieved.flags, TransactionFlags::ZERO.with_kind(Lend));
    assert_eq!((retrieved.sender, retrieved.tag), (VM1, 0x7a6));
    assert_eq!((retrieved.pages, retrieved.count), (4, 2));
    assert_eq!(retrieved.receiver.endpoint, id(C));
    assert_eq!(retrieved.receiver.implementation, Some([5; 16]));
    assert!(world.machine.sight(C, DRAM).unwrap().normal_world);
}

#[test]
fn memory_is_zeroed_for_the_first_that_wants_it_so() {
    let mut world = World::new();
    world.fill(pages(MEMORY, 2), 1);
    let mut it = send(Lend, A, &[B, C], &PARTS);
    it.flags = TransactionFlags::ZERO;
    let handle = world.give(A, &it, &PARTS).unwrap();
    assert_eq!(world.content(MEMORY), 0);
    world.retrieves(B, handle);
    world.fill(pages(MEMORY, 2), 2);
    let mut request = world.request(handle, C);
    request.flags |= TransactionFlags::ZERO;
    // Not while another has it.
    world.retrieve(C, &request).unwrap();
    assert_eq!(world.content(MEMORY), 2);
    world.relinquishes(C, handle);
    world.relinquishes(B, handle);
    assert_eq!(world.content(MEMORY), 2);
    world.retrieve(C, &request).unwrap();
    assert_eq!(world.content(MEMORY), 0);
}

#[test]
fn donated_memory_is_the_receivers_own() {
    let mut world = World::new();
    let parts = [(MEMORY + 0x5000, 1), (MEMORY + 0x1000, 2)];
    let handle = world.gives(Donate, A, &[B], &parts);
    let mut request = world.request(handle, B);
    request.receivers[0].instruction = Executable;
    let retrieved = world.retrieve(B, &request).unwrap();
    assert_eq!(retrieved.receiver.data, ReadWrite);
    assert_eq!(world.who_sees(MEMORY + 0x1000), [(B, true)]);
    // Until the receiver was told all of it, the constituents can be read, but nothing else.
    assert_eq!(world.map.pieces(handle).len(), 2);
    assert!(world.map.find(handle).unwrap().donated());
    let request = world.request(handle, B);
    world.refuses(InvalidParameters, |world| world.retrieve(B, &request));
    let (none, nothing) = (
        RelinquishFlags::empty(),
        ffa_abi::memory::ReclaimFlags::empty(),
    );
    world.refuses(InvalidParameters, |world| world.relinquish(B, handle, none));
    world.refuses(InvalidParameters, |world| world.reclaim(A, handle, nothing));
    world.map.told(handle);
    assert!(world.map.find(handle).is_none());
    // The giver has nothing of it any more, the receiver may give it on, and back.
    let again = send(Share, A, &[C], &[(MEMORY + 0x1000, 1)]);
    world.refuses(Denied, |world| {
        world.give(A, &again, &[(MEMORY + 0x1000, 1)])
    });
    let back = world.gives(Donate, B, &[A], &parts);
    let mut request = world.request(back, A);
    request.receivers[0].instruction = Executable;
    world.retrieve(A, &request).unwrap();
    world.map.told(back);
    assert!(world == World::new());
}

#[test]
fn donated_memory_of_the_normal_world_stays_its_memory() {
    let mut world = World::new();
    let handle = world.gives(Donate, NORMAL_WORLD, &[A], &[(DRAM, 2)]);
    let retrieved = world.retrieves(A, handle);
    assert!(retrieved.attributes.is_non_secure());
    world.map.told(handle);
    let handle = world.gives(Share, A, &[B], &[(DRAM, 2)]);
    assert!(world.retrieves(B, handle).attributes.is_non_secure());
}

#[test]
fn told_means_nothing_to_what_is_not_donated() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &PARTS);
    world.retrieves(B, handle);
    let before = world.clone();
    world.map.told(handle);
    world.map.told(Handle(0));
    assert!(world == before);
}

// FFA_MEM_RELINQUISH.

#[track_caller]
fn not_relinquished(
    kind: TransactionKind,
    wanted: DataAccess,
    error: FfaError,
    flags: RelinquishFlags,
) {
    let mut world = World::new();
    let handle = world.gives(kind, A, &[B, C], &PARTS);
    let mut request = world.request(handle, B);
    request.receivers[0].data = wanted;
    world.retrieve(B, &request).unwrap();
    world.refuses(error, |world| world.relinquish(B, handle, flags));
    world.relinquishes(B, handle);
}

#[test]
fn relinquish_shared_memory_with_zeroing_is_invalid() {
    not_relinquished(Share, ReadWrite, InvalidParameters, RelinquishFlags::ZERO);
}

#[test]
fn relinquish_read_only_memory_with_zeroing_is_denied() {
    not_relinquished(Lend, ReadOnly, Denied, RelinquishFlags::ZERO);
}

#[test]
fn relinquish_with_reserved_or_time_slice_flags_is_invalid() {
    for bits in [2, 4, 1 << 31] {
        let flags = RelinquishFlags::from_bits_retain(bits);
        not_relinquished(Lend, ReadWrite, InvalidParameters, flags);
    }
}

#[test]
fn relinquish_what_one_does_not_have_is_invalid() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B, C], &PARTS);
    world.retrieves(B, handle);
    let none = RelinquishFlags::empty();
    for who in [A, C, D] {
        world.refuses(InvalidParameters, |world| {
            world.relinquish(who, handle, none)
        });
    }
    world.refuses(InvalidParameters, |world| {
        let machine = &mut world.machine;
        world.map.relinquish(C, id(B), handle, none, machine)
    });
    world.refuses(InvalidParameters, |world| {
        world.relinquish(B, Handle(handle.0 + 1), none)
    });
}

#[test]
fn relinquish_without_tables_is_no_memory() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &PARTS);
    world.retrieves(B, handle);
    world.refuses(NoMemory, |world| {
        world.machine.fails = Some(0);
        world.relinquish(B, handle, RelinquishFlags::ZERO)
    });
    world.relinquishes(B, handle);
}

#[test]
fn zeroing_comes_with_the_last_that_relinquishes() {
    // Asked for when relinquishing, and when retrieving.
    for early in [false, true] {
        let mut world = World::new();
        world.fill(pages(MEMORY, 2), 3);
        let handle = world.gives(Lend, A, &[B, C], &PARTS);
        let mut request = world.request(handle, B);
        if early {
            request.flags |= TransactionFlags::ZERO_AFTER_RELINQUISH;
        }
        world.retrieve(B, &request).unwrap();
        world.retrieves(B, handle);
        world.retrieves(C, handle);
        let zero = if early {
            RelinquishFlags::empty()
        } else {
            RelinquishFlags::ZERO
        };
        world.relinquish(B, handle, zero).unwrap();
        world.relinquishes(B, handle);
        assert_eq!(
            (world.content(MEMORY), world.who_sees(MEMORY)),
            (3, vec![(C, true)])
        );
        world.relinquishes(C, handle);
        assert_eq!(world.content(MEMORY), 0);
        // Once.
        world.fill(pages(MEMORY, 2), 4);
        world.retrieves(C, handle);
        world.relinquishes(C, handle);
        assert_eq!(world.content(MEMORY), 4);
    }
}
