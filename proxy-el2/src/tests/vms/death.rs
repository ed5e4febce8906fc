//! VMs that end in each state.

use super::{
    super::fixture::{answer, eight},
    fixture::*,
};
use crate::{
    proxy::{Next, Turn},
    vcpu::State,
};
use ffa_abi::{FfaError::*, Version, fid::raw::*, smccc::psci};

const ABORT_32: u32 = 0x8400_0090;

fn aborted(vms: &mut Vms, core: usize) {
    let x = vms.x(core);
    assert_eq!(x[..4], [ERROR.into(), 0, Aborted.register(), 0]);
}

#[test]
fn who_ran_or_asked_it_is_told_that_it_ended() {
    for asked in [false, true] {
        for how in 0..3 {
            let mut vms = Vms::waiting(2);
            if asked {
                vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
            } else {
                vms.goes_on(0, &run(RUN, 2, 0));
            }
            match how {
                0 => assert_eq!(vms.abort(0), Next::Vcpu),
                1 => drop(vms.goes_on(0, &[psci::SYSTEM_OFF.into()])),
                _ => drop(vms.goes_on(0, &[psci::SYSTEM_RESET.into()])),
            }
            assert_eq!(vms.running(0), vcpu(1, 0));
            aborted(&mut vms, 0);
            assert_eq!(vms.state(2, 0), Some(State::Dead));
            vms.refused(0, &run(RUN, 2, 0), Aborted);
            for request in [DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2] {
                vms.refused(0, &message(request, 1, 2), Aborted);
            }
            assert_eq!(vms.host.slices, [true, false]);
        }
    }
}

#[test]
fn ffa_abort_is_for_secondaries_of_1_3() {
    let mut vms = Vms::of([primary(1), secondary(2)]);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_2);
    vms.refused(0, &[ABORT_32.into()], NotSupported);
    let mut vms = Vms::of([primary(1), secondary(2)]);
    vms.version(0, Version::V1_3);
    vms.refused(0, &[ABORT_32.into()], NotSupported);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_3);
    vms.goes_on(0, &[ABORT_32.into()]);
    assert_eq!(vms.running(0), vcpu(1, 0));
    aborted(&mut vms, 0);
}

#[test]
fn the_primarys_end_is_the_machines() {
    let mut vms = Vms::waiting(2);
    assert_eq!(vms.abort(0), Next::PowerOff);
    assert_eq!(vms.send(0, &[psci::SYSTEM_OFF.into()]).1, Next::PowerOff);
    assert_eq!(vms.send(0, &[psci::SYSTEM_RESET.into()]).1, Next::Reset);
}

#[test]
fn whom_it_had_called_answers_into_the_void() {
    // 1 called 2, 2 called 3, and 2's other vCPU, on another core, ends the VM.
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2), secondary(3)]);
    vms.version(0, Version::V1_2);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
    vms.wait(0, 3, 0, Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &[0xc400_0003, 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
    vms.goes_on(0, &[0xc400_0003, 1, 0x2000, 0]);
    vms.goes_on(1, &run(RUN, 2, 1));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    assert_eq!(vms.running(0), vcpu(3, 0));
    vms.host.kicked.clear();
    vms.goes_on(1, &[psci::SYSTEM_OFF.into()]);
    assert_eq!(vms.running(1), vcpu(1, 1));
    aborted(&mut vms, 1);
    assert_eq!(vms.host.kicked, [0]);

    // 3 still runs until that core looks.
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(1, 0));
    aborted(&mut vms, 0);
    assert_eq!(vms.state(3, 0), Some(State::Preempted));
    vms.refused(0, &message(DIRECT_REQ2, 1, 3), Busy);
    // Anybody's primary may run it to its end.
    vms.goes_on(1, &run(RUN, 3, 0));
    vms.goes_on(1, &message(DIRECT_RESP2, 3, 2));
    assert_eq!(vms.x(1)[..2], [MSG_WAIT.into(), 3 << 16]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 3));
}

