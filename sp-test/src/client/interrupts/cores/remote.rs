//! Other cores of this client: each does one thing after another, as the boot core tells it.

use super::super::{gic, ticks};
use crate::abi::{PSCI_ALREADY_ON, Regs};
use crate::client::report::{Failure, equal};
use crate::expect::Exchange;
use crate::interrupts::NONE;
use crate::rt::{
    call::{Conduit, checked_call},
    cores, spin,
};
use core::sync::atomic::{AtomicU64, Ordering};

/// PSCI: the core is about to be on.
const ON_PENDING: i64 = -5;
/// PSCI AFFINITY_INFO: it is off.
const OFF: i64 = 1;
/// Seconds after which something should have happened.
const PATIENCE: u64 = 30;

/// What a core does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Order {
    Nothing = 0,
    Call = 1,
    Watch = 2,
    Take = 3,
    RaisePmu = 4,
    LowerPmu = 5,
    Leave = 6,
    /// Calls so many times, until one is not completed as the first was, and every register of it kept.
    Repeat = 7,
}

/// What passes between the boot core and another. Plain loads and stores: all memory is uncached here.
#[repr(C, align(64))]
struct Mailbox {
    order: AtomicU64,
    argument: AtomicU64,
    done: AtomicU64,
    result: AtomicU64,
    sp_ok: AtomicU64,
    sent: [AtomicU64; 31],
    got: [AtomicU64; 31],
}

static MAILBOXES: [Mailbox; cores::VCPUS] = [const {
    Mailbox {
        order: AtomicU64::new(0),
        argument: AtomicU64::new(0),
        done: AtomicU64::new(0),
        result: AtomicU64::new(0),
        sp_ok: AtomicU64::new(0),
        sent: [const { AtomicU64::new(0) }; 31],
        got: [const { AtomicU64::new(0) }; 31],
    }
}; cores::VCPUS];

/// What runs on another core.
fn work(core: u64) {
    let Some(mailbox) = MAILBOXES.get(core as usize) else {
        return;
    };
    gic::open(core);
    gic::pmu::open();
    mailbox.done.store(1, Ordering::Release);
    loop {
        let order = mailbox.order.load(Ordering::Acquire);
        if order == Order::Nothing as u64 {
            core::hint::spin_loop();
            continue;
        }
        mailbox
            .order
            .store(Order::Nothing as u64, Ordering::Relaxed);
        if order == Order::Leave as u64 {
            gic::pmu::lower();
            return;
        }
        mailbox
            .result
            .store(mailbox.follow(order), Ordering::Relaxed);
        mailbox.done.store(1, Ordering::Release);
    }
}

impl Mailbox {
    fn follow(&self, order: u64) -> u64 {
        let argument = self.argument.load(Ordering::Relaxed);
        match order {
            order if order == Order::Call as u64 => self.call(),
            order if order == Order::Repeat as u64 => {
                let mut good = 0;
                while good < argument {
                    self.call();
                    good += 1;
                    if self.got[0].load(Ordering::Relaxed) != self.result.load(Ordering::Relaxed) {
                        break;
                    }
                }
                return good;
            }
            order if order == Order::Watch as u64 => {
                return spin::watched(argument)
                    .map_or_else(|wrong| wrong.register.into(), |()| NONE);
            }
            order if order == Order::Take as u64 => {
                return gic::take().map_or(NONE, u64::from);
            }
            order if order == Order::RaisePmu as u64 => gic::pmu::raise(),
            _ => gic::pmu::lower(),
        }
        0
    }

    /// Makes the call that was sent.
    fn call(&self) {
        let mut regs: Regs = [0; 18];
        for (register, word) in regs.iter_mut().zip(&self.sent) {
            *register = word.load(Ordering::Relaxed);
        }
        let exchange = checked_call(Conduit::Smc, &regs);
        for (word, register) in self.sent.iter().zip(exchange.sent) {
            word.store(register, Ordering::Relaxed);
        }
        for (word, register) in self.got.iter().zip(exchange.got) {
            word.store(register, Ordering::Relaxed);
        }
        self.sp_ok.store(exchange.sp_ok.into(), Ordering::Relaxed);
    }
}

/// Another core, which is on. A case that fails leaves it: then it goes off as soon as it can.
pub(super) struct Core(u64);

impl Drop for Core {
    fn drop(&mut self) {
        // One that is off already takes no notice.
        self.order(Order::Leave, 0);
        cores::patiently(PATIENCE, || cores::affinity_info(self.0) == OFF);
    }
}

