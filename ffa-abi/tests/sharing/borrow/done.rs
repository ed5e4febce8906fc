//! What a borrower is told, and has.

use super::*;

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
