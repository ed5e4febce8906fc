//! `FFA_RUN`: each check in its order, and what its target and its caller see.

use super::fixture::*;
use crate::{
    spm::Next,
    state::{Model, State},
};
use ffa_abi::{
    EndpointId,
    FfaError::{Aborted, Busy, Denied, InvalidParameters, NotSupported},
    Function, Version,
    fid::raw::*,
    id::TargetInfo,
};

fn run_id(endpoint: EndpointId, context: u16) -> Frame {
    let w1 = TargetInfo { endpoint, context }.register();
    frame(&[RUN.into(), w1])
}

#[test]
fn a_waiting_context_sees_run_with_its_own_name_and_its_end_is_msg_wait() {
    let mut f = Fixture::new();
    for slot in [A, B, C, OLD, MUTE] {
        f.nwd_runs(slot);
        let wait = msg_wait();
        assert_eq!(f.sp(wait), Next::NormalWorld);
        f.nwd_got(&[MSG_WAIT.into()]);
        f.waits(slot, &wait);
    }
}

#[test]
fn upper_halves_of_the_target_are_ignored() {
    let mut f = Fixture::new();
    let mut call = run(A, 0);
    call[1] |= 0xffff_ffff_0000_0000;
    assert_eq!(f.nwd(call), Next::Partition(A));
    f.sp_got(A, &[RUN.into(), target(A, 0)]);
}

// Check 1.
#[test]
fn an_unknown_partition_is_invalid_parameters() {
    let mut f = Fixture::new();
    let strangers = [
        EndpointId::HYPERVISOR,
        VM,
        EndpointId::SPMC,
        EndpointId(0x8077),
        EndpointId(0xffc0),
        EndpointId::SPMD,
    ];
    for stranger in strangers {
        f.refused(run_id(stranger, 0), InvalidParameters);
    }
    f.nwd_runs(A);
    for stranger in strangers {
        f.refused(run_id(stranger, 0), InvalidParameters);
    }
}

// Checks 2 and 6.
#[test]
fn a_context_of_another_core_or_none_at_all_is_invalid_parameters() {
    let mut f = Fixture::new();
    for context in [1, 2, 0xffff] {
        f.refused(run(B, context), InvalidParameters);
        f.refused(run(A, context), InvalidParameters);
    }
    f.pe = 1;
    f.refused(run(B, 0), InvalidParameters);
    // A single context has index 0 on every core.
    f.refused(run(A, 1), InvalidParameters);
    assert_eq!(f.nwd(run(B, 1)), Next::Partition(B));
    f.sp_got(B, &[RUN.into(), target(B, 1)]);
}

// Check 3.
#[test]
fn a_partition_runs_only_what_is_preempted_or_yielded() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    // Waiting, on this core and parked; itself; blocked in a call to it.
    f.refused(run(B, 0), Denied);
    f.refused(run(C, 0), Denied);
    f.refused(run(A, 0), Denied);
    f.sp_requests(C, DIRECT_REQ_32);
    f.refused(run(A, 0), Denied);
    // Aborted.
    assert_eq!(f.abort(), Next::Partition(A));
    f.refused(run(C, 0), Denied);
    // The refusal has not taken it away from the other core.
    f.pe = 1;
    f.refused(run(C, 0), Aborted);
}

#[test]
fn a_partitions_run_names_the_right_core_then_a_state_then_an_index() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    // The context of another core, whatever it does.
    f.refused(run(B, 1), InvalidParameters);
    f.refused(run(B, 2), InvalidParameters);
    // One that waits or is blocked, then one that could go on but for its index.
    f.refused(run(C, 1), Denied);
    f.refused(run(A, 1), Denied);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    f.nwd_runs(C);
    assert_eq!(f.sp(yields(0)), Next::NormalWorld);
    f.nwd_runs(A);
    f.refused(run(C, 1), InvalidParameters);
    assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
}

#[test]
fn a_context_whose_core_is_off_is_no_context_to_run() {
    let mut f = Fixture::new();
    f.nwd(core_off());
    f.refused(run(B, 0), InvalidParameters);
    f.nwd_runs(A);
    f.refused(run(B, 0), Denied);
}

// Check 5.
#[test]
fn a_partition_does_not_run_what_is_blocked_on_another_core() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    f.sp_requests(B, DIRECT_REQ_32);
    f.pe = 1;
    f.nwd_runs(C);
    f.refused(run(A, 0), Denied);
}

