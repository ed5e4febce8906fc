//! `FFA_RUN`, `FFA_MSG_WAIT`, `FFA_YIELD` and waiting for interrupts.

use super::fixture::*;
use crate::{
    proxy::{Next, Turn},
    vcpu::State,
};
use ffa_abi::{FfaError::*, Version, fid::raw::*};

#[test]
fn a_vm_that_waits_is_told_that_it_was_run() {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0)[..8], [RUN.into(), 2 << 16, 0, 0, 0, 0, 0, 0]);
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    assert_eq!(vms.x(0)[..3], [MSG_WAIT.into(), 2 << 16, 0]);
}

#[test]
fn the_first_entry_finds_the_registers_that_the_machine_gave() {
    let mut vms = Vms::of([primary(1), secondary(2)]);
    let first = vms.proxy.unpark(vcpu(2, 0)).unwrap();
    let own = first.machine.0;
    vms.proxy.put_back(first);
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0), own);
}

#[test]
fn runs_that_can_not_be() {
    let mut vms = Vms::waiting(3);
    for (vm, index, error) in [
        (1, 0, InvalidParameters),
        (7, 0, InvalidParameters),
        (0, 0, InvalidParameters),
        (2, 1, InvalidParameters),
        (2, 8, InvalidParameters),
    ] {
        vms.refused(0, &run(RUN, vm, index), error);
    }
    // Only the primary gives cycles to one that waits.
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.refused(0, &run(RUN, 3, 0), Denied);
    vms.refused(0, &run(RUN, 1, 0), Denied);
    vms.refused(0, &run(RUN_64, 3, 0), NotSupported);
}

#[test]
fn a_vcpu_that_is_off_or_on_another_core_is_not_run() {
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2)]);
    vms.refused(0, &run(RUN, 2, 1), InvalidParameters);
    vms.goes_on(0, &[0xc400_0003, 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.refused(1, &run(RUN, 2, 1), InvalidParameters);
    vms.refused(1, &run(RUN, 2, 0), InvalidParameters);
}

#[test]
fn who_yields_goes_on_with_success() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &[YIELD.into(), 0, 0x1234, 0x5]);
    assert_eq!(vms.x(0)[..5], [YIELD.into(), 2 << 16, 0x1234, 0x5, 0]);
    assert_eq!(vms.state(2, 0), Some(State::Yielded));
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0)[..3], [SUCCESS_32.into(), 0, 0]);
}

#[test]
fn who_yields_in_a_request_is_run_by_its_sender_alone() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    vms.goes_on(0, &[YIELD.into()]);
    assert_eq!(vms.running(0), vcpu(2, 0));
    assert_eq!(vms.x(0)[..2], [YIELD.into(), 3 << 16]);
    // The sender yields as well: the primary is not whom 3 works for.
    vms.goes_on(0, &[YIELD.into()]);
    vms.refused(0, &run(RUN, 3, 0), Denied);
    vms.goes_on(0, &run(RUN, 2, 0));
    let sent = vms.goes_on(0, &run(RUN, 3, 0));
    assert_eq!(vms.running(0), vcpu(3, 0));
    let back = message(DIRECT_RESP2, 3, 2);
    vms.goes_on(0, &back);
    assert_eq!(vms.running(0), vcpu(2, 0));
    assert_eq!(vms.x(0), seen(&sent, &back));
}

#[test]
fn up_to_1_1_nobody_yields_in_a_request() {
    for version in [Version::V1_0, Version::V1_1] {
        let mut vms = Vms::of([primary(1), secondary(2)]);
        vms.version(0, Version::V1_2);
        vms.wait(0, 2, 0, version, MSG_WAIT_32);
        vms.goes_on(0, &message(DIRECT_REQ_64, 1, 2));
        vms.refused(0, &[YIELD.into()], Denied);
        assert_eq!(vms.running(0), vcpu(2, 0));
        vms.goes_on(0, &message(DIRECT_RESP_64, 2, 1));
        // In cycles that it was given it may.
        vms.goes_on(0, &run(RUN, 2, 0));
        vms.goes_on(0, &[YIELD.into()]);
        assert_eq!(vms.x(0)[..2], [YIELD.into(), 2 << 16]);
    }
}

#[test]
fn an_answer_that_nobody_waits_for_goes_into_the_void() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    vms.goes_on(0, &[YIELD.into()]);
    // The sender ends without the answer.
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.refused(0, &message(DIRECT_REQ2, 1, 3), Busy);
    let sent = vms.goes_on(0, &run(RUN, 3, 0));
    assert_eq!(vms.running(0), vcpu(3, 0));
    vms.goes_on(0, &message(DIRECT_RESP2, 3, 2));
    assert_eq!(vms.running(0), vcpu(1, 0));
    let x = vms.x(0);
    assert_eq!(x[..3], [MSG_WAIT.into(), 3 << 16, 0]);
    assert_eq!(x[8..], sent[8..]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 3));
}

#[test]
fn waiting_for_an_interrupt_gives_the_core_back_with_the_time_until_the_timer() {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    let own = vms.x(0);
    // One is pending: it does not wait.
    vms.host.pending.insert(vcpu(2, 0));
    assert_eq!(vms.wfi(0), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(2, 0));
    vms.host.pending.clear();
    for (timer, told) in [
        (None, [0, 0]),
        (Some(0), [1, 0]),
        (Some(0x1_2345_6789), [0x2345_6789, 1]),
    ] {
        vms.host.timer = timer;
        assert_eq!(vms.wfi(0), Next::Vcpu);
        assert_eq!(vms.running(0), vcpu(1, 0));
        assert_eq!(vms.x(0)[..5], [YIELD.into(), 2 << 16, told[0], told[1], 0]);
        vms.goes_on(0, &run(RUN, 2, 0));
        assert_eq!(vms.x(0), own, "it goes on behind its WFI");
    }
}

#[test]
fn the_primary_waits_with_its_core() {
    let mut vms = Vms::waiting(2);
    assert_eq!(vms.wfi(0), Next::Idle);
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(1, 0));
}

#[test]
fn msg_wait_by_64_bit_forms_is_for_1_3_and_strict_vms() {
    let mut vms = Vms::of([primary(1), secondary(2)]);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_2);
    vms.refused(0, &[MSG_WAIT_64.into()], NotSupported);
    vms.refused(0, &[(YIELD | 1 << 30).into()], NotSupported);

    let mut vms = Vms::of([primary(1), strict(secondary(2))]);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_64);
    let mut vms = Vms::of([primary(1), secondary(2)]);
    vms.wait(0, 2, 0, Version::V1_3, MSG_WAIT_64);
}
