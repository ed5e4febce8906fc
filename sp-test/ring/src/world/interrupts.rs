//! Interrupts of partitions: what the machine has of them, and how the SPMC takes them.

use super::{Actor, Core, Landing, Who, World};
use crate::{
    label::{Frame, Origin},
    machine::{Exit, Gp},
    memory::Land,
};
use ffa_abi::EndpointId;
use spmc::{
    context::Slot,
    spm::{self, Mask, Pe, TimerRegister},
    state::State,
};

/// The INTID of the device of the partition in slot 0; the others' follow.
const FIRST: u32 = 40;
/// The notification pending interrupt among a context's, one bit for each.
const NOTIFICATION_PENDING: u64 = 1 << 2;
/// What the counter shows, but where a timer fires.
const NOW: u64 = 10;
/// When timers fire.
const LATER: u64 = 1000;

/// An interrupt that a core takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// That of a partition's device.
    Device(Slot),
    /// The core's own timer.
    Timer,
    /// The SPMC's own.
    Kick,
}

/// The interrupt of a partition's device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Device {
    enabled: bool,
    /// On which core it is active: it does not come meanwhile.
    active: Option<usize>,
}

/// The interrupt controller and the timers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Irqs {
    devices: Vec<Device>,
    kicks: Vec<bool>,
    alarms: Vec<bool>,
    now: u64,
    /// How often the normal world's schedule receiver interrupt was raised and not yet looked at.
    scheduler: usize,
    /// What the SPMC should not have asked for.
    wrong: Option<String>,
}

impl Irqs {
    pub(super) fn new(slots: usize, cores: usize) -> Self {
        Self {
            devices: vec![Device::default(); slots],
            kicks: vec![false; cores],
            alarms: vec![false; cores],
            now: NOW,
            scheduler: 0,
            wrong: None,
        }
    }

    fn device(&mut self, intid: u32) -> Option<&mut Device> {
        let device = self.devices.get_mut(intid.wrapping_sub(FIRST) as usize);
        if device.is_none() {
            self.wrong = Some(format!("{intid} is no device's"));
        }
        device
    }

    /// A core is off: what is pending there is lost.
    pub(super) fn off(&mut self, core: usize) {
        self.kicks[core] = false;
        self.alarms[core] = false;
    }
}

/// The INTID of a partition's device.
pub const fn intid(slot: Slot) -> u32 {
    FIRST + slot.0 as u32
}

/// The machine while the SPMC runs on a core; its memory is in [`memory`](crate::memory).
pub(crate) struct Chip<'a> {
    pub(crate) console: &'a mut usize,
    pub(crate) irqs: &'a mut Irqs,
    pub(crate) land: &'a mut Land,
    pub(crate) core: usize,
}

impl spm::Machine for Chip<'_> {
    fn console(&mut self, _from: EndpointId, _character: u8) {
        *self.console += 1;
    }
}

impl spm::Interrupts for Chip<'_> {
    fn enable(&mut self, intid: u32, on: bool) {
        if let Some(device) = self.irqs.device(intid) {
            device.enabled = on;
        }
    }

    fn reset(&mut self, intid: u32, _on: u32) {
        self.enable(intid, false);
    }

    fn deactivate(&mut self, intid: u32, core: u16) {
        let Some(device) = self.irqs.device(intid) else {
            return;
        };
        let active = device.active.take();
        if active != Some(core.into()) {
            self.irqs.wrong = Some(format!(
                "{intid} is deactivated on core {core}, and active on {active:?}"
            ));
        }
    }

    fn kick(&mut self, core: u16) {
        if let Some(kick) = self.irqs.kicks.get_mut(usize::from(core)) {
            *kick = true;
        }
    }

    fn now(&mut self) -> u64 {
        self.irqs.now
    }

    fn schedule_receiver(&mut self) {
        self.irqs.scheduler += 1;
    }

    fn alarm(&mut self, at: u64) {
        self.irqs.alarms[self.core] = at != u64::MAX;
    }
}

