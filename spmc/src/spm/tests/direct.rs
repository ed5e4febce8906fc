//! Direct requests: what is delivered, and each check in its order.

use super::fixture::*;
use crate::{
    spm::Next,
    state::{Model, State},
};
use ffa_abi::{
    EndpointId,
    FfaError::{Aborted, Busy, Denied, InvalidParameters},
    Uuid, Version,
    fid::raw::{self, *},
    message::FRAMEWORK_BIT,
    smccc::SVE_HINT,
};

const REQUESTS: [u32; 3] = [DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2];

/// The response that goes with a request.
fn response(request: u32) -> u32 {
    match request {
        DIRECT_REQ_32 => DIRECT_RESP_32,
        DIRECT_REQ_64 => DIRECT_RESP_64,
        _ => DIRECT_RESP2,
    }
}

/// A REQ2 for a service.
fn req2(sender: EndpointId, receiver: EndpointId, service: Uuid) -> Frame {
    let mut call = message(DIRECT_REQ2, sender, receiver);
    (call[2], call[3]) = service.registers();
    call
}

#[test]
fn the_normal_world_exchanges_each_form_with_each_kind_of_partition() {
    let mut f = Fixture::new();
    for slot in [A, B, C] {
        for request in REQUESTS {
            // Twice: what the first exchange left does not change the second.
            for _ in 0..2 {
                f.nwd_requests(slot, request);
                f.responds_to_nwd(response(request));
            }
        }
    }
}

#[test]
fn partitions_exchange_each_form() {
    let mut f = Fixture::new();
    for (from, to) in [(A, B), (B, C), (C, A)] {
        for request in REQUESTS {
            f.nwd_requests(from, DIRECT_REQ_32);
            f.sp_requests(to, request);
            f.responds_to(from, response(request));
            f.responds_to_nwd(DIRECT_RESP_32);
        }
    }
}

#[test]
fn a_chain_of_all_partitions_unwinds_in_order() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ_64);
    f.sp_requests(C, DIRECT_REQ2);
    f.sp_requests(OLD, DIRECT_REQ_32);
    f.responds_to(C, DIRECT_RESP_32);
    f.responds_to(B, DIRECT_RESP2);
    f.responds_to(A, DIRECT_RESP_64);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn upper_halves_of_identifiers_and_of_32_bit_arguments_are_neither_read_nor_shown() {
    let mut f = Fixture::new();
    for request in REQUESTS {
        let mut call = message(request, VM, id(A));
        call[0] |= 0xdead_beef_0000_0000;
        call[1] |= 0xdead_beef_0000_0000;
        if request != DIRECT_REQ2 {
            call[2] |= 0xdead_beef_0000_0000;
        }
        assert_eq!(f.nwd(call), Next::Partition(A));
        f.sp_got_message(A, &call);
        let mut call = message(response(request), id(A), VM);
        call[0] |= 0xdead_beef_0000_0000;
        call[1] |= 0xdead_beef_0000_0000;
        assert_eq!(f.sp(call), Next::NormalWorld);
        f.nwd_got_message(&call);
    }
}

#[test]
fn the_sve_hint_is_never_shown_to_a_receiver() {
    let mut f = Fixture::new();
    for request in REQUESTS {
        let mut call = message(request, VM, id(A));
        call[0] |= u64::from(SVE_HINT);
        assert_eq!(f.nwd(call), Next::Partition(A));
        f.sp_got_message(A, &call);
        assert_eq!(f.view(A).gp.x[0], request.into());

        let mut call = message(request, id(A), id(B));
        call[0] |= u64::from(SVE_HINT);
        assert_eq!(f.sp(call), Next::Partition(B));
        f.sp_got_message(B, &call);

        let mut call = message(response(request), id(B), id(A));
        call[0] |= u64::from(SVE_HINT);
        assert_eq!(f.sp(call), Next::Partition(A));
        f.sp_got_message(A, &call);

        let mut call = message(response(request), id(A), VM);
        call[0] |= u64::from(SVE_HINT);
        assert_eq!(f.sp(call), Next::NormalWorld);
        f.nwd_got_message(&call);
    }
}

#[test]
fn a_request_2_names_a_service_of_the_receiver_or_none() {
    let mut f = Fixture::new();
    let mut own = SERVICE;
    own.0[15] = A.0;
    for service in [Uuid::NIL, SERVICE, own] {
        let call = req2(VM, id(A), service);
        assert_eq!(f.nwd(call), Next::Partition(A));
        f.sp_got_message(A, &call);
        assert_eq!(
            (f.view(A).gp.x[2], f.view(A).gp.x[3]),
            service.registers(),
            "the service is shown to its receiver"
        );
        f.responds_to_nwd(DIRECT_RESP2);
    }
    // Another partition's.
    f.refused(req2(VM, id(B), own), InvalidParameters);
}

