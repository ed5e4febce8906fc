//! This crate against the arm-ffa crate, which reads and writes the same registers independently:
//! where a call is well formed, both must see the same.
//!
//! What these tests stay away from, because arm-ffa can't be asked there:
//! * 64-bit messages, `FFA_CONSOLE_LOG_64` and `FFA_SUCCESS_64` below FF-A 1.2: it asserts a version
//!   of 1.2.
//! * `Interface::to_regs` with a version older than the interface: it asserts too. So does a version
//!   number with bit 31 set, when it is encoded.
//! * its own conversion of nested errors (memory, notification and partition information) to
//!   `FfaError`, which calls itself for ever.
//! * the SVE hint, which it takes for a part of the identifier.
//!
//! Where the two differ on purpose is a test of its own, so that a change on either side is seen.

use arm_ffa::{
    FfaError as ArmError, FuncId, Interface, UuidHelper, Version as ArmVersion, VersionOut,
    boot_info::{BootInfoContents, BootInfoIterator, BootInfoStdId, BootInfoType},
    interface_args::{
        ConsoleLogChars, DirectMsg2Args, DirectMsgArgs, Feature, FeatureId, MsgWaitFlags,
        SuccessArgs, TargetInfo as ArmTarget, VersionFlags, VersionQueryType, WarmBootType,
    },
};
use ffa_abi::{
    Call, DecodeError, EndpointId, FfaError, Fid, Function, Regs, Reply, TargetInfo, Uuid, Version,
    boot_info::WithManifest,
    call::{FeatureQuery, console_capacity, console_characters},
    contract::{self, Layout},
    fid::{FidKind, WIDE_BIT},
    id::Endpoints,
    message::{self, FRAMEWORK_BIT, MessageKind},
};
use proptest::prelude::*;
use zerocopy::IntoBytes;

/// Each function and form that both know.
const BOTH: &[(FuncId, Function, bool)] = {
    use Function as F;
    &[
        (FuncId::Error32, F::Error, false),
        (FuncId::Error64, F::Error, true),
        (FuncId::Success32, F::Success, false),
        (FuncId::Success64, F::Success, true),
        (FuncId::Interrupt32, F::Interrupt, false),
        (FuncId::Interrupt64, F::Interrupt, true),
        (FuncId::Version, F::Version, false),
        (FuncId::Features, F::Features, false),
        (FuncId::RxAcquire, F::RxAcquire, false),
        (FuncId::RxRelease, F::RxRelease, false),
        (FuncId::RxTxMap32, F::RxtxMap, false),
        (FuncId::RxTxMap64, F::RxtxMap, true),
        (FuncId::RxTxUnmap, F::RxtxUnmap, false),
        (FuncId::PartitionInfoGet, F::PartitionInfoGet, false),
        (FuncId::PartitionInfoGetRegs, F::PartitionInfoGetRegs, true),
        (FuncId::IdGet, F::IdGet, false),
        (FuncId::SpmIdGet, F::SpmIdGet, false),
        (FuncId::ConsoleLog32, F::ConsoleLog, false),
        (FuncId::ConsoleLog64, F::ConsoleLog, true),
        (FuncId::MsgWait32, F::MsgWait, false),
        (FuncId::MsgWait64, F::MsgWait, true),
        (FuncId::Yield32, F::Yield, false),
        (FuncId::Yield64, F::Yield, true),
        (FuncId::Run32, F::Run, false),
        (FuncId::Run64, F::Run, true),
        (FuncId::NormalWorldResume32, F::NormalWorldResume, false),
        (FuncId::NormalWorldResume64, F::NormalWorldResume, true),
        (FuncId::MsgSend2, F::MsgSend2, false),
        (FuncId::MsgSendDirectReq32, F::MsgSendDirectReq, false),
        (FuncId::MsgSendDirectReq64, F::MsgSendDirectReq, true),
        (FuncId::MsgSendDirectReq64_2, F::MsgSendDirectReq2, true),
        (FuncId::MsgSendDirectResp32, F::MsgSendDirectResp, false),
        (FuncId::MsgSendDirectResp64, F::MsgSendDirectResp, true),
        (FuncId::MsgSendDirectResp64_2, F::MsgSendDirectResp2, true),
        (
            FuncId::NotificationBitmapCreate,
            F::NotificationBitmapCreate,
            false,
        ),
        (
            FuncId::NotificationBitmapDestroy,
            F::NotificationBitmapDestroy,
            false,
        ),
        (FuncId::NotificationBind, F::NotificationBind, false),
        (FuncId::NotificationUnbind, F::NotificationUnbind, false),
        (FuncId::NotificationSet, F::NotificationSet, false),
        (FuncId::NotificationGet, F::NotificationGet, false),
        (FuncId::NotificationInfoGet32, F::NotificationInfoGet, false),
        (FuncId::NotificationInfoGet64, F::NotificationInfoGet, true),
        (FuncId::El3IntrHandle, F::El3IntrHandle, false),
        (FuncId::SecondaryEpRegister32, F::SecondaryEpRegister, false),
        (FuncId::SecondaryEpRegister64, F::SecondaryEpRegister, true),
        (FuncId::MemDonate32, F::MemDonate, false),
        (FuncId::MemDonate64, F::MemDonate, true),
        (FuncId::MemLend32, F::MemLend, false),
        (FuncId::MemLend64, F::MemLend, true),
        (FuncId::MemShare32, F::MemShare, false),
        (FuncId::MemShare64, F::MemShare, true),
        (FuncId::MemRetrieveReq32, F::MemRetrieveReq, false),
        (FuncId::MemRetrieveReq64, F::MemRetrieveReq, true),
        (FuncId::MemRetrieveResp, F::MemRetrieveResp, false),
        (FuncId::MemRelinquish, F::MemRelinquish, false),
        (FuncId::MemReclaim, F::MemReclaim, false),
        (FuncId::MemPermGet32, F::MemPermGet, false),
        (FuncId::MemPermGet64, F::MemPermGet, true),
        (FuncId::MemPermSet32, F::MemPermSet, false),
        (FuncId::MemPermSet64, F::MemPermSet, true),
        (FuncId::MemOpPause, F::MemOpPause, false),
        (FuncId::MemOpResume, F::MemOpResume, false),
        (FuncId::MemFragRx, F::MemFragRx, false),
        (FuncId::MemFragTx, F::MemFragTx, false),
    ]
};

