//! Direct requests and `FFA_RUN`: what reaches EL3, and what comes back to the VM.

use super::fixture::OneVm;
use super::fixture::*;
use ffa_abi::{
    EndpointId,
    FfaError::{InvalidParameters, NotSupported},
    Function, Regs, TargetInfo, Version,
    contract::Mode,
    fid::raw::*,
    smccc::SVE_HINT,
};

const REQUESTS: [(u32, u32, usize); 3] = [
    (DIRECT_REQ_32, DIRECT_RESP_32, 8),
    (DIRECT_REQ_64, DIRECT_RESP_64, 8),
    (DIRECT_REQ2, DIRECT_RESP2, 18),
];

#[test]
fn a_request_reaches_el3_and_its_response_the_vm_with_exactly_their_registers() {
    let mut f = Fixture::new();
    for (fid, resp, count) in REQUESTS {
        for _ in 0..2 {
            let call = request(fid, VM, SP);
            let resp = response(resp, VM);
            f.forwarded(call, asked(&call), &[resp], resp, count);
        }
    }
}

#[test]
fn upper_halves_and_the_hint_are_not_forwarded() {
    let mut f = Fixture::new();
    for (fid, resp, count) in REQUESTS {
        let mut call = request(fid, VM, SP);
        call[0] |= u64::from(SVE_HINT) | 0xdead_beef_0000_0000;
        call[1] |= 0xdead_beef_0000_0000;
        if fid != DIRECT_REQ2 {
            call[2] = 0xdead_beef_0000_0000;
        }
        let resp = response(resp, VM);
        f.forwarded(call, asked(&call), &[resp], resp, count);
        assert_eq!(f.el3.asked[0][0], fid.into());
    }
}

#[test]
fn upper_halves_of_a_32_bit_response_are_not_shown() {
    let mut f = Fixture::new();
    let call = request(DIRECT_REQ_32, VM, SP);
    let clean = response(DIRECT_RESP_32, VM);
    let mut dirty = clean;
    for register in &mut dirty.0[..8] {
        *register |= 0xdead_beef_0000_0000;
    }
    f.forwarded(call, asked(&call), &[dirty], clean, 8);
}

#[test]
fn a_response_of_the_other_width_is_delivered_in_its_own() {
    let mut f = Fixture::new();
    for (fid, resp) in [
        (DIRECT_REQ_32, DIRECT_RESP_64),
        (DIRECT_REQ_64, DIRECT_RESP_32),
    ] {
        let call = request(fid, VM, SP);
        let resp = response(resp, VM);
        f.forwarded(call, asked(&call), &[resp], resp, 8);
    }
}

#[test]
fn identifiers_are_checked_before_el3_sees_them() {
    let mut f = Fixture::new();
    for (fid, ..) in REQUESTS {
        for (sender, receiver) in [
            // Another VM, the hypervisor, a partition, the framework.
            (EndpointId(2), SP),
            (EndpointId::HYPERVISOR, SP),
            (SP, SP),
            (EndpointId(0x8002), SP),
            (EndpointId::SPMC, SP),
            (EndpointId::SPMD, SP),
            // There is no other VM.
            (VM, VM),
            (VM, EndpointId(2)),
            (VM, EndpointId::HYPERVISOR),
        ] {
            f.refused(request(fid, sender, receiver), InvalidParameters);
        }
    }
}

#[test]
fn framework_messages_and_reserved_bits_stay_here() {
    let mut f = Fixture::new();
    for fid in [DIRECT_REQ_32, DIRECT_REQ_64] {
        for w2 in [1, 0x8000_0000, 0x8000_0008, 0x8000_0100, 0x4000_0000] {
            let mut call = request(fid, VM, EndpointId::SPMC);
            call[2] = w2;
            f.refused(call, InvalidParameters);
        }
    }
}

