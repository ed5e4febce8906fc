//! Setup and discovery: `FFA_FEATURES`, identifiers, and the calls that answer at once.

use super::{MAX_BUFFER_PAGES, Spmc};
use crate::{context::Registers, virtual_interrupts::MANAGED_EXIT};
use ffa_abi::{
    FfaError, Function, Reply, Version,
    call::FeatureQuery,
    contract::Mode,
    features::{BufferSize, FeatureId, RxtxProperties},
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
const fn implemented(fid: Fid, asker: Asker) -> bool {
    use Function::*;
    let partition = matches!(asker, Asker::Partition { .. });
    match fid.function {
        Success => true,
        Error | Interrupt => !fid.wide || (partition && wide_cycles(asker)),
        Version | Features | IdGet | SpmIdGet => true,
        RxtxMap | RxtxUnmap | RxRelease | PartitionInfoGet => true,
        PartitionInfoGetRegs => asker.version().has_extended_registers(),
        // The hypervisor takes its VMs' buffers.
        RxAcquire => !partition,
        // Of interrupts of partitions, whose cycles are the normal world's to give.
        NotificationInfoGet => !partition,
        SecondaryEpRegister => matches!(asker, Asker::Partition { up: false, .. }),
        MsgSendDirectReq | MsgSendDirectReq2 => true,
        // The 64-bit forms of cycle management live at the virtual instance only, from 1.3.
        Run => !fid.wide || wide_cycles(asker),
        MsgSendDirectResp | MsgSendDirectResp2 | ConsoleLog => partition,
        MsgWait | Yield => partition && (!fid.wide || wide_cycles(asker)),
        Abort => partition && asker.version().raw() >= self::Version::V1_3.raw(),
        _ => false,
    }
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
    if implemented(fid, asker) {
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

impl<M: Registers> Spmc<'_, M> {
    /// `FFA_FEATURES`.
    pub(super) fn features(asker: Asker, query: FeatureQuery, _input: u32) -> Reply {
        match query {
            FeatureQuery::Function(fid) if fid.function == Function::RxtxMap => match fid.wide {
                true => Reply::success(BUFFERS.w2(asker.version())),
                // The reference serves the 32-bit form and does not admit it; so does this.
                false => Reply::error(FfaError::NotSupported),
            },
            FeatureQuery::Function(fid) if implemented(fid, asker) => Reply::success(0),
            FeatureQuery::Feature(id) => match (FeatureId::try_from(id), asker) {
                (Ok(FeatureId::ScheduleReceiverInterrupt), Asker::NormalWorld { .. }) => {
                    Reply::success(SCHEDULE_RECEIVER)
                }
                (Ok(FeatureId::ManagedExitInterrupt), Asker::Partition { .. }) => {
                    Reply::success(MANAGED_EXIT)
                }
                // No notifications, so nothing tells of them.
                _ => Reply::error(FfaError::NotSupported),
            },
            _ => Reply::error(FfaError::NotSupported),
        }
    }
}
