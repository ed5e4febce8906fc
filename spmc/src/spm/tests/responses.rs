//! Direct responses: whom they may answer, in which form, and the registers that they leave
//! towards EL3.

use super::fixture::*;
use crate::{spm::Next, state::State};
use ffa_abi::{
    EndpointId,
    FfaError::{Busy, Denied, InvalidParameters},
    Function, Regs, Version,
    fid::raw::*,
    message::FRAMEWORK_BIT,
};

const RESPONSES: [u32; 3] = [DIRECT_RESP_32, DIRECT_RESP_64, DIRECT_RESP2];

#[test]
fn wrong_identifiers_of_a_response_are_invalid_parameters_whatever_else_is_wrong() {
    let mut f = Fixture::new();
    // In a runtime model that bars responses altogether.
    f.nwd_runs(A);
    for response in RESPONSES {
        for (sender, receiver) in [(id(A), id(A)), (id(B), VM), (VM, VM), (EndpointId(0), VM)] {
            f.refused(message(response, sender, receiver), InvalidParameters);
        }
    }
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    // And while a request waits for its answer.
    f.nwd_requests(A, DIRECT_REQ2);
    for response in RESPONSES {
        for (sender, receiver) in [(id(A), id(A)), (id(B), VM)] {
            f.refused(message(response, sender, receiver), InvalidParameters);
        }
    }
}

#[test]
fn reserved_bits_of_a_response_are_invalid_parameters() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ_32);
    for w2 in [1, 0x100, 0x8000_0100, 0x4000_0000] {
        let mut call = message(DIRECT_RESP_32, id(A), VM);
        call[2] = w2;
        f.refused(call, InvalidParameters);
    }
}

#[test]
fn a_framework_answer_to_a_partition_message_is_denied() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ_32);
    for number in [2, 5, 7, 9, 11, 0xff] {
        for response in [DIRECT_RESP_32, DIRECT_RESP_64] {
            let mut call = message(response, id(A), VM);
            call[2] = u64::from(FRAMEWORK_BIT | number);
            f.refused(call, Denied);
        }
    }
    f.responds_to_nwd(DIRECT_RESP_32);
}

#[test]
fn a_partition_that_serves_nothing_may_not_respond() {
    let mut f = Fixture::with(1, &[Spec::up(ffa_abi::Version::V1_2)]);
    f.start(A);
    for response in RESPONSES {
        f.refused(message(response, id(A), VM), Denied);
    }
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.now[0] = Next::NormalWorld;
    f.nwd_runs(A);
    for response in RESPONSES {
        f.refused(message(response, id(A), VM), Denied);
    }
}

#[test]
fn a_response_goes_to_the_sender_of_the_request_and_to_nobody_else() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    for receiver in [
        EndpointId(4),
        EndpointId::HYPERVISOR,
        id(B),
        EndpointId::SPMC,
    ] {
        f.refused(message(DIRECT_RESP2, id(A), receiver), Denied);
    }
    f.sp_requests(B, DIRECT_REQ2);
    // Not even to the head of the chain.
    for receiver in [VM, id(C)] {
        f.refused(message(DIRECT_RESP2, id(B), receiver), Denied);
    }
    f.responds_to(A, DIRECT_RESP2);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn requests_and_responses_of_both_kinds_do_not_mix() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    for response in [DIRECT_RESP_32, DIRECT_RESP_64] {
        f.refused(message(response, id(A), VM), Denied);
    }
    f.responds_to_nwd(DIRECT_RESP2);
    for (request, response) in [
        (DIRECT_REQ_32, DIRECT_RESP_32),
        (DIRECT_REQ_64, DIRECT_RESP_64),
    ] {
        f.nwd_requests(A, request);
        f.refused(message(DIRECT_RESP2, id(A), VM), Denied);
        f.responds_to_nwd(response);
    }
}

#[test]
fn a_response_of_the_other_width_is_delivered_in_its_own_below_1_3_and_denied_from_1_3() {
    let mut f = Fixture::new();
    for (request, right, other) in [
        (DIRECT_REQ_32, DIRECT_RESP_32, DIRECT_RESP_64),
        (DIRECT_REQ_64, DIRECT_RESP_64, DIRECT_RESP_32),
    ] {
        f.nwd_requests(A, request);
        f.responds_to_nwd(other);
        f.nwd_requests(C, request);
        f.refused(message(other, id(C), VM), Denied);
        f.responds_to_nwd(right);
        // Between partitions.
        f.nwd_runs(C);
        f.sp_requests(A, request);
        f.responds_to(C, other);
        f.sp_requests(B, request);
        f.responds_to(C, right);
        assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    }
}

