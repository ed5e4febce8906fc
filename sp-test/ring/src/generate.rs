//! Random systems and random steps: mostly what endpoints would do, often slightly wrong, sometimes
//! nothing but noise.

use crate::{
    fid,
    label::{Frame, Label, Labels, Origin},
    memory,
    random::Rng,
    spmd::Behaviour,
    step::Step,
    world::{Config, EVERYTHING, Spec, Taken, Who, World, id, intid, service},
};
use ffa_abi::{Version, contract::Mode};
use spmc::{
    context::{InterruptRules, NsAction, RequestKind, Slot},
    spm::Mask,
    state::State,
};

/// The versions there are.
pub const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

/// A random system of one to four partitions on one or two cores.
pub fn config(rng: &mut Rng) -> Config {
    let partitions = (0..1 + rng.below(4))
        .map(|_| {
            let mode = if rng.chance(1, 3) {
                Mode::SmcccStrict
            } else {
                Mode::Permissive
            };
            let version = rng.pick(&[
                VERSIONS[0],
                VERSIONS[1],
                VERSIONS[2],
                VERSIONS[2],
                VERSIONS[3],
            ]);
            let wide = mode == Mode::SmcccStrict || version >= Version::V1_3;
            Spec {
                version,
                mode,
                per_core: rng.chance(1, 3),
                messaging: if rng.chance(1, 6) {
                    rng.word() as u32 & EVERYTHING
                } else {
                    EVERYTHING
                },
                second: if rng.chance(1, 2) { EVERYTHING } else { 1 },
                wait: if wide && rng.chance(1, 2) {
                    fid::MSG_WAIT_64
                } else {
                    fid::MSG_WAIT_32
                },
                ..Spec::new(version)
            }
        })
        .collect();
    Config {
        behaviour: rng.pick(&Behaviour::ALL),
        cores: 1 + rng.below(2),
        partitions,
        general: false,
        memory: rng.chance(1, 4),
        interrupts: false,
    }
}

/// The same, with interrupts of partitions.
pub fn config_with_interrupts(rng: &mut Rng) -> Config {
    let mut config = config(rng);
    config.interrupts = true;
    for spec in &mut config.partitions {
        spec.rules = rules(rng);
        spec.device = rng.chance(2, 3);
    }
    config
}

/// What interrupts do to a partition.
fn rules(rng: &mut Rng) -> InterruptRules {
    if rng.chance(1, 2) {
        return InterruptRules::default();
    }
    let ns_action = rng.pick(&[NsAction::Queued, NsAction::ManagedExit, NsAction::Signalled]);
    InterruptRules {
        ns_action,
        managed_exit_virq: rng.chance(1, 2),
        other_s_queued: ns_action == NsAction::Queued && rng.chance(1, 2),
        sri_waiting: rng.chance(1, 4),
        sri_leaving: rng.chance(1, 4),
    }
}

/// An interrupt that comes now, if one can.
fn taken(world: &mut World<'_>, rng: &mut Rng, core: usize) -> Option<Taken> {
    if rng.chance(1, 2) && world.can_take(core, Taken::Kick) {
        return Some(Taken::Kick);
    }
    if !rng.chance(1, 6) {
        return None;
    }
    let slot = Slot(rng.below(world.partitions()) as u8);
    let all = [Taken::Timer, Taken::Device(slot), Taken::Device(slot)];
    let taken = rng.pick(&all);
    world.can_take(core, taken).then_some(taken)
}

/// A hypercall of the para-virtual interrupt controller: mostly with an id of the partition's.
fn hypercall(world: &World<'_>, labels: &mut Labels, rng: &mut Rng, slot: Slot) -> Frame {
    const IDS: [u64; 6] = [3, 4, 5, 9, 7, 1 << 40];
    let mut x = labels.frame(Origin::Partition(slot.0));
    let id = match rng.chance(1, 2) {
        true => u64::from(intid(slot)),
        false => rng.pick(&IDS),
    };
    let context = rng.below(world.cores() + 1) as u64;
    let args: &[u64] = match rng.below(10) {
        0..4 => &[0xff03, id, u64::from(!rng.chance(1, 6)), 0],
        4..8 => &[0xff04],
        8 => &[0xff08, id, id],
        _ => &[0xff0a, context],
    };
    x[..args.len()].copy_from_slice(args);
    x
}

