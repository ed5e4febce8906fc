//! The image's own address space: one EL2&0 stage 1 map with virtual equal to physical addresses.
//!
//! Owns the image's translation tables and the registers that switch them on. Called by start-up code, by secondary
//! cores, and by code that opens a window on memory which is not the image's. Never maps a page both writable and
//! executable, never changes a live entry into another one (a range is unmapped before it is mapped anew), never
//! allocates: tables come from a [`Pool`] in the image, and running out is an error that leaves the map as it was.
//!
//! A guard page is a page that nobody mapped.
//!
//! `HCR_EL2.E2H` is 1, so EL2 translates by the EL2&0 regime: TCR_EL2 and the descriptors have EL1's layout. TGE is 0
//! as well while a partition or VM exists, so TLB maintenance has to use the EL2 forms (`vae2is`, `alle2is`); the EL1
//! ones would act on the guest. That is why the tables are handled without `aarch64-paging`'s own invalidation.

mod pool;
mod window;

pub use pool::{Pool, Store};

use crate::{board::Region, cache, layout, read_sysreg, write_sysreg};
use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::mair::{Mair, MairAttribute, NormalMemory};
use aarch64_paging::paging::{
    Constraints, El2And0, MemoryRegion, PAGE_SIZE, PageTable, RootTable, VaRange,
};
use core::arch::asm;
use core::ops::Range;
use core::ptr::NonNull;
use pool::Tables;
use spin::mutex::SpinMutex;

/// Bits of virtual address: 512 GiB, one root table at level 1.
const VA_BITS: u64 = 39;
/// Level of the root table.
const ROOT_LEVEL: usize = 1;
/// Up to this many pages are invalidated one by one; beyond it the whole regime is.
const MAX_PAGE_INVALIDATIONS: usize = 32;

/// MAIR_EL2 index of Device-nGnRE.
const DEVICE: El1Attributes = El1Attributes::ATTRIBUTE_INDEX_0;
/// MAIR_EL2 index of normal write-back memory.
const NORMAL: El1Attributes = El1Attributes::ATTRIBUTE_INDEX_1;
/// MAIR_EL2. Index 2, normal memory without caches, is for maps of partitions at EL0.
const MAIR: Mair = Mair::EMPTY
    .with_attribute(0, MairAttribute::DEVICE_NGNRE)
    .with_attribute(
        1,
        MairAttribute::normal(
            NormalMemory::WriteBackNonTransientReadWriteAllocate,
            NormalMemory::WriteBackNonTransientReadWriteAllocate,
        ),
    )
    .with_attribute(
        2,
        MairAttribute::normal(NormalMemory::NonCacheable, NormalMemory::NonCacheable),
    );

/// TCR_EL2 (its EL1 layout, E2H = 1) without IPS: 39 bits through TTBR0, tables in shareable write-back memory, 4 KiB
/// granule; TTBR1 walks disabled.
pub(crate) const TCR: u64 = (64 - VA_BITS)     // T0SZ
    | 0b01 << 8                     // IRGN0: write-back, write-allocate
    | 0b01 << 10                    // ORGN0: the same
    | 0b11 << 12                    // SH0: inner shareable
    | (64 - VA_BITS) << 16          // T1SZ: a legal value, not used
    | 1 << 23                       // EPD1: no walks through TTBR1
    | 0b10 << 30; // TG1: 4 KiB, a legal value, not used
/// Bit position of TCR_EL2.IPS (E2H = 1).
const TCR_IPS_SHIFT: u64 = 32;
/// The largest IPS without 52-bit descriptors: 48 bits.
const IPS_48_BITS: u64 = 0b101;

