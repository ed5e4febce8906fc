//! Results: what `FFA_SUCCESS` and the other completions carry.

use super::*;
use arm_ffa::{
    interface_args::{SuccessArgsFeatures, VmAvailabilityStatus},
    memory_management::{
        DataAccessPermGetSet, Handle as ArmHandle, InstructionAccessPermGetSet,
        MemPermissionsGetSet, SuccessArgsMemOp, SuccessArgsMemPermGet,
    },
    notification::{
        NotificationGetFlags, SuccessArgsNotificationGet, SuccessArgsNotificationInfoGet32,
        SuccessArgsNotificationInfoGet64,
    },
    partition_info::{
        PartitionIdType, PartitionInfo as ArmInfo, PartitionInfoIterator,
        PartitionProperties as ArmProperties, SuccessArgsPartitionInfoGetRegs,
    },
};
use ffa_abi::{
    Completion,
    memory::{Handle, PermissionRun, Permissions},
    message::{Framework, WarmBoot},
    notification::{InfoLists, Pending},
    partition_info::{DescriptorLayout, InfoRegs, PartitionInfo, PartitionProperties},
};

fn narrow_success(regs: &[u64; 18]) -> SuccessArgs {
    match Interface::from_regs(arm(Version::V1_3), regs) {
        Ok(Interface::Success { args, .. }) => args,
        other => panic!("not read as FFA_SUCCESS: {other:?}"),
    }
}

fn their_success(args: SuccessArgs) -> Regs {
    encode(
        Version::V1_3,
        &Interface::Success {
            target_info: ArmTarget::default(),
            args,
        },
    )
}

/// The same partition as both describe it. arm-ffa knows no descriptor of 48 bytes.
fn partition(n: u16) -> (ArmInfo, PartitionInfo) {
    let uuid = Uuid::from_registers(0x0123_4567_89ab_cdef, u64::from(n));
    let theirs = ArmInfo {
        uuid: UuidHelper::from_bytes(uuid.0),
        partition_id: 0x8001 + n,
        partition_id_type: PartitionIdType::PeEndpoint {
            execution_ctx_count: 8,
        },
        props: ArmProperties {
            support_direct_req_rec: true,
            support_direct_req_send: n.is_multiple_of(2),
            support_direct_req2_rec: Some(n.is_multiple_of(3)),
            support_direct_req2_send: Some(true),
            support_indirect_msg: n.is_multiple_of(5),
            support_notif_rec: true,
            subscribe_vm_created: n.is_multiple_of(7),
            subscribe_vm_destroyed: true,
            is_aarch64: true,
        },
    };
    let mut properties = PartitionProperties::RECEIVES_DIRECT
        | PartitionProperties::SENDS_DIRECT2
        | PartitionProperties::NOTIFICATIONS
        | PartitionProperties::VM_DESTROYED
        | PartitionProperties::AARCH64;
    properties.set(PartitionProperties::SENDS_DIRECT, n.is_multiple_of(2));
    properties.set(PartitionProperties::RECEIVES_DIRECT2, n.is_multiple_of(3));
    properties.set(PartitionProperties::INDIRECT, n.is_multiple_of(5));
    properties.set(PartitionProperties::VM_CREATED, n.is_multiple_of(7));
    let ours = PartitionInfo {
        id: EndpointId(0x8001 + n),
        contexts: 8,
        properties,
        protocol: uuid,
        image: Uuid::NIL,
        version: None,
    };
    (theirs, ours)
}

#[test]
fn descriptors_in_the_rx_buffer() {
    let (theirs, ours): (Vec<_>, Vec<_>) = (0..8).map(partition).unzip();
    let mut written = vec![0; 24 * 8];
    ArmInfo::pack(arm(Version::V1_2), &theirs, &mut written, true);
    for (n, ours) in ours.iter().enumerate() {
        let mut bytes = [0; 24];
        ours.write(DescriptorLayout::Medium, &mut bytes).unwrap();
        assert_eq!(bytes, written[24 * n..24 * (n + 1)]);
        assert_eq!(PartitionInfo::read(24, &bytes), Some(*ours));
    }
    let read = PartitionInfoIterator::new(arm(Version::V1_2), &written, 8).unwrap();
    assert!(read.map(Result::unwrap).eq(theirs));
}