/// Functions that this crate knows and arm-ffa does not: legacy of 1.0, and 1.3's newest.
const OURS: &[(Function, bool)] = {
    use Function as F;
    &[
        (F::MsgPoll, false),
        (F::MsgSend, false),
        (F::NsResInfoGet, true),
        (F::Abort, false),
        (F::Abort, true),
        (F::NotificationBind2, true),
        (F::NotificationUnbind2, true),
        (F::NotificationSet2, true),
        (F::NotificationGet2, true),
    ]
};

const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];
const NEGOTIATE: VersionFlags = VersionFlags {
    query_type: VersionQueryType::Negotiate,
};

fn arm(version: Version) -> ArmVersion {
    ArmVersion(version.major(), version.minor())
}

fn arm_target(target: TargetInfo) -> ArmTarget {
    ArmTarget {
        endpoint_id: target.endpoint.0,
        vcpu_id: target.context,
    }
}

/// What arm-ffa writes for a call, in a caller's registers that were not zero before.
fn encode(version: Version, call: &Interface) -> Regs {
    let mut regs = [0x5555_5555_5555_5555; 18];
    call.to_regs(arm(version), &mut regs);
    if call.is_32bit() {
        regs[8..].fill(0);
    }
    Regs(regs)
}

/// What this crate writes as a completion.
fn completion(reply: Reply) -> [u64; 18] {
    let mut regs = [0; 18];
    reply.write(&mut regs);
    regs
}

