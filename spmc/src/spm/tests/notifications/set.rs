//! `FFA_NOTIFICATION_SET`.

use super::*;
use crate::spm::Next;
use FfaError::*;

#[test]
fn the_normal_world_sets_those_of_partitions_in_its_own_name() {
    for general in [false, true] {
        let mut f = world();
        f.by(A, &[bind(ONE, id(A), 0, 0b011), bind(OS, id(A), 0, 0b100)]);
        f.by(B, &[bind(ONE, id(B), PER_CONTEXT, 1)]);
        f.general = general;
        for w2 in [4, 1 << 15, 1 << 16, 0xffff_0000, DELAY | 4] {
            f.refused(set(ONE, id(A), w2, 1), InvalidParameters);
        }
        f.refused(set(ONE, id(A), 1 << 16, 0), InvalidParameters);
        // A partition's name, no partition as the receiver, or one that there is not.
        for (sender, receiver) in [
            (id(B), id(A)),
            (id(A), id(A)),
            (ONE, OS),
            (ONE, ONE),
            (ONE, TWO),
            (ONE, EndpointId(0x8000)),
            (ONE, EndpointId(0x9000)),
            (ONE, EndpointId(0xffc1)),
            (ONE, EndpointId(0xffff)),
        ] {
            f.refused(set(sender, receiver, 0, 1), InvalidParameters);
        }
        f.refused(set(ONE, id(A), 0, 0), InvalidParameters);
        f.refused(set(ONE, id(A), DELAY, 1), InvalidParameters);
        f.refused(set(ONE, id(A), 1 << 16 | PER_CONTEXT, 1), InvalidParameters);
        f.refused(set(ONE, id(B), 2 << 16 | PER_CONTEXT, 1), InvalidParameters);
        // Off, bound to another, not all bound, bound otherwise.
        f.refused(set(ONE, id(C), 0, 1), Denied);
        f.refused(set(TWO, id(A), 0, 1), Denied);
        f.refused(set(ONE, id(A), 0, 0b100), Denied);
        f.refused(set(ONE, id(A), 0, 0b1001), Denied);
        f.refused(set(ONE, id(A), PER_CONTEXT, 1), Denied);
        f.refused(set(ONE, id(B), 0, 1), Denied);
        assert_eq!((f.scheduled(), f.npi()), (0, vec![]));
        f.answers(set(ONE, id(A), 0, 0b001));
        f.answers(set(OS, id(A), 0, 0b100));
        f.nwd_runs(A);
        f.finds(
            get(id(A), 0, VMS),
            Pending {
                vms: 0b101,
                ..Pending::default()
            },
        );
    }
}

#[test]
fn a_partition_sets_those_of_anybody_else_in_its_own_name() {
    let mut f = world();
    f.answers(bind(id(C), ONE, 0, 1));
    f.answers(bind(id(C), ONE, PER_CONTEXT, 2));
    f.by(A, &[bind(id(C), id(A), 0, 1)]);
    f.nwd_runs(C);
    for w2 in [4, 1 << 15, 1 << 16, DELAY | 1 << 16] {
        f.refused(set(id(C), id(A), w2, 1), InvalidParameters);
        f.refused(set(id(C), ONE, w2, 1), InvalidParameters);
    }
    for (sender, receiver) in [
        (id(A), id(B)),
        (OS, id(A)),
        (ONE, id(A)),
        (id(C), id(C)),
        (id(C), EndpointId(0x9000)),
        (id(C), EndpointId(0xffc1)),
        (id(C), TWO),
        (id(C), EndpointId(0x7fff)),
    ] {
        f.refused(set(sender, receiver, 0, 1), InvalidParameters);
    }
    f.refused(set(id(C), id(A), 0, 0), InvalidParameters);
    f.refused(set(id(C), ONE, 0, 0), InvalidParameters);
    f.refused(set(id(C), ONE, 3 << 16 | PER_CONTEXT, 2), InvalidParameters);
    f.refused(
        set(id(C), id(A), 1 << 16 | PER_CONTEXT, 1),
        InvalidParameters,
    );
    f.refused(set(id(C), id(B), 0, 1), Denied);
    f.refused(set(id(C), OS, 0, 1), Denied);
    f.refused(set(id(C), ONE, 0, 2), Denied);
    f.refused(set(id(C), ONE, PER_CONTEXT, 1), Denied);
    assert_eq!(f.scheduled(), 0);
    f.answers(set(id(C), ONE, 0, 1));
    f.answers(set(id(C), ONE, 2 << 16 | PER_CONTEXT, 2));
    f.answers(set(id(C), id(A), 0, 1));
    f.sp(msg_wait());
    f.finds(
        get(ONE, 0, PARTITIONS),
        Pending {
            partitions: 1,
            ..Pending::default()
        },
    );
    f.finds(
        get(ONE, 2, PARTITIONS),
        Pending {
            partitions: 2,
            ..Pending::default()
        },
    );
    f.nwd_runs(A);
    f.finds(
        get(id(A), 0, PARTITIONS),
        Pending {
            partitions: 1,
            ..Pending::default()
        },
    );
}

