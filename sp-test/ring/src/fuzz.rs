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
/// How many steps of a run are kept.
const KEPT: usize = 1000;

/// How many steps are shown of a run that failed: 24, or what `RING_SHOWN` says.
fn shown() -> usize {
    let asked = std::env::var("RING_SHOWN").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(24)
}

/// A run that broke something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The command that finds it again.
    pub command: &'static str,
    /// The seed of the system.
    pub seed: u64,
    /// How many steps it had made.
    pub step: u64,
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
            "replay: cargo run -p ring -- {} --system {:#x}",
            self.command, self.seed
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
    /// What of that was between VMs.
    pub between_vms: Counts,
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
    outcome("fuzz", seed, done, &log, report)
}

/// Runs one system for `calls` calls, most of which are about memory.
pub fn memory(seed: u64, calls: u64) -> Result<Report, Failure> {
    let mut log = Vec::new();
    let mut report = Report::default();
    let done = catch_unwind(AssertUnwindSafe(|| {
        memory_run(seed, calls, &mut log, &mut report)
    }));
    outcome("fuzz --memory", seed, done, &log, report)
}

/// Runs one system of several VMs for `calls` calls.
pub fn vms(seed: u64, calls: u64) -> Result<Report, Failure> {
    let mut log = Vec::new();
    let mut report = Report::default();
    let done = catch_unwind(AssertUnwindSafe(|| {
        crate::vms::random(&mut Rng::new(seed), calls, &mut log, &mut report)
    }));
    outcome("fuzz --vms", seed, done, &log, report)
}

/// What came of a run of `command`.
pub(crate) fn outcome(
    command: &'static str,
    seed: u64,
    done: std::thread::Result<Result<(), String>>,
    log: &[Step],
    report: Report,
) -> Result<Report, Failure> {
    let what = match done {
        Ok(Ok(())) => return Ok(report),
        Ok(Err(what)) => what,
        Err(panic) => format!("panic: {}", panic_text(panic.as_ref())),
    };
    let first = log.len().saturating_sub(shown());
    Err(Failure {
        command,
        seed,
        step: report.steps,
        what,
        last: log.iter().skip(first).map(Step::to_string).collect(),
    })
}

/// Notes a step; of a long run, the last ones.
pub(crate) fn note(log: &mut Vec<Step>, step: &Step) {
    if log.len() >= 2 * KEPT {
        log.drain(..KEPT);
    }
    log.push(step.clone());
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
    if rng.chance(1, 3) {
        return crate::vms::random(&mut rng, calls, log, report);
    }
    if rng.chance(1, 4) {
        return crate::vmm::random(&mut rng, calls, log, report);
    }
    let config = match rng.chance(1, 2) {
        true => generate::config_with_interrupts(&mut rng),
        false => generate::config(&mut rng),
    };
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
        note(log, &step);
        step.apply(&mut world)?;
    }
    report.counts = world.counts();
    Ok(())
}

fn memory_run(
    seed: u64,
    calls: u64,
    log: &mut Vec<Step>,
    report: &mut Report,
) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let mut config = generate::config(&mut rng);
    config.memory = true;
    let mut arena = Arena::default();
    let mut world = World::new(&config, &mut arena)?;
    world.tables_are_scarce(rng.below(3));
    let mut labels = Labels::default();
    let version = rng.pick(&generate::VERSIONS);
    let x = generate::version(&mut labels, Origin::Hypervisor, version);
    world.smc(0, Origin::Hypervisor, &x)?;
    let mut core = 0;
    while report.calls < calls {
        if rng.chance(1, 8) {
            core = rng.below(world.cores());
        }
        let step = match rng.chance(5, 6) {
            true => crate::memory::call(&mut world, &mut labels, &mut rng, core),
            false => generate::step(&mut world, &mut labels, &mut rng, core),
        };
        let Some(step) = step else {
            core = 0;
            continue;
        };
        report.steps += 1;
        report.calls += u64::from(step.is_call());
        note(log, &step);
        step.apply(&mut world)?;
    }
    report.counts = world.counts();
    Ok(())
}

/// A system from `config` and one step from each word of `script`: for generators that shrink.
pub fn script(config: u64, script: &[u64]) -> Result<(), String> {
    scripted(config, script.iter().map(|word| Words::Seed(*word)))
}

/// The same from bytes: eight for the system, then for each step nine, of which the first says
/// whether a random step comes of the other eight, or 33, of which 32 are raw values of x0-x3.
pub fn bytes(data: &[u8]) -> Result<(), String> {
    fn word(data: &mut &[u8]) -> Option<u64> {
        let (word, rest) = data.split_first_chunk::<8>()?;
        *data = rest;
        Some(u64::from_le_bytes(*word))
    }
    let mut data = data;
    let Some(config) = word(&mut data) else {
        return Ok(());
    };
    scripted(
        config,
        std::iter::from_fn(|| {
            let (kind, rest) = data.split_first()?;
            data = rest;
            let first = word(&mut data)?;
            if kind & 1 == 0 {
                return Some(Words::Seed(first));
            }
            let mut next = || word(&mut data);
            Some(Words::Raw([first, next()?, next()?, next()?]))
        }),
    )
}

/// Where a step comes from.
enum Words {
    Seed(u64),
    Raw([u64; 4]),
}

fn scripted(config: u64, script: impl Iterator<Item = Words>) -> Result<(), String> {
    let config = generate::config_with_interrupts(&mut Rng::new(config));
    let mut arena = Arena::default();
    let mut world = World::new(&config, &mut arena)?;
    let mut labels = Labels::default();
    for words in script {
        let step = match words {
            Words::Seed(seed) => {
                let mut rng = Rng::new(seed);
                let core = rng.below(world.cores());
                generate::step(&mut world, &mut labels, &mut rng, core)
            }
            Words::Raw(raw) => {
                let core = raw[1] as usize >> 40 & 1;
                generate::raw(&mut world, &mut labels, core % config.cores, raw)
            }
        };
        if let Some(step) = step {
            step.apply(&mut world)?;
        }
    }
    Ok(())
}

/// Runs `calls` calls on `threads` threads and stops at the first failure.
pub fn many(seed: u64, calls: u64, threads: usize) -> Result<Report, Failure> {
    in_parallel(seed, calls, threads, system)
}

/// The same, with calls about memory.
pub fn many_memory(seed: u64, calls: u64, threads: usize) -> Result<Report, Failure> {
    in_parallel(seed, calls, threads, memory)
}

/// The same with several VMs in each system.
pub fn many_vms(seed: u64, calls: u64, threads: usize) -> Result<Report, Failure> {
    in_parallel(seed, calls, threads, vms)
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
                    total.between_vms.add(&report.between_vms);
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
                    total.between_vms.add(&report.between_vms);
                }
                Ok(Err(failure)) => failed = failed.or(Some(failure)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        failed.map_or(Ok(total), Err)
    })
}
