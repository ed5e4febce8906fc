//! Cores that go off with the primary's vCPU, and what is lost with them.

use super::{super::fixture::eight, fixture::*, partitions::*};
use crate::{
    owed::Debt,
    proxy::{Next, Turn},
    vcpu::State,
};
use ffa_abi::{EndpointId, FfaError, Regs, TargetInfo, Version, fid::raw::*, smccc::psci};

const ON: u64 = psci::CPU_ON_64 as u64;
const INFO: u64 = psci::AFFINITY_INFO_64 as u64;

/// The partition's context of core 1.
const OTHER: TargetInfo = TargetInfo {
    endpoint: SP,
    context: 1,
};

fn interrupted_there() -> Regs {
    eight(&[INTERRUPT.into(), OTHER.register()])
}

const fn wide(status: i32) -> u64 {
    status as i64 as u64
}

/// A primary on two cores that go off, both on, and VM 2 with a vCPU on each, both of which wait.
fn two_cores() -> Vms {
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2), secondary(3)]);
    vms.host.goes_off = true;
    vms.version(0, Version::V1_2);
    vms.wait(0, 2, 0, Version::V1_2, MSG_WAIT_32);
    vms.wait(0, 3, 0, Version::V1_2, MSG_WAIT_32);
    on(&mut vms);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &[ON, 1, 0x2000, 0]);
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(1, &run(RUN, 2, 1));
    vms.goes_on(1, &[MSG_WAIT_32.into()]);
    vms
}

fn on(vms: &mut Vms) {
    vms.goes_on(0, &[ON, 1, 0x1000, 5]);
    assert_eq!(vms.x(0)[0], 0);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
}

fn off(vms: &mut Vms) {
    assert_eq!(vms.send(1, &[psci::CPU_OFF.into()]).1, Next::Off);
    assert_eq!(vms.state(1, 1), Some(State::Off));
    assert!(vms.cores[1].chain().is_empty());
}

/// VM 2 on core 1 asks the partition, which is interrupted; whose turn it is then.
fn asked_there(turn: Turn) -> Vms {
    let mut vms = two_cores();
    vms.goes_on(1, &run(RUN, 2, 1));
    vms.host.answers.push_back(interrupted_there());
    vms.host.turns.push_back(turn);
    vms.goes_on(1, &message(DIRECT_REQ2, 2, SP.0));
    vms
}

fn debt(vms: &Vms, target: TargetInfo, vm: u16) -> Debt {
    vms.proxy.owed.lock().debt(target, vcpu(vm, 0).vm)
}

const ABORTED: [u64; 3] = [ERROR as u64, 0, FfaError::Aborted.register()];

#[test]
fn a_core_goes_off_with_its_vcpu_and_comes_again() {
    let mut vms = two_cores();
    for _ in 0..100 {
        off(&mut vms);
        vms.host.going_off.insert(1);
        let before = vms.host.powered.len();
        // As PSCI has it: it is on until it is off.
        for (call, answer) in [
            ([INFO, 1, 0, 0], 0),
            ([ON, 1, 0x1000, 0], wide(psci::ALREADY_ON)),
            ([ON, 1, 0, 0], wide(psci::INVALID_ADDRESS)),
        ] {
            vms.goes_on(0, &call);
            assert_eq!(vms.x(0)[0], answer);
        }
        assert_eq!(vms.state(1, 1), Some(State::Off));
        assert_eq!(vms.host.powered.len(), before);
        vms.host.going_off.clear();
        vms.goes_on(0, &[INFO, 1, 0]);
        assert_eq!(vms.x(0)[0], 1);
        on(&mut vms);
        assert_eq!(vms.host.powered.len(), before + 1);
        assert_eq!((vms.running(1), vms.x(1)[0]), (vcpu(1, 1), 5));
    }
}

#[test]
fn a_core_that_stays_on_waits() {
    let mut vms = two_cores();
    vms.host.goes_off = false;
    assert_eq!(vms.send(1, &[psci::CPU_OFF.into()]).1, Next::Idle);
    assert_eq!(vms.interrupt(1, Turn::None), Next::Idle);
}

