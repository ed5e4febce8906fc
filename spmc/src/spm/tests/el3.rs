//! The SPMD's own calls, and completions that EL3 bounces.

use super::fixture::*;
use crate::{
    spm::{self, Next},
    state::State,
};
use ffa_abi::{
    EndpointId,
    FfaError::{Aborted, Busy, Denied, InvalidParameters, NotSupported},
    Function, Version,
    fid::raw::*,
    message::{self, FRAMEWORK_BIT},
    smccc::psci,
};

fn framework_answer(number: u32, w3: u32) -> [u64; 4] {
    [
        DIRECT_RESP_32.into(),
        ids(EndpointId::SPMC, EndpointId::SPMD),
        (FRAMEWORK_BIT | number).into(),
        w3.into(),
    ]
}

#[test]
fn the_normal_worlds_version_comes_as_a_framework_message() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2)]);
    f.boot();
    let ask = |raw| framework(message::VERSION_REQUEST, raw);
    let yes = framework_answer(message::VERSION_RESPONSE, Version::OWN.raw());
    let no = framework_answer(message::VERSION_RESPONSE, 0xffff_ffff);
    for (raw, answer) in [
        (Version::V1_3.raw(), yes),
        (0x8001_0000, no),
        (0x2_0000, no),
        (0x1_0004, no),
        (Version::V1_2.raw(), yes),
    ] {
        f.nwd(ask(raw));
        f.nwd_got(&answer);
    }
    f.nwd_requests(A, DIRECT_REQ2);
    f.responds_to_nwd(DIRECT_RESP2);
    // After the first use: only the same again.
    f.answered(ask(Version::V1_1.raw()), &no);
    f.answered(ask(Version::V1_3.raw()), &no);
    f.answered(ask(Version::V1_2.raw()), &yes);
}

#[test]
fn a_power_message_does_not_fix_the_version() {
    let mut f = Fixture::with(1, &[]);
    let ask = |raw| framework(message::VERSION_REQUEST, raw);
    let yes = framework_answer(message::VERSION_RESPONSE, Version::OWN.raw());
    f.nwd(ask(Version::V1_1.raw()));
    f.nwd(framework(message::WARM_BOOT, 0));
    f.nwd(ask(Version::V1_2.raw()));
    f.nwd_got(&yes);
}

#[test]
fn only_the_spmd_sends_framework_messages_and_only_to_the_spmc() {
    let mut f = Fixture::new();
    for number in [0, 1, 8] {
        for (sender, receiver) in [
            (EndpointId::HYPERVISOR, EndpointId::SPMC),
            (VM, EndpointId::SPMC),
            (EndpointId::SPMD, id(A)),
            (EndpointId(0xffc0), EndpointId::SPMC),
            (EndpointId::SPMC, EndpointId::SPMD),
        ] {
            let mut call = framework(number, Version::V1_1.raw());
            call[1] = ids(sender, receiver);
            f.refused(call, InvalidParameters);
        }
    }
}

#[test]
fn unknown_framework_messages_are_invalid_parameters() {
    let mut f = Fixture::new();
    for number in (0..=0xff).filter(|n| ![0, 1, 8].contains(n)) {
        f.refused(framework(number, 0), InvalidParameters);
    }
    // And known ones in the 64-bit form.
    let mut call = framework(message::VERSION_REQUEST, Version::V1_2.raw());
    call[0] = DIRECT_REQ_64.into();
    f.refused(call, InvalidParameters);
}

#[test]
fn a_warm_boot_is_acknowledged() {
    let mut f = Fixture::new();
    let answer = framework_answer(message::POWER_RESPONSE, 0);
    for w3 in [0, 1] {
        f.answered(framework(message::WARM_BOOT, w3), &answer);
    }
}

#[test]
fn power_functions_other_than_cpu_off_are_not_supported() {
    let mut f = Fixture::new();
    let answer = framework_answer(message::POWER_RESPONSE, 0xffff_ffff);
    for function in [psci::CPU_SUSPEND_32, psci::SYSTEM_OFF, 0, 0xffff_ffff] {
        f.answered(framework(message::PSCI_REQUEST, function), &answer);
    }
}

#[test]
fn a_core_that_goes_off_takes_its_contexts_with_it_whatever_they_did() {
    let mut f = Fixture::new();
    f.pe = 1;
    f.nwd_requests(B, DIRECT_REQ2);
    f.preempt();
    f.nwd(core_off());
    f.nwd_got(&framework_answer(message::POWER_RESPONSE, 0));
    assert_eq!((f.state(B), f.view(B).request), (State::Off, None));
    // A context whose core is off is busy until it is on again, and none that could be run.
    f.refused(message(DIRECT_REQ2, VM, id(B)), Busy);
    f.refused(run(B, 1), InvalidParameters);
    // The other core's goes on, and so do partitions that migrate.
    f.pe = 0;
    for slot in [A, B, C] {
        f.nwd_requests(slot, DIRECT_REQ2);
        f.responds_to_nwd(DIRECT_RESP2);
    }
}