// Check 7.
#[test]
fn an_initialising_partition_runs_nobody() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2), Spec::up(Version::V1_2)]);
    f.start(A);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.start(B);
    f.refused(run(A, 0), Denied);
    // One that yielded to it.
    f.sp_requests(A, DIRECT_REQ_32);
    assert_eq!(f.sp(yields(0)), Next::Partition(B));
    f.refused(run(A, 0), Denied);
    assert_eq!(f.view(B).model, Model::Init);
}

// Check 8.
#[test]
fn what_was_never_run_or_runs_elsewhere_is_busy() {
    let mut f = Fixture::with(2, &[Spec::up(Version::V1_2), Spec::mp(Version::V1_2)]);
    f.refused(run(A, 0), Busy);
    f.refused(run(B, 0), Busy);
    f.boot();
    f.nwd_runs(A);
    f.pe = 1;
    f.refused(run(A, 0), Busy);
}

// Check 9.
#[test]
fn an_aborted_context_is_aborted_on_every_core() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    assert_eq!(f.abort(), Next::NormalWorld);
    f.nwd_got(&[ERROR.into(), 0, Aborted.register()]);
    for pe in [0, 1, 0] {
        f.pe = pe;
        f.refused(run(A, 0), Aborted);
    }
    f.pe = 0;
    f.nwd_runs(B);
    assert_eq!(f.abort(), Next::NormalWorld);
    f.refused(run(B, 0), Aborted);
    f.pe = 1;
    f.refused(run(B, 1), Aborted);
    assert_eq!(f.looks(), Some(Next::NormalWorldResume));
    f.refused(run(B, 1), Aborted);
}

#[test]
fn a_context_that_waits_for_an_answer_is_not_run_with_a_result_that_nobody_gave() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::Partition(A));
    // A was told; it runs, is preempted as well, and the normal world tries B, which owes A.
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.refused(run(B, 0), Denied);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    f.sp_requests(C, DIRECT_REQ_32);
    // A and B are blocked on their callees.
    f.refused(run(A, 0), Denied);
    f.refused(run(B, 0), Denied);
    f.responds_to(B, DIRECT_RESP_32);
    f.responds_to(A, DIRECT_RESP2);
}

#[test]
fn a_partition_runs_a_preempted_one_and_sees_how_it_ended() {
    let mut f = Fixture::new();
    f.nwd_runs(C);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.nwd_got(&[INTERRUPT.into(), target(C, 0)]);
    f.nwd_runs(A);
    let interrupted = f.view(C).gp.x;
    let call = run(C, 0);
    assert_eq!(f.sp(call), Next::Partition(C));
    f.sp_got_all(C, &interrupted);
    assert_eq!((f.state(A), f.view(A).gp.x), (State::Blocked, call));
    assert_eq!(f.sp(msg_wait()), Next::Partition(A));
    f.sp_got(A, &[MSG_WAIT.into()]);
    // It waits now: not the partition's to run.
    f.refused(run(C, 0), Denied);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
}

#[test]
fn a_request_is_run_to_its_end_only_by_who_sent_it() {
    let mut f = Fixture::new();
    f.nwd_requests(C, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.nwd_runs(A);
    f.refused(run(C, 0), Denied);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    let interrupted = f.view(C).gp.x;
    assert_eq!(f.nwd(run(C, 0)), Next::Partition(C));
    f.sp_got_all(C, &interrupted);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn the_64_bit_form_is_for_partitions_from_1_3_only() {
    let wide = Function::Run.raw64();
    let mut f = Fixture::new();
    f.refused(frame(&[wide.into(), target(A, 0)]), NotSupported);
    for (slot, allowed) in [(A, false), (OLD, false), (C, true)] {
        f.nwd_runs(B);
        assert_eq!(f.sp(yields(0)), Next::NormalWorld);
        f.nwd_runs(slot);
        let call = frame(&[wide.into(), target(B, 0)]);
        if allowed {
            assert_eq!(f.sp(call), Next::Partition(B));
            assert!(f.view(slot).call_is_wide);
            assert_eq!(f.sp(msg_wait()), Next::Partition(slot));
            f.sp_got(slot, &[MSG_WAIT.into()]);
        } else {
            f.refused(call, NotSupported);
        }
        assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        if !allowed {
            assert_eq!(f.nwd(run(B, 0)), Next::Partition(B));
            assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        }
    }
}