#[test]
fn the_service_echoed_in_a_response_2_is_accepted_and_delivered_as_zero() {
    let mut f = Fixture::new();
    let echo = |to| {
        let mut call = message(DIRECT_RESP2, id(A), to);
        (call[2], call[3]) = SERVICE.registers();
        call
    };
    f.nwd_requests(A, DIRECT_REQ2);
    let call = echo(VM);
    assert_eq!(f.sp(call), Next::NormalWorld);
    f.nwd_got_message(&call);
    assert_eq!(f.pes[0].nwd.0[2..4], [0, 0]);
    f.nwd_requests(B, DIRECT_REQ2);
    f.sp_requests(A, DIRECT_REQ2);
    let call = echo(id(B));
    assert_eq!(f.sp(call), Next::Partition(B));
    f.sp_got_message(B, &call);
    assert_eq!(f.view(B).gp.x[2..4], [0, 0]);
}

#[test]
fn a_response_can_be_sent_once() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.responds_to_nwd(DIRECT_RESP2);
    f.nwd_runs(A);
    f.refused(message(DIRECT_RESP2, id(A), VM), Denied);
}

// The mixed case: the caller's own call is 32-bit, its completion is a 64-bit message.
#[test]
fn a_64_bit_response_completes_the_32_bit_run_after_an_interrupt() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.nwd_got(&[INTERRUPT.into(), target(A, 0)]);
    let interrupted = f.sent(A);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    assert_eq!(f.view(A).gp.sent, interrupted);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn a_64_bit_response_completes_the_32_bit_run_of_a_partition() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::Partition(A));
    f.sp_got(A, &[INTERRUPT.into(), target(B, 0)]);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    f.responds_to(A, DIRECT_RESP2);
    f.responds_to_nwd(DIRECT_RESP2);
}

/// x8-x17 towards EL3, by the normal world's entry and the completion.
#[test]
fn extended_registers_towards_el3_are_the_entrys_or_zero_or_the_payload() {
    // 32-bit entry, 32-bit completion: the entry's.
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ_32);
    let entry = f.nwd_sent[0].0;
    f.responds_to_nwd(DIRECT_RESP_32);
    assert_eq!(f.pes[0].nwd.0[8..], entry[8..]);
    // 64-bit entry, 64-bit completion of eight registers: the entry's.
    f.nwd_requests(A, DIRECT_REQ_64);
    let entry = f.nwd_sent[0].0;
    f.responds_to_nwd(DIRECT_RESP_64);
    assert_eq!(f.pes[0].nwd.0[8..], entry[8..]);
    // 32-bit entry, 64-bit completion of eight registers: zero.
    f.nwd_requests(A, DIRECT_REQ_32);
    f.responds_to_nwd(DIRECT_RESP_64);
    assert_eq!(f.pes[0].nwd.0[8..], [0; 10]);
    // The entry that counts is the last one, not the request.
    f.nwd_requests(A, DIRECT_REQ_64);
    f.preempt();
    f.nwd(run(A, 0));
    f.responds_to_nwd(DIRECT_RESP_64);
    assert_eq!(f.pes[0].nwd.0[8..], [0; 10]);
    // 64-bit entry, 32-bit completion: the entry's.
    f.nwd_requests(A, DIRECT_REQ2);
    let entry = f.nwd_sent[0].0;
    assert_eq!(f.preempt(), Next::NormalWorld);
    assert_eq!(f.pes[0].nwd.0[8..], entry[8..]);
    // 32-bit entry, eighteen registers: the payload.
    f.nwd(run(A, 0));
    let response = message(DIRECT_RESP2, id(A), VM);
    f.sp(response);
    assert_eq!(f.pes[0].nwd.0[4..], response[4..18]);
}

#[test]
fn no_register_beyond_x17_ever_reaches_the_normal_world_or_a_receiver() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    let own = f.sent(A);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.view(B).gp.x[18..], f.sent(B)[18..]);
    f.responds_to(A, DIRECT_RESP2);
    f.responds_to_nwd(DIRECT_RESP2);
    let shown: Regs = f.pes[0].nwd;
    for value in &own[18..] {
        assert!(!shown.0.contains(value));
    }
    assert_eq!(f.state(A), State::Waiting);
}

/// A strict runner, `A`, that has asked `B` by REQ2 and was told that `B` was interrupted.
fn strict_runner() -> Fixture {
    let mut f = Fixture::booted(&[
        Spec::up(Version::V1_2).strict(),
        Spec::mp(Version::V1_2),
        Spec::up(Version::V1_2),
    ]);
    f.nwd_requests(A, DIRECT_REQ_32);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::Partition(A));
    f.sp_got(A, &[INTERRUPT.into(), target(B, 0)]);
    f
}

const DENIED: [u64; 3] = [ERROR as u64, 0, 0xffff_fffa];

fn run_64(slot: crate::context::Slot) -> Frame {
    frame(&[Function::Run.raw64().into(), target(slot, 0)])
}

