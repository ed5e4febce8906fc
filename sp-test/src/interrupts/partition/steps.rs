//! The steps of scripts.

use super::super::log::Event;
use super::super::script::Op;
use super::context::{Context, device};
use super::controller;
use crate::abi::{self, Regs, ids};
use crate::rt::context::{self, hypercall, mask};
use crate::rt::{call, regs, spin};

impl Context {
    /// Does one step.
    pub fn step(&self, op: Op) {
        match op {
            Op::End | Op::Once => {}
            Op::Mark(number) => self.log(Event::Mark(number)),
            Op::Raise(line) => device(line).raise(),
            Op::Lower(line) => device(line).lower(),
            Op::Mask => mask(true),
            Op::Unmask => mask(false),
            Op::Call(to, word) => {
                let mut regs = registers(abi::DIRECT_REQ_64, ids(self.who.id, to));
                regs[2] = 0;
                regs[3] = word;
                self.made(regs);
            }
            Op::Run(id, context) => {
                self.made(registers(
                    abi::RUN,
                    u64::from(id) << 16 | u64::from(context),
                ));
            }
            Op::Yield => self.made(registers(abi::YIELD, 0)),
            Op::Wait => self.made(registers(abi::MSG_WAIT, 0)),
            Op::Abort => self.made(registers(abi::ABORT, 0)),
            Op::Spin(ms) => self.spin(ms),
            Op::Watch(us) => {
                if let Err(lost) = spin::watched(ticks(us)) {
                    self.log(Event::Lost(lost.register.into(), lost.got));
                }
            }
            Op::Hypercall([x0, x3], x1, x2) => {
                self.log(Event::Answer(hypercall(x0.into(), x1, x2, x3.into())));
            }
            Op::Arm(us, by_tval) => context::arm(ticks(us), by_tval),
            Op::Disarm => context::disarm(),
            Op::Timer => {
                let [ctl, tval] = context::timer();
                self.log(Event::Timer(ctl, tval));
            }
            Op::Controller => self.log(Event::Reached(controller::touch())),
            Op::Drain => self.drain(),
            Op::Features(id) => self.made(registers(abi::FEATURES, id)),
            Op::Register(address) => self.made(registers(abi::SECONDARY_EP_REGISTER, address)),
        }
    }

    /// Makes a call and logs what came back.
    fn made(&self, mut regs: Regs) {
        let event = self.call(&mut regs);
        self.log(event);
    }

    fn spin(&self, ms: u64) {
        let (start, most) = (regs::cntvct(), ticks(1000 * ms));
        let why = loop {
            if self.page.goes() {
                break Event::Went;
            }
            if self.page.exit_asked() {
                break Event::ExitAsked;
            }
            if regs::cntvct().wrapping_sub(start) > most {
                break Event::TimedOut;
            }
            core::hint::spin_loop();
        };
        self.log(why);
    }
}

/// x0-x17 of a call with one argument; what lies behind those of a 32-bit call is random.
fn registers(id: u32, x1: u64) -> Regs {
    let mut regs = [0; 18];
    if id >> 30 & 1 == 0 {
        call::fresh().fill(&mut regs[8..]);
    }
    regs[0] = id.into();
    regs[1] = x1;
    regs
}

/// Of the counter.
fn ticks(us: u64) -> u64 {
    us * regs::cntfrq() / 1_000_000
}
