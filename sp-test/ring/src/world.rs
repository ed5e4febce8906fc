//! A system of endpoints around the two cores, stepped one call or event at a time.
//!
//! Partitions and the normal world are scripted: whoever runs on a core is given registers to call
//! with, and everything between them and the next endpoint that runs is real (the SPMC's core) or a
//! model ([`Spmd`], [`Machine`]). Each landing is judged in all of its registers by the
//! [oracle], each step is booked in the [ledger](crate::ledger), and a step that
//! failed must not have changed anything. A violation is an `Err` that says what was seen.
//!
//! `saved` is an event of its own: after a step in which a context left its core, other cores may act
//! before [`World::save`], which the next step of the same core does in any case.

use crate::{
    fid,
    label::{Frame, Labels, Origin, Vectors},
    ledger::Ledger,
    machine::{Exit, Gp, Machine},
    oracle::{self, Extended, Kind, Seen},
    spmd::{Behaviour, Spmd, To},
};
use ffa_abi::{EndpointId, Regs, Uuid, Version, contract::Mode};
use spmc::{
    context::{Context, Giver, Messaging, Parked, PartitionInfo, Request, Service, Slot, WaitsFor},
    spm::{self, Left, Next, Outcome, Pe, Spmc},
    state::{Model, State},
};

/// All four ways of exchanging direct messages.
pub const EVERYTHING: u32 = 1 | 1 << 1 | 1 << 9 | 1 << 10;

/// A partition to build.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The version that it speaks.
    pub version: Version,
    /// Strict or permissive.
    pub mode: Mode,
    /// One context on each core, instead of one that migrates.
    pub per_core: bool,
    /// `messaging-method` of its manifest.
    pub messaging: u32,
    /// `messaging-method` of its second service; the first has the partition's.
    pub second: u32,
    /// The call in which it ends its initialisation: `MSG_WAIT_32` or `MSG_WAIT_64`.
    pub wait: u32,
}

impl Spec {
    /// A permissive partition with one context that exchanges all kinds of messages.
    pub const fn new(version: Version) -> Self {
        Self {
            version,
            mode: Mode::Permissive,
            per_core: false,
            messaging: EVERYTHING,
            second: EVERYTHING,
            wait: fid::MSG_WAIT_32,
        }
    }

    /// The same in this mode.
    pub const fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The same with a context on each core.
    pub const fn per_core(self) -> Self {
        Self {
            per_core: true,
            ..self
        }
    }

    /// The same, ending its initialisation with this call.
    pub const fn waiting_in(self, wait: u32) -> Self {
        Self { wait, ..self }
    }
}

/// A system to build.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which SPMD.
    pub behaviour: Behaviour,
    /// How many cores.
    pub cores: usize,
    /// The partitions, whose ids count from 0x8001.
    pub partitions: Vec<Spec>,
    /// Never take the short way of direct messages.
    pub general: bool,
}

/// Where the execution contexts of a [`World`] live.
#[derive(Debug, Default)]
pub struct Arena(Vec<Context<Gp>>);

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
}

/// The id of the partition in a slot.
pub const fn id(slot: Slot) -> u16 {
    0x8001 + slot.0 as u16
}

/// The service (UUID) number `n`, 0 or 1, of a partition; 0 is offered by all.
pub fn service(slot: Slot, n: u8) -> Uuid {
    // No word of it looks like a label.
    let mut uuid = Uuid([0x21; 16]);
    if n != 0 {
        uuid.0[12] = slot.0;
        uuid.0[13] = n;
    }
    uuid
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
}

