//! Taking back: RECLAIM, and endpoints that end.

use crate::rig::*;
use ffa_abi::{
    memory::{Handle, ReclaimFlags, RelinquishFlags, TransactionFlags},
    sharing::Remains,
};

const PARTS: [(u64, u32); 2] = [(MEMORY + 0x3000, 2), (MEMORY, 1)];
const NOTHING: ReclaimFlags = ReclaimFlags::empty();

#[test]
fn reclaim_gives_back_exactly_what_was_given() {
    for kind in [Share, Lend, Donate] {
        for constituents in [&PARTS[..], &[(MEMORY, 64)], &[(MEMORY + 0x1000, 62)]] {
            let mut world = World::new();
            let handle = world.gives(kind, A, &[B], constituents);
            if kind != Donate {
                world.retrieves(B, handle);
                world.retrieves(B, handle);
                world.relinquishes(B, handle);
                world.relinquishes(B, handle);
            }
            world.reclaims(A, handle);
            assert!(world == World::new());
        }
    }
}

#[test]
fn reclaim_of_an_unknown_handle_is_invalid() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &PARTS);
    for other in [0, handle.0 + 1, handle.0 | 1 << 63, u64::MAX] {
        world.refuses(InvalidParameters, |world| {
            world.reclaim(A, Handle(other), NOTHING)
        });
    }
    world.reclaims(A, handle);
    world.refuses(InvalidParameters, |world| world.reclaim(A, handle, NOTHING));
}

#[test]
fn reclaim_by_another_is_invalid() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &PARTS);
    for who in [B, C, NORMAL_WORLD] {
        world.refuses(InvalidParameters, |world| {
            world.reclaim(who, handle, NOTHING)
        });
    }
}

#[test]
fn reclaim_of_what_is_still_retrieved_is_denied() {
    for kind in [Share, Lend] {
        let mut world = World::new();
        let handle = world.gives(kind, A, &[B, C], &PARTS);
        world.retrieves(C, handle);
        world.refuses(Denied, |world| world.reclaim(A, handle, NOTHING));
        world.relinquishes(C, handle);
        world.reclaims(A, handle);
    }
}

#[test]
fn reclaim_with_reserved_or_time_slice_flags_is_invalid() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B], &PARTS);
    for bits in [2, 4, 1 << 31] {
        let flags = ReclaimFlags::from_bits_retain(bits);
        world.refuses(InvalidParameters, |world| world.reclaim(A, handle, flags));
    }
}

#[test]
fn reclaim_zeroes_if_wanted() {
    for kind in [Share, Lend, Donate] {
        let mut world = World::new();
        world.fill(pages(MEMORY, 8), 7);
        let handle = world.gives(kind, A, &[B], &PARTS);
        world.reclaim(A, handle, ReclaimFlags::ZERO).unwrap();
        let contents: Vec<_> = (0..6)
            .map(|page| world.content(MEMORY + page * 0x1000))
            .collect();
        assert_eq!(contents, [0, 7, 7, 0, 0, 7]);
        assert_eq!(world.who_sees(MEMORY), [(A, true)]);
    }
}

#[test]
fn reclaim_with_zeroing_of_what_the_owner_can_not_write_is_denied() {
    let mut world = World::new();
    let mut it = send(Share, A, &[B], &[(CODE, 1)]);
    it.receivers[0].data = ReadOnly;
    let code = world.give(A, &it, &[(CODE, 1)]).unwrap();
    let device = world.gives(Lend, A, &[B], &[(DEVICE, 1)]);
    for handle in [code, device] {
        world.refuses(Denied, |world| world.reclaim(A, handle, ReclaimFlags::ZERO));
        world.reclaims(A, handle);
    }
}

#[test]
fn a_borrower_that_ends_gives_back_what_it_has() {
    for zero in [false, true] {
        let mut world = World::new();
        world.fill(pages(MEMORY, 8), 7);
        let handle = world.gives(Lend, A, &[B], &PARTS);
        let mut request = world.request(handle, B);
        request
            .flags
            .set(TransactionFlags::ZERO_AFTER_RELINQUISH, zero);
        world.retrieve(B, &request).unwrap();
        world.retrieve(B, &request).unwrap();
        assert_eq!(world.ends(B), Remains::default());
        assert_eq!(world.who_sees(MEMORY), []);
        assert_eq!(world.content(MEMORY), if zero { 0 } else { 7 });
        world.reclaims(A, handle);
    }
}

