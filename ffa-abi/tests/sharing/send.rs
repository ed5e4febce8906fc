//! Sending: state-machines rows 22 to 30 of SHARE, LEND and DONATE.

use crate::rig::*;
use ffa_abi::{
    memory::{Attributes, TransactionFlags},
    sharing::Send,
};

/// A to B, one page, with something changed.
#[track_caller]
fn refused(error: ffa_abi::FfaError, parts: &[(u64, u32)], change: impl FnOnce(&mut Send)) {
    let mut world = World::new();
    let mut it = send(Lend, A, &[B], parts);
    change(&mut it);
    world.refuses(error, |world| world.give(A, &it, parts));
    // What was refused is not in the way of what is good.
    world.gives(Lend, A, &[B], &[(MEMORY, 64)]);
}

#[test]
fn row_22_no_handle_left_is_no_memory() {
    let mut world = World::new();
    let mut handles = Vec::new();
    loop {
        let it = send(Share, A, &[B], &[(MEMORY, 1)]);
        match world.map.begin(A, &it) {
            Ok(handle) => handles.push(handle),
            Err(error) => break assert_eq!(error, NoMemory),
        }
    }
    assert!(!handles.is_empty() && handles.len() < 32);
    let it = send(Share, A, &[B], &[(MEMORY, 1)]);
    world.refuses(NoMemory, |world| world.map.begin(A, &it));
    // Others still have theirs.
    world.gives(Share, B, &[A], &[(memory(B), 1)]);
    world.map.abandon(handles[0]);
    world.map.begin(A, &it).unwrap();
}

#[test]
fn row_22_more_constituents_than_the_sender_may_have_are_no_memory() {
    let mut world = World::new();
    let mut it = send(Share, A, &[B], &[(MEMORY, 1)]);
    for count in [64 * 16, u32::MAX] {
        (it.count, it.pages) = (count, u32::MAX);
        world.refuses(NoMemory, |world| world.map.begin(A, &it));
    }
}

#[test]
fn row_23_constituents_that_overlap_are_invalid() {
    refused(
        InvalidParameters,
        &[(MEMORY, 2), (MEMORY + 0x1000, 1)],
        |_| (),
    );
    refused(
        InvalidParameters,
        &[(MEMORY + 0x1000, 1), (MEMORY, 2)],
        |_| (),
    );
    refused(InvalidParameters, &[(MEMORY, 1), (MEMORY, 1)], |_| ());
    // Also where another reason is found first.
    refused(
        InvalidParameters,
        &[(0, 1), (MEMORY, 1), (MEMORY, 1)],
        |_| (),
    );
}

#[test]
fn row_23_another_sum_of_pages_is_invalid() {
    refused(InvalidParameters, &[(MEMORY, 1)], |it| it.pages = 2);
    refused(InvalidParameters, &[(MEMORY, 2)], |it| it.pages = 1);
}

#[test]
fn row_23_addresses_that_are_not_pages_are_invalid() {
    refused(InvalidParameters, &[(MEMORY + 0x800, 1)], |_| ());
    refused(InvalidParameters, &[(MEMORY + 1, 1)], |_| ());
    refused(InvalidParameters, &[(u64::MAX - 0xfff, 1)], |_| ());
    refused(InvalidParameters, &[(u64::MAX - 0x1fff, 4)], |_| ());
}

#[test]
fn row_24_mixed_memory_is_denied() {
    refused(Denied, &[(MEMORY, 1), (OF_NORMAL_WORLD, 1)], |_| ());
    refused(Denied, &[(MEMORY, 1), (DEVICE, 1)], |_| ());
    refused(Denied, &[(MEMORY, 1), (CODE, 1)], |it| {
        it.receivers[0].data = ReadOnly;
    });
    refused(Denied, &[(MEMORY, 1), (memory(B), 1)], |_| ());
}

#[test]
fn row_25_a_device_is_lent_to_one_borrower_or_not_at_all() {
    let parts = [(DEVICE, 1)];
    refused(Denied, &parts, |it| it.kind = Share);
    refused(Denied, &parts, |it| {
        it.kind = Donate;
        it.receivers[0].data = ffa_abi::memory::DataAccess::Unspecified;
    });
    refused(Denied, &parts, |it| {
        let other = receiver(id(C), Some(C), ReadWrite);
        it.receivers.push(other).unwrap();
    });
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &parts);
    let retrieved = world.retrieves(B, handle);
    assert_eq!(retrieved.attributes.0, 0x13);
    assert!(world.machine.sight(B, DEVICE).unwrap().device);
    assert_eq!(world.machine.sight(A, DEVICE), None);
}

