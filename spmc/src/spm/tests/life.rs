//! The end of a partition's life, and its next one.

use super::fixture::*;
use crate::{
    context::{AbortAction, Slot, SmcFilter},
    spm::{Next, Notice},
    state::{Model, State},
};
use ffa_abi::{
    FfaError::{Aborted, Busy, InvalidParameters, NotSupported},
    Function, Version,
    fid::raw::*,
    smccc,
};

const ABORTED: [u64; 3] = [ERROR as u64, 0, Aborted.register()];
const ABORT_32: u32 = Function::Abort.raw32();
const ABORT_64: u32 = Function::Abort.raw64();

const ACTIONS: [AbortAction; 5] = [
    AbortAction::Fail,
    AbortAction::Stop,
    AbortAction::Destroy,
    AbortAction::Restart,
    AbortAction::Propagate,
];

/// [`A`] with this action, and two others that never fail.
fn world(action: AbortAction) -> Fixture {
    Fixture::booted(&[
        Spec::up(Version::V1_3).on_abort(action),
        Spec::up(Version::V1_2),
        Spec::mp(Version::V1_2),
    ])
}

fn give_up(reason: u64) -> Frame {
    frame(&[ABORT_64.into(), 0, reason])
}

/// What one is told who calls a partition that ended so; `None`: it serves.
fn told(action: AbortAction) -> Option<ffa_abi::FfaError> {
    match action {
        AbortAction::Fail | AbortAction::Propagate => Some(Aborted),
        AbortAction::Stop => Some(Busy),
        AbortAction::Destroy => Some(InvalidParameters),
        AbortAction::Restart => None,
    }
}

/// The normal world asks `slot` and runs it.
#[track_caller]
fn after(f: &mut Fixture, slot: Slot, action: AbortAction) {
    match told(action) {
        Some(error) => {
            for request in [DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2] {
                f.refused(message(request, VM, id(slot)), error);
            }
            f.refused(run(slot, 0), error);
        }
        None => {
            for (request, response) in
                [(DIRECT_REQ_32, DIRECT_RESP_32), (DIRECT_REQ2, DIRECT_RESP2)]
            {
                f.nwd_requests(slot, request);
                f.responds_to_nwd(response);
            }
            f.nwd_runs(slot);
            f.sp(msg_wait());
        }
    }
}

#[test]
fn only_partitions_from_1_3_on_may_abort_themselves() {
    let mut f = Fixture::new();
    for call in [ABORT_32, ABORT_64] {
        f.refused(frame(&[call.into()]), NotSupported);
        f.nwd_runs(A);
        f.refused(frame(&[call.into()]), NotSupported);
        f.sp(msg_wait());
        f.nwd_runs(C);
        for register in [1, 3, 4, 5, 6, 7] {
            let mut bad = frame(&[call.into()]);
            bad[register] = 1;
            f.refused(bad, InvalidParameters);
        }
        f.sp(msg_wait());
    }
    f.nwd_runs(C);
    assert_eq!(f.sp(frame(&[ABORT_32.into(), 0, 5])), Next::NormalWorld);
    let notice = Notice::Aborted {
        partition: id(C),
        action: AbortAction::Fail,
        reason: Some(5),
    };
    assert_eq!(f.machine.notices, [notice]);
}

#[test]
fn each_action_tells_callers_what_it_is() {
    for action in ACTIONS {
        for request in [DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2] {
            let mut f = world(action);
            f.nwd_requests(A, request);
            let next = f.sp(give_up(1));
            if action == AbortAction::Restart {
                // It initialises on the requester's time, from its first entry on.
                assert_eq!(next, Next::Partition(A));
                assert_eq!(f.view(A).model, Model::Restart);
                assert_eq!(f.state(A), State::Starting);
                assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
            } else {
                assert_eq!(next, Next::NormalWorld);
            }
            f.nwd_got(&ABORTED);
            after(&mut f, A, action);
            assert_eq!(
                f.machine.reloads.len(),
                (action == AbortAction::Restart) as usize
            );
            assert_eq!(
                f.machine.wipes.len(),
                (action == AbortAction::Destroy) as usize
            );
            // The others don't mind, unless all were stopped.
            match action {
                AbortAction::Propagate => f.refused(message(request, VM, id(B)), Aborted),
                _ => after(&mut f, B, AbortAction::Restart),
            }
        }
    }
}