#[test]
fn identifiers_of_functions() {
    for (theirs, function, wide) in BOTH {
        let raw = u32::from(*theirs);
        let fid = Fid {
            function: *function,
            wide: *wide,
        };
        assert_eq!(fid.raw(), raw, "{theirs:?}");
        assert_eq!(Fid::decode(raw.into()), FidKind::Ffa(fid));
        assert_eq!(theirs.is_32bit(), !wide, "{theirs:?}");
    }
    for (function, wide) in OURS {
        let raw = if *wide {
            function.raw64()
        } else {
            function.raw32()
        };
        assert!(FuncId::try_from(raw).is_err(), "{function:?}");
    }
    // And no other.
    for low in 0..=0xffu32 {
        for wide in [0, WIDE_BIT] {
            let raw = 0x8400_0000 | low | wide;
            let known = BOTH.iter().any(|(theirs, ..)| u32::from(*theirs) == raw);
            let ours = OURS.iter().any(|(function, is_wide)| {
                function.raw32() & 0xff == low && *is_wide == (wide != 0)
            });
            assert_eq!(FuncId::try_from(raw).is_ok(), known, "{raw:#x}");
            let decoded = matches!(Fid::decode(raw.into()), FidKind::Ffa(_));
            assert_eq!(decoded, known || ours, "{raw:#x}");
        }
    }
}

#[test]
fn the_first_version_of_the_64_bit_forms_of_cycle_management_is_1_3() {
    for (theirs, function, wide) in BOTH {
        let late = *wide
            && matches!(
                function,
                Function::Error
                    | Function::Interrupt
                    | Function::MsgWait
                    | Function::Yield
                    | Function::Run
                    | Function::NormalWorldResume
            );
        assert_eq!(
            theirs.minimum_ffa_version() == arm(Version::V1_3),
            late,
            "{theirs:?}"
        );
    }
}

#[test]
fn error_codes() {
    for code in -20..=5 {
        let ours = FfaError::try_from(code).ok();
        let theirs = ArmError::try_from(code).ok();
        // NOT_READY is known here only.
        if code == -10 {
            assert_eq!((ours, theirs), (Some(FfaError::NotReady), None));
        } else {
            assert_eq!(ours.is_some(), theirs.is_some(), "{code}");
        }
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            continue;
        };
        let regs = completion(Reply::error(ours));
        assert_eq!(
            Interface::from_regs(arm(Version::V1_2), &regs),
            Ok(Interface::error(theirs, true))
        );
        assert_eq!(
            regs,
            encode(Version::V1_2, &Interface::error(theirs, true)).0
        );
    }
}

#[test]
fn versions_and_what_serves_what() {
    let raws = (0..0x6u32)
        .flat_map(|major| (0..6).map(move |minor| major << 16 | minor))
        .chain([
            0x7fff_ffff,
            0x8000_0000,
            0x8001_0002,
            0xffff_ffff,
            0x7fff_0000,
        ]);
    for raw in raws {
        let ours = Version::from_raw(raw);
        let theirs = ArmVersion::try_from(raw).ok();
        assert_eq!(ours.map(arm), theirs, "{raw:#x}");
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            continue;
        };
        assert_eq!(ours.raw(), u32::from(theirs));
        for callee in VERSIONS {
            assert_eq!(callee.serves(ours), theirs.is_compatible_to(arm(callee)));
        }
    }
}

#[test]
fn the_answer_to_version() {
    for version in VERSIONS {
        let regs = completion(Reply::Version(Some(version)));
        let theirs = Interface::VersionOut {
            output_version: VersionOut::Version(arm(version)),
        };
        assert_eq!(u32::from(VersionOut::Version(arm(version))), regs[0] as u32);
        let mut expected = [1; 18];
        // It carries no identifier, so `is_32bit` does not exist for it: eight registers.
        theirs.to_regs(arm(version), &mut expected[..8]);
        assert_eq!(regs[..8], expected[..8]);
        assert_eq!(regs[8..], [0; 10]);
    }
    let refused = completion(Reply::Version(None));
    assert_eq!(u32::from(VersionOut::NotSupported), refused[0] as u32);
    assert_eq!(
        VersionOut::try_from(refused[0] as u32).ok(),
        Some(VersionOut::NotSupported)
    );
}

#[test]
fn feature_queries() {
    for (theirs, function, wide) in BOTH {
        let w1 = u32::from(Feature::FuncId(*theirs));
        let fid = Fid {
            function: *function,
            wide: *wide,
        };
        assert_eq!(FeatureQuery::from_w1(w1), FeatureQuery::Function(fid));
        assert_eq!(Feature::from(w1), Feature::FuncId(*theirs));
    }
    for theirs in [
        FeatureId::NotificationPendingInterrupt,
        FeatureId::ScheduleReceiverInterrupt,
        FeatureId::ManagedExitInterrupt,
    ] {
        let w1 = u32::from(Feature::FeatureId(theirs));
        assert_eq!(
            FeatureQuery::from_w1(w1),
            FeatureQuery::Feature(theirs as u8)
        );
    }
}

