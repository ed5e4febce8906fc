//! Taking interrupts: by the vector, or asked for.

use super::super::page::{Count, Mistake};
use super::context::Context;
use super::line_of;
use crate::board::Line;
use crate::interrupts::{INTERRUPT_DEACTIVATE, INTERRUPT_GET, IPI, MANAGED_EXIT, NONE, PMU, TIMER};
use crate::rt::{
    context::{disarm, hypercall},
    line::Device,
    mmu, regs,
};

/// The device of a line as a partition sees it.
pub(super) fn device(line: Line) -> Device {
    Device::new(
        line,
        match line {
            Line::Secure => 0,
            Line::Shared | Line::Normal => mmu::NORMAL_DEVICES,
        },
    )
}

/// The vectors of IRQs and FIQs.
pub(super) fn vector(fiq: bool) {
    let context = Context::current();
    context
        .page
        .add(if fiq { Count::Fiqs } else { Count::Irqs });
    context.drain();
}

impl Context {
    /// Takes what is pending. Gives the first of it.
    pub fn drain(&self) -> u64 {
        let mut first = NONE;
        loop {
            let id = hypercall(INTERRUPT_GET, 0, 0, 0);
            if id == NONE {
                return first;
            }
            if first == NONE {
                first = id;
            }
            self.handle(id);
        }
    }

    /// Deals with the interrupt of its device that FFA_INTERRUPT has named.
    pub fn deal_with(&self, id: u64) {
        match line_of(self.who) {
            Some(line) if u64::from(line.intid()) == id => {
                device(line).lower();
                self.page.add(Count::Device);
            }
            _ => self.mistake(Mistake::Interrupt, id, 1),
        }
    }

    fn handle(&self, id: u64) {
        let page = self.page;
        match id as u32 {
            TIMER => self.fired(),
            MANAGED_EXIT if self.who.exits() => {
                page.add(Count::Exits);
                page.ask_exit(true);
            }
            IPI if self.who.many => {
                page.see();
                page.add(Count::Ipis);
            }
            PMU => {
                page.add(Count::Pmu);
                self.hypercall(INTERRUPT_DEACTIVATE, id, id, 0);
            }
            intid => match line_of(self.who) {
                Some(line) if line.intid() == intid => {
                    // Whoever reads the count raises it again: it is low before.
                    device(line).lower();
                    page.add(Count::Device);
                    // Every other time this is left to the end of its turn, or the next question.
                    if page.count(Count::Device).is_multiple_of(2) {
                        self.hypercall(INTERRUPT_DEACTIVATE, id, id, 0);
                    }
                }
                _ => self.mistake(Mistake::Interrupt, id, 0),
            },
        }
    }

    /// It fires when it was due, once for each time that it was set.
    fn fired(&self) {
        let (due, now) = (self.page.due(), regs::cntvct());
        if due == 0 || now < due {
            self.mistake(Mistake::Timer, due, now);
            return;
        }
        disarm();
        self.page.late(now - due);
        self.page.set_due(0);
        self.page.add(Count::Fired);
    }
}
