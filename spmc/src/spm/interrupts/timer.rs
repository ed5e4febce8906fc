//! The EL1 physical timer of each context, emulated: the machine's own is the normal world's.
//!
//! One timer of the machine, each core's S-EL2 timer, serves all: it is set for the earliest of those
//! that this core sees to. A core sees to a timer if the context was set up there last; it may be
//! elsewhere when it fires, and then that core is kicked.
//!
//! A timer interrupts once each time that it is set up. Its line falls when it is set up anew or
//! switched off.

use super::super::{Machine, Pe, Spmc};
use crate::{
    MAX_CPUS,
    context::{Registers, Slot},
    virtual_interrupts::{Interrupt, NEVER},
};

/// A register of the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerRegister {
    /// CNTP_CTL_EL0.
    Control,
    /// CNTP_CVAL_EL0.
    CompareValue,
    /// CNTP_TVAL_EL0.
    TimerValue,
}

/// Bits of CNTP_CTL_EL0.
const ENABLE: u64 = 1 << 0;
const IMASK: u64 = 1 << 1;
const ISTATUS: u64 = 1 << 2;

impl<'c, M: Registers> Spmc<'c, M> {
    /// What the partition on this core reads from its timer.
    #[cold]
    #[inline(never)]
    pub fn read_timer(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        register: TimerRegister,
        machine: &mut impl Machine,
    ) -> u64 {
        let now = machine.now();
        let Some(context) = pe.context(slot) else {
            return 0;
        };
        let (control, compare) = (context.timer_control, context.timer_compare);
        match register {
            TimerRegister::Control if control & ENABLE != 0 && compare <= now => control | ISTATUS,
            TimerRegister::Control => control,
            TimerRegister::CompareValue => compare,
            TimerRegister::TimerValue => compare.wrapping_sub(now) & 0xffff_ffff,
        }
    }

    /// The partition on this core writes to its timer.
    #[cold]
    #[inline(never)]
    pub fn write_timer(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        register: TimerRegister,
        value: u64,
        machine: &mut impl Machine,
    ) {
        let now = machine.now();
        let (core, index) = (pe.index, self.context_index(slot, pe.index));
        let Some(context) = pe.context(slot) else {
            return;
        };
        match register {
            TimerRegister::Control => context.timer_control = value & (ENABLE | IMASK),
            TimerRegister::CompareValue => context.timer_compare = value,
            // Signed, 32 bits wide.
            TimerRegister::TimerValue => {
                context.timer_compare = now.wrapping_add(i64::from(value as i32) as u64);
            }
        }
        let on = context.timer_control & (ENABLE | IMASK) == ENABLE;
        let deadline = match on {
            // The last moment of all is never.
            true => context.timer_compare,
            false => NEVER,
        };
        let due = on && deadline <= now;
        let own = self.virtuals(slot, index);
        // In one step: the core that saw to it until now may be looking.
        own.with(|queue| {
            own.watch(if due { NEVER } else { deadline }, core);
            match due {
                true => {
                    queue.pend(Interrupt::TIMER);
                }
                false => queue.clear(Interrupt::TIMER),
            }
        });
        self.refresh(pe, slot);
        self.set_alarm(pe, machine);
    }

    /// The S-EL2 timer of this core fired, and was switched off.
    #[cold]
    #[inline(never)]
    pub fn timer(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) {
        let now = machine.now();
        for slot in (0..self.partitions.len()).map(|slot| Slot(slot as u8)) {
            let own = self.own_virtuals(pe, slot);
            if own.fire(now, pe.index) {
                pe.due |= 1 << slot.index();
            }
        }
        self.set_alarm(pe, machine);
    }

    /// Sets this core's S-EL2 timer for the earliest that this core sees to.
    pub(in crate::spm) fn set_alarm(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) {
        let mut earliest = NEVER;
        for slot in (0..self.partitions.len()).map(|slot| Slot(slot as u8)) {
            let own = self.own_virtuals(pe, slot);
            earliest = earliest.min(own.deadline(pe.index));
        }
        machine.alarm(earliest);
    }

    /// Other cores see to the timers that this one did, which goes off.
    pub(in crate::spm) fn hand_timers_over(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) {
        for (slot, partition) in self.partitions.iter().enumerate() {
            let slot = Slot(slot as u8);
            if partition.info.is_up() {
                self.hand_timer_over(pe.index, slot, machine);
            }
        }
        machine.alarm(NEVER);
    }

    /// One that is on sees to a partition's timer from now on, which `from` did.
    fn hand_timer_over(&self, from: u16, slot: Slot, machine: &mut impl Machine) {
        let own = self.virtuals(slot, 0);
        let mut from = from;
        for _ in 0..=MAX_CPUS {
            let on = self.news.on();
            if on == 0 {
                return;
            }
            let to = on.trailing_zeros() as u16;
            if !own.hand_over(from, to) {
                return;
            }
            // It may have gone off just before, and seen nothing to hand over.
            if self.news.on() & 1 << to != 0 {
                self.notify(to, slot, machine);
                return;
            }
            from = to;
        }
    }
}
