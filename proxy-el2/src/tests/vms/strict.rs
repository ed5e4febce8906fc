//! The register contract between VMs in strict mode.

use super::fixture::*;
use crate::proxy::Turn;
use ffa_abi::{FfaError::*, Version, fid::raw::*};

#[test]
fn a_strict_vm_gets_extended_requests_in_its_64_bit_wait_only() {
    for (wait, delivered) in [(MSG_WAIT_32, false), (MSG_WAIT_64, true)] {
        let mut vms = Vms::of([primary(1), strict(secondary(2))]);
        vms.version(0, Version::V1_2);
        vms.wait(0, 2, 0, Version::V1_2, wait);
        if delivered {
            vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
            assert_eq!(vms.running(0), vcpu(2, 0));
            // It waits in the response's form again.
            vms.goes_on(0, &message(DIRECT_RESP2, 2, 1));
            vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
        } else {
            vms.refused(0, &message(DIRECT_REQ2, 1, 2), Denied);
            vms.goes_on(0, &message(DIRECT_REQ_64, 1, 2));
            vms.goes_on(0, &message(DIRECT_RESP_64, 2, 1));
        }
    }
}

#[test]
fn what_a_strict_runner_can_not_be_given_is_kept_until_it_asks_in_64_bits() {
    let mut vms = Vms::of([primary(1), strict(secondary(2)), secondary(3)]);
    vms.wait(0, 3, 0, Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_2);
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    assert_eq!(vms.interrupt(0, Turn::Level(1)), crate::proxy::Next::Vcpu);
    let sent = vms.goes_on(0, &run(RUN, 3, 0));
    let back = message(DIRECT_RESP2, 3, 2);
    vms.goes_on(0, &back);
    let mut expected = sent;
    expected[..8].copy_from_slice(&[ERROR.into(), 0, Denied.register(), 0, 0, 0, 0, 0]);
    assert_eq!(vms.x(0), expected);
    // The one place is taken, and fetched first.
    vms.refused(0, &message(DIRECT_REQ2, 2, 3), Busy);
    vms.refused(0, &run(RUN, 3, 0), Denied);
    let sent = vms.goes_on(0, &run(RUN_64, 3, 0));
    assert_eq!(vms.x(0), seen(&sent, &back));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    assert_eq!(vms.running(0), vcpu(3, 0));
}

#[test]
fn an_answer_in_x0_x17_is_not_for_a_runner_below_1_2() {
    // It asked in 64 bits of eight registers: the answer's kind must fit, so that it never meets one.
    let mut vms = Vms::of([primary(1), secondary(2), secondary(3)]);
    vms.wait(0, 3, 0, Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_1);
    vms.goes_on(0, &message(DIRECT_REQ_64, 2, 3));
    vms.refused(0, &message(DIRECT_RESP2, 3, 2), Denied);
}
