//! What a request says.

use super::super::Peer;
use super::super::order::Order;
use super::super::page::{Count, Mistake};
use super::context::Context;
use super::line_of;
use crate::abi::{self, Regs, ids, uuid_registers};
use crate::interrupts::{INTERRUPT_RECONFIGURE, INTERRUPT_SEND_IPI, page_of};
use crate::partition::respond;
use crate::rt::{call, context, fp, regs, spin};
use crate::storm::page::Page;
use crate::transform::Transform;

/// FFA_RUNs until something answers.
const RUNS: u32 = 100_000;
/// The longest spin with all registers watched, in microseconds: then a managed exit may be made.
const SLICE: u64 = 40;

/// The payload of a message: the first register, how many.
const fn payload(id: u64) -> (usize, usize) {
    match id as u32 {
        abi::DIRECT_REQ2 | abi::DIRECT_RESP2 => (4, 14),
        _ => (3, 5),
    }
}

impl Context {
    /// Does what the request says. Gives its answer.
    pub fn served(&self, request: &Regs) -> Regs {
        self.page.add(Count::Served);
        let (first, count) = payload(request[0]);
        let words = &request[first..first + count];
        let wide = request[0] != abi::DIRECT_REQ_32.into();
        if !wide && words.iter().any(|word| word >> 32 != 0) {
            self.mistake(Mistake::Completion, request[0], request[3]);
        }
        self.obey(words);
        let transform = Transform::of(self.who.id);
        let id = match request[0] as u32 {
            abi::DIRECT_REQ2 => abi::DIRECT_RESP2,
            abi::DIRECT_REQ_64 => abi::DIRECT_RESP_64,
            _ => abi::DIRECT_RESP_32,
        };
        let mut regs = respond(id, request);
        for (index, (answer, word)) in (0..).zip(regs[first..].iter_mut().zip(words)) {
            *answer = match wide {
                true => transform.wide(index, *word),
                false => transform.narrow(index, *word),
            };
        }
        regs
    }

    fn obey(&self, words: &[u64]) {
        let Some((word, rest)) = words.split_first() else {
            return;
        };
        match Order::decode(*word) {
            Order::Answer => {}
            Order::Spin(us) => self.spin(us.into()),
            Order::SpinMasked(us) => context::masked(|| self.spin(us.into())),
            Order::SpinWithVectors(us) => {
                let pattern = fp::Vectors::fresh();
                pattern.load();
                self.spin(us.into());
                let differences = pattern.differences(&fp::Vectors::store());
                if differences != 0 {
                    self.mistake(Mistake::Vectors, differences, 0);
                }
                self.page.add(Count::Vectors);
            }
            Order::Arm(time) => self.arm(8 * u64::from(time)),
            Order::Ipi(context) => self.interrupt(context.into()),
            Order::Yield(times) => (0..times).for_each(|_| self.give_way()),
            Order::Call(peer) => self.pass_on(peer.into(), *word, rest),
            Order::Route(core) => {
                if let Some(line) = line_of(self.who) {
                    let intid = line.intid().into();
                    self.hypercall(INTERRUPT_RECONFIGURE, intid, 0, core.into());
                }
            }
            Order::Told(on) => self.page.tell(on != 0),
            Order::Started(what) => {
                let started = self.page.count(Count::Started);
                if Order::started(self.index, started) != Order::Started(what) {
                    self.mistake(Mistake::Start, started << 4 | self.index, what.into());
                }
            }
        }
    }

    /// Spins, until it is asked to leave.
    fn spin(&self, us: u64) {
        let mut left = us;
        while left != 0 && !self.page.exit_asked() {
            let slice = left.min(SLICE);
            left -= slice;
            if let Err(lost) = spin::watched(ticks(slice)) {
                self.mistake(Mistake::Lost, lost.register.into(), lost.got);
            }
        }
    }

    fn arm(&self, us: u64) {
        context::masked(|| {
            // One that is set, or has fired and was not taken, is no more.
            self.page.add(match self.page.due() {
                0 => Count::Armed,
                _ => Count::Moved,
            });
            let ticks = ticks(us);
            // It can't fire earlier than this; 0 is for none.
            self.page.set_due((regs::cntvct() + ticks).max(1));
            context::arm(ticks, us.is_multiple_of(16));
        });
    }

