//! FFA_MEM_RELINQUISH.

use super::*;

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
