//! The clients of the boots `cores` and `storm`, at NS-EL2 on eight cores. Every core sends messages, whose
//! receivers do what the messages say; the boot core also switches the others off and on. In a storm everything that
//! can interrupt does so meanwhile, at moments that nobody knows.
//!
//! Partitions, orders and pages are those of [`storm`](crate::storm). What must be true in the end is in `judge`.

pub mod bench;
mod choice;
mod cores;
mod interrupts;
mod judge;
mod power;
mod rounds;
mod schedule;
mod station;
mod talk;

use super::Client;
use super::report::Failure;
use crate::client::interrupts::gic;
use crate::interrupts::{ALL, CONTEXTS, Who, page_of};
use crate::rt::{entry::Boot, regs};
use crate::storm::number;
use crate::storm::page::Page;

/// Seconds that a storm takes, if the environment variable `TANTALUM_STORM_SECONDS` said so at compile time.
const SECONDS: Option<&str> = option_env!("TANTALUM_STORM_SECONDS");
/// What all choices follow from, unless `TANTALUM_STORM_SEED` said otherwise. Where the clock counts instructions, a
/// storm with the same seed is the same.
const SEED: u64 = number(option_env!("TANTALUM_STORM_SEED"), 1);
/// Seconds after which something should have happened, on a busy host too.
const PATIENCE: u64 = 30;

/// What a check is worth.
type Check = Result<(), Failure>;

/// Which storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Messages only; each core goes off and on so many times, one after the other.
    Rounds,
    /// Everything, for so many seconds.
    Storm(u64),
}

impl Plan {
    const fn interrupts(self) -> bool {
        matches!(self, Self::Storm(_))
    }
}

/// The start of the client of `cores`.
pub fn cores(boot: &Boot) -> ! {
    let mut client = Client::start("client-cores", boot);
    open(Plan::Rounds);
    rounds::run(&mut client);
    cores::run(&mut client);
    judge::mistakes(&mut client);
    client.end()
}

/// The start of the client of the storm.
pub fn storm(boot: &Boot) -> ! {
    run(boot, const { number(SECONDS, 60) })
}

/// The start of that of the storm where the clock counts instructions, which is short.
pub fn turns(boot: &Boot) -> ! {
    run(boot, const { number(SECONDS, 20) })
}

fn run(boot: &Boot, seconds: u64) -> ! {
    let mut client = Client::start("client-storm", boot);
    crate::say!("@note storm of {seconds} s, TANTALUM_STORM_SEED={SEED}");
    open(Plan::Storm(seconds));
    let verdict = power::run(seconds);
    judge::all(&mut client, verdict);
    crate::say!("@note storm of {seconds} s over, TANTALUM_STORM_SEED={SEED}");
    client.end()
}

fn open(plan: Plan) {
    gic::open(0);
    gic::pmu::open();
    station::begin(plan);
}

/// The page of a partition's context.
fn page(who: Who, context: u64) -> Page {
    // SAFETY: memory of the normal world that nothing else uses.
    unsafe { Page::at(page_of(who.id, if who.many { context } else { 0 })) }
}

/// Everybody's contexts.
fn contexts() -> impl Iterator<Item = (Who, u64)> {
    ALL.into_iter()
        .flat_map(|who| (0..if who.many { CONTEXTS } else { 1 }).map(move |n| (who, n)))
}

/// Microseconds in ticks of the counter.
fn ticks(us: u64) -> u64 {
    us * regs::cntfrq() / 1_000_000
}