/// A call that says which version somebody speaks.
pub fn version(labels: &mut Labels, origin: Origin, version: Version) -> Frame {
    labels.call(
        origin,
        fid::VERSION,
        &[version.raw().into(), 0, 0, 0, 0, 0, 0],
    )
}

/// The next step on `core`, where somebody runs.
pub fn step(
    world: &mut World<'_>,
    labels: &mut Labels,
    rng: &mut Rng,
    core: usize,
) -> Option<Step> {
    if world.cores() > 1 && world.unsaved(core) && rng.chance(1, 2) {
        return Some(Step::Save { core });
    }
    let who = world.now(core);
    if who != Who::Off
        && world.has_interrupts()
        && let Some(taken) = taken(world, rng, core)
    {
        let origin = match who {
            Who::Partition(slot) => Origin::Partition(slot.0),
            _ => Origin::normal(rng.below(4) as u16),
        };
        let x = labels.frame(origin);
        return Some(Step::Taken {
            core,
            origin,
            x,
            taken,
        });
    }
    if world.has_memory && rng.chance(1, 12) {
        return memory::call(world, labels, rng, core);
    }
    match who {
        Who::Normal => Some(normal(world, labels, rng, core)),
        Who::Partition(slot) => Some(partition(world, labels, rng, core, slot)),
        Who::Off => None,
    }
}

/// A call with these raw values in x0-x3 by whoever has `core`.
pub fn raw(
    world: &mut World<'_>,
    labels: &mut Labels,
    core: usize,
    values: [u64; 4],
) -> Option<Step> {
    // Nothing that is taken for somebody's label.
    let plain = |value: u64| match Label::of(value) {
        [None, None] => value,
        _ => value & 0x8fff_ffff_8fff_ffff,
    };
    let who = world.now(core);
    let origin = match who {
        Who::Normal => Origin::normal((values[1] >> 16) as u16),
        Who::Partition(slot) => Origin::Partition(slot.0),
        Who::Off => return None,
    };
    let mut x = labels.frame(origin);
    for (register, value) in x.iter_mut().zip(values) {
        *register = plain(value);
    }
    Some(match who {
        Who::Normal => Step::Smc { core, origin, x },
        _ => Step::Call { core, x },
    })
}

fn normal(world: &mut World<'_>, labels: &mut Labels, rng: &mut Rng, core: usize) -> Step {
    let from = if rng.chance(1, 40) {
        // Nothing that a label looks like.
        rng.word() as u16 & 0x8fff
    } else {
        rng.below(4) as u16
    };
    let origin = Origin::normal(from);
    match rng.below(1000) {
        0..20 => return Step::NormalVectors { core, origin },
        20..50 => {
            let x = labels.frame(origin);
            return Step::SecureInterrupt { core, origin, x };
        }
        50..52 if core > 0 => return Step::CpuOff { core },
        _ => {}
    }
    let x = vm_call(world, labels, rng, core, origin, from);
    Step::Smc { core, origin, x }
}

/// A call of an endpoint of the normal world, whose id is `from`.
pub fn vm_call(
    world: &mut World<'_>,
    labels: &mut Labels,
    rng: &mut Rng,
    core: usize,
    origin: Origin,
    from: u16,
) -> Frame {
    if let Some(slot) = interrupted(world, rng, core)
        && rng.chance(1, 2)
    {
        let x = run(world, labels, rng, origin, core, id(slot));
        return spoil(x, rng);
    }
    let to = receiver(world, rng);
    let x = match rng.below(100) {
        0..55 => request(labels, rng, origin, from, to),
        55..75 => run(world, labels, rng, origin, core, to),
        75..79 => version(labels, origin, rng.pick(&VERSIONS)),
        79..82 => {
            let query = rng.pick(&[fid::REQ2, fid::RXTX_MAP_64, fid::RUN_64, 1, 2, 0x8400_00ef]);
            labels.call(origin, fid::FEATURES, &[query.into(), 0])
        }
        82..86 => {
            let call = rng.pick(&[
                fid::ID_GET,
                fid::SPM_ID_GET,
                fid::RXTX_MAP_64,
                fid::INFO_GET_64,
                fid::INFO_GET_REGS,
                fid::CONSOLE_LOG_64,
            ]);
            labels.call(origin, call, &[1, 0, 0, 0, 0, 0, 0])
        }
        _ => noise(labels, rng, origin),
    };
    spoil(x, rng)
}