#[test]
fn the_scheduler_is_asked_at_once_or_when_the_normal_world_has_the_core_and_never_twice_for_nothing()
 {
    let mut f = world();
    f.answers(bind(id(C), ONE, 0, 0b11));
    f.by(A, &[bind(id(C), id(A), 0, 1), bind(OS, id(A), 0, 1)]);
    f.answers(set(OS, id(A), 0, 1));
    assert_eq!(f.scheduled(), 1);
    f.nwd_requests(C, DIRECT_REQ2);
    f.answers(set(id(C), ONE, 0, 1));
    assert_eq!(f.scheduled(), 1);
    f.answers(set(id(C), ONE, DELAY, 2));
    f.answers(set(id(C), id(A), DELAY, 1));
    assert_eq!(f.scheduled(), 0);
    // The answer goes the short way if nothing keeps it from that.
    f.responds_to_nwd(DIRECT_RESP2);
    assert_eq!(f.scheduled(), 1);
    assert_eq!(f.told().len(), 2);
    // All of it is known: nobody need be asked again.
    f.answers(set(OS, id(A), 0, 1));
    f.by(C, &[set(id(C), ONE, 0, 1), set(id(C), ONE, DELAY, 2)]);
    assert_eq!(f.scheduled(), 0);
}

#[test]
fn a_delayed_one_is_raised_at_the_normal_worlds_next_turn_whatever_comes_between() {
    let mut f = world();
    f.by(A, &[bind(id(B), id(A), 0, 1)]);
    f.nwd_requests(B, DIRECT_REQ2);
    f.answers(set(id(B), id(A), DELAY, 1));
    f.sp_requests(C, DIRECT_REQ2);
    f.responds_to(B, DIRECT_RESP2);
    assert_eq!(f.scheduled(), 0);
    f.preempt();
    assert_eq!(f.scheduled(), 1);
}

#[test]
fn one_that_was_delayed_on_a_core_that_goes_off_is_raised_on_another() {
    let mut f = Fixture::booted(&[
        Spec::up(Version::V1_2).notified(),
        Spec::mp(Version::V1_2).notified().on_power_off(),
    ]);
    f.by(A, &[bind(id(B), id(A), 0, 1)]);
    f.on(1);
    assert_eq!(f.nwd(core_off()), Next::Partition(B));
    f.answers(set(id(B), id(A), DELAY, 1));
    let mut answer = message(DIRECT_RESP_32, id(B), EndpointId::SPMC);
    answer[2] = (ffa_abi::message::FRAMEWORK_BIT | ffa_abi::message::POWER_RESPONSE).into();
    answer[3] = 0;
    f.sp(answer);
    assert_eq!(f.scheduled(), 0);
    f.on(0).looks();
    assert_eq!(f.scheduled(), 1);
}

