//! Memory of partitions that fail.

use super::*;
use crate::{context::AbortAction, spm::Notice};

/// The usual partitions, the first two of which end so.
fn ending(action: AbortAction) -> Fixture {
    let mut specs = USUAL;
    specs[0] = Spec::up(Version::V1_2).on_abort(action);
    specs[1] = Spec::up(Version::V1_2).on_abort(action);
    Fixture::pairs(Fixture::booted(&specs))
}

const A_: Who = Who::Partition(A);
const B_: Who = Who::Partition(B);
const C_: Who = Who::Partition(C);

/// The partition that has the core fails.
fn fails(f: &mut Fixture, who: Who) {
    f.turn_of(who);
    f.abort();
    f.memory();
}

#[test]
fn what_a_partition_borrowed_goes_back_when_it_fails() {
    for action in [
        AbortAction::Fail,
        AbortAction::Stop,
        AbortAction::Destroy,
        AbortAction::Restart,
    ] {
        let mut f = ending(action);
        let before = f.memory();
        let page = Who::Vm.memory();
        let shared = f.offer(Who::Vm, SHARE, &share(Who::Vm, A)).unwrap();
        let draft = lend(Who::Vm, A).parts(&[(page + PAGE, 1)]);
        let lent = f.offer(Who::Vm, LEND, &draft).unwrap();
        let from_c = f.offer(C_, LEND, &lend(C_, A)).unwrap();
        for _ in 0..3 {
            f.fetch(A_, &retrieve(Who::Vm, A, shared)).unwrap();
        }
        let zeroed = borrow(Who::Vm, A, lent).flags(1 << 2);
        f.fetch(A_, &zeroed).unwrap();
        f.fetch(A_, &borrow(C_, A, from_c)).unwrap();
        f.machine.poke(page, &[7; 16]);
        f.machine.poke(page + PAGE, &[7; 16]);
        fails(&mut f, A_);
        assert!(f.machine.ground.granted.is_empty());
        assert_eq!(f.machine.peek(page, 16), [7; 16]);
        assert_eq!(f.machine.peek(page + PAGE, 16), [0; 16]);
        // A partition that starts anew finds RX and TX as nobody's.
        if action == AbortAction::Restart {
            assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        }
        for (who, handle) in [(Who::Vm, shared), (Who::Vm, lent), (C_, from_c)] {
            f.reclaim(who, handle, 0).unwrap();
        }
        assert_eq!(f.machine.ground, before.ground);
        let regions = |state: &State| {
            let party = ffa_abi::sharing::Party(0);
            state.map.regions_of(party).collect::<Vec<_>>()
        };
        assert_eq!(regions(&f.memory()), regions(&before));
    }
}

#[test]
fn what_a_partition_gave_and_nobody_has_is_its_own_again() {
    for action in [AbortAction::Fail, AbortAction::Restart] {
        let mut f = ending(action);
        let page = |n: u64| [(A_.memory() + n * PAGE, 1)];
        let handles = [
            f.offer(A_, SHARE, &share(A_, C).parts(&page(0))),
            f.offer(A_, LEND, &lend(A_, C).parts(&page(1))),
            f.offer(A_, DONATE, &donate(A_, C).parts(&page(2))),
        ];
        // And one that is not finished.
        let draft = share(A_, C).parts(&[page(3)[0], page(4)[0]]);
        f.turn_of(A_);
        f.put(&draft.bytes(Version::V1_2));
        f.ask(&[SHARE, 128, 112]).unwrap();
        fails(&mut f, A_);
        assert_eq!(f.memory().map.transactions().count(), 0);
        assert!(f.machine.ground.hidden.is_empty());
        if action == AbortAction::Restart {
            assert_eq!(f.machine.reloads, [A]);
            assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        }
        for (handle, kind) in handles.into_iter().zip([SHARE, LEND, DONATE]) {
            let request = match kind {
                SHARE => retrieve(A_, C, handle.unwrap()),
                _ => borrow(A_, C, handle.unwrap()),
            };
            assert_eq!(f.fetch(C_, &request), Err(InvalidParameters));
        }
    }
}

#[test]
fn what_others_still_have_is_wiped_when_they_give_it_back() {
    for action in [
        AbortAction::Stop,
        AbortAction::Destroy,
        AbortAction::Restart,
    ] {
        for fid in [SHARE, LEND] {
            let mut f = ending(action);
            let page = A_.memory();
            let both = [(id(C).0, RW), (id(B).0, RW)];
            let draft = share(A_, C).parts(&[(page, 2)]).to(&both);
            let handle = f.offer(A_, fid, &draft).unwrap();
            let request = retrieve(A_, C, handle).to(&both);
            f.fetch(C_, &request).unwrap();
            f.machine.poke(page, &[7; 16]);
            fails(&mut f, A_);
            // Its memory is not as it was at its start, so it has no other life.
            assert!(f.machine.reloads.is_empty());
            let told = f.machine.notices.iter().find_map(|notice| match notice {
                Notice::Aborted { action, .. } => Some(*action),
                _ => None,
            });
            let wanted = match action {
                AbortAction::Restart => AbortAction::Stop,
                action => action,
            };
            assert_eq!(told, Some(wanted));
            // Nobody can retrieve it any more, not even who has it.
            assert_eq!(f.fetch(B_, &request), Err(Denied));
            assert_eq!(f.fetch(C_, &request), Err(Denied));
            assert_eq!(f.machine.peek(page, 16), [7; 16]);
            // What is to be wiped now leaves out what is held.
            let own = f.own_memory(A);
            assert!(own.contains(&(Fake::memory(A), 6)), "{own:x?}");
            assert!(own.contains(&(page + 2 * PAGE, 7)), "{own:x?}");
            f.give_back(C_, handle, id(C), 0).unwrap();
            assert_eq!(f.machine.peek(page, 16), [0; 16]);
            assert_eq!(f.memory().map.transactions().count(), 0);
            assert!(f.own_memory(A).contains(&(Fake::memory(A), 15)));
        }
    }
}

