//! What partitions owe by the proxy's books, and for how long.

use super::{
    super::fixture::{Frame, eight},
    fixture::*,
    partitions::*,
};
use crate::{
    owed::Debt,
    proxy::{Next, Turn},
};
use ffa_abi::{Regs, TargetInfo, fid::raw::*};

/// VM 2 asks the partition, which is taken off the core with it.
fn taken_off() -> Vms {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, SP.0));
    vms
}

impl Vms {
    /// As VM 2 has to know it.
    fn debt(&self) -> Debt {
        let target = TargetInfo::from_register(SP_TARGET);
        self.proxy.owed.lock().debt(target, vcpu(2, 0).vm)
    }
}

#[test]
fn a_request_that_goes_on_and_is_answered_is_owed_no_more() {
    let mut vms = taken_off();
    assert_eq!(vms.debt(), Debt::InFlight);
    vms.host.answers.push_back(answer_to(2));
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
    assert_eq!(vms.debt(), Debt::None);
    // So the other VM may run the partition.
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[0] as u32, MSG_WAIT);
}

#[test]
fn a_request_that_goes_on_and_is_interrupted_again_is_still_owed() {
    let mut vms = taken_off();
    for (turn, debt) in [
        (Turn::Level(0), Debt::InFlight),
        (Turn::Level(0), Debt::InFlight),
        (Turn::Level(1), Debt::Own),
    ] {
        vms.host.answers.push_back(interrupted());
        vms.host.turns.push_back(turn);
        vms.goes_on(0, &run(RUN, 2, 0));
        assert_eq!(vms.debt(), debt);
    }
    // Its own interrupt: it runs the partition itself.
    assert_eq!(vms.running(0), vcpu(2, 0));
    vms.host.answers.push_back(answer_to(2));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
    assert_eq!(vms.debt(), Debt::None);
}

#[test]
fn one_that_is_merely_run_owes_nothing() {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.debt(), Debt::None);
    // It goes on when VM 2 does, and yields: whoever wants may run it then.
    vms.host
        .answers
        .push_back(eight(&[YIELD.into(), SP_TARGET]));
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0)[0] as u32, YIELD);
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[0] as u32, MSG_WAIT);
}

#[test]
fn one_that_is_merely_run_by_a_vm_that_dies_is_run_to_its_end_by_who_needs_it() {
    let mut vms = Vms::waiting(3);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.debt(), Debt::None);
    let mut host = core::mem::take(&mut vms.host);
    // As if it had died on another core.
    let _ = vms.proxy.end(&mut vms.cores[1], vcpu(2, 0).vm, &mut host);
    vms.host = host;
    assert_eq!(vms.debt(), Debt::Own);
    vms.host.answers.extend([
        error(ffa_abi::FfaError::Busy),
        eight(&[MSG_WAIT.into()]),
        answer_to(1),
    ]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(vms.x(0)[..18], answer_to(1).0[..18]);
    assert_eq!(vms.debt(), Debt::None);
}

fn error(error: ffa_abi::FfaError) -> Regs {
    eight(&[ERROR.into(), 0, error.register()])
}

#[test]
fn a_partition_that_found_other_work_is_not_run_for_who_merely_ran_it() {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    // It comes to its end, and is asked something by VM 1.
    vms.host
        .answers
        .extend([eight(&[MSG_WAIT.into()]), eight(&[YIELD.into(), SP_TARGET])]);
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    let asked = vms.host.asked.len();
    vms.goes_on(0, &run(RUN, 2, 0));
    let denied = ffa_abi::FfaError::Denied.register();
    assert_eq!(vms.x(0)[..3], [ERROR.into(), 0, denied]);
    assert_eq!(vms.host.asked.len(), asked);
}

