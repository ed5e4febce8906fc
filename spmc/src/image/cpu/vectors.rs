//! Whose vector registers are live. They move when somebody else uses them, or, for a partition that always does, when
//! it is entered.

use super::{Cpu, Live, NOBODY};
use crate::image::boot::PeState;
use platform::{fp, sysreg::isb};
use spmc::context::Slot;

impl Cpu {
    /// Makes `slot` resident together with its vector registers, in a short way for a partition that always uses them.
    /// `false` if it must be done in the general one; then nothing has happened.
    #[inline(always)]
    pub(super) fn enter_with_vectors(&mut self, pe: &mut PeState, slot: Slot) -> bool {
        if self.live != Live::NormalWorld || self.trusted != slot.0 {
            return false;
        }
        let Some(context) = pe.context(slot) else {
            return false;
        };
        if context.wants_attention() {
            return false;
        }
        let vcpu = &mut context.machine;
        if !vcpu.habit.begin() {
            self.trusts = false;
            self.find_plain();
            return false;
        }
        if !fp::take_quickly(self.vectors, &vcpu.fp, &self.features) {
            return false;
        }
        self.normal_world.save();
        // SAFETY: The normal world's registers were saved just above.
        unsafe { vcpu.el1.load() }
        self.live = Live::Partition(slot);
        self.fp_owner = Some(slot);
        self.fp_open = true;
        self.quick = slot.0;
        true
    }

    /// The way back, if `slot` was entered in this way and nothing has changed since then.
    #[inline(always)]
    pub(super) fn leave_with_vectors(&mut self, pe: &mut PeState, slot: Slot) -> bool {
        if self.quick != slot.0 {
            return false;
        }
        let Some(context) = pe.context(slot) else {
            return false;
        };
        let vcpu = &mut context.machine;
        vcpu.el1.save();
        // SAFETY: The partition's registers were saved just above.
        unsafe { self.normal_world.load() }
        fp::give_back_quickly(self.vectors, &mut vcpu.fp);
        self.live = Live::NormalWorld;
        self.fp_owner = None;
        self.fp_open = false;
        self.quick = NOBODY;
        true
    }

    /// Gives the vector registers to `slot`, which is being made resident in the general way, if it always uses them.
    pub(super) fn give_fp_at_entry(&mut self, pe: &mut PeState, slot: Slot) {
        if !self.trusts || self.fp_owner.is_some() {
            return;
        }
        let Some(context) = pe.context(slot) else {
            return;
        };
        let vcpu = &mut context.machine;
        if !vcpu.habit.begin() {
            self.trusts = false;
            return;
        }
        fp::take(self.vectors, &vcpu.fp, &self.features);
        self.fp_owner = Some(slot);
        self.fp_open = true;
    }

    /// Gives the vector registers to `slot`, whose instruction is then executed again.
    #[cold]
    #[inline(never)]
    pub(super) fn give_fp(&mut self, pe: &mut PeState, slot: Slot) {
        if let Some(owner) = self.fp_owner
            && owner != slot
            && let Some(context) = pe.context(owner)
        {
            // The other partition's registers are live.
            fp::open_all();
            isb();
            context.machine.fp.save();
        }
        if let Some(context) = pe.context(slot) {
            let vcpu = &mut context.machine;
            match self.fp_owner {
                Some(owner) if owner == slot => {}
                Some(_) => {
                    fp::open_all();
                    isb();
                    vcpu.fp.load();
                }
                None => fp::take(self.vectors, &vcpu.fp, &self.features),
            }
            if self.fp_owner != Some(slot) {
                vcpu.habit.used();
                self.trusts = vcpu.habit.is_trusted();
            }
            fp::open_guest();
            self.fp_owner = Some(slot);
            self.fp_open = true;
        }
        self.find_plain();
    }

    /// Makes the normal world's vector registers live, whoever's are.
    #[cold]
    #[inline(never)]
    pub(super) fn take_fp_back(&mut self, pe: &mut PeState) {
        if let Some(owner) = self.fp_owner.take() {
            if let Some(context) = pe.context(owner) {
                fp::open_all();
                isb();
                context.machine.fp.save();
            }
            fp::restore(self.vectors, &self.features);
        }
        fp::close();
        self.fp_open = false;
        self.find_plain();
    }
}
