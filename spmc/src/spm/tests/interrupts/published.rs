//! Timings that have crashed other implementations.

use super::*;
use crate::{
    spm::{Mask, Next},
    state::State,
};

#[test]
fn a_second_interrupt_while_the_first_is_handled() {
    let mut f = world();
    f.nwd_requests(B, DIRECT_REQ2);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    // A device's is masked; the SPMC's own are not.
    f.write_timer_of(A, 1, 10);
    f.machine.interrupts.now = 10;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    gets(&mut f, OF_A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    assert_eq!(f.sp(msg_wait()), Next::Partition(A));
    f.sp_told_of_interrupt(A, 3);
    gets(&mut f, 3);
    assert_eq!(f.sp(msg_wait()), Next::Partition(B));
    // Two at the same moment.
    let both = [Taken::Device(OF_A), Taken::Device(OF_C)];
    assert_eq!(f.take(&both), Next::Partition(A));
    gets(&mut f, OF_A);
    assert_eq!(f.sp(msg_wait()), Next::Partition(B));
    assert_eq!(f.looks(), Some(Next::Partition(C)), "as soon as it may");
    f.sp_told_of_interrupt(C, OF_C.into());
    gets(&mut f, OF_C);
    assert_eq!(f.sp(msg_wait()), Next::Partition(B));
    assert_eq!(f.looks(), None);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn an_interrupt_for_a_context_that_is_just_being_saved_on_another_core() {
    let mut f = world();
    f.lazy = true;
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.sp(message(DIRECT_RESP2, id(A), VM)), Next::NormalWorld);
    // It waits, and its registers are not in memory yet.
    assert_eq!(
        f.on(1).take(&[Taken::Device(OF_A)]),
        Next::NormalWorldResume
    );
    // The first core was told, and looks when it is done.
    f.on(0).save();
    assert_eq!(f.looks(), Some(Next::Partition(A)));
    f.sp_told_of_interrupt(A, OF_A.into());
    gets(&mut f, OF_A);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
}

#[test]
fn an_interrupt_for_one_partition_while_another_initialises() {
    let specs = [
        Spec::up(Version::V1_2).devices([OF_A, 0]),
        Spec::up(Version::V1_2),
    ];
    let mut f = Fixture::with(1, &specs);
    f.start(A);
    assert_eq!(f.hypercall(&[ENABLE, OF_A.into(), 1, 0]), 0);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.write_timer(A, 1, 5);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.start(B);
    // Its device is masked, its timer is noted.
    assert_eq!(f.masks[0], Mask::Own);
    f.machine.interrupts.now = 5;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(B));
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    assert_eq!(f.state(B), State::Waiting);
    assert_eq!(f.looks(), Some(Next::Partition(A)));
    f.sp_told_of_interrupt(A, 3);
    gets(&mut f, 3);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    gets(&mut f, OF_A);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
}
