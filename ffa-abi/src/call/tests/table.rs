//! The bits that each function defines, written down once more by hand.

use super::*;

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
