//! Notifications and indirect messages in the ring: random calls of everybody, and a ledger of what is bound,
//! pending and told, whose RX is and what lies there.
//!
//! Each call is answered as the ledger says. After each, all RX buffers hold what it says, and the scheduler
//! was interrupted if there is anything that it has not heard of, or is going to be. Now and then all is read:
//! the scheduler asks as long as it was interrupted, who receives reads, and nothing is left.
//! As soon as the SPMC has read a buffer, its owner has written noise there.

mod behind;
mod books;
mod deed;
mod direct;
mod generate;
mod host;
mod party;
mod run;
mod sabotage;
mod stage;
mod vms;

pub use books::Counts;
pub use sabotage::Sabotage;

use crate::{
    fuzz::{self, Failure},
    random::Rng,
    step::Step,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls of endpoints about notifications and messages.
    pub calls: u64,
    /// A number that follows from all registers that calls were answered with.
    pub digest: u64,
    /// What came of them.
    pub counts: Counts,
}

impl Report {
    /// Adds another system's.
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        // Systems end in any order.
        self.digest ^= other.digest;
        self.counts.add(&other.counts);
    }
}

/// Bytes of stack of a run.
const STACK: usize = 32 << 20;

/// The command that finds a failure again.
const COMMAND: &str = "notifications";

/// Runs one system for `calls` calls.
///
/// # Errors
/// What was broken, with the last steps.
pub fn system(seed: u64, calls: u64) -> Result<Report, Failure> {
    sabotaged(seed, calls, None)
}

/// The same in a system that does something wrong from the middle on.
///
/// # Errors
/// What was broken, with the last steps.
pub fn sabotaged(seed: u64, calls: u64, wrong: Option<Sabotage>) -> Result<Report, Failure> {
    let mut log = Vec::new();
    let mut report = Report::default();
    let run = || {
        catch_unwind(AssertUnwindSafe(|| {
            one(seed, calls, wrong, &mut log, &mut report)
        }))
    };
    // Without optimisation, both cores' states take more than what threads have.
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        match thread.spawn_scoped(scope, run).map(|run| run.join()) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => Err(panic),
            Err(error) => Ok(Err(error.to_string())),
        }
    });
    let steps = fuzz::Report {
        steps: report.calls,
        ..fuzz::Report::default()
    };
    fuzz::outcome(COMMAND, seed, done, &log, steps).map(|_| report)
}

fn one(
    seed: u64,
    calls: u64,
    wrong: Option<Sabotage>,
    log: &mut Vec<Step>,
    report: &mut Report,
) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    match rng.chance(1, 2) {
        true => vms::random(&mut rng, calls, wrong, log, report),
        false => direct::random(&mut rng, calls, wrong, log, report),
    }
}

/// Runs systems from `seed` on `threads` threads until `calls` calls have been made.
///
/// # Errors
/// The first failure.
pub fn many(seed: u64, calls: u64, threads: usize) -> Result<Report, Failure> {
    let systems = calls.div_ceil(fuzz::CALLS_PER_SYSTEM);
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut total = Report::default();
        while !stop.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= systems {
                break;
            }
            let left = calls - n * fuzz::CALLS_PER_SYSTEM;
            let one = system(fuzz::system_seed(seed, n), left.min(fuzz::CALLS_PER_SYSTEM));
            total.add(&one.inspect_err(|_| stop.store(true, Ordering::Relaxed))?);
        }
        Ok(total)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut total = Report::default();
        let mut failed = None;
        for thread in threads {
            match thread.join() {
                Ok(Ok(report)) => total.add(&report),
                Ok(Err(failure)) => failed = failed.or(Some(failure)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        failed.map_or(Ok(total), Err)
    })
}