/// VM 1, on two cores, asks the partition on the first, where the proxy's own interrupt comes: until it
/// has run the partition again, so much is asked of it on the other core.
fn meanwhile(wanted: ffa_abi::FfaError, mut other: impl FnMut(&mut Vms)) {
    let mut vms = Vms::of([primary(2), secondary(2)]);
    vms.version(0, ffa_abi::Version::V1_2);
    vms.wait(0, 2, 0, ffa_abi::Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &[ffa_abi::smccc::psci::CPU_ON_64.into(), 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    let (_, next) = vms.until_el3(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(next, Next::El3);
    assert_eq!(vms.returns(0, interrupted(), Turn::Nobody), Next::El3);
    other(&mut vms);
    vms.refused(1, &[RUN.into(), SP_TARGET], wanted);
    assert_eq!(vms.returns(0, answer_to(1), Turn::None), Next::Vcpu);
    assert_eq!(vms.x(0)[..18], answer_to(1).0[..18]);
    let target = TargetInfo::from_register(SP_TARGET);
    let debt = vms.proxy.owed.lock().debt(target, vcpu(1, 0).vm);
    assert_eq!(debt, Debt::None);
}

impl Vms {
    /// Who runs calls; what EL3 says to it comes later.
    fn until_el3(&mut self, core: usize, args: &[u64]) -> (Frame, Next) {
        let sent = super::super::fixture::frame(args);
        let pe = &mut self.cores[core];
        pe.running().unwrap().machine.0 = sent;
        (sent, self.proxy.call(pe, &mut self.host))
    }

    /// EL3 comes back.
    fn returns(&mut self, core: usize, answer: Regs, turn: Turn) -> Next {
        self.host.turns.push_back(turn);
        let pe = &mut self.cores[core];
        pe.el3 = answer;
        let next = self.proxy.returned(pe, &mut self.host);
        self.host.turns.clear();
        next
    }
}

#[test]
fn nobody_runs_a_partition_that_the_proxy_runs_again() {
    meanwhile(ffa_abi::FfaError::Busy, |_| {});
    meanwhile(ffa_abi::FfaError::Denied, |vms| {
        vms.goes_on(1, &run(RUN, 2, 0));
    });
}

#[test]
fn a_request_is_never_refused_once_its_partition_has_it() {
    let mut vms = Vms::waiting(2);
    let (sent, _) = vms.until_el3(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(vms.returns(0, interrupted(), Turn::Nobody), Next::El3);
    // Somebody ran the partition before that was noted.
    let busy = error(ffa_abi::FfaError::Busy);
    assert_eq!(vms.returns(0, busy, Turn::None), Next::Vcpu);
    let mut wanted = sent;
    wanted[..8].copy_from_slice(&[INTERRUPT.into(), SP_TARGET, 0, 0, 0, 0, 0, 0]);
    assert_eq!(vms.x(0), wanted);
    vms.host.answers.push_back(answer_to(1));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..18], answer_to(1).0[..18]);
}

#[test]
fn an_answer_is_kept_until_its_vm_has_it_whatever_the_partition_does_then() {
    let mut vms = Vms::waiting(3);
    let target = TargetInfo::from_register(SP_TARGET);
    let keep = answer_to(3);
    vms.proxy.owed.lock().keep(target, vcpu(3, 0).vm, keep);
    // VM 2's request is taken off the core, and comes back.
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, SP.0));
    vms.host.answers.push_back(answer_to(2));
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0)[..18], answer_to(2).0[..18]);
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..18], answer_to(3).0[..18]);
}

#[test]
fn one_that_is_merely_run_is_nobody_elses_while_the_proxy_runs_it_again() {
    let mut vms = Vms::of([primary(2), secondary(2)]);
    vms.version(0, ffa_abi::Version::V1_2);
    vms.goes_on(0, &[ffa_abi::smccc::psci::CPU_ON_64.into(), 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    let _ = vms.until_el3(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.returns(0, interrupted(), Turn::Nobody), Next::El3);
    vms.refused(1, &[RUN.into(), SP_TARGET], ffa_abi::FfaError::Busy);
    let yielded = eight(&[YIELD.into(), SP_TARGET]);
    assert_eq!(vms.returns(0, yielded, Turn::None), Next::Vcpu);
    assert_eq!(vms.x(0)[0] as u32, YIELD);
    // It owes nothing.
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(1, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(1)[0] as u32, MSG_WAIT);
}

#[test]
fn a_run_that_comes_back_leaves_the_debt_as_it_was() {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(1));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, SP.0));
    assert_eq!(vms.debt(), Debt::Own);
    let _ = vms.until_el3(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.returns(0, interrupted(), Turn::Nobody), Next::El3);
    assert_eq!(vms.debt(), Debt::InFlight);
    assert_eq!(vms.returns(0, interrupted(), Turn::Level(1)), Next::Vcpu);
    assert_eq!(vms.x(0)[0] as u32, INTERRUPT);
    assert_eq!(vms.debt(), Debt::Own);
}