#[test]
fn request_2_needs_1_2_on_both_sides() {
    for (version, direct2) in [
        (None, true),
        (Some(Version::V1_0), true),
        (Some(Version::V1_1), true),
        (Some(Version::V1_2), false),
    ] {
        let mut f = Fixture::fresh();
        f.upstream.direct2 = direct2;
        if let Some(version) = version {
            f.ok(frame(&[VERSION.into(), version.raw().into()]));
        }
        f.refused(request(DIRECT_REQ2, VM, SP), NotSupported);
        // Even with wrong ids.
        f.refused(request(DIRECT_REQ2, SP, VM), NotSupported);
        let call = request(DIRECT_REQ_64, VM, SP);
        let resp = response(DIRECT_RESP_64, VM);
        f.forwarded(call, asked(&call), &[resp], resp, 8);
    }
}

#[test]
fn errors_of_the_other_side_are_the_vms() {
    let mut f = Fixture::new();
    for (fid, ..) in REQUESTS {
        for code in -10i32..0 {
            let call = request(fid, VM, SP);
            let error = eight(&[ERROR.into(), 0, u64::from(code as u32)]);
            f.forwarded(call, asked(&call), &[error], error, 8);
        }
    }
}

#[test]
fn el3s_bare_unknown_becomes_not_supported() {
    let mut f = Fixture::new();
    let not_supported = eight(&[ERROR.into(), 0, NotSupported.register()]);
    for (fid, ..) in REQUESTS {
        for x0 in [u64::MAX, 0xffff_ffff] {
            let call = request(fid, VM, SP);
            f.forwarded(call, asked(&call), &[answer(&[x0])], not_supported, 8);
        }
    }
}

#[test]
fn what_is_no_completion_at_all_shows_nothing_of_it() {
    let mut f = Fixture::new();
    let aborted = eight(&[ERROR.into(), 0, ffa_abi::FfaError::Aborted.register()]);
    for x0 in [0, 0x8400_0000, 0x1234_5678_9abc_def0, 0x8001_0000] {
        let call = request(DIRECT_REQ2, VM, SP);
        f.forwarded(call, asked(&call), &[answer(&[x0])], aborted, 8);
    }
}

fn interrupt(context: u16) -> Regs {
    eight(&[INTERRUPT.into(), target(context)])
}

fn target(context: u16) -> u64 {
    TargetInfo {
        endpoint: SP,
        context,
    }
    .register()
}

fn run_32(context: u16) -> Regs {
    let mut regs = Regs::ZERO;
    (regs[0], regs[1]) = (RUN.into(), target(context));
    regs
}

#[test]
fn an_interrupt_of_the_vms_own_is_shown_and_its_run_completes_in_eighteen_registers() {
    let mut f = Fixture::new();
    let call = request(DIRECT_REQ2, VM, SP);
    f.forwarded(call, asked(&call), &[interrupt(0)], interrupt(0), 8);
    let call = run(SP, 0);
    let resp = response(DIRECT_RESP2, VM);
    f.forwarded(call, run_32(0), &[resp], resp, 18);
}

#[test]
fn an_interrupt_of_the_proxys_own_is_hidden_and_the_answer_completes_the_original_request() {
    let mut f = Fixture::new();
    for (fid, resp, count) in REQUESTS {
        for times in 1..5u16 {
            let call = request(fid, VM, SP);
            let resp = response(resp, VM);
            let mut answers: Vec<Regs> = (0..times).map(interrupt).collect();
            answers.push(resp);
            f.el3.own_interrupts = (0..times).map(|_| true).collect();
            f.forwarded(call, asked(&call), &answers, resp, count);
            for (context, asked) in f.el3.asked[1..].iter().enumerate() {
                assert_eq!(
                    *asked,
                    run_32(context as u16),
                    "nothing but the run is sent"
                );
            }
        }
    }
}

#[test]
fn after_an_own_interrupt_comes_one_of_the_vms() {
    let mut f = Fixture::new();
    let call = request(DIRECT_REQ2, VM, SP);
    f.el3.own_interrupts = [true, false].into();
    f.forwarded(
        call,
        asked(&call),
        &[interrupt(0), interrupt(1)],
        interrupt(1),
        8,
    );
}

