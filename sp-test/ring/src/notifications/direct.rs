//! A system whose normal world makes its calls itself, for itself and the VMs that it says it has.

use super::{
    Report,
    books::{Books, Pair},
    deed::Deed,
    party::{Kind, PAGE, Party},
    run::Run,
    sabotage::Sabotage,
    stage::{Direct, Stage},
};
use crate::{
    generate,
    label::{Labels, Origin},
    memory,
    random::Rng,
    spmd::Behaviour,
    step::Step,
    world::{Arena, Config, EVERYTHING, Spec, World, id, service},
};
use ffa_abi::Version;
use spmc::context::Slot;

/// `messaging-method`: indirect messages.
const INDIRECT: u32 = 1 << 2;
/// The versions that have notifications.
pub(super) const VERSIONS: [Version; 3] = [Version::V1_1, Version::V1_2, Version::V1_3];

/// Three or four partitions: one with a context on each core, one without notifications.
pub(super) fn config(rng: &mut Rng) -> Config {
    let everything = EVERYTHING | INDIRECT;
    let first = rng.below(3);
    let (count, direct) = (3 + rng.below(2), rng.chance(1, 2));
    let partitions = (0..count).map(|n| Spec {
        messaging: match n == 3 && direct {
            true => EVERYTHING,
            false => everything,
        },
        second: if n == 1 { EVERYTHING } else { everything },
        notifications: n != 2,
        per_core: n == 0,
        ..Spec::new(VERSIONS[(first + n) % 3])
    });
    Config {
        behaviour: rng.pick(&Behaviour::ALL),
        partitions: partitions.collect(),
        cores: 1 + rng.below(2),
        general: rng.chance(1, 8),
        memory: true,
        interrupts: false,
    }
}

/// A partition as it was built.
pub(super) fn partition(config: &Config, n: usize) -> Party {
    let (slot, spec) = (Slot(n as u8), config.partitions[n]);
    let services = [(0, spec.messaging), (1, spec.second)];
    Party {
        id: id(slot),
        kind: Kind::Partition,
        version: spec.version,
        contexts: if spec.per_core {
            config.cores as u16
        } else {
            1
        },
        notified: spec.notifications,
        indirect: spec.messaging & INDIRECT != 0,
        services: services
            .into_iter()
            .map(|(n, methods)| (service(slot, n).0, methods & INDIRECT != 0))
            .collect(),
        base: memory::tx(Some(slot)),
    }
}

/// The normal world, or a VM of its.
fn of_normal_world(id: u16, version: Version) -> Party {
    Party {
        id,
        kind: Kind::NormalWorld,
        version,
        contexts: 1,
        notified: true,
        indirect: true,
        services: Vec::new(),
        base: memory::tx(None) + u64::from(id) * 4 * PAGE,
    }
}

/// Partitions' manifests have asked for their pairs.
pub(super) fn first_pairs(stage: &impl Stage, books: &mut Books) {
    let partitions = books.parties.values().filter(|party| party.is_partition());
    for party in partitions {
        let mut pair = Pair::new(party.base, party.base + PAGE, 1);
        pair.holds = Some(stage.bytes(pair.rx, PAGE as usize));
        books.pairs.insert(party.id, pair);
    }
}

/// A random run.
pub(super) fn random(
    rng: &mut Rng,
    calls: u64,
    wrong: Option<Sabotage>,
    log: &mut Vec<Step>,
    report: &mut Report,
) -> Result<(), String> {
    let config = config(rng);
    let version = rng.pick(&VERSIONS);
    // Few, or so many that not all are named at once.
    let vms = rng.pick(&[0, 2, 4, 18]);
    let partitions = (0..config.partitions.len()).map(|n| partition(&config, n));
    let normal = (0..=vms).map(|id| of_normal_world(id, version));
    let mut books = Books::new(partitions.chain(normal), version);
    let mut arena = Arena::default();
    let mut world = World::new(&config, &mut arena)?;
    let x = generate::version(&mut Labels::default(), Origin::Hypervisor, version);
    world.smc(0, Origin::Hypervisor, &x)?;
    let mut stage = Direct::new(world);
    first_pairs(&stage, &mut books);
    // Of many VMs all have what their hypervisor can give them.
    for id in 0..=vms.min(16) * u16::from(vms > 4) {
        let contexts = 1 + rng.below(3) as u32;
        let create = Deed::Create { vm: id, contexts };
        stage.call(0, 0, &create.registers())?;
        books.answer(0, 0, &create);
    }
    let mut run = Run::new(stage, books, config.cores, wrong);
    let done = run.go(rng, calls, log);
    run.report(report);
    done
}