#[test]
fn who_ran_it_or_called_it_as_a_partition_is_told_the_same() {
    for action in ACTIONS {
        let mut f = world(action);
        f.nwd_runs(A);
        f.abort();
        if action == AbortAction::Restart {
            f.sp(msg_wait());
        }
        f.nwd_got(&ABORTED);
        let mut f = world(action);
        f.nwd_runs(B);
        f.sp_requests(A, DIRECT_REQ2);
        f.sp(give_up(0));
        if action == AbortAction::Restart {
            assert_eq!(f.now[0], Next::Partition(A));
            assert_eq!(f.sp(msg_wait()), Next::Partition(B));
        }
        if action == AbortAction::Propagate {
            // It was stopped with all others.
            assert_eq!(f.now[0], Next::NormalWorld);
            f.nwd_got(&ABORTED);
            assert_eq!(f.state(B), State::Aborted);
            continue;
        }
        f.sp_got(B, &ABORTED);
        let ask = message(DIRECT_REQ_32, id(B), id(A));
        match told(action) {
            Some(error) => f.refused(ask, error),
            None => {
                f.sp_requests(A, DIRECT_REQ_32);
                f.responds_to(B, DIRECT_RESP_32);
            }
        }
    }
}

#[test]
fn one_that_fails_while_it_initialises_is_not_restarted() {
    for action in ACTIONS {
        let spec = Spec::up(Version::V1_3).on_abort(action);
        let mut f = Fixture::with(1, &[spec, Spec::up(Version::V1_2)]);
        f.start(A);
        let next = f.sp(frame(&[ERROR.into(), 0, Aborted.register()]));
        assert_eq!(next, Next::Booted);
        assert!(f.machine.reloads.is_empty());
        if action == AbortAction::Propagate {
            assert!(!f.spmc.start(&mut f.pes[0], B), "all are stopped");
            continue;
        }
        f.start(B);
        let ended = match action {
            AbortAction::Restart => AbortAction::Stop,
            other => other,
        };
        f.refused(message(DIRECT_REQ_32, id(B), id(A)), told(ended).unwrap());
    }
    // And again in its second life.
    for call in [give_up(0), frame(&[ERROR.into(), 0, Aborted.register()])] {
        let mut f = world(AbortAction::Restart);
        f.nwd_requests(A, DIRECT_REQ_32);
        f.sp(give_up(0));
        assert_eq!(f.sp(call), Next::NormalWorld);
        f.nwd_got(&ABORTED);
        assert_eq!(f.machine.reloads, [A]);
        after(&mut f, A, AbortAction::Stop);
    }
}

#[test]
fn one_that_cannot_be_loaded_anew_is_stopped() {
    let mut f = world(AbortAction::Restart);
    f.machine.no_reload = true;
    f.nwd_requests(A, DIRECT_REQ_32);
    assert_eq!(f.sp(give_up(0)), Next::NormalWorld);
    f.nwd_got(&ABORTED);
    after(&mut f, A, AbortAction::Stop);
}

#[test]
fn a_restart_takes_no_more_time_of_the_normal_world_than_it_gives() {
    let mut f = world(AbortAction::Restart);
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp(give_up(0));
    let interrupted = [INTERRUPT.into(), target(A, 0)];
    for _ in 0..2 {
        // It is preempted like any other, and callable by nobody meanwhile.
        assert_eq!(f.preempt(), Next::NormalWorld);
        f.nwd_got(&interrupted);
        f.refused(message(DIRECT_REQ_32, VM, id(A)), Busy);
        assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    }
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    f.nwd_got(&ABORTED);
    after(&mut f, A, AbortAction::Restart);
}

