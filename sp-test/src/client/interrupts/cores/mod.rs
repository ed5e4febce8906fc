//! The client that uses all cores, at NS-EL2.

mod elsewhere;
mod ipi;
mod normal;
mod power;
mod remote;
mod storm;
mod timers;

use super::{Check, Suite, WORD, equal, gic};
use crate::interrupts::log::Event;
use crate::interrupts::page::{Entry, Page};
use crate::interrupts::script::Op;
use crate::interrupts::{SIGNALLED, Who};
use crate::rt::{cores, entry::Boot};
use remote::Core;

/// A core that is not the boot core.
const FAR: u64 = 3;
/// Milliseconds that a partition spins at most, until it is told to go on.
const LONG: u64 = 60_000;
/// Seconds until something must have happened.
const SOON: u64 = 30;

const REQUEST: Event = Event::Request(WORD);

/// The start of the client for which the cores take turns, so that all times are known.
pub fn in_turns(boot: &Boot) -> ! {
    run(
        "client-interrupts-8",
        boot,
        &[
            power::run,
            normal::run,
            elsewhere::run,
            ipi::run,
            timers::run,
            storm::run,
            elsewhere::dead,
        ],
    )
}

/// The start of the client for which the cores run at once, so that no time is: what it shows does not depend on one.
pub fn at_once(boot: &Boot) -> ! {
    run(
        "client-interrupts-together",
        boot,
        &[power::together, storm::run, elsewhere::dead],
    )
}

fn run(name: &str, boot: &Boot, chapters: &[fn(&mut Suite)]) -> ! {
    let mut suite = Suite::start(name, boot);
    gic::open(0);
    gic::NORMAL.prepare();
    gic::pmu::open();
    for chapter in chapters {
        chapter(&mut suite);
    }
    suite.client.end()
}

impl Suite {
    /// A case with one other core, which is on for it. How it starts and goes off is others' to check.
    fn far_case(&mut self, name: impl core::fmt::Display, run: impl FnOnce(&Self, &Core) -> Check) {
        self.case(name, |suite| {
            let core = Core::start(FAR)?;
            suite.fresh();
            let verdict = run(suite, &core);
            verdict?;
            core.taken(&[])?;
            core.stop()
        });
    }

    /// The page of a partition's context on a core.
    fn page_on(&self, who: Who, core: u64) -> Page {
        self.page_of(who, if who.many { core } else { 0 })
    }

    /// What a partition does when it gets a request on a core.
    fn request_on(&self, who: Who, core: u64, ops: &[Op]) {
        self.page_on(who, core).script(Entry::Request, ops);
    }

    fn saw_on(&self, who: Who, core: u64, events: &[Event]) -> Check {
        self.saw_in(who, if who.many { core } else { 0 }, events)
    }

    /// Fails unless these contexts of a core have their times one after the other.
    fn in_order(&self, core: u64, all: &[Who], time: impl Fn(Page) -> u64) -> Check {
        let mut before = 0;
        for who in all {
            let time = time(self.page_of(*who, core));
            equal("a time after the one before", time.max(before + 1), time)?;
            before = time;
        }
        Ok(())
    }

    /// Waits until a context has seen so many events.
    fn until(&self, who: Who, core: u64, count: u64) -> Check {
        let page = self.page_on(who, core);
        let there = cores::patiently(SOON, || page.logged() >= count);
        match there {
            true => Ok(()),
            false => equal("events", page.logged(), count),
        }
    }

    /// Has the boot core's context of a partition raise [`Line::Secure`](crate::board::Line::Secure), which this
    /// client can't.
    fn raise_secure(&self) -> Check {
        use crate::board::Line;
        self.page(SIGNALLED).forget();
        self.request(SIGNALLED, &[Op::Raise(Line::Secure), Op::Watch(20)]);
        self.answered(&self.send(SIGNALLED), SIGNALLED)?;
        self.saw(SIGNALLED, &[REQUEST])
    }

    /// Has the partition with a single context, by a request on another core, be at a known place there.
    fn spins_far(&self, core: &Core, who: Who, ops: &[Op], count: u64) -> Check {
        self.request_on(who, core.number(), ops);
        core.begin(&self.message(who));
        self.until(who, core.number(), count)
    }
}
