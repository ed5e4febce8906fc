//! Random runs: so many calls from a seed, split into systems of their own, so that a failure is
//! found again by the number of its system alone.

use crate::{
    generate,
    label::{Labels, Origin},
    ledger::Counts,
    random::Rng,
    step::Step,
    world::{Arena, World},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// How many calls each system serves.
pub const CALLS_PER_SYSTEM: u64 = 2000;
/// How many steps are shown of a run that failed.
const SHOWN: usize = 24;
/// The same, from the environment.
fn shown() -> usize {
    std::env::var("RING_SHOWN")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(SHOWN)
}

/// A run that broke something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the system.
    pub seed: u64,
    /// How many steps it had made.
    pub step: usize,
    /// What was seen.
    pub what: String,
    /// The last steps, the one that failed at the end.
    pub last: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "system {:#x}, step {}: {}",
            self.seed, self.step, self.what
        )?;
        for step in &self.last {
            writeln!(f, "  {step}")?;
        }
        write!(
            f,
            "replay: cargo run -p ring -- fuzz --system {:#x}",
            self.seed
        )
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls of endpoints.
    pub calls: u64,
    /// Steps of any kind.
    pub steps: u64,
    /// What came of them.
    pub counts: Counts,
}

/// The seed of system number `n` of a run.
pub const fn system_seed(seed: u64, n: u64) -> u64 {
    seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Runs one system for `calls` calls.
pub fn system(seed: u64, calls: u64) -> Result<Report, Failure> {
    let mut log = Vec::new();
    let mut report = Report::default();
    let done = catch_unwind(AssertUnwindSafe(|| run(seed, calls, &mut log, &mut report)));
    let what = match done {
        Ok(Ok(())) => return Ok(report),
        Ok(Err(what)) => what,
        Err(panic) => format!("panic: {}", panic_text(panic.as_ref())),
    };
    let first = log.len().saturating_sub(shown());
    Err(Failure {
        seed,
        step: report.steps as usize,
        what,
        last: log[first..].iter().map(Step::to_string).collect(),
    })
}

/// The text of a panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text")
}

fn run(seed: u64, calls: u64, log: &mut Vec<Step>, report: &mut Report) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    if rng.chance(1, 4) {
        return crate::vmm::random(&mut rng, calls, log, report);
    }
    let config = generate::config(&mut rng);
    let mut arena = Arena::default();
    let mut world = World::new(&config, &mut arena)?;
    let mut labels = Labels::default();
    if rng.chance(4, 5) {
        let x = generate::version(
            &mut labels,
            Origin::Hypervisor,
            rng.pick(&generate::VERSIONS),
        );
        world.smc(0, Origin::Hypervisor, &x)?;
    }
    let mut core = 0;
    while report.calls < calls {
        if rng.chance(1, 3) {
            core = rng.below(world.cores());
        }
        let Some(step) = generate::step(&mut world, &mut labels, &mut rng, core) else {
            core = 0;
            continue;
        };
        report.steps += 1;
        report.calls += u64::from(step.is_call());
        if log.len() >= 2000 {
            log.drain(..1000);
        }
        log.push(step);
        if let Some(step) = log.last() {
            step.apply(&mut world)?;
        }
    }
    report.counts = world.counts();
    Ok(())
}

/// Runs `calls` calls on `threads` threads and stops at the first failure.
pub fn many(seed: u64, calls: u64, threads: usize) -> Result<Report, Failure> {
    in_parallel(seed, calls, threads, system)
}

/// Runs systems of a run with `one` until `calls` calls have been made.
pub fn in_parallel(
    seed: u64,
    calls: u64,
    threads: usize,
    one: impl Fn(u64, u64) -> Result<Report, Failure> + Sync,
) -> Result<Report, Failure> {
    let systems = calls.div_ceil(CALLS_PER_SYSTEM);
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let work = || {
        let mut total = Report::default();
        while !stop.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= systems {
                break;
            }
            let left = calls - n * CALLS_PER_SYSTEM;
            match one(system_seed(seed, n), left.min(CALLS_PER_SYSTEM)) {
                Ok(report) => {
                    total.calls += report.calls;
                    total.steps += report.steps;
                    total.counts.add(&report.counts);
                }
                Err(failure) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(failure);
                }
            }
        }
        Ok(total)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut total = Report::default();
        let mut failed = None;
        for thread in threads {
            match thread.join() {
                Ok(Ok(report)) => {
                    total.calls += report.calls;
                    total.steps += report.steps;
                    total.counts.add(&report.counts);
                }
                Ok(Err(failure)) => failed = failed.or(Some(failure)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        failed.map_or(Ok(total), Err)
    })
}