#[test]
fn what_ends_a_hidden_run_is_what_the_vm_sees() {
    let mut f = Fixture::new();
    for end in [
        eight(&[ERROR.into(), 0, ffa_abi::FfaError::Aborted.register()]),
        eight(&[YIELD.into(), target(0), 7]),
        eight(&[MSG_WAIT.into()]),
    ] {
        let call = request(DIRECT_REQ2, VM, SP);
        f.el3.own_interrupts = [true].into();
        f.forwarded(call, asked(&call), &[interrupt(0), end], end, 8);
    }
    let not_supported = eight(&[ERROR.into(), 0, NotSupported.register()]);
    let call = run(SP, 0);
    f.el3.own_interrupts = [true].into();
    f.forwarded(
        call,
        run_32(0),
        &[interrupt(0), answer(&[u64::MAX])],
        not_supported,
        8,
    );
}

#[test]
fn run_ends_in_any_way_that_a_partition_ends() {
    let mut f = Fixture::new();
    for (end, count) in [
        (eight(&[MSG_WAIT.into()]), 8),
        (eight(&[YIELD.into(), target(0), 7]), 8),
        (interrupt(0), 8),
        (eight(&[ERROR.into(), 0, NotSupported.register()]), 8),
        (response(DIRECT_RESP_32, VM), 8),
        (response(DIRECT_RESP_64, VM), 8),
        (response(DIRECT_RESP2, VM), 18),
    ] {
        let mut call = run(SP, 3);
        call[0] |= u64::from(SVE_HINT);
        call[1] |= 0xdead_beef_0000_0000;
        // What a 32-bit call does not define is the VM's own business.
        for register in &mut call[2..8] {
            *register = mark();
        }
        f.forwarded(call, run_32(3), &[end], end, count);
    }
}

#[test]
fn only_partitions_are_run() {
    let mut f = Fixture::new();
    for endpoint in [
        EndpointId::HYPERVISOR,
        VM,
        EndpointId(2),
        EndpointId::SPMC,
        EndpointId(0xffc0),
        EndpointId::SPMD,
    ] {
        f.refused(run(endpoint, 0), InvalidParameters);
    }
    let mut call = run(SP, 0);
    call[0] = Function::Run.raw64().into();
    f.refused(call, NotSupported);
}

/// Completions of eighteen registers: what an EL3 that misbehaves may answer anything with.
fn eighteen() -> [Regs; 3] {
    let hinted = u64::from(DIRECT_RESP2 | SVE_HINT);
    [
        response(DIRECT_RESP2, VM),
        answer(&[DIRECT_REQ2.into()]),
        answer(&[hinted]),
    ]
}

#[test]
fn x8_to_x17_of_a_vm_below_1_2_are_never_written() {
    let aborted = eight(&[ERROR.into(), 0, ffa_abi::FfaError::Aborted.register()]);
    for version in [None, Some(Version::V1_0), Some(Version::V1_1)] {
        let mut f = Fixture::fresh();
        if let Some(version) = version {
            f.ok(frame(&[VERSION.into(), version.raw().into()]));
        }
        for bad in eighteen() {
            for call in [
                run(SP, 0),
                request(DIRECT_REQ_32, VM, SP),
                request(DIRECT_REQ_64, VM, SP),
            ] {
                f.forwarded(call, asked(&call), &[bad], aborted, 8);
                // And after an interrupt that the VM does not see.
                f.el3.own_interrupts = [true].into();
                f.forwarded(call, asked(&call), &[interrupt(0), bad], aborted, 8);
            }
            // Its REQ2 does not even reach EL3.
            f.refused(request(DIRECT_REQ2, VM, SP), NotSupported);
        }
    }
}

#[test]
fn a_request_in_eight_registers_is_never_completed_in_eighteen() {
    let aborted = eight(&[ERROR.into(), 0, ffa_abi::FfaError::Aborted.register()]);
    for mode in [Mode::Permissive, Mode::SmcccStrict] {
        for version in [Version::V1_2, Version::V1_3] {
            let mut f = Fixture::fresh();
            f.vm = OneVm::new(VM, 0..0, mode);
            f.ok(frame(&[VERSION.into(), version.raw().into()]));
            for bad in eighteen() {
                for fid in [DIRECT_REQ_32, DIRECT_REQ_64] {
                    let call = request(fid, VM, SP);
                    f.forwarded(call, asked(&call), &[bad], aborted, 8);
                    f.el3.own_interrupts = [true].into();
                    f.forwarded(call, asked(&call), &[interrupt(0), bad], aborted, 8);
                }
            }
        }
    }
}
