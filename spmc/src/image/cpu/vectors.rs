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
        self.fp_owner = slot.0;
        true
    }

    /// The way back, if `slot` was entered in this way and nothing has changed since then: what does also finds anew
    /// who is trusted, and that is nobody while a partition has vector registers or is resident in the general way.
    #[inline(always)]
    pub(super) fn leave_with_vectors(&mut self, pe: &mut PeState, slot: Slot) -> bool {
        if self.trusted != slot.0 {
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
        self.fp_owner = NOBODY;
        true
    }

    /// Gives the vector registers to `slot`, which is being made resident in the general way, if they are its own
    /// already or if it always uses them, and has them trap otherwise.
    pub(super) fn fit_fp(&mut self, pe: &mut PeState, slot: Slot) {
        if self.fp_owner != NOBODY {
            let shut = self.fp_owner != slot.0;
            if shut != self.fp_shut {
                match shut {
                    true => fp::close(),
                    false => fp::open_guest(),
                }
                self.fp_shut = shut;
            }
            return;
        }
        if self.trusts
            && let Some(context) = pe.context(slot)
        {
            let vcpu = &mut context.machine;
            if vcpu.habit.begin() {
                fp::take(self.vectors, &vcpu.fp, &self.features);
                self.fp_owner = slot.0;
            } else {
                self.trusts = false;
            }
        }
    }

    /// Gives the vector registers to `slot`, whose instruction is then executed again.
    #[cold]
    #[inline(never)]
    pub(super) fn give_fp(&mut self, pe: &mut PeState, slot: Slot) {
        let owner = self.fp_owner;
        if owner != slot.0 {
            if owner != NOBODY {
                // The other partition's registers are live.
                fp::open_all();
                isb();
                if let Some(context) = pe.context(Slot(owner)) {
                    context.machine.fp.save();
                }
            }
            if let Some(context) = pe.context(slot) {
                let vcpu = &mut context.machine;
                match owner {
                    NOBODY => fp::take(self.vectors, &vcpu.fp, &self.features),
                    _ => vcpu.fp.load(),
                }
                vcpu.habit.used();
                self.trusts = vcpu.habit.is_trusted();
            }
        }
        fp::open_guest();
        self.fp_owner = slot.0;
        self.fp_shut = false;
        self.find_plain();
    }

    /// Makes the normal world's vector registers live, whoever's are.
    #[cold]
    #[inline(never)]
    pub(super) fn take_fp_back(&mut self, pe: &mut PeState) {
        if self.fp_owner != NOBODY {
            fp::open_all();
            isb();
            if let Some(context) = pe.context(Slot(self.fp_owner)) {
                context.machine.fp.save();
            }
            fp::restore(self.vectors, &self.features);
            self.fp_owner = NOBODY;
        }
        fp::close();
        self.fp_shut = false;
        self.find_plain();
    }
}
