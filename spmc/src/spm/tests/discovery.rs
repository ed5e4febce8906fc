//! Versions, features, identifiers, the console, and calls that are not FF-A.

use super::fixture::*;
use crate::spm::Next;
use ffa_abi::{
    EndpointId,
    FfaError::{InvalidParameters, NotSupported},
    Function, Version,
    fid::{WIDE_BIT, raw::*},
    smccc::{self, SVE_HINT, psci},
};

const OWN: u64 = Version::OWN.raw() as u64;
/// -1 in w0, and no `FFA_ERROR`.
const REFUSED: u64 = 0xffff_ffff;

fn version(requested: u32) -> Frame {
    frame(&[VERSION.into(), requested.into()])
}

/// Two endpoints that have called nothing yet: the partition of the fixture has the core.
fn fresh(version: Version) -> Fixture {
    let mut f = Fixture::with(1, &[Spec::up(version)]);
    f.start(A);
    f
}

#[test]
fn a_version_is_negotiated_until_the_first_other_call() {
    for secure in [true, false] {
        let mut f = if secure {
            fresh(Version::V1_0)
        } else {
            Fixture::with(1, &[])
        };
        // Any number of times, up and down.
        for asked in [Version::V1_2, Version::V1_0, Version::V1_3, Version::V1_1] {
            f.call(version(asked.raw()));
            f.got(&[OWN]);
        }
        // What is not served keeps the old one.
        for asked in [0x8001_0001, 0x2_0000, 0x1_0004, 0x0_0009, 0, 0xffff_ffff] {
            f.call(version(asked));
            f.got(&[REFUSED]);
        }
        assert_eq!(f.version(), Version::V1_1);
        f.call(frame(&[ID_GET.into()]));
        for asked in [Version::V1_0, Version::V1_2, Version::V1_3] {
            f.answered(version(asked.raw()), &[REFUSED]);
        }
        // The same again, at any time.
        f.answered(version(Version::V1_1.raw()), &[OWN]);
        f.answered(version(Version::V1_1.raw() | 1 << 31), &[REFUSED]);
        assert_eq!(f.version(), Version::V1_1);
    }
}

#[test]
fn each_call_but_version_and_console_fixes_the_version() {
    let fixing = [
        frame(&[ID_GET.into()]),
        frame(&[FEATURES.into(), 1 << 31]),
        // Unknown, known but not implemented, and malformed ones too.
        frame(&[0x8400_00ee]),
        frame(&[Function::RxRelease.raw32().into()]),
        frame(&[MSG_WAIT.into(), 1]),
        message(DIRECT_REQ_32, EndpointId(0), EndpointId(0)),
        message(DIRECT_REQ2, EndpointId(0), EndpointId(0)),
        message(DIRECT_RESP2, EndpointId(0), EndpointId(0)),
    ];
    for call in fixing {
        let mut f = fresh(Version::V1_1);
        f.call(call);
        f.answered(version(Version::V1_2.raw()), &[REFUSED]);
    }
    let leaving_open = [
        version(Version::V1_1.raw()),
        frame(&[Function::ConsoleLog.raw32().into(), 1, b'x'.into()]),
        frame(&[smccc::SMCCC_VERSION.into()]),
        frame(&[0x1234]),
    ];
    for call in leaving_open {
        let mut f = fresh(Version::V1_1);
        f.call(call);
        f.call(version(Version::V1_2.raw()));
        f.got(&[OWN]);
    }
}

#[test]
fn the_version_is_one_number_for_all_cores() {
    let mut f = Fixture::with(2, &[]);
    f.nwd(version(Version::V1_2.raw()));
    f.pe = 1;
    f.nwd(frame(&[ID_GET.into()]));
    f.pe = 0;
    f.answered(version(Version::V1_1.raw()), &[REFUSED]);
    f.answered(version(Version::V1_2.raw()), &[OWN]);
}

#[test]
fn a_partition_starts_with_its_manifests_version() {
    let mut f = fresh(Version::V1_1);
    f.refused(frame(&[MSG_WAIT.into(), 0, 1]), InvalidParameters);
    let mut f = fresh(Version::V1_2);
    assert_eq!(f.sp(frame(&[MSG_WAIT.into(), 0, 1])), Next::Booted);
}

#[test]
fn identifiers() {
    let mut f = Fixture::new();
    let success = u64::from(SUCCESS_32);
    f.answered(frame(&[ID_GET.into()]), &[success]);
    f.answered(frame(&[SPM_ID_GET.into()]), &[success, 0, 0x8000]);
    for slot in [A, B, OLD] {
        f.nwd_runs(slot);
        f.answered(frame(&[ID_GET.into()]), &[success, 0, id(slot).0.into()]);
        f.answered(frame(&[SPM_ID_GET.into()]), &[success, 0, 0x8000]);
        f.sp(msg_wait());
    }
}

