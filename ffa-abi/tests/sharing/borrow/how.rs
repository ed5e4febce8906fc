//! How it may be retrieved: rows 20 to 27.

use super::*;

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
