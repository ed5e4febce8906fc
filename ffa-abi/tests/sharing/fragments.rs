//! Fragments: what FFA_MEM_FRAG_TX brings, and when there is enough.

use crate::rig::*;
use ffa_abi::{memory::Constituents, sharing::Progress};

/// A to B, three pages in three constituents, of which the first has come.
fn half_sent() -> (World, ffa_abi::memory::Handle) {
    let mut world = World::new();
    let parts = [(MEMORY + 0x4000, 1), (MEMORY, 1), (MEMORY + 0x8000, 1)];
    let handle = world.map.begin(A, &send(Lend, A, &[B], &parts)).unwrap();
    let first = bytes(&parts[..1]);
    let progress = world.map.extend(handle, Constituents::new(&first));
    assert_eq!(progress, Ok(Progress::More));
    (world, handle)
}

#[test]
fn fragments_come_one_after_the_other_and_keep_their_order() {
    let (mut world, handle) = half_sent();
    assert_eq!(world.map.find(handle).unwrap().received(), 1);
    assert_eq!(
        world.map.extend(handle, Constituents::new(&[])),
        Ok(Progress::More)
    );
    let rest = bytes(&[(MEMORY, 1), (MEMORY + 0x8000, 1)]);
    let progress = world.map.extend(handle, Constituents::new(&rest));
    assert_eq!(progress, Ok(Progress::Complete));
    assert!(!world.map.find(handle).unwrap().complete());
    assert_eq!(
        world.machine.sight(A, MEMORY).map(|it| it.write),
        Some(true)
    );
    world.map.seal(handle, &mut world.machine).unwrap();
    let bases: Vec<_> = world
        .map
        .pieces(handle)
        .map(|it| it.base - MEMORY)
        .collect();
    assert_eq!(bases, [0x4000, 0, 0x8000]);
    world.map.check().unwrap();
}

#[test]
fn a_fragment_of_an_unknown_handle_is_invalid() {
    let (mut world, handle) = half_sent();
    let more = bytes(&[(MEMORY, 1)]);
    for handle in [
        0,
        handle.0 + 1,
        handle.0 ^ 1 << 16,
        handle.0 ^ 1 << 63,
        u64::MAX,
    ] {
        let handle = ffa_abi::memory::Handle(handle);
        world.refuses(InvalidParameters, |world| {
            world.map.extend(handle, Constituents::new(&more))
        });
    }
}

#[test]
fn a_fragment_behind_the_last_one_is_invalid_and_harmless() {
    let (mut world, handle) = half_sent();
    let rest = bytes(&[(MEMORY, 1), (MEMORY + 0x8000, 1)]);
    world.map.extend(handle, Constituents::new(&rest)).unwrap();
    for _ in 0..2 {
        world.refuses(InvalidParameters, |world| {
            world.map.extend(handle, Constituents::new(&rest))
        });
        world.map.seal(handle, &mut world.machine).ok();
    }
    world.refuses(InvalidParameters, |world| {
        world.map.seal(handle, &mut world.machine)
    });
}

#[test]
fn a_bad_fragment_ends_its_transaction() {
    let page = (MEMORY, 1);
    let long = [page, (MEMORY + 0x8000, 1), (MEMORY + 0x9000, 1)];
    let mut ragged = bytes(&[page]);
    ragged.push(0);
    for bad in [
        bytes(&long),
        bytes(&[page, (MEMORY + 0x8001, 1)]),
        bytes(&[page, (MEMORY + 0x8000, 0)]),
        bytes(&[page, (MEMORY + 0x8000, 2)]),
        bytes(&[page, (u64::MAX - 0xfff, u32::MAX)]),
        ragged,
    ] {
        let (mut world, handle) = half_sent();
        let result = world.map.extend(handle, Constituents::new(&bad));
        assert_eq!(result, Err(InvalidParameters), "{bad:x?}");
        assert!(world.map.find(handle).is_none());
        assert!(world == World::new());
    }
}

#[test]
fn what_is_not_complete_can_be_dropped_but_not_used() {
    let (mut world, handle) = half_sent();
    let none = ffa_abi::memory::ReclaimFlags::empty();
    world.refuses(InvalidParameters, |world| world.reclaim(A, handle, none));
    world.refuses(InvalidParameters, |world| {
        world.map.seal(handle, &mut world.machine)
    });
    let request = world.request(handle, B);
    world.refuses(InvalidParameters, |world| world.retrieve(B, &request));
    world.map.abandon(handle);
    assert!(world == World::new());
    let handle = world.gives(Lend, A, &[B], &[(MEMORY, 1)]);
    world.map.abandon(handle);
    assert!(world.map.find(handle).is_some());
}
