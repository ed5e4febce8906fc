//! A device's interrupt, by the state of the context that it is for.

use super::*;
use crate::{
    spm::{Mask, Next},
    state::{Model, State},
};
use ffa_abi::{
    EndpointId,
    FfaError::{Busy, Denied, NoData},
};

#[test]
fn one_that_waits_runs_and_the_normal_world_is_resumed() {
    let mut f = world();
    let before = f.pes[0].nwd;
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    f.sp_told_of_interrupt(A, OF_A.into());
    assert_eq!(f.masks[0], Mask::Own);
    assert!(f.lines(A).irq);
    gets(&mut f, OF_A);
    assert!(!f.lines(A).any());
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    assert_eq!(
        f.pes[0].nwd, before,
        "nothing of the normal world is written"
    );
    assert_eq!(f.state(A), State::Waiting);
    assert_eq!(f.masks[0], Mask::Open);
    assert!(may_come_again(&mut f, OF_A));
}

#[test]
fn one_that_waits_runs_and_who_ran_goes_on_where_it_was() {
    for (target, device) in [(A, OF_A), (B, OF_B)] {
        let mut f = world();
        f.nwd_requests(C, DIRECT_REQ2);
        let own = f.view(C).gp.x;
        assert_eq!(f.take(&[Taken::Device(device)]), Next::Partition(target));
        f.sp_told_of_interrupt(target, device.into());
        assert_eq!(f.state(C), State::Preempted);
        // Nobody can have it meanwhile.
        f.refused(message(DIRECT_REQ_32, id(target), id(C)), Busy);
        f.on(1).refused(run(C, 0), Busy);
        f.on(0);
        gets(&mut f, device);
        assert_eq!(f.sp(msg_wait()), Next::Partition(C));
        f.sp_got_all(C, &own);
        f.responds_to_nwd(DIRECT_RESP2);
    }
}

#[test]
fn one_that_waits_runs_on_the_core_that_took_it() {
    let mut f = world();
    assert_eq!(f.on(1).take(&[Taken::Device(OF_A)]), Next::Partition(A));
    gets(&mut f, OF_A);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    assert_eq!(f.take(&[Taken::Device(OF_B)]), Next::Partition(B));
    assert_eq!(f.view(B).pe, Some(1));
}

#[test]
fn one_that_runs_has_its_line_raised() {
    let mut f = world();
    f.nwd_requests(A, DIRECT_REQ_64);
    let own = f.view(A).gp.x;
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    f.sp_got_all(A, &own);
    assert!(f.lines(A).irq && !f.lines(A).fiq);
    // It can be preempted all the same.
    assert_eq!(f.masks[0], Mask::Open);
    gets(&mut f, OF_A);
    f.responds_to_nwd(DIRECT_RESP_64);
    assert!(may_come_again(&mut f, OF_A));
}

#[test]
fn one_that_is_blocked_in_the_chain_runs_and_runs_its_callee_again() {
    let mut f = world();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(C, DIRECT_REQ_32);
    let own = f.view(C).gp.x;
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    told_of_preemption(&mut f, A, C, 0);
    assert_eq!(f.view(A).model, Model::DirectRequest, "it keeps its model");
    assert!(f.lines(A).irq);
    // First its interrupt, then its callee.
    f.refused(run(C, 0), Denied);
    gets(&mut f, OF_A);
    assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
    f.sp_got_all(C, &own);
    f.responds_to(A, DIRECT_RESP_32);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn one_that_is_further_back_in_the_chain_is_reached_step_by_step() {
    let mut f = world();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ_64);
    f.sp_requests(C, DIRECT_REQ_32);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(B));
    assert_eq!(f.looks(), Some(Next::Partition(A)), "at once");
    assert_eq!(f.looks(), None);
    told_of_preemption(&mut f, A, B, 0);
    gets(&mut f, OF_A);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    told_of_preemption(&mut f, B, C, 0);
    assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
    f.responds_to(B, DIRECT_RESP_32);
    f.responds_to(A, DIRECT_RESP_64);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn one_that_was_preempted_finds_its_line_raised() {
    for stop in [Fixture::preempt, |f: &mut Fixture| f.sp(yields(0))] {
        let mut f = world();
        f.nwd_requests(A, DIRECT_REQ_32);
        assert_eq!(stop(&mut f), Next::NormalWorld);
        // Wherever it comes.
        assert_eq!(
            f.on(1).take(&[Taken::Device(OF_A)]),
            Next::NormalWorldResume
        );
        assert_eq!(f.on(0).nwd(run(A, 0)), Next::Partition(A));
        assert!(f.lines(A).irq);
        gets(&mut f, OF_A);
        f.responds_to_nwd(DIRECT_RESP_32);
    }
}

