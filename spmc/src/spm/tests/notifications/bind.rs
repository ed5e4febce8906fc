//! `FFA_NOTIFICATION_BIND` and `_UNBIND`.

use super::*;
use FfaError::*;

/// What is wrong with the ids of a call by whoever has the core: for binding and unbinding alike.
#[track_caller]
fn wrong(f: &mut Fixture, sender: EndpointId, receiver: EndpointId) {
    f.refused(bind(sender, receiver, 0, 1), InvalidParameters);
    f.refused(bind(sender, receiver, PER_CONTEXT, 1), InvalidParameters);
    f.refused(unbind(sender, receiver, 1), InvalidParameters);
}

#[test]
fn the_normal_world_binds_partitions_to_its_endpoints_only() {
    let mut f = world();
    // Another VM, itself, a partition as the receiver, EL3's partitions, the SPMC, none.
    for sender in [
        TWO,
        ONE,
        OS,
        EndpointId(0xffc1),
        EndpointId(0xffff),
        EndpointId(0x8000),
        EndpointId(0x9000),
    ] {
        wrong(&mut f, sender, ONE);
    }
    for receiver in [id(A), id(B), TWO, EndpointId(0xffc1), EndpointId(0x7fff)] {
        wrong(&mut f, id(A), receiver);
    }
    f.refused(bind(id(A), ONE, 0, 0), InvalidParameters);
    f.refused(unbind(id(A), ONE, 0), InvalidParameters);
    for flags in [2, 4, 1 << 16, 1 << 31] {
        f.refused(bind(id(A), ONE, flags, 1), InvalidParameters);
        f.refused(
            of(Function::NotificationUnbind, id(A), ONE, flags, 1),
            InvalidParameters,
        );
    }
    f.refused(
        of(Function::NotificationUnbind, id(A), ONE, 1, 1),
        InvalidParameters,
    );
    f.answers(bind(id(A), ONE, 0, 1 << 63 | 1));
    f.answers(bind(id(A), OS, 0, 1));
    f.answers(bind(id(C), ONE, PER_CONTEXT, 2));
    f.refused(bind(id(B), ONE, 0, 3 << 62), Denied);
    f.refused(unbind(id(B), ONE, 1), Denied);
    f.refused(unbind(id(A), ONE, 3), Denied);
    f.answers(unbind(id(A), ONE, 1));
    f.refused(unbind(id(A), ONE, 1), Denied);
}

#[test]
fn a_partition_binds_others_to_itself_only() {
    let mut f = world();
    f.nwd_runs(A);
    for receiver in [id(B), OS, ONE, EndpointId(0xffc1)] {
        wrong(&mut f, id(C), receiver);
    }
    for sender in [
        id(A),
        EndpointId(0x7fff),
        EndpointId(0x8000),
        EndpointId(0x9000),
        EndpointId(0xffc1),
    ] {
        wrong(&mut f, sender, id(A));
    }
    f.refused(bind(id(C), id(A), 0, 0), InvalidParameters);
    f.refused(bind(id(C), id(A), 2, 1), InvalidParameters);
    f.refused(unbind(id(C), id(A), 0), InvalidParameters);
    f.answers(bind(id(C), id(A), 0, 1));
    // VMs have their own 64.
    f.answers(bind(ONE, id(A), 0, 1));
    f.refused(bind(OS, id(A), 0, 1), Denied);
    f.refused(bind(id(B), id(A), 0, 1), Denied);
    f.refused(unbind(OS, id(A), 1), Denied);
    f.answers(unbind(ONE, id(A), 1));
    f.answers(bind(OS, id(A), 0, 1));
}

#[test]
fn what_is_pending_is_not_unbound() {
    let mut f = world();
    f.by(B, &[bind(OS, id(B), 0, 1), bind(OS, id(B), PER_CONTEXT, 2)]);
    f.answers(set(OS, id(B), 0, 1));
    f.answers(set(OS, id(B), 1 << 16 | PER_CONTEXT, 2));
    f.nwd_runs(B);
    f.refused(unbind(OS, id(B), 1), Denied);
    f.refused(unbind(OS, id(B), 2), Denied);
    f.finds(
        get(id(B), 1, VMS),
        Pending {
            vms: 3,
            ..Pending::default()
        },
    );
    f.answers(unbind(OS, id(B), 3));
}

#[test]
fn one_without_notifications_receives_none() {
    let mut f = world();
    f.nwd_runs(C);
    for call in [
        bind(OS, id(C), 0, 1),
        unbind(OS, id(C), 1),
        get(id(C), 0, VMS),
        bind(OS, id(C), 2, 0),
    ] {
        f.refused(call, NotSupported);
    }
    f.sp(msg_wait());
    f.refused(set(OS, id(C), 0, 1), Denied);
}

#[test]
fn upper_halves_are_no_part_of_the_arguments() {
    let mut f = world();
    let mut call = bind(id(A), ONE, 0, 1 << 40);
    for x in &mut call[1..8] {
        *x |= 0xdead_beef_0000_0000;
    }
    f.answers(call);
    f.refused(bind(id(A), ONE, 0, 1 << 40), Denied);
    f.answers(bind(id(A), ONE, 0, !(1 << 40)));
}
