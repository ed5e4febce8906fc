//! A context: how it starts, its loop, its vectors.

use super::super::log::Event;
use super::super::page::{Entry, Page, mode};
use super::super::{self as suite, MANAGED_EXIT, NONE, TIMER, Who};
use crate::abi::{self, Regs};
use crate::board::Line;
use crate::expect;
use crate::partition::respond;
use crate::rt::{
    call::{self, Conduit},
    context::{self, entry, hypercall, mask, set_daif},
    line::Device,
    mmu, regs,
};
use crate::transform::Transform;

/// How often in a row its wait may be refused.
const REFUSALS: u32 = 8;
/// PSCI's DENIED.
const OFF_DENIED: i32 = -3;

entry!(
    /// Where a context starts that was registered.
    registered_entry, super::run_again, "1");
entry!(
    /// Where a context starts at the image's first instruction.
    first_entry, super::run_again, "0");

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
    context.log(if fiq { Event::Fiq } else { Event::Irq });
    context.drain();
}

/// An execution context.
#[derive(Clone, Copy)]
pub(super) struct Context {
    /// Its partition.
    pub who: Who,
    /// Its page.
    pub page: Page,
}

impl Context {
    /// The context of a partition with this number.
    pub fn new(who: Who, index: u64) -> Self {
        Self {
            who,
            // SAFETY: the manifest gives the partition its pages; the client keeps to their layout.
            page: unsafe { Page::at(suite::page_of(who.id, index)) },
        }
    }

    /// The context that runs this.
    fn current() -> Self {
        Self::new(super::who(), context::index())
    }

    /// The context that starts here, with this number.
    pub fn begin(who: Who, index: u64, registered: bool) -> Self {
        context::set_index(index);
        let context = Self::new(who, index);
        context.log(Event::Started(index, registered));
        // The context's number, whatever the core's is.
        if regs::mpidr() & 0xff_00ff_ffff != index {
            context.log(Event::Lost(100, regs::mpidr()));
        }
        context
    }

    /// Enables its interrupts, and lets them come.
    pub fn open(&self) {
        for (id, fiq) in super::own_interrupts(self.who) {
            let answer = hypercall(suite::INTERRUPT_ENABLE, id.into(), 1, fiq.into());
            if answer != 0 {
                self.log(Event::Answer(answer));
            }
        }
        mask(false);
    }

    /// Adds to its log.
    pub fn log(&self, event: Event) {
        context::masked(|| self.page.log(event, regs::cntvct()));
    }

    /// A call by SMC; every register that is not a result must be kept.
    pub fn call(&self, regs: &mut Regs) -> Event {
        let exchange = call::checked_call(Conduit::Smc, regs);
        regs.copy_from_slice(&exchange.got[..18]);
        if let Err(lost) = expect::own(&exchange, expect::written(regs[0])) {
            self.log(Event::Lost(lost.register.into(), lost.got));
        }
        Event::of_call(regs)
    }

    /// Waits, and does what is asked, for ever.
    pub fn serve(&self) -> ! {
        let mut refused = 0;
        let mut regs = wait();
        loop {
            self.leaves(&regs);
            let daif = regs::daif();
            if self.page.mode() & mode::OPEN_WAIT == 0 {
                // What it was woken for is seen first.
                mask(true);
            }
            let event = self.call(&mut regs);
            self.log(event);
            if matches!(event, Event::Interrupt(..)) && self.page.mode() & mode::TAKE_NONE == 0 {
                self.drain();
            }
            set_daif(daif);
            regs = match event {
                Event::Request(word) => {
                    self.follow(Entry::Request);
                    self.answer(&regs, word)
                }
                Event::Framework(message, _) => self.off(&regs, message),
                Event::Run => {
                    self.follow(Entry::Run);
                    wait()
                }
                Event::Interrupt(..) => {
                    self.follow(Entry::Interrupt);
                    wait()
                }
                _ => {
                    refused += 1;
                    assert!(refused < REFUSALS, "{event:?} again and again");
                    wait()
                }
            };
            if !matches!(event, Event::Error(_)) {
                refused = 0;
            }
        }
    }

    /// A managed exit is over when the context gives up its cycles.
    fn leaves(&self, regs: &Regs) {
        let interesting = [
            abi::MSG_WAIT,
            abi::DIRECT_RESP_32,
            abi::DIRECT_RESP_64,
            abi::DIRECT_RESP2,
        ];
        if interesting.contains(&(regs[0] as u32)) {
            self.page.ask_exit(false);
        }
    }

    fn follow(&self, entry: Entry) {
        for number in 0.. {
            match self.page.step(entry, number) {
                suite::script::Op::End => break,
                suite::script::Op::Once if !self.page.first_time() => break,
                op => self.step(op),
            }
        }
    }

    /// The response to a request whose first word was this.
    fn answer(&self, request: &Regs, word: u64) -> Regs {
        let transform = Transform::of(self.who.id);
        match request[0] as u32 {
            abi::DIRECT_REQ2 => {
                let mut regs = respond(abi::DIRECT_RESP2, request);
                regs[4] = transform.wide(0, word);
                regs
            }
            abi::DIRECT_REQ_64 => {
                let mut regs = respond(abi::DIRECT_RESP_64, request);
                regs[3] = transform.wide(0, word);
                regs
            }
            _ => {
                let mut regs = respond(abi::DIRECT_RESP_32, request);
                regs[3] = transform.narrow(0, word);
                regs
            }
        }
    }

    /// The answer to a framework message: the core is to be switched off.
    fn off(&self, request: &Regs, message: u64) -> Regs {
        let mut regs = respond(abi::DIRECT_RESP_32, request);
        regs[2] = 0x8000_0000 | (message + 2);
        if self.page.mode() & mode::REFUSE_OFF != 0 {
            regs[3] = abi::code(OFF_DENIED);
        }
        regs
    }

    /// Takes what is pending.
    pub fn drain(&self) {
        let mode = self.page.mode();
        for number in 0.. {
            let id = hypercall(suite::INTERRUPT_GET, 0, 0, 0);
            if id == NONE {
                if number == 0 {
                    self.log(Event::Got(id));
                }
                break;
            }
            self.log(Event::Got(id));
            self.page.count();
            self.handle(id as u32, mode);
            if mode & mode::TAKE_ONE != 0 {
                break;
            }
        }
    }

    fn handle(&self, id: u32, mode: u64) {
        match id {
            TIMER if mode & mode::KEEP_LINE != 0 => {}
            TIMER => match mode >> mode::AGAIN_SHIFT {
                0 => self.step(suite::script::Op::Disarm),
                again => self.step(suite::script::Op::Arm(again, true)),
            },
            MANAGED_EXIT => self.page.ask_exit(true),
            _ => {
                let line = Line::ALL.into_iter().find(|line| line.intid() == id);
                if let Some(line) = line
                    && mode & mode::KEEP_LINE == 0
                {
                    device(line).lower();
                }
            }
        }
        if mode & mode::KEEP_ACTIVE == 0 {
            let answer = hypercall(suite::INTERRUPT_DEACTIVATE, id.into(), id.into(), 0);
            if answer != 0 {
                self.log(Event::Answer(answer));
            }
        }
    }
}

fn wait() -> Regs {
    let mut regs = [0; 18];
    regs[0] = abi::MSG_WAIT.into();
    regs
}
