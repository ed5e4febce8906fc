//! What the proxy answers itself: versions, features, identifiers, the console.

use super::fixture::*;
use ffa_abi::{
    EndpointId,
    FfaError::{InvalidParameters, NotSupported},
    Function, Version,
    fid::{WIDE_BIT, raw::*},
    smccc::SVE_HINT,
};

const REFUSED: u64 = 0xffff_ffff;

fn version(raw: u32) -> Frame {
    frame(&[VERSION.into(), raw.into()])
}

#[test]
fn a_vm_that_asks_nothing_speaks_1_0() {
    assert_eq!(Fixture::fresh().vm.version(), Version::V1_0);
}

#[test]
fn the_version_is_negotiated_until_the_first_other_call() {
    let mut f = Fixture::fresh();
    let own = u64::from(Version::V1_3.raw());
    for asked in [Version::V1_2, Version::V1_0, Version::V1_3, Version::V1_1] {
        f.answered(version(asked.raw()), &[own]);
        assert_eq!(f.vm.version(), asked);
    }
    for asked in [0x8001_0001, 0x2_0000, 0x1_0004, 0, 0xffff_ffff] {
        f.answered(version(asked), &[REFUSED]);
        assert_eq!(f.vm.version(), Version::V1_1, "the old one stays");
    }
    f.ok(frame(&[ID_GET.into()]));
    for asked in [Version::V1_0, Version::V1_2, Version::V1_3] {
        f.answered(version(asked.raw()), &[REFUSED]);
    }
    f.answered(version(Version::V1_1.raw()), &[own]);
    assert_eq!(f.vm.version(), Version::V1_1);
}

#[test]
fn no_version_is_offered_that_el3s_side_does_not_speak() {
    let mut f = Fixture::fresh();
    f.upstream.version = Version::V1_1;
    f.answered(version(Version::V1_2.raw()), &[REFUSED]);
    f.answered(version(Version::V1_0.raw()), &[Version::V1_1.raw().into()]);
    f.answered(version(Version::V1_1.raw()), &[Version::V1_1.raw().into()]);
}

#[test]
fn each_call_but_version_console_and_strangers_fixes_the_version() {
    for (call, fixes) in [
        (frame(&[ID_GET.into()]), true),
        (frame(&[FEATURES.into()]), true),
        (frame(&[0x8400_00ee]), true),
        (frame(&[MSG_WAIT.into(), 1]), true),
        (request(DIRECT_REQ_32, SP, VM), true),
        (request(DIRECT_REQ2, SP, VM), true),
        (version(Version::V1_1.raw()), false),
        (
            frame(&[Function::ConsoleLog.raw32().into(), 1, b'x'.into()]),
            false,
        ),
        (frame(&[0x8400_0000]), false),
        (frame(&[0x1234]), false),
    ] {
        let mut f = Fixture::fresh();
        f.ok(call);
        f.ok(version(Version::V1_2.raw()));
        assert_eq!(f.x[0] == REFUSED, fixes, "{:#x}", call[0]);
    }
}

#[test]
fn identifiers() {
    let mut f = Fixture::new();
    let success = u64::from(SUCCESS_32);
    f.answered(frame(&[ID_GET.into()]), &[success, 0, VM.0.into()]);
    f.answered(frame(&[SPM_ID_GET.into()]), &[success, 0, 0x8000]);
    f.upstream.spm_id = EndpointId(0x8123);
    f.answered(frame(&[SPM_ID_GET.into()]), &[success, 0, 0x8123]);
}

#[test]
fn features_are_what_the_vm_may_call_and_everything_else_is_not_supported() {
    use Function::*;
    let table = [
        (Error, false),
        (Success, false),
        (Success, true),
        (Interrupt, false),
        (Version, false),
        (Features, false),
        (IdGet, false),
        (SpmIdGet, false),
        (Run, false),
        (ConsoleLog, false),
        (ConsoleLog, true),
        (MsgSendDirectReq, false),
        (MsgSendDirectReq, true),
        (MsgSendDirectReq2, true),
    ];
    let no = [u64::from(ERROR), 0, NotSupported.register()];
    for (asks, direct2) in [
        (ffa_abi::Version::V1_1, true),
        (ffa_abi::Version::V1_2, false),
        (ffa_abi::Version::V1_2, true),
    ] {
        let mut f = Fixture::fresh();
        f.upstream.direct2 = direct2;
        f.ok(version(asks.raw()));
        for low in 0..=0xffu32 {
            for wide in [false, true] {
                let raw = 0x8400_0000 | low | if wide { WIDE_BIT } else { 0 };
                let listed = table
                    .iter()
                    .any(|(function, form)| function.raw32() & 0xff == low && *form == wide);
                let two = raw == DIRECT_REQ2;
                let known = listed && (!two || direct2 && asks.has_extended_registers());
                let query = frame(&[FEATURES.into(), raw.into()]);
                if known {
                    f.answered(query, &[SUCCESS_32.into()]);
                    continue;
                }
                f.answered(query, &no);
                if (0x60..=0xef).contains(&low) {
                    for args in [[0; 7], [1, 2, 3, 4, 5, 6, 7], [0xffff; 7]] {
                        let mut call = frame(&[raw.into()]);
                        call[1..8].copy_from_slice(&args);
                        f.answered(call, &no);
                    }
                }
            }
        }
        // No feature id is given to a VM yet; the hint is no part of an identifier.
        for query in [0, 1, 2, 3, 0x100, 0x7fff_ffff, DIRECT_REQ_32 | SVE_HINT] {
            f.answered(frame(&[FEATURES.into(), query.into()]), &no);
        }
    }
}

#[test]
fn completions_and_calls_of_partitions_are_no_calls_of_a_vm() {
    let mut f = Fixture::new();
    for fid in [
        ERROR,
        SUCCESS_32,
        SUCCESS_64,
        INTERRUPT,
        NORMAL_WORLD_RESUME,
        MSG_WAIT,
        MSG_WAIT_64,
        YIELD,
        DIRECT_RESP_32,
        DIRECT_RESP_64,
        DIRECT_RESP2,
    ] {
        f.refused(frame(&[fid.into()]), NotSupported);
    }
}

#[test]
fn the_console_is_the_proxys_own() {
    let text: Vec<u8> = (0..128).map(|n| b'0' + n % 64).collect();
    let (narrow, wide) = (Function::ConsoleLog.raw32(), CONSOLE_LOG_64);
    for (asks, fid, most) in [
        (Version::V1_1, narrow, 24),
        (Version::V1_1, wide, 48),
        (Version::V1_2, narrow, 24),
        (Version::V1_2, wide, 128),
    ] {
        let mut f = Fixture::fresh();
        f.ok(version(asks.raw()));
        let size = if fid == wide { 8 } else { 4 };
        for count in [1, 2, most - 1, most] {
            let mut call = frame(&[fid.into(), count]);
            for (register, chunk) in call[2..18].iter_mut().zip(text.chunks(size)) {
                let mut bytes = [0xee; 8];
                bytes[..size].copy_from_slice(chunk);
                *register = u64::from_le_bytes(bytes);
            }
            f.el3.console.clear();
            f.answered(call, &[SUCCESS_32.into()]);
            let seen: Vec<u8> = f.el3.console.iter().map(|(_, c)| *c).collect();
            assert_eq!(seen, text[..count as usize]);
            assert!(f.el3.console.iter().all(|(from, _)| *from == VM));
        }
        f.el3.console.clear();
        for count in [0, most + 1, 0xffff_ffff] {
            f.refused(frame(&[fid.into(), count]), InvalidParameters);
        }
        assert!(f.el3.console.is_empty());
    }
}
