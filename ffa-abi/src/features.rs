//! `FFA_FEATURES` (DEN0077A, "Setup and discovery interfaces"): what is asked, and what w2 of the
//! answer says about it.

use crate::{
    fid::{Fid, FidKind, Function},
    version::Version,
};
use bitflags::bitflags;
use num_enum::{IntoPrimitive, TryFromPrimitive};

/// What `FFA_FEATURES` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureQuery {
    /// Bit 31 of w1 is set: a function, in a form that exists.
    Function(Fid),
    /// A function that does not exist in FF-A, or not in that form.
    UnknownFunction,
    /// Bit 31 is clear: a feature id in bits 7:0.
    Feature(u8),
    /// A feature id with reserved bits set.
    ReservedFeature,
}

impl FeatureQuery {
    /// Reads w1.
    pub fn from_w1(w1: u32) -> Self {
        if w1 & 0x8000_0000 == 0 {
            return if w1 & 0x7fff_ff00 == 0 {
                Self::Feature(w1 as u8)
            } else {
                Self::ReservedFeature
            };
        }
        match Fid::decode(w1.into()) {
            // The hint bit is no part of a queried identifier.
            FidKind::Ffa(fid) if fid.raw() == w1 => Self::Function(fid),
            _ => Self::UnknownFunction,
        }
    }

    /// The value for w1. What an unknown or reserved query was is not kept: a value that reads the
    /// same.
    pub const fn w1(self) -> u32 {
        match self {
            Self::Function(fid) => fid.raw(),
            Self::UnknownFunction => 0x8000_0000,
            Self::Feature(id) => id as u32,
            Self::ReservedFeature => 0x100,
        }
    }
}

/// The feature ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromPrimitive, IntoPrimitive)]
#[repr(u8)]
pub enum FeatureId {
    /// The notification pending interrupt (1.1): w2 is its interrupt id.
    NotificationPendingInterrupt = 1,
    /// The schedule receiver interrupt (1.1): w2 is its interrupt id.
    ScheduleReceiverInterrupt = 2,
    /// The managed exit interrupt: w2 is its interrupt id.
    ManagedExitInterrupt = 3,
    /// Which notifications there are (1.3): [`NotificationProperties`].
    Notification = 4,
}

bitflags! {
    /// w2 of the query for `FFA_MEM_RETRIEVE_REQ`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RetrieveInput: u32 {
        /// The caller understands the NS bit of memory attributes.
        const NS_BIT = 1 << 1;
    }
}

bitflags! {
    /// w2 of the answer for `FFA_MEM_RETRIEVE_REQ`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RetrieveProperties: u32 {
        /// Descriptors may lie in other buffers than RX and TX.
        const DYNAMIC_BUFFERS = 1 << 0;
        /// The NS bit of memory attributes is given.
        const NS_BIT = 1 << 1;
        /// A hypervisor may retrieve what it is no borrower of.
        const HYPERVISOR_RETRIEVE = 1 << 2;
    }
}

bitflags! {
    /// w2 of the answer for `FFA_MEM_DONATE`, `LEND` and `SHARE`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SendProperties: u32 {
        /// Descriptors may lie in other buffers than TX.
        const DYNAMIC_BUFFERS = 1 << 0;
    }
}

/// The smallest size and alignment of an RX or TX buffer: bits 1:0 of w2 for `FFA_RXTX_MAP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromPrimitive, IntoPrimitive)]
#[repr(u8)]
pub enum BufferSize {
    /// 4 KiB.
    Size4K = 0,
    /// 64 KiB.
    Size64K = 1,
    /// 16 KiB.
    Size16K = 2,
}

/// w2 of the answer for `FFA_RXTX_MAP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxtxProperties {
    /// The smallest size and alignment.
    pub minimum: BufferSize,
    /// The most 4 KiB pages that a buffer may have; 0 where no limit is stated. Callers below 1.2
    /// do not see it.
    pub max_pages: u16,
}

impl RxtxProperties {
    /// The value of w2 for a caller of `version`.
    pub const fn w2(self, version: Version) -> u32 {
        let pages = if version.has_extended_registers() {
            (self.max_pages as u32) << 16
        } else {
            0
        };
        pages | self.minimum as u32
    }

    /// Reads w2; `None` for a buffer size that does not exist.
    pub fn from_w2(w2: u32) -> Option<Self> {
        Some(Self {
            minimum: BufferSize::try_from((w2 & 3) as u8).ok()?,
            max_pages: (w2 >> 16) as u16,
        })
    }
}

/// w2 of the answer for [`FeatureId::Notification`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationProperties {
    /// Bit 0: VMs have no notifications for one vCPU each.
    pub only_global_for_vms: bool,
    /// Bit 1: partitions have no notifications for one execution context each.
    pub only_global_for_partitions: bool,
    /// Bits 10:2 and 19:11: two numbers of bitmaps, zero at the non-secure physical instance. Nine
    /// bits each; more are cut off.
    pub bitmaps: [u16; 2],
}

impl NotificationProperties {
    /// The value of w2.
    pub const fn w2(self) -> u32 {
        let [first, second] = self.bitmaps;
        self.only_global_for_vms as u32
            | (self.only_global_for_partitions as u32) << 1
            | (first as u32 & 0x1ff) << 2
            | (second as u32 & 0x1ff) << 11
    }

    /// Reads w2; bits 31:20 are ignored.
    pub const fn from_w2(w2: u32) -> Self {
        Self {
            only_global_for_vms: w2 & 1 != 0,
            only_global_for_partitions: w2 & 2 != 0,
            bitmaps: [(w2 >> 2 & 0x1ff) as u16, (w2 >> 11 & 0x1ff) as u16],
        }
    }
}

