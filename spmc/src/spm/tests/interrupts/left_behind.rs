//! Timings and orders in which something was lost or left behind.

use super::{timers::power_response, *};
use crate::{
    context::AbortAction,
    spm::{Mask, Next},
    state::{Model, State},
};

#[test]
fn one_that_serves_who_is_told_of_the_core_going_off_stays_any_cores() {
    let mut f = world();
    f.on(1).nwd_runs(B);
    assert_eq!(f.hypercall(&[ENABLE, 9, 1, 0]), 0);
    f.sp(msg_wait());
    assert_eq!(f.nwd(core_off()), Next::Partition(B));
    // an interrupt of its own, so that the answer is intercepted
    assert_eq!(f.hypercall(&[SEND, 1]), 0);
    assert_eq!(f.sp(power_response(B, 0)), Next::Partition(B));
    assert_eq!(f.view(B).model, Model::SecureInterrupt);
    f.sp_requests(A, DIRECT_REQ2);
    // B fails on core 0.
    f.on(0).nwd_runs(B);
    f.abort();
    // A answers on core 1.
    f.on(1).sp(message(DIRECT_RESP2, id(A), id(B)));
    assert_eq!(f.state(A), State::Waiting, "innocent");
    f.on(0).nwd_requests(A, DIRECT_REQ2);
}

#[test]
fn one_that_was_told_of_an_interrupt_and_did_not_ask_is_told_of_the_next() {
    let mut f = world();
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.write_timer(A, 1, 100);
    f.sp(msg_wait());
    f.machine.interrupts.now = 100;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    f.sp_told_of_interrupt(A, 3);
    // Handles it by what FFA_INTERRUPT says: sets the timer up anew, does not ask.
    f.write_timer(A, 1, 200);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    f.nwd_requests(A, DIRECT_REQ2);
    f.machine.interrupts.now = 200;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    assert!(f.lines(A).irq);
    // It has its interrupts masked, and answers.
    assert_eq!(
        f.sp(message(DIRECT_RESP2, id(A), VM)),
        Next::Partition(A),
        "intercepted"
    );
    f.sp_told_of_interrupt(A, 3);
}

#[test]
fn one_that_comes_again_while_the_first_is_dealt_with_is_told_again() {
    let mut f = world();
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.write_timer(A, 1, 100);
    f.sp(msg_wait());
    f.machine.interrupts.now = 100;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    f.sp_told_of_interrupt(A, 3);
    f.write_timer(A, 1, 110);
    f.machine.interrupts.now = 110;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    assert!(f.lines(A).irq);
    assert_eq!(
        f.sp(msg_wait()),
        Next::Partition(A),
        "the second one is told too"
    );
    f.sp_told_of_interrupt(A, 3);
}

#[test]
fn a_second_interrupt_of_another_context_while_the_first_is_dealt_with_is_told() {
    let mut f = world();
    f.on(1).nwd_runs(B);
    assert_eq!(f.hypercall(&[ENABLE, 9, 1, 0]), 0);
    f.sp(msg_wait());
    f.on(0).nwd_runs(B);
    assert_eq!(f.hypercall(&[SEND, 1]), 0);
    assert_eq!(f.on(1).looks(), Some(Next::Partition(B)));
    f.sp_told_of_interrupt(B, 9);
    // reads its mailbox now; then another one is sent
    assert_eq!(f.on(0).hypercall(&[SEND, 1]), 0);
    assert_eq!(f.on(1).looks(), Some(Next::Partition(B)));
    assert_eq!(f.sp(msg_wait()), Next::Partition(B), "the second one");
}

#[test]
fn what_is_left_pending_is_named_again() {
    let rules = InterruptRules {
        sri_waiting: true,
        sri_leaving: true,
        ..signalled()
    };
    let mut f = world_of([rules, signalled(), signalled()]);
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.sp(msg_wait());
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::NormalWorldResume);
    let info = 0xc400_0083;
    f.nwd(frame(&[info]));
    assert_eq!(f.result()[0], u64::from(SUCCESS_64));
    f.nwd_runs(A);
    f.write_timer(A, 1, 0);
    assert_eq!(f.hypercall(&[GET]), u64::from(OF_A));
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    assert_eq!(f.machine.interrupts.schedule_receiver, [0, 0]);
    f.nwd(frame(&[info]));
    assert_eq!(
        f.result()[0],
        u64::from(SUCCESS_64),
        "named, for the SRI that was raised"
    );
}

#[test]
fn one_taken_together_with_the_news_of_a_failure_is_looked_at() {
    let mut f = world();
    f.on(1).nwd_requests(B, DIRECT_REQ2);
    f.on(0).nwd_runs(B);
    f.abort();
    f.on(1);
    let next = f.take(&[Taken::Device(OF_A), Taken::Kick]);
    assert_eq!(next, Next::NormalWorld);
    assert_eq!(f.looks(), Some(Next::Partition(A)), "as soon as it may");
}

