//! `FFA_MSG_WAIT` and `FFA_YIELD`.

use super::fixture::*;
use crate::{
    spm::Next,
    state::{Model, State},
};
use ffa_abi::{
    FfaError::{Busy, Denied, InvalidParameters, NotSupported},
    Version,
    fid::raw::*,
};

const WAIT: u64 = MSG_WAIT as u64;

#[test]
fn waiting_ends_the_initialisation_and_then_each_run() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2), Spec::mp(Version::V1_2)]);
    for slot in [A, B] {
        f.start(slot);
        assert_eq!(f.state(slot), State::Starting);
        let wait = msg_wait();
        assert_eq!(f.sp(wait), Next::Booted);
        f.waits(slot, &wait);
    }
    f.now[0] = Next::NormalWorld;
    f.nwd_runs(A);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    f.nwd_got(&[MSG_WAIT.into()]);
}

#[test]
fn a_context_starts_once() {
    let mut f = Fixture::new();
    for slot in [A, B] {
        assert!(!f.spmc.start(&mut f.pes[0], slot));
    }
    assert!(!f.spmc.start(&mut f.pes[0], crate::context::Slot(77)));
}

#[test]
fn reserved_registers_of_msg_wait_are_invalid_parameters() {
    let mut f = Fixture::new();
    for slot in [A, C, OLD] {
        f.nwd_runs(slot);
        for n in [1, 3, 4, 5, 6, 7] {
            let mut call = msg_wait();
            call[n] = 1 << 31;
            f.refused(call, InvalidParameters);
            call[n] = 1 << 32;
            call[0] = WAIT;
            // The upper half of a 32-bit argument says nothing.
            assert_eq!(f.sp(call), Next::NormalWorld);
            f.nwd_runs(slot);
        }
        // Every bit of w2 below 1.2, all but bit 0 from 1.2.
        f.refused(frame(&[WAIT, 0, 2]), InvalidParameters);
        let retain = frame(&[WAIT, 0, 1]);
        if slot == OLD {
            f.refused(retain, InvalidParameters);
            f.sp(msg_wait());
        } else {
            assert_eq!(f.sp(retain), Next::NormalWorld);
        }
    }
}

#[test]
fn reserved_registers_are_reported_before_the_runtime_model() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ_32);
    f.refused(frame(&[WAIT, 1]), InvalidParameters);
    f.refused(frame(&[WAIT]), Denied);
    f.refused(frame(&[YIELD.into(), 0, 0, 0, 1]), InvalidParameters);
}

#[test]
fn who_owes_an_answer_may_not_wait_and_stays_preemptible() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.refused(msg_wait(), Denied);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.nwd_got(&[INTERRUPT.into(), target(A, 0)]);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    f.refused(msg_wait(), Denied);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn msg_wait_of_the_normal_world_is_not_supported() {
    let mut f = Fixture::new();
    f.refused(msg_wait(), NotSupported);
    f.refused(yields(0), NotSupported);
}

#[test]
fn the_64_bit_forms_of_waiting_and_yielding_are_for_partitions_from_1_3() {
    let mut f = Fixture::new();
    let yield_64 = ffa_abi::Function::Yield.raw64();
    for slot in [A, OLD] {
        f.nwd_runs(slot);
        f.refused(frame(&[MSG_WAIT_64.into()]), NotSupported);
        f.refused(frame(&[MSG_WAIT_64.into(), 1]), NotSupported);
        f.refused(frame(&[yield_64.into()]), NotSupported);
        f.sp(msg_wait());
    }
    f.nwd_runs(C);
    f.refused(frame(&[MSG_WAIT_64.into(), 1 << 32]), InvalidParameters);
    assert_eq!(f.sp(frame(&[yield_64.into()])), Next::NormalWorld);
    f.nwd_got(&[YIELD.into(), target(C, 0)]);
    assert_eq!(f.nwd(run(C, 0)), Next::Partition(C));
    assert_eq!(f.sp(frame(&[MSG_WAIT_64.into()])), Next::NormalWorld);
    f.nwd_got(&[MSG_WAIT.into()]);
    assert!(f.view(C).call_is_wide);
}