/// SCTLR_EL2 bits to set: M, C, SA, EOS, I, WXN, EIS.
const SCTLR_SET: u64 = 1 | 1 << 2 | 1 << 3 | 1 << 11 | 1 << 12 | 1 << 19 | 1 << 22;
/// SCTLR_EL2 bits to clear: A (alignment checks), EE (big endian).
const SCTLR_CLEAR: u64 = 1 << 1 | 1 << 25;
/// SCTLR_EL2.BT, which is BT1 (EL2's own) with E2H = 1.
const SCTLR_BT: u64 = 1 << 36;
/// Whether the image and the core library in it were built with landing pads and signed return addresses.
const BRANCH_PROTECTION: bool = cfg!(feature = "branch-protection");
/// SCTLR_EL2.M.
const SCTLR_M: u64 = 1;

/// What a range is for, and with that its memory type and permissions. Nothing is accessible to EL0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Code: normal memory, read-only, executable; indirect branches land on BTI instructions only, where the CPU has
    /// BTI.
    Code,
    /// Constants: normal memory, read-only, never executable.
    RoData,
    /// Data: normal memory, read-write, never executable.
    Data,
    /// Non-secure memory seen from the secure world: as [`Kind::Data`], in the non-secure physical address space. From
    /// the normal world the same as [`Kind::Data`].
    DataNs,
    /// Registers: Device-nGnRE, read-write, never executable.
    Device,
}

impl Kind {
    const fn attributes(self) -> El1Attributes {
        let common = El1Attributes::VALID
            .union(El1Attributes::ACCESSED)
            .union(El1Attributes::INNER_SHAREABLE)
            // Under the image's ASID, 0: with a partition's map on, none of this is there.
            .union(El1Attributes::NON_GLOBAL)
            // Reserved for EL0, which must never run what EL2 mapped.
            .union(El1Attributes::UXN);
        let data = common.union(NORMAL).union(El1Attributes::PXN);
        match self {
            Self::Code => {
                common
                    .union(NORMAL)
                    .union(El1Attributes::READ_ONLY)
                    .union(if BRANCH_PROTECTION {
                        El1Attributes::GP
                    } else {
                        El1Attributes::empty()
                    })
            }
            Self::RoData => data.union(El1Attributes::READ_ONLY),
            Self::Data => data,
            Self::DataNs => data.union(El1Attributes::NS),
            Self::Device => common.union(DEVICE).union(El1Attributes::PXN),
        }
    }
}

/// Why a range could not be mapped or unmapped. The map is as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage1Error {
    /// The range is empty or backwards, its ends are no multiples of 4096, or it ends beyond 512 GiB.
    Range,
    /// The page at this address is mapped already.
    Mapped(usize),
    /// The page at this address is not mapped.
    NotMapped(usize),
    /// The range cuts the block at this address in two. Unmap what was mapped, in the same pieces.
    CutsBlock(usize),
    /// The pool has too few tables left.
    OutOfTables,
    /// The pool belongs to another map already.
    PoolTaken,
}

type Root = RootTable<El2And0, Tables>;

/// A map that is being built. Not in use by any core yet.
pub struct Stage1Builder {
    root: Root,
}

impl Stage1Builder {
    /// An empty map over the tables of `pool`.
    ///
    /// # Errors
    /// [`Stage1Error::PoolTaken`] the second time for one pool.
    pub fn new<const N: usize>(pool: &'static Pool<N>) -> Result<Self, Stage1Error> {
        let tables = pool.take().ok_or(Stage1Error::PoolTaken)?;
        let root = RootTable::with_va_range(tables, ROOT_LEVEL, El2And0, VaRange::Lower);
        Ok(Self { root })
    }

    /// A map of the image itself: each section with permissions of its own, the stacks of `cpus` cores with their
    /// guard pages, and `devices`.
    ///
    /// # Errors
    /// See [`Stage1Error`]; the pool is taken then all the same.
    pub fn for_image<const N: usize>(
        pool: &'static Pool<N>,
        cpus: usize,
        devices: &[Region],
    ) -> Result<Self, Stage1Error> {
        let mut builder = Self::new(pool)?;
        builder.map(layout::image_start()..layout::text_end(), Kind::Code)?;
        builder.map(layout::text_end()..layout::rodata_end(), Kind::RoData)?;
        builder.map(layout::rodata_end()..layout::stacks_start(), Kind::Data)?;
        for index in 0..cpus {
            builder.map(layout::stack(index), Kind::Data)?;
        }
        for device in devices {
            builder.map(device.base as usize..device.end() as usize, Kind::Device)?;
        }
        Ok(builder)
    }