/// What a successful answer of `FFA_FEATURES` says in w2, by what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureProperties {
    /// Nothing: the function is there.
    None,
    /// An interrupt id.
    Interrupt(u32),
    /// [`FeatureId::Notification`].
    Notification(NotificationProperties),
    /// `FFA_RXTX_MAP`.
    Rxtx(RxtxProperties),
    /// `FFA_MEM_DONATE`, `LEND`, `SHARE`.
    Send(SendProperties),
    /// `FFA_MEM_RETRIEVE_REQ`.
    Retrieve(RetrieveProperties),
}

impl FeatureProperties {
    /// Reads w2 of the answer to `query`. `None` for a query that no answer belongs to, or a value
    /// that says nothing. Reserved bits are ignored: a newer callee may set them.
    pub fn from_w2(query: FeatureQuery, w2: u32) -> Option<Self> {
        Some(match query {
            FeatureQuery::Feature(id) => match FeatureId::try_from(id).ok()? {
                FeatureId::Notification => Self::Notification(NotificationProperties::from_w2(w2)),
                _ => Self::Interrupt(w2),
            },
            FeatureQuery::Function(fid) => match fid.function {
                Function::RxtxMap => Self::Rxtx(RxtxProperties::from_w2(w2)?),
                Function::MemDonate | Function::MemLend | Function::MemShare => {
                    Self::Send(SendProperties::from_bits_truncate(w2))
                }
                Function::MemRetrieveReq => {
                    Self::Retrieve(RetrieveProperties::from_bits_truncate(w2))
                }
                _ => Self::None,
            },
            FeatureQuery::UnknownFunction | FeatureQuery::ReservedFeature => return None,
        })
    }

    /// The value of w2 for a caller of `version`; w3 is zero for all of them.
    pub const fn w2(self, version: Version) -> u32 {
        match self {
            Self::None => 0,
            Self::Interrupt(id) => id,
            Self::Notification(properties) => properties.w2(),
            Self::Rxtx(properties) => properties.w2(version),
            Self::Send(properties) => properties.bits(),
            Self::Retrieve(properties) => properties.bits(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fid::raw;
    use proptest::prelude::*;

    #[test]
    fn queries() {
        assert_eq!(FeatureQuery::from_w1(2), FeatureQuery::Feature(2));
        assert_eq!(FeatureQuery::from_w1(0x100), FeatureQuery::ReservedFeature);
        assert_eq!(
            FeatureQuery::from_w1(raw::DIRECT_REQ2),
            FeatureQuery::Function(Fid::wide(Function::MsgSendDirectReq2))
        );
        for raw in [0x8400_0000, raw::DIRECT_REQ2 | 1 << 16, 0x8400_00ef] {
            assert_eq!(FeatureQuery::from_w1(raw), FeatureQuery::UnknownFunction);
        }
    }

    #[test]
    fn answers_by_query() {
        let feature = FeatureQuery::Feature;
        let function = |f| FeatureQuery::Function(Fid::narrow(f));
        let rxtx =
            |minimum, max_pages| FeatureProperties::Rxtx(RxtxProperties { minimum, max_pages });
        let notification = FeatureProperties::Notification(NotificationProperties {
            only_global_for_vms: true,
            only_global_for_partitions: true,
            bitmaps: [1, 0x1ff],
        });
        for (query, w2, properties) in [
            (feature(1), 5, FeatureProperties::Interrupt(5)),
            (feature(2), 8, FeatureProperties::Interrupt(8)),
            (feature(3), 4, FeatureProperties::Interrupt(4)),
            (feature(4), 0x000f_f807, notification),
            (
                function(Function::RxtxMap),
                0x4_0000,
                rxtx(BufferSize::Size4K, 4),
            ),
            (function(Function::RxtxMap), 1, rxtx(BufferSize::Size64K, 0)),
            (function(Function::RxtxMap), 2, rxtx(BufferSize::Size16K, 0)),
            (
                function(Function::MemShare),
                1,
                FeatureProperties::Send(SendProperties::DYNAMIC_BUFFERS),
            ),
            (
                function(Function::MemRetrieveReq),
                6,
                FeatureProperties::Retrieve(
                    RetrieveProperties::NS_BIT | RetrieveProperties::HYPERVISOR_RETRIEVE,
                ),
            ),
            (function(Function::Run), 0, FeatureProperties::None),
        ] {
            assert_eq!(FeatureProperties::from_w2(query, w2), Some(properties));
            assert_eq!(properties.w2(Version::V1_3), w2);
        }
        assert_eq!(
            FeatureProperties::from_w2(function(Function::RxtxMap), 3),
            None
        );
        assert_eq!(FeatureProperties::from_w2(feature(5), 0), None);
        assert_eq!(
            FeatureProperties::from_w2(FeatureQuery::UnknownFunction, 0),
            None
        );
        // The number of pages is not for callers below 1.2.
        assert_eq!(rxtx(BufferSize::Size16K, 4).w2(Version::V1_1), 2);
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn reading_is_total_and_writing_is_its_inverse(w1: u32, w2: u32, low in 0u32..8, pick: bool) {
            let query = FeatureQuery::from_w1(if pick { low } else { w1 });
            prop_assert_eq!(FeatureQuery::from_w1(query.w1()), query);
            if let Some(properties) = FeatureProperties::from_w2(query, w2) {
                let again = properties.w2(Version::V1_3);
                prop_assert_eq!(FeatureProperties::from_w2(query, again), Some(properties));
            }
        }
    }
}
