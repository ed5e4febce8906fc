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
