//! The short way of direct messages against the general one: two systems, alike but for that, are
//! given the same steps, and must land alike and be in the same state after each, down to every
//! register of every context.
//!
//! The states are those that a random run reaches; in each of them the next call is most often one of
//! the six that have a short way, with registers that are right, nearly right, or anything.

use crate::{
    fid,
    fuzz::{self, Failure, Report},
    generate,
    label::{Frame, Labels, Origin},
    random::Rng,
    step::Step,
    world::{Arena, Who, World, id},
};
use spmc::context::Slot;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Compares one pair of systems for `calls` calls.
pub fn system(seed: u64, calls: u64) -> Result<Report, Failure> {
    let mut log = Vec::new();
    let mut report = Report::default();
    let done = catch_unwind(AssertUnwindSafe(|| run(seed, calls, &mut log, &mut report)));
    fuzz::outcome("diff", seed, done, &log, report)
}

/// Compares on `threads` threads until `calls` calls have been made, and stops at the first
/// difference.
pub fn many(seed: u64, calls: u64, threads: usize) -> Result<Report, Failure> {
    fuzz::in_parallel(seed, calls, threads, system)
}

fn run(seed: u64, calls: u64, log: &mut Vec<Step>, report: &mut Report) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let config = generate::config(&mut rng);
    let mut general = config.clone();
    general.general = true;
    let (mut arena, mut other) = (Arena::default(), Arena::default());
    let mut short = World::new(&config, &mut arena)?;
    let mut long = World::new(&general, &mut other)?;
    let mut labels = Labels::default();
    let mut core = 0;
    if rng.chance(9, 10) {
        let origin = Origin::Hypervisor;
        let version = rng.pick(&[0, 1, 2, 2, 2, 2, 3, 3, 3].map(|n: usize| generate::VERSIONS[n]));
        let x = generate::version(&mut labels, origin, version);
        both(&Step::Smc { core, origin, x }, &mut short, &mut long)?;
    }
    while report.calls < calls {
        if rng.chance(1, 4) {
            core = rng.below(short.cores());
        }
        let step = if rng.chance(3, 5) {
            message(&mut short, &mut labels, &mut rng, core)
        } else {
            generate::step(&mut short, &mut labels, &mut rng, core)
        };
        let Some(step) = step else {
            core = 0;
            continue;
        };
        report.steps += 1;
        report.calls += u64::from(step.is_call());
        fuzz::note(log, &step);
        both(&step, &mut short, &mut long)?;
    }
    report.counts = short.counts();
    Ok(())
}

fn both(step: &Step, short: &mut World<'_>, long: &mut World<'_>) -> Result<(), String> {
    let landed = (step.apply(short)?, step.apply(long)?);
    if landed.0 != landed.1 {
        return Err(format!("short {:?}, general {:?}", landed.0, landed.1));
    }
    short
        .same_as(long)
        .map_err(|what| format!("short and general: {what}"))
}

/// One of the six calls that have a short way.
fn message(world: &mut World<'_>, labels: &mut Labels, rng: &mut Rng, core: usize) -> Option<Step> {
    let partition = id(Slot(rng.below(world.partitions()) as u8));
    match world.now(core) {
        Who::Normal => {
            let from = rng.below(4) as u16;
            let origin = Origin::normal(from);
            let fid = rng.pick(&[fid::REQ_32, fid::REQ_64, fid::REQ2]);
            let mut x = labels.message(origin, fid, from, partition);
            if fid == fid::REQ2 && rng.chance(1, 2) {
                generate::set_service(&mut x, rng);
            }
            let x = bend(x, rng);
            Some(Step::Smc { core, origin, x })
        }
        Who::Partition(slot) => {
            let origin = Origin::Partition(slot.0);
            let request = world.serves(core, slot);
            let to = request.map_or(partition, |request| request.sender.0);
            let fid = match request.map(|request| request.kind) {
                Some(kind) if rng.chance(7, 8) => generate::fitting(kind),
                _ => rng.pick(&[fid::RESP_32, fid::RESP_64, fid::RESP2]),
            };
            let x = labels.message(origin, fid, id(slot), to);
            let x = bend(x, rng);
            Some(Step::Call { core, x })
        }
        Who::Off => None,
    }
}

/// Leaves registers as they are, or changes some in ways that matter or don't.
fn bend(mut x: Frame, rng: &mut Rng) -> Frame {
    for _ in 0..rng.below(4).saturating_sub(1) {
        match rng.below(8) {
            0 => x[0] ^= u64::from(fid::SVE_HINT),
            1 => x[0] ^= 1 << (32 + rng.below(28)),
            // An id, by one bit.
            2 => x[1] ^= 1 << rng.below(28),
            // Upper halves that do not count.
            3 => x[1] ^= 1 << (32 + rng.below(28)),
            4 => x[2] = x[2] & !0xffff_ffff | rng.word() & 0x8000_00ff,
            5 => x[2] = x[2] & 0xffff_ffff | (rng.word() & 0xfff_ffff) << 32,
            6 => x[0] ^= u64::from(fid::WIDE),
            _ => x[3 + rng.below(15)] = rng.word() & 0x0fff_ffff_0fff_ffff,
        }
    }
    x
}
