//! Partitions at S-EL0. The EL1 registers stay whose they are; only those of EL0 are switched, and who had them gets them
//! back before anything else is done with the EL1 registers.

use super::Cpu;
use crate::image::{
    boot::{Core, PeState},
    estate,
    port::{Port, may_log},
};
use defmt::error;
use platform::{
    el0,
    guest::{self, Exit},
    read_sysreg,
    trap::{Fault, Trap},
};
use spmc::{
    context::Slot,
    spm::{Next, Outcome},
};

/// What a partition finds that makes a call with an immediate, which is none of SMCCC's.
const UNKNOWN_CALL: u64 = u64::MAX;

impl Cpu {
    /// Makes `slot`, which is at S-EL0, the one whose registers of EL0 are live.
    #[cold]
    #[inline(never)]
    pub(super) fn make_user_resident(&mut self, pe: &mut PeState, slot: Slot) {
        if self.user == Some(slot) {
            return;
        }
        self.put_away(pe);
        let previous = self.loaded;
        if previous != Some(slot) {
            self.load_user(pe, previous, slot);
        }
        self.fit_fp(pe, slot);
        if let Some(context) = pe.context(slot) {
            self.outer.save();
            // SAFETY: The earlier owner's registers were saved just above.
            unsafe { context.machine.el0.load() }
            self.user = Some(slot);
        }
        self.find_plain();
    }

    /// Gives the registers of EL0 back to whoever has those of EL1, if a partition at S-EL0 has them.
    #[inline(always)]
    pub(super) fn put_away(&mut self, pe: &mut PeState) {
        if let Some(slot) = self.user {
            self.put_this_away(pe, slot);
        }
    }

    #[cold]
    #[inline(never)]
    fn put_this_away(&mut self, pe: &mut PeState, slot: Slot) {
        self.user = None;
        if let Some(context) = pe.context(slot) {
            context.machine.el0.save();
            if self.fp_owner != slot.0 {
                context.machine.habit.unused();
            }
        }
        // SAFETY: The partition's registers were saved just above, or it has none any more.
        unsafe { self.outer.load() }
        self.find_plain();
    }

    /// Loads what a change of partition changes and EL3 keeps for us otherwise.
    fn load_user(&mut self, pe: &mut PeState, previous: Option<Slot>, slot: Slot) {
        self.change_kept(pe, previous, slot);
        let Some(context) = pe.context(slot) else {
            return;
        };
        self.masks = context.machine.masks;
        self.trusts = context.machine.habit.is_trusted();
        if !self.host {
            el0::begin();
            self.host = true;
        }
        self.loaded = Some(slot);
    }

    /// Runs `slot`, which is at S-EL0, until its exit concerns the core. `Ok` if that was the answer to the normal world,
    /// and its registers are live again.
    #[inline(never)]
    pub(super) fn run_user(
        &mut self,
        spmc: &'static Core,
        pe: &mut PeState,
        slot: Slot,
    ) -> Result<Next, Outcome> {
        if !self.enter_user(pe, slot) {
            self.make_user_resident(pe, slot);
            self.settle(spmc, pe, slot);
        }
        let outcome = loop {
            let Some(context) = pe.context(slot) else {
                break spmc.abort(pe, slot, None, &mut Port);
            };
            let vcpu = &mut context.machine;
            // SAFETY: This context's registers of EL0 are live, and this is the way of running those at S-EL0; its tables
            // have the image's pages, and of what EL0 can reach only what is the partition's.
            let exit = unsafe { el0::enter(&mut vcpu.regs, vcpu.ttbr0) };
            if exit != Exit::Sync {
                break Self::interrupted_while(spmc, pe, slot, exit);
            }
            // SVC with immediate 0.
            if read_sysreg!("esr_el2") & 0xfc00_ffff == 0x15 << 26 {
                break spmc.handle_partition(pe, slot, &mut Port);
            }
            if let Some(outcome) = self.user_trapped(spmc, pe, slot) {
                break outcome;
            }
        };
        self.leave_user(spmc, pe, slot, outcome)
    }

    /// Makes `slot` resident in the short way, if nothing else is to be done. `false` if it must be done in the general one;
    /// then nothing has happened.
    #[inline(always)]
    fn enter_user(&mut self, pe: &mut PeState, slot: Slot) -> bool {
        if self.plain_user != slot.0 || self.user.is_some() {
            return false;
        }
        let Some(context) = pe.context(slot) else {
            return false;
        };
        if context.wants_attention() {
            return false;
        }
        self.outer.save();
        // SAFETY: The normal world's registers were saved just above.
        unsafe { context.machine.el0.load() }
        self.user = Some(slot);
        true
    }

    /// The way back to the normal world, if its turn has come and nothing else has happened since.
    #[inline(always)]
    fn leave_user(
        &mut self,
        spmc: &'static Core,
        pe: &mut PeState,
        slot: Slot,
        outcome: Outcome,
    ) -> Result<Next, Outcome> {
        if outcome.next != Next::NormalWorld || self.plain_user != slot.0 {
            return Err(outcome);
        }
        let Some(context) = pe.context(slot) else {
            return Err(outcome);
        };
        context.machine.el0.save();
        context.machine.habit.unused();
        // SAFETY: The partition's registers were saved just above.
        unsafe { self.outer.load() }
        self.user = None;
        // All of it is in memory, but for keys, which it can't change.
        if let Some(left) = &outcome.left {
            spmc.saved_quickly(pe, left);
        }
        Ok(outcome.next)
    }

    /// A synchronous exception of a partition at S-EL0 that is no call: its first use of vector registers, a page that
    /// another core is just changing, or its end. `None` if it goes on.
    #[cold]
    #[inline(never)]
    pub(super) fn user_trapped(
        &mut self,
        spmc: &'static Core,
        pe: &mut PeState,
        slot: Slot,
    ) -> Option<Outcome> {
        let fault = guest::fault();
        match fault.trap() {
            Trap::Fp => self.give_fp(pe, slot),
            Trap::Svc { .. } => {
                if let Some(context) = pe.context(slot) {
                    context.machine.regs.x[0] = UNKNOWN_CALL;
                }
            }
            _ if fault.is_translation_fault()
                && estate::covers(slot, &fault, &mut pe.held).is_some() => {}
            _ => {
                report(spmc, pe, slot, &fault);
                return Some(spmc.abort(pe, slot, None, &mut Port));
            }
        }
        None
    }
}

/// Logs what a partition dies of.
fn report(spmc: &Core, pe: &mut PeState, slot: Slot, fault: &Fault) {
    let pc = pe
        .context(slot)
        .map_or(0, |context| context.machine.regs.pc);
    let Some(info) = spmc.info(slot).filter(|info| may_log(info.id)) else {
        return;
    };
    match fault.abort_name() {
        Some(what) => error!(
            "partition {=u16:#x} at S-EL0: {=str} at {=u64:#x}, pc {=u64:#x}, ESR {=u64:#x}",
            info.id.0, what, fault.far, pc, fault.esr,
        ),
        None => error!(
            "partition {=u16:#x} at S-EL0: what it must not do, pc {=u64:#x}, ESR {=u64:#x}",
            info.id.0, pc, fault.esr,
        ),
    }
}