#[test]
fn a_secondarys_vcpu_takes_no_core_with_it() {
    let mut vms = two_cores();
    vms.goes_on(1, &run(RUN, 2, 1));
    vms.host.going_off.extend([0, 1]);
    assert_eq!(vms.send(1, &[psci::CPU_OFF.into()]).1, Next::Vcpu);
    assert_eq!(vms.running(1), vcpu(1, 1));
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &[INFO, 1, 0]);
    assert_eq!(vms.x(0)[0], 1);
    vms.goes_on(0, &[ON, 1, 0x2000, 0]);
    assert_eq!(vms.x(0)[0], 0);
}

#[test]
fn who_leaves_the_core_is_away_before_it_goes_off() {
    let mut vms = two_cores();
    vms.host.left.clear();
    off(&mut vms);
    assert_eq!(vms.host.left, [vcpu(1, 1)]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Idle);
}

#[test]
fn vcpus_of_others_wait_for_their_core() {
    let mut vms = two_cores();
    vms.goes_on(1, &run(RUN, 2, 1));
    assert_eq!(vms.interrupt(1, Turn::Level(0)), Next::Vcpu);
    let x = {
        let place = vms.proxy.place(vcpu(2, 1)).unwrap().lock();
        place.as_ref().unwrap().machine.0
    };
    off(&mut vms);
    assert_eq!(vms.state(2, 1), Some(State::Preempted));
    vms.refused(0, &run(RUN, 2, 1), FfaError::InvalidParameters);
    on(&mut vms);
    vms.goes_on(1, &run(RUN, 2, 1));
    assert_eq!((vms.running(1), vms.x(1)), (vcpu(2, 1), x));
}

#[test]
fn a_request_that_was_preempted_with_its_vm_is_lost_with_the_core() {
    let mut vms = asked_there(Turn::Level(0));
    assert_eq!(debt(&vms, OTHER, 2), Debt::InFlight);
    off(&mut vms);
    on(&mut vms);
    let asked = vms.host.asked.len();
    vms.goes_on(1, &run(RUN, 2, 1));
    assert_eq!(vms.running(1), vcpu(2, 1));
    assert_eq!(vms.x(1)[..3], ABORTED);
    assert_eq!(vms.host.asked.len(), asked, "the partition was run");
    assert_eq!(debt(&vms, OTHER, 2), Debt::None);
}

#[test]
fn a_vm_that_runs_its_partition_again_is_told_once_that_its_request_is_lost() {
    let mut vms = asked_there(Turn::Level(1));
    assert_eq!(vms.running(1), vcpu(2, 1));
    assert_eq!(vms.interrupt(1, Turn::Level(0)), Next::Vcpu);
    off(&mut vms);
    on(&mut vms);
    // Its debt is no other's business any more.
    assert_eq!(debt(&vms, OTHER, 1), Debt::None);
    vms.goes_on(1, &run(RUN, 2, 1));
    vms.goes_on(1, &[RUN.into(), OTHER.register()]);
    assert_eq!(vms.x(1)[..3], ABORTED);
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(1, &[RUN.into(), OTHER.register()]);
    assert_eq!(vms.x(1)[0] as u32, MSG_WAIT);
}

#[test]
fn a_new_request_takes_the_place_of_a_lost_one() {
    let mut vms = asked_there(Turn::Level(1));
    assert_eq!(vms.interrupt(1, Turn::Level(0)), Next::Vcpu);
    off(&mut vms);
    on(&mut vms);
    vms.goes_on(1, &run(RUN, 2, 1));
    vms.host.answers.push_back(interrupted_there());
    vms.host.turns.push_back(Turn::Level(1));
    vms.goes_on(1, &message(DIRECT_REQ2, 2, SP.0));
    assert_eq!(debt(&vms, OTHER, 2), Debt::Own);
    assert!(matches!(debt(&vms, OTHER, 1), Debt::Other { .. }));
    vms.host.answers.push_back(answer_to(2));
    vms.goes_on(1, &[RUN.into(), OTHER.register()]);
    assert_eq!(vms.x(1)[..18], answer_to(2).0[..18]);
    assert_eq!(debt(&vms, OTHER, 2), Debt::None);
}