#[test]
fn whom_it_calls_while_it_initialises_again_is_run_after_an_interrupt() {
    let mut f = world(AbortAction::Restart);
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp(give_up(0));
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.preempt(), Next::Partition(A));
    f.sp_got(A, &[INTERRUPT.into(), target(B, 0)]);
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    f.responds_to(A, DIRECT_RESP2);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    f.nwd_got(&ABORTED);
    after(&mut f, A, AbortAction::Restart);
}

#[test]
fn a_partition_fails_with_all_of_its_contexts() {
    let mut f = world(AbortAction::Fail);
    let own = Fake::memory(C);
    f.nwd_runs(C);
    let map = Function::RxtxMap.raw64().into();
    f.answered(frame(&[map, own, own + 0x1000, 1]), &[SUCCESS_32.into()]);
    f.sp(msg_wait());
    f.nwd_requests(C, DIRECT_REQ_32);
    f.pe = 1;
    f.nwd_requests(C, DIRECT_REQ_32);
    assert_eq!(f.abort(), Next::NormalWorld);
    f.nwd_got(&ABORTED);
    assert!(f.machine.windows.is_empty());
    // The one that runs on the other core is stopped there.
    f.pe = 0;
    assert_eq!(f.looks(), Some(Next::NormalWorld));
    f.nwd_got(&ABORTED);
    assert_eq!(f.state(C), State::Aborted);
    for pe in [0, 1] {
        f.pe = pe;
        f.refused(message(DIRECT_REQ_32, VM, id(C)), Aborted);
        f.refused(run(C, pe as u16), Aborted);
    }
}

#[test]
fn who_called_a_context_whose_partition_failed_elsewhere_is_told_when_its_callee_comes_back() {
    let mut f = world(AbortAction::Fail);
    f.nwd_requests(C, DIRECT_REQ_64);
    f.sp_requests(A, DIRECT_REQ2);
    f.pe = 1;
    f.nwd_requests(C, DIRECT_REQ_32);
    f.abort();
    f.pe = 0;
    // The callee has done nothing wrong.
    assert_eq!(f.looks(), Some(Next::Partition(A)));
    assert_eq!(f.state(C), State::Blocked);
    assert_eq!(f.sp(message(DIRECT_RESP2, id(A), id(C))), Next::NormalWorld);
    f.nwd_got(&ABORTED);
    assert_eq!((f.state(C), f.state(A)), (State::Aborted, State::Waiting));
}

#[test]
fn a_context_that_waits_is_dead_before_its_core_has_looked() {
    let mut f = world(AbortAction::Fail);
    f.pe = 1;
    f.nwd_requests(C, DIRECT_REQ_32);
    f.abort();
    f.pe = 0;
    f.refused(message(DIRECT_REQ2, VM, id(C)), Aborted);
    f.refused(run(C, 0), Aborted);
    assert_eq!(f.looks(), Some(Next::NormalWorldResume));
    assert_eq!(f.state(C), State::Aborted);
}

#[test]
fn it_can_be_restarted_again_and_again() {
    let mut f = world(AbortAction::Restart);
    for n in 1..=100 {
        f.nwd_requests(A, DIRECT_REQ_64);
        f.sp(give_up(n));
        f.sp(msg_wait());
        f.nwd_got(&ABORTED);
        after(&mut f, A, AbortAction::Restart);
        assert_eq!(f.machine.reloads.len() as u64, n);
    }
}

#[test]
fn a_restarted_partition_negotiates_anew_and_has_no_buffers() {
    let mut f = world(AbortAction::Restart);
    let map = |at: u64| frame(&[Function::RxtxMap.raw64().into(), at, at + 0x1000, 1]);
    let own = Fake::memory(A);
    f.nwd_runs(A);
    f.answered(map(own), &[SUCCESS_32.into()]);
    let version = frame(&[VERSION.into(), Version::V1_2.raw().into()]);
    f.answered(version, &[NotSupported.register()]);
    f.sp(give_up(0));
    assert!(f.machine.windows.is_empty());
    f.call(version);
    f.got(&[Version::OWN.raw().into()]);
    f.answered(map(own), &[SUCCESS_32.into()]);
    // Its version is 1.2 now.
    f.refused(frame(&[ABORT_32.into()]), NotSupported);
    f.sp(msg_wait());
    after(&mut f, A, AbortAction::Restart);
}

