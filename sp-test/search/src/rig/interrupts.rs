//! The machine's interrupts as the SPMC sees them, and those of a state.

use super::{General, Rig, memory::Memory};
use crate::{
    state::{CONTEXTS, CORES, Device, Id, Irq, Now, SLOTS},
    view::View,
    world::World,
};
use ffa_abi::FfaError;
use spmc::{
    context::{Context, Lines, Slot},
    locks::{self, Held},
    spm::{self, CoreNote, Mask, Owner, Window},
    virtual_interrupts::{NEVER, QueueNote, VirtualNote},
};
use std::ops::Range;

/// In what a context expects: something is to be done when it leaves the core.
pub const ATTENTION: u64 = 1 << 63;
/// What the counter shows during every event but one.
pub const NOW: u64 = 10;
/// When timers fire.
pub const LATER: u64 = 1000;

/// The machine during an event.
#[derive(Debug, Default)]
pub struct Chip {
    /// What the counter shows.
    pub now: u64,
    /// The core on which the SPMC runs.
    pub core: usize,
    /// Which cores have the SPMC's own interrupt pending.
    pub kicks: [bool; CORES],
    /// Which have their own timer set.
    pub alarms: [bool; CORES],
    /// The interrupts of devices.
    pub devices: [Device; SLOTS],
    /// How often the schedule receiver interrupt was raised.
    pub schedule_receivers: u8,
    /// What the SPMC should not have asked for.
    pub wrong: Option<String>,
    /// Buffers.
    pub memory: Memory,
}

impl Chip {
    fn device(&mut self, intid: u32) -> &mut Device {
        let slot = intid.wrapping_sub(Id::Device.number(0)) as usize;
        if slot >= SLOTS {
            self.wrong = Some(format!("{intid} is no device's"));
        }
        &mut self.devices[slot.min(SLOTS - 1)]
    }
}

impl spm::Mem for Chip {
    fn open(
        &mut self,
        held: &mut Held<{ locks::PAIRS }>,
        owner: Owner,
        address: u64,
        pages: u32,
    ) -> Result<Window, FfaError> {
        Self::open_window(held, owner, address, pages)
    }

    fn read(&mut self, window: Window, offset: usize, to: &mut [u8]) -> bool {
        match self.window(window, offset..offset + to.len()) {
            Some(from) => to.copy_from_slice(from),
            None => return false,
        }
        true
    }

    fn write(&mut self, window: Window, offset: usize, from: &[u8]) -> bool {
        match self.window(window, offset..offset + from.len()) {
            Some(to) => to.copy_from_slice(from),
            None => return false,
        }
        true
    }

    fn copy(&mut self, source: Window, from: Range<usize>, to: Window, at: usize) -> bool {
        let bytes = self.window(source, from).map(|bytes| bytes.to_vec());
        bytes.is_some_and(|bytes| self.write(to, at, &bytes))
    }

    fn zero(&mut self, window: Window, offset: usize) -> bool {
        match self.window(window, offset..window.size) {
            Some(to) => to.fill(0),
            None => return false,
        }
        true
    }
}

impl spm::Interrupts for Chip {
    fn enable(&mut self, intid: u32, on: bool) {
        self.device(intid).enabled = on;
    }

    fn reset(&mut self, intid: u32, _: u32) {
        self.device(intid).enabled = false;
    }

    fn deactivate(&mut self, intid: u32, core: u16) {
        let device = self.device(intid);
        if device.active != Some(core as u8) {
            let found = device.active;
            self.wrong = Some(format!(
                "{intid} is deactivated on core {core}, and active on {found:?}"
            ));
        }
        self.device(intid).active = None;
    }

    fn kick(&mut self, core: u16) {
        match self.kicks.get_mut(usize::from(core)) {
            Some(kick) => *kick = true,
            None => self.wrong = Some(format!("core {core} is kicked")),
        }
    }

    fn now(&mut self) -> u64 {
        self.now
    }

    fn alarm(&mut self, at: u64) {
        self.alarms[self.core] = at != NEVER;
    }

    fn schedule_receiver(&mut self) {
        self.schedule_receivers += 1;
    }
}

impl spm::Machine for Chip {
    fn console(&mut self, _: ffa_abi::EndpointId, _: u8) {}
}

/// The place of an interrupt among a context's.
const fn place(id: Id) -> u8 {
    match id {
        Id::Timer => 0,
        Id::ManagedExit => 1,
        Id::Notified => 2,
        Id::Sent => 3,
        Id::Device => 4,
    }
}

fn id(place: u8) -> Result<Id, String> {
    let found = Id::ALL.into_iter().find(|id| self::place(*id) == place);
    found.ok_or_else(|| format!("interrupt {place} is none of the search's"))
}

/// Of the news of a core: the schedule receiver interrupt is to be raised.
pub(super) const SCHEDULER: u32 = 1 << 31;

/// Gives a context its part of what is remembered.
pub fn restore_interrupts(context: &mut Context<General>, irq: &Irq) {
    context.managed_exit = irq.managed_exit;
    context.drains = irq.drains;
    context.timer_control = irq.timer.on.into();
    context.timer_compare = if irq.timer.on { LATER } else { 0 };
    let lines = Lines {
        irq: irq.irq,
        fiq: irq.fiq,
    };
    context.set_lines(lines, irq.attention);
}

