//! What a hypervisor writes into its TX to have a VM's buffers mapped.

use super::super::{Pair, write};

/// The endpoint RX/TX descriptor (DEN0077A, "FFA_RXTX_MAP") and its two composite memory regions, each
/// with one constituent, as words of 32 bits with their offsets; every word can be made wrong.
#[derive(Clone, Copy)]
pub(super) struct Descriptor(pub(super) [(u64, u32); WORDS]);

const WORDS: usize = 20;
/// Where the regions start.
pub(super) const RX_AT: u64 = 0x10;
pub(super) const TX_AT: u64 = 0x30;

/// The words of [`Descriptor`].
pub(super) mod word {
    pub(crate) const ID: usize = 0;
    pub(crate) const RX_OFFSET: usize = 1;
    pub(crate) const TX_OFFSET: usize = 2;
    pub(crate) const PADDING: usize = 3;
    pub(crate) const RX: usize = 4;
    pub(crate) const TX: usize = 12;
    // Of each region.
    pub(crate) const PAGES: usize = 0;
    pub(crate) const CONSTITUENTS: usize = 1;
    pub(crate) const RESERVED: usize = 2;
    pub(crate) const BASE: usize = 4;
    pub(crate) const BASE_UPPER: usize = 5;
    pub(crate) const COUNT: usize = 6;
    pub(crate) const LAST: usize = 7;
}

impl Descriptor {
    /// A good one.
    pub(super) const fn new(vm: u64, pair: Pair) -> Self {
        let pages = pair.pages as u32;
        const fn region(at: u64, base: u64, pages: u32) -> [(u64, u32); 8] {
            [
                (at, pages),
                (at + 4, 1),
                (at + 8, 0),
                (at + 12, 0),
                (at + 16, base as u32),
                (at + 20, (base >> 32) as u32),
                (at + 24, pages),
                (at + 28, 0),
            ]
        }
        let mut all = [(0, 0); WORDS];
        all[0] = (0, vm as u32);
        all[1] = (4, RX_AT as u32);
        all[2] = (8, TX_AT as u32);
        all[3] = (12, 0);
        let rx = region(RX_AT, pair.rx, pages);
        let tx = region(TX_AT, pair.tx, pages);
        let mut n = 0;
        while n < 8 {
            all[word::RX + n] = rx[n];
            all[word::TX + n] = tx[n];
            n += 1;
        }
        Self(all)
    }

    /// The same with another value for one word.
    pub(super) fn with(mut self, word: usize, value: u32) -> Self {
        if let Some((_, old)) = self.0.get_mut(word) {
            *old = value;
        }
        self
    }

    /// Writes it into TX, with a pattern around it.
    pub(super) fn put(&self, tx: u64) {
        for at in (0..0x100).step_by(8) {
            write(tx + at, 0x5a5a_5a5a_5a5a_5a5a);
        }
        for (offset, value) in self.0 {
            // SAFETY: TX of one page that is this client's, and offsets in it.
            unsafe { ((tx + offset) as *mut u32).write_volatile(value) };
        }
    }
}