#[test]
fn row_25_a_device_that_is_called_normal_memory_is_denied() {
    refused(Denied, &[(DEVICE, 1)], |it| {
        it.attributes = Attributes::NORMAL
    });
}

#[test]
fn a_device_is_not_zeroed() {
    refused(Denied, &[(DEVICE, 1)], |it| {
        it.flags = TransactionFlags::ZERO
    });
}

#[test]
fn row_26_what_is_not_exclusively_owned_is_denied() {
    for base in [memory(B), DRAM, 0, 0xffff_ffff_f000] {
        refused(Denied, &[(base, 1)], |_| ());
    }
    // Partly the owner's.
    refused(Denied, &[(MEMORY + 63 * 0x1000, 2)], |_| ());
    refused(Denied, &[(MEMORY - 0x1000, 2)], |_| ());
    for kind in [Share, Lend, Donate] {
        let mut world = World::new();
        let handle = world.gives(kind, A, &[B], &[(MEMORY + 0x1000, 2)]);
        for parts in [
            [(MEMORY + 0x1000, 1)],
            [(MEMORY, 64)],
            [(MEMORY + 0x2000, 1)],
        ] {
            for again in [Share, Lend, Donate] {
                let it = send(again, A, &[C], &parts);
                world.refuses(Denied, |world| world.give(A, &it, &parts));
            }
        }
        world.retrieves(B, handle);
        let it = send(Share, A, &[C], &[(MEMORY + 0x1000, 1)]);
        world.refuses(Denied, |world| world.give(A, &it, &[(MEMORY + 0x1000, 1)]));
    }
}

#[test]
fn row_26_what_is_borrowed_is_not_given_on() {
    for kind in [Share, Lend] {
        let mut world = World::new();
        let handle = world.gives(kind, A, &[B], &[(MEMORY, 1)]);
        world.retrieves(B, handle);
        let it = send(Share, B, &[C], &[(MEMORY, 1)]);
        world.refuses(Denied, |world| world.give(B, &it, &[(MEMORY, 1)]));
    }
}

#[test]
fn row_26_buffers_and_what_is_kept_are_denied() {
    refused(Denied, &[(KEPT, 1)], |_| ());
    let mut world = World::new();
    world.map.take_buffer(A, pages(MEMORY + 0x2000, 2)).unwrap();
    for parts in [
        [(MEMORY + 0x2000, 1)],
        [(MEMORY, 8)],
        [(MEMORY + 0x3000, 1)],
    ] {
        let it = send(Share, A, &[B], &parts);
        world.refuses(Denied, |world| world.give(A, &it, &parts));
    }
    world.map.free_buffer(A, pages(MEMORY + 0x2000, 2));
    world.gives(Share, A, &[B], &[(MEMORY, 8)]);
}

#[test]
fn row_27_zeroing_needs_the_owners_write_access() {
    refused(Denied, &[(CODE, 1)], |it| {
        it.flags = TransactionFlags::ZERO;
        it.receivers[0].data = ReadOnly;
    });
}

#[test]
fn row_28_borrowers_get_no_more_than_the_owner_has() {
    refused(Denied, &[(CODE, 1)], |_| ());
    refused(Denied, &[(CODE, 1)], |it| {
        it.receivers[0].data = ReadOnly;
        it.receivers
            .push(receiver(id(C), Some(C), ReadWrite))
            .unwrap();
    });
    let mut world = World::new();
    let mut it = send(Share, A, &[B], &[(CODE, 1)]);
    it.receivers[0].data = ReadOnly;
    world.give(A, &it, &[(CODE, 1)]).unwrap();
}

