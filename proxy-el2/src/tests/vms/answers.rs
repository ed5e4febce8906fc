//! What partitions owe to VMs, when several VMs and cores have to do with it at once.

use super::{super::fixture::eight, fixture::*, partitions::*};
use crate::{
    proxy::{Next, Turn},
    vcpu::VmIndex,
};
use ffa_abi::{FfaError::*, Regs, TargetInfo, fid::raw::*};

fn sp() -> TargetInfo {
    TargetInfo::from_register(SP_TARGET)
}

const fn vm(id: u16) -> VmIndex {
    VmIndex(id as u8 - 1)
}

fn busy() -> Regs {
    eight(&[ERROR.into(), 0, Busy.register()])
}

/// The VM that runs on core 0 has an answer without EL3 being asked.
#[track_caller]
fn has_answer(vms: &mut Vms, to: u16) {
    let asked = vms.host.asked.len();
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..18], answer_to(to).0[..18]);
    assert_eq!(vms.host.asked.len(), asked);
}

#[test]
fn what_was_run_again_with_its_vm_owes_nothing_when_it_has_answered() {
    let mut vms = asked(Turn::Level(0));
    vms.host.answers.push_back(answer_to(2));
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[0] as u32, MSG_WAIT);
    // And works for nobody who is dead when it works for another.
    vms.kill(2);
    vms.host.answers.push_back(busy());
    vms.refused_after_el3(&message(DIRECT_REQ2, 1, SP.0), Busy);
}

#[test]
fn an_answer_to_the_living_that_comes_in_place_of_one_to_the_dead_is_kept() {
    let mut vms = asked(Turn::Level(0));
    vms.kill(2);
    // Another core ran it to its end meanwhile, and VM 3 was faster.
    vms.host
        .answers
        .extend([busy(), answer_to(3), answer_to(1)]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(vms.x(0)[0] as u32, DIRECT_RESP2);
    vms.goes_on(0, &run(RUN, 3, 0));
    has_answer(&mut vms, 3);
}

#[test]
fn a_partition_that_another_core_runs_still_works_for_who_asked_it() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.extend([interrupted(), busy()]);
    vms.host.turns.push_back(Turn::Nobody);
    vms.goes_on(0, &message(DIRECT_REQ2, 2, SP.0));
    // The request was accepted: it is not refused.
    assert_eq!(vms.x(0)[..3], [INTERRUPT.into(), SP_TARGET, 0]);
    vms.proxy.owed.lock().keep(sp(), vm(2), answer_to(2));
    has_answer(&mut vms, 2);
}

#[test]
fn a_partition_that_is_run_for_somebody_is_run_by_nobody_else() {
    let mut vms = Vms::of([primary(2), secondary(2)]);
    vms.version(0, ffa_abi::Version::V1_2);
    vms.wait(0, 2, 0, ffa_abi::Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &[0xc400_0003, 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(0, &run(RUN, 2, 0));
    let pe = &mut vms.cores[0];
    let sent = message(DIRECT_REQ2, 2, SP.0);
    pe.running().unwrap().machine.0[..18].copy_from_slice(&sent);
    assert_eq!(vms.proxy.call(pe, &mut vms.host), Next::El3);
    pe.el3 = interrupted();
    vms.host.turns.push_back(Turn::Nobody);
    assert_eq!(vms.proxy.returned(pe, &mut vms.host), Next::El3);
    assert_eq!(pe.el3[0], RUN.into());
    vms.refused(1, &[RUN.into(), SP_TARGET], Denied);
    let pe = &mut vms.cores[0];
    pe.el3 = answer_to(2);
    assert_eq!(vms.proxy.returned(pe, &mut vms.host), Next::Vcpu);
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(1, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(1)[0] as u32, MSG_WAIT);
}

#[test]
fn an_answer_that_another_core_got_meanwhile_completes_the_request() {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    let pe = &mut vms.cores[0];
    let sent = message(DIRECT_REQ2, 2, SP.0);
    pe.running().unwrap().machine.0[..18].copy_from_slice(&sent);
    assert_eq!(vms.proxy.call(pe, &mut vms.host), Next::El3);
    vms.proxy.owed.lock().keep(sp(), vm(2), answer_to(2));
    pe.el3 = interrupted();
    vms.host.turns.push_back(Turn::Nobody);
    assert_eq!(vms.proxy.returned(pe, &mut vms.host), Next::Vcpu);
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
}

#[test]
fn an_answer_to_another_that_ends_ones_own_request_is_kept_for_it() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.extend([interrupted(), answer_to(3)]);
    vms.host.turns.push_back(Turn::Nobody);
    vms.refused_after_el3(&message(DIRECT_REQ2, 2, SP.0), Aborted);
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &run(RUN, 3, 0));
    has_answer(&mut vms, 3);
}

#[test]
fn an_answer_that_is_kept_survives_the_partitions_work_for_another() {
    let mut vms = Vms::waiting(3);
    vms.proxy.owed.lock().keep(sp(), vm(2), answer_to(2));
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(1));
    vms.goes_on(0, &message(DIRECT_REQ2, 3, SP.0));
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &run(RUN, 2, 0));
    has_answer(&mut vms, 2);
    vms.refused(0, &[RUN.into(), SP_TARGET], Denied);
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.host.answers.push_back(answer_to(3));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..18], answer_to(3).0[..18]);
}

#[test]
fn answers_that_are_kept_for_the_dead_are_forgotten() {
    let mut vms = Vms::waiting(2);
    vms.proxy.owed.lock().keep(sp(), vm(2), answer_to(2));
    vms.kill(2);
    assert_eq!(*vms.proxy.owed.lock(), crate::owed::Owed::new());
}

#[test]
fn a_run_that_comes_back_lends_no_more_though_an_answer_is_here() {
    // The answer that VM 2 has not fetched stays; the run of it that another core made ends.
    let mut vms = Vms::waiting(3);
    let owed = &vms.proxy.owed;
    owed.lock().keep(sp(), vm(2), answer_to(2));
    owed.lock().lend(sp(), vm(2));
    owed.lock().came_back(sp(), vm(2));
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[0] as u32, MSG_WAIT, "VM 3 may run it");
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &run(RUN, 2, 0));
    has_answer(&mut vms, 2);
}
