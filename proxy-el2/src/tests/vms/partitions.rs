//! Several VMs and partitions: whose interrupt, whose answer.

use super::{
    super::fixture::{answer, eight},
    fixture::*,
};
use crate::{
    proxy::{Next, Turn},
    vcpu::State,
};
use ffa_abi::{FfaError::*, Regs, fid::raw::*};

pub(super) const SP_TARGET: u64 = 0x8001 << 16;

pub(super) fn interrupted() -> Regs {
    eight(&[INTERRUPT.into(), SP_TARGET])
}

pub(super) fn answer_to(vm: u16) -> Regs {
    answer(&message(DIRECT_RESP2, SP.0, vm))
}

/// VM 2, run by 1, asks the partition, which is interrupted; whose turn it is then.
pub(super) fn asked(turn: Turn) -> Vms {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(turn);
    vms.goes_on(0, &message(DIRECT_REQ2, 2, SP.0));
    vms
}

#[test]
fn an_interrupt_for_the_one_below_is_not_told_to_who_asked_a_partition() {
    let mut vms = asked(Turn::Level(0));
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert_eq!(vms.x(0)[..3], [INTERRUPT.into(), 2 << 16, 0]);
    assert_eq!(vms.state(2, 0), Some(State::Preempted));
    // Run again, the partition is; its answer completes the request.
    vms.host.answers.push_back(answer_to(2));
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(
        vms.host.asked.last().unwrap().0[..2],
        [RUN.into(), SP_TARGET]
    );
    assert_eq!(vms.running(0), vcpu(2, 0));
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
}

#[test]
fn ones_own_interrupt_is_told_and_the_partition_run_by_oneself_alone() {
    let mut vms = asked(Turn::Level(1));
    assert_eq!(vms.running(0), vcpu(2, 0));
    assert_eq!(vms.x(0)[..3], [INTERRUPT.into(), SP_TARGET, 0]);
    // Another VM must not get the answer.
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.refused(0, &[RUN.into(), SP_TARGET], Denied);
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.refused(0, &[RUN.into(), SP_TARGET], Denied);
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(answer_to(2));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
    // It owes nothing any more: anybody may run it.
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[0] as u32, MSG_WAIT);
}

#[test]
fn the_proxys_own_interrupt_is_nobodys_business() {
    let mut vms = Vms::waiting(2);
    vms.host
        .answers
        .extend([interrupted(), interrupted(), answer_to(1)]);
    vms.host.turns.extend([Turn::Nobody, Turn::Nobody]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(vms.x(0)[..18], answer_to(1).0[..18]);
    let asked: Vec<u64> = vms.host.asked.iter().map(|regs| regs[0]).collect();
    assert_eq!(asked, [DIRECT_REQ2.into(), u64::from(RUN), RUN.into()]);
}

#[test]
fn an_answer_to_another_vm_never_reaches_who_ran_the_partition() {
    // VM 3 runs the partition after it was interrupted, and before that was noted: the proxy does
    // not know of a debt.
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.host.answers.push_back(answer_to(2));
    vms.refused_after_el3(&[RUN.into(), SP_TARGET], Denied);
    // It is kept for VM 2.
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &run(RUN, 2, 0));
    let asked = vms.host.asked.len();
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
    assert_eq!(vms.host.asked.len(), asked);
    // And to a request of one's own it is no answer at all.
    vms.host.answers.push_back(answer_to(3));
    vms.refused_after_el3(&message(DIRECT_REQ2, 2, SP.0), Aborted);
}

#[test]
fn the_answer_that_was_kept_completes_a_request_that_was_preempted() {
    let mut vms = asked(Turn::Level(0));
    // Another core got it meanwhile.
    vms.proxy.owed.lock().keep(
        ffa_abi::TargetInfo::from_register(SP_TARGET),
        vcpu(2, 0).vm,
        answer_to(2),
    );
    let asked = vms.host.asked.len();
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
    assert_eq!(vms.host.asked.len(), asked);
}

