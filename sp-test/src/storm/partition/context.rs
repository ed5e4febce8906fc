//! A context: how it starts, its calls, its loop.

use super::super::page::{Count, Mistake, Page};
use super::{line_of, run_again};
use crate::abi::{self, Regs};
use crate::board;
use crate::expect;
use crate::interrupts::{INTERRUPT_ENABLE, IPI, NONE, PMU, QUEUED, SIGNALLED, TIMER, Who, page_of};
use crate::partition::respond;
use crate::rt::{
    call::{self, Conduit},
    context::{self, entry, hypercall, mask, set_daif},
    regs,
};

entry!(
    /// Where a context starts that was registered.
    registered_entry, run_again, "1");
entry!(
    /// Where a context starts at the image's first instruction.
    first_entry, run_again, "0");

/// How often in a row its wait may be refused.
const REFUSALS: u32 = 8;

/// An execution context.
#[derive(Clone, Copy)]
pub(super) struct Context {
    /// Its partition.
    pub who: Who,
    /// Its number.
    pub index: u64,
    /// Its page.
    pub page: Page,
}

impl Context {
    /// The context of a partition with this number.
    pub fn new(who: Who, index: u64) -> Self {
        Self {
            who,
            index,
            // SAFETY: the manifest gives the partition its pages; the client keeps to their layout.
            page: unsafe { Page::at(page_of(who.id, index)) },
        }
    }

    /// The context that runs this.
    pub fn current() -> Self {
        Self::new(super::who(), context::index())
    }

    /// The context that starts here, with this number.
    pub fn begin(who: Who, index: u64) -> Self {
        context::set_index(index);
        let context = Self::new(who, index);
        context.page.add(Count::Started);
        context
    }

    /// How it started again: with x0, and where.
    pub fn starts(&self, x0: u64, registered: bool) {
        if x0 != 0 {
            self.mistake(Mistake::Start, x0, 0);
        }
        if registered != (self.who != QUEUED) {
            self.mistake(Mistake::Start, registered.into(), 2);
        }
        let mpidr = regs::mpidr() & 0xff_00ff_ffff;
        if mpidr != self.index {
            self.mistake(Mistake::Start, mpidr, self.index);
        }
        if self.page.due() != 0 {
            self.page.set_due(0);
            self.page.add(Count::Cancelled);
        }
    }

    /// Enables its interrupts, and lets them come.
    pub fn open(&self) {
        let line = line_of(self.who).map(board::Line::intid);
        let pmu = (self.who == SIGNALLED).then_some(PMU);
        let ipi = self.who.many.then_some(IPI);
        for id in [line, pmu, ipi, Some(TIMER)].into_iter().flatten() {
            // One of them has its timer as FIQ.
            let fiq = self.who == QUEUED && id == TIMER;
            self.hypercall(INTERRUPT_ENABLE, id.into(), 1, fiq.into());
        }
        mask(false);
    }

    /// A hypercall that must not be refused.
    pub fn hypercall(&self, x0: u64, x1: u64, x2: u64, x3: u64) {
        if hypercall(x0, x1, x2, x3) != 0 {
            self.mistake(Mistake::Hypercall, x0, x1);
        }
    }

    /// Notes a mistake.
    pub fn mistake(&self, mistake: Mistake, a: u64, b: u64) {
        context::masked(|| self.page.mistake(mistake, a, b));
    }

    /// A call by SMC; every register that is not a result must be kept.
    pub fn call(&self, regs: &mut Regs) {
        let exchange = call::checked_call(Conduit::Smc, regs);
        regs.copy_from_slice(&exchange.got[..18]);
        if let Err(lost) = expect::own(&exchange, expect::written(regs[0])) {
            self.mistake(Mistake::Lost, lost.register.into(), lost.got);
        }
    }

    /// Waits, and does what is asked, for ever.
    pub fn serve(&self) -> ! {
        let mut refused = 0;
        let mut regs = wait();
        let daif = regs::daif();
        loop {
            // Half of the contexts meet what woke them by the vector, the others ask.
            let asks = self.index.is_multiple_of(2);
            if asks {
                mask(true);
            }
            // A managed exit is over when the context gives up its cycles, whatever was asked before.
            self.page.ask_exit(false);
            self.call(&mut regs);
            if regs[0] == abi::INTERRUPT.into() {
                self.page.add(Count::Woken);
                if self.page.is_told() {
                    // What it deals with is over for the SPMC when it waits again: no vector shall ask for it.
                    self.deal_with(regs[2]);
                    regs = wait();
                    continue;
                }
                self.woken(&regs, asks);
            }
            set_daif(daif);
            regs = match regs[0] as u32 {
                abi::DIRECT_REQ_32 if regs[2] >> 31 & 1 == 1 => self.off(&regs),
                abi::DIRECT_REQ_32 | abi::DIRECT_REQ_64 | abi::DIRECT_REQ2 => self.served(&regs),
                abi::RUN => {
                    self.page.add(Count::Run);
                    wait()
                }
                abi::INTERRUPT => wait(),
                _ => {
                    match regs[0] == abi::ERROR.into() {
                        true => self.mistake(Mistake::Error, regs[2], self.who.id.into()),
                        false => self.mistake(Mistake::Completion, regs[0], regs[1]),
                    }
                    refused += 1;
                    assert!(refused < REFUSALS, "{:#x} again and again", regs[0]);
                    wait()
                }
            };
        }
    }

    /// An interrupt ended its wait: it is named, and is the first that there is.
    fn woken(&self, regs: &Regs, asks: bool) {
        if regs[1] != 0 {
            self.mistake(Mistake::Completion, regs[0], regs[1]);
        }
        if !asks {
            return;
        }
        let first = self.drain();
        if first != regs[2] || first == NONE {
            self.mistake(Mistake::Order, regs[2], first);
        }
    }

    /// The answer to the message that its core goes off.
    fn off(&self, request: &Regs) -> Regs {
        self.page.add(Count::Off);
        if request[3] != abi::PSCI_CPU_OFF.into() {
            self.mistake(Mistake::Completion, request[2], request[3]);
        }
        let mut regs = respond(abi::DIRECT_RESP_32, request);
        regs[2] = 0x8000_0000 | ((request[2] & 0xff) + 2);
        regs
    }
}

fn wait() -> Regs {
    let mut regs = [0; 18];
    regs[0] = abi::MSG_WAIT.into();
    regs
}
