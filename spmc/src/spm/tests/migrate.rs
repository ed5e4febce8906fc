//! Single-context partitions on two cores.

use super::fixture::*;
use crate::{spm::Next, state::State};
use ffa_abi::{
    FfaError::{Aborted, Busy, Denied, InvalidParameters},
    fid::raw::*,
};

#[test]
fn a_single_context_serves_whichever_core_calls() {
    let mut f = Fixture::new();
    for pe in [0, 1, 1, 0] {
        f.pe = pe;
        f.nwd_requests(A, DIRECT_REQ2);
        f.pe = 1 - pe;
        f.refused(message(DIRECT_REQ_32, VM, id(A)), Busy);
        f.refused(run(A, 0), Busy);
        f.pe = pe;
        f.responds_to_nwd(DIRECT_RESP2);
        f.pe = 1 - pe;
        f.nwd_runs(A);
        f.sp(msg_wait());
    }
}

#[test]
fn chains_on_two_cores_do_not_touch_each_other() {
    let mut f = Fixture::new();
    f.nwd_requests(B, DIRECT_REQ2);
    f.sp_requests(A, DIRECT_REQ_64);
    f.pe = 1;
    f.nwd_requests(B, DIRECT_REQ_32);
    f.refused(message(DIRECT_REQ2, id(B), id(A)), Busy);
    f.refused(run(A, 0), Denied);
    f.sp_requests(C, DIRECT_REQ2);
    f.pe = 0;
    f.refused(message(DIRECT_REQ2, id(A), id(C)), Busy);
    f.responds_to(B, DIRECT_RESP_64);
    f.responds_to_nwd(DIRECT_RESP2);
    f.pe = 1;
    f.responds_to(B, DIRECT_RESP2);
    f.sp_requests(A, DIRECT_REQ_32);
    f.responds_to(B, DIRECT_RESP_32);
    f.responds_to_nwd(DIRECT_RESP_32);
}

#[test]
fn a_context_whose_registers_are_not_saved_is_busy() {
    let mut f = Fixture::new();
    f.lazy = true;
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.sp(message(DIRECT_RESP2, id(A), VM)), Next::NormalWorld);
    f.pe = 1;
    f.refused(message(DIRECT_REQ2, VM, id(A)), Busy);
    f.refused(run(A, 0), Busy);
    f.pe = 0;
    f.save();
    f.pe = 1;
    f.nwd_requests(A, DIRECT_REQ2);
}

#[test]
fn a_refused_claim_leaves_the_context_to_the_other_core() {
    let mut f = Fixture::new();
    // A's wait can't be ended by a partition's FFA_RUN; the check must not keep it here.
    f.nwd_runs(B);
    f.refused(run(A, 0), Denied);
    f.pe = 1;
    f.nwd_requests(A, DIRECT_REQ2);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn one_that_aborted_is_aborted_everywhere_after_any_refusal() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.abort();
    f.pe = 1;
    f.refused(run(A, 0), Aborted);
    f.nwd_runs(C);
    f.refused(run(A, 0), Denied);
    f.refused(message(DIRECT_REQ2, id(C), id(A)), Aborted);
    f.pe = 0;
    f.refused(message(DIRECT_REQ2, VM, id(A)), Aborted);
    assert_eq!(f.state(A), State::Aborted);
}

#[test]
fn a_preempted_single_context_is_run_again_from_another_core() {
    for (request, response) in [
        (DIRECT_REQ_32, DIRECT_RESP_32),
        (DIRECT_REQ_64, DIRECT_RESP_64),
        (DIRECT_REQ2, DIRECT_RESP2),
    ] {
        let mut f = Fixture::new();
        f.nwd_requests(A, request);
        let interrupted = f.view(A).gp.x;
        for pe in [1, 1, 0, 1] {
            assert_eq!(f.preempt(), Next::NormalWorld);
            f.nwd_got(&[INTERRUPT.into(), target(A, 0)]);
            assert_eq!((f.state(A), f.view(A).pe), (State::Preempted, None));
            f.pe = pe;
            f.refused(message(request, VM, id(A)), Busy);
            f.refused(run(A, 1), InvalidParameters);
            assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
            f.sp_got_all(A, &interrupted);
        }
        // The answer completes the run, by the rules of the core that made it.
        f.responds_to_nwd(response);
        f.pe = 0;
        f.nwd_requests(A, request);
        f.responds_to_nwd(response);
    }
}

