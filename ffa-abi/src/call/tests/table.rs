//! Each call beside its registers, written down once more by hand.

use super::*;

/// Each function and form: a call, its registers x0 to x5, and the first version that decodes it.
pub fn table() -> Vec<(Call, [u64; 6], Version)> {
    let [v1_0, v1_1, _, v1_3] = V;
    let all = v1_0;
    let uuid = Uuid::from_words([0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c]);
    let (u0, u1) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
    let vm = EndpointId(3);
    let ids = Endpoints::from_register(0x0003_8001);
    let target = TargetInfo::from_register(0x8001_0002);
    let handle = Handle(0x8000_0000_1234_5678);
    let kind = MessageKind::Partition;
    let bitmap = 0x8000_0000_0000_0001;
    let (b0, b1) = (1, 0x8000_0000);
    let big = 0x8_8000_0000;
    let mut table = vec![
        (
            Call::Version(Some(Version::V1_2)),
            [0x8400_0063, 0x1_0002, 0, 0, 0, 0],
            all,
        ),
        (
            Call::Version(None),
            [0x8400_0063, 0x8000_0000, 0, 0, 0, 0],
            all,
        ),
        (
            Call::Features {
                query: FeatureQuery::Feature(4),
                input: 2,
            },
            [0x8400_0064, 4, 2, 0, 0, 0],
            all,
        ),
        (
            Call::Features {
                query: FeatureQuery::Function(Fid::wide(Function::RxtxMap)),
                input: 0,
            },
            [0x8400_0064, 0xc400_0066, 0, 0, 0, 0],
            all,
        ),
        (Call::RxRelease { vm }, [0x8400_0065, 3, 0, 0, 0, 0], all),
        (
            Call::RxtxMap {
                wide: false,
                tx: 0x8000_1000,
                rx: 0x8000_2000,
                pages: 1,
            },
            [0x8400_0066, 0x8000_1000, 0x8000_2000, 1, 0, 0],
            all,
        ),
        (
            Call::RxtxMap {
                wide: true,
                tx: big,
                rx: big + 0x4000,
                pages: 4,
            },
            [0xc400_0066, big, big + 0x4000, 4, 0, 0],
            all,
        ),
        (
            Call::RxtxUnmap { vm },
            [0x8400_0067, 0x3_0000, 0, 0, 0, 0],
            all,
        ),
        (
            Call::PartitionInfoGet {
                uuid,
                count_only: true,
            },
            [
                0x8400_0068,
                0x0302_0100,
                0x0706_0504,
                0x0b0a_0908,
                0x0f0e_0d0c,
                1,
            ],
            all,
        ),
        (
            Call::PartitionInfoGetRegs {
                uuid,
                start: 5,
                tag: 0x55,
            },
            [0xc400_008b, u0, u1, 0x55_0005, 0, 0],
            all,
        ),
        (Call::IdGet, [0x8400_0069, 0, 0, 0, 0, 0], all),
        (Call::SpmIdGet, [0x8400_0085, 0, 0, 0, 0, 0], all),
        (Call::RxAcquire { vm }, [0x8400_0084, 3, 0, 0, 0, 0], all),
        (
            Call::NsResInfoGet {
                endpoint: EndpointId(0x8001),
                flags: NsResFlags::ID_VALID | NsResFlags::CONTINUE,
            },
            [0xc400_008f, 0x8001, 0x11, 0, 0, 0],
            all,
        ),
        (
            Call::Error { code: None },
            [0x8400_0060, 0, 0, 0, 0, 0],
            all,
        ),
        (
            Call::Error {
                code: Some(FfaError::Aborted),
            },
            [0x8400_0060, 0, 0xffff_fff8, 0, 0, 0],
            all,
        ),
        (Call::Interrupt, [0x8400_0062, 0, 0, 0, 0, 0], all),
        (Call::El3IntrHandle, [0x8400_008c, 0, 0, 0, 0, 0], all),
        (
            Call::DirectReq2 { ids, uuid },
            [0xc400_008d, 0x3_8001, u0, u1, 0, 0],
            all,
        ),
        (
            Call::DirectResp2 { ids },
            [0xc400_008e, 0x3_8001, 0, 0, 0, 0],
            all,
        ),
        (
            Call::MsgSend2 {
                vm,
                flags: Send2Flags::DELAY_SCHEDULE_RECEIVER,
            },
            [0x8400_0086, 0x3_0000, 2, 0, 0, 0],
            all,
        ),
        (Call::MemRelinquish, [0x8400_0076, 0, 0, 0, 0, 0], all),
        (
            Call::MemReclaim {
                handle,
                flags: ReclaimFlags::ZERO,
            },
            [0x8400_0077, 0x1234_5678, 0x8000_0000, 1, 0, 0],
            all,
        ),
        (
            Call::MemOpPause { handle },
            [0x8400_0078, 0x1234_5678, 0x8000_0000, 0, 0, 0],
            all,
        ),
        (
            Call::MemOpResume { handle },
            [0x8400_0079, 0x1234_5678, 0x8000_0000, 0, 0, 0],
            all,
        ),
        (
            Call::MemFragRx {
                handle,
                offset: 0x1000,
                sender: vm,
            },
            [0x8400_007a, 0x1234_5678, 0x8000_0000, 0x1000, 0x3_0000, 0],
            all,
        ),
        (
            Call::MemFragTx {
                handle,
                length: 0x800,
                sender: vm,
            },
            [0x8400_007b, 0x1234_5678, 0x8000_0000, 0x800, 0x3_0000, 0],
            all,
        ),
        (
            Call::NotificationBitmapCreate { vm, contexts: 4 },
            [0x8400_007d, 3, 4, 0, 0, 0],
            v1_1,
        ),
        (
            Call::NotificationBitmapDestroy { vm },
            [0x8400_007e, 3, 0, 0, 0, 0],
            v1_1,
        ),
        (
            Call::NotificationBind {
                ids,
                per_context: true,
                bitmap,
            },
            [0x8400_007f, 0x3_8001, 1, b0, b1, 0],
            v1_1,
        ),
        (
            Call::NotificationUnbind { ids, bitmap },
            [0x8400_0080, 0x3_8001, 0, b0, b1, 0],
            v1_1,
        ),
        (
            Call::NotificationSet {
                ids,
                flags: SetFlags {
                    per_context: true,
                    delay_schedule_receiver: true,
                    context: 7,
                },
                bitmap,
            },
            [0x8400_0081, 0x3_8001, 0x7_0003, b0, b1, 0],
            v1_1,
        ),
        (
            Call::NotificationGet {
                receiver: EndpointId(0x8001),
                context: 2,
                flags: GetFlags::PARTITIONS | GetFlags::HYPERVISOR,
            },
            [0x8400_0082, 0x2_8001, 9, 0, 0, 0],
            v1_1,
        ),
    ];
    for (wide, fid) in [(false, 0x8400_0000), (true, 0xc400_0000)] {
        let large = if wide { big } else { 0x8000_1000 };
        let memory = DescriptorCall {
            wide,
            total_length: 0x2000,
            fragment_length: 0x1000,
            buffer: large,
            pages: 2,
        };
        let descriptor = |low| [fid | low, 0x2000, 0x1000, large, 2, 0];
        table.extend([
            (
                Call::MsgWait {
                    wide,
                    retain_rx: false,
                },
                [fid | 0x6b, 0, 0, 0, 0, 0],
                all,
            ),
            (
                Call::Yield {
                    wide,
                    timeout: 0x2_0000_0001,
                },
                [fid | 0x6c, 0, 1, 2, 0, 0],
                all,
            ),
            (
                Call::Run { wide, target },
                [fid | 0x6d, 0x8001_0002, 0, 0, 0, 0],
                all,
            ),
            (
                Call::DirectReq { wide, ids, kind },
                [fid | 0x6f, 0x3_8001, 0, 0, 0, 0],
                all,
            ),
            (
                Call::DirectResp {
                    wide,
                    ids,
                    kind: MessageKind::Framework(2),
                },
                [fid | 0x70, 0x3_8001, 0x8000_0002, 0, 0, 0],
                all,
            ),
            (Call::MemDonate(memory), descriptor(0x71), all),
            (Call::MemLend(memory), descriptor(0x72), all),
            (Call::MemShare(memory), descriptor(0x73), all),
            (Call::MemRetrieveReq(memory), descriptor(0x74), all),
            (
                Call::NormalWorldResume { wide },
                [fid | 0x7c, 0, 0, 0, 0, 0],
                all,
            ),
            (
                Call::NotificationInfoGet { wide },
                [fid | 0x83, 0, 0, 0, 0, 0],
                v1_1,
            ),
            (
                Call::SecondaryEpRegister { wide, entry: large },
                [fid | 0x87, large, 0, 0, 0, 0],
                all,
            ),
            (
                Call::MemPermGet {
                    wide,
                    address: large,
                    pages: 1,
                },
                [fid | 0x88, large, 0, 0, 0, 0],
                all,
            ),
            (
                Call::MemPermSet {
                    wide,
                    address: large,
                    pages: 3,
                    permissions: 5,
                },
                [fid | 0x89, large, 3, 5, 0, 0],
                all,
            ),
            (
                Call::ConsoleLog { wide, count: 9 },
                [fid | 0x8a, 9, 0, 0, 0, 0],
                all,
            ),
            (
                Call::Abort {
                    wide,
                    reason: large,
                },
                [fid | 0x90, 0, large, 0, 0, 0],
                v1_3,
            ),
        ]);
    }
    // What has no typed form.
    for (fid, since) in [
        (Fid::narrow(Function::Success), all),
        (Fid::wide(Function::Success), all),
        (Fid::narrow(Function::MsgPoll), all),
        (Fid::narrow(Function::MsgSend), all),
        (Fid::narrow(Function::MemRetrieveResp), all),
        (Fid::wide(Function::NotificationBind2), v1_3),
        (Fid::wide(Function::NotificationUnbind2), v1_3),
        (Fid::wide(Function::NotificationSet2), v1_3),
        (Fid::wide(Function::NotificationGet2), v1_3),
    ] {
        table.push((Call::Other(fid), [fid.raw().into(), 0, 0, 0, 0, 0], since));
    }
    table
}

