//! A system of endpoints around the two cores, stepped one call or event at a time.
//!
//! Partitions and the normal world are scripted: whoever runs on a core is given registers to call
//! with, and everything between them and the next endpoint that runs is real (the SPMC's core) or a
//! model ([`Spmd`], [`Machine`]). Each landing is judged in all of its registers by the
//! [oracle](crate::oracle), each step is booked in the [ledger](crate::ledger), and a step that
//! failed must not have changed anything. A violation is an `Err` that says what was seen.
//!
//! `saved` is an event of its own: after a step in which a context left its core, other cores may act
//! before [`World::save`], which the next step of the same core does in any case.

mod build;
mod config;
mod interrupts;
mod landing;
mod run;
mod state;

pub use config::{Config, EVERYTHING, Spec, id, service};
pub(crate) use interrupts::Chip;
pub use interrupts::{Taken, intid};
pub(crate) use landing::resumed;
pub(crate) use state::View;

use crate::{
    fid,
    label::{Frame, Labels, Origin, Vectors},
    ledger::Ledger,
    machine::{Exit, Gp, Machine},
    memory::Land,
    oracle::Kind,
    spmd::{Spmd, To},
    vms,
};
use interrupts::Irqs;
use proxy_el2::vcpu::Vcpu;
use spmc::{
    context::{Context, Request, Slot},
    spm::{Left, Pe, Spmc},
    state::State,
};

/// The machine while the SPMC runs on a core of a [`World`].
macro_rules! chip {
    ($world:expr, $core:expr) => {
        crate::world::interrupts::Chip {
            console: &mut $world.console,
            irqs: &mut $world.irqs,
            land: &mut $world.land,
            core: $core,
        }
    };
}
use chip;

/// Where the execution contexts of a [`World`] live, and the vCPUs of VMs in front of it.
#[derive(Debug, Default)]
pub struct Arena {
    pub(crate) contexts: Vec<Context<Gp>>,
    pub(crate) vcpus: Vec<Vcpu<vms::Gp>>,
}

/// Who has a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The normal world.
    Normal,
    /// This partition.
    Partition(Slot),
    /// Nobody: it is off.
    Off,
}

/// Who runs after a step, and what completed its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Who.
    pub who: Who,
    /// What its registers hold now.
    pub kind: Kind,
}

/// What made a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A call of the normal world, or an event of EL3's in its place.
    Normal,
    /// A call of this partition.
    Partition(Slot),
    /// An interrupt while this partition ran.
    Interrupt(Slot),
    /// This partition failed.
    Abort(Slot),
    /// A secure interrupt while this partition ran, or the normal world.
    Taken(Option<Slot>),
}

/// One core.
#[derive(Debug)]
pub(crate) struct Core<'c> {
    pub(crate) pe: Pe<'c, Gp>,
    pub(crate) machine: Machine,
    pub(crate) now: Who,
    left: Option<Left>,
    /// What the normal world held when it last ran here, and whose that was.
    pub(crate) sent: Frame,
    pub(crate) origin: Origin,
    exit: Exit,
    own_sp: u64,
    own_vectors: Vectors,
    /// x0-x17 of the last entry from EL3.
    entry: [u64; 18],
    /// The call of a VM behind the proxy, where it differs from what the proxy sends.
    pub(crate) behind_proxy: Option<(Origin, Frame)>,
    /// The partition that acted last.
    last: Option<Slot>,
}

/// The system.
#[derive(Debug)]
pub struct World<'c> {
    pub(crate) spmc: Box<Spmc<'c, Gp>>,
    pub(crate) cores: Vec<Core<'c>>,
    /// EL3.
    pub spmd: Spmd,
    pub(crate) specs: Vec<Spec>,
    /// Where registers get their values from.
    pub labels: Labels,
    /// The last accepted responses of each form and pair of ids to each context, as they were sent.
    responses: Vec<((u32, u32, usize), Frame)>,
    pub(crate) ledger: Ledger,
    irqs: Irqs,
    interrupts: bool,
    general: bool,
    pub(crate) has_memory: bool,
    pub(crate) land: Land,
    /// Characters written to the console.
    pub console: usize,
}