#[test]
fn a_single_context_that_yielded_is_run_again_from_another_core() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.sp(yields(7)), Next::NormalWorld);
    f.nwd_got(&[YIELD.into(), target(A, 0), 7]);
    f.pe = 1;
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    f.sp_got(A, &[SUCCESS_32.into()]);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn a_preempted_chain_of_single_contexts_goes_on_from_another_core() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(C, DIRECT_REQ_64);
    assert_eq!(f.preempt(), Next::Partition(A));
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.pe = 1;
    f.refused(run(C, 0), Denied);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    f.sp_got(A, &[INTERRUPT.into(), target(C, 0)]);
    assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
    f.responds_to(A, DIRECT_RESP_64);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn a_preempted_context_whose_registers_are_not_saved_is_busy_elsewhere() {
    let mut f = Fixture::new();
    f.lazy = true;
    f.nwd_requests(A, DIRECT_REQ2);
    for stop in [Fixture::preempt, |f: &mut Fixture| f.sp(yields(0))] {
        let pe = f.pe;
        assert_eq!(stop(&mut f), Next::NormalWorld);
        f.pe = 1 - pe;
        f.refused(run(A, 0), Busy);
        f.pe = pe;
        f.save();
        f.pe = 1 - pe;
        assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    }
    f.lazy = false;
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn a_migrating_partition_that_was_preempted_survives_the_core() {
    let mut f = Fixture::new();
    f.pe = 1;
    f.nwd_requests(A, DIRECT_REQ2);
    let interrupted = f.view(A).gp.x;
    assert_eq!(f.preempt(), Next::NormalWorld);
    assert_eq!(f.nwd(core_off()), Next::NormalWorld);
    assert_eq!(f.view(B).state, State::Off, "a context of this core alone");
    f.pe = 0;
    assert_eq!(f.state(A), State::Preempted);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    f.sp_got_all(A, &interrupted);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn what_a_migrating_partition_asked_for_on_a_core_is_free_when_it_dies_on_another() {
    // A context that is tied to the first core, and one that is not.
    for callee in [B, C] {
        let mut f = Fixture::new();
        f.nwd_runs(A);
        f.sp_requests(callee, DIRECT_REQ2);
        let interrupted = f.view(callee).gp.x;
        assert_eq!(f.preempt(), Next::Partition(A));
        assert_eq!(f.preempt(), Next::NormalWorld);
        f.pe = 1;
        assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
        f.pe = 0;
        // It lives: nobody else runs what works for it.
        f.refused(run(callee, 0), Denied);
        f.pe = 1;
        assert_eq!(f.abort(), Next::NormalWorld);
        f.pe = 0;
        f.refused(message(DIRECT_REQ2, VM, id(callee)), Busy);
        assert_eq!(f.nwd(run(callee, 0)), Next::Partition(callee));
        f.sp_got_all(callee, &interrupted);
        let answer = message(DIRECT_RESP2, id(callee), id(A));
        assert_eq!(f.sp(answer), Next::NormalWorld);
        f.nwd_got(&[MSG_WAIT.into()]);
        f.waits(callee, &answer);
        f.nwd_requests(callee, DIRECT_REQ2);
        f.responds_to_nwd(DIRECT_RESP2);
    }
}

#[test]
fn a_migrating_partition_runs_from_another_core_only_what_it_may_reach_there() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::Partition(A));
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.pe = 1;
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    // The context that owes it an answer is tied to the first core; that of this one owes nothing.
    f.refused(run(B, 0), InvalidParameters);
    f.refused(run(B, 1), Denied);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.pe = 0;
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    f.responds_to(A, DIRECT_RESP2);
}

#[test]
fn another_context_of_an_mp_sender_may_not_run_its_callee() {
    for stop in [Fixture::preempt, |f: &mut Fixture| f.sp(yields(0))] {
        let mut f = Fixture::new();
        f.nwd_runs(B);
        f.sp_requests(A, DIRECT_REQ2);
        assert_eq!(stop(&mut f), Next::Partition(B));
        f.pe = 1;
        f.refused(run(A, 0), Denied);
        assert_eq!(f.nwd(run(B, 1)), Next::Partition(B));
        f.refused(run(A, 0), Denied);
        f.refused(message(DIRECT_REQ2, id(B), id(A)), Busy);
        assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        f.refused(run(A, 0), Denied);
        f.pe = 0;
        assert_eq!(f.sp(run(A, 0)), Next::Partition(A));
        f.responds_to(B, DIRECT_RESP2);
        assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    }
}
