//! Setup and discovery: `FFA_FEATURES`, identifiers, and the calls that answer at once.

use super::{MAX_BUFFER_PAGES, Partition, Spmc};
use crate::{
    context::Registers,
    virtual_interrupts::{MANAGED_EXIT, NOTIFICATION_PENDING},
};
use core::sync::atomic::Ordering;
use ffa_abi::{
    FfaError, Function, Reply, Version,
    call::FeatureQuery,
    contract::Mode,
    features::{
        BufferSize, FeatureId, NotificationProperties, RetrieveInput, RetrieveProperties,
        RxtxProperties,
    },
    fid::{Fid, WIDE_BIT},
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
        /// Whether it runs at S-EL0.
        el0: bool,
        /// Whether it receives notifications.
        notifications: bool,
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
        Asker::Partition { el0, .. } if is_permissions(fid.function) => el0,
        Asker::Partition {
            notifications: false,
            ..
        } if receives_notifications(fid.function) => false,
        Asker::Partition { version, up, .. } => {
            for_partition(fid, version, wide_cycles(asker), !up)
        }
    }
}

/// The first function's number.
const FIRST: u32 = Fid::narrow(Function::Error).raw();

/// Whether the normal world has the function with this number, and there is nothing else to say of it: it asks often.
#[inline(always)]
pub(super) const fn has_plainly(number: u32, version: Version) -> bool {
    let minor = version.minor() as usize;
    let row = if minor < PLAIN.len() {
        minor
    } else {
        PLAIN.len() - 1
    };
    let index = (number & !WIDE_BIT).wrapping_sub(FIRST);
    let wide = number & WIDE_BIT != 0;
    index < u64::BITS && PLAIN[row][wide as usize] >> index & 1 != 0
}

/// What the normal world may call without further properties: for versions 1.0 to 1.2 and from 1.3 on, the
/// 32-bit and the 64-bit forms, one bit for each function.
const PLAIN: [[u64; 2]; 4] = {
    let versions = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];
    let mut rows = [[0; 2]; 4];
    let mut n = 0;
    while n < Function::ALL.len() * 8 {
        let (function, wide, row) = (Function::ALL[n / 8], n % 2, n / 2 % 4);
        let fid = Fid {
            function,
            wide: wide != 0,
        };
        if for_normal_world(fid, versions[row]) && !has_properties(function) && fid.exists() {
            rows[row][wide] |= 1 << (function as u32 - FIRST % 0x100);
        }
        n += 1;
    }
    rows
};

/// Whether there is more to say of a function than that it is there.
const fn has_properties(function: Function) -> bool {
    matches!(function, Function::RxtxMap | Function::MemRetrieveReq)
}

/// Whether the normal world may call it.
const fn for_normal_world(fid: Fid, version: Version) -> bool {
    use Function::*;
    match fid.function {
        Success | Version | Features | IdGet | SpmIdGet | RxtxMap | RxtxUnmap | RxRelease
        | RxAcquire | PartitionInfoGet | MsgSendDirectReq | MsgSendDirectReq2 | MemDonate
        | MemLend | MemShare | MemRetrieveReq | MemRelinquish | MemReclaim | MemFragRx
        | MemFragTx => true,
        // The 64-bit forms of cycle management live at the virtual instance only.
        Error | Interrupt | Run => !fid.wide,
        PartitionInfoGetRegs => version.has_extended_registers(),
        NotificationBitmapCreate
        | NotificationBitmapDestroy
        | NotificationBind
        | NotificationUnbind
        | NotificationSet
        | NotificationGet
        | NotificationInfoGet
        | MsgSend2 => version.raw() >= self::Version::V1_1.raw(),
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
        | MsgSendDirectResp2 | ConsoleLog | MemDonate | MemLend | MemShare | MemRetrieveReq
        | MemRelinquish | MemReclaim | MemFragRx | MemFragTx => true,
        Error | Interrupt | Run | MsgWait | Yield => !fid.wide || wide_cycles,
        PartitionInfoGetRegs => version.has_extended_registers(),
        NotificationBind | NotificationUnbind | NotificationSet | NotificationGet | MsgSend2 => {
            version.raw() >= self::Version::V1_1.raw()
        }
        SecondaryEpRegister => several,
        Abort => version.raw() >= self::Version::V1_3.raw(),
        _ => false,
    }
}