#[test]
fn the_schedule_receiver_interrupt_is_raised_when_a_boot_ends() {
    let rules = InterruptRules {
        sri_leaving: true,
        ..signalled()
    };
    let mut f = Fixture::with(
        2,
        &[
            Spec::mp(Version::V1_2).rules(rules),
            Spec::mp(Version::V1_2),
        ],
    );
    f.start(A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.write_timer(A, 1, 0);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.start(B);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.now[0] = Next::NormalWorld;
    f.nwd(frame(&[VERSION.into(), Version::V1_2.raw().into()]));
    f.nwd_requests(B, DIRECT_REQ2);
    f.responds_to_nwd(DIRECT_RESP2);
    assert_eq!(f.machine.interrupts.schedule_receiver, [0]);
}

#[test]
fn a_request_to_one_that_waits_with_an_interrupt_pending_raises_its_line_in_either_way() {
    let rules = InterruptRules {
        sri_waiting: true,
        ..signalled()
    };
    for general in [true, false] {
        let mut f = world_of([signalled(), rules, signalled()]);
        f.general = general;
        assert_eq!(f.take(&[Taken::Device(OF_B)]), Next::NormalWorldResume);
        f.nwd_requests(B, DIRECT_REQ2);
        assert!(f.lines(B).irq, "general {general}");
    }
}

#[test]
fn one_whose_interrupt_came_while_it_was_preempted_finds_its_line_raised() {
    let specs = [
        Spec::up(Version::V1_3)
            .devices([OF_A, 0])
            .on_abort(AbortAction::Restart),
        Spec::mp(Version::V1_2).devices([OF_B, 0]),
    ];
    let mut f = Fixture::booted(&specs);
    for (slot, device) in [(A, OF_A), (B, OF_B)] {
        f.nwd_runs(slot);
        assert_eq!(f.hypercall(&[ENABLE, device.into(), 1, 0]), 0);
        assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
        f.sp(msg_wait());
    }
    f.nwd_requests(B, DIRECT_REQ2);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.write_timer_of(B, 1, 10);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    assert_eq!(f.abort(), Next::Partition(A));
    assert_eq!(f.view(A).model, Model::Restart);
    // Nobody would run it again but the SPMC, which gave it its cycles.
    assert_eq!(f.masks[0], Mask::Own);
    f.machine.interrupts.now = 10;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    assert_eq!(f.sp(msg_wait()), Next::Partition(B));
    assert!(f.lines(B).irq);
}

#[test]
fn one_that_was_told_and_disables_it_has_dealt_with_it_when_it_waits() {
    let mut f = world();
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.write_timer_of(A, 1, 10);
    f.sp(msg_wait());
    f.machine.interrupts.now = 10;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    f.sp_told_of_interrupt(A, 3);
    assert_eq!(f.hypercall(&[ENABLE, 3, 0, 0]), 0);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    // Nothing of it is left for its next turn.
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    assert!(!f.lines(A).any());
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
}

#[test]
fn what_another_core_has_to_see_to_does_not_wait_for_this_cores_mask() {
    let mut f = world();
    // B deals with an interrupt on core 1, which sees to A's timer.
    f.on(1).nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.write_timer_of(A, 1, 10);
    f.sp(msg_wait());
    f.on(1).take(&[Taken::Device(OF_B)]);
    f.on(0).nwd_requests(A, DIRECT_REQ2);
    f.machine.interrupts.now = 10;
    assert_eq!(f.on(1).take(&[Taken::Timer]), Next::Partition(B));
    assert_eq!(f.on(0).looks(), Some(Next::Partition(A)), "at once");
    assert!(f.lines(A).irq);
}

#[test]
fn nothing_of_an_earlier_preemption_bars_a_run() {
    let mut f = world();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(C, DIRECT_REQ2);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    gets(&mut f, OF_A);
    f.responds_to_nwd(DIRECT_RESP2);
    f.nwd_requests(A, DIRECT_REQ2);
    // C owes A; A runs it with another one pending
    f.take(&[Taken::Device(OF_A)]);
    let n = f.sp(run(C, 0));
    assert_eq!(n, Next::Partition(C), "{:x?}", f.result());
}

#[test]
fn the_schedule_receiver_interrupt_of_a_core_that_goes_off_is_raised_elsewhere() {
    let rules = InterruptRules {
        sri_leaving: true,
        sri_waiting: true,
        ..signalled()
    };
    let mut f = world_of([rules, signalled(), signalled()]);
    f.on(1).nwd_runs(B);
    assert_eq!(f.hypercall(&[ENABLE, 9, 1, 0]), 0);
    f.sp(msg_wait());
    f.on(0).nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.sp(msg_wait());
    f.on(1).nwd(core_off());
    assert_eq!(f.hypercall(&[SEND, 1]), 0);
    assert_eq!(f.sp(power_response(B, 0)), Next::Partition(B));
    f.sp_requests(A, DIRECT_REQ2);
    f.write_timer(A, 1, 0);
    f.responds_to(B, DIRECT_RESP2);
    assert_eq!(f.hypercall(&[GET]), 9);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    f.on(0).looks();
    assert!(!f.machine.interrupts.schedule_receiver.is_empty());
}
