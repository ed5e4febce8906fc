//! Single-context partitions on two cores.

use super::fixture::*;
use crate::{spm::Next, state::State};
use ffa_abi::{
    FfaError::{Aborted, Busy, Denied},
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
