//! PSCI of VMs with several vCPUs.

use super::{super::fixture::Gp, fixture::*};
use crate::{proxy::Next, vcpu::State};
use ffa_abi::{Version, fid::raw::*, smccc::psci};

const fn wide(status: i32) -> u64 {
    status as i64 as u64
}

fn status(vms: &mut Vms, core: usize, args: &[u64]) -> u64 {
    let sent = vms.goes_on(core, args);
    let x = vms.x(core);
    assert_eq!(x[1..], sent[1..], "x0 is the answer");
    x[0]
}

#[test]
fn a_vcpu_is_switched_on_once() {
    let mut vms = Vms::of([primary(2)]);
    let on = u64::from(psci::CPU_ON_64);
    let info = u64::from(psci::AFFINITY_INFO_64);
    assert_eq!(status(&mut vms, 0, &[info, 1, 0]), 1);
    for entry in [0, 0xfff, 0x2000, 0x1002, u64::MAX] {
        assert_eq!(
            status(&mut vms, 0, &[on, 1, entry, 0]),
            wide(psci::INVALID_ADDRESS)
        );
    }
    for other in [2, 8, 1 << 8, 1 << 32 | 1] {
        assert_eq!(
            status(&mut vms, 0, &[on, other, 0x1000, 0]),
            wide(psci::INVALID_PARAMETERS)
        );
    }
    assert_eq!(
        status(&mut vms, 0, &[on, 0, 0x1000, 0]),
        wide(psci::ALREADY_ON)
    );
    assert!(vms.host.powered.is_empty());
    assert_eq!(status(&mut vms, 0, &[on, 1, 0x1ffc, 7]), 0);
    assert_eq!(vms.host.powered, [1]);
    assert_eq!(status(&mut vms, 0, &[info, 1, 0]), 2);
    assert_eq!(
        status(&mut vms, 0, &[on, 1, 0x1000, 0]),
        wide(psci::ON_PENDING_ERROR)
    );
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    assert_eq!(vms.x(1)[0], 7);
    assert_eq!(status(&mut vms, 0, &[info, 1, 0]), 0);
    assert_eq!(
        status(&mut vms, 0, &[on, 1, 0x1000, 0]),
        wide(psci::ALREADY_ON)
    );
}

#[test]
fn a_core_that_does_not_come_on_leaves_the_vcpu_off() {
    let mut vms = Vms::of([primary(2)]);
    vms.host.power_fails = true;
    let on = u64::from(psci::CPU_ON_64);
    assert_eq!(
        status(&mut vms, 0, &[on, 1, 0x1000, 0]),
        wide(psci::INTERNAL_FAILURE)
    );
    assert_eq!(vms.state(1, 1), Some(State::Off));
    vms.host.power_fails = false;
    assert_eq!(status(&mut vms, 0, &[on, 1, 0x1000, 0]), 0);
}

#[test]
fn off_and_on_again() {
    let mut vms = Vms::of([primary(2)]);
    let on = u64::from(psci::CPU_ON_64);
    assert_eq!(
        status(&mut vms, 0, &[psci::CPU_OFF.into()]),
        u64::from(psci::DENIED as u32)
    );
    for context in [3, 4] {
        assert_eq!(status(&mut vms, 0, &[on, 1, 0x1000, context]), 0);
        assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
        assert_eq!(vms.x(1)[0], context);
        assert_eq!(vms.send(1, &[psci::CPU_OFF.into()]).1, Next::Idle);
        assert_eq!(vms.state(1, 1), Some(State::Off));
    }
}

#[test]
fn a_secondarys_vcpu_waits_for_the_primary_to_run_it() {
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2)]);
    let on = u64::from(psci::CPU_ON_64);
    assert_eq!(status(&mut vms, 0, &[on, 1, 0x1000, 0]), 0);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.powered.clear();
    assert_eq!(status(&mut vms, 0, &[on, 1, 0x2000, 9]), 0);
    assert!(vms.host.powered.is_empty());
    vms.goes_on(1, &run(RUN, 2, 1));
    assert_eq!((vms.running(1), vms.x(1)[0]), (vcpu(2, 1), 9));
    // Off: who ran it is told that it does not run any more.
    vms.goes_on(1, &[psci::CPU_OFF.into()]);
    assert_eq!(vms.x(1)[..2], [MSG_WAIT.into(), 2 << 16 | 1]);
    assert_eq!(vms.state(2, 1), Some(State::Off));
}

#[test]
fn a_vcpu_that_goes_off_owing_an_answer_has_failed_its_caller() {
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2)]);
    vms.version(0, Version::V1_2);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
    let on = u64::from(psci::CPU_ON_64);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
    assert_eq!(status(&mut vms, 0, &[on, 1, 0x2000, 9]), 0);
    vms.goes_on(0, &[psci::CPU_OFF.into()]);
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert_eq!(
        vms.x(0)[..3],
        [ERROR.into(), 0, ffa_abi::FfaError::Aborted.register()]
    );
}

#[test]
fn suspending_is_waiting_for_an_interrupt() {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &[psci::CPU_SUSPEND_64.into()]);
    assert_eq!(vms.x(0)[..2], [YIELD.into(), 2 << 16]);
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0)[0], 0);
    assert_eq!(vms.send(0, &[psci::SYSTEM_OFF.into()]).1, Next::Vcpu);
}

#[test]
fn two_that_go_off_at_once_do_not_both_go() {
    for _ in 0..300 {
        let mut vms = Vms::of([primary(2)]);
        let on = u64::from(psci::CPU_ON_64);
        assert_eq!(status(&mut vms, 0, &[on, 1, 0x1000, 0]), 0);
        assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
        let Vms { proxy, cores, .. } = &mut vms;
        let proxy = &*proxy;
        let start = std::sync::Barrier::new(2);
        let off = |pe: &mut crate::proxy::Pe<'static, Gp>| {
            let mut host = Host::default();
            let frame = super::super::fixture::frame(&[psci::CPU_OFF.into()]);
            pe.running().unwrap().machine.0 = frame;
            start.wait();
            proxy.call(pe, &mut host) == Next::Vcpu
        };
        let (one, other) = cores.split_at_mut(1);
        let stay = std::thread::scope(|scope| {
            let one = scope.spawn(|| off(&mut one[0]));
            let other = off(&mut other[0]);
            usize::from(one.join().unwrap()) + usize::from(other)
        });
        assert_eq!(stay, 1, "vCPUs that are still on");
    }
}

#[test]
fn going_off_while_serving_nobody_is_no_failure_of_who_ran_it() {
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2), secondary(3)]);
    vms.version(0, Version::V1_2);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.version(0, Version::V1_2);
    vms.goes_on(0, &message(DIRECT_REQ2, 3, 2));
    assert_eq!(
        status(&mut vms, 0, &[psci::CPU_ON_64.into(), 1, 0x2000, 9]),
        0
    );
    assert_eq!(vms.interrupt(0, crate::proxy::Turn::Level(1)), Next::Vcpu);
    // VM 3 ends its turn without the answer.
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &[psci::CPU_OFF.into()]);
    assert_eq!(vms.x(0)[..2], [MSG_WAIT.into(), 2 << 16]);
}