#[test]
fn descriptors_in_registers() {
    let (theirs, ours): (Vec<_>, Vec<_>) = (0..8).map(partition).unzip();
    let reply = InfoRegs::new(DescriptorLayout::Medium, 8, 2, 0x55, ours[2..].to_vec()).unwrap();
    let regs = reply.encode();
    let read = SuccessArgsPartitionInfoGetRegs::try_from(narrow_success(&regs.0)).unwrap();
    assert_eq!(
        (read.last_index, read.current_index, read.info_tag),
        (7, 6, 0x55)
    );
    let found = PartitionInfoIterator::new(arm(Version::V1_2), &read.descriptor_data, 5).unwrap();
    assert!(found.map(Result::unwrap).eq(theirs[2..7].to_vec()));
    // And back.
    let regs = their_success(read.into());
    let again = InfoRegs::decode(&regs).unwrap();
    assert_eq!(again, reply);
    assert!(again.descriptors(2).eq(ours[2..7].to_vec()));
}

#[test]
fn framework_messages_both_ways() {
    let spmd = EndpointId::SPMD;
    let spmc = EndpointId::SPMC;
    let handle = Handle(0x8000_0001_0000_0002);
    let theirs = ArmHandle(handle.0);
    let vm = EndpointId(3);
    for (ours, args) in [
        (
            Framework::PsciRequest {
                wide: false,
                parameters: [0x8400_0002, 1, 2, 3],
            },
            DirectMsgArgs::PowerPsciReq32 {
                params: [0x8400_0002, 1, 2, 3],
            },
        ),
        (
            Framework::PsciRequest {
                wide: true,
                parameters: [0xc400_0001, 1 << 40, 2, 3],
            },
            DirectMsgArgs::PowerPsciReq64 {
                params: [0xc400_0001, 1 << 40, 2, 3],
            },
        ),
        (
            Framework::WarmBoot(WarmBoot::SuspendToRam),
            DirectMsgArgs::PowerWarmBootReq {
                boot_type: WarmBootType::ExitFromSuspendToRam,
            },
        ),
        (
            Framework::WarmBoot(WarmBoot::Shallower),
            DirectMsgArgs::PowerWarmBootReq {
                boot_type: WarmBootType::ExitFromLowPower,
            },
        ),
        (
            Framework::PowerResponse { status: -3 },
            DirectMsgArgs::PowerPsciResp { psci_status: -3 },
        ),
        (
            Framework::VmCreated { handle, vm },
            DirectMsgArgs::VmCreated {
                handle: theirs,
                vm_id: 3,
            },
        ),
        (
            Framework::VmCreatedResponse { status: 0 },
            DirectMsgArgs::VmCreatedAck {
                sp_status: VmAvailabilityStatus::Success,
            },
        ),
        (
            Framework::VmDestroyed { handle, vm },
            DirectMsgArgs::VmDestructed {
                handle: theirs,
                vm_id: 3,
            },
        ),
        (
            Framework::VmDestroyedResponse { status: -6 },
            DirectMsgArgs::VmDestructedAck {
                sp_status: VmAvailabilityStatus::Error(ArmError::Denied),
            },
        ),
        (
            Framework::VersionRequest {
                version: Some(Version::V1_2),
                query: Some(VersionQuery::Negotiated),
            },
            DirectMsgArgs::VersionReq {
                version: arm(Version::V1_2),
                flags: VersionFlags {
                    query_type: VersionQueryType::QueryNegotiated,
                },
            },
        ),
        (
            Framework::VersionResponse(Some(Version::V1_3)),
            DirectMsgArgs::VersionResp {
                version: Some(arm(Version::V1_3)),
            },
        ),
        (
            Framework::VersionResponse(None),
            DirectMsgArgs::VersionResp { version: None },
        ),
    ] {
        let ids = Endpoints {
            sender: spmd,
            receiver: spmc,
        };
        let (src_id, dst_id) = (spmd.0, spmc.0);
        let theirs = if ours.is_response() {
            Interface::MsgSendDirectResp {
                src_id,
                dst_id,
                args,
            }
        } else {
            Interface::MsgSendDirectReq {
                src_id,
                dst_id,
                args,
            }
        };
        let regs = ours.encode(ids);
        assert_eq!(
            Interface::from_regs(arm(Version::V1_2), &regs.0),
            Ok(theirs)
        );
        // arm-ffa reads responses of the framework, but writes requests only.
        if !ours.is_response() {
            assert_eq!(encode(Version::V1_2, &theirs), regs);
        }
        let call = Call::decode(Version::V1_2, &regs).unwrap();
        assert_eq!(Framework::of(&call, &regs), Ok(Some(ours)));
    }
}