#[test]
fn answers_to_an_earlier_life_go_into_the_void() {
    let mut f = world(AbortAction::Restart);
    // A calls B, which yields to it; A fails with its request still served.
    f.nwd_runs(A);
    f.sp_requests(B, DIRECT_REQ2);
    assert_eq!(f.sp(yields(0)), Next::Partition(A));
    f.sp(give_up(0));
    f.sp(msg_wait());
    f.nwd_got(&ABORTED);
    // In its next life A waits for nothing of B, whose answer must not reach it.
    let before = f.view(A);
    f.nwd(run(B, 0));
    let answer = message(DIRECT_RESP2, id(B), id(A));
    assert_eq!(f.sp(answer), Next::NormalWorld);
    f.nwd_got(&[MSG_WAIT.into()]);
    assert_eq!(f.view(A).gp, before.gp);
    after(&mut f, A, AbortAction::Restart);
    after(&mut f, B, AbortAction::Restart);
}

#[test]
fn while_it_initialises_again_others_get_busy() {
    let mut f = world(AbortAction::Restart);
    f.nwd_requests(A, DIRECT_REQ_32);
    f.sp(give_up(0));
    // The other core.
    f.pe = 1;
    for request in [DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2] {
        f.refused(message(request, VM, id(A)), Busy);
    }
    f.refused(run(A, 0), Busy);
    f.pe = 0;
    f.sp(msg_wait());
    f.pe = 1;
    after(&mut f, A, AbortAction::Restart);
}

#[test]
fn where_all_are_stopped_everybody_is_told_so_but_el3() {
    let mut f = world(AbortAction::Propagate);
    f.pe = 1;
    f.nwd_requests(C, DIRECT_REQ_32);
    f.pe = 0;
    f.nwd_runs(A);
    assert_eq!(f.abort(), Next::NormalWorld);
    f.nwd_got(&ABORTED);
    assert!(f.spmc.is_halted());
    for call in [
        message(DIRECT_REQ2, VM, id(B)),
        run(C, 0),
        frame(&[FEATURES.into(), DIRECT_REQ2.into()]),
        frame(&[ID_GET.into()]),
        frame(&[Function::PartitionInfoGet.raw32().into(), 0, 0, 0, 0, 1]),
    ] {
        f.refused(call, Aborted);
    }
    // The other core's partition ends at its next call, or answers.
    f.pe = 1;
    assert_eq!(f.sp(frame(&[ID_GET.into()])), Next::NormalWorld);
    f.nwd_got(&ABORTED);
    // A core may go off all the same.
    assert_eq!(f.nwd(core_off()), Next::NormalWorld);
    assert_eq!(f.result()[0], u64::from(DIRECT_RESP_32));
    // Its action was taken once: nobody is restarted or destroyed after it.
    assert!(f.machine.reloads.is_empty() && f.machine.wipes.is_empty());
}

/// A partition with this filter.
fn filtered(whitelist: &[u32], permissive: bool) -> Fixture {
    let mut f = Fixture::new();
    f.spmc.partitions[0].info.smc = SmcFilter {
        whitelist: heapless::Vec::from_slice(whitelist).unwrap(),
        permissive,
    };
    f.nwd_runs(A);
    f
}

/// What is called, and what EL3 must get.
fn forwarded(f: &mut Fixture, call: Frame, x1_to_x6: [u64; 6], answer: &[u64]) {
    let mut regs = ffa_abi::Regs([0xbad; 18]);
    regs.0[..4].copy_from_slice(&[0xffff_ffff_ffff_fff0, 2, 3 << 32, 4]);
    f.machine.el3_answers = vec![regs];
    f.machine.el3_calls.clear();
    let before = f.running();
    f.sp(call);
    let [got] = f.machine.el3_calls[..] else {
        panic!("EL3 got {} calls", f.machine.el3_calls.len());
    };
    let mut expected = [0; 18];
    expected[0] = u64::from(call[0] as u32 & !smccc::SVE_HINT);
    expected[1..7].copy_from_slice(&x1_to_x6);
    expected[7] = if answer.len() == 4 { id(A).0.into() } else { 0 };
    assert_eq!(got.0, expected);
    let mut own = call;
    own[..answer.len()].copy_from_slice(answer);
    f.sp_got_all(before, &own);
}

