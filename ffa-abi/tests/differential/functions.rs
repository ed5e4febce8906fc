//! Setup, cycles, memory and notifications: each function with arguments that are told apart, in
//! both directions.

use super::*;
use arm_ffa::{
    interface_args::{MemAddr, MemOpBuf, MsgSend2Flags, RxTxAddr, SecondaryEpRegisterAddr},
    memory_management::{
        DataAccessPermGetSet, Handle as ArmHandle, InstructionAccessPermGetSet,
        MemPermissionsGetSet, MemReclaimFlags,
    },
    notification::{NotificationBindFlags, NotificationGetFlags, NotificationSetFlags},
    partition_info::PartitionInfoGetFlags,
};
use ffa_abi::{
    memory::{DescriptorCall, Handle, Permissions, ReclaimFlags},
    message::Send2Flags,
    notification::{GetFlags, SetFlags},
};

const VM: u16 = 3;
const SENDER: u16 = 0x8001;
const RECEIVER: u16 = 0x0007;
const HANDLE: u64 = 0x8000_0002_0000_0001;
const BITMAP: u64 = 0x8000_0004_0000_0008;
const ADDRESS: u64 = 0x8_8000_1000;

fn ids() -> Endpoints {
    Endpoints {
        sender: EndpointId(SENDER),
        receiver: EndpointId(RECEIVER),
    }
}

