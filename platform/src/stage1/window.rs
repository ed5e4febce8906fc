//! A window of the image's map, through which memory is zeroed that need not be mapped.
//!
//! Its tables are there from the start, so nothing is left that could run out. One core uses it at a time.

use super::{Kind, PAGE_SIZE, Stage1, Stage1Builder, Stage1Error, VA_BITS};
use super::{MAX_PAGE_INVALIDATIONS, invalidate_all, invalidate_pages};
use crate::{cache, foreign, layout};
use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::paging::{Constraints, MemoryRegion};
use core::arch::asm;
use core::ops::Range;

/// Bytes of a block.
const BLOCK_SIZE: usize = 1 << 21;
/// Where single pages are seen. The last one of this block is never one of them: something is always mapped there, so
/// that the tables are never taken for empty.
const PAGES: usize = (1 << VA_BITS) - 2 * BLOCK_SIZE;
/// How many pages are seen at once.
const MAX_PAGES: usize = BLOCK_SIZE / PAGE_SIZE - 1;
/// Where a block is seen.
const BLOCK: usize = PAGES + BLOCK_SIZE;

impl Stage1Builder {
    /// Adds the window that [`Stage1::zero`] needs. Takes two tables.
    ///
    /// # Errors
    /// See [`Stage1Error`].
    pub fn add_window(&mut self) -> Result<(), Stage1Error> {
        // Of the image's first page nothing can be changed here, or run.
        let keeper = PAGES + MAX_PAGES * PAGE_SIZE;
        let region = MemoryRegion::new(keeper, keeper + PAGE_SIZE);
        let page = PhysicalAddress(layout::image_start());
        let attributes = Kind::RoData.attributes();
        self.root
            .map_range(&region, page, attributes, Constraints::empty())
            .map_err(|_| Stage1Error::Range)
    }
}

impl Stage1 {
    /// Zeroes a range of physical addresses, page aligned, so that also those see it who have their caches off. It is
    /// seen as [`Kind::Data`] or [`Kind::DataNs`] meanwhile.
    ///
    /// # Errors
    /// [`Stage1Error::Range`]: the range is empty, backwards or not page aligned. Nothing has changed then.
    ///
    /// # Safety
    /// It is RAM, and no Rust object of the image lies in it. The map has its window
    /// ([`Stage1Builder::add_window`]).
    pub unsafe fn zero(&self, range: Range<usize>, kind: Kind) -> Result<(), Stage1Error> {
        if range.is_empty() || !(range.start | range.end).is_multiple_of(PAGE_SIZE) {
            return Err(Stage1Error::Range);
        }
        let _only = self.window.lock();
        let mut at = range.start;
        while at < range.end {
            let left = range.end - at;
            let (window, length) = match at.is_multiple_of(BLOCK_SIZE) && left >= BLOCK_SIZE {
                true => (BLOCK, BLOCK_SIZE),
                false => {
                    let to_block = BLOCK_SIZE - at % BLOCK_SIZE;
                    (PAGES, left.min(to_block).min(MAX_PAGES * PAGE_SIZE))
                }
            };
            // SAFETY: nobody else uses the window; the caller says what the memory is.
            unsafe { self.zero_through(window, at, length, kind)? }
            at += length;
        }
        Ok(())
    }

    /// Zeroes `length` bytes at the physical address `at`, seen at `window`.
    ///
    /// # Safety
    /// As [`Stage1::zero`], for a part that the window can show, by the one that has it.
    unsafe fn zero_through(
        &self,
        window: usize,
        at: usize,
        length: usize,
        kind: Kind,
    ) -> Result<(), Stage1Error> {
        let region = MemoryRegion::new(window, window + length);
        let set = |pa, attributes| {
            self.root
                .lock()
                .map_range(
                    &region,
                    PhysicalAddress(pa),
                    attributes,
                    Constraints::empty(),
                )
                .map_err(|_| Stage1Error::Range)
        };
        set(at, kind.attributes())?;
        // SAFETY: the window shows the memory, from when the stores have arrived; nobody else uses it, and it is gone
        // from all TLBs before it shows something else. A block is forgotten by any of its addresses.
        unsafe {
            asm!("dsb ishst", "isb", options(nostack, preserves_flags));
            foreign::zero(window, length);
            cache::clean_range(window, length);
            set(0, El1Attributes::empty())?;
            match length / PAGE_SIZE {
                _ if window == BLOCK => invalidate_pages(window, 1),
                pages if pages <= MAX_PAGE_INVALIDATIONS => invalidate_pages(window, pages),
                _ => invalidate_all(),
            }
        }
        Ok(())
    }
}
