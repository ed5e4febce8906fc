//! Requests and responses between VMs.

use super::fixture::*;
use crate::{proxy::Next, vcpu::State, vm::VmInfo};
use ffa_abi::{EndpointId, FfaError::*, Version, fid::raw::*, messaging::Messaging};

const KINDS: [(u32, u32); 3] = [
    (DIRECT_REQ_32, DIRECT_RESP_32),
    (DIRECT_REQ_64, DIRECT_RESP_64),
    (DIRECT_REQ2, DIRECT_RESP2),
];

#[test]
fn a_request_of_each_kind_reaches_a_vm_that_waits_and_so_does_its_answer() {
    for (request, response) in KINDS {
        let mut vms = Vms::waiting(2);
        let waits = vms.proxy.unpark(vcpu(2, 0)).unwrap();
        let own = waits.machine.0;
        vms.proxy.put_back(waits);

        let there = message(request, 1, 2);
        let sent = vms.goes_on(0, &there);
        assert_eq!(vms.running(0), vcpu(2, 0));
        assert_eq!(vms.x(0), seen(&own, &there));
        assert_eq!(vms.host.slices, [true]);

        let back = message(response, 2, 1);
        vms.goes_on(0, &back);
        assert_eq!(vms.running(0), vcpu(1, 0));
        assert_eq!(vms.x(0), seen(&sent, &back));
        assert_eq!(vms.state(2, 0), Some(State::Waiting));
        assert_eq!(
            (vms.host.slices, vms.host.left),
            (vec![true, false], vec![vcpu(2, 0)])
        );
    }
}

#[test]
fn a_service_is_told_to_the_receiver_and_an_unknown_one_is_nobodys() {
    let mut vms = Vms::waiting(2);
    let (low, high) = service(2).registers();
    let mut there = message(DIRECT_REQ2, 1, 2);
    (there[2], there[3]) = (low, high);
    vms.goes_on(0, &there);
    assert_eq!(vms.x(0)[2..4], [low, high]);
    // What the answer echoes there is not delivered.
    let mut back = message(DIRECT_RESP2, 2, 1);
    (back[2], back[3]) = (low, high);
    vms.goes_on(0, &back);
    assert_eq!(vms.x(0)[2..4], [0, 0]);

    there[2] ^= 1;
    vms.refused(0, &there, InvalidParameters);
}

#[test]
fn a_chain_of_requests_comes_back_in_order() {
    let mut vms = Vms::waiting(4);
    for n in 1..4 {
        vms.goes_on(0, &message(DIRECT_REQ2, n, n + 1));
        assert_eq!(vms.running(0), vcpu(n + 1, 0));
    }
    for n in (1..4).rev() {
        vms.goes_on(0, &message(DIRECT_RESP2, n + 1, n));
        assert_eq!(vms.running(0), vcpu(n, 0));
        assert_eq!(vms.x(0)[0] as u32, DIRECT_RESP2);
    }
}

#[test]
fn ids_and_reserved_bits_that_can_not_be() {
    let mut vms = Vms::waiting(3);
    for request in [DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2] {
        for (from, to) in [(2, 3), (0, 2), (0x8001, 2), (1, 1), (1, 7), (1, 0)] {
            vms.refused(0, &message(request, from, to), InvalidParameters);
        }
    }
    for request in [DIRECT_REQ_32, DIRECT_REQ_64] {
        for w2 in [1, 1 << 31, 1 << 31 | 4] {
            let mut there = message(request, 1, 2);
            there[2] = w2;
            vms.refused(0, &there, InvalidParameters);
        }
    }
}