    /// Maps a range, page aligned, that is not mapped yet.
    ///
    /// # Errors
    /// See [`Stage1Error`]; nothing has changed then.
    pub fn map(&mut self, range: Range<usize>, kind: Kind) -> Result<(), Stage1Error> {
        map(&mut self.root, range, kind, 0)
    }

    /// The registers that switch this map on, on any core of the same make.
    #[must_use]
    pub fn registers(&self) -> Registers {
        Registers::for_root(self.root.to_physical().0 as u64)
    }

    /// Switches the map on for this core.
    ///
    /// # Safety
    /// HCR_EL2.E2H is 1. The map covers all that the image uses from here on: code, constants, data, this stack, the
    /// devices; and no range of it is anyone else's. No other core runs this image yet.
    #[must_use]
    pub unsafe fn activate(self) -> Stage1 {
        let registers = self.registers();
        let (start, length) = self.root.translation().extent();
        if read_sysreg!("sctlr_el2") & SCTLR_M == 0 {
            // The tables were written past the caches; what a cache may hold of them is older.
            // SAFETY: with the MMU off no line of the pool holds anything newer than memory.
            unsafe { cache::invalidate(start, length) };
        }
        // SAFETY: the caller promises that the image is covered.
        unsafe { registers.load() };
        Stage1 {
            registers,
            root: SpinMutex::new(self.root),
            window: SpinMutex::new(()),
        }
    }
}

/// The map that the image runs on.
pub struct Stage1 {
    registers: Registers,
    root: SpinMutex<Root>,
    /// Who has it uses the window. Taken before the root.
    window: SpinMutex<()>,
}

impl Stage1 {
    /// The registers that switch this map on.
    #[must_use]
    pub const fn registers(&self) -> Registers {
        self.registers
    }

    /// Maps a range, page aligned, that is not mapped yet, on all cores.
    ///
    /// # Errors
    /// See [`Stage1Error`]; nothing has changed then.
    ///
    /// # Safety
    /// The memory is there, and no Rust object of the image lies in it unless the caller accounts for it.
    pub unsafe fn map(&self, range: Range<usize>, kind: Kind) -> Result<(), Stage1Error> {
        // SAFETY: as the caller promises.
        unsafe { self.map_leaving(range, kind, 0) }
    }

    /// The same, if at least `spare` tables are left in the pool then: so that who maps at somebody else's wish can't
    /// take the last ones.
    ///
    /// # Errors
    /// See [`Stage1Error`]; nothing has changed then.
    ///
    /// # Safety
    /// As [`Stage1::map`].
    pub unsafe fn map_leaving(
        &self,
        range: Range<usize>,
        kind: Kind,
        spare: usize,
    ) -> Result<(), Stage1Error> {
        let mut root = self.root.lock();
        match map(&mut root, range.clone(), kind, spare) {
            // Earlier windows may have left empty tables in the tree.
            Err(Stage1Error::OutOfTables) => {
                root.compact_subtables();
                // SAFETY: the tables that left the tree mapped nothing.
                unsafe { invalidate_all() };
                root.translation().reclaim();
                map(&mut root, range, kind, spare)?;
            }
            result => result?,
        }
        // Entries were invalid before, and TLBs hold no invalid ones: the stores only have to arrive.
        // SAFETY: barriers only order.
        unsafe { asm!("dsb ishst", "isb", options(nostack, preserves_flags)) };
        Ok(())
    }