const ANSWER: [u64; 4] = [0xffff_ffff_ffff_fff0, 2, 3 << 32, 4];

#[test]
fn a_listed_call_goes_to_el3_in_the_partitions_name() {
    let wide = 0xc200_0001;
    let mut f = filtered(&[0x8200_0001, wide], false);
    let args = [1 << 32 | 1, 2, 3, 4, 5, 6 << 40 | 6, 0x7777];
    let call = |fid: u32| {
        let mut x = frame(&[fid.into()]);
        x[1..8].copy_from_slice(&args);
        x
    };
    forwarded(
        &mut f,
        call(wide),
        [1 << 32 | 1, 2, 3, 4, 5, 6 << 40 | 6],
        &ANSWER,
    );
    forwarded(
        &mut f,
        call(0x8200_0001 | smccc::SVE_HINT),
        [1, 2, 3, 4, 5, 6],
        &ANSWER,
    );
    // Those that are not are unknown, and the log says so.
    for fid in [0x8200_0002, 0x8300_0000, 0xc200_0002] {
        f.machine.el3_calls.clear();
        f.machine.notices.clear();
        let x = call(fid);
        f.sp(x);
        let mut own = x;
        own[0] = u64::MAX;
        f.sp_got_all(A, &own);
        assert!(f.machine.el3_calls.is_empty());
        let partition = id(A);
        assert_eq!(f.machine.notices, [Notice::SmcRefused { partition, fid }]);
    }
}

#[test]
fn a_permissive_list_lets_all_pass_but_power_and_hypercalls() {
    let mut f = filtered(&[], true);
    for fid in [0x8200_0001u32, 0xc300_1234, 0x8600_0000, 0x8000_1234] {
        forwarded(&mut f, frame(&[fid.into(), 7]), [7, 0, 0, 0, 0, 0], &ANSWER);
    }
    for fid in [
        0x8400_0000,
        0x8400_0002,
        0x8400_0008,
        0xc400_0003,
        0xc400_001f,
        0xff03,
        0xff05,
        0xff06,
        0xff09,
        0xff0b,
        0x0200_0001,
    ] {
        f.machine.el3_calls.clear();
        let x = frame(&[fid, 1, 2, 3]);
        f.sp(x);
        let mut own = x;
        own[0] = u64::MAX;
        f.sp_got_all(A, &own);
        assert!(f.machine.el3_calls.is_empty(), "{fid:#x}");
    }
}

#[test]
fn what_smccc_defines_needs_no_list() {
    let mut f = filtered(&[], false);
    for fid in [
        0x8400_0050,
        0x8400_0051,
        0x8400_0052,
        0x8400_0053,
        0xc400_0053,
    ] {
        forwarded(&mut f, frame(&[fid, 64]), [64, 0, 0, 0, 0, 0], &ANSWER);
    }
    for fid in smccc::WORKAROUNDS {
        forwarded(
            &mut f,
            frame(&[fid.into(), 3]),
            [3, 0, 0, 0, 0, 0],
            &ANSWER[..1],
        );
        let features = frame(&[smccc::SMCCC_ARCH_FEATURES.into(), fid.into()]);
        forwarded(&mut f, features, [fid.into(), 0, 0, 0, 0, 0], &ANSWER[..1]);
    }
    for (asked, answer) in [
        (smccc::SMCCC_VERSION, 0),
        (smccc::SMCCC_ARCH_FEATURES, 0),
        (0x8000_0002, u64::MAX),
        (0x8400_0000, u64::MAX),
    ] {
        let x = frame(&[smccc::SMCCC_ARCH_FEATURES.into(), asked.into()]);
        f.sp(x);
        let mut own = x;
        own[0] = answer;
        f.sp_got_all(A, &own);
    }
}
