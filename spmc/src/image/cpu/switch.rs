//! Whose registers are live, and changing that.

use super::{Cpu, Live, NOBODY};
use crate::image::boot::PeState;
use platform::{el0, fp, write_sysreg};
use spmc::{
    context::{Lines, Slot},
    spm::Mask,
};

impl Cpu {
    /// Makes `slot`'s EL1 registers, stage 2 and identity the live ones.
    #[cold]
    #[inline(never)]
    pub(super) fn make_resident(&mut self, pe: &mut PeState, slot: Slot) {
        self.put_away(pe);
        match self.live {
            Live::Partition(resident) if resident == slot => {
                if self.loaded != Some(slot) {
                    self.load_again(pe, slot);
                }
                return;
            }
            Live::Partition(_) => self.evict(pe),
            Live::NormalWorld => self.normal_world.save(),
            Live::Nobody => {}
        }
        let previous = self.loaded;
        if previous != Some(slot) {
            self.load_stage2(pe, previous, slot);
        }
        self.fit_fp(pe, slot);
        if let Some(context) = pe.context(slot) {
            // SAFETY: The earlier owner's registers were saved just above.
            unsafe { context.machine.el1.load() }
        }
        self.live = Live::Partition(slot);
        self.find_plain();
    }

    /// Loads what else is needed of `slot`, whose EL1 registers are live: it has called a partition at S-EL0, which left
    /// them alone.
    #[cold]
    #[inline(never)]
    fn load_again(&mut self, pe: &mut PeState, slot: Slot) {
        self.load_stage2(pe, self.loaded, slot);
        self.fit_fp(pe, slot);
        self.find_plain();
    }

    /// Brings everything of a context into memory that may run on another core next: what is left
    /// in registers otherwise because nobody else needs them.
    #[cold]
    #[inline(never)]
    pub(super) fn let_go(&mut self, pe: &mut PeState, slot: Slot) {
        if self.user == Some(slot) {
            self.put_away(pe);
        }
        if self.live == Live::Partition(slot) {
            self.evict(pe);
        }
        if self.fp_owner == slot.0 {
            self.take_fp_back(pe);
        }
        // What is loaded of a partition at S-EL0 stays, whoever runs it next: nobody changes that.
        if self.loaded == Some(slot) && !self.host {
            if let Some(context) = pe.context(slot) {
                context.machine.save_kept(&self.features);
            }
            self.loaded = None;
            self.find_plain();
        }
    }

    /// Works out anew who can be made resident in a short way, and with which registers.
    pub(super) fn find_plain(&mut self) {
        let nobody_minds = self.fp_owner == NOBODY
            && self.lines == Lines::DOWN
            && self.mask == Mask::Open
            && !self.masks;
        let short = match self.loaded {
            Some(slot) if nobody_minds => slot.0,
            _ => NOBODY,
        };
        if self.host {
            (self.plain, self.trusted) = (NOBODY, NOBODY);
            let quick = self.live == Live::NormalWorld && !self.trusts;
            self.plain_user = if quick { short } else { NOBODY };
            return;
        }
        self.plain_user = NOBODY;
        // Who is resident without vector registers is not left in the way of those with them.
        let entered = self.live != Live::NormalWorld;
        (self.plain, self.trusted) = match self.trusts {
            false => (short, NOBODY),
            true if entered || !fp::has_quick_way(&self.features) => (NOBODY, NOBODY),
            true => (NOBODY, short),
        };
    }

    /// Loads what a change of partition changes and EL3 keeps for us otherwise.
    #[cold]
    #[inline(never)]
    pub(super) fn load_stage2(&mut self, pe: &mut PeState, previous: Option<Slot>, slot: Slot) {
        self.change_kept(pe, previous, slot);
        if self.host {
            el0::end();
            self.host = false;
        }
        let Some(context) = pe.context(slot) else {
            return;
        };
        let vcpu = &context.machine;
        self.masks = vcpu.masks;
        self.trusts = vcpu.habit.is_trusted();
        // SAFETY: The tables are this partition's, under a VMID of its own; nothing of it runs now.
        unsafe {
            write_sysreg!("vttbr_el2", vcpu.vttbr);
            write_sysreg!("S3_4_C2_C6_0", vcpu.vsttbr);
            write_sysreg!("vmpidr_el2", vcpu.vmpidr);
        }
        self.loaded = Some(slot);
    }

    /// Saves the pointer authentication keys and the deferred error of who was loaded before, and loads those of `slot`.
    pub(super) fn change_kept(&mut self, pe: &mut PeState, previous: Option<Slot>, slot: Slot) {
        if let Some(context) = previous.and_then(|previous| pe.context(previous)) {
            context.machine.save_kept(&self.features);
        }
        if let Some(context) = pe.context(slot) {
            context.machine.load_kept(&self.features);
        }
    }

    /// Saves the resident partition's EL1 registers.
    #[cold]
    #[inline(never)]
    pub(super) fn evict(&mut self, pe: &mut PeState) {
        self.put_away(pe);
        if let Live::Partition(slot) = self.live
            && let Some(context) = pe.context(slot)
        {
            context.machine.el1.save();
            if self.fp_owner != slot.0 {
                context.machine.habit.unused();
            }
            self.live = Live::Nobody;
        }
    }

    /// Makes the normal world's registers live, EL1 and vectors.
    #[cold]
    #[inline(never)]
    pub(super) fn restore_normal_world(&mut self, pe: &mut PeState) {
        self.put_away(pe);
        if self.live != Live::NormalWorld {
            // SAFETY: `evict` has saved the partition's.
            unsafe { self.normal_world.load() }
            self.live = Live::NormalWorld;
        }
        if self.fp_owner != NOBODY {
            self.take_fp_back(pe);
        }
    }
}
