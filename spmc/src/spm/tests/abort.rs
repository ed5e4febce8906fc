//! Partitions that fail, in every runtime model.

use super::fixture::*;
use crate::{
    spm::Next,
    state::{Model, State},
};
use ffa_abi::{
    FfaError::{Aborted, Denied, NotSupported},
    Version,
    fid::raw::*,
};

const ABORTED: [u64; 3] = [ERROR as u64, 0, 0xffff_fff8];

#[test]
fn the_code_is_what_the_specification_says() {
    assert_eq!(Aborted.register(), ABORTED[2]);
}

#[test]
fn who_asked_is_told_that_its_callee_aborted() {
    for request in [DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2] {
        let mut f = Fixture::new();
        f.nwd_requests(A, request);
        assert_eq!(f.abort(), Next::NormalWorld);
        f.nwd_got(&ABORTED);
        assert_eq!((f.state(A), f.view(A).request), (State::Aborted, None));
        f.nwd_runs(B);
        f.sp_requests(C, request);
        assert_eq!(f.abort(), Next::Partition(B));
        f.sp_got(B, &ABORTED);
        // It goes on, and may wait.
        assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        f.nwd_got(&[MSG_WAIT.into()]);
    }
}

#[test]
fn who_ran_it_is_told_that_it_aborted() {
    let mut f = Fixture::new();
    f.nwd_runs(C);
    assert_eq!(f.sp(yields(0)), Next::NormalWorld);
    f.nwd_runs(A);
    assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
    assert_eq!(f.abort(), Next::Partition(A));
    f.sp_got(A, &ABORTED);
    assert_eq!(f.abort(), Next::NormalWorld);
    f.nwd_got(&ABORTED);
}

#[test]
fn a_failed_initialisation_does_not_stop_the_boot() {
    for call in [
        None,
        Some(frame(&[ERROR.into(), 0, Aborted.register()])),
        Some(frame(&[ERROR.into(), 0, Aborted.register() | 0xdead << 32])),
    ] {
        let mut f = Fixture::with(1, &[Spec::up(Version::V1_2), Spec::up(Version::V1_2)]);
        f.start(A);
        let next = match call {
            None => f.abort(),
            Some(call) => f.sp(call),
        };
        assert_eq!(next, Next::Booted);
        assert_eq!(f.state(A), State::Aborted);
        f.start(B);
        f.refused(message(DIRECT_REQ_32, id(B), id(A)), Aborted);
        assert_eq!(f.sp(msg_wait()), Next::Booted);
        f.now[0] = Next::NormalWorld;
        f.refused(message(DIRECT_REQ_32, VM, id(A)), Aborted);
        f.refused(run(A, 0), Aborted);
        f.nwd_requests(B, DIRECT_REQ_32);
    }
}

#[test]
fn other_errors_and_errors_after_the_initialisation_are_not_supported() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2)]);
    f.start(A);
    for code in [0, Denied.register(), 0x8000_0000, 0xffff_ff00] {
        f.refused(frame(&[ERROR.into(), 0, code]), NotSupported);
    }
    f.sp(msg_wait());
    f.now[0] = Next::NormalWorld;
    f.nwd_runs(A);
    f.refused(frame(&ABORTED), NotSupported);
    f.sp(msg_wait());
    f.nwd_requests(A, DIRECT_REQ_32);
    f.refused(frame(&ABORTED), NotSupported);
}

#[test]
fn a_callee_of_an_initialising_partition_that_aborts_gives_the_core_back_to_it() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2), Spec::up(Version::V1_2)]);
    f.start(A);
    f.sp(msg_wait());
    f.start(B);
    f.sp_requests(A, DIRECT_REQ2);
    assert_eq!(f.abort(), Next::Partition(B));
    f.sp_got(B, &ABORTED);
    assert_eq!(f.view(B).model, Model::Init);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
}

#[test]
fn an_answer_to_who_has_died_goes_nowhere() {
    for (request, response) in [(DIRECT_REQ_32, DIRECT_RESP_32), (DIRECT_REQ2, DIRECT_RESP2)] {
        let mut f = Fixture::new();
        f.nwd_requests(A, DIRECT_REQ2);
        f.sp_requests(B, request);
        assert_eq!(f.preempt(), Next::Partition(A));
        assert_eq!(f.abort(), Next::NormalWorld);
        f.nwd_got(&ABORTED);
        let dead = f.view(A);
        // The normal world may run B now, and learns that it waits.
        let interrupted = f.view(B).gp.x;
        assert_eq!(f.nwd(run(B, 0)), Next::Partition(B));
        f.sp_got_all(B, &interrupted);
        // Still only to the id that sent the request.
        f.refused(message(response, id(B), VM), Denied);
        let answer = message(response, id(B), id(A));
        assert_eq!(f.sp(answer), Next::NormalWorld);
        f.nwd_got(&[MSG_WAIT.into()]);
        f.waits(B, &answer);
        assert_eq!(f.view(A), dead, "nothing reaches the dead");
        f.nwd_requests(B, request);
    }
}

#[test]
fn a_partition_may_run_what_a_dead_one_left_behind() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.sp(yields(0)), Next::Partition(A));
    assert_eq!(f.abort(), Next::NormalWorld);
    f.nwd_runs(C);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    f.sp_got(B, &[SUCCESS_32.into()]);
    assert_eq!(
        f.sp(message(DIRECT_RESP2, id(B), id(A))),
        Next::Partition(C)
    );
    f.sp_got(C, &[MSG_WAIT.into()]);
}

#[test]
fn a_partition_that_is_not_on_this_core_cannot_fail_on_it() {
    let mut f = Fixture::new();
    let before = f.snapshot();
    let outcome = f.spmc.abort(&mut f.pes[0], A, None, &mut f.machine);
    assert_eq!((outcome.next, outcome.left), (Next::NormalWorld, None));
    let outcome = f
        .spmc
        .normal_world_interrupt(&mut f.pes[0], A, &mut f.machine);
    assert_eq!((outcome.next, outcome.left), (Next::NormalWorld, None));
    f.snapshot().is(&before);
}
