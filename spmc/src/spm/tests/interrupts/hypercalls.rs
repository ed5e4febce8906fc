//! The para-virtual interrupt controller, and interrupts between contexts.

use super::*;
use crate::spm::Next;

#[test]
fn an_id_that_is_not_its_own_is_refused() {
    let mut f = world();
    f.nwd_runs(A);
    for id in [
        0,
        1,
        2,
        6,
        8,
        10,
        20,
        OF_B.into(),
        OF_C.into(),
        1 << 32 | 3,
        u64::MAX,
    ] {
        for call in [
            [ENABLE, id, 1, 0],
            [DEACTIVATE, id, id, 0],
            [RECONFIGURE, id, 0, 0],
            [RECONFIGURE, id, 1, 1],
            [RECONFIGURE, id, 2, 1],
        ] {
            assert_eq!(f.hypercall(&call), FAILED, "{call:x?}");
        }
    }
    assert!(!f.machine.interrupts.enabled.contains(&0));
    assert!(f.machine.interrupts.routed.is_empty());
    assert!(f.machine.interrupts.secured.is_empty());
}

#[test]
fn a_value_that_means_nothing_is_refused() {
    let mut f = world();
    f.nwd_runs(A);
    let own = OF_A.into();
    for call in [
        [ENABLE, own, 2, 0],
        [ENABLE, own, 1, 2],
        [ENABLE, own, u64::MAX, 0],
        [RECONFIGURE, own, 3, 0],
        [RECONFIGURE, own, 1, 2],
        [RECONFIGURE, own, 2, 2],
        // No core, and another core than its own.
        [RECONFIGURE, own, 0, 8],
        [RECONFIGURE, own, 0, 1],
        [RECONFIGURE, own, 0, 1 << 32],
        // Its timer is no device.
        [RECONFIGURE, 3, 2, 1],
        [SEND, 1, 0, 0],
        [SEND, u64::MAX, 0, 0],
    ] {
        assert_eq!(f.hypercall(&call), FAILED, "{call:x?}");
    }
}

#[test]
fn what_it_has_it_configures() {
    let mut f = world();
    f.nwd_runs(B);
    let own = OF_B.into();
    assert!(f.machine.interrupts.enabled.contains(&OF_B));
    assert_eq!(f.hypercall(&[ENABLE, own, 0, 0]), 0);
    assert!(!f.machine.interrupts.enabled.contains(&OF_B));
    assert_eq!(f.hypercall(&[RECONFIGURE, own, 2, 1]), 0);
    assert!(f.machine.interrupts.enabled.contains(&OF_B));
    assert_eq!(f.hypercall(&[RECONFIGURE, own, 0, 1]), 0);
    assert_eq!(f.machine.interrupts.routed, [(OF_B, 1)]);
    assert_eq!(f.hypercall(&[RECONFIGURE, own, 1, 0]), 0);
    assert_eq!(f.machine.interrupts.secured, [(OF_B, false)]);
    assert_eq!(f.hypercall(&[GET]), NONE);
    assert_eq!(f.hypercall(&[DEACTIVATE, own, own]), 0);
}

#[test]
fn an_interrupt_may_come_again_when_it_was_dealt_with() {
    let mut f = world();
    f.nwd_runs(A);
    f.take(&[Taken::Device(OF_A)]);
    // Not before it was taken.
    assert_eq!(f.hypercall(&[DEACTIVATE, OF_A.into(), OF_A.into()]), 0);
    assert!(!may_come_again(&mut f, OF_A));
    assert_eq!(f.hypercall(&[GET]), OF_A.into());
    assert!(!may_come_again(&mut f, OF_A));
    assert_eq!(f.hypercall(&[DEACTIVATE, OF_A.into(), OF_A.into()]), 0);
    assert!(may_come_again(&mut f, OF_A));
    // Asking for the next says the same, and so does the end of its turn.
    for end in [[GET, 0], [MSG_WAIT.into(), 0], [YIELD.into(), 0]] {
        f.take(&[Taken::Device(OF_A)]);
        assert_eq!(f.hypercall(&[GET]), OF_A.into());
        f.sp(frame(&end));
        assert!(may_come_again(&mut f, OF_A), "{end:x?}");
        if end[0] == u64::from(YIELD) {
            f.nwd(run(A, 0));
        } else if end[0] == u64::from(MSG_WAIT) {
            f.nwd_runs(A);
        }
    }
    f.sp(msg_wait());
    for general in [false, true] {
        f.general = general;
        f.nwd_requests(A, DIRECT_REQ2);
        f.take(&[Taken::Device(OF_A)]);
        assert_eq!(f.hypercall(&[GET]), OF_A.into());
        f.responds_to_nwd(DIRECT_RESP2);
        assert!(may_come_again(&mut f, OF_A), "its answer");
    }
}

#[test]
fn contexts_of_a_partition_interrupt_each_other() {
    let mut f = world();
    for pe in [0, 1] {
        f.on(pe).nwd_runs(B);
        assert_eq!(f.hypercall(&[ENABLE, 9, 1, 0]), 0);
        f.sp(msg_wait());
    }
    // One that waits, in the normal world's time.
    f.on(0).nwd_runs(B);
    assert_eq!(f.hypercall(&[SEND, 1]), 0);
    assert_eq!(f.on(1).looks(), Some(Next::Partition(B)));
    f.sp_told_of_interrupt(B, 9);
    // One that runs, from there.
    assert_eq!(f.hypercall(&[SEND, 0]), 0);
    gets(&mut f, 9);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    assert_eq!(f.on(0).looks(), Some(Next::Partition(B)));
    assert!(f.lines(B).irq);
    gets(&mut f, 9);
    // Itself.
    assert_eq!(f.hypercall(&[SEND, 0]), 0);
    assert!(f.lines(B).irq);
    assert_eq!(f.hypercall(&[SEND, 0]), 0);
    gets(&mut f, 9);
    // One that was preempted.
    f.on(1).nwd_runs(B);
    f.preempt();
    f.on(0);
    assert_eq!(f.hypercall(&[SEND, 1]), 0);
    assert_eq!(f.on(1).looks(), Some(Next::NormalWorldResume));
    assert_eq!(f.nwd(run(B, 1)), Next::Partition(B));
    gets(&mut f, 9);
    f.sp(msg_wait());
    // One that is off finds it when it is on again, and has enabled it.
    timers::off(&mut f);
    f.on(0);
    assert_eq!(f.hypercall(&[SEND, 1]), 0);
    assert!(f.machine.interrupts.kicked.is_empty());
    f.spmc.core_is_on(&mut f.pes[1]);
    f.on(1).start(B);
    assert_eq!(f.hypercall(&[GET]), NONE);
    assert_eq!(f.hypercall(&[ENABLE, 9, 1, 0]), 0);
    gets(&mut f, 9);
}

#[test]
fn a_hint_of_smccc_makes_no_other_call_of_it() {
    let mut f = world();
    f.nwd_runs(B);
    assert_eq!(f.hypercall(&[0xff03 | 1 << 16, 9, 1, 0]), 0);
    assert_eq!(f.hypercall(&[0xff0a | 1 << 16, 0]), 0);
    assert_eq!(f.hypercall(&[0xff04 | 1 << 16]), 9);
    assert_eq!(f.hypercall(&[0xff04 | 1 << 16]), 0xffff_ffff);
}