#[test]
fn one_that_runs_elsewhere_is_kicked() {
    let mut f = world();
    f.nwd_requests(A, DIRECT_REQ_32);
    assert_eq!(
        f.on(1).take(&[Taken::Device(OF_A)]),
        Next::NormalWorldResume
    );
    assert!(!f.on(0).lines(A).any());
    assert_eq!(f.looks(), Some(Next::Partition(A)));
    assert!(f.lines(A).irq);
    gets(&mut f, OF_A);
    f.responds_to_nwd(DIRECT_RESP_32);
    // It was active on the other core.
    assert_eq!(f.machine.interrupts.deactivated.last(), Some(&(OF_A, 1)));
}

#[test]
fn an_answer_with_an_interrupt_pending_is_kept_until_that_is_dealt_with() {
    for (request, response) in [
        (DIRECT_REQ_32, DIRECT_RESP_32),
        (DIRECT_REQ_64, DIRECT_RESP_64),
        (DIRECT_REQ2, DIRECT_RESP2),
    ] {
        for general in [false, true] {
            let mut f = world();
            f.general = general;
            f.nwd_requests(A, request);
            f.take(&[Taken::Device(OF_A)]);
            let answer = message(response, id(A), VM);
            assert_eq!(f.sp(answer), Next::Partition(A));
            f.sp_told_of_interrupt(A, OF_A.into());
            assert_eq!(f.masks[0], Mask::Own);
            gets(&mut f, OF_A);
            assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
            f.nwd_got_message(&answer);
        }
    }
}

#[test]
fn an_answer_to_a_partition_is_kept_likewise() {
    let mut f = world();
    f.nwd_requests(B, DIRECT_REQ2);
    f.sp_requests(A, DIRECT_REQ2);
    f.take(&[Taken::Device(OF_A)]);
    let answer = message(DIRECT_RESP2, id(A), id(B));
    assert_eq!(f.sp(answer), Next::Partition(A));
    f.sp_told_of_interrupt(A, OF_A.into());
    assert_eq!(f.state(B), State::Preempted);
    gets(&mut f, OF_A);
    assert_eq!(f.sp(msg_wait()), Next::Partition(B));
    f.sp_got_message(B, &answer);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn a_wait_with_an_interrupt_pending_does_not_wait() {
    let mut f = world();
    f.nwd_runs(A);
    f.take(&[Taken::Device(OF_A)]);
    assert_eq!(f.sp(msg_wait()), Next::Partition(A));
    f.sp_told_of_interrupt(A, OF_A.into());
    // What it was told of and does not ask for, it has dealt with.
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    f.nwd_got(&[MSG_WAIT.into()]);
    assert!(may_come_again(&mut f, OF_A));
}

#[test]
fn who_initialises_is_told_when_it_waits() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2)]);
    f.start(A);
    assert_eq!(f.masks[0], Mask::Own);
    assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
    f.write_timer(A, 1, 5);
    f.machine.interrupts.now = 5;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    assert_eq!(f.sp(msg_wait()), Next::Partition(A));
    f.sp_told_of_interrupt(A, 3);
    gets(&mut f, 3);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
}

