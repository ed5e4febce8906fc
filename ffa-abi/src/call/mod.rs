//! Calls: what an endpoint asks for (DEN0077A, the tables of each interface), from registers and
//! into them.
//!
//! This module owns the type of a call; [`Call::decode`] and [`Call::encode`] stand in `decode` and
//! `encode`, the types of single arguments in the modules of their chapters. It never decides
//! whether the caller may make the call now.
//!
//! Payloads are not copied: the contents of a direct message, the characters of a
//! `FFA_CONSOLE_LOG` and the kind of a `FFA_VERSION` query stay in the caller's [`Regs`];
//! [`Call::payload`] says where.
//!
//! # What depends on the version
//!
//! The *caller's* version changes the layout and the reserved bits of a function that it has. It
//! does not hide functions that are newer than the caller, because who may use them is not a
//! question of the registers: the reference SPMC offers functions by its own version, refuses
//! `FFA_MSG_SEND_DIRECT_REQ2` below 1.2 with DENIED, and an endpoint in strict mode is offered the
//! 64-bit forms of cycle management whatever its version. [`Fid::since`] tells a core what it needs
//! for its own rule. There are three exceptions, where the version matrix says that an older caller
//! has no such function at all: `FFA_NOTIFICATION_*` below 1.1, `FFA_ABORT` and the larger
//! notification bitmaps (`FFA_NOTIFICATION_BIND2` …) below 1.3 are [`DecodeError::Unknown`].
//!
//! # Which reserved bits are checked
//!
//! Those which have to be refused before anything else is looked at. Flags that are checked after
//! identities or states (`FFA_MSG_SEND2`, `FFA_MEM_RECLAIM`, `FFA_MEM_PERM_SET`,
//! `FFA_NS_RES_INFO_GET`) are kept as they came, so that a core can give its errors in the right
//! order.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use crate::{
    console::{console_capacity, console_characters},
    features::FeatureQuery,
};

use crate::{
    error::FfaError,
    fid::Fid,
    id::{EndpointId, Endpoints, TargetInfo},
    memory::{DescriptorCall, Handle, NsResFlags, ReclaimFlags},
    message::{MessageKind, Send2Flags},
    notification::{GetFlags, SetFlags},
    uuid::Uuid,
    version::Version,
};

#[cfg(doc)]
use crate::regs::Regs;

