//! Cores that go off and come on again.

use super::{
    timers::{off, power_response},
    *,
};
use crate::{
    spm::{Mask, Next, Notice},
    state::State,
};
use ffa_abi::FfaError::{Busy, Denied, InvalidParameters};

#[test]
fn who_subscribed_is_told_and_is_off() {
    let mut f = world();
    let call = core_off();
    assert_eq!(f.on(1).nwd(call), Next::Partition(B));
    assert_eq!(f.masks[1], Mask::Own);
    let mut told = f.sent(B);
    told[..8].copy_from_slice(&[
        DIRECT_REQ_32.into(),
        0x8000_8002,
        0x8000_0000,
        call[3],
        call[4] & 0xffff_ffff,
        call[5] & 0xffff_ffff,
        call[6] & 0xffff_ffff,
        0,
    ]);
    f.sp_got_all(B, &told);
    // It may do nothing but answer this.
    f.refused(
        message(DIRECT_RESP_32, id(B), ffa_abi::EndpointId::SPMC),
        Denied,
    );
    f.refused(message(DIRECT_REQ_32, id(B), id(A)), Denied);
    f.refused(run(A, 0), Denied);
    f.refused(yields(0), Denied);
    f.refused(msg_wait(), Denied);
    let mut other = power_response(B, 0);
    other[1] = ids(id(B), VM);
    f.refused(other, Denied);
    f.sp(power_response(B, 0));
    f.nwd_got(&[DIRECT_RESP_32.into(), 0x8000_ffff, 0x8000_0002]);
    assert_eq!(f.state(B), State::Off);
    assert_eq!(f.on(0).state(B), State::Waiting);
    f.on(1).refused(message(DIRECT_REQ2, VM, id(B)), Busy);
    f.refused(run(B, 1), InvalidParameters);
}

#[test]
fn a_refusal_stops_nothing() {
    let mut f = world();
    f.on(1).nwd(core_off());
    f.sp(power_response(B, -3i32 as u32));
    f.nwd_got(&[DIRECT_RESP_32.into(), 0x8000_ffff, 0x8000_0002]);
    assert_eq!(f.state(B), State::Off);
    let refused = Notice::PowerOffRefused {
        partition: id(B),
        status: -3,
    };
    assert_eq!(f.machine.notices, [refused]);
}

#[test]
fn one_that_fails_then_is_dead_and_the_core_goes_off() {
    let mut f = world();
    f.on(1).nwd(core_off());
    assert_eq!(f.abort(), Next::NormalWorld);
    f.nwd_got(&[DIRECT_RESP_32.into(), 0x8000_ffff, 0x8000_0002]);
    assert_eq!(f.on(0).looks(), Some(Next::NormalWorldResume));
    assert_eq!(f.state(B), State::Aborted);
}

#[test]
fn one_that_does_not_wait_is_not_told_and_its_work_is_lost() {
    let mut f = world();
    f.on(1).nwd_requests(B, DIRECT_REQ2);
    f.sp_requests(A, DIRECT_REQ2);
    f.preempt();
    f.preempt();
    assert_eq!(f.nwd(core_off()), Next::NormalWorld);
    assert_eq!(f.state(B), State::Off);
    // Whom it called answers into the void.
    assert_eq!(f.on(0).nwd(run(A, 0)), Next::Partition(A));
    assert_eq!(f.sp(message(DIRECT_RESP2, id(A), id(B))), Next::NormalWorld);
    f.nwd_got(&[MSG_WAIT.into()]);
}

#[test]
fn an_answer_to_an_earlier_life_of_a_context_finds_nobody() {
    let mut f = world();
    f.on(1).nwd_requests(B, DIRECT_REQ2);
    f.sp_requests(A, DIRECT_REQ2);
    f.preempt();
    f.preempt();
    off(&mut f);
    on(&mut f, 1);
    // The new one calls somebody else, and the old one's callee answers.
    f.on(1).nwd_runs(B);
    f.sp_requests(C, DIRECT_REQ2);
    assert_eq!(f.on(0).nwd(run(A, 0)), Next::Partition(A));
    assert_eq!(f.sp(message(DIRECT_RESP2, id(A), id(B))), Next::NormalWorld);
    f.on(1).responds_to(B, DIRECT_RESP2);
}