/// The calls that need no address or width.
fn plain() -> Vec<(Interface, Call)> {
    let vm = EndpointId(VM);
    let handle = Handle(HANDLE);
    let theirs = ArmHandle(HANDLE);
    let uuid = Uuid::from_registers(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
    let their_uuid = UuidHelper::from_bytes(uuid.0);
    vec![
        (Interface::RxAcquire { vm_id: VM }, Call::RxAcquire { vm }),
        (Interface::RxRelease { vm_id: VM }, Call::RxRelease { vm }),
        (Interface::RxTxUnmap { id: VM }, Call::RxtxUnmap { vm }),
        (
            Interface::PartitionInfoGet {
                uuid: their_uuid,
                flags: PartitionInfoGetFlags { count_only: true },
            },
            Call::PartitionInfoGet {
                uuid,
                count_only: true,
            },
        ),
        (
            Interface::PartitionInfoGetRegs {
                uuid: their_uuid,
                start_index: 5,
                info_tag: 0x55,
            },
            Call::PartitionInfoGetRegs {
                uuid,
                start: 5,
                tag: 0x55,
            },
        ),
        (Interface::El3IntrHandle, Call::El3IntrHandle),
        (
            Interface::MsgSend2 {
                sender_vm_id: VM,
                flags: MsgSend2Flags {
                    delay_schedule_receiver: true,
                },
            },
            Call::MsgSend2 {
                vm,
                flags: Send2Flags::DELAY_SCHEDULE_RECEIVER,
            },
        ),
        (Interface::MemRelinquish, Call::MemRelinquish),
        (
            Interface::MemReclaim {
                handle: theirs,
                flags: MemReclaimFlags {
                    zero_memory: true,
                    time_slicing: false,
                },
            },
            Call::MemReclaim {
                handle,
                flags: ReclaimFlags::ZERO,
            },
        ),
        (
            Interface::MemOpPause { handle: theirs },
            Call::MemOpPause { handle },
        ),
        (
            Interface::MemOpResume { handle: theirs },
            Call::MemOpResume { handle },
        ),
        (
            Interface::MemFragRx {
                handle: theirs,
                frag_offset: 0x1000,
                endpoint_id: VM,
            },
            Call::MemFragRx {
                handle,
                offset: 0x1000,
                sender: vm,
            },
        ),
        (
            Interface::MemFragTx {
                handle: theirs,
                frag_len: 0x800,
                endpoint_id: VM,
            },
            Call::MemFragTx {
                handle,
                length: 0x800,
                sender: vm,
            },
        ),
        (
            Interface::NotificationBitmapCreate {
                vm_id: VM,
                vcpu_cnt: 4,
            },
            Call::NotificationBitmapCreate { vm, contexts: 4 },
        ),
        (
            Interface::NotificationBitmapDestroy { vm_id: VM },
            Call::NotificationBitmapDestroy { vm },
        ),
        (
            Interface::NotificationBind {
                sender_id: SENDER,
                receiver_id: RECEIVER,
                flags: NotificationBindFlags {
                    per_vcpu_notification: true,
                },
                bitmap: BITMAP,
            },
            Call::NotificationBind {
                ids: ids(),
                per_context: true,
                bitmap: BITMAP,
            },
        ),
        (
            Interface::NotificationUnbind {
                sender_id: SENDER,
                receiver_id: RECEIVER,
                bitmap: BITMAP,
            },
            Call::NotificationUnbind {
                ids: ids(),
                bitmap: BITMAP,
            },
        ),
        (
            Interface::NotificationSet {
                sender_id: SENDER,
                receiver_id: RECEIVER,
                flags: NotificationSetFlags {
                    delay_schedule_receiver: true,
                    vcpu_id: Some(6),
                },
                bitmap: BITMAP,
            },
            Call::NotificationSet {
                ids: ids(),
                flags: SetFlags {
                    per_context: true,
                    delay_schedule_receiver: true,
                    context: 6,
                },
                bitmap: BITMAP,
            },
        ),
        (
            Interface::NotificationGet {
                vcpu_id: 2,
                endpoint_id: RECEIVER,
                flags: NotificationGetFlags {
                    sp_bitmap_id: true,
                    vm_bitmap_id: false,
                    spm_bitmap_id: true,
                    hyp_bitmap_id: false,
                },
            },
            Call::NotificationGet {
                receiver: EndpointId(RECEIVER),
                context: 2,
                flags: GetFlags::PARTITIONS | GetFlags::SPM,
            },
        ),
    ]
}

/// The calls that exist in two widths.
fn both_widths(wide: bool) -> Vec<(Interface, Call)> {
    let address = if wide { ADDRESS } else { ADDRESS & 0xffff_ffff };
    let narrow = address as u32;
    let (buf, at, rxtx, entrypoint) = if wide {
        (
            MemOpBuf::Buf64 {
                addr: address,
                page_cnt: 2,
            },
            MemAddr::Addr64(address),
            RxTxAddr::Addr64 {
                rx: address + 0x4000,
                tx: address,
            },
            SecondaryEpRegisterAddr::Addr64(address),
        )
    } else {
        (
            MemOpBuf::Buf32 {
                addr: narrow,
                page_cnt: 2,
            },
            MemAddr::Addr32(narrow),
            RxTxAddr::Addr32 {
                rx: narrow + 0x4000,
                tx: narrow,
            },
            SecondaryEpRegisterAddr::Addr32(narrow),
        )
    };
    let ours = DescriptorCall {
        wide,
        total_length: 0x2000,
        fragment_length: 0x1000,
        buffer: address,
        pages: 2,
    };
    let (total_len, frag_len, buf) = (0x2000, 0x1000, Some(buf));
    let mut calls = vec![
        (
            Interface::MemDonate {
                total_len,
                frag_len,
                buf,
            },
            Call::MemDonate(ours),
        ),
        (
            Interface::MemLend {
                total_len,
                frag_len,
                buf,
            },
            Call::MemLend(ours),
        ),
        (
            Interface::MemShare {
                total_len,
                frag_len,
                buf,
            },
            Call::MemShare(ours),
        ),
        (
            Interface::MemRetrieveReq {
                total_len,
                frag_len,
                buf,
            },
            Call::MemRetrieveReq(ours),
        ),
        (
            Interface::RxTxMap {
                addr: rxtx,
                page_cnt: 4,
            },
            Call::RxtxMap {
                wide,
                tx: address,
                rx: address + 0x4000,
                pages: 4,
            },
        ),
        (
            Interface::SecondaryEpRegister { entrypoint },
            Call::SecondaryEpRegister {
                wide,
                entry: address,
            },
        ),
        (
            Interface::NotificationInfoGet { is_32bit: !wide },
            Call::NotificationInfoGet { wide },
        ),
        (
            Interface::NormalWorldResume { is_32bit: !wide },
            Call::NormalWorldResume { wide },
        ),
        (
            Interface::MemPermGet {
                addr: at,
                page_cnt: 8,
            },
            Call::MemPermGet {
                wide,
                address,
                pages: 8,
            },
        ),
    ];
    use DataAccessPermGetSet::{NoAccess, ReadOnly, ReadWrite};
    use InstructionAccessPermGetSet::{Executable, NonExecutable};
    for (data_access, instr_access, permissions) in [
        (NoAccess, NonExecutable, Permissions::None),
        (ReadOnly, Executable, Permissions::ReadExecute),
        (ReadOnly, NonExecutable, Permissions::ReadOnly),
        (ReadWrite, NonExecutable, Permissions::ReadWrite),
    ] {
        calls.push((
            Interface::MemPermSet {
                addr: at,
                page_cnt: 9,
                mem_perm: MemPermissionsGetSet {
                    data_access,
                    instr_access,
                },
            },
            Call::MemPermSet {
                wide,
                address,
                pages: 9,
                permissions: permissions.raw(),
            },
        ));
    }
    calls
}

#[test]
fn each_function_reads_and_writes_the_same_registers() {
    let version = Version::V1_3;
    let all = plain()
        .into_iter()
        .chain(both_widths(false))
        .chain(both_widths(true));
    for (theirs, ours) in all {
        let regs = encode(version, &theirs);
        assert_eq!(Call::decode(version, &regs), Ok(ours));
        assert_eq!(ours.encode(), regs, "{ours:?}");
        assert_eq!(
            Interface::from_regs(arm(version), &ours.encode().0),
            Ok(theirs)
        );
    }
}

/// The rest of what can be built here, so that nothing is written that arm-ffa would not read.
#[test]
fn what_is_encoded_here_is_read_there() {
    let version = Version::V1_3;
    let target = TargetInfo::from_register(0x8001_0002);
    for (wide, is_32bit) in [(false, true), (true, false)] {
        for (ours, theirs) in [
            (
                Call::Run { wide, target },
                Interface::Run {
                    target_info: arm_target(target),
                    is_32bit,
                },
            ),
            (
                Call::MsgWait {
                    wide,
                    retain_rx: true,
                },
                Interface::MsgWait {
                    flags: MsgWaitFlags {
                        retain_rx_buffer: true,
                    },
                    is_32bit,
                },
            ),
            (
                Call::Yield { wide, timeout: 0 },
                Interface::Yield { is_32bit },
            ),
        ] {
            let regs = ours.encode();
            assert_eq!(Interface::from_regs(arm(version), &regs.0), Ok(theirs));
        }
    }
    for (kind, query_type) in [
        (VersionQuery::Negotiate, VersionQueryType::Negotiate),
        (
            VersionQuery::Compatible,
            VersionQueryType::QueryCompatibility,
        ),
        (VersionQuery::Negotiated, VersionQueryType::QueryNegotiated),
    ] {
        let mut regs = Call::Version(Some(Version::V1_2)).encode();
        regs[2] = kind.w2().into();
        assert_eq!(
            Interface::from_regs(arm(version), &regs.0),
            Ok(Interface::Version {
                input_version: arm(Version::V1_2),
                flags: VersionFlags { query_type },
            })
        );
    }
    for w2 in 0..8 {
        assert_eq!(
            VersionQuery::from_w2(w2).is_some(),
            VersionFlags::try_from(w2).is_ok()
        );
    }
}

#[test]
fn each_form_is_of_the_same_version() {
    for (theirs, function, wide) in BOTH {
        let fid = Fid {
            function: *function,
            wide: *wide,
        };
        assert_eq!(arm(fid.since()), theirs.minimum_ffa_version(), "{theirs:?}");
    }
}

#[test]
fn console_lines() {
    let text = b"a line that is longer than twenty-four characters, and than forty-eight\n";
    for wide in [false, true] {
        let (regs, taken) = console_call(Version::V1_2, wide, text).unwrap();
        assert_eq!(taken, text.len().min(if wide { 128 } else { 24 }));
        let Ok(Interface::ConsoleLog { chars }) = Interface::from_regs(arm(Version::V1_2), &regs.0)
        else {
            panic!("not read as FFA_CONSOLE_LOG");
        };
        match chars {
            ConsoleLogChars::Chars32(chars) => assert_eq!(&text[..taken], chars.bytes()),
            ConsoleLogChars::Chars64(chars) => assert_eq!(&text[..taken], chars.bytes()),
        }
    }
}

proptest! {
    /// With any arguments: what passes through arm-ffa comes back in the same registers, as far as
    /// it takes the arguments at all.
    #[test]
    fn registers_pass_through_arm_ffa(
        index in 0..BOTH.len(), x: [u64; 7], shape: [u8; 7], version in extended_versions(),
    ) {
        let (theirs, function, wide) = BOTH[index];
        // Here the two differ on purpose: see `differences` and `messages`.
        if matches!(function, Function::Yield | Function::Features | Function::Version) {
            return Ok(());
        }
        let mut regs = Regs::ZERO;
        regs[0] = u32::from(theirs).into();
        for (n, (x, shape)) in x.iter().zip(shape).enumerate() {
            let half = if wide { u64::MAX } else { 0xffff_ffff };
            regs[1 + n] = x & half & match shape % 4 { 0 => 0, 1 => 1, 2 => 0xffff, _ => u64::MAX };
        }
        let Ok(call) = Call::decode(version, &regs) else { return Ok(()) };
        // Only what is defined: the rest says nothing to either.
        let mut clean = regs;
        call.encode_into(&mut clean);
        if matches!(call, Call::Other(_) | Call::Error { .. } | Call::Interrupt) {
            return Ok(());
        }
        if let Ok(read) = Interface::from_regs(arm(version), &clean.0) {
            let back = encode(version, &read);
            let lossy = match call {
                // Without a buffer of its own arm-ffa forgets the width, and half of an address.
                Call::MemDonate(c)
                | Call::MemLend(c)
                | Call::MemShare(c)
                | Call::MemRetrieveReq(c) => c.buffer == 0 || c.pages == 0,
                // It drops reserved bits.
                Call::MemPermSet { permissions, .. } => permissions > 7,
                _ => false,
            };
            if !lossy {
                prop_assert_eq!(back, clean, "{:?}", call);
            }
            prop_assert_eq!(Call::decode(version, &clean), Ok(call));
        }
    }
}