#[test]
fn a_caller_that_was_taken_off_with_its_callee_is_told_of_the_callees_end() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    let Vms { proxy, cores, host } = &mut vms;
    let _ = proxy.end(&mut cores[0], vcpu(3, 0).vm, host);
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.running(0), vcpu(2, 0));
    aborted(&mut vms, 0);
}

#[test]
fn one_that_ends_while_a_partition_works_for_it_leaves_the_core_at_once() {
    // Another core ends VM 2 while the partition has this core on its behalf.
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    let sent = message(DIRECT_REQ2, 2, SP.0);
    let pe = &mut vms.cores[0];
    pe.running().unwrap().machine.0[..18].copy_from_slice(&sent);
    assert_eq!(vms.proxy.call(pe, &mut vms.host), Next::El3);
    assert!(vms.proxy.vm(vcpu(2, 0).vm).unwrap().end());
    vms.cores[0].el3 = eight(&[INTERRUPT.into(), 0x8001 << 16]);
    vms.host.turns.push_back(Turn::Nobody);
    assert_eq!(
        vms.proxy.returned(&mut vms.cores[0], &mut vms.host),
        Next::Vcpu
    );
    assert_eq!(vms.running(0), vcpu(1, 0));
    aborted(&mut vms, 0);
    assert_eq!(vms.state(2, 0), Some(State::Dead));
    // Its answer goes into the void before the partition works for somebody else.
    let busy = eight(&[ERROR.into(), 0, Busy.register()]);
    let to = |vm| answer(&message(DIRECT_RESP2, SP.0, vm));
    vms.host.answers.extend([busy, to(2), to(1)]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(vms.x(0)[..18], to(1).0[..18]);
}

#[test]
fn a_vm_that_waits_yielded_or_never_ran_ends_where_it_is() {
    let mut vms = Vms::of([
        primary(1),
        secondary(2),
        secondary(3),
        secondary(4),
        secondary(5),
    ]);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.goes_on(0, &[YIELD.into()]);
    vms.goes_on(0, &run(RUN, 4, 0));
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    for vm in 2..=5 {
        let Vms { proxy, cores, host } = &mut vms;
        assert_eq!(proxy.end(&mut cores[0], vcpu(vm, 0).vm, host), Next::Vcpu);
        assert_eq!(vms.state(vm, 0), Some(State::Dead));
        vms.refused(0, &run(RUN, vm, 0), Aborted);
        vms.refused(0, &message(DIRECT_REQ_32, 1, vm), Aborted);
    }
}

/// VM 1 called 2, which called 3; another core ends VM 3.
fn the_third_dies() -> Vms {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    assert!(vms.proxy.vm(vcpu(3, 0).vm).unwrap().end());
    vms
}

#[test]
fn a_death_does_not_hide_whose_turn_it_is() {
    // The end of the time slice is seen once.
    let mut vms = the_third_dies();
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert_eq!(vms.x(0)[..2], [INTERRUPT.into(), 2 << 16]);
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.running(0), vcpu(2, 0));
    aborted(&mut vms, 0);
}

#[test]
fn a_death_while_a_partition_works_does_not_hide_whose_turn_it_is() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, 2));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    let sent = message(DIRECT_REQ2, 3, SP.0);
    let pe = &mut vms.cores[0];
    pe.running().unwrap().machine.0[..18].copy_from_slice(&sent);
    assert_eq!(vms.proxy.call(pe, &mut vms.host), Next::El3);
    assert!(vms.proxy.vm(vcpu(3, 0).vm).unwrap().end());
    pe.el3 = eight(&[INTERRUPT.into(), 0x8001 << 16]);
    vms.host.turns.push_back(Turn::Level(0));
    assert_eq!(vms.proxy.returned(pe, &mut vms.host), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert_eq!(vms.x(0)[..2], [INTERRUPT.into(), 2 << 16]);
}
