//! Interrupts that another core has noted and this one has not taken yet: a partition can't know of them, and is refused
//! nothing because of them.

use super::*;
use crate::spm::Next;
use ffa_abi::FfaError::Denied;

#[test]
fn a_caller_that_has_dealt_with_all_it_was_shown_runs_its_callee_again() {
    let mut f = world();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(C, DIRECT_REQ_32);
    let own = f.view(C).gp.x;
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    told_of_preemption(&mut f, A, C, 0);
    // What it was shown comes first.
    f.refused(run(C, 0), Denied);
    gets(&mut f, OF_A);
    // The next one is taken on another core, and the kick is on its way.
    assert_eq!(
        f.on(1).take(&[Taken::Device(OF_A)]),
        Next::NormalWorldResume
    );
    assert!(!f.on(0).lines(A).any());
    assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
    f.sp_got_all(C, &own);
    // It is not lost.
    assert_eq!(f.looks(), Some(Next::Partition(A)));
    told_of_preemption(&mut f, A, C, 0);
    gets(&mut f, OF_A);
    assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
    f.responds_to(A, DIRECT_RESP_32);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn one_that_was_woken_and_has_dealt_with_all_it_was_shown_gives_the_core_back_by_run() {
    let mut f = world();
    f.nwd_requests(C, DIRECT_REQ_32);
    let own = f.view(C).gp.x;
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    gets(&mut f, OF_A);
    assert_eq!(
        f.on(1).take(&[Taken::Device(OF_A)]),
        Next::NormalWorldResume
    );
    assert_eq!(f.on(0).sp(run(C, 0)), Next::Partition(C));
    f.sp_got_all(C, &own);
    f.responds_to_nwd(DIRECT_RESP_32);
}