/// The functions that only partitions with notifications have.
const fn receives_notifications(function: Function) -> bool {
    use Function::*;
    matches!(
        function,
        NotificationBind | NotificationUnbind | NotificationGet
    )
}

/// The functions of memory management that only partitions at S-EL0 have.
const fn is_permissions(function: Function) -> bool {
    matches!(function, Function::MemPermGet | Function::MemPermSet)
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
    let permissions = is_permissions(fid.function) && matches!(asker, Asker::Partition { .. });
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

/// The answer for a function that has properties.
#[cold]
#[inline(never)]
fn with_properties(fid: Fid, asker: Asker, input: u32) -> Reply {
    match (fid.function, fid.wide) {
        (Function::RxtxMap, true) => Reply::success(BUFFERS.w2(asker.version())),
        // The reference serves the 32-bit form and does not admit it; so does this.
        (Function::RxtxMap, false) => Reply::error(FfaError::NotSupported),
        _ => retrieving(asker, input),
    }
}

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

/// What there is of notifications: global ones, and such for each context, for VMs and for partitions.
const NOTIFICATIONS: NotificationProperties = NotificationProperties {
    only_global_for_vms: false,
    only_global_for_partitions: false,
    bitmaps: [0; 2],
};

/// What w2 says of the feature that is asked for: an interrupt's id, or properties.
#[cold]
#[inline(never)]
fn feature(asker: Asker, id: u8) -> Option<u32> {
    match (FeatureId::try_from(id), asker) {
        (
            Ok(FeatureId::NotificationPendingInterrupt),
            Asker::Partition {
                el0: false,
                notifications: true,
                ..
            },
        ) if asker.version() >= Version::V1_1 => Some(NOTIFICATION_PENDING),
        (Ok(FeatureId::Notification), _) if asker.version() >= Version::V1_3 => {
            Some(NOTIFICATIONS.w2())
        }
        (Ok(FeatureId::ScheduleReceiverInterrupt), Asker::NormalWorld { .. }) => {
            Some(SCHEDULE_RECEIVER)
        }
        (Ok(FeatureId::ManagedExitInterrupt), Asker::Partition { el0: false, .. }) => {
            Some(MANAGED_EXIT)
        }
        _ => None,
    }
}

impl<M: Registers> Spmc<'_, M> {
    /// `FFA_FEATURES`.
    #[inline(always)]
    pub(super) fn features(asker: Asker, query: FeatureQuery, input: u32) -> Reply {
        match query {
            FeatureQuery::Function(fid) if has_properties(fid.function) => {
                with_properties(fid, asker, input)
            }
            FeatureQuery::Function(fid) if implemented(fid, asker) => Reply::success(0),
            FeatureQuery::Feature(id) => match feature(asker, id) {
                Some(id) => Reply::success(id),
                None => Reply::error(FfaError::NotSupported),
            },
            _ => Reply::error(FfaError::NotSupported),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of all that looks like a function, with and without the bits above.
    #[test]
    fn what_the_normal_world_has_plainly_is_what_it_has_without_properties() {
        let bases = [
            0x8400_0000,
            0xc400_0000,
            0,
            0x0400_0000,
            0x8400_0100,
            0x8401_0000,
        ];
        let mut seen = 0;
        for version in [
            Version::V1_0,
            Version::V1_1,
            Version::V1_2,
            Version::V1_3,
            Version::OWN,
        ] {
            for number in bases.iter().flat_map(|base| *base..=base | 0xff) {
                let wanted = match FeatureQuery::from_w1(number) {
                    FeatureQuery::Function(fid) => {
                        implemented(fid, Asker::NormalWorld { version })
                            && !has_properties(fid.function)
                    }
                    _ => false,
                };
                assert_eq!(
                    has_plainly(number, version),
                    wanted,
                    "{number:#x} {version:?}"
                );
                seen += u32::from(wanted);
            }
        }
        assert!(seen > 100);
    }
}
