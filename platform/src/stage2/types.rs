//! What a mapping is, why a change is refused, and how the machine forgets.

use super::{IPA_BITS, PA_BITS, PAGE_SIZE};
use core::ops::Range;

/// What kind of memory a mapping makes of its pages, before stage 1 has its say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Memory {
    /// Normal, inner and outer write-back cacheable, inner shareable.
    Normal,
    /// Normal, non-cacheable.
    NormalNonCacheable,
    /// Device-nGnRE.
    Device,
}

/// What a guest may do with a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attr {
    /// The memory type.
    pub memory: Memory,
    /// Reads are allowed. A mapping without is refused: unmap instead.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
    /// Execution is allowed, at EL1 and EL0 alike. Refused for device memory.
    pub execute: bool,
    /// It is the normal world's. For [`Regime::El0`] of the secure state only: stage 2 has a space of its own for it.
    pub normal_world: bool,
}

/// Which translations the tables are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Regime {
    /// Stage 2 of a guest at EL1.
    Stage2,
    /// Stage 1 of a partition at EL0, in the EL2&0 regime: the guest sees virtual addresses, which are cached under an
    /// ASID instead of a VMID. The image itself is there with no more than what entering and leaving takes.
    El0,
}

impl Attr {
    /// Normal memory to read.
    pub const RO: Self = Self::normal(false, false);
    /// Normal memory to read and write.
    pub const RW: Self = Self::normal(true, false);
    /// Normal memory to read and execute.
    pub const RX: Self = Self::normal(false, true);
    /// Normal memory to do anything with.
    pub const RWX: Self = Self::normal(true, true);
    /// Device registers to read and write.
    pub const DEVICE: Self = Self {
        memory: Memory::Device,
        read: true,
        write: true,
        execute: false,
        normal_world: false,
    };

    const fn normal(write: bool, execute: bool) -> Self {
        Self {
            memory: Memory::Normal,
            read: true,
            write,
            execute,
            normal_world: false,
        }
    }

    /// Whether a mapping may have these.
    pub(super) const fn is_valid(self) -> bool {
        self.read && !(self.execute && matches!(self.memory, Memory::Device))
    }
}

/// A range of IPAs, where it leads, and what may be done there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mapping {
    /// First byte, page aligned.
    pub ipa: u64,
    /// Physical address of the first byte, page aligned.
    pub pa: u64,
    /// Length in bytes, a multiple of 4096.
    pub len: u64,
    /// What the guest may do.
    pub attr: Attr,
}

/// Why a change was refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage2Error {
    /// An address or a length is not a multiple of 4096, or the length is 0.
    Alignment,
    /// The range ends beyond the IPA space (39 bits) or what a descriptor can hold (48 bits).
    Range,
    /// No read access, or executable device memory.
    Attributes,
    /// This IPA is mapped already, or hidden.
    Overlap {
        /// The first page that is.
        ipa: u64,
    },
    /// This IPA is not mapped.
    NotMapped {
        /// The first page that is not.
        ipa: u64,
    },
    /// The pool has too few tables left, or the guest may have no more.
    OutOfTables,
    /// A descriptor points outside the pool: a bug, or memory that went bad.
    Corrupt,
}

/// How the machine makes its cores forget.
///
/// Each call returns only when all cores of the system have forgotten, for combined stage 1 and 2 entries too.
pub trait Flush {
    /// Forget what is cached of the translation that covers `ipa`, for `vmid`. A block is forgotten whole, by any
    /// address inside it, and so is what is cached of the tables on the way.
    fn ipa(&self, vmid: u16, ipa: u64);

    /// Forget all of `vmid`.
    fn all(&self, vmid: u16);

    /// Make entries that were invalid until now visible to all cores' walkers. Nothing needs to be forgotten.
    fn publish(&self);
}

impl Mapping {
    /// The range of IPAs, if the mapping is well formed.
    pub(super) fn check(&self) -> Result<Range<u64>, Stage2Error> {
        let end = self.ipa.checked_add(self.len).ok_or(Stage2Error::Range)?;
        let range = check(&(self.ipa..end))?;
        if !self.pa.is_multiple_of(PAGE_SIZE) {
            return Err(Stage2Error::Alignment);
        }
        if !self.attr.is_valid() {
            return Err(Stage2Error::Attributes);
        }
        match self.pa.checked_add(self.len) {
            Some(end) if end <= 1 << PA_BITS => Ok(range),
            _ => Err(Stage2Error::Range),
        }
    }
}

/// The same range, if a change can be about it.
pub(super) fn check(range: &Range<u64>) -> Result<Range<u64>, Stage2Error> {
    if range.is_empty() || !(range.start | range.end).is_multiple_of(PAGE_SIZE) {
        return Err(Stage2Error::Alignment);
    }
    if range.end > 1 << IPA_BITS {
        return Err(Stage2Error::Range);
    }
    Ok(range.clone())
}