fn partition(
    world: &mut World<'_>,
    labels: &mut Labels,
    rng: &mut Rng,
    core: usize,
    slot: Slot,
) -> Step {
    let origin = Origin::Partition(slot.0);
    let serves = world.serves(core, slot);
    let wide = rng.chance(1, 2);
    let form = |narrow: u32| if wide { narrow | fid::WIDE } else { narrow };
    if let Some(other) = interrupted(world, rng, core)
        && other != slot
        && rng.chance(1, 3)
    {
        let x = run(world, labels, rng, origin, core, id(other));
        return Step::Call {
            core,
            x: spoil(x, rng),
        };
    }
    let pick = rng.below(1000);
    let x = match (pick, serves) {
        // One with several contexts would fail on other cores too: that is the search's.
        (0, _) if world.has_single_context(slot) && rng.chance(1, 2) => {
            return Step::Abort { core };
        }
        // What is masked stays pending.
        (0..83, _) if world.mask(core) == Mask::Open => {
            let x = labels.frame(origin);
            let own = rng.chance(1, 2);
            return Step::Interrupt { core, x, own };
        }
        (83..95, _) => return Step::Vectors { core },
        (95..103, _) if world.has_interrupts() => {
            let on = rng.chance(2, 3);
            return Step::Timer { core, on };
        }
        (103..600, Some(request)) => {
            let fid = if rng.chance(5, 6) {
                fitting(request.kind)
            } else {
                rng.pick(&[fid::RESP_32, fid::RESP_64, fid::RESP2])
            };
            let to = if rng.chance(19, 20) {
                request.sender.0
            } else {
                receiver(world, rng)
            };
            labels.message(origin, fid, id(slot), to)
        }
        (103..450, None) => labels.call(origin, form(fid::MSG_WAIT_32), &[0; 7]),
        (450..480, _) => {
            let fid = rng.pick(&[fid::RESP_32, fid::RESP_64, fid::RESP2]);
            let to = receiver(world, rng);
            labels.message(origin, fid, id(slot), to)
        }
        (480..500, _) => labels.call(origin, form(fid::MSG_WAIT_32), &[0; 7]),
        (500..760, _) => {
            let to = receiver(world, rng);
            request(labels, rng, origin, id(slot), to)
        }
        (760..850, _) => {
            let to = receiver(world, rng);
            run(world, labels, rng, origin, core, to)
        }
        (850..910, _) => {
            let timeout = rng.word() & 0xfff_ffff;
            labels.call(
                origin,
                form(fid::YIELD_32),
                &[0, timeout, timeout, 0, 0, 0, 0],
            )
        }
        (910..930, _) => {
            let spec = world.spec(slot);
            let version_asked = if rng.chance(1, 2) {
                spec.version
            } else {
                rng.pick(&VERSIONS)
            };
            version(labels, origin, version_asked)
        }
        (915..933, _) | (955..985, _) if world.has_interrupts() => {
            let x = hypercall(world, labels, rng, slot);
            return Step::Call { core, x };
        }
        (930..945, _) => {
            let count = rng.below(30) as u64;
            labels.call(origin, form(fid::CONSOLE_LOG_32), &[count])
        }
        (945..955, _) => labels.call(origin, rng.pick(&[fid::ID_GET, fid::SPM_ID_GET]), &[]),
        _ => noise(labels, rng, origin),
    };
    Step::Call {
        core,
        x: spoil(x, rng),
    }
}