#[test]
fn a_response_to_a_strict_32_bit_runner_is_kept_until_a_64_bit_run_fetches_it() {
    let mut f = strict_runner();
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    let response = message(DIRECT_RESP2, id(B), id(A));
    assert_eq!(f.sp(response), Next::Partition(A));
    // x8-x17 of a 32-bit call are never touched; the responder waits meanwhile.
    f.sp_got(A, &DENIED);
    f.waits(B, &response);
    // The 32-bit form is refused again, the 64-bit one fetches it, once.
    f.refused(run(B, 0), Denied);
    let fetch = run_64(B);
    assert_eq!(f.sp(fetch), Next::Partition(A));
    f.sp_got_message(A, &response);
    f.refused(run_64(B), Denied);
    f.responds_to_nwd(DIRECT_RESP_32);
}

#[test]
fn a_strict_64_bit_runner_gets_the_response_at_once() {
    let mut f = strict_runner();
    assert_eq!(f.sp(run_64(B)), Next::Partition(B));
    f.responds_to(A, DIRECT_RESP2);
}

#[test]
fn while_a_response_is_kept_there_is_no_place_for_another() {
    let mut f = strict_runner();
    f.sp(run(B, 0));
    let response = message(DIRECT_RESP2, id(B), id(A));
    f.sp(response);
    for slot in [B, C] {
        f.refused(message(DIRECT_REQ2, id(A), id(slot)), Busy);
        // Other messages go on.
        f.sp_requests(slot, DIRECT_REQ_64);
        f.responds_to(A, DIRECT_RESP_64);
    }
    assert_eq!(f.sp(run_64(B)), Next::Partition(A));
    f.sp_got_message(A, &response);
    f.sp_requests(C, DIRECT_REQ2);
    f.responds_to(A, DIRECT_RESP2);
}

#[test]
fn what_is_kept_is_fetched_before_another_is_run_in_32_bit() {
    let mut f = strict_runner();
    f.sp_requests(C, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::Partition(A));
    f.sp(run(B, 0));
    let first = message(DIRECT_RESP2, id(B), id(A));
    f.sp(first);
    // There would be no place for what C answers.
    f.refused(run(C, 0), Denied);
    assert_eq!(f.sp(run_64(B)), Next::Partition(A));
    f.sp_got_message(A, &first);
    assert_eq!(f.sp(run_64(C)), Next::Partition(C));
    f.responds_to(A, DIRECT_RESP2);
}

#[test]
fn a_kept_response_is_freed_when_either_side_dies() {
    let mut f = strict_runner();
    f.sp(run(B, 0));
    f.sp(message(DIRECT_RESP2, id(B), id(A)));
    f.sp_requests(B, DIRECT_REQ_32);
    assert_eq!(f.abort(), Next::Partition(A));
    assert_eq!(f.sp(run_64(B)), Next::Partition(A));
    f.sp_got(A, &DENIED);
    assert_eq!(f.view(A).parked, None);

    let mut f = strict_runner();
    f.sp(run(B, 0));
    f.sp(message(DIRECT_RESP2, id(B), id(A)));
    assert_eq!(f.abort(), Next::NormalWorld);
    assert_eq!(f.view(A).parked, None);
}

#[test]
fn a_kept_response_whose_sender_died_on_another_core_is_freed() {
    let kept = || {
        let mut f = strict_runner();
        f.sp_requests(C, DIRECT_REQ2);
        assert_eq!(f.preempt(), Next::Partition(A));
        assert_eq!(f.sp(run(C, 0)), Next::Partition(C));
        assert_eq!(
            f.sp(message(DIRECT_RESP2, id(C), id(A))),
            Next::Partition(A)
        );
        assert!(f.view(A).parked.is_some());
        f.pe = 1;
        f.nwd_runs(C);
        assert_eq!(f.abort(), Next::NormalWorld);
        f.pe = 0;
        f
    };
    // It is neither there to be fetched, in either form,
    for call in [run(C, 0), run_64(C)] {
        let mut f = kept();
        assert_eq!(f.sp(call), Next::Partition(A));
        f.sp_got(A, &DENIED);
        assert_eq!(f.view(A).parked, None);
    }
    // nor in the way of another.
    let mut f = kept();
    f.refused(message(DIRECT_REQ2, id(A), id(B)), Busy);
    assert_eq!(f.sp(run_64(B)), Next::Partition(B));
    f.responds_to(A, DIRECT_RESP2);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.view(A).parked, None);
    f.responds_to(A, DIRECT_RESP2);
}
#[test]
fn a_kept_response_is_freed_when_another_context_of_its_partition_fails() {
    let mut f = strict_runner();
    f.sp(run(B, 0));
    f.sp(message(DIRECT_RESP2, id(B), id(A)));
    assert!(f.view(A).parked.is_some());
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.pe = 1;
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    f.sp_requests(B, DIRECT_REQ_32);
    assert_eq!(f.abort(), Next::Partition(A));
    // All of its partition is dead with it.
    f.sp(run(B, 1));
    f.sp_got(A, &[ERROR.into(), 0, Denied.register()]);
    assert!(f.view(A).parked.is_none());
}
