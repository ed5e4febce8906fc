//! Calls that are not FF-A's, by both conduits.

use super::{Env, Verdict, wrong_register};
use crate::discovery::Forwarded;
use crate::discovery::smc::{Answer, Smc};
use crate::expect::{self, Exchange, Mismatch};
use crate::rt::call::{Conduit, checked_call, fresh};

impl Env {
    /// Makes one of them, x2-x17 random, and compares every register.
    pub(super) fn smc(&mut self, smc: &Smc) -> Verdict {
        let forwarded = self
            .me
            .subject
            .map_or(Forwarded::Usual, |subject| subject.forwarded);
        let answer = smc.answer.of(forwarded);
        for conduit in [Conduit::Smc, Conduit::Hvc] {
            let mut regs = [0; 18];
            fresh().fill(&mut regs);
            regs[0] = smc.x0;
            regs[1] = smc.x1;
            let exchange = checked_call(conduit, &regs);
            judge(&exchange, answer).map_err(|mismatch| {
                wrong_register("not FF-A's", 0, conduit, &exchange, mismatch)
            })?;
        }
        Ok(())
    }

    /// Makes an SMC with x0 and x1; gives x0 and x1 of what came back.
    pub fn plain(&mut self, x0: u64, x1: u64) -> [u64; 2] {
        let mut regs = [0; 18];
        regs[0] = x0;
        regs[1] = x1;
        let exchange = checked_call(Conduit::Smc, &regs);
        [exchange.got[0], exchange.got[1]]
    }
}

fn judge(exchange: &Exchange, answer: Answer) -> Result<(), Mismatch> {
    let got = &exchange.got;
    let is = |register: usize, want: u64| {
        if got[register] == want {
            Ok(())
        } else {
            Err(Mismatch {
                register: register as u8,
                got: got[register],
                want,
            })
        }
    };
    let one_of = |allowed: &[i32]| {
        if allowed.contains(&(got[0] as u32 as i32)) {
            Ok(())
        } else {
            is(0, allowed.first().map_or(0, |value| *value as u32 as u64))
        }
    };
    match answer {
        Answer::Unknown
        | Answer::Listed(_)
        | Answer::Permissive(_)
        | Answer::PermissiveWords(_) => {
            is(0, u64::MAX)?;
            expect::own(exchange, 1)
        }
        Answer::X0(value) => {
            is(0, value)?;
            expect::own(exchange, 1)
        }
        Answer::Result(value) => {
            one_of(&[value])?;
            expect::own(exchange, 4)
        }
        Answer::OneOf(allowed) => {
            one_of(allowed)?;
            expect::own(exchange, 4)
        }
        Answer::Workaround => {
            if got[0] != exchange.sent[0] {
                one_of(&[0, -1])?;
            }
            expect::own(exchange, 1)
        }
        Answer::Words(words) => {
            for (register, word) in words.into_iter().enumerate() {
                is(register, word)?;
            }
            expect::own(exchange, 4)
        }
    }
}
