//! The map itself: regions, buffers, readers, quotas, and records under another's handle.

use crate::rig::*;
use ffa_abi::{
    memory::{Constituents, Handle, ReclaimFlags},
    sharing::{Party, Region, Sharing, Side},
};

#[test]
fn regions_do_not_overlap() {
    let mut world = World::new();
    for base in [MEMORY, MEMORY + 0x3f000, MEMORY - 0x1000] {
        for owner in [NORMAL_WORLD, A, B] {
            world.refuses(Denied, |world| world.map.add_region(owner, region(base, 2)));
        }
    }
    let mut all = region(0x1000, u64::from(u32::MAX));
    world.refuses(Denied, |world| world.map.add_region(A, all));
    for (base, count) in [(1, 1), (0, 0), (u64::MAX - 0xfff, 1), (0x1000, 1 << 32)] {
        all.pages = ffa_abi::sharing::Pages { base, count };
        world.refuses(InvalidParameters, |world| world.map.add_region(A, all));
    }
    world.refuses(InvalidParameters, |world| {
        world.map.add_region(Party(5), region(0, 1))
    });
}

#[test]
fn regions_that_go_on_are_one() {
    let mut world = World::new();
    world
        .map
        .add_region(A, region(MEMORY + 0x42000, 2))
        .unwrap();
    world
        .map
        .add_region(A, region(MEMORY + 0x40000, 2))
        .unwrap();
    world.map.check().unwrap();
    let mut regions = world.map.regions_of(A);
    assert_eq!(regions.next(), Some(region(MEMORY, 68)));
    assert_eq!(regions.count(), 4);
}

#[test]
fn the_rest_is_what_nobody_owns() {
    let mut map = Map::new(Side::Spmc);
    for (party, base) in [(A, 0x2000), (B, 0x4000), (C, 0x9000)] {
        map.add_region(party, region(base, 1)).unwrap();
    }
    map.add_rest(NORMAL_WORLD, region(0x1000, 6)).unwrap();
    map.check().unwrap();
    let rest: Vec<_> = map.regions_of(NORMAL_WORLD).map(|it| it.pages).collect();
    assert_eq!(rest, [pages(0x1000, 1), pages(0x3000, 1), pages(0x5000, 2)]);
    // And nothing is left.
    map.add_rest(D, region(0x1000, 9)).unwrap();
    let rest: Vec<_> = map.regions_of(D).map(|it| it.pages).collect();
    assert_eq!(rest, [pages(0x7000, 2)]);
}

#[test]
fn too_many_regions_are_no_memory() {
    let mut map = Sharing::<2, 1, 4, 1, 1>::new(Side::Spmc);
    for number in 0..4 {
        map.add_region(A, region(0x2000 * number, 1)).unwrap();
    }
    assert_eq!(map.add_region(A, region(0x2000 * 5, 1)), Err(NoMemory));
    map.check().unwrap();
}

#[test]
fn buffers_are_ones_own_normal_memory() {
    let mut world = World::new();
    let device = pages(DEVICE, 1);
    let lent = world.gives(Lend, A, &[B], &[(MEMORY + 0x8000, 1)]);
    let shared = world.gives(Share, A, &[B], &[(MEMORY + 0xa000, 1)]);
    world.retrieves(B, shared);
    for bad in [
        device,
        pages(CODE, 1),
        pages(memory(B), 1),
        pages(MEMORY + 0x3f000, 2),
        pages(MEMORY + 0x7000, 4),
        pages(MEMORY + 0xa000, 1),
        ffa_abi::sharing::Pages {
            base: MEMORY + 1,
            count: 1,
        },
    ] {
        world.refuses(Denied, |world| world.map.take_buffer(A, bad));
    }
    world.refuses(Denied, |world| {
        world.map.take_buffer(B, pages(MEMORY + 0xa000, 1))
    });
    let before = world.clone();
    world.map.take_buffer(A, pages(MEMORY, 4)).unwrap();
    world.refuses(Denied, |world| {
        world.map.take_buffer(A, pages(MEMORY + 0x3000, 1))
    });
    world.map.take_buffer(A, pages(MEMORY + 0x4000, 4)).unwrap();
    world.map.check().unwrap();
    assert_eq!(world.map.exclusive(A, pages(MEMORY, 1)), None);
    world.map.free_buffer(B, pages(MEMORY, 4));
    world.map.free_buffer(A, pages(MEMORY, 1));
    assert_eq!(world.map.exclusive(A, pages(MEMORY, 1)), None);
    world.map.free_buffer(A, pages(MEMORY + 0x4000, 4));
    world.map.free_buffer(A, pages(MEMORY, 4));
    assert!(world == before);
    world.reclaims(A, lent);
    world.map.take_buffer(A, pages(MEMORY + 0x7000, 2)).unwrap();
    // What may not be given away can still be a buffer; the normal world's can.
    world.map.take_buffer(A, pages(KEPT, 1)).unwrap();
    world.map.take_buffer(NORMAL_WORLD, pages(DRAM, 1)).unwrap();
}

