//! Pages, who has them, and how.

use crate::memory::Constituent;

/// Bytes of a page.
pub const PAGE: u64 = 0x1000;

/// Whoever owns or borrows memory here. At the SPMC 0 is the normal world as a whole, and 1 + slot a
/// partition. At a hypervisor 1 + index is a VM; 0 is the secure world, which is only noted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Party(pub u8);

impl Party {
    /// The other world as a whole.
    pub const OTHER_WORLD: Self = Self(0);

    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Contiguous whole 4 KiB pages. What comes from an endpoint is checked by [`new`](Self::new);
/// [`Sharing`](super::Sharing) checks what its caller hands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pages {
    /// The address of the first byte, a multiple of [`PAGE`].
    pub base: u64,
    /// How many pages, at least one.
    pub count: u64,
}

impl Pages {
    /// `count` pages from `base`. `None` if there are none, `base` is not page aligned, or the address
    /// behind the last one does not fit.
    pub const fn new(base: u64, count: u64) -> Option<Self> {
        let Some(bytes) = count.checked_mul(PAGE) else {
            return None;
        };
        if count == 0 || !base.is_multiple_of(PAGE) || base.checked_add(bytes).is_none() {
            return None;
        }
        Some(Self { base, count })
    }

    /// The pages of a constituent; `None` as for [`new`](Self::new).
    pub const fn of(constituent: Constituent) -> Option<Self> {
        Self::new(constituent.base, constituent.pages as u64)
    }

    /// The address behind the last page.
    pub const fn end(self) -> u64 {
        self.base.saturating_add(self.bytes())
    }

    /// How many bytes.
    pub const fn bytes(self) -> u64 {
        self.count.saturating_mul(PAGE)
    }

    /// Whether some page is in both.
    pub const fn overlaps(self, other: Self) -> bool {
        self.base < other.end() && other.base < self.end()
    }

    /// Whether all of `other` is in these.
    pub const fn contains(self, other: Self) -> bool {
        self.base <= other.base && other.end() <= self.end()
    }
}

/// How a borrower sees pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// They are in the normal world's physical address space.
    pub normal_world: bool,
    /// They are a device's registers.
    pub device: bool,
    /// They may be written.
    pub write: bool,
    /// Instructions there may be executed.
    pub execute: bool,
}

/// Memory that somebody owns from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// Which pages.
    pub pages: Pages,
    /// They are in the normal world's physical address space.
    pub normal_world: bool,
    /// They are a device's registers.
    pub device: bool,
    /// The owner may write them.
    pub write: bool,
    /// The owner may execute instructions there.
    pub execute: bool,
    /// They may be given to others at all.
    pub shareable: bool,
}

/// What is said of a run of pages beside where it is, in one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Kind(u8);

impl Kind {
    /// Nothing is said.
    pub(super) const NONE: Self = Self(0);

    const NORMAL_WORLD: u8 = 1 << 0;
    const DEVICE: u8 = 1 << 1;
    const WRITE: u8 = 1 << 2;
    const EXECUTE: u8 = 1 << 3;
    const SHAREABLE: u8 = 1 << 4;

    pub(super) const fn of(region: &Region) -> Self {
        let view = View {
            normal_world: region.normal_world,
            device: region.device,
            write: region.write,
            execute: region.execute,
        };
        let mut kind = Self::given(view);
        if !region.shareable {
            kind.0 &= !Self::SHAREABLE;
        }
        kind
    }

    /// Of memory that becomes the borrower's own.
    pub(super) const fn given(view: View) -> Self {
        let mut bits = Self::SHAREABLE;
        if view.normal_world {
            bits |= Self::NORMAL_WORLD;
        }
        if view.device {
            bits |= Self::DEVICE;
        }
        if view.write {
            bits |= Self::WRITE;
        }
        if view.execute {
            bits |= Self::EXECUTE;
        }
        Self(bits)
    }

    pub(super) const fn normal_world(self) -> bool {
        self.0 & Self::NORMAL_WORLD != 0
    }

    pub(super) const fn device(self) -> bool {
        self.0 & Self::DEVICE != 0
    }

    pub(super) const fn write(self) -> bool {
        self.0 & Self::WRITE != 0
    }

    pub(super) const fn execute(self) -> bool {
        self.0 & Self::EXECUTE != 0
    }

    pub(super) const fn shareable(self) -> bool {
        self.0 & Self::SHAREABLE != 0
    }

    pub(super) const fn region(self, pages: Pages) -> Region {
        Region {
            pages,
            normal_world: self.normal_world(),
            device: self.device(),
            write: self.write(),
            execute: self.execute(),
            shareable: self.shareable(),
        }
    }
}

/// Pages by number, as they are kept: 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) first: u64,
    pub(super) count: u32,
}

impl Piece {
    /// `None` for what [`Pages::new`] refuses, or more than 16 TiB.
    pub(super) fn of(pages: Pages) -> Option<Self> {
        let pages = Pages::new(pages.base, pages.count)?;
        Some(Self {
            first: pages.base / PAGE,
            count: u32::try_from(pages.count).ok()?,
        })
    }

    /// The number behind the last one. Page numbers have 52 bits: this does not overflow.
    pub(super) const fn end(self) -> u64 {
        self.first.saturating_add(self.count as u64)
    }

    pub(super) const fn pages(self) -> Pages {
        Pages {
            base: self.first.saturating_mul(PAGE),
            count: self.count as u64,
        }
    }
}