#[test]
fn permissions() {
    use DataAccessPermGetSet::{ReadOnly, ReadWrite};
    use InstructionAccessPermGetSet::{Executable, NonExecutable};
    for (permissions, data_access, instr_access) in [
        (Permissions::ReadExecute, ReadOnly, Executable),
        (Permissions::ReadOnly, ReadOnly, NonExecutable),
        (Permissions::ReadWrite, ReadWrite, NonExecutable),
    ] {
        let ours = PermissionRun {
            permissions,
            pages: 0x1234,
        };
        let theirs = SuccessArgsMemPermGet {
            perm: MemPermissionsGetSet {
                data_access,
                instr_access,
            },
            page_cnt: 0x1234,
        };
        let regs = completion(ours.success());
        assert_eq!(
            SuccessArgsMemPermGet::try_from(narrow_success(&regs)),
            Ok(theirs)
        );
        let regs = their_success(theirs.into());
        assert_eq!(PermissionRun::from_success(&regs), Some(ours));
    }
}

proptest! {
    #[test]
    fn handles_and_features(value: u64, w2: u32, w3: u32) {
        let regs = completion(Handle(value).success());
        let theirs = SuccessArgsMemOp { handle: ArmHandle(value) };
        prop_assert_eq!(SuccessArgsMemOp::try_from(narrow_success(&regs)), Ok(theirs));
        prop_assert_eq!(Handle::from_success(&their_success(theirs.into())), Handle(value));
        let regs = completion(Reply::success2(w2, w3));
        prop_assert_eq!(
            SuccessArgsFeatures::try_from(narrow_success(&regs)),
            Ok(SuccessArgsFeatures { properties: [w2, w3] })
        );
    }

    #[test]
    fn pending_notifications(partitions: u64, vms: u64, spm: u32, hypervisor: u32) {
        let ours = Pending { partitions, vms, spm, hypervisor };
        let theirs = SuccessArgsNotificationGet {
            sp_notifications: Some(partitions),
            vm_notifications: Some(vms),
            spm_notifications: Some(spm),
            hypervisor_notifications: Some(hypervisor),
        };
        let all = NotificationGetFlags {
            sp_bitmap_id: true,
            vm_bitmap_id: true,
            spm_bitmap_id: true,
            hyp_bitmap_id: true,
        };
        let args = narrow_success(&completion(ours.success()));
        prop_assert_eq!(SuccessArgsNotificationGet::try_from((all, args)), Ok(theirs));
        prop_assert_eq!(Pending::from_success(&their_success(theirs.into())), ours);
    }

    #[test]
    fn lists_of_pending_notifications(
        wide: bool, more: bool,
        entries in proptest::collection::vec(
            (any::<u16>(), proptest::collection::vec(any::<u16>(), 0..4)), 0..10),
    ) {
        let mut ours = InfoLists::new(wide);
        let mut theirs_32 = SuccessArgsNotificationInfoGet32::default();
        let mut theirs_64 = SuccessArgsNotificationInfoGet64::default();
        ours.more = more;
        theirs_32.more_pending_notifications = more;
        theirs_64.more_pending_notifications = more;
        for (endpoint, contexts) in &entries {
            let fits = if wide {
                theirs_64.add_list(*endpoint, contexts).is_ok()
            } else {
                theirs_32.add_list(*endpoint, contexts).is_ok()
            };
            prop_assert_eq!(ours.push(EndpointId(*endpoint), contexts).is_ok(), fits);
        }
        let args = narrow_success(&completion(ours.success()));
        let regs = if wide {
            prop_assert_eq!(SuccessArgsNotificationInfoGet64::try_from(args), Ok(theirs_64));
            their_success(theirs_64.into())
        } else {
            prop_assert_eq!(SuccessArgsNotificationInfoGet32::try_from(args), Ok(theirs_32));
            their_success(theirs_32.into())
        };
        prop_assert_eq!(InfoLists::from_success(&regs), Some(ours));
    }

    /// Whatever the registers of that answer hold, both read the same lists or none.
    #[test]
    fn both_refuse_the_same_lists(x2: u64, ids: [u64; 5], lists in 0u64..24) {
        let mut regs = Regs::ZERO;
        regs[0] = Function::Success.raw64().into();
        regs[2] = x2 & !(0x1f << 7) | lists << 7;
        regs.0[3..8].copy_from_slice(&ids);
        let ours = InfoLists::from_success(&regs);
        let theirs = SuccessArgsNotificationInfoGet64::try_from(narrow_success(&regs.0)).ok();
        prop_assert_eq!(ours.is_some(), theirs.is_some());
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            prop_assert!(ours.iter().map(|(id, contexts)| (id.0, contexts)).eq(theirs.iter()));
            prop_assert_eq!(ours.more, theirs.more_pending_notifications);
        }
    }

    #[test]
    fn completions_are_written_and_read_alike(
        w1: u32, w2: u32, w3: u32, code in -9i32..0, wide: bool, version_1_3: bool,
    ) {
        let version = if version_1_3 || wide { Version::V1_3 } else { Version::V1_2 };
        let target = TargetInfo::from_register(w1.into());
        let run = Fid::narrow(Function::Run);
        let target_info = arm_target(target);
        let is_32bit = !wide;
        for (ours, theirs) in [
            (
                Completion::Error {
                    wide,
                    target,
                    code: Ok(FfaError::try_from(code).unwrap()),
                    argument: w3,
                },
                Interface::Error {
                    target_info,
                    error_code: ArmError::try_from(code).unwrap(),
                    error_arg: w3,
                    is_32bit,
                },
            ),
            (
                Completion::Interrupt { wide, target, intid: w2 },
                Interface::Interrupt { target_info, interrupt_id: w2, is_32bit },
            ),
            (Completion::Run { wide, target }, Interface::Run { target_info, is_32bit }),
            (
                Completion::MsgWait { wide },
                Interface::MsgWait { flags: MsgWaitFlags::default(), is_32bit },
            ),
            (
                Completion::NormalWorldResume { wide },
                Interface::NormalWorldResume { is_32bit },
            ),
            (
                Completion::MemRetrieveResp { total_length: w1, fragment_length: w2 },
                Interface::MemRetrieveResp { total_len: w1, frag_len: w2 },
            ),
        ] {
            let regs = ours.encode();
            prop_assert_eq!(Interface::from_regs(arm(version), &regs.0), Ok(theirs));
            prop_assert_eq!(encode(version, &theirs), regs);
            prop_assert_eq!(Completion::decode(run, &regs), Ok(ours));
        }
    }
}