#[test]
fn row_30_no_tables_to_hide_is_no_memory_and_nothing_is_left() {
    for kind in [Lend, Donate] {
        let mut world = World::new();
        let it = send(kind, A, &[B], &[(MEMORY, 4)]);
        let mut it = it;
        it.flags = TransactionFlags::ZERO;
        world.fill(pages(MEMORY, 4), 7);
        world.refuses(NoMemory, |world| {
            world.machine.fails = Some(0);
            world.give(A, &it, &[(MEMORY, 4)])
        });
        assert_eq!(world.content(MEMORY), 7);
    }
}

#[test]
fn what_is_lent_or_donated_is_hidden_and_zeroed_if_wanted() {
    for kind in [Lend, Donate] {
        for zero in [false, true] {
            let mut world = World::new();
            world.fill(pages(MEMORY, 4), 7);
            let parts = [(MEMORY + 0x2000, 1), (MEMORY, 1)];
            let mut it = send(kind, A, &[B], &parts);
            it.flags.set(TransactionFlags::ZERO, zero);
            world.give(A, &it, &parts).unwrap();
            for page in 0..4 {
                let given = page % 2 == 0;
                let address = MEMORY + page * 0x1000;
                assert_eq!(world.machine.sight(A, address).is_none(), given);
                assert_eq!(world.content(address), if given && zero { 0 } else { 7 });
            }
        }
    }
    let mut world = World::new();
    world.gives(Share, A, &[B], &[(MEMORY, 4)]);
    assert_eq!(world.who_sees(MEMORY), [(A, true)]);
}

#[test]
fn several_borrowers_are_kept_as_they_were_named() {
    let mut world = World::new();
    let it = send(Share, A, &[B, C, D], &[(MEMORY, 1)]);
    let mut it = it;
    it.receivers[1].data = ReadOnly;
    it.receivers[2].implementation = Some([9; 16]);
    let handle = world.give(A, &it, &[(MEMORY, 1)]).unwrap();
    let found = world.map.find(handle).unwrap();
    assert_eq!(
        (found.sender(), found.owner(), found.tag()),
        (id(A), A, 0x7a6)
    );
    let named = found.receivers().iter().map(|it| *it.receiver());
    assert!(named.eq(it.receivers.iter().copied()));
}

#[test]
fn what_makes_no_transaction_is_invalid() {
    use ffa_abi::memory::TransactionKind::Unspecified;
    refused(InvalidParameters, &[(MEMORY, 1)], |it| {
        it.kind = Unspecified
    });
    refused(InvalidParameters, &[(MEMORY, 1)], |it| it.receivers.clear());
    refused(InvalidParameters, &[(MEMORY, 1)], |it| it.count = 0);
    refused(InvalidParameters, &[(MEMORY, 1)], |it| it.pages = 0);
    refused(InvalidParameters, &[(MEMORY, 1)], |it| {
        it.kind = Donate;
        it.receivers
            .push(receiver(id(C), Some(C), ReadWrite))
            .unwrap();
    });
}

#[test]
fn handles_have_bit_63_clear_and_are_never_used_again() {
    let mut world = World::new();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        let handle = world.gives(Share, A, &[B], &[(MEMORY, 1)]);
        assert!(!handle.is_hypervisor() && handle.0 != 0);
        assert!(seen.insert(handle));
        world.reclaims(A, handle);
    }
    for handle in seen {
        assert!(world.map.find(handle).is_none());
    }
}

#[test]
fn constituents_by_the_hundred_are_one_transaction() {
    // Every second page, from both ends.
    let page = |number: u64| (DRAM + number % 2 * 0x1000 + number * 0x2000 % 0x40_0000, 1);
    let parts: Vec<_> = (0..400).map(|number| page((number * 7) % 400)).collect();
    let mut world = World::new();
    let handle = world.gives(Lend, NORMAL_WORLD, &[A], &parts);
    assert!(
        world
            .map
            .pieces(handle)
            .map(|it| it.base)
            .eq(parts.iter().map(|it| it.0))
    );
    let other = world.gives(Share, B, &[A], &[(memory(B), 3)]);
    world.retrieves(A, handle);
    world.retrieves(A, other);
    assert_eq!(world.map.lent_pages(NORMAL_WORLD).count(), 400);
    world.relinquishes(A, handle);
    world.reclaims(NORMAL_WORLD, handle);
    world.relinquishes(A, other);
    world.reclaims(B, other);
    assert!(world == World::new());
}