/// The core is switched on, and its context of B initialises.
fn on(f: &mut Fixture, core: usize) {
    f.on(core);
    f.spmc.core_is_on(&mut f.pes[core]);
    assert!(!f.spmc.start(&mut f.pes[core], A), "it migrates");
    f.start(B);
    assert_eq!(f.masks[core], Mask::Own);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.now[core] = Next::NormalWorld;
    f.apply_mask();
}

#[test]
fn a_core_goes_off_and_on_a_hundred_times() {
    let mut f = world();
    f.on(1);
    for n in 0..100 {
        f.nwd_requests(B, DIRECT_REQ2);
        f.responds_to_nwd(DIRECT_RESP2);
        f.nwd_requests(A, DIRECT_REQ2);
        f.take(&[Taken::Device(OF_A)]);
        if n % 2 == 0 {
            gets(&mut f, OF_A);
            f.responds_to_nwd(DIRECT_RESP2);
        } else {
            f.preempt();
            assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
            gets(&mut f, OF_A);
            f.responds_to_nwd(DIRECT_RESP2);
        }
        off(&mut f);
        on(&mut f, 1);
        // What it had enabled in its earlier life it has not now.
        f.nwd_runs(B);
        assert_eq!(f.hypercall(&[GET]), NONE);
        assert!(!f.lines(B).any());
        f.sp(msg_wait());
    }
}

#[test]
fn nothing_starts_of_a_partition_that_fails_elsewhere_meanwhile() {
    let mut f = world();
    f.on(1);
    off(&mut f);
    f.spmc.core_is_on(&mut f.pes[1]);
    // Another core is in the middle of its end: it is not ended yet, and nothing of it may begin.
    f.spmc.bury_all(B);
    assert!(f.spmc.is_alive(B) && f.spmc.is_buried(B));
    assert!(!f.spmc.start(&mut f.pes[1], B));
    assert!(f.spmc.is_buried(B));
}

#[test]
fn what_a_core_had_not_looked_at_goes_to_another() {
    let mut f = world();
    f.on(1).nwd_requests(A, DIRECT_REQ2);
    f.on(0).take(&[Taken::Device(OF_A)]);
    // Core 1 was kicked; it preempts A, and goes off before it looks.
    f.on(1).preempt();
    f.nwd(core_off());
    while let Next::Partition(slot) = f.now[1] {
        f.sp(power_response(slot, 0));
    }
    assert_eq!(f.on(0).looks(), Some(Next::NormalWorldResume));
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    gets(&mut f, OF_A);
}

#[test]
fn another_power_request_is_unknown_and_a_warm_boot_is_acknowledged() {
    let mut f = world();
    f.nwd(framework(0, 0x8400_0001));
    f.nwd_got(&[DIRECT_RESP_32.into(), 0x8000_ffff, 0x8000_0002, 0xffff_ffff]);
    f.nwd(framework(1, 0));
    f.nwd_got(&[DIRECT_RESP_32.into(), 0x8000_ffff, 0x8000_0002]);
    // Nobody else may send one, or answer one.
    f.nwd_runs(B);
    let mut forged = power_response(B, 0);
    f.refused(forged, Denied);
    forged[1] = ids(id(B), ffa_abi::EndpointId::SPMD);
    f.refused(forged, Denied);
}

#[test]
fn where_other_contexts_start() {
    let register = |entry: u64| frame(&[0xc400_0087, entry]);
    let mut f = Fixture::with(2, &[Spec::mp(Version::V1_2), Spec::up(Version::V1_2)]);
    f.start(A);
    assert_eq!(f.spmc.secondary_entry(A), None);
    for bad in [0, 2, 0x1001] {
        f.refused(register(bad), InvalidParameters);
    }
    for entry in [0x1000, 0x0e30_4000] {
        f.answered(register(entry), &[SUCCESS_32.into()]);
        assert_eq!(f.spmc.secondary_entry(A), Some(entry));
    }
    f.sp(msg_wait());
    f.start(B);
    f.refused(register(0x1000), ffa_abi::FfaError::NotSupported);
    f.sp(msg_wait());
    f.now[0] = Next::NormalWorld;
    f.nwd_runs(A);
    f.refused(register(0x1000), Denied);
}