#[test]
fn a_yield_of_who_was_run_reaches_the_scheduler_and_ends_in_success() {
    let mut f = Fixture::new();
    for slot in [A, B, OLD] {
        f.nwd_runs(slot);
        let call = yields(0x1234_5678_9abc_def0);
        assert_eq!(f.sp(call), Next::NormalWorld);
        f.nwd_got(&[YIELD.into(), target(slot, 0), 0x9abc_def0, 0x1234_5678]);
        assert_eq!(f.state(slot), State::Blocked);
        assert_eq!(f.nwd(run(slot, 0)), Next::Partition(slot));
        f.sp_got(slot, &[SUCCESS_32.into()]);
        assert_eq!(f.view(slot).model, Model::Run);
        f.sp(msg_wait());
    }
}

#[test]
fn a_yield_while_serving_gives_the_cycles_to_the_requester_who_runs_it_again() {
    let mut f = Fixture::new();
    // The normal world's request.
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.sp(yields(7)), Next::NormalWorld);
    f.nwd_got(&[YIELD.into(), target(A, 0), 7]);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    f.sp_got(A, &[SUCCESS_32.into()]);
    f.responds_to_nwd(DIRECT_RESP2);
    // A partition's.
    f.nwd_runs(A);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.sp(yields(9)), Next::Partition(A));
    f.sp_got(A, &[YIELD.into(), target(B, 0), 9]);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    f.sp_got(B, &[SUCCESS_32.into()]);
    f.responds_to(A, DIRECT_RESP2);
}

#[test]
fn the_answer_after_a_yield_can_only_follow_a_run() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    f.sp_requests(B, DIRECT_REQ_32);
    assert_eq!(f.sp(yields(0)), Next::Partition(A));
    // While A is interrupted B is nobody else's to run.
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.refused(run(B, 0), Denied);
    f.nwd(run(A, 0));
    // A goes to wait: B still owes it, and is no other partition's to run.
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    f.nwd_runs(C);
    f.refused(run(B, 0), Denied);
    f.sp(msg_wait());
    f.nwd_runs(A);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    f.responds_to(A, DIRECT_RESP_32);
}

#[test]
fn the_normal_world_ends_what_a_partition_left_behind_that_has_ended() {
    for request in [DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2] {
        let mut f = Fixture::new();
        // A asks C, which an interrupt takes the core from; A answers its own caller and never runs
        // C again. C would be busy for everybody for as long as A lives.
        f.nwd_requests(A, DIRECT_REQ2);
        f.sp_requests(C, request);
        assert_eq!(f.preempt(), Next::Partition(A));
        f.responds_to_nwd(DIRECT_RESP2);
        f.refused(message(DIRECT_REQ_32, VM, id(C)), Busy);
        assert_eq!(f.nwd(run(C, 0)), Next::Partition(C));
        // A is asked something else, here and now; C's answer is not for it.
        f.preempt();
        f.nwd_requests(A, DIRECT_REQ_32);
        f.responds_to_nwd(DIRECT_RESP_32);
        f.nwd(run(C, 0));
        let waits = f.view(A);
        let answer = match request {
            DIRECT_REQ_32 => DIRECT_RESP_32,
            DIRECT_REQ_64 => DIRECT_RESP_64,
            _ => DIRECT_RESP2,
        };
        assert_eq!(f.sp(message(answer, id(C), id(A))), Next::NormalWorld);
        f.nwd_got(&[MSG_WAIT.into()]);
        assert_eq!(f.view(A), waits);
        f.nwd_requests(C, DIRECT_REQ2);
        f.responds_to_nwd(DIRECT_RESP2);
    }
}

#[test]
fn yields_are_barred_while_initialising_and_below_1_2_while_serving() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2)]);
    f.start(A);
    f.refused(yields(0), Denied);
    let mut f = Fixture::new();
    f.nwd_requests(OLD, DIRECT_REQ_32);
    f.refused(yields(0), Denied);
    f.responds_to_nwd(DIRECT_RESP_32);
}

#[test]
fn cycles_that_the_spmc_gave_are_not_taken_by_an_interrupt() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2), Spec::up(Version::V1_2)]);
    f.start(A);
    assert_eq!(f.preempt(), Next::Partition(A));
    assert_eq!(f.state(A), State::Starting);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.start(B);
    f.sp_requests(A, DIRECT_REQ_32);
    let before = f.snapshot();
    assert_eq!(f.preempt(), Next::Partition(A));
    f.snapshot().is(&before);
    f.responds_to(B, DIRECT_RESP_32);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
}