/// Some partition that was interrupted or yielded, as seen from a core.
fn interrupted(world: &mut World<'_>, rng: &mut Rng, core: usize) -> Option<Slot> {
    let count = world.partitions();
    let first = rng.below(count);
    (0..count)
        .map(|n| Slot(((first + n) % count) as u8))
        .find(|slot| {
            let state = world.state_anywhere(core, *slot);
            matches!(state, Some(State::Preempted | State::Blocked))
        })
}

/// A receiver: mostly a partition that is there.
fn receiver(world: &World<'_>, rng: &mut Rng) -> u16 {
    if rng.chance(1, 25) {
        let any = 0x8000 | rng.word() as u16;
        return rng.pick(&[0, 1, 0x8000, 0xffff, 0xffc0, any]);
    }
    id(Slot(rng.below(world.partitions()) as u8))
}

fn request(labels: &mut Labels, rng: &mut Rng, origin: Origin, from: u16, to: u16) -> Frame {
    let fid = rng.pick(&[fid::REQ_32, fid::REQ_64, fid::REQ2]);
    let mut x = labels.message(origin, fid, from, to);
    if fid == fid::REQ2 && rng.chance(1, 2) {
        set_service(&mut x, rng);
    }
    x
}

/// Puts a service that all partitions, its receiver, or another one offers into a request.
pub fn set_service(x: &mut Frame, rng: &mut Rng) {
    let receiver = (x[1] as u16).wrapping_sub(0x8001 - u16::from(rng.chance(1, 8))) & 15;
    let uuid = service(Slot(receiver as u8), rng.below(2) as u8);
    let word = |n: usize| {
        let bytes = uuid.0.iter().skip(n).take(8).rev();
        bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    (x[2], x[3]) = (word(0), word(8));
}

/// The response that fits a request.
pub const fn fitting(kind: RequestKind) -> u32 {
    match kind {
        RequestKind::Direct2 => fid::RESP2,
        RequestKind::Direct { wide: true } => fid::RESP_64,
        RequestKind::Direct { wide: false }
        | RequestKind::VmAvailability(_)
        | RequestKind::PowerOff => fid::RESP_32,
    }
}

fn run(
    world: &World<'_>,
    labels: &mut Labels,
    rng: &mut Rng,
    origin: Origin,
    core: usize,
    to: u16,
) -> Frame {
    let per_core = (to & 0x7fff)
        .checked_sub(1)
        .filter(|slot| usize::from(*slot) < world.partitions())
        .is_some_and(|slot| world.spec(Slot(slot as u8)).per_core);
    let context = match rng.below(20) {
        0 => rng.word() as u16,
        _ if per_core => core as u16,
        _ => 0,
    };
    let fid = rng.pick(&[fid::RUN_32, fid::RUN_32, fid::RUN_64]);
    labels.call(origin, fid, &[u64::from(to) << 16 | u64::from(context)])
}

/// A call of anything at all.
fn noise(labels: &mut Labels, rng: &mut Rng, origin: Origin) -> Frame {
    let mut x = labels.frame(origin);
    x[0] = match rng.below(8) {
        0 => rng.word() & 0x8fff_ffff_8fff_ffff,
        1 => x[0] & !0xffff_ffff | 0x8400_0000 | rng.word() & 0x1f,
        _ => {
            let number = 0x60 + rng.word() % 0x40;
            x[0] & !0xffff_ffff | 0x8400_0000 | number | rng.word() & 1 << 30
        }
    };
    if rng.chance(1, 2) {
        for value in &mut x[1..8] {
            *value = if rng.chance(1, 2) {
                0
            } else {
                rng.word() & 0xff
            };
        }
    }
    x
}

/// Makes a call slightly wrong, or sets the hint.
fn spoil(mut x: Frame, rng: &mut Rng) -> Frame {
    if rng.chance(1, 8) {
        x[0] ^= u64::from(fid::SVE_HINT);
    }
    if rng.chance(1, 16) {
        // Not into another label.
        let n = 1 + rng.below(7);
        if n < 3 && Label::of(x[n])[0].is_none() {
            x[n] ^= 1 << rng.below(32);
        } else {
            x[n] = rng.word() & 0x0fff_ffff_0fff_ffff;
        }
    }
    x
}