#[test]
fn methods_of_both_sides_are_asked_for() {
    for (request, receive, send) in [
        (DIRECT_REQ_32, 1 << 0, 1 << 1),
        (DIRECT_REQ_64, 1 << 0, 1 << 1),
        (DIRECT_REQ2, 1 << 9, 1 << 10),
    ] {
        let with = |info: VmInfo, all: u32| VmInfo {
            messaging: Messaging(all),
            ..info
        };
        for (sends, receives, answer) in [
            (send, receive, None),
            (!send, receive, Some(Denied)),
            (send, !receive, Some(Denied)),
        ] {
            let mut vms = Vms::of([with(primary(1), sends), with(secondary(2), receives)]);
            vms.version(0, Version::V1_2);
            vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
            match answer {
                Some(error) => vms.refused(0, &message(request, 1, 2), error),
                None => {
                    vms.goes_on(0, &message(request, 1, 2));
                    assert_eq!(vms.running(0), vcpu(2, 0));
                }
            }
        }
    }
}

#[test]
fn who_does_not_wait_is_busy() {
    let mut vms = Vms::of([primary(1), secondary(2), secondary(3)]);
    vms.version(0, Version::V1_2);
    // Never run.
    vms.refused(0, &message(DIRECT_REQ_32, 1, 2), Busy);
    vms.wait(0, 3, 0, Version::V1_2, MSG_WAIT_32);
    // In the chain itself: 2 was run and calls 3, which calls 2 and 1.
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_2);
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    vms.refused(0, &message(DIRECT_REQ_32, 3, 2), Busy);
    // The primary receives nothing.
    vms.refused(0, &message(DIRECT_REQ_32, 3, 1), Denied);
    vms.goes_on(0, &message(DIRECT_RESP2, 3, 2));
    // It yielded.
    vms.goes_on(0, &[YIELD.into()]);
    assert_eq!(vms.running(0), vcpu(1, 0));
    vms.refused(0, &message(DIRECT_REQ_32, 1, 2), Busy);
}

#[test]
fn extended_messages_need_1_2_on_both_sides() {
    for version in [Version::V1_0, Version::V1_1] {
        let mut vms = Vms::of([primary(1), secondary(2)]);
        vms.version(0, Version::V1_2);
        vms.wait(0, 2, 0, version, MSG_WAIT_32);
        vms.refused(0, &message(DIRECT_REQ2, 1, 2), Denied);
        vms.goes_on(0, &message(DIRECT_REQ_64, 1, 2));
        vms.refused(0, &message(DIRECT_RESP2, 2, 1), NotSupported);

        let mut vms = Vms::of([primary(1), secondary(2)]);
        vms.version(0, version);
        vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
        vms.refused(0, &message(DIRECT_REQ2, 1, 2), NotSupported);
    }
}

#[test]
fn responses_that_answer_nothing() {
    let mut vms = Vms::waiting(3);
    // Run, and asked nothing.
    vms.goes_on(0, &run(RUN, 2, 0));
    for response in [DIRECT_RESP_32, DIRECT_RESP_64, DIRECT_RESP2] {
        vms.refused(0, &message(response, 2, 1), Denied);
        vms.refused(0, &message(response, 3, 1), InvalidParameters);
        vms.refused(0, &message(response, 2, 2), InvalidParameters);
    }
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    // To somebody else, or of another kind.
    for (request, response) in KINDS {
        vms.goes_on(0, &message(request, 1, 2));
        for (_, other) in KINDS {
            vms.refused(0, &message(other, 2, 3), Denied);
            let extended = |fid| fid == DIRECT_RESP2;
            if extended(other) != extended(response) {
                vms.refused(0, &message(other, 2, 1), Denied);
            }
        }
        let mut framework = message(DIRECT_RESP_32, 2, 1);
        framework[2] = 1 << 31 | 7;
        vms.refused(0, &framework, InvalidParameters);
        vms.refused(0, &[MSG_WAIT_32.into()], Denied);
        vms.goes_on(0, &message(response, 2, 1));
        assert_eq!(vms.running(0), vcpu(1, 0));
    }
}