/// The bits of x1 to x7 that each function defines.
pub const DEFINED: [(Function, [u64; 7]); 35] = {
    const X: u64 = u64::MAX;
    const W: u64 = 0xffff_ffff;
    const LOW: u64 = 0xffff;
    const HIGH: u64 = 0xffff_0000;
    const F: u64 = 1 << 31 | 0xff;
    use Function::*;
    [
        (Version, [W, W, 0, 0, 0, 0, 0]),
        (RxRelease, [LOW, 0, 0, 0, 0, 0, 0]),
        (RxAcquire, [LOW, 0, 0, 0, 0, 0, 0]),
        (RxtxMap, [X, X, W, 0, 0, 0, 0]),
        (RxtxUnmap, [HIGH, 0, 0, 0, 0, 0, 0]),
        (PartitionInfoGet, [W, W, W, W, 1, 0, 0]),
        (PartitionInfoGetRegs, [X, X, W, 0, 0, 0, 0]),
        (IdGet, [0; 7]),
        (SpmIdGet, [0; 7]),
        (ConsoleLog, [0xff, X, X, X, X, X, X]),
        (SecondaryEpRegister, [X, 0, 0, 0, 0, 0, 0]),
        (NsResInfoGet, [LOW, X, 0, 0, 0, 0, 0]),
        (MsgWait, [0, 1, 0, 0, 0, 0, 0]),
        (Yield, [0, W, W, 0, 0, 0, 0]),
        (Run, [W, 0, 0, 0, 0, 0, 0]),
        (NormalWorldResume, [0; 7]),
        (El3IntrHandle, [0; 7]),
        (Abort, [0, X, 0, 0, 0, 0, 0]),
        (MsgSendDirectReq, [W, F, X, X, X, X, X]),
        (MsgSendDirectResp, [W, F, X, X, X, X, X]),
        (MsgSendDirectReq2, [W, X, X, X, X, X, X]),
        (MsgSendDirectResp2, [W, 0, 0, X, X, X, X]),
        (MsgSend2, [HIGH, W, 0, 0, 0, 0, 0]),
        (MemShare, [W, W, X, W, 0, 0, 0]),
        (MemRetrieveReq, [W, W, X, W, 0, 0, 0]),
        (MemReclaim, [W, W, W, 0, 0, 0, 0]),
        (MemFragRx, [W, W, W, HIGH, 0, 0, 0]),
        (MemFragTx, [W, W, W, HIGH, 0, 0, 0]),
        (MemPermGet, [X, W, 0, 0, 0, 0, 0]),
        (MemPermSet, [X, W, W, 0, 0, 0, 0]),
        (NotificationBitmapCreate, [LOW, W, 0, 0, 0, 0, 0]),
        (NotificationBind, [W, 1, W, W, 0, 0, 0]),
        (NotificationUnbind, [W, 0, W, W, 0, 0, 0]),
        (NotificationSet, [W, 0xffff_0003, W, W, 0, 0, 0]),
        (NotificationGet, [W, 0xf, 0, 0, 0, 0, 0]),
    ]
};
