//! The clients of the suite `interrupts`. Their partitions, and how they are told what to do, are those of
//! [`interrupts`](crate::interrupts); what is shown is DEN0077A's chapters on interrupts and CPU cycles.

mod chains;
mod controller;
pub mod cores;
mod dead;
mod exits;
pub mod gic;
mod hypercalls;
mod intercepted;
mod judge;
mod normal;
mod runs;
mod secure;
mod sri;
mod start;
mod timers;
pub mod vm;

use super::report::{Failure, Seen, equal};
use super::{Client, ECHO, Peer, RELAY, compare};
use crate::abi::{self, Regs, ids};
use crate::board::Line;
use crate::expect::Exchange;
use crate::interrupts::log::Event;
use crate::interrupts::page::{Entry, Page};
use crate::interrupts::script::Op;
use crate::interrupts::{self as suite, ALL, Who};
use crate::rt::{
    call::{Conduit, checked_call, fresh},
    entry::Boot,
    regs,
};
use crate::transform::Transform;

/// The first word of each request: any.
const WORD: u64 = 0x1234_5678_9abc_def0;

/// What a check is worth.
type Check = Result<(), Failure>;

/// The start of the client that uses one core, at NS-EL2.
pub fn one_core(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-interrupts", boot);
    gic::open(0);
    gic::NORMAL.prepare();
    gic::pmu::open();
    for chapter in [
        start::run,
        hypercalls::run,
        normal::run,
        exits::run,
        secure::run,
        chains::run,
        intercepted::run,
        sri::run,
        timers::run,
        controller::run,
        runs::run,
        dead::run,
    ] {
        chapter(&mut suite);
    }
    suite.client.end()
}

/// A client with this suite's questions.
struct Suite {
    client: Client,
}

impl Suite {
    fn start(name: &str, boot: &Boot) -> Self {
        Self {
            client: Client::start(name, boot),
        }
    }

    /// A case: on new pages, and afterwards nothing is left over anywhere.
    fn case(&mut self, name: impl core::fmt::Display, run: impl FnOnce(&Self) -> Check) {
        self.fresh();
        let verdict = run(self).and_then(|()| self.quiet());
        if verdict.is_err() {
            self.show();
            self.recover();
        }
        self.client.case(name, verdict.map(|()| Seen::Nothing));
    }

    /// After a case that failed: what it left behind is not the next one's.
    fn recover(&self) {
        self.fresh();
        for _ in 0..3 {
            if self.client.direct {
                gic::SHARED.lower();
                gic::NORMAL.lower();
                // One that stays up for ever is not taken for ever.
                let _ = (0..4).find(|_| gic::take().is_none());
            }
            for who in ALL {
                let ends = [Op::Unmask, Op::Disarm, Op::Lower(Line::Secure)];
                self.request(who, &ends);
                self.when_run(who, &ends);
                self.run(who);
                self.send(who);
            }
        }
        self.fresh();
    }

    /// A context's page.
    fn page_of(&self, who: Who, context: u64) -> Page {
        // SAFETY: memory of the normal world that nothing else uses.
        unsafe { Page::at(suite::page_of(who.id, context)) }
    }

    /// The page of the boot core's context.
    fn page(&self, who: Who) -> Page {
        self.page_of(who, 0)
    }

    /// Makes all pages new.
    fn fresh(&self) {
        for (who, context) in contexts() {
            self.page_of(who, context).reset();
        }
    }

    /// After a case: no interrupt is left, and everybody answers with nothing else on its mind.
    fn quiet(&self) -> Check {
        self.taken(&[])?;
        self.fresh();
        for who in ALL {
            self.request(who, &[Op::Unmask, Op::Disarm]);
            self.answered(&self.send(who), who)?;
            self.saw(who, &[Event::Request(WORD)])?;
        }
        self.taken(&[])
    }

    /// Says what has been seen, after a failure.
    fn show(&self) {
        for (who, context) in contexts() {
            let page = self.page_of(who, context);
            for number in 0..page.logged().min(24) {
                if let Some((event, time)) = page.entry(number as usize) {
                    crate::say!("@note {time} {}.{context} {event:x?}", who.name);
                }
            }
        }
        crate::say!("@note {} now", regs::cntvct());
    }

    /// What a partition does when it gets a request.
    fn request(&self, who: Who, ops: &[Op]) {
        self.page(who).script(Entry::Request, ops);
    }

    /// What it does when it is run.
    fn when_run(&self, who: Who, ops: &[Op]) {
        self.page(who).script(Entry::Run, ops);
    }

    /// What it does when an interrupt wakes it.
    fn when_interrupted(&self, who: Who, ops: &[Op]) {
        self.page(who).script(Entry::Interrupt, ops);
    }

    /// Sends a request.
    fn send(&self, who: Who) -> Exchange {
        checked_call(Conduit::Smc, &self.message(who))
    }

    fn message(&self, who: Who) -> Regs {
        let mut regs = [0; 18];
        fresh().fill(&mut regs[8..]);
        regs[0] = abi::DIRECT_REQ_64.into();
        regs[1] = ids(self.client.me, who.id);
        regs[3] = WORD;
        regs
    }

    /// Runs a context.
    fn run_context(&self, who: Who, context: u64) -> Exchange {
        let regs = super::registers(abi::RUN, &[u64::from(who.id) << 16 | context]);
        checked_call(Conduit::Smc, &regs)
    }

    /// Runs the boot core's context.
    fn run(&self, who: Who) -> Exchange {
        self.run_context(who, 0)
    }

    /// The bystanders answer as ever.
    fn others(&self) -> Check {
        for peer in [&ECHO, &RELAY] {
            self.talk(peer)?;
        }
        Ok(())
    }

    fn talk(&self, peer: &Peer) -> Check {
        let mut payload = [0; 14];
        fresh().fill(&mut payload);
        let request = self.client.req2(peer, &payload);
        let exchange = checked_call(Conduit::Smc, &request);
        compare(peer, &request, &exchange).map_err(|wrong| judge::failure(&exchange, wrong))
    }
}

/// Everybody's contexts.
fn contexts() -> impl Iterator<Item = (Who, u64)> {
    ALL.into_iter()
        .flat_map(|who| (0..if who.many { suite::CONTEXTS } else { 1 }).map(move |n| (who, n)))
}

/// What a partition answers to a first word.
fn answer_of(who: Who, word: u64) -> u64 {
    Transform::of(who.id).wide(0, word)
}

/// What w1 of FFA_INTERRUPT or FFA_RUN says of a partition's first context.
const fn first_of(who: Who) -> u64 {
    (who.id as u64) << 16
}

/// Microseconds in ticks of the counter.
fn ticks(us: u64) -> u64 {
    us * regs::cntfrq() / 1_000_000
}