#[test]
fn what_a_context_asked_for_is_free_when_its_core_goes_off() {
    let mut f = Fixture::new();
    f.pe = 1;
    assert_eq!(f.nwd(run(B, 1)), Next::Partition(B));
    f.sp_requests(A, DIRECT_REQ2);
    let interrupted = f.view(A).gp.x;
    assert_eq!(f.preempt(), Next::Partition(B));
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.refused(run(A, 0), Denied);
    f.nwd(core_off());
    f.pe = 0;
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    f.sp_got_all(A, &interrupted);
    let answer = message(DIRECT_RESP2, id(A), id(B));
    assert_eq!(f.sp(answer), Next::NormalWorld);
    f.nwd_got(&[MSG_WAIT.into()]);
    f.waits(A, &answer);
    f.nwd_requests(A, DIRECT_REQ2);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn an_aborted_context_may_go_off_with_its_core() {
    let mut f = Fixture::new();
    f.pe = 1;
    assert_eq!(f.nwd(run(B, 1)), Next::Partition(B));
    f.abort();
    f.refused(message(DIRECT_REQ2, VM, id(B)), Aborted);
    f.nwd(core_off());
    f.nwd_got(&framework_answer(message::POWER_RESPONSE, 0));
    // Twice is harmless.
    f.nwd(core_off());
    f.nwd_got(&framework_answer(message::POWER_RESPONSE, 0));
}

#[test]
fn an_early_interrupt_neither_writes_a_frame_nor_fixes_the_version() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2)]);
    f.boot();
    f.nwd(frame(&[VERSION.into(), Version::V1_1.raw().into()]));
    let call = frame(&[INTERRUPT.into()]);
    assert_eq!(f.nwd(call), Next::NormalWorldResume);
    assert_eq!(f.pes[0].nwd.0, call[..18], "no frame came, none goes");
    f.nwd(frame(&[VERSION.into(), Version::V1_2.raw().into()]));
    f.nwd_got(&[Version::OWN.raw().into()]);
}

#[test]
fn a_completion_that_el3_bounces_is_answered_with_an_error() {
    let mut f = Fixture::new();
    let not_supported = [ERROR.into(), 0, NotSupported.register()];
    for bounced in [
        frame(&[ERROR.into(), 0, InvalidParameters.register()]),
        frame(&[u64::MAX, 1, 2, 3, 4, 5, 6, 7]),
        frame(&[0xffff_ffff]),
    ] {
        f.answered(bounced, &not_supported);
    }
}

#[test]
fn calls_of_partitions_are_not_the_normal_worlds() {
    let mut f = Fixture::new();
    f.nwd_requests(A, DIRECT_REQ2);
    f.pe = 1;
    for response in [DIRECT_RESP_32, DIRECT_RESP_64, DIRECT_RESP2] {
        f.refused(message(response, VM, id(A)), NotSupported);
        f.refused(message(response, id(A), VM), NotSupported);
    }
    f.pe = 0;
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn what_the_spmc_says_of_itself() {
    let mut ready = [0; 18];
    ready[0] = Function::MsgWait.raw32().into();
    assert_eq!(spm::ready().0, ready);
    let mut resume = [0; 18];
    resume[0] = NORMAL_WORLD_RESUME.into();
    assert_eq!(spm::resume().0, resume);
}

#[test]
fn ids_are_unique_and_found_in_any_order() {
    let mut f = Fixture::with(1, &[]);
    let info = |raw| crate::context::PartitionInfo::new(EndpointId(raw), heapless::Vec::new(), 1);
    for raw in [0x8005, 0x8001, 0xffbf, 0x8002] {
        assert!(f.spmc.add(info(raw), Version::V1_2).is_some());
        assert!(f.spmc.add(info(raw), Version::V1_2).is_none(), "twice");
    }
    for (n, raw) in [0x8005, 0x8001, 0xffbf, 0x8002].into_iter().enumerate() {
        let slot = f.spmc.find(EndpointId(raw)).unwrap();
        assert_eq!(slot.0 as usize, n);
        assert_eq!(f.spmc.info(slot).unwrap().id.0, raw);
    }
    for raw in [0, 0x8000, 0x8003, 0x8004, 0xffff] {
        assert_eq!(f.spmc.find(EndpointId(raw)), None);
    }
    for n in 4..crate::MAX_PARTITIONS {
        assert!(f.spmc.add(info(0x9000 + n as u16), Version::V1_2).is_some());
    }
    assert!(f.spmc.add(info(0xa000), Version::V1_2).is_none(), "full");
}
