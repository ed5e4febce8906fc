//! Whose registers are live, and changing that.

use super::{Cpu, Live, NOBODY};
use crate::image::boot::PeState;
use platform::{fp, sysreg::isb, write_sysreg};
use spmc::{
    context::{Lines, Slot},
    spm::Mask,
};

impl Cpu {
    /// Gives the vector registers to `slot`, whose instruction is then executed again.
    #[cold]
    #[inline(never)]
    pub(super) fn give_fp(&mut self, pe: &mut PeState, slot: Slot) {
        match self.fp_owner {
            Some(owner) if owner == slot => {}
            Some(owner) => {
                // The other partition's registers are live: open FP for EL2, swap.
                fp::open_all();
                isb();
                if let Some(context) = pe.context(owner) {
                    context.machine.fp.save();
                }
                if let Some(context) = pe.context(slot) {
                    context.machine.fp.load();
                }
            }
            None => {
                if let Some(context) = pe.context(slot) {
                    fp::take(self.vectors, &context.machine.fp, &self.features);
                }
            }
        }
        fp::open_guest();
        self.fp_owner = Some(slot);
        self.fp_open = true;
        self.find_plain();
    }

    /// Makes `slot`'s EL1 registers, stage 2 and identity the live ones.
    #[cold]
    #[inline(never)]
    pub(super) fn make_resident(&mut self, pe: &mut PeState, slot: Slot) {
        match self.live {
            Live::Partition(resident) if resident == slot => return,
            Live::Partition(_) => self.evict(pe),
            Live::NormalWorld => self.normal_world.save(),
            Live::Nobody => {}
        }
        let previous = self.loaded;
        if previous != Some(slot) {
            self.load_stage2(pe, previous, slot);
        }
        let fp_open = self.fp_owner == Some(slot);
        if fp_open != self.fp_open {
            if fp_open {
                fp::open_guest();
            } else {
                fp::close();
            }
            self.fp_open = fp_open;
        }
        if let Some(context) = pe.context(slot) {
            // SAFETY: The earlier owner's registers were saved just above.
            unsafe { context.machine.el1.load() }
        }
        self.live = Live::Partition(slot);
        self.find_plain();
    }

    /// Brings everything of a context into memory that may run on another core next: what is left
    /// in registers otherwise because nobody else needs them.
    #[cold]
    #[inline(never)]
    pub(super) fn let_go(&mut self, pe: &mut PeState, slot: Slot) {
        if self.live == Live::Partition(slot) {
            self.evict(pe);
        }
        if self.fp_owner == Some(slot) {
            self.take_fp_back(pe);
        }
        if self.loaded == Some(slot) {
            if self.features.pauth
                && let Some(context) = pe.context(slot)
            {
                context.machine.keys.save();
            }
            self.loaded = None;
            self.find_plain();
        }
    }

    /// Works out anew who can be made resident in the short way.
    pub(super) fn find_plain(&mut self) {
        self.plain = match self.loaded {
            Some(slot)
                if self.fp_owner.is_none()
                    && !self.fp_open
                    && self.lines == Lines::DOWN
                    && self.mask == Mask::Open
                    && !self.masks =>
            {
                slot.0
            }
            _ => NOBODY,
        };
    }

    /// Loads what a change of partition changes and EL3 keeps for us otherwise.
    #[cold]
    #[inline(never)]
    pub(super) fn load_stage2(&mut self, pe: &mut PeState, previous: Option<Slot>, slot: Slot) {
        if self.features.pauth
            && let Some(context) = previous.and_then(|previous| pe.context(previous))
        {
            context.machine.keys.save();
        }
        let Some(context) = pe.context(slot) else {
            return;
        };
        let vcpu = &context.machine;
        self.masks = vcpu.masks;
        if self.features.pauth {
            vcpu.keys.load();
        }
        // SAFETY: The tables are this partition's, under a VMID of its own; nothing of it runs now.
        unsafe {
            write_sysreg!("vttbr_el2", vcpu.vttbr);
            write_sysreg!("S3_4_C2_C6_0", vcpu.vsttbr);
            write_sysreg!("vmpidr_el2", vcpu.vmpidr);
        }
        self.loaded = Some(slot);
    }

    /// Saves the resident partition's EL1 registers.
    #[cold]
    #[inline(never)]
    pub(super) fn evict(&mut self, pe: &mut PeState) {
        if let Live::Partition(slot) = self.live
            && let Some(context) = pe.context(slot)
        {
            context.machine.el1.save();
            self.live = Live::Nobody;
        }
    }

    /// Makes the normal world's registers live, EL1 and vectors.
    #[cold]
    #[inline(never)]
    pub(super) fn restore_normal_world(&mut self, pe: &mut PeState) {
        if self.live != Live::NormalWorld {
            // SAFETY: `evict` has saved the partition's.
            unsafe { self.normal_world.load() }
            self.live = Live::NormalWorld;
        }
        if self.fp_owner.is_some() {
            self.take_fp_back(pe);
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn take_fp_back(&mut self, pe: &mut PeState) {
        if let Some(owner) = self.fp_owner.take()
            && let Some(context) = pe.context(owner)
        {
            fp::give_back(self.vectors, &mut context.machine.fp, &self.features);
        }
        fp::close();
        self.fp_open = false;
        self.find_plain();
    }
}