#[test]
#[cfg_attr(miri, ignore = "too slow")]
fn features_are_what_the_asker_may_call() {
    use Function::*;
    // Function, wide, for the normal world, for a partition of 1.2, for one of 1.3.
    let table = [
        (Error, false, true, true, true),
        (Error, true, false, false, true),
        (Success, false, true, true, true),
        (Success, true, true, true, true),
        (Interrupt, false, true, true, true),
        (Interrupt, true, false, false, true),
        (Version, false, true, true, true),
        (Features, false, true, true, true),
        (IdGet, false, true, true, true),
        (SpmIdGet, false, true, true, true),
        (RxtxMap, true, true, true, true),
        (RxtxUnmap, false, true, true, true),
        (RxRelease, false, true, true, true),
        (RxAcquire, false, true, false, false),
        (NotificationBitmapCreate, false, true, false, false),
        (NotificationBitmapDestroy, false, true, false, false),
        // Neither partition receives notifications.
        (NotificationBind, false, true, false, false),
        (NotificationUnbind, false, true, false, false),
        (NotificationSet, false, true, true, true),
        (NotificationGet, false, true, false, false),
        (NotificationInfoGet, false, true, false, false),
        (NotificationInfoGet, true, true, false, false),
        // B has several contexts.
        (SecondaryEpRegister, false, false, true, false),
        (SecondaryEpRegister, true, false, true, false),
        (PartitionInfoGet, false, true, true, true),
        (PartitionInfoGetRegs, true, true, true, true),
        (Abort, false, false, false, true),
        (Abort, true, false, false, true),
        (Run, false, true, true, true),
        (Run, true, false, false, true),
        (MsgWait, false, false, true, true),
        (MsgWait, true, false, false, true),
        (Yield, false, false, true, true),
        (Yield, true, false, false, true),
        (MsgSendDirectReq, false, true, true, true),
        (MsgSendDirectReq, true, true, true, true),
        (MsgSendDirectReq2, true, true, true, true),
        (MsgSendDirectResp, false, false, true, true),
        (MsgSendDirectResp, true, false, true, true),
        (MsgSendDirectResp2, true, false, true, true),
        (MsgSend2, false, true, true, true),
        (ConsoleLog, false, false, true, true),
        (ConsoleLog, true, false, true, true),
        (MemDonate, false, true, true, true),
        (MemDonate, true, true, true, true),
        (MemLend, false, true, true, true),
        (MemLend, true, true, true, true),
        (MemShare, false, true, true, true),
        (MemShare, true, true, true, true),
        (MemRetrieveReq, false, true, true, true),
        (MemRetrieveReq, true, true, true, true),
        (MemRelinquish, false, true, true, true),
        (MemReclaim, false, true, true, true),
        (MemFragRx, false, true, true, true),
        (MemFragTx, false, true, true, true),
    ];
    let mut f = Fixture::new();
    // w2 says that the caller understands the NS bit, where that is asked.
    let ask = |raw: u32| frame(&[FEATURES.into(), raw.into(), 2]);
    let no = [u64::from(ERROR), 0, NotSupported.register()];
    let yes = [u64::from(SUCCESS_32)];
    for low in 0..=0xffu32 {
        for wide in [false, true] {
            let raw = 0x8400_0000 | low | if wide { WIDE_BIT } else { 0 };
            let row = table
                .iter()
                .find(|row| row.1 == wide && row.0.raw32() & 0xff == low);
            let expected = row.map_or((false, false, false), |r| (r.2, r.3, r.4));
            // 4 KiB is the smallest buffer, four pages the largest.
            let pages = [u64::from(SUCCESS_32), 0, 4 << 16];
            // With the NS bit, by hypervisors, and 255 times.
            let retrieving = [u64::from(SUCCESS_32), 0, 6, 7];
            let answer = |yes_no| match yes_no {
                true if row.is_some_and(|row| row.0 == MemRetrieveReq) => &retrieving[..],
                true if row.is_some_and(|row| row.0 == RxtxMap) => &pages[..],
                true => &yes[..],
                false => &no[..],
            };
            f.answered(ask(raw), answer(expected.0));
            f.nwd_runs(B);
            f.answered(ask(raw), answer(expected.1));
            f.sp(msg_wait());
            f.nwd_runs(C);
            f.answered(ask(raw), answer(expected.2));
            f.sp(msg_wait());
        }
    }
    // Nobody here is told of notifications, or how they are; the hint is no part of an identifier.
    for query in [0, 1, 3, 4, 0x100, 0x7fff_ffff, DIRECT_REQ2 | SVE_HINT] {
        f.answered(ask(query), &no);
    }
    let success = u64::from(SUCCESS_32);
    f.answered(ask(2), &[success, 0, 8]);
    f.nwd_runs(B);
    f.answered(ask(3), &[success, 0, 4]);
    for query in [0, 1, 2, 4, 0x100] {
        f.answered(ask(query), &no);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too slow")]
fn what_features_denies_is_not_supported_when_it_is_called() {
    let mut f = Fixture::new();
    f.nwd_runs(C);
    f.pe = 1;
    for pe in [1, 0] {
        f.pe = pe;
        for low in 0x60..=0xefu32 {
            for wide in [0, WIDE_BIT] {
                let raw = 0x8400_0000 | low | wide;
                let asked = frame(&[FEATURES.into(), raw.into(), 2]);
                f.call(asked);
                // The 32-bit form of FFA_RXTX_MAP is served all the same, and S-EL1 partitions are
                // DENIED what is for those at S-EL0.
                let permissions = matches!(low, 0x88 | 0x89) && pe == 0;
                if f.result()[0] == u64::from(SUCCESS_32)
                    || raw == Function::RxtxMap.raw32()
                    || permissions
                {
                    continue;
                }
                f.refused(frame(&[raw.into()]), NotSupported);
                // Whatever its arguments are.
                f.refused(
                    frame(&[raw.into(), 0xffff, 3, 0xffff, 0xffff, 5, 6, 7]),
                    NotSupported,
                );
            }
        }
    }
}

#[test]
fn completions_are_no_calls() {
    let mut f = Fixture::new();
    let calls = [SUCCESS_32, SUCCESS_64, INTERRUPT, NORMAL_WORLD_RESUME];
    f.nwd_runs(C);
    for call in calls {
        f.refused(frame(&[call.into()]), NotSupported);
    }
}

#[test]
fn the_console_takes_what_its_form_carries() {
    let text: Vec<u8> = (0..128).map(|n| b'0' + n % 64).collect();
    for (owner, wide, most) in [
        (A, false, 24),
        (A, true, 128),
        (OLD, false, 24),
        (OLD, true, 48),
    ] {
        let mut f = Fixture::new();
        f.nwd_runs(owner);
        let fid = match wide {
            true => Function::ConsoleLog.raw64(),
            false => Function::ConsoleLog.raw32(),
        };
        for count in 1..=most {
            let mut call = frame(&[fid.into(), count]);
            let size = if wide { 8 } else { 4 };
            for (register, chunk) in call[2..18].iter_mut().zip(text.chunks(size)) {
                let mut bytes = [0xee; 8];
                bytes[..size].copy_from_slice(chunk);
                *register = u64::from_le_bytes(bytes);
            }
            f.machine.console.clear();
            f.answered(call, &[SUCCESS_32.into()]);
            let seen: Vec<u8> = f.machine.console.iter().map(|(_, c)| *c).collect();
            assert_eq!(seen, text[..count as usize], "{owner:?} {wide} {count}");
            assert!(f.machine.console.iter().all(|(from, _)| *from == id(owner)));
        }
        f.machine.console.clear();
        for count in [0, most + 1, 0xffff_ffff] {
            f.refused(frame(&[fid.into(), count]), InvalidParameters);
        }
        assert!(f.machine.console.is_empty());
    }
}

#[test]
fn the_normal_world_has_no_console_here() {
    let mut f = Fixture::new();
    for fid in [Function::ConsoleLog.raw32(), CONSOLE_LOG_64] {
        for count in [0, 1, 1000] {
            f.refused(frame(&[fid.into(), count, b'x'.into()]), NotSupported);
        }
    }
    assert!(f.machine.console.is_empty());
}

#[test]
fn an_unknown_smc_touches_x0_and_nothing_else() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    for fid in [
        0,
        1,
        u64::MAX,
        0xffff_ffff,
        psci::VERSION.into(),
        psci::SYSTEM_OFF.into(),
        psci::CPU_ON_64.into(),
        0x8400_005f,
        0xc400_00f0,
        0x8400_0160,
        0x0400_0063,
    ] {
        let mut call: Frame = core::array::from_fn(|_| mark());
        call[0] = fid;
        assert_eq!(f.sp(call), Next::Partition(A));
        call[0] = u64::MAX;
        f.sp_got_all(A, &call);
    }
}

#[test]
fn smccc_itself_is_answered_in_x0() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    for (fid, x1, answer) in [
        (smccc::SMCCC_VERSION, 0, smccc::SMCCC_1_2),
        (smccc::SMCCC_ARCH_FEATURES, smccc::SMCCC_VERSION, 0),
        (smccc::SMCCC_ARCH_FEATURES, smccc::SMCCC_ARCH_FEATURES, 0),
        (smccc::SMCCC_ARCH_FEATURES, 0x8000_8000, u64::MAX),
    ] {
        let mut call: Frame = core::array::from_fn(|_| mark());
        (call[0], call[1]) = (fid.into(), x1.into());
        assert_eq!(f.sp(call), Next::Partition(A));
        call[0] = answer;
        f.sp_got_all(A, &call);
    }
}
