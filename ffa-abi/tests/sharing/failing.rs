//! Tables that run out at any moment: nothing has changed then, and what was refused works later.

use crate::rig::*;
use ffa_abi::{
    FfaError,
    memory::{Handle, ReclaimFlags, RelinquishFlags, TransactionFlags, TransactionKind},
};

/// A step of a script. Handles are numbered as they come.
#[derive(Clone, Copy, Debug)]
enum Step {
    Give(TransactionKind, &'static [(u64, u32)]),
    Retrieve(usize, ffa_abi::sharing::Party),
    Relinquish(usize, ffa_abi::sharing::Party),
    Reclaim(usize),
}
use Step::*;

fn run(world: &mut World, handles: &mut Vec<Handle>, step: Step) -> Result<(), FfaError> {
    match step {
        Give(kind, parts) => {
            let to = if kind == Donate { &[B][..] } else { &[B, C] };
            let mut it = send(kind, A, to, parts);
            if kind != Share {
                it.flags = TransactionFlags::ZERO;
            }
            handles.push(world.give(A, &it, parts)?);
            Ok(())
        }
        Retrieve(which, who) => {
            let request = world.request(handles[which], who);
            world.retrieve(who, &request)?;
            world.map.told(handles[which]);
            Ok(())
        }
        Relinquish(which, who) => {
            let zero = world.map.find(handles[which]).unwrap().kind() == Lend;
            let mut flags = RelinquishFlags::empty();
            flags.set(RelinquishFlags::ZERO, zero);
            world.relinquish(who, handles[which], flags)
        }
        Reclaim(which) => world.reclaim(A, handles[which], ReclaimFlags::ZERO),
    }
}

#[test]
fn whenever_tables_run_out_nothing_has_changed() {
    let scattered: &[(u64, u32)] = &[
        (MEMORY + 0x9000, 1),
        (MEMORY + 0x3000, 2),
        (MEMORY + 0x5000, 1),
        (MEMORY, 1),
    ];
    let script = [
        Give(Share, &[(MEMORY + 0x10000, 3)]),
        Give(Lend, scattered),
        Retrieve(0, B),
        Retrieve(1, C),
        Retrieve(1, B),
        Give(Donate, &[(MEMORY + 0x20000, 1), (MEMORY + 0x22000, 1)]),
        Retrieve(2, B),
        Relinquish(1, B),
        Relinquish(0, B),
        Reclaim(0),
        Relinquish(1, C),
        Reclaim(1),
    ];
    let mut failed = 0;
    for fails in 0.. {
        let mut world = World::new();
        world.fill(pages(MEMORY, 64), 7);
        world.machine.fails = Some(fails);
        let mut handles = Vec::new();
        let mut at = None;
        for (number, step) in script.into_iter().enumerate() {
            let mut before = world.clone();
            before.machine.fails = None;
            if let Err(error) = run(&mut world, &mut handles, step) {
                assert_eq!(error, NoMemory, "{step:?}");
                assert!(world == before, "{step:?} has left something");
                assert_eq!(at.replace(number), None);
                run(&mut world, &mut handles, step).unwrap();
            }
        }
        if at.is_none() {
            break;
        }
        failed += 1;
        assert_eq!(world.map.transactions().count(), 0);
    }
    // Two that hide, four that grant, three that revoke.
    assert_eq!(failed, 9);
}

#[test]
fn an_endpoint_may_end_whenever_tables_run_out() {
    for fails in 0..4 {
        let mut world = World::new();
        let one = world.gives(Lend, A, &[B, C], &[(MEMORY, 1)]);
        let other = world.gives(Share, B, &[C], &[(memory(B), 1)]);
        let mine = world.gives(Lend, C, &[A], &[(memory(C), 1)]);
        world.retrieves(C, one);
        world.retrieves(C, other);
        world.retrieves(A, mine);
        world.machine.fails = Some(fails);
        let remains = world.ends(C);
        assert_eq!((remains.mapped, remains.lent), (fails < 2, true));
        world.machine.fails = None;
        world.reclaims(A, one);
        world.reclaims(B, other);
        world.relinquishes(A, mine);
        assert!(world.map == World::new().map);
    }
}