#[test]
fn one_that_is_told_that_its_core_goes_off_interrupts_another_one() {
    let mut f = Fixture::booted(&[
        Spec::up(Version::V1_2).notified(),
        Spec::mp(Version::V1_2).notified().on_power_off(),
    ]);
    f.answers(create(ONE, 1));
    f.answers(bind(id(B), ONE, 0, 1));
    f.by(A, &[bind(id(B), id(A), 0, 1)]);
    for receiver in [id(A), ONE] {
        f.on(1);
        assert_eq!(f.nwd(core_off()), Next::Partition(B));
        // An interrupt of this core would be lost: it goes straight off in EL3.
        f.answers(set(id(B), receiver, 0, 1));
        assert_eq!(f.scheduled(), 0);
        let mut answer = message(DIRECT_RESP_32, id(B), EndpointId::SPMC);
        answer[2] = (ffa_abi::message::FRAMEWORK_BIT | ffa_abi::message::POWER_RESPONSE).into();
        answer[3] = 0;
        f.sp(answer);
        assert_eq!(f.scheduled(), 0);
        f.on(0).looks();
        assert_eq!(f.scheduled(), 1);
        // It is on again.
        f.spmc.core_is_on(&mut f.pes[1]);
        f.on(1).start(B);
        assert_eq!(f.sp(msg_wait()), Next::Booted);
        f.now[1] = Next::NormalWorld;
        f.apply_mask();
    }
}

#[test]
fn who_sets_the_same_again_interrupts_no_other_core_again() {
    let mut f = world();
    f.by(A, &[bind(OS, id(A), 0, 1)]);
    f.by(B, &[bind(OS, id(B), 0, 1)]);
    // A runs on the other core, and B has a context there.
    f.on(1).nwd_requests(A, DIRECT_REQ2);
    for receiver in [id(A), id(B)] {
        f.on(0).answers(set(OS, receiver, 0, 1));
        assert_eq!(f.on(1).looks(), Some(Next::Partition(A)));
        f.on(0).answers(set(OS, receiver, 0, 1));
        assert_eq!(f.on(1).looks(), None);
    }
    assert!(f.lines(A).irq && f.lines(B).irq);
    // Once it was read, it is news again.
    f.finds(
        get(id(A), 0, VMS),
        Pending {
            vms: 1,
            ..Pending::default()
        },
    );
    f.on(0).answers(set(OS, id(A), 0, 1));
    assert_eq!(f.on(1).looks(), Some(Next::Partition(A)));
}

#[test]
fn so_does_who_deals_with_an_interrupt_then_and_whom_it_calls() {
    for calls in [false, true] {
        let mut f = Fixture::booted(&[
            Spec::up(Version::V1_2).notified(),
            Spec::mp(Version::V1_2).notified().on_power_off(),
            Spec::up(Version::V1_2).notified(),
        ]);
        f.by(A, &[bind(id(B), id(A), 0, 1), bind(id(C), id(A), 0, 2)]);
        f.on(1).nwd_runs(B);
        assert_eq!(f.hypercall(&[0xff03, 9, 1, 0]), 0);
        f.sp(msg_wait());
        assert_eq!(f.nwd(core_off()), Next::Partition(B));
        // An interrupt of its own, so that its answer is intercepted.
        assert_eq!(f.hypercall(&[0xff0a, 1]), 0);
        let mut answer = message(DIRECT_RESP_32, id(B), EndpointId::SPMC);
        answer[2] = (ffa_abi::message::FRAMEWORK_BIT | ffa_abi::message::POWER_RESPONSE).into();
        answer[3] = 0;
        assert_eq!(f.sp(answer), Next::Partition(B));
        assert_eq!(f.hypercall(&[0xff04]), 9);
        match calls {
            false => f.answers(set(id(B), id(A), 0, 1)),
            true => {
                f.sp_requests(C, DIRECT_REQ2);
                f.answers(set(id(C), id(A), 0, 2));
                f.responds_to(B, DIRECT_RESP2);
            }
        }
        f.sp(msg_wait());
        assert_eq!(f.scheduled(), 0, "by a core that is off");
        f.on(0).looks();
        assert_eq!(f.scheduled(), 1);
    }
}
