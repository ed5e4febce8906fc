//! A sender and a receiver with notifications of each kind between them, and that nothing has changed.

use super::another;
use super::calls::{self, PER_CONTEXT, bind, heard, nobody, set, unbind};
use super::{Check, Party, Suite, Wrong};
use crate::abi::{self, DENIED};

/// Global ones of the sender's: the first and the last.
pub const GLOBAL: u64 = 1 | 1 << 63;
/// One of the sender's for each context.
pub const OWN: u64 = 1 << 40;
/// One of another sender's.
pub const OTHERS: u64 = 1 << 31;
/// Nobody's.
pub const FREE: u64 = 1 << 7 | 1 << 32;

/// Those two.
#[derive(Clone, Copy)]
pub struct Pair {
    /// The sender.
    pub from: Party,
    /// The receiver.
    pub to: Party,
    /// Another sender, of whom the receiver has bound one too.
    pub other: Party,
}

impl Pair {
    /// Binds all of them.
    pub fn start(suite: &Suite, [from, to]: [Party; 2]) -> Result<Self, Wrong> {
        let other = another(suite);
        bind(&from, &to, 0, GLOBAL)?;
        bind(&from, &to, PER_CONTEXT, OWN)?;
        bind(&other, &to, 0, OTHERS)?;
        Ok(Self { from, to, other })
    }

    /// Gives them up.
    pub fn end(&self) -> Check {
        let all = unbind(&self.from, &self.to, GLOBAL | OWN);
        unbind(&self.other, &self.to, OTHERS)?;
        all
    }

    /// Everything is as after [`start`](Self::start), and nothing was pending.
    pub fn unchanged(&self, suite: &Suite) -> Check {
        let Self { from, to, other } = self;
        nobody(suite)?;
        heard(suite, from, to, 0, GLOBAL)?;
        heard(suite, from, to, PER_CONTEXT, OWN)?;
        heard(suite, other, to, 0, OTHERS)?;
        let free = [1 << 7, 1 << 32];
        for bit in free {
            for sender in [from, other] {
                let answer = calls::try_set(sender, to, 0, bit)?;
                answer.refused(sender, "setting what is not bound", DENIED)?;
            }
        }
        nobody(suite)
    }

    /// All are pending, then they are read: they were bound, and nothing else was.
    pub fn pending(&self) -> Check {
        set(&self.from, &self.to, 0, GLOBAL)?;
        set(&self.from, &self.to, PER_CONTEXT, OWN)?;
        set(&self.other, &self.to, 0, OTHERS)
    }

    /// Those that are pending then.
    pub fn all_pending(&self) -> calls::Pending {
        let mut all = calls::Pending::of(&self.from, GLOBAL | OWN);
        let others = calls::Pending::of(&self.other, OTHERS);
        all.partitions |= others.partitions;
        all.vms |= others.vms;
        all
    }
}

/// Cases between these two: what they bind is given up, whatever comes of it.
pub fn between(suite: &Suite, two: [Party; 2], body: impl FnOnce(&Pair) -> Check) -> Check {
    let pair = Pair::start(suite, two)?;
    let verdict = body(&pair);
    if verdict.is_err() {
        (suite.clean)(suite);
        // What it has bound by mistake.
        for sender in [&pair.from, &pair.other] {
            for n in 0..64 {
                let call = calls::arguments(sender.who.id, pair.to.who.id, 0, 1 << n);
                let _ = pair.to.call(abi::NOTIFICATION_UNBIND, &call);
            }
        }
        return verdict;
    }
    pair.end()
}
