//! A VM in strict mode, and the 64-bit form of `FFA_RUN`.

use super::fixture::OneVm;
use super::fixture::{Fixture, SP, VM, frame};
use ffa_abi::{
    EndpointId, FfaError, Regs, TargetInfo, Version,
    contract::Mode,
    fid::{WIDE_BIT, raw::*},
    id::Endpoints,
};

const RUN_64: u64 = (RUN | WIDE_BIT) as u64;

fn ids() -> Endpoints {
    Endpoints {
        sender: VM,
        receiver: SP,
    }
}

fn target() -> u64 {
    TargetInfo {
        endpoint: SP,
        context: 0,
    }
    .register()
}

/// A call of `fid` with `x1`, and all other registers marked.
fn call(fid: u64, x1: u64) -> [u64; 31] {
    let mut x: [u64; 31] = core::array::from_fn(|n| 0x5a00 + n as u64);
    (x[0], x[1], x[2], x[3]) = (fid, x1, 0, 0);
    x
}

fn run_32() -> Regs {
    let mut regs = Regs::ZERO;
    (regs[0], regs[1]) = (RUN.into(), target());
    regs
}

fn interrupt() -> Regs {
    let mut regs = Regs::ZERO;
    (regs[0], regs[1]) = (INTERRUPT.into(), target());
    regs
}

fn response() -> Regs {
    let mut regs = Regs(core::array::from_fn(|n| 0xbeef_0000_0000_0000 | n as u64));
    (regs[0], regs[1]) = (DIRECT_RESP2.into(), ids().reversed().register());
    (regs[2], regs[3]) = (0, 0);
    regs
}

fn strict() -> Fixture {
    let mut f = Fixture::fresh();
    f.vm = OneVm::new(VM, 0..0, Mode::SmcccStrict);
    f.ok(frame(&[VERSION.into(), Version::V1_2.raw().into()]));
    f
}

/// The VM's request is interrupted by an interrupt of its own.
fn interrupted(f: &mut Fixture) {
    let request = call(DIRECT_REQ2.into(), ids().register());
    f.forwarded(request, Regs::of(&request), &[interrupt()], interrupt(), 8);
}

/// What the VM sees of a call that is refused after EL3 was asked.
fn error(code: FfaError) -> Regs {
    let mut regs = Regs::ZERO;
    (regs[0], regs[2]) = (ERROR.into(), code.register());
    regs
}

#[test]
fn a_permissive_vms_32_bit_run_completes_with_a_64_bit_response() {
    let mut f = Fixture::new();
    interrupted(&mut f);
    f.forwarded(
        call(RUN.into(), target()),
        run_32(),
        &[response()],
        response(),
        18,
    );
}

#[test]
fn a_strict_vms_response_waits_for_its_64_bit_run() {
    let mut f = strict();
    interrupted(&mut f);
    f.forwarded(
        call(RUN.into(), target()),
        run_32(),
        &[response()],
        error(FfaError::Denied),
        8,
    );
    // Neither is the place given away, nor the response lost.
    f.refused(call(RUN.into(), target()), FfaError::Denied);
    f.refused(call(DIRECT_REQ2.into(), ids().register()), FfaError::Busy);
    let asked = f.el3.asked.len();
    let fetch = call(RUN_64, target());
    f.ok(fetch);
    assert_eq!(f.el3.asked.len(), asked, "EL3 was asked");
    assert_eq!(f.x[..18], response().0);
    assert_eq!(f.x[18..], fetch[18..]);
    // It is fetched once.
    f.forwarded(
        call(RUN_64, target()),
        run_32(),
        &[error(FfaError::Denied)],
        error(FfaError::Denied),
        8,
    );
}

#[test]
fn a_64_bit_run_is_a_32_bit_one_towards_el3() {
    let mut f = strict();
    interrupted(&mut f);
    f.forwarded(
        call(RUN_64, target()),
        run_32(),
        &[response()],
        response(),
        18,
    );
}

#[test]
fn a_64_bit_run_is_for_ff_a_1_3_and_for_strict_vms() {
    let mut f = Fixture::new();
    f.refused(call(RUN_64, target()), FfaError::NotSupported);
    f.answered(
        frame(&[FEATURES.into(), RUN_64]),
        &[ERROR.into(), 0, FfaError::NotSupported.register()],
    );
    let mut f = strict();
    f.answered(frame(&[FEATURES.into(), RUN_64]), &[SUCCESS_32.into()]);
    let mut f = Fixture::fresh();
    f.ok(frame(&[VERSION.into(), Version::V1_3.raw().into()]));
    f.answered(frame(&[FEATURES.into(), RUN_64]), &[SUCCESS_32.into()]);
}

#[test]
fn another_partitions_run_does_not_fetch_it() {
    let mut f = strict();
    interrupted(&mut f);
    let denied = error(FfaError::Denied);
    f.forwarded(
        call(RUN.into(), target()),
        run_32(),
        &[response()],
        denied,
        8,
    );
    let other = 0x8002_0000;
    let mut asked = run_32();
    asked[1] = other;
    f.forwarded(call(RUN_64, other), asked, &[denied], denied, 8);
}

#[test]
fn an_interrupt_of_the_proxys_own_inside_a_run_is_not_seen() {
    let mut f = Fixture::new();
    f.el3.own_interrupts = [true, true, false].into();
    f.forwarded(
        call(RUN.into(), target()),
        run_32(),
        &[interrupt(), interrupt(), response()],
        response(),
        18,
    );
    assert_eq!(f.el3.asked, [run_32(), run_32(), run_32()]);
}

#[test]
fn a_second_response_does_not_push_the_first_out() {
    let mut f = strict();
    interrupted(&mut f);
    // A second partition owes an answer too, before the first one's is kept.
    let other = EndpointId(0x8002);
    let second = Endpoints {
        sender: VM,
        receiver: other,
    };
    let mut taken = interrupt();
    taken[1] = 0x8002_0000;
    let request = call(DIRECT_REQ2.into(), second.register());
    f.forwarded(request, Regs::of(&request), &[taken], taken, 8);
    let denied = error(FfaError::Denied);
    f.forwarded(
        call(RUN.into(), target()),
        run_32(),
        &[response()],
        denied,
        8,
    );
    f.refused(call(RUN.into(), 0x8002_0000), FfaError::Denied);
    f.ok(call(RUN_64, target()));
    assert_eq!(f.x[..18], response().0);
}