    /// Unmaps a range, page aligned and all of it mapped, and has every core forget it before returning.
    ///
    /// # Errors
    /// See [`Stage1Error`]; nothing has changed then.
    ///
    /// # Safety
    /// Nothing on any core uses the range any more.
    pub unsafe fn unmap(&self, range: Range<usize>) -> Result<(), Stage1Error> {
        let mut root = self.root.lock();
        let region = region(range)?;
        check_unmap(&root, &region)?;
        root.map_range(
            &region,
            PhysicalAddress(0),
            El1Attributes::empty(),
            Constraints::empty(),
        )
        .map_err(|_| Stage1Error::Range)?;
        let pages = region.len() / PAGE_SIZE;
        // SAFETY: the caller says that nobody uses what was just unmapped.
        unsafe {
            // A table that left the tree may be cached by any address below it.
            if pages > MAX_PAGE_INVALIDATIONS || root.translation().has_retired() {
                invalidate_all();
            } else {
                invalidate_pages(region.start().0, pages);
            }
        }
        root.translation().reclaim();
        Ok(())
    }

    /// Adds tables to the pool, once; together they are at most 256.
    ///
    /// # Safety
    /// The range is page aligned, and mapped here as [`Kind::Data`]; nobody uses it for anything else from now on.
    pub unsafe fn add_tables(&self, range: Range<usize>) {
        if let Some(base) = NonNull::new(range.start as *mut PageTable<El1Attributes>) {
            let count = range.len() / PAGE_SIZE;
            self.root.lock().translation().add(base, count);
        }
    }

    /// Tables left in the pool. Empty ones that are still in the tree do not count; [`Stage1::map`] fetches them when it
    /// has to.
    #[must_use]
    pub fn free_tables(&self) -> usize {
        self.root.lock().translation().free()
    }
}

/// What a core must load to run on a map. Plain words, so that a secondary core's assembly can find them in memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Registers {
    /// MAIR_EL2.
    pub mair: u64,
    /// TCR_EL2.
    pub tcr: u64,
    /// TTBR0_EL2.
    pub ttbr0: u64,
    /// Bits to set in SCTLR_EL2.
    pub sctlr_set: u64,
    /// Bits to clear in SCTLR_EL2.
    pub sctlr_clear: u64,
}

impl Registers {
    fn for_root(root: u64) -> Self {
        // PARange and IPS share their encoding.
        let ips = (read_sysreg!("id_aa64mmfr0_el1") & 0xf).min(IPS_48_BITS);
        let has_bti = read_sysreg!("id_aa64pfr1_el1") & 0xf != 0;
        Self {
            mair: MAIR.0,
            tcr: TCR | ips << TCR_IPS_SHIFT,
            ttbr0: root,
            sctlr_set: SCTLR_SET | if has_bti { SCTLR_BT } else { 0 },
            sctlr_clear: SCTLR_CLEAR,
        }
    }

