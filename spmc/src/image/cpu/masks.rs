//! What interrupts find: the priority mask and the virtual interrupt lines of who runs.

use super::Cpu;
use crate::image::{
    boot::{Core, PeState},
    interrupts::{MASK_OWN, MASK_SECURE},
    port::Port,
};
use platform::{confine, gic};
use spmc::{
    context::{Lines, Slot},
    spm::{Interrupts, Mask},
};

impl Cpu {
    /// Sets mask and lines for `slot`, which runs next.
    #[cold]
    #[inline(never)]
    pub(super) fn settle(&mut self, spmc: &Core, pe: &mut PeState, slot: Slot) {
        let mask = spmc.mask(pe, slot);
        self.set_mask(mask);
        // What was held back has its turn as soon as the partition runs.
        if mask != Mask::Own && spmc.needs_kick(pe) {
            Port.kick(pe.index);
        }
        self.raise(pe, slot);
    }

    /// Raises the lines that `slot`, which runs next, has raised.
    #[inline(always)]
    pub(super) fn raise(&mut self, pe: &mut PeState, slot: Slot) {
        let lines = pe
            .context(slot)
            .map_or(Lines::DOWN, |context| context.lines());
        if lines != self.lines {
            confine::set_lines(lines.irq, lines.fiq);
            self.lines = lines;
            self.find_plain();
        }
    }

    /// Everything is the normal world's again, for which or for the next of the boot the core is left.
    #[cold]
    #[inline(never)]
    pub(super) fn leave(&mut self, spmc: &Core, pe: &mut PeState) {
        self.evict(pe);
        self.restore_normal_world(pe);
        self.set_mask(Mask::Open);
        if spmc.needs_kick(pe) {
            Port.kick(pe.index);
        }
    }

    /// Lets through what `mask` does. There is one mask for both worlds: the normal world's is kept meanwhile.
    fn set_mask(&mut self, mask: Mask) {
        if mask == self.mask {
            return;
        }
        if self.mask == Mask::Open {
            self.normal_mask = gic::priority_mask();
        }
        let most = match mask {
            Mask::Open => u8::MAX,
            Mask::Secure => MASK_SECURE,
            Mask::Own => MASK_OWN,
        };
        gic::set_priority_mask(self.normal_mask.min(most));
        self.mask = mask;
        self.find_plain();
    }
}