#[test]
fn the_normal_world_is_asked_for_cycles_where_the_policy_says_so() {
    let rules = InterruptRules {
        sri_waiting: true,
        ..signalled()
    };
    let mut f = world_of([rules, rules, signalled()]);
    f.nwd(frame(&[NOTIFICATION_INFO_GET_64]));
    f.nwd_got(&[ERROR.into(), 0, NoData.register()]);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::NormalWorldResume);
    assert_eq!(f.machine.interrupts.schedule_receiver, [0]);
    assert_eq!(
        f.on(1).take(&[Taken::Device(OF_B)]),
        Next::NormalWorldResume
    );
    assert_eq!(f.machine.interrupts.schedule_receiver, [0, 1]);
    f.nwd(frame(&[NOTIFICATION_INFO_GET_64]));
    // Two lists of an id and a context each.
    f.nwd_got(&[
        SUCCESS_64.into(),
        0,
        2 << 7 | 1 << 12 | 1 << 14,
        0x0001_8002_0000_8001,
    ]);
    f.nwd(frame(&[NOTIFICATION_INFO_GET_64]));
    f.nwd_got(&[ERROR.into(), 0, NoData.register()]);
    for (pe, slot, device) in [(0, A, OF_A), (1, B, OF_B)] {
        assert_eq!(f.on(pe).nwd(run(slot, pe as u16)), Next::Partition(slot));
        assert!(f.lines(slot).irq);
        gets(&mut f, device);
        assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        f.nwd_got(&[MSG_WAIT.into()]);
    }
}

/// `FFA_NOTIFICATION_INFO_GET`, 64-bit.
const NOTIFICATION_INFO_GET_64: u64 = 0xc400_0083;

#[test]
fn a_wait_or_answer_goes_through_where_the_policy_says_so() {
    let rules = InterruptRules {
        sri_leaving: true,
        ..signalled()
    };
    let mut f = world_of([rules, signalled(), signalled()]);
    f.nwd_requests(A, DIRECT_REQ2);
    f.take(&[Taken::Device(OF_A)]);
    let answer = message(DIRECT_RESP2, id(A), VM);
    assert_eq!(f.sp(answer), Next::NormalWorld);
    f.nwd_got_message(&answer);
    assert_eq!(f.machine.interrupts.schedule_receiver, [0]);
    // It is called, and finds its line raised.
    f.nwd_requests(A, DIRECT_REQ_32);
    assert!(f.lines(A).irq);
    gets(&mut f, OF_A);
    f.responds_to_nwd(DIRECT_RESP_32);
}

#[test]
fn the_schedule_receiver_interrupt_waits_for_the_normal_worlds_turn() {
    let rules = InterruptRules {
        sri_waiting: true,
        ..signalled()
    };
    for general in [false, true] {
        let mut f = world_of([rules, signalled(), signalled()]);
        f.general = general;
        f.nwd_requests(B, DIRECT_REQ2);
        assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(B));
        assert!(f.machine.interrupts.schedule_receiver.is_empty());
        f.responds_to_nwd(DIRECT_RESP2);
        assert_eq!(f.machine.interrupts.schedule_receiver, [0]);
    }
}

#[test]
fn everything_else_waits_for_one_whose_other_interrupts_are_queued() {
    let rules = InterruptRules {
        ns_action: NsAction::Queued,
        other_s_queued: true,
        ..signalled()
    };
    let mut f = world_of([rules, signalled(), signalled()]);
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.masks[0], Mask::Own);
    // Whom it calls, too.
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.masks[0], Mask::Own);
    f.responds_to(A, DIRECT_RESP2);
    f.responds_to_nwd(DIRECT_RESP2);
    assert_eq!(f.masks[0], Mask::Open);
}

#[test]
fn the_tightest_of_a_chain_holds() {
    let queued = InterruptRules {
        ns_action: NsAction::Queued,
        ..signalled()
    };
    let mut f = world_of([queued, signalled(), queued]);
    f.nwd_requests(B, DIRECT_REQ2);
    assert_eq!(f.masks[0], Mask::Open);
    f.sp_requests(A, DIRECT_REQ2);
    assert_eq!(f.masks[0], Mask::Secure);
    f.responds_to(B, DIRECT_RESP2);
    assert_eq!(f.masks[0], Mask::Open);
    f.responds_to_nwd(DIRECT_RESP2);
    // A queued caller dominates a signalled callee.
    f.nwd_requests(C, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.masks[0], Mask::Secure);
    // A secure interrupt is taken meanwhile, and everything is as it was.
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(A));
    assert_eq!(f.masks[0], Mask::Own);
    gets(&mut f, OF_A);
    assert_eq!(f.sp(msg_wait()), Next::Partition(B));
    assert_eq!(f.masks[0], Mask::Secure);
    f.responds_to(C, DIRECT_RESP2);
    f.responds_to_nwd(DIRECT_RESP2);
    assert_eq!(f.masks[0], Mask::Open);
}