/// The system.
#[derive(Debug)]
pub struct World<'c> {
    spmc: Spmc<'c, Gp>,
    pub(crate) cores: Vec<Core<'c>>,
    /// EL3.
    pub spmd: Spmd,
    pub(crate) specs: Vec<Spec>,
    /// Where registers get their values from.
    pub labels: Labels,
    /// The last accepted response of each form and pair of ids to each context, as it was sent.
    responses: Vec<((u32, u32, usize), Frame)>,
    pub(crate) ledger: Ledger,
    general: bool,
    /// The request of a VM behind the proxy, where it differs from what the proxy sends.
    pub(crate) behind_proxy: Option<(Origin, Frame)>,
    /// Characters written to the console.
    pub console: usize,
}

struct Console<'a>(&'a mut usize);

impl spm::Machine for Console<'_> {
    fn console(&mut self, _from: EndpointId, _character: u8) {
        *self.0 += 1;
    }
}

/// What an error may not change of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) slot: Slot,
    pub(crate) state: State,
    pub(crate) model: Model,
    pub(crate) giver: Giver,
    pub(crate) request: Option<Request>,
    pub(crate) waits_for: WaitsFor,
    pub(crate) call_is_wide: bool,
    pub(crate) parked: Option<Parked>,
    pub(crate) x: Frame,
}