#[test]
fn a_borrower_whose_tables_do_not_let_go_is_said_to_be_stuck() {
    let mut world = World::new();
    let handle = world.gives(Lend, A, &[B, C], &PARTS);
    world.retrieves(B, handle);
    world.machine.fails = Some(0);
    let remains = world.ends(B);
    assert!(remains.mapped && !remains.lent);
    assert!(!world.map.find(handle).unwrap().is_held());
}

#[test]
fn an_owner_that_ends_has_back_what_nobody_holds() {
    let mut world = World::new();
    for kind in [Share, Lend, Donate] {
        let parts = [(MEMORY + kind as u64 * 0x4000, 2)];
        world.gives(kind, A, &[B], &parts);
    }
    let unfinished = send(Lend, A, &[B], &PARTS);
    world.map.begin(A, &unfinished).unwrap();
    assert_eq!(world.ends(A), Remains::default());
    assert!(world == World::new());
}

#[test]
fn what_a_dead_owner_has_lent_is_zeroed_and_freed_by_the_last_borrower() {
    for kind in [Share, Lend] {
        let mut world = World::new();
        world.fill(pages(MEMORY, 8), 7);
        let handle = world.gives(kind, A, &[B, C], &PARTS);
        world.retrieves(B, handle);
        world.retrieves(C, handle);
        assert!(world.ends(A).lent);
        assert!(world.map.holds(A, pages(MEMORY, 1)));
        let lent: Vec<_> = world.map.lent_pages(A).collect();
        assert_eq!(lent, [pages(MEMORY, 1), pages(MEMORY + 0x3000, 2)]);
        world.relinquishes(B, handle);
        assert_eq!(world.content(MEMORY), 7);
        assert!(world.map.find(handle).unwrap().orphan());
        world
            .relinquish(C, handle, RelinquishFlags::empty())
            .unwrap();
        assert_eq!(
            (world.content(MEMORY), world.content(MEMORY + 0x1000)),
            (0, 7)
        );
        assert_eq!(world.map.find(handle).map(|it| it.handle()), None);
        assert_eq!(world.map.lent_pages(A).count(), 0);
        assert!(world.map == World::new().map);
    }
}

#[test]
fn what_nobody_could_write_is_as_it_was_when_its_owner_is_dead() {
    let mut world = World::new();
    world.fill(pages(CODE, 1), 7);
    let mut it = send(Share, A, &[B], &[(CODE, 1)]);
    it.receivers[0].data = ReadOnly;
    let handle = world.give(A, &it, &[(CODE, 1)]).unwrap();
    world.retrieves(B, handle);
    assert!(world.ends(A).lent);
    world.relinquishes(B, handle);
    assert_eq!(world.content(CODE), 7);
    assert_eq!(world.map.find(handle).map(|it| it.handle()), None);
}

#[test]
fn two_that_have_each_others_memory_may_both_end() {
    let mut world = World::new();
    let one = world.gives(Lend, A, &[B], &PARTS);
    let other = world.gives(Lend, B, &[A], &[(memory(B), 4)]);
    world.retrieves(B, one);
    world.retrieves(A, other);
    assert!(world.ends(A).lent);
    assert!(!world.ends(B).lent);
    assert!(world.map == World::new().map);
    assert_eq!(world.machine.sees, World::new().machine.sees);
}

#[test]
fn a_vm_that_ends_takes_nothing_of_another_vm_with_it() {
    let mut world = World::new();
    let mut it = send(Lend, NORMAL_WORLD, &[B], &[(DRAM, 1)]);
    let one = world.give(NORMAL_WORLD, &it, &[(DRAM, 1)]).unwrap();
    it.sender = VM2;
    let other = world
        .give(NORMAL_WORLD, &it, &[(DRAM + 0x1000, 1)])
        .unwrap();
    let open = world.map.begin(NORMAL_WORLD, &it).unwrap();
    let machine = &mut world.machine;
    let remains = world.map.ended(NORMAL_WORLD, VM1, machine);
    assert_eq!(remains, Remains::default());
    assert!(world.map.find(one).is_none());
    assert!(world.map.find(other).is_some() && world.map.find(open).is_some());
}

#[test]
fn a_donation_whose_receiver_ends_half_told_is_freed() {
    for ends in [A, B] {
        let mut world = World::new();
        let handle = world.gives(Donate, A, &[B], &PARTS);
        world.retrieves(B, handle);
        let _ = world.ends(ends);
        assert!(world.map.find(handle).is_none());
        assert!(world.map.exclusive(B, pages(MEMORY, 1)).is_some());
    }
}