#[test]
fn exclusive_says_what_the_pages_are() {
    let mut world = World::new();
    let device = world.map.exclusive(A, pages(DEVICE, 2)).unwrap();
    let wanted = Region {
        device: true,
        execute: false,
        ..region(DEVICE, 2)
    };
    assert_eq!(device, wanted);
    assert_eq!(world.map.exclusive(B, pages(DEVICE, 2)), None);
    assert_eq!(world.map.exclusive(A, pages(MEMORY + 0x3f000, 2)), None);
    world.gives(Share, A, &[B], &[(MEMORY, 1)]);
    assert_eq!(world.map.exclusive(A, pages(MEMORY, 1)), None);
    assert!(world.map.exclusive(A, pages(MEMORY + 0x1000, 1)).is_some());
}

#[test]
fn lent_pages_are_those_that_others_have_now() {
    let mut world = World::new();
    let handle = world.gives(Share, A, &[B], &[(MEMORY, 2)]);
    world.gives(Lend, A, &[B], &[(MEMORY + 0x2000, 2)]);
    assert_eq!(world.map.lent_pages(A).count(), 0);
    world.retrieves(B, handle);
    assert_eq!(
        world.map.lent_pages(A).collect::<Vec<_>>(),
        [pages(MEMORY, 2)]
    );
    assert!(world.map.holds(A, pages(MEMORY + 0x1000, 4)));
    assert!(!world.map.holds(A, pages(MEMORY + 0x2000, 4)));
    assert!(!world.map.holds(B, pages(MEMORY, 4)));
}

#[test]
fn no_sender_takes_what_another_is_guaranteed() {
    let mut world = World::new();
    let mut fill = |owner, sender, count: u32| {
        let mut it = send(Share, owner, &[D], &[(MEMORY, 1)]);
        (it.sender, it.count, it.pages) = (sender, count, count);
        let mut got = 0;
        while world.map.begin(owner, &it).is_ok() {
            got += 1;
        }
        world.map.check().unwrap();
        got
    };
    // 32 handles, 8 accounts: 2 each, 16 common of which one sender may have 12.
    assert_eq!([fill(A, id(A), 1), fill(B, id(B), 1)], [14, 6]);
    assert_eq!([fill(C, id(C), 1), fill(D, id(D), 1)], [2, 2]);
    // VMs have accounts of their own, as long as there are some left.
    let vms: Vec<_> = (1..=5)
        .map(|vm| fill(NORMAL_WORLD, ffa_abi::EndpointId(vm), 1))
        .collect();
    assert_eq!(vms, [2, 2, 2, 2, 0]);
}

#[test]
fn no_sender_takes_the_constituents_that_another_is_guaranteed() {
    let mut world = World::new();
    let mut fill = |owner: Party| {
        let mut it = send(Share, owner, &[D], &[(MEMORY, 1)]);
        (it.count, it.pages) = (16 * 4, 16 * 4);
        let mut got = 0;
        while world.map.begin(owner, &it).is_ok() {
            got += 4;
        }
        got
    };
    // 64 chunks, 8 accounts: 4 each, 32 common of which one sender may have 24.
    assert_eq!([fill(A), fill(B), fill(C)], [28, 12, 4]);
}