impl World<'_> {
    /// Which interrupts are taken on a core.
    pub fn mask(&mut self, core: usize) -> Mask {
        match self.cores[core].now {
            Who::Partition(slot) => self.spmc.mask(&mut self.cores[core].pe, slot),
            _ => Mask::Open,
        }
    }

    /// Whether this interrupt can be taken on a core.
    pub fn can_take(&mut self, core: usize, taken: Taken) -> bool {
        match taken {
            Taken::Device(slot) => {
                let device = self.irqs.devices[slot.index()];
                device.enabled && device.active.is_none() && self.mask(core) != Mask::Own
            }
            Taken::Timer => self.irqs.alarms[core],
            Taken::Kick => self.irqs.kicks[core],
        }
    }

    /// A core takes an interrupt from whoever has it, with registers `x`; `origin` is the normal world's
    /// endpoint, if that has it.
    pub fn take(
        &mut self,
        core: usize,
        origin: Origin,
        x: &Frame,
        taken: Taken,
    ) -> Result<Landing, String> {
        let current = match self.cores[core].now {
            Who::Partition(slot) => {
                self.leaves_partition(core, x, Exit::Interrupted)?;
                Some(slot)
            }
            _ => {
                self.leaves_normal(core, origin, x, Exit::Interrupted)?;
                let _ = self.spmd.secure_interrupt(core, x);
                None
            }
        };
        let mut chip = Chip {
            console: &mut self.console,
            irqs: &mut self.irqs,
            land: &mut self.land,
            core,
        };
        let pe: &mut Pe<'_, Gp> = &mut self.cores[core].pe;
        match taken {
            Taken::Device(slot) => {
                chip.irqs.devices[slot.index()].active = Some(core);
                self.spmc.device(pe, intid(slot), &mut chip);
            }
            Taken::Timer => {
                chip.irqs.alarms[core] = false;
                chip.irqs.now = LATER;
                self.spmc.timer(pe, &mut chip);
                chip.irqs.now = NOW;
            }
            Taken::Kick => {
                chip.irqs.kicks[core] = false;
                self.spmc.kicked(pe, &mut chip);
            }
        }
        let outcome = self.spmc.dispatch(pe, current, &mut chip);
        self.settle(core, Actor::Taken(current), outcome)
    }

    /// The partition that has the core sets up its timer, or switches it off.
    pub fn set_timer(&mut self, core: usize, on: bool) -> Result<(), String> {
        let slot = self.running(core)?;
        let mut chip = Chip {
            console: &mut self.console,
            irqs: &mut self.irqs,
            land: &mut self.land,
            core,
        };
        let pe = &mut self.cores[core].pe;
        for (register, value) in [
            (TimerRegister::CompareValue, LATER),
            (TimerRegister::Control, on.into()),
        ] {
            self.spmc.write_timer(pe, slot, register, value, &mut chip);
        }
        Ok(())
    }

    /// Which lines what is pending and enabled raises, of a partition's context for a core.
    fn wants(&self, core: usize, slot: Slot) -> (bool, bool) {
        self.raises(core, slot, u64::MAX)
    }

    /// Whether one is pending and enabled that its context is entered for.
    fn wakes(&self, core: usize, slot: Slot) -> bool {
        self.raises(core, slot, !NOTIFICATION_PENDING) != (false, false)
    }

    /// Which lines those `among` all are raising.
    fn raises(&self, core: usize, slot: Slot, among: u64) -> (bool, bool) {
        let place = crate::ledger::place(self, slot, core);
        let queue = self.spmc.interrupts(slot, place as u16).queue;
        let raised = |fiq: bool| {
            let pending = queue.order.iter().map(|place| 1_u64 << place);
            let mut pending = pending.filter(|bit| bit & among != 0);
            pending.any(|bit| queue.enabled & bit != 0 && (queue.fiq & bit != 0) == fiq)
        };
        (raised(false), raised(true))
    }

    /// How often the schedule receiver interrupt was raised since this was asked.
    pub fn scheduler_interrupts(&mut self) -> usize {
        std::mem::take(&mut self.irqs.scheduler)
    }

    /// Where no core is about to look, nobody waits with an interrupt, unless the normal world is to run
    /// it. The notification pending interrupt wakes nobody: of that the scheduler is told.
    fn nobody_waits(&mut self) -> Result<(), String> {
        let busy = self.irqs.kicks.iter().any(|kick| *kick);
        let mut later = self.cores.iter();
        if busy || later.any(|core| self.spmc.needs_kick(&core.pe) || core.left.is_some()) {
            return Ok(());
        }
        for core in 0..self.cores.len() {
            for slot in (0..self.specs.len()).map(|slot| Slot(slot as u8)) {
                let rules = self.specs[slot.index()].rules;
                let asks = rules.sri_waiting || rules.sri_leaving;
                let wants = self.wakes(core, slot);
                if wants && !asks && self.state_anywhere(core, slot) == Some(State::Waiting) {
                    return Err(format!("{slot:?} waits, and is not told of its interrupt"));
                }
            }
        }
        Ok(())
    }

    /// What the image does when who runs has changed: a looser mask lets in what waited for it. And what
    /// must hold of interrupts after every step.
    pub(super) fn interrupts_hold(&mut self, core: usize) -> Result<(), String> {
        if let Some(wrong) = self.irqs.wrong.take() {
            return Err(wrong);
        }
        let open = self.mask(core) != Mask::Own;
        if open && self.spmc.needs_kick(&self.cores[core].pe) {
            self.irqs.kicks[core] = true;
        }
        self.nobody_waits()?;
        let Who::Partition(slot) = self.cores[core].now else {
            return Ok(());
        };
        // Unless this core is about to look, the lines are those of what is pending and enabled.
        let wanted = self.wants(core, slot);
        let kicked = self.irqs.kicks.iter().any(|kick| *kick);
        let Core { pe, .. } = &mut self.cores[core];
        let lines = pe.context(slot).map(|context| context.lines());
        match lines {
            Some(lines) if kicked || (lines.irq, lines.fiq) == wanted => Ok(()),
            lines => Err(format!("{slot:?} has {lines:?}, and {wanted:?} is pending")),
        }
    }
}