    fn interrupt(&self, to: u64) {
        if !self.who.many || to >= crate::interrupts::CONTEXTS {
            return;
        }
        // SAFETY: as this context's own.
        let page = unsafe { Page::at(page_of(self.who.id, to)) };
        page.ask(self.index);
        self.page.add(Count::IpisSent);
        self.hypercall(INTERRUPT_SEND_IPI, to, 0, 0);
    }

    fn give_way(&self) {
        let mut regs = [0; 18];
        regs[0] = abi::YIELD.into();
        self.call(&mut regs);
        if regs[0] != abi::SUCCESS_32.into() {
            self.mistake(Mistake::Completion, regs[0], regs[2]);
        }
    }

    /// Sends a message whose payload begins with `rest`; the upper bits of `word` say in which form.
    fn pass_on(&self, to: usize, word: u64, rest: &[u64]) {
        let Some(peer) = Peer::of(to).filter(|peer| peer.id != self.who.id) else {
            return;
        };
        let mut request = [0; 18];
        call::fresh().fill(&mut request);
        let id = [
            abi::DIRECT_REQ_32,
            abi::DIRECT_REQ_64,
            abi::DIRECT_REQ2,
            abi::DIRECT_REQ2,
        ][(word >> 30 & 3) as usize];
        request[0] = id.into();
        request[1] = ids(self.who.id, peer.id);
        request[2] = 0;
        if id == abi::DIRECT_REQ2 {
            let [low, high] = uuid_registers(peer.uuid());
            request[2..4].copy_from_slice(&[low, high]);
        }
        let (first, count) = payload(request[0]);
        for (register, word) in request[first..first + count].iter_mut().zip(rest) {
            *register = *word;
        }
        if id == abi::DIRECT_REQ_32 {
            for register in &mut request[first..first + count] {
                *register &= 0xffff_ffff;
            }
        }
        self.ask(peer, &request);
    }

    /// Sends a request, runs whoever it is for until it answers, and checks the answer.
    fn ask(&self, peer: Peer, request: &Regs) {
        let mut regs = *request;
        for _ in 0..RUNS {
            self.call(&mut regs);
            match regs[0] as u32 {
                abi::INTERRUPT => self.page.add(Count::Preempted),
                abi::YIELD => self.page.add(Count::Yielded),
                abi::ERROR if !peer.many && regs[2] == abi::code(abi::BUSY) => {
                    self.page.add(Count::Busy);
                    return;
                }
                abi::ERROR => return self.mistake(Mistake::Error, regs[2], peer.id.into()),
                _ => return self.answered(peer, request, &regs),
            }
            let target = regs[1];
            if target >> 16 != peer.id.into() || regs[2] != 0 && regs[0] == abi::INTERRUPT.into() {
                return self.mistake(Mistake::Completion, regs[0], target);
            }
            regs = *request;
            regs[0] = abi::RUN.into();
            regs[1] = target;
            regs[2..8].fill(0);
        }
        self.mistake(Mistake::Completion, request[0], u64::MAX);
    }

    fn answered(&self, peer: Peer, request: &Regs, got: &Regs) {
        let (first, count) = payload(request[0]);
        let answer = match request[0] as u32 {
            abi::DIRECT_REQ2 => abi::DIRECT_RESP2,
            abi::DIRECT_REQ_64 => abi::DIRECT_RESP_64,
            _ => abi::DIRECT_RESP_32,
        };
        if got[0] != answer.into() || got[1] != ids(peer.id, self.who.id) {
            return self.mistake(Mistake::Completion, got[0], got[1]);
        }
        for index in 0..count {
            let word = request[first + index];
            let want = match answer {
                abi::DIRECT_RESP_32 => peer.transform().narrow(index as u32, word),
                _ => peer.transform().wide(index as u32, word),
            };
            if got[first + index] != want {
                return self.mistake(Mistake::Answer, (first + index) as u64, got[first + index]);
            }
        }
        self.page.add(Count::Answered);
    }
}

/// Of the counter.
fn ticks(us: u64) -> u64 {
    us * regs::cntfrq() / 1_000_000
}