#[test]
fn what_the_primary_had_asked_there_is_forgotten() {
    let mut vms = two_cores();
    vms.host.answers.push_back(interrupted_there());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(1, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(debt(&vms, OTHER, 1), Debt::Own);
    off(&mut vms);
    on(&mut vms);
    assert_eq!(debt(&vms, OTHER, 1), Debt::None);
    // Its partition's context is new, and is run as such.
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(1, &[RUN.into(), OTHER.register()]);
    assert_eq!(vms.x(1)[0] as u32, MSG_WAIT);
}

#[test]
fn what_other_contexts_owe_is_not_lost() {
    let mut vms = two_cores();
    // A partition with a single context, asked on the core that goes off.
    vms.goes_on(1, &run(RUN, 3, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(1, &message(DIRECT_REQ2, 3, SP.0));
    off(&mut vms);
    // Its VM, which is not pinned, goes on elsewhere, and so does it.
    vms.host.answers.push_back(answer_to(3));
    vms.goes_on(0, &run(RUN, 3, 0));
    assert_eq!(vms.running(0), vcpu(3, 0));
    assert_eq!(vms.x(0)[..18], answer_to(3).0[..18]);
}

#[test]
fn a_vm_that_goes_on_elsewhere_is_told_at_once_what_was_lost() {
    let mut vms = two_cores();
    vms.goes_on(1, &run(RUN, 3, 0));
    vms.host.answers.push_back(interrupted_there());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(1, &message(DIRECT_REQ2, 3, SP.0));
    off(&mut vms);
    vms.goes_on(0, &run(RUN, 3, 0));
    assert_eq!(vms.running(0), vcpu(3, 0));
    assert_eq!(vms.x(0)[..3], ABORTED);
}

#[test]
fn an_answer_that_is_here_already_is_not_lost() {
    let mut vms = asked_there(Turn::Level(0));
    // Another core was faster.
    let owner = vcpu(2, 1).vm;
    vms.proxy.owed.lock().keep(OTHER, owner, answer_to(2));
    off(&mut vms);
    on(&mut vms);
    vms.goes_on(1, &run(RUN, 2, 1));
    assert_eq!(vms.x(1)[..18], answer_to(2).0[..18]);
}

#[test]
fn what_a_vm_had_asked_that_has_ended_is_forgotten() {
    let mut vms = asked_there(Turn::Level(0));
    let mut host = core::mem::take(&mut vms.host);
    host.goes_off = true;
    let _ = vms.proxy.end(&mut vms.cores[0], vcpu(2, 0).vm, &mut host);
    vms.host = host;
    assert_eq!(debt(&vms, OTHER, 2), Debt::Own);
    off(&mut vms);
    assert_eq!(debt(&vms, OTHER, 2), Debt::None);
    let all = vms.proxy.owed.lock().note_all();
    assert!(all.is_empty(), "{all:?}");
}

#[test]
fn the_books_hold_all_that_is_owed_however_much_was_lost() {
    let mut owed = crate::owed::Owed::new();
    for vm in 1..8 {
        for (partition, core) in (0x8001..0x8011).flat_map(|id| (1..8u16).map(move |n| (id, n))) {
            let target = TargetInfo {
                endpoint: EndpointId(partition),
                context: core,
            };
            owed.note(
                target,
                crate::vcpu::VmIndex(vm),
                crate::owed::Progress::Told,
            );
            assert_eq!(owed.debt(target, crate::vcpu::VmIndex(vm)), Debt::Own);
        }
        for core in 1..8 {
            owed.core_goes_off(core, |_| true);
        }
    }
    for core in 1..8 {
        owed.core_goes_off(core, |_| true);
    }
}