impl Fixture {
    /// What a partition owns that nobody else has: addresses and pages.
    fn own_memory(&mut self, slot: Slot) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        let mut from = 0;
        while let Some(region) = locks::run(|held| self.spmc.own_memory(slot, from, held)) {
            from = region.pages.end();
            all.push((region.pages.base, region.pages.count));
        }
        all
    }
}

#[test]
fn who_gave_memory_away_for_good_has_no_other_life() {
    let mut f = ending(AbortAction::Restart);
    let handle = f.offer(A_, DONATE, &donate(A_, C)).unwrap();
    f.fetch(C_, &borrow(A_, C, handle)).unwrap();
    fails(&mut f, A_);
    assert!(f.machine.reloads.is_empty());
    assert_eq!(f.nwd(message(0x8400_006f, VM, id(A))), Next::NormalWorld);
    assert_eq!(f.result()[2], Busy.register());
    // Who was given it has it for good.
    let own = f.own_memory(C);
    assert!(own.contains(&(A_.memory(), 1)), "{own:x?}");
    // One that was given memory has other lives.
    let handle = f.offer(C_, DONATE, &donate(C_, B)).unwrap();
    f.fetch(B_, &borrow(C_, B, handle)).unwrap();
    fails(&mut f, B_);
    assert_eq!(f.machine.reloads, [B]);
}

#[test]
fn a_partition_that_keeps_what_it_borrowed_has_no_other_life() {
    let mut f = ending(AbortAction::Restart);
    let handle = f.offer(Who::Vm, LEND, &lend(Who::Vm, A)).unwrap();
    f.fetch(A_, &borrow(Who::Vm, A, handle)).unwrap();
    f.turn_of(A_);
    f.machine.tables = Some(0);
    f.abort();
    assert!(f.machine.reloads.is_empty());
    f.machine.tables = None;
    f.machine.ground.granted.clear();
    f.reclaim(Who::Vm, handle, 0).unwrap();
}

#[test]
fn nothing_begins_in_a_partition_that_has_failed_on_another_core() {
    let mut f = Fixture::with_pairs();
    // B has a context on each core. It fails on core 1 while the one of core 0 runs.
    let handle = f.offer(Who::Vm, SHARE, &share(Who::Vm, B)).unwrap();
    f.turn_of(B_);
    f.put(&share(B_, C).bytes(Version::V1_2));
    f.pe = 1;
    assert_eq!(f.nwd(run(B, 1)), Next::Partition(B));
    f.abort();
    f.pe = 0;
    for call in [
        [SHARE, 112, 112, 0],
        [RETRIEVE, 80, 80, 0],
        [RECLAIM, 1, 0, 0],
        [0xc400_0066, Fake::memory(B), Fake::memory(B) + PAGE, 1],
    ] {
        f.call(frame(&call));
        assert!(matches!(f.now[0], Next::Partition(B)));
        let answer = f.result();
        assert_eq!(answer[0], u64::from(ERROR), "{call:x?}");
    }
    f.sp(msg_wait());
    f.reclaim(Who::Vm, handle, 0).unwrap();
    assert_eq!(f.memory().map.transactions().count(), 0);
}

#[test]
fn a_new_life_has_said_nothing_of_the_ns_bit() {
    let mut specs = USUAL;
    specs[0] = Spec::up(Version::V1_0).on_abort(AbortAction::Restart);
    let mut f = Fixture::pairs(Fixture::booted(&specs));
    let shown = |f: &mut Fixture| {
        let handle = f.offer(Who::Vm, SHARE, &share(Who::Vm, A)).unwrap();
        let told = f.fetch(A_, &retrieve(Who::Vm, A, handle)).unwrap();
        f.give_back(A_, handle, id(A), 0).unwrap();
        f.reclaim(Who::Vm, handle, 0).unwrap();
        read(Version::V1_0, &told).0.attributes.is_non_secure()
    };
    f.turn_of(A_);
    f.call(frame(&[0x8400_0064, RETRIEVE, 2]));
    assert!(shown(&mut f));
    fails(&mut f, A_);
    assert_eq!(f.machine.reloads, [A]);
    let base = Fake::memory(A);
    let map = [0xc400_0066, base, base + PAIR * PAGE, PAIR];
    f.answered(frame(&map), &DONE);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    assert!(!shown(&mut f));
}