impl<'c> World<'c> {
    /// Builds a system and lets its partitions initialise.
    pub fn new(config: &Config, arena: &'c mut Arena) -> Result<Self, String> {
        let mut labels = Labels::default();
        let mut places = Vec::new();
        for (n, spec) in config.partitions.iter().enumerate() {
            let contexts = if spec.per_core { config.cores } else { 1 };
            places.extend((0..contexts).map(|core| (Slot(n as u8), core)));
        }
        arena.0 = places
            .iter()
            .map(|(slot, _)| {
                let origin = Origin::Partition(slot.0);
                let x = labels.frame(origin);
                let sp = labels.sp(origin);
                Context::new(Gp::new(x, sp))
            })
            .collect();

        let mut spmc = Spmc::new();
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
            })
            .collect();
        for (n, spec) in config.partitions.iter().enumerate() {
            let slot = Slot(n as u8);
            let services = [(0, spec.messaging), (1, spec.second)].map(|(n, messaging)| Service {
                uuid: service(slot, n),
                messaging: Messaging(messaging),
            });
            let info = PartitionInfo {
                id: EndpointId(id(slot)),
                services: services.into_iter().collect(),
                messaging: Messaging(spec.messaging),
                contexts: if spec.per_core {
                    config.cores as u16
                } else {
                    1
                },
                mode: spec.mode,
            };
            spmc.add(info, spec.version).ok_or("too many partitions")?;
        }
        for ((slot, core), context) in places.iter().zip(arena.0.iter_mut()) {
            spmc.adopt(&mut cores[*core].pe, *slot, context);
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
            general: config.general,
            behind_proxy: None,
            console: 0,
        };
        world.boot()?;
        Ok(world)
    }

    fn boot(&mut self) -> Result<(), String> {
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
        let Core { pe, .. } = &mut self.cores[core];
        let mut console = Console(&mut self.console);
        let outcome = if self.general {
            self.spmc.handle_partition_general(pe, slot, &mut console)
        } else {
            self.spmc.handle_partition(pe, slot, &mut console)
        };
        let landing = self.settle(core, Actor::Partition(slot), outcome)?;
        if landing.who == Who::Partition(slot) && matches!(landing.kind, Kind::Error(_)) {
            self.nothing_changed(core, &before, Some(slot))?;
        }
        Ok(landing)
    }

    /// An interrupt of the normal world arrives while a partition, whose registers are `x`, runs.
    pub fn interrupt(&mut self, core: usize, x: &Frame) -> Result<Landing, String> {
        let slot = self.leaves_partition(core, x, Exit::Interrupted)?;
        let outcome = self.spmc.preempt(&mut self.cores[core].pe, slot);
        self.settle(core, Actor::Interrupt(slot), outcome)
    }

    /// The partition that has the core fails.
    pub fn abort(&mut self, core: usize) -> Result<Landing, String> {
        let slot = self.running(core)?;
        let x = self.labels.frame(Origin::Partition(slot.0));
        self.leaves_partition(core, &x, Exit::Interrupted)?;
        let outcome = self.spmc.abort(&mut self.cores[core].pe, slot);
        self.settle(core, Actor::Abort(slot), outcome)
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
        let sp = self.labels.sp(Origin::Partition(slot.0));
        let Core { pe, machine, .. } = &mut self.cores[core];
        let context = pe.context(slot).ok_or("it has no context")?;
        let gp = &mut context.machine;
        (gp.x, gp.sent, gp.exit, gp.own_sp) = (*x, *x, exit, sp);
        machine.sp = sp;
        Ok(slot)
    }

    /// EL3 has entered the SPMC.
    fn enter_spmc(&mut self, core: usize) -> Result<Landing, String> {
        // EL3 may bounce what the SPMC completes with, once.
        for _ in 0..3 {
            let before = self.views(core);
            let mut regs = Regs::ZERO;
            regs.0.copy_from_slice(&self.spmd.cpus[core].secure[..18]);
            let Core { pe, entry, .. } = &mut self.cores[core];
            pe.nwd = regs;
            *entry = regs.0;
            let mut console = Console(&mut self.console);
            let outcome = if self.general {
                self.spmc.handle_normal_world_general(pe, &mut console)
            } else {
                self.spmc.handle_normal_world(pe, &mut console)
            };
            let fid = fid::of(regs.0[0]);
            if outcome.next != Next::NormalWorld {
                return self.settle(core, Actor::Normal, outcome);
            }
            let failed = self.cores[core].pe.nwd[0] == u64::from(fid::ERROR);
            if failed {
                self.nothing_changed(core, &before, None)?;
            } else if fid::is_request(fid) && regs.0[2] >> 31 & 1 == 0 {
                return Err("a request of the normal world was answered at once".to_owned());
            }
            match self.leave_spmc(core, outcome)? {
                To::Secure => {}
                To::Off => {
                    self.cores[core].now = Who::Off;
                    return Ok(Landing {
                        who: Who::Off,
                        kind: Kind::Resumed,
                    });
                }
                To::Normal => {
                    let landing = self.normal_lands(core)?;
                    return self.book(core, Actor::Normal, landing);
                }
            }
        }
        Err("EL3 and the SPMC bounce a call for ever".to_owned())
    }

    /// The SPMC completes towards EL3.
    fn leave_spmc(&mut self, core: usize, outcome: Outcome) -> Result<To, String> {
        let c = &mut self.cores[core];
        c.machine.restore_normal_world(&mut c.pe);
        c.left = outcome.left;
        if outcome.next == Next::NormalWorldResume {
            c.pe.nwd = spm::resume();
        } else {
            oracle::towards_el3(&c.entry, &c.pe.nwd.0)?;
        }
        let mut x = self.spmd.cpus[core].secure;
        x[..18].copy_from_slice(&c.pe.nwd.0);
        Ok(self.spmd.from_secure(core, &x))
    }

    fn settle(&mut self, core: usize, actor: Actor, outcome: Outcome) -> Result<Landing, String> {
        if let Actor::Partition(from) = actor {
            self.note_response(core, from)?;
        }
        let landing = match outcome.next {
            Next::Partition(slot) => {
                let c = &mut self.cores[core];
                let Core { machine, pe, .. } = c;
                // The image does the same before it says that the registers are saved.
                if let Some(left) = outcome.left.as_ref().filter(|left| left.migrates()) {
                    machine.leave(pe, left.slot());
                }
                c.machine.make_resident(&mut c.pe, slot);
                c.left = outcome.left;
                c.now = Who::Partition(slot);
                self.partition_lands(core, slot, actor)?
            }
            Next::Booted => {
                let c = &mut self.cores[core];
                c.machine.restore_normal_world(&mut c.pe);
                c.left = outcome.left;
                c.now = Who::Normal;
                Landing {
                    who: Who::Normal,
                    kind: Kind::Resumed,
                }
            }
            Next::NormalWorld | Next::NormalWorldResume => {
                if self.leave_spmc(core, outcome)? == To::Secure {
                    // A bounced completion: the SPMC says so in its place.
                    self.save(core);
                    self.ledger.bounced(core, actor);
                    return self.enter_spmc(core);
                }
                self.normal_lands(core)?
            }
        };
        self.book(core, actor, landing)
    }

    fn book(&mut self, core: usize, actor: Actor, landing: Landing) -> Result<Landing, String> {
        let mut views = self.views(core);
        crate::ledger::book(self, core, actor, landing, &views)?;
        if let Actor::Abort(_) = actor {
            // What is kept from it counts no more.
            views = self.views(core);
        }
        crate::ledger::sound(self, core, landing.who, &views)?;
        Ok(landing)
    }

    /// The normal world runs again: all of its registers are judged.
    fn normal_lands(&mut self, core: usize) -> Result<Landing, String> {
        self.cores[core].now = Who::Normal;
        let got = self.spmd.cpus[core].normal;
        let c = &self.cores[core];
        // What the proxy holds is its VM's.
        let mut from = self
            .behind_proxy
            .as_ref()
            .map_or([None, None], |(vm, _)| [None, Some(*vm)]);
        let kind = if c.exit == Exit::Interrupted {
            resumed(c.origin, &c.sent, &got)?
        } else {
            let call = fid::of(c.sent[0]);
            let extended =
                oracle::at_normal_world(self.spmd.behaviour, self.spmd.new_peers(), call, got[0]);
            let source = self.sent_response(core, &got);
            let kind = oracle::judge(&Seen {
                who: c.origin,
                sent: &c.sent,
                got: &got,
                source: source.as_ref(),
                extended,
            })?;
            if let Kind::Message(_) | Kind::Yield(_) = kind {
                from[0] = partition_of((got[1] >> 16) as u16);
            }
            kind
        };
        oracle::no_foreign_label(c.origin, &got, from)?;
        if c.machine.sp != c.own_sp {
            return Err(format!("{}: SP is {:#x}", c.origin, c.machine.sp));
        }
        if c.machine.vectors != c.own_vectors {
            return Err(format!("{}: vector registers have changed", c.origin));
        }
        Ok(Landing {
            who: Who::Normal,
            kind,
        })
    }

    /// The response that x0 and x1 of `got` say this is, as it was sent.
    pub(crate) fn sent_response(&self, core: usize, got: &Frame) -> Option<Frame> {
        if !fid::is_response(fid::of(got[0])) {
            return None;
        }
        let wanted = self.response_key(core, got);
        self.responses
            .iter()
            .find(|(key, _)| *key == wanted)
            .map(|(_, frame)| *frame)
    }

    /// Form, ids, and which context of the receiver.
    fn response_key(&self, core: usize, x: &Frame) -> (u32, u32, usize) {
        let receiver = Slot((x[1] as u16).wrapping_sub(0x8001) as u8);
        let place = if x[1] as u16 & 0x8000 == 0 {
            core
        } else {
            crate::ledger::place(self, receiver, core)
        };
        (fid::of(x[0]), x[1] as u32, place)
    }

    /// A partition runs again: all of its registers are judged.
    fn partition_lands(
        &mut self,
        core: usize,
        slot: Slot,
        actor: Actor,
    ) -> Result<Landing, String> {
        let who = Origin::Partition(slot.0);
        let sender = match actor {
            Actor::Normal => match &self.behind_proxy {
                Some((origin, frame)) => Some((*origin, *frame)),
                None => Some((self.cores[core].origin, self.cores[core].sent)),
            },
            Actor::Partition(from) if from != slot => self.cores[core]
                .pe
                .context(from)
                .map(|context| (Origin::Partition(from.0), context.machine.sent)),
            _ => None,
        };
        let Core { pe, machine, .. } = &mut self.cores[core];
        let sp = machine.sp;
        let gp = &pe
            .context(slot)
            .ok_or_else(|| format!("{slot:?} runs, and its context is elsewhere"))?
            .machine;
        if sp != gp.own_sp {
            return Err(format!("{who}: SP is {sp:#x}, wanted {:#x}", gp.own_sp));
        }
        let (sent, got, exit) = (gp.sent, gp.x, gp.exit);
        let mut from = None;
        let kind = match exit {
            Exit::New | Exit::Interrupted => resumed(who, &sent, &got)?,
            Exit::Call => {
                let source = match sender {
                    Some((_, frame)) if fid::is_request(fid::of(got[0])) => Some(frame),
                    _ => self.sent_response(core, &got),
                };
                let kind = oracle::judge(&Seen {
                    who,
                    sent: &sent,
                    got: &got,
                    source: source.as_ref(),
                    extended: Extended::Own,
                })?;
                if let Kind::Message(message) = kind {
                    from = if fid::is_request(message) {
                        sender.map(|(origin, _)| origin)
                    } else {
                        partition_of((got[1] >> 16) as u16)
                    };
                }
                // Its timeout.
                if let Kind::Yield(_) = kind {
                    from = partition_of((got[1] >> 16) as u16);
                }
                kind
            }
        };
        oracle::no_foreign_label(who, &got, [from, None])?;
        Ok(Landing {
            who: Who::Partition(slot),
            kind,
        })
    }

    /// Keeps the response that the partition `from` sent, if it was accepted.
    fn note_response(&mut self, core: usize, from: Slot) -> Result<(), String> {
        let Some(context) = self.cores[core].pe.context(from) else {
            return Err(format!("{from:?} called, and its context has gone"));
        };
        let sent = context.machine.sent;
        if context.state() == State::Waiting && fid::is_response(fid::of(sent[0])) {
            let key = self.response_key(core, &sent);
            self.responses.retain(|(other, _)| *other != key);
            self.responses.push((key, sent));
        }
        Ok(())
    }

    /// Whether another system is in the same state, down to every register: who has each core, what
    /// all contexts hold wherever they are, versions, and EL3's frames.
    pub fn same_as(&mut self, other: &mut World<'_>) -> Result<(), String> {
        for (n, (a, b)) in self.cores.iter_mut().zip(&mut other.cores).enumerate() {
            let place = |core: &Core<'_>| (core.now, core.left.is_some(), core.machine.sp);
            if place(a) != place(b) {
                return Err(format!("core {n}: {:?} and {:?}", place(a), place(b)));
            }
            if a.pe.nwd != b.pe.nwd {
                return Err(format!("core {n}: {:x?} and {:x?}", a.pe.nwd, b.pe.nwd));
            }
            let frames = (&self.spmd.cpus[n], &other.spmd.cpus[n]);
            if (frames.0.normal, frames.0.secure) != (frames.1.normal, frames.1.secure) {
                return Err(format!("core {n}: {frames:x?}"));
            }
            for slot in 0..self.specs.len() {
                let slot = Slot(slot as u8);
                same_context(a.pe.context(slot), b.pe.context(slot))
                    .map_err(|what| format!("core {n}, {slot:?}: {what}"))?;
            }
        }
        if self.spmc.negotiation(None) != other.spmc.negotiation(None) {
            return Err("the normal world's versions differ".to_owned());
        }
        for slot in 0..self.specs.len() {
            let slot = Slot(slot as u8);
            if self.spmc.negotiation(Some(slot)) != other.spmc.negotiation(Some(slot))
                || self.spmc.gone(slot) != other.spmc.gone(slot)
            {
                return Err(format!("the versions of {slot:?} differ"));
            }
            let (mut a, mut b) = (self.spmc.unpark(slot), other.spmc.unpark(slot));
            let same = same_context(a.as_deref_mut(), b.as_deref_mut());
            if let Some(context) = a {
                self.spmc.leave(slot, context);
            }
            if let Some(context) = b {
                other.spmc.leave(slot, context);
            }
            same.map_err(|what| format!("{slot:?} on no core: {what}"))?;
        }
        Ok(())
    }

    /// All contexts on this core.
    ///
    /// A kept response whose sender has died is as good as freed, when ever that is noticed.
    pub(crate) fn views(&mut self, core: usize) -> Vec<View> {
        let (ledger, specs) = (&self.ledger, &self.specs);
        let freed = |parked: &Parked| {
            let per_core = specs
                .get(parked.from.index())
                .is_some_and(|spec| spec.per_core);
            let place = if per_core { parked.core.into() } else { 0 };
            ledger.is_dead(parked.from, place)
        };
        let pe = &mut self.cores[core].pe;
        (0..specs.len() as u8)
            .filter_map(|n| {
                let slot = Slot(n);
                let context = pe.context(slot)?;
                Some(View {
                    slot,
                    state: context.state(),
                    model: context.model,
                    giver: context.giver,
                    request: context.request(),
                    waits_for: context.waits_for,
                    call_is_wide: context.call_is_wide,
                    parked: context.parked.clone().filter(|parked| !freed(parked)),
                    x: context.machine.x,
                })
            })
            .collect()
    }

    /// An error leaves no trace but in its caller's result registers.
    fn nothing_changed(
        &mut self,
        core: usize,
        before: &[View],
        caller: Option<Slot>,
    ) -> Result<(), String> {
        let now = self.views(core);
        let same = now.len() == before.len()
            && now.iter().zip(before).all(|(now, before)| {
                if Some(now.slot) == caller {
                    let mut other = before.clone();
                    other.x = now.x;
                    *now == other
                } else {
                    now == before
                }
            });
        if same {
            return Ok(());
        }
        Err(format!(
            "an error left a trace: {:?} became {:?}",
            brief(before),
            brief(&now)
        ))
    }
}