/// VM 2 dies while the partition works for it, and VM 1 asks the partition something: the proxy runs it
/// first.
fn draining() -> Vms {
    let mut vms = Vms::of([primary(2), secondary(2)]);
    vms.version(0, ffa_abi::Version::V1_2);
    vms.wait(0, 2, 0, ffa_abi::Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &[ffa_abi::smccc::psci::CPU_ON_64.into(), 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(1));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, SP.0));
    assert_eq!(vms.abort(0), Next::Vcpu);
    let _ = vms.until_el3(0, &message(DIRECT_REQ2, 1, SP.0));
    let busy = error(ffa_abi::FfaError::Busy);
    assert_eq!(vms.returns(0, busy, Turn::None), Next::El3);
    assert_eq!(vms.cores[0].el3[0], RUN.into());
    vms
}

#[test]
fn one_core_at_a_time_ends_what_a_dead_vm_had_asked() {
    let mut vms = draining();
    vms.refused(1, &[RUN.into(), SP_TARGET], ffa_abi::FfaError::Busy);
    vms.host.answers.push_back(error(ffa_abi::FfaError::Busy));
    vms.goes_on(1, &message(DIRECT_REQ2, 1, SP.0));
    let busy = ffa_abi::FfaError::Busy.register();
    assert_eq!(vms.x(1)[..3], [ERROR.into(), 0, busy]);
    assert_eq!(vms.returns(0, answer_to(2), Turn::None), Next::El3);
    assert_eq!(vms.cores[0].el3[0], DIRECT_REQ2.into());
    assert_eq!(vms.returns(0, answer_to(1), Turn::None), Next::Vcpu);
    assert_eq!(vms.x(0)[..18], answer_to(1).0[..18]);
}

#[test]
fn an_answer_to_a_live_vm_that_a_drain_gets_is_kept() {
    let mut vms = draining();
    assert_eq!(vms.returns(0, answer_to(1), Turn::None), Next::El3);
    assert_eq!(vms.cores[0].el3[0], DIRECT_REQ2.into());
    let target = TargetInfo::from_register(SP_TARGET);
    let debt = vms.proxy.owed.lock().debt(target, vcpu(1, 0).vm);
    assert_eq!(debt, Debt::Answered);
}

#[test]
fn what_a_partition_owes_to_the_living_does_not_end_with_one_that_merely_ran_it() {
    let mut vms = Vms::waiting(2);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    // It comes to its end, and works for VM 1 then.
    vms.host
        .answers
        .extend([eight(&[MSG_WAIT.into()]), eight(&[YIELD.into(), SP_TARGET])]);
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    let mut host = core::mem::take(&mut vms.host);
    let _ = vms.proxy.end(&mut vms.cores[1], vcpu(2, 0).vm, &mut host);
    vms.host = host;
    let living = Debt::Other {
        to: vcpu(1, 0).vm,
        in_flight: false,
    };
    assert_eq!(vms.debt(), living);
}

#[test]
fn what_a_dead_vm_has_in_flight_is_nobodys_before_its_core_looks() {
    let mut vms = Vms::of([primary(2), pinned(secondary(2), 2)]);
    vms.version(0, ffa_abi::Version::V1_2);
    vms.wait(0, 2, 0, ffa_abi::Version::V1_2, MSG_WAIT_32);
    vms.goes_on(0, &[ffa_abi::smccc::psci::CPU_ON_64.into(), 1, 0x1000, 0]);
    assert_eq!(vms.proxy.begin(&mut vms.cores[1]), Next::Vcpu);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &[ffa_abi::smccc::psci::CPU_ON_64.into(), 1, 0x2000, 0]);
    vms.goes_on(1, &run(RUN, 2, 1));
    let _ = vms.until_el3(1, &message(DIRECT_REQ2, 2, SP.0));
    assert_eq!(vms.returns(1, interrupted(), Turn::Nobody), Next::El3);
    assert_eq!(vms.abort(0), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(1, 0));
    vms.refused(0, &[RUN.into(), SP_TARGET], ffa_abi::FfaError::Busy);
    // It looks.
    assert_eq!(vms.returns(1, interrupted(), Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.running(1), vcpu(1, 1));
    vms.host.answers.push_back(answer_to(2));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[0] as u32, MSG_WAIT);
}