impl World<'_> {
    /// The response by the partition that runs on `core` to the request that it serves, in this
    /// form; to nobody if it serves none.
    pub fn response(&mut self, core: usize, fid: u32) -> Frame {
        let Who::Partition(slot) = self.cores[core].now else {
            return [0; 31];
        };
        let receiver = self
            .serves(core, slot)
            .map_or(0, |request| request.sender.0);
        self.labels
            .message(Origin::Partition(slot.0), fid, id(slot), receiver)
    }

    /// The request that a partition serves on this core.
    pub fn serves(&mut self, core: usize, slot: Slot) -> Option<Request> {
        self.cores[core].pe.context(slot)?.request()
    }

    /// Who has a core.
    pub fn now(&self, core: usize) -> Who {
        self.cores[core].now
    }

    /// Whether random steps have interrupts of partitions.
    pub fn has_interrupts(&self) -> bool {
        self.interrupts
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.specs.len()
    }

    /// How a partition was built.
    pub fn spec(&self, slot: Slot) -> Spec {
        self.specs[slot.index()]
    }

    /// What happened so far.
    pub fn counts(&self) -> crate::ledger::Counts {
        self.ledger.counts
    }

    /// How many cores there are.
    pub fn cores(&self) -> usize {
        self.cores.len()
    }

    /// Whether registers of a context that left this core wait to be saved.
    pub fn unsaved(&self, core: usize) -> bool {
        self.cores[core].left.is_some()
    }

    /// The state of a partition's context, if it is on this core.
    pub fn state(&mut self, core: usize, slot: Slot) -> Option<State> {
        let context = self.cores[core].pe.context(slot)?;
        Some(context.state())
    }

    /// The state of the context that a partition would be called in on this core, wherever it is.
    pub fn state_anywhere(&mut self, core: usize, slot: Slot) -> Option<State> {
        if let Some(state) = self.state(core, slot) {
            return Some(state);
        }
        let context = self.spmc.unpark(slot)?;
        let state = context.state();
        self.spmc.leave(slot, context);
        Some(state)
    }

    /// x0-x30 of whoever has this core, as it sees them now.
    pub fn registers(&mut self, core: usize) -> Frame {
        match self.cores[core].now {
            Who::Partition(slot) => self.cores[core]
                .pe
                .context(slot)
                .map_or([0; 31], |context| context.machine.x),
            _ => self.spmd.cpus[core].normal,
        }
    }

    /// Registers of the context that left this core are in memory.
    pub fn save(&mut self, core: usize) {
        let core = &mut self.cores[core];
        if let Some(left) = core.left.take() {
            self.spmc.saved(&mut core.pe, left);
        }
    }

    /// The normal world's endpoint `origin` makes an SMC.
    pub fn smc(&mut self, core: usize, origin: Origin, x: &Frame) -> Result<Landing, String> {
        self.leaves_normal(core, origin, x, Exit::Call)?;
        match self.spmd.from_normal(core, x) {
            To::Secure => self.enter_spmc(core),
            _ => self.normal_lands(core),
        }
    }

    /// The normal world's endpoint `origin`, whose registers are `x`, is interrupted by a secure
    /// interrupt.
    pub fn secure_interrupt(
        &mut self,
        core: usize,
        origin: Origin,
        x: &Frame,
    ) -> Result<Landing, String> {
        self.leaves_normal(core, origin, x, Exit::Interrupted)?;
        let _ = self.spmd.secure_interrupt(core, x);
        self.enter_spmc(core)
    }

    /// The normal world switches the core off.
    pub fn cpu_off(&mut self, core: usize) -> Result<Landing, String> {
        let x = self.labels.call(Origin::Hypervisor, fid::CPU_OFF, &[]);
        self.leaves_normal(core, Origin::Hypervisor, &x, Exit::Call)?;
        let _ = self.spmd.cpu_off(core, &x);
        let landing = self.enter_spmc(core)?;
        if landing.who != Who::Off {
            return Err(format!("CPU_OFF of core {core} left it on: {landing:?}"));
        }
        self.save(core);
        self.irqs.off(core);
        for slot in 0..self.specs.len() {
            if self.state(core, Slot(slot as u8)).is_some() {
                self.ledger
                    .switched_off(core, Slot(slot as u8), self.specs[slot].per_core);
            }
        }
        Ok(landing)
    }

    fn leaves_normal(
        &mut self,
        core: usize,
        origin: Origin,
        x: &Frame,
        exit: Exit,
    ) -> Result<(), String> {
        self.save(core);
        let core = &mut self.cores[core];
        if core.now != Who::Normal {
            return Err(format!(
                "the normal world does not have the core: {:?}",
                core.now
            ));
        }
        core.sent = *x;
        core.origin = origin;
        core.exit = exit;
        Ok(())
    }

    /// SP and vector registers that the normal world finds on this core.
    pub(crate) fn normal_live(&self, core: usize) -> (u64, &Vectors) {
        let core = &self.cores[core];
        (core.own_sp, &core.own_vectors)
    }

    /// The normal world has this SP on this core from now on.
    pub(crate) fn set_normal_sp(&mut self, core: usize, sp: u64) {
        let core = &mut self.cores[core];
        core.own_sp = sp;
        core.machine.sp = sp;
    }

    /// The normal world has these vector registers on this core from now on.
    pub(crate) fn set_normal_vectors(&mut self, core: usize, vectors: &Vectors) {
        let core = &mut self.cores[core];
        core.own_vectors.clone_from(vectors);
        core.machine.vectors.clone_from(vectors);
    }

    /// The partition that had this core last.
    pub(crate) fn last_partition(&self, core: usize) -> Option<Slot> {
        self.cores[core].last
    }

    /// The normal world changes its vector registers and SP on this core.
    pub fn normal_uses_vectors(&mut self, core: usize, origin: Origin) {
        let vectors = self.labels.vectors(origin);
        let sp = self.labels.sp(origin);
        let core = &mut self.cores[core];
        core.own_sp = sp;
        core.machine.sp = sp;
        core.own_vectors.clone_from(&vectors);
        core.machine.vectors = vectors;
    }

    fn running(&self, core: usize) -> Result<Slot, String> {
        match self.cores[core].now {
            Who::Partition(slot) => Ok(slot),
            other => Err(format!("no partition has the core, but {other:?}")),
        }
    }

    /// The partition that has the core calls.
    pub fn partition(&mut self, core: usize, x: &Frame) -> Result<Landing, String> {
        let slot = self.leaves_partition(core, x, Exit::Call)?;
        let before = self.views(core);
        let memory = self.memory_before(fid::of(x[0]));
        let Core { pe, .. } = &mut self.cores[core];
        let mut chip = chip!(self, core);
        let outcome = if self.general {
            self.spmc.handle_partition_general(pe, slot, &mut chip)
        } else {
            self.spmc.handle_partition(pe, slot, &mut chip)
        };
        let landing = self.settle(core, Actor::Partition(slot), outcome)?;
        let failed = landing.who == Who::Partition(slot) && matches!(landing.kind, Kind::Error(_));
        if failed {
            self.nothing_changed(core, &before, Some(slot))?;
        }
        self.memory_after(memory, x, failed)?;
        if self.ended_itself(core, slot) {
            self.memory_holds()?;
        }
        Ok(landing)
    }

    /// Whether a partition has one context, which migrates.
    pub fn has_single_context(&self, slot: Slot) -> bool {
        self.spmc.info(slot).is_some_and(|info| info.is_up())
    }

    /// An interrupt of the normal world arrives while a partition, whose registers are `x`, runs.
    pub fn interrupt(&mut self, core: usize, x: &Frame) -> Result<Landing, String> {
        let slot = self.leaves_partition(core, x, Exit::Interrupted)?;
        let pe = &mut self.cores[core].pe;
        let outcome = self
            .spmc
            .normal_world_interrupt(pe, slot, &mut chip!(self, core));
        self.settle(core, Actor::Interrupt(slot), outcome)
    }

    /// The partition that has the core fails.
    pub fn abort(&mut self, core: usize) -> Result<Landing, String> {
        let slot = self.running(core)?;
        let x = self.labels.frame(Origin::Partition(slot.0));
        self.leaves_partition(core, &x, Exit::Interrupted)?;
        let pe = &mut self.cores[core].pe;
        let outcome = self.spmc.abort(pe, slot, None, &mut chip!(self, core));
        let landing = self.settle(core, Actor::Abort(slot), outcome)?;
        self.memory_holds()?;
        Ok(landing)
    }

    /// The partition that has the core uses its vector registers: they are its own, and are changed.
    pub fn use_vectors(&mut self, core: usize) -> Result<(), String> {
        let slot = self.running(core)?;
        let Core { pe, machine, .. } = &mut self.cores[core];
        machine.use_vectors(pe, slot);
        let fresh = self.labels.vectors(Origin::Partition(slot.0));
        let context = pe.context(slot).ok_or("it has no context")?;
        if machine.vectors != context.machine.own_vectors {
            return Err(format!(
                "partition {:#x} finds other vector registers than it left",
                id(slot)
            ));
        }
        context.machine.own_vectors.clone_from(&fresh);
        machine.vectors = fresh;
        Ok(())
    }

    fn leaves_partition(&mut self, core: usize, x: &Frame, exit: Exit) -> Result<Slot, String> {
        self.save(core);
        let slot = self.running(core)?;
        self.cores[core].last = Some(slot);
        let sp = self.labels.sp(Origin::Partition(slot.0));
        let Core { pe, machine, .. } = &mut self.cores[core];
        let context = pe.context(slot).ok_or("it has no context")?;
        let gp = &mut context.machine;
        (gp.x, gp.sent, gp.exit, gp.own_sp) = (*x, *x, exit, sp);
        machine.sp = sp;
        Ok(slot)
    }
}
