//! Setup and discovery: `FFA_FEATURES`, identifiers, and the calls that answer at once.

use super::{MAX_BUFFER_PAGES, Partition, Spmc};
use crate::{context::Registers, virtual_interrupts::MANAGED_EXIT};
use core::sync::atomic::Ordering;
use ffa_abi::{
    FfaError, Function, Reply, Version,
    call::FeatureQuery,
    contract::Mode,
    features::{BufferSize, FeatureId, RetrieveInput, RetrieveProperties, RxtxProperties},
    fid::Fid,
};

/// Who asks, as far as the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    NormalWorld {
        version: Version,
    },
    Partition {
        version: Version,
        mode: Mode,
        /// Whether it has a single context.
        up: bool,
    },
}

impl Asker {
    const fn version(self) -> Version {
        match self {
            Self::NormalWorld { version } | Self::Partition { version, .. } => version,
        }
    }
}

/// Whether the SPMC implements a function for the one who asks. What is not here is answered
/// NOT_SUPPORTED both by `FFA_FEATURES` and when it is called.
#[inline(always)]
const fn implemented(fid: Fid, asker: Asker) -> bool {
    match asker {
        Asker::NormalWorld { version } => for_normal_world(fid, version),
        Asker::Partition { version, up, .. } => {
            for_partition(fid, version, wide_cycles(asker), !up)
        }
    }
}

/// The same for the normal world.
#[inline(always)]
const fn for_normal_world(fid: Fid, version: Version) -> bool {
    use Function::*;
    match fid.function {
        Success | Version | Features | IdGet | SpmIdGet | RxtxMap | RxtxUnmap | RxRelease
        | RxAcquire | PartitionInfoGet | MsgSendDirectReq | MsgSendDirectReq2
        | NotificationInfoGet => true,
        function if is_memory(function) => true,
        // The 64-bit forms of cycle management live at the virtual instance only.
        Error | Interrupt | Run => !fid.wide,
        PartitionInfoGetRegs => version.has_extended_registers(),
        NsResInfoGet => version.raw() >= self::Version::V1_3.raw(),
        _ => false,
    }
}

/// The same for a partition of this version: whether it has the 64-bit forms of cycle management, and
/// several contexts.
const fn for_partition(fid: Fid, version: Version, wide_cycles: bool, several: bool) -> bool {
    use Function::*;
    match fid.function {
        Success | Version | Features | IdGet | SpmIdGet | RxtxMap | RxtxUnmap | RxRelease
        | PartitionInfoGet | MsgSendDirectReq | MsgSendDirectReq2 | MsgSendDirectResp
        | MsgSendDirectResp2 | ConsoleLog => true,
        function if is_memory(function) => true,
        Error | Interrupt | Run | MsgWait | Yield => !fid.wide || wide_cycles,
        PartitionInfoGetRegs => version.has_extended_registers(),
        SecondaryEpRegister => several,
        Abort => version.raw() >= self::Version::V1_3.raw(),
        _ => false,
    }
}

/// The functions of memory management that everybody has.
const fn is_memory(function: Function) -> bool {
    use Function::*;
    matches!(
        function,
        MemDonate
            | MemLend
            | MemShare
            | MemRetrieveReq
            | MemRelinquish
            | MemReclaim
            | MemFragRx
            | MemFragTx
    )
}

/// Whether the asker may use the 64-bit forms of `FFA_MSG_WAIT`, `FFA_RUN`, `FFA_YIELD` and
/// `FFA_ERROR`: from FF-A 1.3, and in strict mode whatever its version, since it needs them there.
pub(super) const fn wide_cycles(asker: Asker) -> bool {
    match asker {
        Asker::NormalWorld { .. } => false,
        Asker::Partition { version, mode, .. } => {
            version.raw() >= self::Version::V1_3.raw() || matches!(mode, Mode::SmcccStrict)
        }
    }
}