    /// Switches this core's MMU and caches on, over this map. What else is in SCTLR_EL2 (pointer authentication)
    /// stays.
    ///
    /// # Safety
    /// As for [`Stage1Builder::activate`], for this core; the tables these registers name are still there.
    pub unsafe fn load(&self) {
        let sctlr = (read_sysreg!("sctlr_el2") | self.sctlr_set) & !self.sctlr_clear;
        // SAFETY: the caller promises that the map covers what this code uses, at the same addresses.
        unsafe {
            write_sysreg!("mair_el2", self.mair);
            write_sysreg!("tcr_el2", self.tcr);
            write_sysreg!("ttbr0_el2", self.ttbr0);
            asm!(
                "dsb ish",
                "isb",
                // This core only: its TLB may hold entries of whatever ran before.
                "tlbi alle2",
                "ic iallu",
                "dsb nsh",
                "isb",
                "msr sctlr_el2, {sctlr}",
                "isb",
                sctlr = in(reg) sctlr,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Has every core forget all of the EL2&0 regime.
///
/// # Safety
/// No core uses a translation that is no longer in the tables.
unsafe fn invalidate_all() {
    // SAFETY: cores walk again, and find what the tables say; the caller promises that this is enough.
    unsafe {
        asm!(
            "dsb ishst",
            "tlbi alle2is",
            "dsb ish",
            "isb",
            options(nostack, preserves_flags),
        );
    }
}

/// Has every core forget `pages` pages from `start` on.
///
/// # Safety
/// As [`invalidate_all`], for these pages.
unsafe fn invalidate_pages(start: usize, pages: usize) {
    // SAFETY: barriers only order.
    unsafe { asm!("dsb ishst", options(nostack, preserves_flags)) };
    for page in 0..pages {
        // VA[55:12] in bits 43:0; the ASID is 0.
        let operand = start.wrapping_add(page.wrapping_mul(PAGE_SIZE)) >> 12;
        // SAFETY: as `invalidate_all`.
        unsafe { asm!("tlbi vae2is, {}", in(reg) operand, options(nostack, preserves_flags)) };
    }
    // SAFETY: barriers only order.
    unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// Checks a range's form.
fn region(range: Range<usize>) -> Result<MemoryRegion, Stage1Error> {
    let aligned = (range.start | range.end).is_multiple_of(PAGE_SIZE);
    if !aligned || range.is_empty() || range.end > 1 << VA_BITS {
        return Err(Stage1Error::Range);
    }
    Ok(MemoryRegion::new(range.start, range.end))
}

/// Maps a range that is not mapped yet, with `spare` tables left. No TLB can know it, so there is nothing to
/// invalidate.
fn map(root: &mut Root, range: Range<usize>, kind: Kind, spare: usize) -> Result<(), Stage1Error> {
    let region = region(range)?;
    if tables_needed(root, &region)?.saturating_add(spare) > root.translation().free() {
        return Err(Stage1Error::OutOfTables);
    }
    let address = PhysicalAddress(region.start().0);
    root.map_range(&region, address, kind.attributes(), Constraints::empty())
        .map_err(|_| Stage1Error::Range)
}

/// How many tables mapping `region` takes. An error if a page of it is mapped.
fn tables_needed(root: &Root, region: &MemoryRegion) -> Result<usize, Stage1Error> {
    let mut needed = 0usize;
    let mut mapped = None;
    // The walk reports each entry that points to no table, with the part of the region it covers.
    let walked = root.walk_range(region, &mut |part, entry, level| {
        if entry.is_valid() {
            mapped = Some(part.start().0);
            return Err(());
        }
        let size = entry_size(level);
        if level < 3 && part.len() < size {
            needed = needed.saturating_add(1);
            if level < 2 {
                // The part begins and ends somewhere in the new table's range; an end that is not on a 2 MiB boundary
                // needs a table below, and both ends may share it.
                let below = entry_size(2);
                let first = part.start().0 / below;
                let last = (part.end().0 - 1) / below;
                let cut_first = part.start().0 % below != 0 || part.end().0 < (first + 1) * below;
                let cut_last = part.end().0 % below != 0;
                needed = needed.saturating_add(usize::from(cut_first));
                needed =
                    needed.saturating_add(usize::from(cut_last && (last != first || !cut_first)));
            }
        }
        Ok(())
    });
    match (walked, mapped) {
        (Ok(()), _) => Ok(needed),
        (Err(_), Some(address)) => Err(Stage1Error::Mapped(address)),
        (Err(_), None) => Err(Stage1Error::Range),
    }
}

/// Checks that every page of `region` is mapped and no block reaches out of it.
fn check_unmap(root: &Root, region: &MemoryRegion) -> Result<(), Stage1Error> {
    let mut found = Stage1Error::Range;
    root.walk_range(region, &mut |part, entry, level| {
        if !entry.is_valid() {
            found = Stage1Error::NotMapped(part.start().0);
        } else if part.len() < entry_size(level) {
            found = Stage1Error::CutsBlock(part.start().0);
        } else {
            return Ok(());
        }
        Err(())
    })
    .map_err(|_| found)
}

/// Bytes that one entry of a table at `level` covers.
const fn entry_size(level: usize) -> usize {
    PAGE_SIZE << (9 * 3usize.saturating_sub(level))
}