/// A decoded call. Reserved bits have been checked as the module's documentation says; whether the
/// caller may make this call now has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    // Setup and discovery.
    /// `FFA_VERSION`: w1 holds the requested version, or bit 31 was set (`None`). From 1.3, w2 says
    /// what kind of query it is: [`VersionQuery::from_w2`](crate::version::VersionQuery::from_w2).
    Version(Option<Version>),
    /// `FFA_FEATURES`.
    Features {
        /// What is asked.
        query: FeatureQuery,
        /// w2: input properties.
        input: u32,
    },
    /// `FFA_RX_RELEASE`.
    RxRelease {
        /// w1 bits 15:0: the VM on whose behalf a hypervisor calls, else 0.
        vm: EndpointId,
    },
    /// `FFA_RX_ACQUIRE` (1.1).
    RxAcquire {
        /// w1 bits 15:0: the VM on whose behalf the hypervisor calls.
        vm: EndpointId,
    },
    /// `FFA_RXTX_MAP`. All three zero: the hypervisor forwards a VM's map, described in its own TX
    /// buffer.
    RxtxMap {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// Address of the TX buffer, as the caller sees it.
        tx: u64,
        /// Address of the RX buffer, as the caller sees it.
        rx: u64,
        /// How many 4 KiB pages each of them has; the whole of w3, its reserved bits included.
        pages: u32,
    },
    /// `FFA_RXTX_UNMAP`.
    RxtxUnmap {
        /// w1 bits 31:16: the VM on whose behalf a hypervisor calls, else 0.
        vm: EndpointId,
    },
    /// `FFA_PARTITION_INFO_GET`.
    PartitionInfoGet {
        /// w1 to w4: the service, or nil for all.
        uuid: Uuid,
        /// w5 bit 0: only the number of descriptors is wanted, RX is not written.
        count_only: bool,
    },
    /// `FFA_PARTITION_INFO_GET_REGS` (1.2).
    PartitionInfoGetRegs {
        /// x1 and x2: the service, or nil for all.
        uuid: Uuid,
        /// x3 bits 15:0: the first descriptor wanted.
        start: u16,
        /// x3 bits 31:16: the tag of the reply before, 0 at the start.
        tag: u16,
    },
    /// `FFA_ID_GET`.
    IdGet,
    /// `FFA_SPM_ID_GET` (1.1).
    SpmIdGet,
    /// `FFA_CONSOLE_LOG` (1.2): w1 characters, which stand in w2-w7, x2-x7 or x2-x17.
    ConsoleLog {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// How many characters; between 1 and what the form and the caller's version can carry.
        count: usize,
    },
    /// `FFA_SECONDARY_EP_REGISTER` (1.1).
    SecondaryEpRegister {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// x1: where secondary execution contexts start.
        entry: u64,
    },
    /// `FFA_NS_RES_INFO_GET` (1.3).
    NsResInfoGet {
        /// x1 bits 15:0: whose resources.
        endpoint: EndpointId,
        /// x2, reserved bits included.
        flags: NsResFlags,
    },

    // CPU cycle management.
    /// `FFA_MSG_WAIT`.
    MsgWait {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// w2 bit 0 (from 1.2): keep the RX buffer.
        retain_rx: bool,
    },
    /// `FFA_YIELD`.
    Yield {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// w2 and w3: a timeout hint, low and high.
        timeout: u64,
    },
    /// `FFA_RUN`.
    Run {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// Who shall run.
        target: TargetInfo,
    },
    /// `FFA_ERROR` as a call; all of it is in [`Completion::decode`](crate::Completion::decode).
    Error {
        /// w2, if it is a known code.
        code: Option<FfaError>,
    },
    /// `FFA_INTERRUPT` as a call: the SPMD hands over a secure interrupt. All of it is in
    /// [`Completion::decode`](crate::Completion::decode).
    Interrupt,
    /// `FFA_NORMAL_WORLD_RESUME`.
    NormalWorldResume {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
    },
    /// `FFA_EL3_INTR_HANDLE` (1.2).
    El3IntrHandle,
    /// `FFA_ABORT` (1.3).
    Abort {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// x2: the reason, implementation defined.
        reason: u64,
    },

    // Messages.
    /// `FFA_MSG_SEND_DIRECT_REQ`; the payload is w3-w7 or x3-x7.
    DirectReq {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// Sender and receiver.
        ids: Endpoints,
        /// Partition or framework message.
        kind: MessageKind,
    },
    /// `FFA_MSG_SEND_DIRECT_RESP`; the payload is w3-w7 or x3-x7.
    DirectResp {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// Sender and receiver.
        ids: Endpoints,
        /// Partition or framework message.
        kind: MessageKind,
    },
    /// `FFA_MSG_SEND_DIRECT_REQ2` (1.2); the payload is x4-x17.
    DirectReq2 {
        /// Sender and receiver.
        ids: Endpoints,
        /// x2 and x3: the service.
        uuid: Uuid,
    },
    /// `FFA_MSG_SEND_DIRECT_RESP2` (1.2); the payload is x4-x17. x2 and x3 are accepted whatever
    /// they hold, since partitions echo the request's UUID there, and delivered as zero.
    DirectResp2 {
        /// Sender and receiver.
        ids: Endpoints,
    },
    /// `FFA_MSG_SEND2` (1.1): an indirect message, which lies in the sender's TX buffer.
    MsgSend2 {
        /// w1 bits 31:16: the VM on whose behalf a hypervisor sends, else 0.
        vm: EndpointId,
        /// w2, reserved bits included.
        flags: Send2Flags,
    },

    // Memory.
    /// `FFA_MEM_DONATE`.
    MemDonate(DescriptorCall),
    /// `FFA_MEM_LEND`.
    MemLend(DescriptorCall),
    /// `FFA_MEM_SHARE`.
    MemShare(DescriptorCall),
    /// `FFA_MEM_RETRIEVE_REQ`.
    MemRetrieveReq(DescriptorCall),
    /// `FFA_MEM_RELINQUISH`; the descriptor lies in the caller's TX buffer.
    MemRelinquish,
    /// `FFA_MEM_RECLAIM`.
    MemReclaim {
        /// w1 and w2: which memory.
        handle: Handle,
        /// w3, reserved bits included.
        flags: ReclaimFlags,
    },
    /// `FFA_MEM_OP_PAUSE`.
    MemOpPause {
        /// w1 and w2: which operation.
        handle: Handle,
    },
    /// `FFA_MEM_OP_RESUME`.
    MemOpResume {
        /// w1 and w2: which operation.
        handle: Handle,
    },
    /// `FFA_MEM_FRAG_RX`: the next fragment is wanted.
    MemFragRx {
        /// w1 and w2: which transaction.
        handle: Handle,
        /// w3: bytes from the descriptor's start.
        offset: u32,
        /// w4 bits 31:16: the endpoint on whose behalf a hypervisor calls, else 0.
        sender: EndpointId,
    },
    /// `FFA_MEM_FRAG_TX`: the next fragment lies in the TX buffer.
    MemFragTx {
        /// w1 and w2: which transaction.
        handle: Handle,
        /// w3: its length in bytes.
        length: u32,
        /// w4 bits 31:16: the endpoint on whose behalf a hypervisor calls, else 0.
        sender: EndpointId,
    },
    /// `FFA_MEM_PERM_GET` (1.1).
    MemPermGet {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// x1: the first page's virtual address.
        address: u64,
        /// How many 4 KiB pages: 1 below 1.3, else w2 + 1. Never 0.
        pages: u32,
    },
    /// `FFA_MEM_PERM_SET` (1.1).
    MemPermSet {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// x1: the first page's virtual address.
        address: u64,
        /// w2: how many 4 KiB pages.
        pages: u32,
        /// w3, read by [`Permissions::from_raw`](crate::memory::Permissions::from_raw).
        permissions: u32,
    },

    // Notifications.
    /// `FFA_NOTIFICATION_BITMAP_CREATE` (1.1).
    NotificationBitmapCreate {
        /// w1 bits 15:0: for which VM.
        vm: EndpointId,
        /// w2: how many vCPUs it has.
        contexts: u32,
    },
    /// `FFA_NOTIFICATION_BITMAP_DESTROY` (1.1).
    NotificationBitmapDestroy {
        /// w1 bits 15:0: of which VM.
        vm: EndpointId,
    },
    /// `FFA_NOTIFICATION_BIND` (1.1).
    NotificationBind {
        /// Sender and receiver of the notifications.
        ids: Endpoints,
        /// w2 bit 0: they are for one execution context each.
        per_context: bool,
        /// w3 and w4, low and high: which ones.
        bitmap: u64,
    },
    /// `FFA_NOTIFICATION_UNBIND` (1.1).
    NotificationUnbind {
        /// Sender and receiver of the notifications.
        ids: Endpoints,
        /// w3 and w4, low and high: which ones.
        bitmap: u64,
    },
    /// `FFA_NOTIFICATION_SET` (1.1).
    NotificationSet {
        /// Sender and receiver of the notifications.
        ids: Endpoints,
        /// w2.
        flags: SetFlags,
        /// w3 and w4, low and high: which ones.
        bitmap: u64,
    },
    /// `FFA_NOTIFICATION_GET` (1.1).
    NotificationGet {
        /// w1: the receiver in bits 15:0, its execution context in bits 31:16.
        receiver: EndpointId,
        /// The receiver's execution context.
        context: u16,
        /// w2: from whom.
        flags: GetFlags,
    },
    /// `FFA_NOTIFICATION_INFO_GET` (1.1).
    NotificationInfoGet {
        /// Whether it is the 64-bit form.
        wide: bool,
    },

    /// A function of FF-A that has no typed form: `FFA_SUCCESS` and `FFA_MEM_RETRIEVE_RESP`, which
    /// are completions ([`Completion`](crate::Completion)); `FFA_MSG_POLL` and `FFA_MSG_SEND` of
    /// 1.0, which nothing implements any more; and `FFA_NOTIFICATION_BIND2`, `UNBIND2`, `SET2` and
    /// `GET2`, whose registers no public source describes.
    Other(Fid),
}

/// Why registers are no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not a function of FF-A: the value is w0 without the SVE hint.
    NotFfa(u32),
    /// FF-A's range, but unknown: `FFA_ERROR(NOT_SUPPORTED)`.
    Unknown,
    /// A known function with a reserved bit set or a value out of range:
    /// `FFA_ERROR(INVALID_PARAMETERS)`.
    Invalid(Fid),
}