/// The error for a call whose arguments are malformed: a function that is not here is NOT_SUPPORTED
/// whatever its arguments are.
pub(super) const fn malformed(fid: Fid, asker: Asker) -> FfaError {
    // Only S-EL0 partitions have it, but the others are told what is wrong with it first.
    let permissions = matches!(fid.function, Function::MemPermGet | Function::MemPermSet)
        && matches!(asker, Asker::Partition { .. });
    if implemented(fid, asker) || permissions {
        FfaError::InvalidParameters
    } else {
        FfaError::NotSupported
    }
}

/// The SGI of the normal world that is the schedule receiver interrupt.
const SCHEDULE_RECEIVER: u32 = 8;

/// What a buffer of an RX/TX pair may be.
const BUFFERS: RxtxProperties = RxtxProperties {
    minimum: BufferSize::Size4K,
    max_pages: MAX_BUFFER_PAGES as u16,
};

/// How memory is retrieved: with the NS bit, by hypervisors too, and, in w3, so often by each borrower:
/// one bit less than a counter of that has.
const RETRIEVALS: RetrieveProperties =
    RetrieveProperties::NS_BIT.union(RetrieveProperties::HYPERVISOR_RETRIEVE);
const RETRIEVAL_COUNT: u32 = 7;

/// The answer for `FFA_MEM_RETRIEVE_REQ`. A partition has to understand the NS bit; one of 1.0 may say
/// that it does.
fn retrieving(asker: Asker, input: u32) -> Reply {
    let understands = RetrieveInput::from_bits_truncate(input).contains(RetrieveInput::NS_BIT);
    match asker {
        Asker::Partition { version, .. } if !understands => match version < Version::V1_1 {
            true => {
                let others = RETRIEVALS - RetrieveProperties::NS_BIT;
                Reply::success2(others.bits(), RETRIEVAL_COUNT)
            }
            false => Reply::error(FfaError::NotSupported),
        },
        _ => Reply::success2(RETRIEVALS.bits(), RETRIEVAL_COUNT),
    }
}

impl<M> Partition<'_, M> {
    /// Notes that a partition of 1.0 understands the NS bit, if that is what it asked with success.
    pub(super) fn note_ns_bit(&self, query: FeatureQuery, input: u32, reply: &Reply) {
        let retrieving = matches!(query, FeatureQuery::Function(fid) if fid.function == Function::MemRetrieveReq);
        let understands = RetrieveInput::from_bits_truncate(input).contains(RetrieveInput::NS_BIT);
        if retrieving && understands && reply.error_code().is_none() {
            self.knows_ns_bit.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it is shown the NS bit of what it retrieves.
    pub(super) fn is_shown_ns_bit(&self) -> bool {
        self.version.get() >= Version::V1_1 || self.knows_ns_bit.load(Ordering::Relaxed)
    }
}

/// The interrupt that a feature id asks for. No notifications, so nothing tells of them.
#[cold]
#[inline(never)]
fn interrupt_id(asker: Asker, id: u8) -> Option<u32> {
    match (FeatureId::try_from(id), asker) {
        (Ok(FeatureId::ScheduleReceiverInterrupt), Asker::NormalWorld { .. }) => {
            Some(SCHEDULE_RECEIVER)
        }
        (Ok(FeatureId::ManagedExitInterrupt), Asker::Partition { .. }) => Some(MANAGED_EXIT),
        _ => None,
    }
}

impl<M: Registers> Spmc<'_, M> {
    /// `FFA_FEATURES`.
    #[inline(always)]
    pub(super) fn features(asker: Asker, query: FeatureQuery, input: u32) -> Reply {
        match query {
            FeatureQuery::Function(fid) if fid.function == Function::RxtxMap => match fid.wide {
                true => Reply::success(BUFFERS.w2(asker.version())),
                // The reference serves the 32-bit form and does not admit it; so does this.
                false => Reply::error(FfaError::NotSupported),
            },
            FeatureQuery::Function(fid) if fid.function == Function::MemRetrieveReq => {
                retrieving(asker, input)
            }
            FeatureQuery::Function(fid) if implemented(fid, asker) => Reply::success(0),
            FeatureQuery::Feature(id) => match interrupt_id(asker, id) {
                Some(id) => Reply::success(id),
                None => Reply::error(FfaError::NotSupported),
            },
            _ => Reply::error(FfaError::NotSupported),
        }
    }
}