#[test]
fn no_party_takes_the_runs_that_another_is_guaranteed() {
    // 2 parties and the other world, 24 runs: 4 each, 12 common of which one may have 9.
    let mut world = World::new();
    let mut map = Sharing::<3, 2, 24, 4, 8>::new(Side::Spmc);
    map.add_region(A, region(0x10_0000, 64)).unwrap();
    map.add_region(B, region(0x20_0000, 64)).unwrap();
    world.machine.sees.clear();
    world.machine.add(A, &region(0x10_0000, 64));
    let parts: Vec<_> = (0..13).map(|page| (0x10_1000 + page * 0x2000, 1)).collect();
    let mut give = |map: &mut Sharing<3, 2, 24, 4, 8>, parts: &[(u64, u32)]| {
        let handle = map.begin(A, &send(Donate, A, &[B], parts)).unwrap();
        map.extend(handle, Constituents::new(&bytes(parts)))
            .unwrap();
        map.seal(handle, &mut world.machine).unwrap();
        let request = wish(map.find(handle).unwrap(), id(B));
        let result = map.retrieve(B, &request, &mut world.machine);
        map.check().unwrap();
        if result.is_err() {
            map.reclaim(A, handle, ReclaimFlags::empty(), &mut world.machine)
                .unwrap();
        }
        map.told(handle);
        result.map(|_| ())
    };
    assert_eq!(give(&mut map, &parts), Err(NoMemory));
    give(&mut map, &parts[..6]).unwrap();
    assert_eq!(map.regions_of(A).count(), 7);
    assert_eq!(map.regions_of(B).count(), 7);
    assert_eq!(give(&mut map, &parts[6..]), Err(NoMemory));
    map.check().unwrap();
}

// A hypervisor's records.

fn hypervisor() -> World {
    let mut world = World::new();
    world.map = Map::new(Side::Hypervisor);
    for party in [A, B] {
        let own = Region {
            normal_world: true,
            ..region(memory(party), 64)
        };
        world.map.add_region(party, own).unwrap();
        world.machine.add(party, &own);
    }
    world
}

#[test]
fn a_hypervisors_handles_have_bit_63_set() {
    let mut world = hypervisor();
    let handle = world.gives(Lend, A, &[B], &[(MEMORY, 1)]);
    assert!(handle.is_hypervisor());
    // VMs may execute what is lent to them.
    let vm = ffa_abi::EndpointId(2);
    let mut it = send(Lend, A, &[B], &[(MEMORY + 0x1000, 1)]);
    it.receivers[0].endpoint = vm;
    let code = world.give(A, &it, &[(MEMORY + 0x1000, 1)]).unwrap();
    let mut request = wish(world.map.find(code).unwrap(), vm);
    request.receivers[0].instruction = Executable;
    world.retrieve(B, &request).unwrap();
    world.retrieves(B, handle);
    world.relinquishes(B, handle);
    world.reclaims(A, handle);
}

#[test]
fn a_record_is_found_under_the_spmcs_handle() {
    let mut world = hypervisor();
    let mut it = send(Lend, A, &[B], &[(MEMORY, 1)]);
    it.receivers[0] = receiver(ffa_abi::EndpointId(0x8001), None, ReadWrite);
    let own = world.give(A, &it, &[(MEMORY, 1)]).unwrap();
    let theirs = Handle(0x1_0000);
    for bad in [Handle(0), own, Handle(own.0 + 1)] {
        world.refuses(InvalidParameters, |world| world.map.rename(own, bad));
    }
    world.map.rename(own, theirs).unwrap();
    world.map.check().unwrap();
    assert!(world.map.find(own).is_none());
    assert_eq!(world.map.find(theirs).unwrap().handle(), theirs);
    let other = world.gives(Share, A, &[B], &[(MEMORY + 0x1000, 1)]);
    world.refuses(InvalidParameters, |world| world.map.rename(other, theirs));
    world.refuses(InvalidParameters, |world| world.map.rename(own, Handle(7)));
    // Whether the secure world has it is not known here: it counts as lent.
    assert!(world.map.holds(A, pages(MEMORY, 1)));
    world.reclaims(A, theirs);
    assert!(!world.map.holds(A, pages(MEMORY, 1)));
    assert!(world.map.find(theirs).is_none());
}

#[test]
fn what_a_dead_vm_has_given_to_the_secure_world_waits_to_be_reclaimed() {
    let mut world = hypervisor();
    world.fill(pages(MEMORY, 1), 7);
    let mut it = send(Lend, A, &[B], &[(MEMORY, 1)]);
    it.receivers[0] = receiver(ffa_abi::EndpointId(0x8001), Some(NORMAL_WORLD), ReadWrite);
    let handle = world.give(A, &it, &[(MEMORY, 1)]).unwrap();
    world.map.rename(handle, Handle(5)).unwrap();
    assert!(world.ends(A).lent);
    assert!(world.map.find(Handle(5)).unwrap().orphan());
    assert_eq!(world.map.lent_pages(A).count(), 1);
    world.reclaims(A, Handle(5));
    assert_eq!(
        (world.map.lent_pages(A).count(), world.content(MEMORY)),
        (0, 0)
    );
}