#[test]
fn a_response_of_the_other_width_is_delivered_below_1_3() {
    for (version, delivered) in [(Version::V1_2, true), (Version::V1_3, false)] {
        for (request, response) in [
            (DIRECT_REQ_32, DIRECT_RESP_64),
            (DIRECT_REQ_64, DIRECT_RESP_32),
        ] {
            let mut vms = Vms::of([primary(1), secondary(2)]);
            vms.version(0, Version::V1_2);
            vms.wait(0, 2, 0, version, MSG_WAIT_32);
            let sent = vms.goes_on(0, &message(request, 1, 2));
            let back = message(response, 2, 1);
            if delivered {
                vms.goes_on(0, &back);
                assert_eq!(vms.x(0), seen(&sent, &back));
            } else {
                vms.refused(0, &back, Denied);
            }
        }
    }
}

#[test]
fn the_primary_neither_waits_nor_answers() {
    let mut vms = Vms::waiting(2);
    for call in [
        vec![u64::from(MSG_WAIT_32)],
        vec![YIELD.into()],
        message(DIRECT_RESP_32, 1, 2),
        message(DIRECT_RESP2, 1, 2),
    ] {
        vms.refused(0, &call, NotSupported);
    }
}

#[test]
fn a_vm_of_several_vcpus_is_called_on_the_core_of_the_caller() {
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2), pinned(secondary(3), 1)]);
    vms.version(0, Version::V1_2);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
    vms.wait(0, 3, 0, Version::V1_2, MSG_WAIT_32);
    // Its second vCPU is off.
    let on = |vms: &mut Vms, vm: u16| {
        vms.goes_on(0, &run(RUN, vm, 0));
        let entry = u64::from(vm) << 12;
        vms.goes_on(0, &[0xc400_0003, 1, entry, 0]);
        assert_eq!(vms.x(0)[0], 0);
        vms.goes_on(0, &[MSG_WAIT_32.into()]);
    };
    on(&mut vms, 2);
    vms.goes_on(0, &[0xc400_0003, 1, 0x1000, 0]);
    assert_eq!((vms.x(0)[0], &vms.host.powered), (0, &vec![1]));
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    assert_eq!(vms.running(1), vcpu(1, 1));

    vms.refused(1, &message(DIRECT_REQ2, 1, 2), Busy);
    // 3 has no vCPU on that core.
    vms.refused(1, &message(DIRECT_REQ2, 1, 3), Denied);
    vms.goes_on(1, &run(RUN, 2, 1));
    vms.goes_on(1, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
    vms.goes_on(1, &message(DIRECT_REQ2, 1, 2));
    assert_eq!((vms.running(0), vms.running(1)), (vcpu(2, 0), vcpu(2, 1)));
    vms.goes_on(0, &message(DIRECT_RESP2, 2, 1));
    vms.goes_on(1, &message(DIRECT_RESP2, 2, 1));
    assert_eq!((vms.running(0), vms.running(1)), (vcpu(1, 0), vcpu(1, 1)));
}

#[test]
fn a_vm_that_migrates_is_on_one_core_at_a_time() {
    let mut vms = Vms::of([primary(2), secondary(2)]);
    vms.version(0, Version::V1_2);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &[0xc400_0003, 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(1, &message(DIRECT_REQ2, 1, 2));
    vms.refused(0, &message(DIRECT_REQ2, 1, 2), Busy);
    vms.refused(0, &run(RUN, 2, 0), Busy);
    vms.goes_on(1, &message(DIRECT_RESP2, 2, 1));
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
    assert_eq!(vms.running(0), vcpu(2, 0));
    assert_eq!(vms.proxy.find(EndpointId(2)), Some(vcpu(2, 0).vm));
}

#[test]
fn a_request_from_nobody_to_nobody_reaches_nobody() {
    // The first VM is no primary, and waits; a vCPU that has sent nothing yet knows no way.
    let mut vms = Vms::of([secondary(2), primary(1), secondary(3)]);
    vms.version(0, Version::V1_3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_3);
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    for x1 in [0, 1 << 32, u64::from(u32::MAX), u64::MAX] {
        let mut request = message(DIRECT_REQ2, 0, 0);
        (request[1], request[2], request[3]) = (x1, 0, 0);
        vms.refused(0, &request, InvalidParameters);
    }
}