#[test]
fn calls_without_arguments() {
    for (call, ours) in [
        (Interface::IdGet, Call::IdGet),
        (Interface::SpmIdGet, Call::SpmIdGet),
        (
            Interface::MsgWait {
                flags: MsgWaitFlags::default(),
                is_32bit: true,
            },
            Call::MsgWait {
                wide: false,
                retain_rx: false,
            },
        ),
        (
            Interface::Yield { is_32bit: true },
            Call::Yield {
                wide: false,
                timeout: 0,
            },
        ),
        (
            Interface::Yield { is_32bit: false },
            Call::Yield {
                wide: true,
                timeout: 0,
            },
        ),
    ] {
        let regs = encode(Version::V1_3, &call);
        assert_eq!(Call::decode(Version::V1_3, &regs), Ok(ours));
    }
}

#[test]
fn waiting_with_and_without_the_rx_buffer() {
    for version in [Version::V1_2, Version::V1_3] {
        for retain_rx in [false, true] {
            for wide in [false, version == Version::V1_3] {
                let call = Interface::MsgWait {
                    flags: MsgWaitFlags {
                        retain_rx_buffer: retain_rx,
                    },
                    is_32bit: !wide,
                };
                let regs = encode(version, &call);
                assert_eq!(
                    Call::decode(version, &regs),
                    Ok(Call::MsgWait { wide, retain_rx })
                );
                assert_eq!(Interface::from_regs(arm(version), &regs.0), Ok(call));
            }
        }
    }
}

/// Both refuse these; arm-ffa checks bits 15:1 of w2 only.
#[test]
fn reserved_flags_of_msg_wait() {
    for bit in 1..16 {
        let mut regs = Regs::ZERO;
        regs[0] = Function::MsgWait.raw32().into();
        regs[2] = 1 << bit;
        assert!(Call::decode(Version::V1_2, &regs).is_err());
        assert!(Interface::from_regs(arm(Version::V1_2), &regs.0).is_err());
    }
}

#[test]
fn framework_messages_of_power_and_versions() {
    let spmd = EndpointId::SPMD.0;
    let spmc = EndpointId::SPMC.0;
    let requests = [
        (
            DirectMsgArgs::VersionReq {
                version: arm(Version::V1_2),
                flags: NEGOTIATE,
            },
            message::VERSION_REQUEST,
            Version::V1_2.raw(),
        ),
        (
            DirectMsgArgs::PowerPsciReq32 {
                params: [0x8400_0002, 1, 2, 3],
            },
            message::PSCI_REQUEST,
            0x8400_0002,
        ),
        (
            DirectMsgArgs::PowerWarmBootReq {
                boot_type: WarmBootType::ExitFromLowPower,
            },
            message::WARM_BOOT,
            WarmBootType::ExitFromLowPower as u32,
        ),
    ];
    for (args, number, w3) in requests {
        let regs = encode(
            Version::V1_2,
            &Interface::MsgSendDirectReq {
                src_id: spmd,
                dst_id: spmc,
                args,
            },
        );
        assert_eq!(
            Call::decode(Version::V1_2, &regs),
            Ok(Call::DirectReq {
                wide: false,
                ids: Endpoints {
                    sender: EndpointId::SPMD,
                    receiver: EndpointId::SPMC,
                },
                kind: MessageKind::Framework(number as u8),
            })
        );
        assert_eq!(regs[3], w3.into());
    }
    let answers = [
        (
            DirectMsgArgs::VersionResp {
                version: Some(arm(Version::V1_3)),
            },
            message::VERSION_RESPONSE,
            u64::from(Version::V1_3.raw()),
        ),
        (
            DirectMsgArgs::VersionResp { version: None },
            message::VERSION_RESPONSE,
            Reply::Version(None).values()[0],
        ),
        (
            DirectMsgArgs::PowerPsciResp { psci_status: -3 },
            message::POWER_RESPONSE,
            0xffff_fffd,
        ),
    ];
    for (args, number, w3) in answers {
        let mut regs = Regs::ZERO;
        regs.0[..4].copy_from_slice(&[
            Function::MsgSendDirectResp.raw32().into(),
            Endpoints {
                sender: EndpointId::SPMC,
                receiver: EndpointId::SPMD,
            }
            .register(),
            (FRAMEWORK_BIT | number).into(),
            w3,
        ]);
        assert_eq!(
            Interface::from_regs(arm(Version::V1_2), &regs.0),
            Ok(Interface::MsgSendDirectResp {
                src_id: spmc,
                dst_id: spmd,
                args,
            })
        );
    }
}

