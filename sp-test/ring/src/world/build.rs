//! Building a system, and its partitions' initialisation.

use super::{Arena, Config, Core, Who, World, chip, id, service};
use crate::{
    label::{Labels, Origin, Vectors},
    ledger::Ledger,
    machine::{Exit, Gp, Machine},
    memory::{BUFFER_PAGES, Land, of_normal_world, of_partition, tx},
    spmd::Spmd,
};
use ffa_abi::{EndpointId, FfaError};
use spmc::{
    context::{Context, Messaging, PartitionInfo, Service, Slot},
    spm::{self, Owner, Pe, Spmc},
};

impl<'c> World<'c> {
    /// Builds a system and lets its partitions initialise.
    pub fn new(config: &Config, arena: &'c mut Arena) -> Result<Self, String> {
        Self::with(config, &mut arena.contexts)
    }

    /// The same, with its contexts in a place of their own.
    pub(crate) fn with(config: &Config, arena: &'c mut Vec<Context<Gp>>) -> Result<Self, String> {
        let mut labels = Labels::default();
        let mut places = Vec::new();
        for (n, spec) in config.partitions.iter().enumerate() {
            let contexts = if spec.per_core { config.cores } else { 1 };
            places.extend((0..contexts).map(|core| (Slot(n as u8), core)));
        }
        *arena = places
            .iter()
            .map(|(slot, _)| {
                let origin = Origin::Partition(slot.0);
                let x = labels.frame(origin);
                let sp = labels.sp(origin);
                Context::new(Gp::new(x, sp))
            })
            .collect();

        let mut spmc = Box::new(Spmc::new());
        let mut cores: Vec<Core<'c>> = (0..config.cores)
            .map(|n| Core {
                pe: Pe::new(n as u16),
                machine: Machine::default(),
                now: Who::Normal,
                left: None,
                sent: [0; 31],
                origin: Origin::Hypervisor,
                exit: Exit::New,
                own_sp: 0,
                own_vectors: Vectors::ZERO,
                entry: [0; 18],
                behind_proxy: None,
                last: None,
            })
            .collect();
        for (n, spec) in config.partitions.iter().enumerate() {
            let slot = Slot(n as u8);
            let services = [(0, spec.messaging), (1, spec.second)].map(|(n, messaging)| Service {
                uuid: service(slot, n),
                messaging: Messaging(messaging),
            });
            let contexts = match spec.per_core {
                true => config.cores as u16,
                false => 1,
            };
            let services = services.into_iter().collect();
            let info = PartitionInfo {
                // What the second service has is not what the partition as a whole is asked for.
                messaging: Messaging(spec.messaging),
                mode: spec.mode,
                rules: spec.rules,
                devices: spec
                    .device
                    .then(|| super::intid(slot))
                    .into_iter()
                    .collect(),
                notifications: spec.notifications,
                ..PartitionInfo::new(EndpointId(id(slot)), services, contexts)
            };
            spmc.add(info, spec.version).ok_or("too many partitions")?;
        }
        for ((slot, core), context) in places.iter().zip(arena.iter_mut()) {
            spmc.adopt(&mut cores[*core].pe, *slot, context);
        }
        for core in &mut cores {
            spmc.core_is_on(&mut core.pe);
        }

        let mut leftover = labels.frame(Origin::Spmc);
        leftover[..18].copy_from_slice(&spm::ready().0);
        let mut world = Self {
            spmc,
            cores,
            spmd: Spmd::new(config.behaviour, config.cores, leftover),
            specs: config.partitions.clone(),
            labels,
            responses: Vec::new(),
            ledger: Ledger::new(config.partitions.len(), config.cores),
            irqs: super::interrupts::Irqs::new(config.partitions.len(), config.cores),
            general: config.general,
            has_memory: config.memory,
            land: Land::new(),
            interrupts: config.interrupts,
            console: 0,
        };
        if config.memory {
            world.give_memory()?;
        }
        world.boot()?;
        Ok(world)
    }

    /// Tells the SPMC of everybody's memory, and maps partitions' pairs as their manifests may ask for.
    fn give_memory(&mut self) -> Result<(), String> {
        let why = |error: FfaError| error.to_string();
        for slot in (0..self.specs.len()).map(|n| Slot(n as u8)) {
            for region in of_partition(slot) {
                let owner = Owner::Partition(slot);
                self.spmc.add_region(owner, region).map_err(why)?;
            }
            let base = tx(Some(slot));
            let mapped = spmc::locks::run(|held| {
                let rx = base + 4096 * u64::from(BUFFER_PAGES);
                let chip = &mut chip!(self, 0);
                self.spmc
                    .map_of_partition(slot, base, rx, BUFFER_PAGES, chip, held)
            });
            mapped.map_err(why)?;
        }
        let region = of_normal_world();
        self.spmc
            .add_region(Owner::NormalWorld, region)
            .map_err(why)
    }

    pub(super) fn boot(&mut self) -> Result<(), String> {
        for core in 0..self.cores.len() {
            for n in 0..self.specs.len() {
                let slot = Slot(n as u8);
                let Core { pe, machine, .. } = &mut self.cores[core];
                if pe.context(slot).is_none() {
                    continue;
                }
                if !self.spmc.start(pe, slot) {
                    return Err(format!("{slot:?} does not start"));
                }
                machine.make_resident(pe, slot);
                self.cores[core].now = Who::Partition(slot);
                let wait = self.specs[n].wait;
                let x = self.labels.call(Origin::Partition(slot.0), wait, &[0; 7]);
                self.partition(core, &x)?;
                if self.cores[core].now != Who::Normal {
                    return Err(format!("{slot:?} does not finish its initialisation"));
                }
                self.save(core);
            }
            let Core {
                machine,
                own_sp,
                own_vectors,
                ..
            } = &mut self.cores[core];
            machine.sp = self.labels.sp(Origin::Hypervisor);
            machine.vectors = self.labels.vectors(Origin::Hypervisor);
            *own_sp = machine.sp;
            own_vectors.clone_from(&machine.vectors);
        }
        Ok(())
    }
}