#[test]
fn whom_it_calls_to_deal_with_it_has_the_same_peace() {
    let mut f = world();
    f.nwd_requests(B, DIRECT_REQ2);
    f.take(&[Taken::Device(OF_A)]);
    f.sp_requests(C, DIRECT_REQ2);
    assert_eq!(f.masks[0], Mask::Own);
    f.responds_to(A, DIRECT_RESP2);
    // It owes nobody an answer, and its yield does nothing.
    f.refused(message(DIRECT_RESP2, id(A), VM), Denied);
    f.answered(yields(7), &[SUCCESS_32.into()]);
    gets(&mut f, OF_A);
    assert_eq!(f.sp(msg_wait()), Next::Partition(B));
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn who_deals_with_one_may_give_the_core_back_by_running_whom_it_took_it_from() {
    let mut f = world();
    f.nwd_requests(B, DIRECT_REQ2);
    f.take(&[Taken::Device(OF_A)]);
    f.refused(run(B, 0), Denied);
    gets(&mut f, OF_A);
    f.refused(run(C, 0), Denied);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    assert_eq!(f.state(A), State::Blocked);
    f.responds_to_nwd(DIRECT_RESP2);
    // Its cycles are the normal world's from here.
    assert_eq!(f.on(1).nwd(run(A, 0)), Next::Partition(A));
    f.sp_got(A, &[SUCCESS_32.into()]);
    assert_eq!(f.masks[1], Mask::Open);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
}

#[test]
fn one_that_fails_while_it_deals_with_one_leaves_nothing_behind() {
    let mut f = world();
    f.nwd_requests(B, DIRECT_REQ2);
    let own = f.view(B).gp.x;
    f.take(&[Taken::Device(OF_A)]);
    assert_eq!(f.abort(), Next::Partition(B));
    f.sp_got_all(B, &own);
    assert_eq!(f.masks[0], Mask::Open);
    assert!(may_come_again(&mut f, OF_A));
    assert!(!f.machine.interrupts.enabled.contains(&OF_A));
    // The dead are not disturbed.
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::Partition(B));
    f.responds_to_nwd(DIRECT_RESP2);
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::NormalWorldResume);
    assert_eq!(f.machine.notices.len(), 3);
}

#[test]
fn an_interrupt_of_nobody_is_switched_off() {
    let mut f = world();
    f.machine.interrupts.enabled.insert(77);
    for intid in [77, 1019, 1020, u32::MAX] {
        assert_eq!(f.take(&[Taken::Device(intid)]), Next::NormalWorldResume);
        assert!(may_come_again(&mut f, intid));
    }
    assert!(!f.machine.interrupts.enabled.contains(&77));
}

#[test]
fn one_that_is_not_enabled_stays_pending() {
    let mut f = world();
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, OF_A.into(), 0, 0]), 0);
    f.sp(msg_wait());
    assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::NormalWorldResume);
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[GET]), NONE);
    assert_eq!(f.hypercall(&[ENABLE, OF_A.into(), 1, 1]), 0);
    assert!(f.lines(A).fiq && !f.lines(A).irq);
    gets(&mut f, OF_A);
}

#[test]
fn a_parked_context_that_is_called_in_the_short_way_finds_its_line_raised() {
    let asks = InterruptRules {
        sri_waiting: true,
        ..signalled()
    };
    for general in [true, false] {
        let mut f = world_of([asks, signalled(), signalled()]);
        f.general = general;
        // Noted, and the normal world is asked for cycles; no core has the context meanwhile.
        assert_eq!(f.take(&[Taken::Device(OF_A)]), Next::NormalWorldResume);
        f.nwd(message(DIRECT_REQ2, EndpointId::HYPERVISOR, id(A)));
        assert!(f.lines(A).irq, "general: {general}");
        gets(&mut f, OF_A);
    }
}