#[test]
fn boot_information_is_read_as_it_was_written() {
    // The oracle reads contents inside of the blob's own buffer, by their address.
    let mut words = [0u64; 16];
    words[8..].fill(0x6162_6364_6566_6768);
    let at = words.as_ptr() as u64 + 64;
    for version in [Version::V1_1, Version::V1_2] {
        let mut blob = WithManifest::new(version, at, 64);
        // It wants the manifest to be a part of the blob; ours stands in the package.
        blob.header.blob_size = 128.into();
        words.as_mut_bytes()[..64].copy_from_slice(blob.as_bytes());
        let mut read = BootInfoIterator::new(arm(version), words.as_bytes()).unwrap();
        let only = read.next().unwrap().unwrap();
        assert_eq!(only.typ, BootInfoType::Std(BootInfoStdId::Fdt));
        assert_eq!(
            only.contents,
            BootInfoContents::Address {
                content_buf: &words.as_bytes()[64..]
            }
        );
        assert!(read.next().is_none());
    }
}

/// arm-ffa takes a 64-bit direct message for eighteen registers; existing callers rely on x8-x17
/// surviving one, so here it has eight.
#[test]
fn a_64_bit_direct_message_has_eight_registers_here() {
    for function in [Function::MsgSendDirectReq, Function::MsgSendDirectResp] {
        let completion = function.raw64().into();
        assert_eq!(contract::layout(None, completion), Layout::Eight);
    }
}

/// arm-ffa takes these; they are malformed, and refused here.
#[test]
fn what_only_this_crate_refuses() {
    let wait = Function::MsgWait.raw32().into();
    let request = Function::MsgSendDirectReq.raw32().into();
    let console = Function::ConsoleLog.raw32().into();
    for args in [
        [wait, 1, 0, 0],
        [wait, 0, 0, 1],
        [wait, 0, 1 << 16, 0],
        [request, 0x1_8001, 1, 0],
        [console, 0, 0, 0],
        [console, 0x101, 0, 0],
    ] {
        let mut regs = Regs::ZERO;
        regs.0[..4].copy_from_slice(&args);
        assert!(Interface::from_regs(arm(Version::V1_2), &regs.0).is_ok());
        assert!(matches!(
            Call::decode(Version::V1_2, &regs),
            Err(DecodeError::Invalid(_))
        ));
    }
}

fn versions() -> impl Strategy<Value = Version> {
    prop::sample::select(VERSIONS.to_vec())
}

/// From 1.2: what arm-ffa needs for 64-bit messages.
fn extended_versions() -> impl Strategy<Value = Version> {
    prop::sample::select(vec![Version::V1_2, Version::V1_3])
}

