//! Senders and receivers that are no more.

use super::*;
use crate::context::AbortAction;

/// As [`SPECS`], and A ends so.
fn world(action: AbortAction) -> World {
    let mut specs = SPECS;
    specs[0] = specs[0].on_abort(action);
    World::of(Version::V1_2, &specs)
}

#[test]
fn nobody_sends_to_one_that_has_ended() {
    for (action, error) in [
        (AbortAction::Fail, Busy),
        (AbortAction::Stop, Busy),
        (AbortAction::Destroy, InvalidParameters),
    ] {
        let mut w = world(action);
        w.turn(Sp(A));
        w.abort();
        for from in [Os, Vm, Sp(B)] {
            let head = Head::new(from, Sp(A), Version::V1_2, 4);
            w.refuses_message(from, head, error);
        }
    }
}

#[test]
fn what_it_had_sent_stays() {
    for action in [AbortAction::Fail, AbortAction::Stop, AbortAction::Destroy] {
        for to in [Sp(B), Vm] {
            let mut w = world(action);
            let head = Head::new(Sp(A), to, Version::V1_2, 4);
            w.sends(Sp(A), head, &payload(4), 0);
            w.abort();
            w.holds(to, head, &payload(4));
            assert_eq!(w.release(to), Ok(()));
        }
    }
}

#[test]
fn what_one_had_received_is_not_its_next_lifes() {
    let mut w = world(AbortAction::Restart);
    let head = Head::new(Os, Sp(A), Version::V1_2, 4);
    w.sends(Os, head, &payload(4), 0);
    w.turn(Sp(A));
    assert_eq!(w.abort(), Next::Partition(A));
    w.sp(msg_wait());
    w.refuses_message(Os, head, Busy);
    w.map(Sp(A));
    w.sends(Os, head, &payload(4), 0);
    w.holds(Sp(A), head, &payload(4));
}

#[test]
fn a_pair_that_the_manifest_fixes_is_there_in_each_life() {
    for done in [true, false] {
        let mut w = world(AbortAction::Restart);
        w.turn(Sp(A));
        let Fixture {
            spmc, pes, machine, ..
        } = &mut w.0;
        let outcome = spmc.abort(&mut pes[0], A, None, machine);
        assert_eq!(outcome.next, Next::Reload(A));
        // As the image does it once the memory is loaded.
        let windows = machine.windows.len();
        let at = (Sp(A).tx(), Sp(A).rx());
        let mapped = spmc.map_of_partition(A, at.0, at.1, 1, machine, &mut pes[0].held);
        assert_eq!(mapped, Ok(()));
        // Its life has not begun: nobody can tell it of a message.
        w.on(1);
        let head = Head::new(Os, Sp(A), Version::V1_2, 4);
        for from in [Os, Vm, Sp(B)] {
            let head = Head::new(from, Sp(A), Version::V1_2, 4);
            w.refuses_message(from, head, Busy);
        }
        w.turn(Os);
        w.on(0);
        let Fixture {
            spmc, pes, machine, ..
        } = &mut w.0;
        let outcome = spmc.reloaded(&mut pes[0], A, done, machine);
        if !done {
            assert_eq!(outcome.next, Next::NormalWorld);
            assert_eq!(machine.windows.len(), windows, "its pair is no more");
            continue;
        }
        assert_eq!(outcome.next, Next::Partition(A));
        w.now[0] = outcome.next;
        w.sp(msg_wait());
        w.sends(Os, head, &payload(4), 0);
        w.holds(Sp(A), head, &payload(4));
    }
}

#[test]
fn one_that_has_failed_gets_no_pair_of_its_own_wish() {
    let mut w = world(AbortAction::Fail);
    w.unmap(Sp(B));
    w.turn(Sp(B));
    // It fails on another core just now.
    w.spmc.bury_all(B);
    let (tx, rx) = (Sp(B).tx(), Sp(B).rx());
    let call = frame(&[Function::RxtxMap.raw64().into(), tx, rx, 1]);
    w.refused(call, Aborted);
}

#[test]
fn who_has_not_said_which_header_it_reads_finds_both() {
    let mut specs = SPECS;
    specs[0] = Spec::up(Version::V1_1).methods(ALL);
    let mut w = World::of(Version::V1_2, &specs);
    // It has not called anything yet, and may say 1.1 or a later version.
    w.spmc.partitions[0].version.forget(Version::V1_1);
    let head = Head {
        offset: 20,
        ..Head::new(Sp(OLD), Sp(A), Version::V1_1, 4)
    };
    w.sends(Sp(OLD), head, &payload(4), 0);
    let rx = w.machine.peek(Sp(A).rx(), 48);
    let shown = Head { offset: 40, ..head };
    assert_eq!(rx[..40], shown.bytes(Version::V1_2)[..]);
    assert_eq!(rx[..20], shown.bytes(Version::V1_1)[..]);
    assert_eq!(rx[40..44], payload(4));
    // Once it has called, it finds its own.
    w.turn(Sp(A));
    assert_eq!(w.release(Sp(A)), Ok(()));
    w.sends(Sp(OLD), head, &payload(4), 0);
    w.holds(Sp(A), head, &payload(4));
}
