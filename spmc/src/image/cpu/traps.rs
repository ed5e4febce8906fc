//! Traps of partitions that are no calls: emulated, or given to the partition's own EL1.

use super::{Cpu, Trapped};
use crate::image::{
    boot::{Core, PeState},
    estate,
    port::{Port, may_log},
    vcpu::Vcpu,
};
use core::sync::atomic::{AtomicU32, Ordering};
use defmt::{info, warn};
use platform::{
    guest,
    idregs::{self, Shown},
    inject::reflect,
    trap::{Fault, SystemAccess, Trap, sysreg_name},
};
use spmc::{context::Slot, spm::TimerRegister};

/// How often a partition may miss the same thing at the same instruction in a row although it is there, and nobody has
/// changed its stage 2 meanwhile.
const AGAIN: u8 = 16;
/// How often any of them did.
static MET: AtomicU32 = AtomicU32::new(0);

impl Cpu {
    /// A synchronous exception that is not a call: emulated, or given to the partition's own EL1.
    #[cold]
    #[inline(never)]
    pub(super) fn trapped(&mut self, spmc: &Core, vcpu: &mut Vcpu, slot: Slot) -> Trapped {
        let fault = guest::fault();
        match fault.trap() {
            // The caller can reach the other contexts.
            Trap::Fp => return Trapped::WantsFp,
            Trap::SystemRegister(access) if self.emulate(vcpu, access) => {}
            Trap::SystemRegister(access) if let Some(register) = timer(access) => {
                return Trapped::Timer(register, access);
            }
            _ if fault.is_translation_fault() => return Trapped::Missed(fault),
            _ => its_own(spmc, vcpu, slot, &fault),
        }
        Trapped::Done
    }

    /// Looks again whether a partition's stage 2 has what it missed, when no other core is in the middle of changing it:
    /// a block that is split, for example, is absent for a moment. The partition tries again, or it was its own fault.
    #[cold]
    #[inline(never)]
    pub(super) fn missed(&mut self, spmc: &Core, pe: &mut PeState, slot: Slot, fault: &Fault) {
        let Some(context) = pe.context(slot) else {
            return;
        };
        let pc = context.machine.regs.pc;
        if let Some(changes) = estate::covers(slot, fault, &mut pe.held) {
            let place = (slot, pc, fault.far, changes);
            let before = match self.again {
                (last, times) if last == place => times,
                _ => 0,
            };
            self.again = (place, before.saturating_add(1));
            if before < AGAIN {
                let met = MET.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                // A sign that there are such, and how many roughly.
                if met.is_power_of_two() {
                    info!("{=u32} faults met a change of stage 2: tried again", met);
                }
                return;
            }
            self.again.1 = 0;
        }
        if let Some(context) = pe.context(slot) {
            its_own(spmc, &mut context.machine, slot, fault);
        }
    }

    /// Emulates a trapped system register. `false` if the partition has none of that name.
    fn emulate(&mut self, vcpu: &mut Vcpu, access: SystemAccess) -> bool {
        let register = vcpu.regs.x.get(access.register()).copied();
        let cache =
            |vcpu: &mut Vcpu| idregs::cache(access, register.unwrap_or_default(), &mut vcpu.csselr);
        let Some(value) = idregs::read(access, Shown::Partition).or_else(|| cache(vcpu)) else {
            return false;
        };
        if access.is_read()
            && let Some(register) = vcpu.regs.x.get_mut(access.register())
        {
            *register = value;
        }
        vcpu.regs.pc = vcpu.regs.pc.wrapping_add(4);
        true
    }

    /// Reads or writes a register of the partition's timer, which is emulated.
    #[cold]
    #[inline(never)]
    pub(super) fn access_timer(
        &mut self,
        spmc: &Core,
        pe: &mut PeState,
        slot: Slot,
        register: TimerRegister,
        access: SystemAccess,
    ) {
        let number = access.register();
        if access.is_read() {
            let value = spmc.read_timer(pe, slot, register, &mut Port);
            // XZR is no register.
            if let Some(context) = pe.context(slot)
                && let Some(x) = context.machine.regs.x.get_mut(number)
            {
                *x = value;
            }
        } else {
            let context = pe.context(slot);
            let value = context.and_then(|context| context.machine.regs.x.get(number).copied());
            spmc.write_timer(pe, slot, register, value.unwrap_or(0), &mut Port);
            // Its interrupt may be pending now, or no more.
            self.raise(pe, slot);
        }
        if let Some(context) = pe.context(slot) {
            let regs = &mut context.machine.regs;
            regs.pc = regs.pc.wrapping_add(4);
        }
    }
}

/// A trap that a partition has to deal with itself.
fn its_own(spmc: &Core, vcpu: &mut Vcpu, slot: Slot, fault: &Fault) {
    if let Some(info) = spmc.info(slot)
        && may_log(info.id)
    {
        report(slot, vcpu, fault);
    }
    reflect(&mut vcpu.regs, fault);
}

/// The register of the EL1 physical timer that this is. (EL0 comes here where the partition's own CNTKCTL_EL1 lets it.)
const fn timer(access: SystemAccess) -> Option<TimerRegister> {
    const VALUE: u32 = sysreg_name(3, 3, 14, 2, 0);
    const CONTROL: u32 = sysreg_name(3, 3, 14, 2, 1);
    const COMPARE: u32 = sysreg_name(3, 3, 14, 2, 2);
    match access.name() {
        VALUE => Some(TimerRegister::TimerValue),
        CONTROL => Some(TimerRegister::Control),
        COMPARE => Some(TimerRegister::CompareValue),
        _ => None,
    }
}

/// Logs a fault that a partition is going to be told of itself.
fn report(slot: Slot, vcpu: &Vcpu, fault: &Fault) {
    let Some(what) = fault.abort_name() else {
        return;
    };
    warn!(
        "partition in slot {=u8}: {=str} outside of its memory at {=u64:#x} (IPA {=u64:#x}), pc {=u64:#x}, ESR {=u64:#x}: abort injected",
        slot.0,
        what,
        fault.far,
        fault.ipa(),
        vcpu.regs.pc,
        fault.esr,
    );
}
