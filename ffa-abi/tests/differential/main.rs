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

mod calls;
mod descriptors;
mod functions;
mod messages;
mod numbers;
mod results;

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
    console::console_call,
    contract::{self, Layout},
    fid::{FidKind, WIDE_BIT},
    id::Endpoints,
    message::{self, FRAMEWORK_BIT, MessageKind},
    version::VersionQuery,
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

fn versions() -> impl Strategy<Value = Version> {
    prop::sample::select(VERSIONS.to_vec())
}

/// From 1.2: what arm-ffa needs for 64-bit messages.
fn extended_versions() -> impl Strategy<Value = Version> {
    prop::sample::select(vec![Version::V1_2, Version::V1_3])
}