// Checks 1 and 3 of the request: reserved bits and identifiers.
#[test]
fn wrong_identifiers_are_invalid_parameters() {
    let mut f = Fixture::new();
    let unknown = EndpointId(0x8077);
    for request in REQUESTS {
        for (sender, receiver) in [
            // Equal.
            (VM, VM),
            (id(A), id(A)),
            // A partition's or the framework's id, from the normal world.
            (id(B), id(A)),
            (EndpointId::SPMC, id(A)),
            (EndpointId::SPMD, id(A)),
            (EndpointId(0xffc0), id(A)),
            // To another VM, the SPMC, the SPMD, an EL3 logical partition, nobody.
            (VM, EndpointId(4)),
            (VM, EndpointId::HYPERVISOR),
            (VM, EndpointId::SPMC),
            (VM, EndpointId::SPMD),
            (VM, EndpointId(0xffc0)),
            (VM, unknown),
        ] {
            f.refused(message(request, sender, receiver), InvalidParameters);
        }
        f.nwd_requests(A, request);
        for (sender, receiver) in [
            (id(A), id(A)),
            (id(B), id(C)),
            (VM, id(B)),
            (EndpointId::SPMC, id(B)),
            // A partition does not send to VMs.
            (id(A), VM),
            (id(A), EndpointId::HYPERVISOR),
            (id(A), EndpointId::SPMC),
            (id(A), unknown),
        ] {
            f.refused(message(request, sender, receiver), InvalidParameters);
        }
        f.responds_to_nwd(response(request));
    }
}

#[test]
fn the_hypervisor_itself_may_send() {
    let mut f = Fixture::new();
    let call = message(DIRECT_REQ2, EndpointId::HYPERVISOR, id(A));
    assert_eq!(f.nwd(call), Next::Partition(A));
    f.sp_got_message(A, &call);
    let answer = message(DIRECT_RESP2, id(A), EndpointId::HYPERVISOR);
    assert_eq!(f.sp(answer), Next::NormalWorld);
    f.nwd_got_message(&answer);
}

#[test]
fn reserved_bits_and_framework_messages_of_endpoints_are_invalid_parameters() {
    let mut f = Fixture::new();
    f.nwd_requests(B, DIRECT_REQ_32);
    f.pe = 1;
    f.nwd_requests(A, DIRECT_REQ_32);
    for pe in [0, 1] {
        f.pe = pe;
        let sender = id(f.running());
        for request in [DIRECT_REQ_32, DIRECT_REQ_64] {
            for w2 in [1, 0x8000_0000, 0x8000_0008, 0x8000_0100, 0x4000_0000] {
                let mut call = message(request, sender, id(C));
                call[2] = w2;
                f.refused(call, InvalidParameters);
            }
        }
    }
    f.responds_to_nwd(DIRECT_RESP_32);
    for request in [DIRECT_REQ_32, DIRECT_REQ_64] {
        for low in [0, 1, 2, 4, 8, 10, 12, 0xff] {
            let mut call = message(request, VM, id(C));
            call[2] = u64::from(FRAMEWORK_BIT | low);
            f.refused(call, InvalidParameters);
            call[1] = ids(VM, EndpointId::SPMC);
            f.refused(call, InvalidParameters);
        }
    }
}

// Check 5 comes before check 6: an unknown service of a receiver that is too old.
#[test]
fn an_unknown_service_is_reported_before_versions_and_methods() {
    let mut f = Fixture::new();
    let foreign = Uuid([7; 16]);
    for receiver in [A, OLD, MUTE] {
        f.refused(req2(VM, id(receiver), foreign), InvalidParameters);
    }
    f.nwd_requests(OLD, DIRECT_REQ_32);
    f.refused(req2(id(OLD), id(A), foreign), InvalidParameters);
}

// Check 6.
#[test]
fn versions_below_1_2_neither_send_nor_receive_request_2() {
    let mut f = Fixture::new();
    f.refused(req2(VM, id(OLD), Uuid::NIL), Denied);
    f.nwd_requests(OLD, DIRECT_REQ_64);
    f.refused(req2(id(OLD), id(A), Uuid::NIL), Denied);
    f.sp_requests(A, DIRECT_REQ_64);
    f.responds_to(OLD, DIRECT_RESP_64);
    f.responds_to_nwd(DIRECT_RESP_64);
}

