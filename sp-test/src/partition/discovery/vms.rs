//! What a partition of the discovery boots does when it is told of a VM.

use crate::abi::{self, DENIED, Regs};
use crate::discovery::protocol::{GIVE_BACK, TRY};
use crate::discovery::vms::{Answers, answers_to_a_message};
use crate::rt::call::{self, Conduit};

/// What it was told since it was asked last, and how it answers.
#[derive(Default)]
pub struct News {
    count: u64,
    last: [u64; 3],
    status: u64,
    before: u64,
    /// How the wrong answers went: how many, how many of them DENIED, w0 and w2 of the first other one.
    pub tried: [u64; 4],
}

fn response(request: &Regs, id: u32, w2: u64) -> Regs {
    let mut regs = [0; 18];
    regs[0] = id.into();
    regs[1] = (request[1] >> 16 & 0xffff) | (request[1] & 0xffff) << 16;
    regs[2] = w2;
    regs
}

/// Tries answers to a request, none of which is right.
pub fn try_answers(request: &Regs, answers: &Answers, extended: bool) -> [u64; 4] {
    let mut tried = [0; 4];
    for (id, w2) in *answers {
        if id == abi::DIRECT_RESP2 && !extended {
            continue;
        }
        let mut regs = response(request, id, w2);
        call::call(Conduit::Smc, &mut regs);
        let [count, denied, w0, w2] = &mut tried;
        *count += 1;
        if regs[0] == abi::ERROR.into() && regs[2] == abi::code(DENIED) {
            *denied += 1;
        } else if *w0 == 0 {
            (*w0, *w2) = (regs[0], regs[2]);
        }
    }
    tried
}

impl News {
    /// Takes a message; gives the answer.
    pub fn told(&mut self, request: &Regs, extended: bool) -> Regs {
        self.count += 1;
        let [_, _, w2, low, high, vm, w6, w7, ..] = *request;
        // What it should not have been sent shows in the number.
        self.last = [w2 & 0xff | vm << 16 | w6 << 40 | w7 << 48, low, high];
        if self.before & GIVE_BACK != 0 {
            let mut regs = [0; 18];
            regs[0] = abi::YIELD.into();
            call::call(Conduit::Smc, &mut regs);
        }
        if self.before & TRY != 0 {
            self.tried = try_answers(request, &answers_to_a_message(w2), extended);
        }
        let mut regs = response(request, abi::DIRECT_RESP_32, w2 + 1);
        regs[3] = self.status;
        // Nothing that a hypervisor is shown.
        regs[4..8].fill(0x5a5a);
        regs
    }

    /// What it was told until now; from now on it answers with `status` and does `before` first.
    pub fn news(&mut self, status: u64, before: u64) -> [u64; 4] {
        let [last, low, high] = self.last;
        let news = [self.count, last, low, high];
        *self = Self {
            status,
            before,
            ..Self::default()
        };
        news
    }
}
