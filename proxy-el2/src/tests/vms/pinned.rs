//! vCPUs stay on the cores that they are pinned to, whoever called them.

use super::fixture::*;
use crate::{
    proxy::{Next, Turn},
    vcpu::State,
};
use ffa_abi::{FfaError, Version, fid::raw::*, smccc::psci};

/// VM 3, which runs anywhere, has called VM 2, which is pinned, on core 0, and both were preempted.
fn preempted() -> Vms {
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2), secondary(3)]);
    vms.version(0, Version::V1_2);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &[psci::CPU_ON_64.into(), 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.version(0, Version::V1_2);
    vms.goes_on(0, &message(DIRECT_REQ2, 3, 2));
    assert_eq!(vms.running(0), vcpu(2, 0));
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(1, 0));
    vms
}

#[test]
fn who_called_a_pinned_vcpu_goes_on_with_it_on_its_core_alone() {
    let mut vms = preempted();
    vms.refused(1, &run(RUN, 3, 0), FfaError::Denied);
    assert_eq!(vms.state(2, 0), Some(State::Preempted));
    vms.goes_on(0, &run(RUN, 3, 0));
    assert_eq!(vms.cores[0].chain(), [vcpu(1, 0), vcpu(3, 0), vcpu(2, 0)]);
}
