//! Interrupts while VMs run: whose turn it is.

use super::fixture::*;
use crate::{
    proxy::{Next, Turn},
    vcpu::State,
};
use ffa_abi::fid::raw::*;

/// VM 1 called 2, which called 3.
fn three() -> Vms {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    vms
}

#[test]
fn its_own_and_the_proxys_interrupts_leave_who_runs_where_it_is() {
    let mut vms = three();
    let own = vms.x(0);
    for turn in [Turn::Nobody, Turn::None, Turn::Level(2), Turn::Level(7)] {
        assert_eq!(vms.interrupt(0, turn), Next::Vcpu);
        assert_eq!(vms.running(0), vcpu(3, 0));
        assert_eq!(vms.x(0), own);
    }
    assert_eq!(
        vms.host.looks.last().unwrap()[..],
        [vcpu(1, 0), vcpu(2, 0), vcpu(3, 0)]
    );
}

#[test]
fn an_interrupt_of_the_one_below_is_told_to_it_and_the_call_goes_on_with_ffa_run() {
    let mut vms = three();
    let own = vms.x(0);
    assert_eq!(vms.interrupt(0, Turn::Level(1)), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(2, 0));
    assert_eq!(vms.x(0)[..8], [INTERRUPT.into(), 3 << 16, 0, 0, 0, 0, 0, 0]);
    assert_eq!(vms.state(3, 0), Some(State::Preempted));
    let sent = vms.goes_on(0, &run(RUN, 3, 0));
    assert_eq!(vms.running(0), vcpu(3, 0));
    assert_eq!(vms.x(0), own);
    // The 64-bit answer completes the 32-bit FFA_RUN, in x0-x17.
    let back = message(DIRECT_RESP2, 3, 2);
    vms.goes_on(0, &back);
    assert_eq!(vms.x(0), seen(&sent, &back));
}

#[test]
fn an_interrupt_of_the_first_takes_all_off_and_ffa_run_brings_all_back() {
    let mut vms = three();
    let own = vms.x(0);
    vms.host.slices.clear();
    vms.host.left.clear();
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert_eq!(vms.x(0)[..3], [INTERRUPT.into(), 2 << 16, 0]);
    assert_eq!(vms.host.left, [vcpu(3, 0), vcpu(2, 0)]);
    assert_eq!(vms.host.slices, [false]);
    // Each is the affair of whom it works for.
    vms.refused(0, &run(RUN, 3, 0), ffa_abi::FfaError::Denied);
    vms.refused(0, &message(DIRECT_REQ2, 1, 2), ffa_abi::FfaError::Busy);
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.running(0), vcpu(3, 0));
    assert_eq!(vms.x(0), own, "3 saw nothing of it");
    let back = message(DIRECT_RESP2, 3, 2);
    vms.goes_on(0, &back);
    assert_eq!(vms.running(0), vcpu(2, 0));
    assert_eq!(vms.x(0)[..18], back[..], "and 2 neither");
    vms.goes_on(0, &message(DIRECT_RESP2, 2, 1));
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert_eq!(vms.x(0)[0] as u32, DIRECT_RESP2);
}

#[test]
fn a_chain_comes_back_on_another_core() {
    let mut vms = Vms::of([primary(2), secondary(2), secondary(3)]);
    vms.version(0, ffa_abi::Version::V1_2);
    for vm in [2, 3] {
        vms.wait(0, vm, 0, ffa_abi::Version::V1_2, MSG_WAIT_32);
    }
    vms.goes_on(0, &[0xc400_0003, 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    vms.goes_on(1, &run(RUN, 2, 0));
    assert_eq!(
        vms.cores[1].chain()[..],
        [vcpu(1, 1), vcpu(2, 0), vcpu(3, 0)]
    );
    vms.refused(0, &run(RUN, 2, 0), ffa_abi::FfaError::Busy);
    vms.goes_on(1, &message(DIRECT_RESP2, 3, 2));
    assert_eq!(vms.running(1), vcpu(2, 0));
}

#[test]
fn a_core_that_idles_begins_when_its_vcpu_was_switched_on() {
    let mut vms = Vms::of([primary(2)]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Idle);
    assert_eq!(vms.interrupt(1, Turn::None), Next::Idle);
    vms.goes_on(0, &[0xc400_0003, 1, 0x1000, 0xabc]);
    assert_eq!(vms.host.kicked, [1]);
    assert_eq!(vms.interrupt(1, Turn::None), Next::Vcpu);
    assert_eq!(vms.x(1)[0], 0xabc);
}

#[test]
fn a_chain_comes_back_only_where_all_of_it_may_run() {
    let mut vms = Vms::of([primary(2), secondary(2), pinned(secondary(3), 2)]);
    vms.version(0, ffa_abi::Version::V1_2);
    for vm in [2, 3] {
        vms.wait(0, vm, 0, ffa_abi::Version::V1_2, MSG_WAIT_32);
    }
    vms.goes_on(0, &[0xc400_0003, 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    // VM 3's vCPU is pinned to core 0.
    vms.refused(1, &run(RUN, 2, 0), ffa_abi::FfaError::Denied);
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.running(0), vcpu(3, 0));
}