#[test]
fn what_a_dead_vm_asked_is_finished_before_the_partition_works_for_another() {
    let mut vms = asked(Turn::Level(0));
    vms.kill(2);
    vms.host.asked.clear();
    let busy = eight(&[ERROR.into(), 0, Busy.register()]);
    vms.host.answers.extend([busy, answer_to(2), answer_to(1)]);
    let sent = vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(vms.x(0), seen(&sent, &answer_to(1).0[..18]));
    let asked: Vec<u64> = vms.host.asked.iter().map(|regs| regs[0]).collect();
    assert_eq!(
        asked,
        [u64::from(DIRECT_REQ2), RUN.into(), DIRECT_REQ2.into()]
    );
}

#[test]
fn a_busy_partition_that_owes_nothing_to_the_dead_is_busy() {
    let mut vms = Vms::waiting(2);
    let busy = eight(&[ERROR.into(), 0, Busy.register()]);
    vms.host.answers.push_back(busy);
    vms.refused_after_el3(&message(DIRECT_REQ2, 1, SP.0), Busy);
}

#[test]
fn an_interrupt_while_a_dead_vms_request_is_finished_leaves_the_partition_busy() {
    for (turn, error) in [(Turn::Level(0), Busy), (Turn::None, Busy)] {
        let mut vms = asked(Turn::Level(0));
        vms.kill(2);
        let busy = eight(&[ERROR.into(), 0, Busy.register()]);
        vms.host.answers.extend([busy, interrupted()]);
        vms.host.turns.push_back(turn);
        vms.refused_after_el3(&message(DIRECT_REQ2, 1, SP.0), error);
        // The next one finishes it.
        vms.host.answers.extend([busy, answer_to(2), answer_to(1)]);
        vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
        assert_eq!(vms.x(0)[0] as u32, DIRECT_RESP2);
    }
}

#[test]
fn the_answer_to_a_dead_vm_ends_a_run_as_a_wait() {
    let mut vms = asked(Turn::Level(0));
    vms.kill(2);
    vms.host.answers.push_back(answer_to(2));
    let sent = vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    let mut expected = sent;
    expected[..8].copy_from_slice(&[MSG_WAIT.into(), 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(vms.x(0), expected);
}

#[test]
fn a_yielding_partition_is_run_by_whom_it_works_for() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host
        .answers
        .push_back(eight(&[YIELD.into(), SP_TARGET]));
    vms.goes_on(0, &message(DIRECT_REQ_64, 2, SP.0));
    assert_eq!(vms.x(0)[..2], [YIELD.into(), SP_TARGET]);
    vms.goes_on(0, &[YIELD.into()]);
    vms.refused(0, &[RUN.into(), SP_TARGET], Denied);
    vms.goes_on(0, &run(RUN, 2, 0));
    let back = message(DIRECT_RESP_64, SP.0, 2);
    vms.host.answers.push_back(answer(&back));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..8], back[..8]);
}

#[test]
fn a_context_of_another_core_is_not_finished_here() {
    let mut vms = asked(Turn::Level(0));
    vms.kill(2);
    // The partition has a context for each core, and this is core 0: the SPMC says so.
    let error = |error: ffa_abi::FfaError| eight(&[ERROR.into(), 0, error.register()]);
    vms.host
        .answers
        .extend([error(Busy), error(InvalidParameters)]);
    vms.refused_after_el3(&message(DIRECT_REQ2, 1, SP.0), Busy);
    // What it owes is not forgotten.
    vms.host
        .answers
        .extend([error(Busy), answer_to(2), answer_to(1)]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(vms.x(0)[0] as u32, DIRECT_RESP2);
}

impl Vms {
    /// The call is refused with what EL3 has said.
    #[track_caller]
    pub(super) fn refused_after_el3(&mut self, args: &[u64], error: ffa_abi::FfaError) {
        let (sent, next) = self.send(0, args);
        assert_eq!(next, Next::Vcpu);
        let mut expected = sent;
        expected[..8].copy_from_slice(&[ERROR.into(), 0, error.register(), 0, 0, 0, 0, 0]);
        assert_eq!(self.x(0), expected);
    }

    /// A VM that is not running ends.
    pub(super) fn kill(&mut self, vm: u16) {
        let Self { proxy, cores, host } = self;
        let next = proxy.end(&mut cores[0], vcpu(vm, 0).vm, host);
        assert_eq!(next, Next::Vcpu);
        assert_eq!(self.state(vm, 0), Some(State::Dead));
    }
}
