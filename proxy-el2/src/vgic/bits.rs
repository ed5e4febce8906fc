//! Which interrupts there are, and one bit of each.
//!
//! Words 0 to 7 are the SGIs and PPIs of the vCPUs, words 8 to 14 the SPIs: the same functions then serve the distributor
//! and every redistributor.

use super::{MAX_VCPUS, SPIS};

/// Interrupts that each vCPU has for itself, and in one word.
pub(super) const PRIVATE: usize = 32;
/// Words of 32 interrupts.
pub(super) const WORDS: usize = MAX_VCPUS + SPIS / PRIVATE;
/// All interrupts.
pub(super) const IRQS: usize = WORDS * PRIVATE;
/// The words of the SPIs.
pub(super) const SPI_WORDS: core::ops::Range<usize> = MAX_VCPUS..WORDS;

/// An interrupt of the VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Irq(usize);

impl Irq {
    /// The interrupt that a vCPU knows as `intid`.
    pub(super) fn of(vcpu: u8, intid: u32) -> Option<Self> {
        let (vcpu, intid) = (usize::from(vcpu), usize::try_from(intid).ok()?);
        let index = if intid < PRIVATE {
            (vcpu < MAX_VCPUS).then_some(vcpu * PRIVATE + intid)?
        } else {
            (MAX_VCPUS - 1) * PRIVATE + intid
        };
        Self::at(index)
    }

    /// The interrupt in a place of the bitmaps.
    pub(super) fn at(index: usize) -> Option<Self> {
        (index < IRQS).then_some(Self(index))
    }

    pub(super) const fn index(self) -> usize {
        self.0
    }

    pub(super) const fn word(self) -> usize {
        self.0 / PRIVATE
    }

    pub(super) const fn mask(self) -> u32 {
        1 << (self.0 % PRIVATE)
    }

    /// The number by which the VM knows it.
    pub(super) fn intid(self) -> u32 {
        let number = match self.spi() {
            Some(spi) => PRIVATE + spi,
            None => self.0 % PRIVATE,
        };
        // Below 256.
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// The vCPU whose SGI or PPI it is.
    pub(super) fn private(self) -> Option<u8> {
        u8::try_from(self.word())
            .ok()
            .filter(|_| self.spi().is_none())
    }

    /// Its place among the SPIs.
    pub(super) const fn spi(self) -> Option<usize> {
        self.0.checked_sub(MAX_VCPUS * PRIVATE)
    }
}

/// One bit of each interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits([u32; WORDS]);

impl Bits {
    pub(super) fn word(&self, word: usize) -> u32 {
        self.0.get(word).copied().unwrap_or(0)
    }

    pub(super) fn has(&self, irq: Irq) -> bool {
        self.word(irq.word()) & irq.mask() != 0
    }

    pub(super) fn set(&mut self, irq: Irq) {
        self.insert(irq.word(), irq.mask());
    }

    pub(super) fn clear(&mut self, irq: Irq) {
        self.remove(irq.word(), irq.mask());
    }

    pub(super) fn put(&mut self, irq: Irq, value: bool) {
        if value {
            self.set(irq);
        } else {
            self.clear(irq);
        }
    }

    /// Clears the bit, and says what it was.
    pub(super) fn take(&mut self, irq: Irq) -> bool {
        let was = self.has(irq);
        self.clear(irq);
        was
    }

    pub(super) fn insert(&mut self, word: usize, mask: u32) {
        if let Some(word) = self.0.get_mut(word) {
            *word |= mask;
        }
    }

    pub(super) fn remove(&mut self, word: usize, mask: u32) {
        if let Some(word) = self.0.get_mut(word) {
            *word &= !mask;
        }
    }
}

/// The interrupts of `mask` in a word, lowest first.
pub(super) fn each(word: usize, mut mask: u32) -> impl Iterator<Item = Irq> {
    core::iter::from_fn(move || {
        if mask == 0 {
            return None;
        }
        let bit = usize::try_from(mask.trailing_zeros()).ok()?;
        mask &= mask - 1;
        Irq::at(word * PRIVATE + bit)
    })
}