/// Reads a context's part back.
pub fn note_interrupts(context: &Context<General>) -> Irq {
    let lines = context.lines();
    Irq {
        managed_exit: context.managed_exit,
        drains: context.drains,
        irq: lines.irq,
        fiq: lines.fiq,
        attention: context.wants_attention(),
        timer: crate::state::Timer {
            on: context.timer_control & 1 != 0,
            watched: None,
        },
        ..Irq::FIRST
    }
}

impl Rig {
    /// Puts the machine and what the core remembers of interrupts into the state of `view`.
    pub(super) fn load_interrupts(&mut self, world: &World, view: &View) {
        let s = &view.s;
        self.chip = Chip {
            now: NOW,
            devices: s.devices,
            memory: std::mem::take(&mut self.chip.memory),
            ..Chip::default()
        };
        for (core, noted) in s.core.iter().enumerate().take(world.cores) {
            self.chip.kicks[core] = noted.kick;
            self.chip.alarms[core] = noted.alarm;
            let is_on = !matches!(noted.now, Now::Unborn | Now::Off);
            let scheduler = if noted.news_sri { SCHEDULER } else { 0 };
            let news = u32::from(noted.news) | scheduler;
            self.spmc.set_news(core as u16, is_on, news);
            self.cores[core].restore(CoreNote {
                due: noted.due.into(),
                sri: noted.sri,
                told: noted.told.unwrap_or(u8::MAX),
            });
        }
        for (number, (slot, index)) in world.contexts.iter().enumerate() {
            let irq = &s.ctx[number].irq;
            let bits = |with: &dyn Fn(Id) -> bool| {
                let ids = Id::ALL.into_iter().filter(|id| with(*id));
                ids.fold(0, |bits, id| bits | 1 << place(id))
            };
            let active = irq.active.map(|core| (place(Id::Device), 1 << core));
            let virq = world.partitions[usize::from(*slot)].rules.managed_exit_virq;
            let noted = VirtualNote {
                queue: QueueNote {
                    order: irq.pending.iter().map(place).collect(),
                    enabled: bits(&|id| irq.enabled.has(id)),
                    fiq: if virq { 0 } else { 1 << place(Id::ManagedExit) },
                    named: irq.announced.map(place),
                    active: active.into_iter().collect(),
                },
                deadline: irq.timer.watched.map_or(NEVER, |_| LATER),
                // Nobody sees to what is not set.
                watcher: irq.timer.watched.unwrap_or(u8::MAX).into(),
                told: irq.told,
            };
            self.spmc
                .set_interrupts(Slot(*slot), (*index).into(), &noted);
        }
    }

    /// Reads them back.
    pub(super) fn note_interrupts(
        &mut self,
        world: &World,
        after: &mut View,
    ) -> Result<(), String> {
        if let Some(wrong) = self.chip.wrong.take() {
            return Err(wrong);
        }
        after.s.devices = self.chip.devices;
        after.schedule_receivers = self.chip.schedule_receivers;
        let mut on = 0;
        for core in 0..world.cores {
            let noted = &mut after.s.core[core];
            let (said, news) = self.spmc.news(core as u16);
            on = said;
            noted.news = news as u8;
            noted.news_sri = news & SCHEDULER != 0;
            noted.kick = self.chip.kicks[core];
            noted.alarm = self.chip.alarms[core];
            let CoreNote { due, sri, told } = self.cores[core].note();
            noted.due = due as u8;
            noted.sri = sri;
            let is_on = !matches!(noted.now, Now::Unborn | Now::Off);
            if is_on != (on & 1 << core != 0) {
                return Err(format!("core {core} is {:?}, and on: {on:#b}", noted.now));
            }
            if !is_on {
                // What is pending there is lost.
                noted.kick = false;
                noted.alarm = false;
            }
            let head = world.chain(&after.s, core).last().copied();
            let telling =
                head.is_some_and(|head| after.s.ctx[head].giver == crate::state::By::PowerOff);
            let noted = &mut after.s.core[core];
            noted.told = telling.then_some(told);
            after.masks[core] = match noted.now {
                Now::Slot(slot) => self.spmc.mask(&mut self.cores[core], Slot(slot)),
                _ => Mask::Open,
            };
            // Whoever loosens the mask lets in what waited for it.
            let booting = noted.now == Now::Spmc;
            if !booting && after.masks[core] != Mask::Own && self.spmc.needs_kick(&self.cores[core])
            {
                noted.kick = true;
            }
        }
        if on >> world.cores != 0 {
            return Err(format!("cores are on that are not there: {on:#b}"));
        }
        for (number, (slot, index)) in world.contexts.iter().enumerate() {
            let noted = self.spmc.interrupts(Slot(*slot), (*index).into());
            let irq = &mut after.s.ctx[number].irq;
            for place in &noted.queue.order {
                irq.pending.add(id(*place)?);
            }
            for id in Id::ALL {
                let on = noted.queue.enabled & 1 << place(id) != 0;
                irq.enabled.set(id, on);
            }
            irq.announced = noted.queue.named.map(id).transpose()?;
            irq.active = match noted.queue.active.first() {
                None => None,
                Some((_, cores)) if cores.is_power_of_two() => Some(cores.trailing_zeros() as u8),
                Some((_, cores)) => {
                    return Err(format!("a device is noted as active on cores {cores:#b}"));
                }
            };
            irq.told = noted.told;
            irq.timer.watched = (noted.deadline != NEVER).then_some(noted.watcher as u8);
        }
        debug_assert!(world.contexts.len() <= CONTEXTS);
        Ok(())
    }
}
