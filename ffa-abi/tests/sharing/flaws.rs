//! What the reference implementation is suspected to get wrong.

use crate::rig::*;
use ffa_abi::memory::{Constituents, TransactionFlags};

#[test]
fn constituents_of_the_first_fragment_are_compared_with_each_other() {
    // Also if what follows is like the last one of them.
    let parts = [
        (MEMORY, 1),
        (OF_NORMAL_WORLD, 1),
        (OF_NORMAL_WORLD + 0x1000, 1),
    ];
    for split in 1..=3 {
        let mut world = World::new();
        let handle = world.map.begin(A, &send(Lend, A, &[B], &parts)).unwrap();
        for fragment in [&parts[..split], &parts[split..]] {
            if !fragment.is_empty() {
                let fragment = bytes(fragment);
                world
                    .map
                    .extend(handle, Constituents::new(&fragment))
                    .unwrap();
            }
        }
        let sealed = world.map.seal(handle, &mut world.machine);
        assert_eq!(sealed, Err(Denied), "split at {split}");
        assert!(world == World::new());
    }
}

#[test]
fn a_constituent_without_pages_is_refused_wherever_it_stands() {
    let parts = [(MEMORY, 1), (MEMORY + 0x1000, 1), (MEMORY + 0x2000, 1)];
    for at in 0..3 {
        let mut world = World::new();
        let mut parts = parts;
        parts[at].1 = 0;
        let it = send(Share, A, &[B], &parts);
        world.refuses(InvalidParameters, |world| world.give(A, &it, &parts));
        // Nor one that hides in the middle of another.
        parts[at] = (MEMORY + at as u64 * 0x1000, 1);
        let it = send(Share, A, &[B], &parts);
        world.give(A, &it, &parts).unwrap();
    }
}

#[test]
fn the_sum_of_pages_does_not_wrap() {
    // In 32 bits these are one page.
    let parts = [(DRAM, u32::MAX), (DRAM, 2)];
    let mut world = World::new();
    let mut it = send(Lend, NORMAL_WORLD, &[B], &[(DRAM, 1)]);
    it.count = 2;
    for total in [1, u32::MAX] {
        it.pages = total;
        world.refuses(InvalidParameters, |world| {
            world.give(NORMAL_WORLD, &it, &parts)
        });
    }
}

#[test]
fn a_request_that_bypasses_the_others_is_read_for_as_long_as_it_is() {
    let mut world = World::new();
    let mut it = send(Share, NORMAL_WORLD, &[B, C, D], &[(DRAM, 1)]);
    let vm = receiver(VM2, Some(NORMAL_WORLD), ReadWrite);
    it.receivers.push(vm).unwrap();
    let handle = world.give(NORMAL_WORLD, &it, &[(DRAM, 1)]).unwrap();
    let mut request = wish(world.map.find(handle).unwrap(), VM2);
    request.receivers.retain(|it| it.endpoint == VM2);
    request.flags |= TransactionFlags::BYPASS_BORROWERS;
    let retrieved = world.retrieve(NORMAL_WORLD, &request).unwrap();
    assert_eq!(retrieved.receiver.endpoint, VM2);
    let receivers = world.map.find(handle).unwrap().receivers();
    let has: Vec<_> = receivers.iter().map(|it| it.retrievals()).collect();
    assert_eq!(has, [0, 0, 0, 1]);
}

#[test]
fn handles_used_up_by_one_endpoint_are_not_used_up_for_others() {
    let mut world = World::new();
    let it = send(Share, A, &[B], &[(MEMORY, 1)]);
    while world.map.begin(A, &it).is_ok() {}
    for (owner, base) in [(B, memory(B)), (C, memory(C)), (D, memory(D))] {
        world.gives(Share, owner, &[A], &[(base, 1)]);
        world.gives(Lend, owner, &[A], &[(base + 0x1000, 1)]);
    }
    world.gives(Lend, NORMAL_WORLD, &[A], &[(DRAM, 1)]);
}