impl Core {
    fn mailbox(&self) -> &'static Mailbox {
        MAILBOXES.get(self.0 as usize).unwrap_or(&MAILBOXES[0])
    }

    /// Switches a core on.
    pub fn start(core: u64) -> Result<Self, Failure> {
        let this = Self(core);
        this.mailbox()
            .order
            .store(Order::Nothing as u64, Ordering::Relaxed);
        this.mailbox().done.store(0, Ordering::Relaxed);
        let mut status = ON_PENDING;
        cores::patiently(PATIENCE, || {
            status = cores::start(core, work, core);
            // The core may still be on its way down.
            status != PSCI_ALREADY_ON.into() && status != ON_PENDING
        });
        equal("CPU_ON", status as u64, 0)?;
        this.wait()?;
        Ok(this)
    }

    /// Its number.
    pub const fn number(&self) -> u64 {
        self.0
    }

    fn order(&self, order: Order, argument: u64) {
        let mailbox = self.mailbox();
        mailbox.argument.store(argument, Ordering::Relaxed);
        mailbox.done.store(0, Ordering::Relaxed);
        mailbox.order.store(order as u64, Ordering::Release);
    }

    /// Whether it has done what it was told.
    pub fn is_done(&self) -> bool {
        self.mailbox().done.load(Ordering::Acquire) != 0
    }

    /// Waits until it has.
    fn wait(&self) -> Result<u64, Failure> {
        let done = cores::patiently(PATIENCE, || self.is_done());
        equal("the other core is done", done.into(), 1)?;
        Ok(self.mailbox().result.load(Ordering::Relaxed))
    }

    /// Has it make a call; goes on at once.
    pub fn begin(&self, regs: &Regs) {
        for (word, register) in self.mailbox().sent.iter().zip(regs) {
            word.store(*register, Ordering::Relaxed);
        }
        self.order(Order::Call, 0);
    }

    /// Waits for the end of that call.
    pub fn end(&self) -> Result<Exchange, Failure> {
        self.wait()?;
        let mailbox = self.mailbox();
        let all = |words: &[AtomicU64; 31]| {
            let mut registers = [0; 31];
            for (register, word) in registers.iter_mut().zip(words) {
                *register = word.load(Ordering::Relaxed);
            }
            registers
        };
        Ok(Exchange {
            sent: all(&mailbox.sent),
            got: all(&mailbox.got),
            sp_ok: mailbox.sp_ok.load(Ordering::Relaxed) != 0,
        })
    }

    /// Has it make a call.
    pub fn call(&self, regs: &Regs) -> Result<Exchange, Failure> {
        self.begin(regs);
        self.end()
    }

    /// Has it make a call so many times; goes on at once.
    pub fn begin_many(&self, regs: &Regs, times: u64, completion: u32) {
        for (word, register) in self.mailbox().sent.iter().zip(regs) {
            word.store(*register, Ordering::Relaxed);
        }
        self.mailbox()
            .result
            .store(completion.into(), Ordering::Relaxed);
        self.order(Order::Repeat, times);
    }

    /// How often it called.
    pub fn end_many(&self) -> Result<u64, Failure> {
        self.wait()
    }

    /// Has it spin so many microseconds with all registers watched; goes on at once.
    pub fn begin_watch(&self, us: u64) {
        self.order(Order::Watch, ticks(us));
    }

    /// Fails unless it kept them.
    pub fn end_watch(&self) -> Result<(), Failure> {
        equal("a register that another core lost", self.wait()?, NONE)
    }

    /// Fails unless exactly these interrupts of the normal world are pending there.
    pub fn taken(&self, wanted: &[u32]) -> Result<(), Failure> {
        let wanted = wanted.iter().map(|id| u64::from(*id)).chain([NONE]);
        for wanted in wanted {
            self.order(Order::Take, 0);
            equal("interrupt of another core", self.wait()?, wanted)?;
        }
        Ok(())
    }

    /// Has it raise its PMU's interrupt.
    pub fn raise_pmu(&self) -> Result<(), Failure> {
        self.order(Order::RaisePmu, 0);
        self.wait().map(|_| ())
    }

    /// Has it lower that.
    pub fn lower_pmu(&self) -> Result<(), Failure> {
        self.order(Order::LowerPmu, 0);
        self.wait().map(|_| ())
    }

    /// Switches it off.
    pub fn stop(self) -> Result<(), Failure> {
        self.order(Order::Leave, 0);
        let off = cores::patiently(PATIENCE, || cores::affinity_info(self.0) == OFF);
        equal("the core is off", off.into(), 1)
    }
}
