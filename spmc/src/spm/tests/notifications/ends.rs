//! What is left when an endpoint ends.

use super::*;
use crate::{context::AbortAction, spm::Next};
use FfaError::*;

#[test]
fn a_receiver_that_fails_has_nothing_bound_and_nothing_pending() {
    for action in [
        AbortAction::Fail,
        AbortAction::Stop,
        AbortAction::Restart,
        AbortAction::Destroy,
    ] {
        let mut f = Fixture::booted(&[
            Spec::up(Version::V1_3).notified().on_abort(action),
            Spec::mp(Version::V1_2).notified(),
        ]);
        f.by(A, &[bind(OS, id(A), 0, 1)]);
        f.answers(set(OS, id(A), 0, 1));
        f.nwd_runs(A);
        if f.abort() == Next::Partition(A) {
            // It initialises again.
            assert!(!f.lines(A).any());
            f.finds(get(id(A), 0, VMS), Pending::default());
            f.sp(msg_wait());
        }
        assert!(f.npi().is_empty() && f.told().is_empty());
        let error = match action {
            AbortAction::Destroy => InvalidParameters,
            _ => Denied,
        };
        f.refused(set(OS, id(A), 0, 1), error);
        if action == AbortAction::Restart {
            f.by(A, &[bind(OS, id(A), 0, 1)]);
            f.answers(set(OS, id(A), 0, 1));
        }
    }
}

#[test]
fn nothing_is_bound_to_a_sender_that_failed_and_what_it_has_set_is_read() {
    let mut f = Fixture::booted(&[
        Spec::up(Version::V1_3).on_abort(AbortAction::Restart),
        Spec::mp(Version::V1_2).notified(),
    ]);
    f.answers(create(ONE, 1));
    f.answers(bind(id(A), ONE, 0, 0b11));
    f.by(B, &[bind(id(A), id(B), 0, 0b11)]);
    f.nwd_runs(A);
    f.answers(set(id(A), ONE, 0, 1));
    f.answers(set(id(A), id(B), 0, 1));
    assert_eq!(f.abort(), Next::Partition(A));
    for receiver in [ONE, id(B)] {
        f.refused(set(id(A), receiver, 0, 1), Denied);
        f.refused(set(id(A), receiver, 0, 2), Denied);
    }
    f.sp(msg_wait());
    f.refused(unbind(id(A), ONE, 1), Denied);
    f.refused(bind(id(A), ONE, 0, 1), Denied);
    f.finds(
        get(ONE, 0, PARTITIONS),
        Pending {
            partitions: 1,
            ..Pending::default()
        },
    );
    f.answers(bind(id(A), ONE, 0, 1));
    f.nwd_runs(B);
    f.finds(
        get(id(B), 0, PARTITIONS),
        Pending {
            partitions: 1,
            ..Pending::default()
        },
    );
}

#[test]
fn a_context_whose_core_was_off_finds_what_came_meanwhile() {
    let mut f = world();
    f.by(B, &[bind(OS, id(B), 0, 1)]);
    f.on(1).nwd(core_off());
    f.on(0).answers(set(OS, id(B), 0, 1));
    f.on(1);
    f.spmc.core_is_on(&mut f.pes[1]);
    f.start(B);
    assert!(f.lines(B).irq);
    f.finds(
        get(id(B), 1, VMS),
        Pending {
            vms: 1,
            ..Pending::default()
        },
    );
    assert!(!f.lines(B).any());
}

#[test]
fn what_is_bound_to_one_that_was_destroyed_meanwhile_can_be_unbound() {
    let mut f = Fixture::booted(&[
        Spec::up(Version::V1_2).on_abort(AbortAction::Destroy),
        Spec::mp(Version::V1_2).notified(),
        Spec::up(Version::V1_2).notified(),
    ]);
    f.answers(create(ONE, 1));
    f.nwd_runs(A);
    // As if both were bound just after its bindings were forgotten.
    let Fixture {
        spmc, pes, machine, ..
    } = &mut f;
    let outcome = spmc.abort(&mut pes[0], A, None, machine);
    assert_eq!(outcome.next, Next::Wipe(A));
    let mut of_b = spmc.notifications(B, Clone::clone);
    assert_eq!(of_b.bind(id(A), false, 1), Ok(()));
    spmc.set_notifications(B, &of_b);
    let mut vms = Vec::new();
    spmc.normal_world_notifications(|vm, contexts, of| vms.push((vm, contexts, of.clone())));
    assert_eq!(vms[0].2.bind(id(A), false, 1), Ok(()));
    spmc.set_normal_world_notifications(vms.iter().map(|(vm, contexts, of)| (*vm, *contexts, of)));
    let outcome = spmc.wiped(&mut pes[0], A, machine);
    assert_eq!(outcome.next, Next::NormalWorld);
    f.now[0] = Next::NormalWorld;
    for (slot, receiver) in [(None, ONE), (Some(B), id(B))] {
        if let Some(slot) = slot {
            f.nwd_runs(slot);
        }
        // It is nobody: nothing more is bound to it, and what is not bound to it is not unbound.
        f.refused(bind(id(A), receiver, 0, 2), InvalidParameters);
        f.refused(unbind(id(A), receiver, 2), InvalidParameters);
        f.answers(unbind(id(A), receiver, 1));
        f.refused(unbind(id(A), receiver, 1), InvalidParameters);
        f.answers(bind(id(C), receiver, 0, 1));
    }
}
