//! Memory management (DEN0140). Here: the register side, that is handles, flags, permissions and the
//! results of the memory calls. Below: the descriptors in buffers.
//!
//! It knows layouts and encodings, never who may share what with whom. Reading is total: any bytes
//! give a value or a [`DescriptorError`]. Reserved bits of flags, attributes and permissions are kept
//! for the reader to judge; reserved fields are ignored and written as zero.

mod access;
mod attributes;
mod region;
mod relinquish;
pub mod request;
mod resources;
mod transaction;

pub use access::{Access, AccessFlags, AccessLayout, Accesses};
pub use attributes::{
    AccessPermissions, Attributes, Cacheability, DataAccess, DeviceKind, InstructionAccess,
    MemoryType, Shareability,
};
pub use region::{Composite, Constituent, Constituents};
pub use relinquish::{Relinquish, RelinquishFlags};
pub use resources::{AddressMap, MapFlags, MapPermissions, ResourceInfo};
pub use transaction::{Transaction, TransactionFlags, TransactionKind};

use crate::{
    error::FfaError,
    fid::Function,
    regs::{Regs, join, split},
    reply::Reply,
};
use bitflags::bitflags;
use thiserror::Error;

/// Why a descriptor could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DescriptorError {
    /// Its bytes are not all there.
    #[error("{what} at offset {offset:#x}: wanted {wanted:#x} bytes, found {found:#x} in all")]
    Short {
        /// Which descriptor.
        what: &'static str,
        /// Where it starts.
        offset: u32,
        /// Its size in bytes.
        wanted: u64,
        /// How many bytes there are, from offset 0.
        found: usize,
    },
    /// A header states a size of its access descriptors that they don't have.
    #[error("endpoint memory access descriptors: found {found} bytes each, wanted 16 or 32")]
    AccessSize {
        /// The size found, in bytes.
        found: u32,
    },
    /// A header states a place of its access descriptors where they can't be.
    #[error(
        "endpoint memory access descriptors: found at offset {found:#x}, wanted a multiple of 0x10 behind the header"
    )]
    AccessOffset {
        /// The offset found.
        found: u32,
    },
    /// A header states a size of its address maps that they don't have.
    #[error("address map descriptors: found {found} bytes each, wanted at least 16")]
    MapSize {
        /// The size found, in bytes.
        found: u32,
    },
}

impl From<DescriptorError> for FfaError {
    fn from(_: DescriptorError) -> Self {
        Self::InvalidParameters
    }
}

/// A memory handle. Bit 63 says who gave it: 0 the SPMC, 1 the hypervisor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Handle(pub u64);

impl Handle {
    /// No handle: all bits set.
    pub const INVALID: Self = Self(u64::MAX);

    /// From two words, low and high.
    pub const fn from_words(low: u32, high: u32) -> Self {
        Self(join(low, high))
    }

    /// The two words, low and high.
    pub const fn words(self) -> (u32, u32) {
        split(self.0)
    }

    /// Whether bit 63 says that the hypervisor gave it.
    pub const fn is_hypervisor(self) -> bool {
        self.0 >> 63 != 0
    }

    /// Reads w2 and w3 of the `FFA_SUCCESS` that completes `FFA_MEM_DONATE`, `LEND` or `SHARE`.
    pub const fn from_success(regs: &Regs) -> Self {
        Self::from_words(regs.w::<2>(), regs.w::<3>())
    }

    /// The `FFA_SUCCESS` that completes `FFA_MEM_DONATE`, `LEND` or `SHARE`.
    pub const fn success(self) -> Reply {
        let (low, high) = self.words();
        Reply::success2(low, high)
    }
}

impl core::fmt::Debug for Handle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The arguments of `FFA_MEM_DONATE`, `LEND`, `SHARE` and `RETRIEVE_REQ`: where a transaction
/// descriptor lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorCall {
    /// Whether it is the 64-bit form.
    pub wide: bool,
    /// w1: bytes of the whole descriptor.
    pub total_length: u32,
    /// w2: bytes of its first fragment.
    pub fragment_length: u32,
    /// x3: the address of a buffer of its own; 0 for the TX buffer.
    pub buffer: u64,
    /// w4: how many 4 KiB pages that buffer has; 0 for the TX buffer.
    pub pages: u32,
}

bitflags! {
    /// w3 of `FFA_MEM_RECLAIM`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ReclaimFlags: u32 {
        /// Zero the memory before it is the owner's again.
        const ZERO = 1 << 0;
        /// The operation may be sliced in time.
        const TIME_SLICE = 1 << 1;
        const _ = !0;
    }
}

bitflags! {
    /// x2 of `FFA_NS_RES_INFO_GET`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct NsResFlags: u64 {
        /// The endpoint in x1 counts; else all partitions are meant.
        const ID_VALID = 1 << 0;
        /// Go on after the reply before, instead of starting.
        const CONTINUE = 1 << 4;
        const _ = !0;
    }
}

impl NsResFlags {
    /// Bits 3:2: the type of resource, 0 for memory.
    pub const fn resource_type(self) -> u8 {
        (self.bits() >> 2 & 3) as u8
    }

    /// The reserved bits that are set.
    pub const fn reserved(self) -> u64 {
        self.bits() & !0b1_1101
    }
}

impl ReclaimFlags {
    /// The reserved bits that are set.
    pub const fn reserved(self) -> u32 {
        self.bits() & !0b11
    }
}