fn same_context(a: Option<&mut Context<Gp>>, b: Option<&mut Context<Gp>>) -> Result<(), String> {
    let (a, b) = match (a, b) {
        (None, None) => return Ok(()),
        (Some(a), Some(b)) => (a, b),
        (a, b) => return Err(format!("there: {} and {}", a.is_some(), b.is_some())),
    };
    fn links(c: &Context<Gp>) -> impl PartialEq + std::fmt::Debug + '_ {
        (
            (c.state(), c.model, c.giver, c.request(), c.expected()),
            (c.waits_for, c.call_is_wide, c.migrates, &c.parked),
        )
    }
    if links(a) != links(b) {
        return Err(format!("{:?} and {:?}", links(a), links(b)));
    }
    if a.machine != b.machine {
        return Err(format!("{:x?} and {:x?}", a.machine.x, b.machine.x));
    }
    Ok(())
}

fn brief(views: &[View]) -> Vec<String> {
    views
        .iter()
        .map(|view| {
            format!(
                "{:#x} {:?} {:?} by {:?} serves {:?} waits for {:?} wide {} parked {}",
                id(view.slot),
                view.state,
                view.model,
                view.giver,
                view.request,
                view.waits_for,
                view.call_is_wide,
                view.parked.is_some()
            )
        })
        .collect()
}

fn resumed(who: Origin, sent: &Frame, got: &Frame) -> Result<Kind, String> {
    match (0..31).find(|n| got[*n] != sent[*n]) {
        None => Ok(Kind::Resumed),
        Some(n) => Err(format!(
            "{who} was interrupted and goes on with x{n} {}, wanted {}",
            crate::label::describe(got[n]),
            crate::label::describe(sent[n])
        )),
    }
}

fn partition_of(id: u16) -> Option<Origin> {
    (0x8001..0x8010)
        .contains(&id)
        .then(|| Origin::Partition((id - 0x8001) as u8))
}
