//! A partition at S-EL0 has no lines: it is told of its interrupts when it waits, and has taken them then.

use super::*;
use crate::{context::Lines, spm::Next, state::State};
use ffa_abi::EndpointId;

/// A is at S-EL0, B and C are not; their devices are enabled.
fn el0() -> Fixture {
    let specs = [
        Spec::up(Version::V1_2).devices([OF_A, 35]).at_el0(),
        Spec::mp(Version::V1_2),
        Spec::up(Version::V1_3).devices([OF_C, 0]),
    ];
    let mut f = Fixture::booted(&specs);
    for (slot, device) in [(A, OF_A), (A, 35), (C, OF_C)] {
        f.nwd_runs(slot);
        assert_eq!(f.hypercall(&[ENABLE, device.into(), 1, 0]), 0);
        f.sp(msg_wait());
    }
    f
}

#[test]
fn one_that_waits_is_told_and_has_taken_it() {
    let mut f = el0();
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    f.sp_told_of_interrupt(A, OF_A.into());
    assert_eq!(f.lines(A), Lines::DOWN);
    // There is nothing to ask for.
    assert_eq!(f.hypercall(&[GET]), NONE);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    assert!(may_come_again(&mut f, OF_A));
}

#[test]
fn several_are_told_one_after_the_other() {
    let mut f = el0();
    let all = [Taken::Device(OF_A), Taken::Device(35)];
    assert_eq!(f.take(&all), Next::Partition(A));
    f.sp_told_of_interrupt(A, OF_A.into());
    assert!(!may_come_again(&mut f, 35));
    assert_eq!(f.sp(msg_wait()), Next::Partition(A));
    f.sp_told_of_interrupt(A, 35);
    assert!(may_come_again(&mut f, OF_A));
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    assert!(may_come_again(&mut f, 35));
}

#[test]
fn one_that_runs_is_told_when_it_answers() {
    let mut f = el0();
    f.nwd(message(DIRECT_REQ2, EndpointId::HYPERVISOR, id(A)));
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    assert_eq!(f.lines(A), Lines::DOWN);
    let answer = message(DIRECT_RESP2, id(A), EndpointId::HYPERVISOR);
    assert_eq!(f.sp(answer), Next::Partition(A));
    f.sp_told_of_interrupt(A, OF_A.into());
    // The answer is there when it waits.
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    assert_eq!(f.pes[0].nwd[0], DIRECT_RESP2.into());
}

#[test]
fn one_that_runs_may_ask_for_it() {
    let mut f = el0();
    f.nwd_runs(A);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    assert_eq!(f.hypercall(&[GET]), OF_A.into());
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
}

#[test]
fn one_that_called_somebody_is_not_told_before_it_waits() {
    let mut f = el0();
    f.nwd_runs(A);
    assert_eq!(f.sp(message(DIRECT_REQ2, id(A), id(B))), Next::Partition(B));
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(B));
    assert_eq!(f.view(A).state, State::Blocked);
    assert_eq!(
        f.sp(message(DIRECT_RESP2, id(B), id(A))),
        Next::Partition(A)
    );
    assert_eq!(f.lines(A), Lines::DOWN);
    assert_eq!(f.sp(msg_wait()), Next::Partition(A));
    f.sp_told_of_interrupt(A, OF_A.into());
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
}

#[test]
fn the_normal_worlds_interrupt_preempts_it_as_any_other() {
    let mut f = el0();
    f.nwd(message(DIRECT_REQ2, EndpointId::HYPERVISOR, id(A)));
    assert_eq!(f.preempt(), Next::NormalWorld);
    assert_eq!(f.view(A).state, State::Preempted);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::NormalWorldResume);
    f.nwd(run(A, 0));
    assert_eq!(f.lines(A), Lines::DOWN);
    let answer = message(DIRECT_RESP2, id(A), EndpointId::HYPERVISOR);
    assert_eq!(f.sp(answer), Next::Partition(A));
    f.sp_told_of_interrupt(A, OF_A.into());
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
}

#[test]
fn the_short_way_tells_it_too() {
    // Its answer to the normal world must not pass by an interrupt that came while it ran.
    for general in [false, true] {
        let mut f = el0();
        f.general = general;
        for _ in 0..2 {
            f.nwd(message(DIRECT_REQ2, EndpointId::HYPERVISOR, id(A)));
            f.take(&[Taken::Device(OF_A)]);
            let answer = message(DIRECT_RESP2, id(A), EndpointId::HYPERVISOR);
            assert_eq!(f.sp(answer), Next::Partition(A));
            f.sp_told_of_interrupt(A, OF_A.into());
            assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        }
    }
}