#[test]
fn the_version_that_counts_is_the_one_that_was_negotiated_last() {
    // A manifest's version, and what the partition asks for while it initialises.
    for (manifest, asked) in [
        (Version::V1_1, None),
        (Version::V1_2, Some(Version::V1_1)),
        (Version::V1_1, Some(Version::V1_2)),
        (Version::V1_3, Some(Version::V1_0)),
    ] {
        for spec in [Spec::up(manifest), Spec::mp(manifest)] {
            let mut f = Fixture::with(1, &[spec]);
            f.start(A);
            if let Some(asked) = asked {
                f.sp(frame(&[raw::VERSION.into(), asked.raw().into()]));
            }
            assert_eq!(f.sp(msg_wait()), Next::Booted);
            f.now[0] = Next::NormalWorld;
            f.nwd(frame(&[raw::VERSION.into(), Version::V1_2.raw().into()]));
            // Twice: the first call of the normal world fixes its own version.
            for _ in 0..2 {
                if asked.unwrap_or(manifest) < Version::V1_2 {
                    f.refused(req2(VM, id(A), Uuid::NIL), Denied);
                    f.refused(req2(VM, id(A), SERVICE), Denied);
                } else {
                    f.nwd_requests(A, DIRECT_REQ2);
                    f.responds_to_nwd(DIRECT_RESP2);
                }
            }
        }
    }
}

#[test]
fn a_normal_world_below_1_2_does_not_send_request_2() {
    for version in [None, Some(Version::V1_0), Some(Version::V1_1)] {
        let mut f = Fixture::with(1, &[Spec::up(Version::V1_2)]);
        f.boot();
        if let Some(version) = version {
            f.nwd(frame(&[raw::VERSION.into(), version.raw().into()]));
        }
        f.refused(req2(VM, id(A), Uuid::NIL), Denied);
        f.nwd_requests(A, DIRECT_REQ_64);
        f.responds_to_nwd(DIRECT_RESP_64);
    }
}

#[test]
fn the_manifests_methods_are_respected_one_by_one() {
    const RECEIVE: u32 = 1;
    const SEND: u32 = 1 << 1;
    const RECEIVE2: u32 = 1 << 9;
    const SEND2: u32 = 1 << 10;
    for methods in 0..16 {
        let methods = [RECEIVE, SEND, RECEIVE2, SEND2]
            .iter()
            .enumerate()
            .filter(|(n, _)| methods & 1 << n != 0)
            .fold(0, |all, (_, bit)| all | bit);
        let mut f = Fixture::with(
            1,
            &[
                Spec::up(Version::V1_2).methods(methods),
                Spec::up(Version::V1_2),
            ],
        );
        f.boot();
        f.nwd(frame(&[raw::VERSION.into(), Version::V1_2.raw().into()]));
        for request in REQUESTS {
            let (send, receive) = match request {
                DIRECT_REQ2 => (SEND2, RECEIVE2),
                _ => (SEND, RECEIVE),
            };
            if methods & receive != 0 {
                f.nwd_requests(A, request);
                f.responds_to_nwd(response(request));
            } else {
                f.refused(message(request, VM, id(A)), Denied);
            }
            f.nwd_runs(A);
            if methods & send != 0 {
                f.sp_requests(B, request);
                f.responds_to(A, response(request));
            } else {
                f.refused(message(request, id(A), id(B)), Denied);
            }
            assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
        }
    }
}

// Check 6 comes before checks 7, 8 and 10.
#[test]
fn missing_methods_are_reported_before_what_the_receiver_is_doing() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2).methods(0)]);
    f.refused(message(DIRECT_REQ_32, VM, id(A)), Denied);
    f.boot();
    f.nwd_runs(A);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.refused(message(DIRECT_REQ_32, VM, id(A)), Denied);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    assert_eq!(f.abort(), Next::NormalWorld);
    f.refused(message(DIRECT_REQ_32, VM, id(A)), Denied);
}

// Check 7.
#[test]
fn a_partition_that_has_not_run_or_still_initialises_is_busy() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2), Spec::up(Version::V1_2)]);
    for request in REQUESTS {
        let version = u64::from(Version::V1_2.raw());
        f.nwd(frame(&[raw::VERSION.into(), version]));
        f.refused(message(request, VM, id(A)), Busy);
    }
    f.start(A);
    for request in REQUESTS {
        f.refused(message(request, id(A), id(B)), Busy);
    }
    assert_eq!(f.state(A), State::Starting);
}

#[test]
fn an_initialising_partition_calls_one_that_has_finished() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2), Spec::up(Version::V1_2)]);
    f.start(A);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.start(B);
    for request in REQUESTS {
        f.sp_requests(A, request);
        f.responds_to(B, response(request));
        assert_eq!(f.view(B).model, Model::Init);
    }
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    assert_eq!(f.state(B), State::Waiting);
}

