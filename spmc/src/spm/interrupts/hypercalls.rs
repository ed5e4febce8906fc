//! The para-virtual interrupt controller: hypercalls of a partition, as partitions made for Hafnium
//! make them. x0 is the function and then the result, x1 to x3 are the arguments.
//!
//! | function | x1 | x2 | x3 | result |
//! | --- | --- | --- | --- | --- |
//! | 0xff03 enable | id | 0 off, 1 on | 0 IRQ, 1 FIQ | 0, or -1 |
//! | 0xff04 get | | | | the oldest that is pending and enabled, which is pending no more; or 0xffffffff |
//! | 0xff08 deactivate | id | id | | 0, or -1 |
//! | 0xff09 reconfigure | id | 0 target | linear index of a core | 0, or -1 |
//! | | | 1 security state | 0 non-secure, 1 secure | |
//! | | | 2 enable | 0, 1 | |
//! | 0xff0a send | index of a context | | | 0, or -1 |
//!
//! -1 is the answer to an id that is none of the partition's, and to a value that means nothing.

use super::super::{Machine, Pe, Spmc};
use crate::{
    MAX_CPUS,
    context::{Registers, Slot},
    virtual_interrupts::Interrupt,
};
use ffa_abi::{Regs, Reply};

const ENABLE: u32 = 0xff03;
const GET: u32 = 0xff04;
const DEACTIVATE: u32 = 0xff08;
const RECONFIGURE: u32 = 0xff09;
const SEND: u32 = 0xff0a;

/// There is none.
const NONE: u64 = 0xffff_ffff;
const FAILED: u64 = u64::MAX;

/// Whether a call is one of these.
pub(in crate::spm) const fn is_hypercall(fid: u32) -> bool {
    matches!(fid, ENABLE | GET | DEACTIVATE | RECONFIGURE | SEND)
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// The hypercall `function` of the partition that runs on this core.
    #[cold]
    #[inline(never)]
    pub(in crate::spm) fn hypercall(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        function: u32,
        regs: &Regs,
        machine: &mut impl Machine,
    ) -> Reply {
        let done = match function {
            ENABLE => self.enable(pe, slot, regs, machine),
            GET => return Reply::X0(self.get(pe, slot, machine).map_or(NONE, u64::from)),
            DEACTIVATE => self.deactivate(pe, slot, regs, machine),
            RECONFIGURE => self.reconfigure(pe, slot, regs, machine),
            _ => self.send(pe, slot, regs, machine),
        };
        Reply::X0(done.map_or(FAILED, |()| 0))
    }

    fn enable(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        regs: &Regs,
        machine: &mut impl Machine,
    ) -> Option<()> {
        let interrupt = Interrupt::of_id(regs.x::<1>(), self.devices(slot))?;
        let on = switch(regs.x::<2>())?;
        let fiq = switch(regs.x::<3>())?;
        self.own_virtuals(pe, slot)
            .with(|queue| queue.enable(interrupt, on, fiq));
        if interrupt.is_device() {
            machine.enable(interrupt.id(self.devices(slot)), on);
        }
        self.refresh(pe, slot);
        Some(())
    }

    fn get(&self, pe: &mut Pe<'c, M>, slot: Slot, machine: &mut impl Machine) -> Option<u32> {
        // Those that it took before may come again.
        self.let_go(pe, slot, machine);
        let taken = self.own_virtuals(pe, slot).with(|queue| queue.take());
        self.refresh(pe, slot);
        taken.map(|interrupt| interrupt.id(self.devices(slot)))
    }

    fn deactivate(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        regs: &Regs,
        machine: &mut impl Machine,
    ) -> Option<()> {
        Interrupt::of_id(regs.x::<1>(), self.devices(slot))?;
        Interrupt::of_id(regs.x::<2>(), self.devices(slot))?;
        // Whichever it means: it has dealt with all that it took.
        self.let_go(pe, slot, machine);
        self.refresh(pe, slot);
        Some(())
    }

    fn reconfigure(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        regs: &Regs,
        machine: &mut impl Machine,
    ) -> Option<()> {
        let interrupt = Interrupt::of_id(regs.x::<1>(), self.devices(slot))?;
        let value = regs.x::<3>();
        if !interrupt.is_device() {
            return None;
        }
        let intid = interrupt.id(self.devices(slot));
        let done = match regs.x::<2>() {
            0 => {
                let core = u16::try_from(value).ok()?;
                let up = self.info(slot)?.is_up();
                let exists = usize::from(core) < MAX_CPUS && (!up || core == pe.index);
                let routed = exists && machine.route(intid, core, self.news.on() & 1 << core != 0);
                // It may have gone off just before, and moved what went to it then.
                if routed && self.news.on() & 1 << core == 0 {
                    machine.reroute(intid, core, pe.index);
                }
                routed
            }
            1 => machine.set_secure(intid, switch(value)?),
            2 => {
                machine.enable(intid, switch(value)?);
                true
            }
            _ => false,
        };
        done.then_some(())
    }

    fn send(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        regs: &Regs,
        machine: &mut impl Machine,
    ) -> Option<()> {
        let contexts = self.info(slot)?.contexts;
        let index = u16::try_from(regs.x::<1>()).ok()?;
        if index >= contexts {
            return None;
        }
        self.virtuals(slot, index)
            .with(|queue| queue.pend(Interrupt::INTER_PROCESSOR));
        if index == self.context_index(slot, pe.index) {
            self.refresh(pe, slot);
        } else if self.news.on() & 1 << index != 0 {
            self.notify(index, slot, machine);
        }
        Some(())
    }
}

/// 0 or 1.
const fn switch(value: u64) -> Option<bool> {
    match value {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
