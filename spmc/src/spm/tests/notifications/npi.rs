//! The notification pending interrupt: who finds it where, and that nobody is woken for it.

use super::*;
use crate::{spm::Next, state::State};

const GET: u64 = 0xff04;
const NPI: u64 = 5;
const NONE: u64 = 0xffff_ffff;

#[test]
fn one_that_waits_stays_so_and_finds_it_however_it_is_entered() {
    for general in [false, true] {
        for how in 0..3 {
            for slot in [A, B] {
                let mut f = world();
                f.by(slot, &[bind(OS, id(slot), 0, 1)]);
                f.general = general;
                f.answers(set(OS, id(slot), 0, 1));
                assert_eq!(f.state(slot), State::Waiting);
                assert_eq!(f.scheduled(), 1);
                match how {
                    0 => f.nwd_runs(slot),
                    1 => f.nwd_requests(slot, DIRECT_REQ2),
                    _ => {
                        f.nwd_runs(C);
                        f.sp_requests(slot, DIRECT_REQ_32);
                    }
                }
                assert!(f.lines(slot).irq && !f.lines(slot).fiq);
                assert_eq!(f.hypercall(&[GET]), NPI);
                assert_eq!(f.hypercall(&[GET]), NONE);
                assert!(!f.lines(slot).any());
                f.finds(
                    get(id(slot), 0, VMS),
                    Pending {
                        vms: 1,
                        ..Pending::default()
                    },
                );
            }
        }
    }
}

#[test]
fn it_is_pending_until_nothing_is_pending_for_the_context() {
    let mut f = world();
    f.by(A, &[bind(OS, id(A), 0, 1), bind(id(C), id(A), 0, 1)]);
    f.answers(set(OS, id(A), 0, 1));
    f.by(C, &[set(id(C), id(A), 0, 1)]);
    f.nwd_runs(A);
    f.finds(
        get(id(A), 0, VMS),
        Pending {
            vms: 1,
            ..Pending::default()
        },
    );
    assert!(f.lines(A).irq);
    f.finds(
        get(id(A), 0, PARTITIONS),
        Pending {
            partitions: 1,
            ..Pending::default()
        },
    );
    assert!(!f.lines(A).any() && f.npi().is_empty());
    assert_eq!(f.hypercall(&[GET]), NONE);
}

#[test]
fn one_that_does_not_take_it_waits_all_the_same_and_finds_it_again() {
    for general in [false, true] {
        let mut f = world();
        f.by(A, &[bind(OS, id(A), 0, 1)]);
        f.general = general;
        f.answers(set(OS, id(A), 0, 1));
        f.nwd_requests(A, DIRECT_REQ2);
        f.responds_to_nwd(DIRECT_RESP2);
        f.nwd_runs(A);
        assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        f.nwd_requests(A, DIRECT_REQ2);
        assert!(f.lines(A).irq);
        assert_eq!(f.hypercall(&[GET]), NPI);
        f.responds_to_nwd(DIRECT_RESP2);
    }
}

#[test]
fn each_context_finds_a_global_one_and_only_its_own_otherwise() {
    let mut f = world();
    f.by(B, &[bind(OS, id(B), 0, 1), bind(OS, id(B), PER_CONTEXT, 2)]);
    f.answers(set(OS, id(B), 1 << 16 | PER_CONTEXT, 2));
    assert_eq!(f.npi(), [(1, 1)]);
    f.answers(set(OS, id(B), 0, 1));
    assert_eq!(f.npi(), [(1, 0), (1, 1)]);
    // The other core is told, and runs nobody.
    assert_eq!(f.on(1).looks(), Some(Next::NormalWorldResume));
    f.now[1] = Next::NormalWorld;
    assert!(f.lines(B).irq);
    f.on(0).nwd_runs(B);
    f.finds(
        get(id(B), 0, VMS),
        Pending {
            vms: 1,
            ..Pending::default()
        },
    );
    assert_eq!(f.npi(), [(1, 1)]);
    f.finds(
        get(id(B), 1, VMS),
        Pending {
            vms: 2,
            ..Pending::default()
        },
    );
    assert!(f.npi().is_empty());
    // What was read for it the other core shows no more.
    assert_eq!(f.on(1).looks(), Some(Next::NormalWorldResume));
    assert!(!f.lines(B).any());
}

#[test]
fn one_that_runs_elsewhere_has_its_line_raised_there() {
    for slot in [A, B] {
        let mut f = world();
        f.by(slot, &[bind(OS, id(slot), 0, 1)]);
        f.on(1).nwd_requests(slot, DIRECT_REQ2);
        let own = f.view(slot).gp.x;
        f.on(0).answers(set(OS, id(slot), 0, 1));
        assert_eq!(f.on(1).looks(), Some(Next::Partition(slot)));
        f.sp_got_all(slot, &own);
        assert!(f.lines(slot).irq);
        f.responds_to_nwd(DIRECT_RESP2);
    }
}

#[test]
fn nobodys_callee_is_preempted_for_it() {
    let mut f = world();
    f.by(A, &[bind(id(C), id(A), 0, 1)]);
    f.nwd_runs(A);
    f.sp_requests(C, DIRECT_REQ2);
    f.answers(set(id(C), id(A), 0, 1));
    assert_eq!(f.looks(), None);
    assert!(f.lines(A).irq);
    f.responds_to(A, DIRECT_RESP2);
    assert_eq!(f.hypercall(&[GET]), NPI);
}

#[test]
fn one_that_is_woken_for_a_device_is_told_of_the_device() {
    let mut f = Fixture::booted(&[Spec::up(Version::V1_2).notified().devices([39, 0])]);
    f.by(A, &[bind(OS, id(A), 0, 1)]);
    f.nwd_runs(A);
    f.hypercall(&[0xff03, 39, 1, 0]);
    f.sp(msg_wait());
    f.answers(set(OS, id(A), 0, 1));
    assert_eq!(f.take(&[Taken::Device(39)]), Next::Partition(A));
    f.sp_told_of_interrupt(A, 39);
    // It has dealt with what it was told of, and that alone.
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    f.now[0] = Next::NormalWorld;
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[GET]), NPI);
}

#[test]
fn one_at_el0_has_none_and_reads_when_it_runs() {
    let el0 = MUTE;
    let mut f = world();
    f.by(el0, &[bind(OS, id(el0), 0, 1)]);
    f.answers(set(OS, id(el0), 0, 1));
    assert_eq!((f.npi(), f.scheduled()), (vec![], 1));
    assert_eq!(f.told(), [(id(el0), vec![])]);
    f.nwd_runs(el0);
    f.finds(
        get(id(el0), 0, VMS),
        Pending {
            vms: 1,
            ..Pending::default()
        },
    );
    f.sp(msg_wait());
    f.got(&[MSG_WAIT.into()]);
}