// Checks 8 and 12.
#[test]
fn a_receiver_that_is_not_waiting_is_busy() {
    let mut f = Fixture::new();
    // Blocked in a request of its own, while it serves one.
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ_32);
    for request in REQUESTS {
        f.refused(message(request, id(B), id(A)), Busy);
    }
    // Preempted.
    assert_eq!(f.preempt(), Next::Partition(A));
    for request in REQUESTS {
        f.refused(message(request, id(A), id(B)), Busy);
    }
    assert_eq!(f.preempt(), Next::NormalWorld);
    for request in REQUESTS {
        for slot in [A, B] {
            f.refused(message(request, VM, id(slot)), Busy);
        }
    }
    // Blocked in a yield.
    f.nwd_runs(C);
    assert_eq!(f.sp(yields(0)), Next::NormalWorld);
    f.refused(message(DIRECT_REQ_32, VM, id(C)), Busy);
}

#[test]
fn a_receiver_that_runs_on_another_core_is_busy() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.pe = 1;
    for request in REQUESTS {
        f.refused(message(request, VM, id(A)), Busy);
    }
    f.nwd_requests(C, DIRECT_REQ_32);
    f.refused(message(DIRECT_REQ_32, id(C), id(A)), Busy);
}

// Check 9 after check 8: a loop.
#[test]
fn a_loop_is_busy_if_its_head_serves_and_denied_if_it_was_run() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ_32);
    f.sp_requests(B, DIRECT_REQ_32);
    f.sp_requests(C, DIRECT_REQ_32);
    f.refused(message(DIRECT_REQ_32, id(C), id(A)), Busy);
    f.refused(message(DIRECT_REQ_32, id(C), id(B)), Busy);
    f.responds_to(B, DIRECT_RESP_32);
    f.responds_to(A, DIRECT_RESP_32);
    f.responds_to_nwd(DIRECT_RESP_32);

    f.nwd_runs(A);
    f.sp_requests(B, DIRECT_REQ_32);
    f.sp_requests(C, DIRECT_REQ_32);
    f.refused(message(DIRECT_REQ_32, id(C), id(A)), Denied);
    f.refused(message(DIRECT_REQ_32, id(C), id(B)), Busy);
    f.responds_to(B, DIRECT_RESP_32);
    f.refused(message(DIRECT_REQ_32, id(B), id(A)), Denied);
}

#[test]
fn a_blocked_context_of_another_chain_is_busy_however_it_was_entered() {
    let mut f = Fixture::new();
    f.nwd_runs(C);
    assert_eq!(f.sp(yields(0)), Next::NormalWorld);
    f.nwd_runs(A);
    f.refused(message(DIRECT_REQ_32, id(A), id(C)), Busy);
}

// Check 10.
#[test]
fn an_aborted_receiver_is_aborted_for_every_caller_on_every_core() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.abort(), Next::NormalWorld);
    for pe in [0, 1, 0] {
        f.pe = pe;
        for request in REQUESTS {
            f.refused(message(request, VM, id(A)), Aborted);
        }
    }
    f.nwd_requests(B, DIRECT_REQ2);
    f.refused(message(DIRECT_REQ2, id(B), id(A)), Aborted);
    f.pe = 1;
    f.refused(message(DIRECT_REQ2, VM, id(A)), Aborted);
}

#[test]
fn each_context_of_a_partition_serves_its_own_core() {
    let mut f = Fixture::new();
    f.nwd_requests(B, DIRECT_REQ2);
    f.pe = 1;
    f.nwd_requests(B, DIRECT_REQ_32);
    f.pe = 0;
    f.responds_to_nwd(DIRECT_RESP2);
    f.pe = 1;
    f.responds_to_nwd(DIRECT_RESP_32);
}

#[test]
fn a_strict_partition_receives_a_64_bit_message_only_in_a_64_bit_wait() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_3).strict()]);
    f.boot();
    f.nwd(frame(&[raw::VERSION.into(), Version::V1_2.raw().into()]));
    // It waits in the 32-bit form: x8-x17 are its own.
    f.refused(message(DIRECT_REQ2, VM, id(A)), Denied);
    f.nwd_requests(A, DIRECT_REQ_64);
    f.responds_to_nwd(DIRECT_RESP_64);
    f.nwd_runs(A);
    assert_eq!(f.sp(frame(&[MSG_WAIT_64.into()])), Next::NormalWorld);
    f.nwd_requests(A, DIRECT_REQ2);
    // A 64-bit response is a wait of that form, a 32-bit one is not.
    f.responds_to_nwd(DIRECT_RESP2);
    f.nwd_requests(A, DIRECT_REQ2);
    f.responds_to_nwd(DIRECT_RESP2);
    f.nwd_requests(A, DIRECT_REQ_32);
    f.responds_to_nwd(DIRECT_RESP_32);
    f.refused(message(DIRECT_REQ2, VM, id(A)), Denied);
}