proptest! {
    #[test]
    fn uuids(low: u64, high: u64) {
        let ours = Uuid::from_registers(low, high);
        let theirs = UuidHelper::from_u64_regs([low, high]);
        prop_assert_eq!(ours.0, UuidHelper::to_bytes(theirs));
        prop_assert_eq!(ours.registers(), (low, high));
        prop_assert_eq!(ours.to_string(), theirs.to_string());
        let words = UuidHelper::to_u32_regs(theirs);
        prop_assert_eq!(Uuid::from_words(words), ours);
    }

    #[test]
    fn targets(w1: u32, junk: u32) {
        let ours = TargetInfo::from_register(u64::from(w1) | u64::from(junk) << 32);
        prop_assert_eq!(arm_target(ours), ArmTarget::from(w1));
        prop_assert_eq!(ours.register(), u64::from(u32::from(arm_target(ours))));
    }

    #[test]
    fn version_requests(raw in 0u32..0x8000_0000, version in versions()) {
        let asked = Version::from_raw(raw).unwrap();
        let call = Interface::Version { input_version: arm(asked), flags: NEGOTIATE };
        let regs = encode(version, &call);
        prop_assert_eq!(Call::decode(version, &regs), Ok(Call::Version(Some(asked))));
    }

    #[test]
    fn features_calls(index in 0..BOTH.len(), input: u32, version in versions()) {
        let (theirs, function, wide) = BOTH[index];
        let call = Interface::Features {
            feat_id: Feature::FuncId(theirs),
            input_properties: input,
        };
        let query = FeatureQuery::Function(Fid { function, wide });
        prop_assert_eq!(
            Call::decode(version, &encode(version, &call)),
            Ok(Call::Features { query, input })
        );
    }

    #[test]
    fn run(endpoint: u16, context: u16, wide: bool) {
        let target = TargetInfo { endpoint: EndpointId(endpoint), context };
        let call = Interface::Run { target_info: arm_target(target), is_32bit: !wide };
        let regs = encode(Version::V1_3, &call);
        prop_assert_eq!(
            Call::decode(Version::V1_3, &regs),
            Ok(Call::Run { wide, target })
        );
        if !wide {
            prop_assert_eq!(regs.0, completion(Reply::run(target)));
        }
    }

    #[test]
    fn direct_messages_of_32_bits(
        sender: u16, receiver: u16, payload: [u32; 5], response: bool, version in versions(),
    ) {
        let ids = Endpoints { sender: EndpointId(sender), receiver: EndpointId(receiver) };
        let args = DirectMsgArgs::Args32(payload);
        let (src_id, dst_id) = (sender, receiver);
        let (call, expected) = if response {
            (
                Interface::MsgSendDirectResp { src_id, dst_id, args },
                Call::DirectResp { wide: false, ids, kind: MessageKind::Partition },
            )
        } else {
            (
                Interface::MsgSendDirectReq { src_id, dst_id, args },
                Call::DirectReq { wide: false, ids, kind: MessageKind::Partition },
            )
        };
        let regs = encode(version, &call);
        prop_assert_eq!(Call::decode(version, &regs), Ok(expected));
        prop_assert_eq!(regs.0[3..8].to_vec(), payload.map(u64::from).to_vec());
        // Delivered by the contract, with junk in the upper halves, it reads the same.
        let mut dirty = regs;
        dirty.0.iter_mut().skip(1).for_each(|x| *x |= 0xdead_beef << 32);
        let mut received = [0x77; 31];
        contract::write(contract::layout(None, regs[0]), &dirty, &mut received);
        prop_assert_eq!(Interface::from_regs(arm(version), &received), Ok(call));
        prop_assert_eq!(received[8..].to_vec(), vec![0x77; 23]);
    }

    #[test]
    fn direct_messages_of_64_bits(
        sender: u16, receiver: u16, payload: [u64; 5], response: bool,
        version in extended_versions(),
    ) {
        let ids = Endpoints { sender: EndpointId(sender), receiver: EndpointId(receiver) };
        let mut fifteen = [0; 15];
        fifteen[..5].copy_from_slice(&payload);
        let args = DirectMsgArgs::Args64(fifteen);
        let (src_id, dst_id) = (sender, receiver);
        let (call, expected) = if response {
            (
                Interface::MsgSendDirectResp { src_id, dst_id, args },
                Call::DirectResp { wide: true, ids, kind: MessageKind::Partition },
            )
        } else {
            (
                Interface::MsgSendDirectReq { src_id, dst_id, args },
                Call::DirectReq { wide: true, ids, kind: MessageKind::Partition },
            )
        };
        let regs = encode(version, &call);
        prop_assert_eq!(Call::decode(version, &regs), Ok(expected));
        prop_assert_eq!(regs.0[3..8].to_vec(), payload.to_vec());
        let mut received = [0; 31];
        contract::write(contract::layout(None, regs[0]), &regs, &mut received);
        prop_assert_eq!(Interface::from_regs(arm(version), &received), Ok(call));
    }

    #[test]
    fn direct_messages_2(
        sender: u16, receiver: u16, service: [u64; 2], payload: [u64; 14], response: bool,
        version in extended_versions(),
    ) {
        let ids = Endpoints { sender: EndpointId(sender), receiver: EndpointId(receiver) };
        let args = DirectMsg2Args(payload);
        let (src_id, dst_id) = (sender, receiver);
        let (call, expected) = if response {
            (
                Interface::MsgSendDirectResp2 { src_id, dst_id, args },
                Call::DirectResp2 { ids },
            )
        } else {
            let uuid = UuidHelper::from_u64_regs(service);
            (
                Interface::MsgSendDirectReq2 { src_id, dst_id, uuid, args },
                Call::DirectReq2 { ids, uuid: Uuid::from_registers(service[0], service[1]) },
            )
        };
        let regs = encode(version, &call);
        prop_assert_eq!(Call::decode(version, &regs), Ok(expected));
        let mut received = [0x77; 31];
        contract::write(contract::layout(None, regs[0]), &regs, &mut received);
        prop_assert_eq!(Interface::from_regs(arm(version), &received), Ok(call));
        prop_assert_eq!(received[18..].to_vec(), vec![0x77; 13]);
    }

    #[test]
    fn the_console(text: [u64; 16], count in 1usize..=128, wide: bool) {
        let mut regs = Regs::ZERO;
        let form = Function::ConsoleLog;
        regs[0] = if wide { form.raw64() } else { form.raw32() }.into();
        regs[1] = count as u64;
        regs.0[2..].copy_from_slice(&text);
        let ours = Call::decode(Version::V1_2, &regs);
        let theirs = Interface::from_regs(arm(Version::V1_2), &regs.0);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        prop_assert_eq!(ours.is_ok(), count <= console_capacity(wide, Version::V1_2));
        if let Ok(Interface::ConsoleLog { chars }) = theirs {
            let mut seen = Vec::new();
            console_characters(&regs, wide, count, |c| seen.push(c));
            match chars {
                ConsoleLogChars::Chars32(chars) => prop_assert_eq!(&seen, chars.bytes()),
                ConsoleLogChars::Chars64(chars) => prop_assert_eq!(&seen, chars.bytes()),
            }
        }
    }

    #[test]
    fn success_interrupt_and_wait_as_completions(
        endpoint: u16, context: u16, w2: u32, w3: u32, version in versions(),
    ) {
        let target = TargetInfo { endpoint: EndpointId(endpoint), context };
        let success = |args| Interface::Success {
            target_info: ArmTarget::default(),
            args: SuccessArgs::Args32(args),
        };
        let table = [
            (Reply::success(w2), success([w2, 0, 0, 0, 0, 0])),
            (Reply::success2(w2, w3), success([w2, w3, 0, 0, 0, 0])),
            (
                Reply::interrupt(target, w2),
                Interface::Interrupt {
                    target_info: arm_target(target),
                    interrupt_id: w2,
                    is_32bit: true,
                },
            ),
            (
                Reply::msg_wait(),
                Interface::MsgWait { flags: MsgWaitFlags::default(), is_32bit: true },
            ),
        ];
        for (ours, theirs) in table {
            let regs = completion(ours);
            prop_assert_eq!(Interface::from_regs(arm(version), &regs), Ok(theirs));
            prop_assert_eq!(regs, encode(version, &theirs).0);
        }
    }

    /// Whatever arm-ffa reads as one of the calls that are built here, this crate reads as the same
    /// function, or refuses as malformed; it never takes it for unknown.
    #[test]
    fn what_one_knows_the_other_knows(
        index in 0..BOTH.len(), x in proptest::collection::vec(0u64..4, 17),
    ) {
        let (theirs, function, wide) = BOTH[index];
        let mut regs = Regs::ZERO;
        regs[0] = u32::from(theirs).into();
        regs.0[1..].copy_from_slice(&x);
        let known = Interface::from_regs(arm(Version::V1_3), &regs.0).is_ok();
        let ours = Call::decode(Version::V1_3, &regs);
        if known {
            prop_assert!(!matches!(ours, Err(DecodeError::Unknown | DecodeError::NotFfa(_))));
        }
        if let Err(DecodeError::Invalid(fid)) = ours {
            prop_assert_eq!(fid, Fid { function, wide });
        }
        if let Ok(Call::Other(fid)) = ours {
            prop_assert_eq!(fid, Fid { function, wide });
        }
    }
}