/// What an S-EL0 partition may do with a page: the value of `FFA_MEM_PERM_GET` and `SET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permissions {
    /// No access.
    None,
    /// Read and execute.
    ReadExecute,
    /// Read and write.
    ReadWrite,
    /// Read.
    ReadOnly,
}

impl Permissions {
    /// Reads the encoding: bits 1:0 data access, bit 2 execute never, bits 31:3 zero. `None` for
    /// reserved values and for what is both writable and executable. No access is read with and
    /// without bit 2.
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0b000 | 0b100 => Some(Self::None),
            0b011 => Some(Self::ReadExecute),
            0b101 => Some(Self::ReadWrite),
            0b111 => Some(Self::ReadOnly),
            _ => None,
        }
    }

    /// The encoding.
    pub const fn raw(self) -> u32 {
        match self {
            Self::None => 0b100,
            Self::ReadExecute => 0b011,
            Self::ReadWrite => 0b101,
            Self::ReadOnly => 0b111,
        }
    }
}

/// The result of `FFA_MEM_PERM_GET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionRun {
    /// w2: what the pages permit.
    pub permissions: Permissions,
    /// w3 + 1 (1.3; below it is 1): how many of the pages asked for, from the first, have the same.
    pub pages: u32,
}

impl PermissionRun {
    /// The `FFA_SUCCESS` that tells it.
    pub const fn success(self) -> Reply {
        Reply::success2(self.permissions.raw(), self.pages.saturating_sub(1))
    }

    /// Reads it from a `FFA_SUCCESS`; `None` for reserved values.
    pub fn from_success(regs: &Regs) -> Option<Self> {
        Some(Self {
            permissions: Permissions::from_raw(regs.w::<2>())?,
            pages: regs.w::<3>().checked_add(1)?,
        })
    }
}

/// The result of `FFA_NS_RES_INFO_GET` (1.3): how far its data, which lie in the RX buffer, have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NsResProgress {
    /// x2 bits 63:32: bytes in the RX buffer.
    pub written: u32,
    /// x2 bits 31:0: bytes still to be asked for.
    pub remaining: u32,
}

impl NsResProgress {
    /// The `FFA_SUCCESS_64` that tells it.
    pub const fn success(self) -> Reply {
        let x2 = join(self.remaining, self.written);
        Reply::Ffa([Function::Success.raw64() as u64, 0, x2, 0, 0, 0, 0, 0])
    }

    /// Reads it from a `FFA_SUCCESS_64`.
    pub const fn from_success(regs: &Regs) -> Self {
        let (remaining, written) = split(regs.x::<2>());
        Self { written, remaining }
    }
}

#[cfg(test)]
mod descriptor_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn registers(reply: Reply) -> Regs {
        let mut regs = Regs([u64::MAX; 18]);
        reply.write(&mut regs.0);
        regs
    }

    #[test]
    fn permissions_by_the_table() {
        for (raw, permissions) in [
            (0b000, Some(Permissions::None)),
            (0b001, None), // writable and executable
            (0b010, None),
            (0b011, Some(Permissions::ReadExecute)),
            (0b100, Some(Permissions::None)),
            (0b101, Some(Permissions::ReadWrite)),
            (0b110, None),
            (0b111, Some(Permissions::ReadOnly)),
            (0b1101, None),
            (1 << 31 | 0b111, None),
        ] {
            assert_eq!(Permissions::from_raw(raw), permissions, "{raw:#b}");
            if let Some(permissions) = permissions {
                assert_eq!(Permissions::from_raw(permissions.raw()), Some(permissions));
            }
        }
    }

    #[test]
    fn flags_keep_their_reserved_bits() {
        let flags = NsResFlags::from_bits_retain(0x8000_0000_0000_001d);
        assert!(flags.contains(NsResFlags::ID_VALID | NsResFlags::CONTINUE));
        assert_eq!((flags.resource_type(), flags.reserved()), (3, 1 << 63));
        let flags = ReclaimFlags::from_bits_retain(0x105);
        assert!(flags.contains(ReclaimFlags::ZERO) && !flags.contains(ReclaimFlags::TIME_SLICE));
        assert_eq!(flags.reserved(), 0x104);
    }

    #[test]
    fn handles() {
        let handle = Handle::from_words(0x89ab_cdef, 0x8123_4567);
        assert_eq!(handle.0, 0x8123_4567_89ab_cdef);
        assert!(handle.is_hypervisor() && !Handle(5).is_hypervisor());
        assert_eq!(format!("{:?}", Handle(0x10)), "0x10");
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn results_are_read_as_written(value: u64, pages in 1u32.., which in 0usize..4) {
            prop_assert_eq!(Handle::from_success(&registers(Handle(value).success())), Handle(value));
            let (written, remaining) = (value as u32, (value >> 32) as u32);
            let progress = NsResProgress { written, remaining };
            let regs = registers(progress.success());
            prop_assert_eq!(NsResProgress::from_success(&regs), progress);
            prop_assert_eq!(regs[2], u64::from(written) << 32 | u64::from(remaining));
            use Permissions::*;
            let run = PermissionRun {
                permissions: [None, ReadExecute, ReadWrite, ReadOnly][which],
                pages,
            };
            prop_assert_eq!(PermissionRun::from_success(&registers(run.success())), Some(run));
        }
    }
}
