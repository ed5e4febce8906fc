//! Interrupts of the normal world while partitions run.

use super::fixture::*;
use crate::{spm::Next, state::State};
use ffa_abi::{
    FfaError::{Busy, Denied},
    fid::raw::*,
};

#[test]
fn the_normal_world_is_told_whom_its_interrupt_took_the_core_from() {
    let mut f = Fixture::new();
    for slot in [A, B] {
        for request in [None, Some(DIRECT_REQ_32), Some(DIRECT_REQ2)] {
            match request {
                None => f.nwd_runs(slot),
                Some(fid) => f.nwd_requests(slot, fid),
            }
            let before = f.view(slot).gp.x;
            assert_eq!(f.preempt(), Next::NormalWorld);
            f.nwd_got(&[INTERRUPT.into(), target(slot, 0)]);
            assert_eq!(f.state(slot), State::Preempted);
            assert_eq!(f.view(slot).gp.x, before, "nothing of it is touched");
            assert_eq!(f.nwd(run(slot, 0)), Next::Partition(slot));
            f.sp_got_all(slot, &before);
            match request {
                None => assert_eq!(f.sp(msg_wait()), Next::NormalWorld),
                Some(DIRECT_REQ2) => f.responds_to_nwd(DIRECT_RESP2),
                Some(_) => f.responds_to_nwd(DIRECT_RESP_32),
            }
        }
    }
}

#[test]
fn the_context_of_another_core_is_named_by_its_index() {
    let mut f = Fixture::new();
    f.pe = 1;
    f.nwd_requests(B, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.nwd_got(&[INTERRUPT.into(), target(B, 1)]);
    assert_eq!(f.nwd(run(B, 1)), Next::Partition(B));
}

#[test]
fn a_chain_unwinds_step_by_step_and_winds_again_with_run() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ_64);
    f.sp_requests(C, DIRECT_REQ2);
    let (in_c, sent_b, sent_a) = (f.view(C).gp.x, f.sent(B), f.sent(A));
    assert_eq!(f.preempt(), Next::Partition(B));
    f.sp_got(B, &[INTERRUPT.into(), target(C, 0)]);
    assert_eq!(f.preempt(), Next::Partition(A));
    f.sp_got(A, &[INTERRUPT.into(), target(B, 0)]);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.nwd_got(&[INTERRUPT.into(), target(A, 0)]);
    for slot in [A, B, C] {
        assert_eq!(f.state(slot), State::Preempted);
        f.refused(message(DIRECT_REQ_32, VM, id(slot)), Busy);
    }
    // Only the head is the normal world's to run.
    f.refused(run(B, 0), Denied);
    f.refused(run(C, 0), Denied);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    assert_eq!((f.sent(A), f.sent(B)), (sent_a, sent_b));
    // A may not skip B.
    f.refused(run(C, 0), Denied);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
    f.sp_got_all(C, &in_c);
    f.responds_to(B, DIRECT_RESP2);
    f.responds_to(A, DIRECT_RESP_64);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn who_was_interrupted_may_be_interrupted_again_and_again() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    for _ in 0..20 {
        assert_eq!(f.preempt(), Next::NormalWorld);
        f.nwd_got(&[INTERRUPT.into(), target(A, 0)]);
        assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    }
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn other_partitions_work_while_one_is_preempted() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.nwd_requests(B, DIRECT_REQ_64);
    f.sp_requests(C, DIRECT_REQ_32);
    f.responds_to(B, DIRECT_RESP_32);
    f.responds_to_nwd(DIRECT_RESP_64);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn who_was_told_of_an_interrupt_may_end_its_own_work_first() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::Partition(A));
    f.responds_to_nwd(DIRECT_RESP2);
    // B still owes A.
    f.refused(message(DIRECT_REQ_32, VM, id(B)), Busy);
    f.nwd_requests(A, DIRECT_REQ_32);
    f.refused(message(DIRECT_REQ_32, id(A), id(B)), Busy);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    f.responds_to(A, DIRECT_RESP2);
    f.sp_requests(B, DIRECT_REQ_32);
}
