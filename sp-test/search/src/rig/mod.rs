//! The real cores, put into a state; an event is made to happen; and the state that comes of it.

mod interrupts;
mod memory;
mod notifications;
mod proxy;
mod sabotage;
mod snapshot;
mod vcpus;

pub use proxy::TIMER;

use crate::{
    calls::{Kind, fid},
    events::Event,
    invariants::notifications::registers,
    label::{self, Frame, Origin},
    state::{By, Core, Form, Id, Now},
    view::View,
    world::World,
};
use interrupts::{Chip, LATER};
use notifications::Books;
use proxy_el2::vcpu::VcpuId;
use spmc::{
    context::{Context, Registers, Slot},
    spm::{Next, Outcome, Pe, Spmc, TimerRegister},
};

/// The machine's part of a context: general registers.
#[derive(Debug)]
pub struct General(pub Frame);

impl Registers for General {
    fn x(&mut self) -> &mut Frame {
        &mut self.0
    }
}

/// The real code, set up for a world.
#[derive(Debug)]
pub struct Rig {
    spmc: Box<Spmc<'static, General>>,
    cores: Vec<Pe<'static, General>>,
    chip: Chip,
    vms: Option<proxy::Vms>,
    /// Which vCPUs have left their core in this event.
    left: Vec<VcpuId>,
    /// Whether messages go without their short way.
    general: bool,
    /// Whether every context that leaves is saved as an event of its own.
    saves_all: bool,
    books: Books,
    /// Whether the proxy asks the SPMC in its own name.
    asks: bool,
}

impl Rig {
    /// The cores of `world`. Its contexts stay for as long as the process.
    pub fn new(world: &World, general: bool) -> Self {
        let mut spmc = Box::new(Spmc::new());
        for slot in 0..world.partitions.len() {
            let first = World::version(world.partitions[slot].minor);
            let added = spmc.add(world.info(slot), first);
            assert_eq!(added, Some(Slot(slot as u8)));
        }
        for (owner, region) in memory::regions(world) {
            assert_eq!(spmc.add_region(owner, region), Ok(()), "{region:?}");
        }
        let mut cores: Vec<_> = (0..world.cores).map(|core| Pe::new(core as u16)).collect();
        for (slot, index) in &world.contexts {
            let context = Box::leak(Box::new(Context::new(General(label::frame(0)))));
            spmc.adopt(&mut cores[usize::from(*index)], Slot(*slot), context);
        }
        Self {
            spmc,
            cores,
            chip: Chip::default(),
            vms: world.has_proxy().then(|| proxy::Vms::new(world)),
            left: Vec::new(),
            general,
            saves_all: world.interrupts.is_none(),
            books: Books::default(),
            asks: world.notified.is_some(),
        }
    }

    /// Makes `event`, which is number `number`, happen on `core` in the state of `before`, into which
    /// the rig has been put, and returns the state after it.
    ///
    /// # Errors
    /// The core did something that has no place in a state.
    pub fn act(
        &mut self,
        world: &World,
        before: &View,
        core: usize,
        number: usize,
        event: Event,
    ) -> Result<View, String> {
        let mut after = before.clone();
        self.left.clear();
        self.chip.core = core;
        let sends = match event {
            Event::Call(Kind::Notes(call)) => Some(call),
            _ => None,
        };
        if let Some(call) = sends {
            self.chip.memory.prepare(world, call);
        }
        let in_front = world.has_proxy() && before.s.core[core].now == Now::NormalWorld;
        let next = match event {
            Event::Saved => {
                self.saved(core, before)?;
                after.s.core[core].unsaved = None;
                None
            }
            Event::Start => {
                self.start(core, &mut after.s.core[core], world);
                if world.has_proxy() && after.s.core[core].now == Now::NormalWorld {
                    self.begin(core, &mut after)?;
                }
                None
            }
            Event::CoreOn(other) => {
                let other = usize::from(other);
                after.s.core[other].now = Now::Spmc;
                after.s.core[other].started = 0;
                self.spmc.core_is_on(&mut self.cores[other]);
                None
            }
            Event::Look | Event::Device(_) | Event::Devices | Event::Timer => {
                self.take(world, before, core, event);
                let current = match before.s.core[core].now {
                    Now::Slot(slot) => Some(Slot(slot)),
                    _ => None,
                };
                after.nwd[core] = self.cores[core].nwd.0;
                Some(
                    self.spmc
                        .dispatch(&mut self.cores[core], current, &mut self.chip),
                )
            }
            Event::SetTimer(on) => {
                let slot = slot(before, core)?;
                let pe = &mut self.cores[core];
                if on {
                    self.spmc.write_timer(
                        pe,
                        slot,
                        TimerRegister::CompareValue,
                        LATER,
                        &mut self.chip,
                    );
                }
                self.spmc
                    .write_timer(pe, slot, TimerRegister::Control, on.into(), &mut self.chip);
                None
            }
            _ if in_front => {
                self.vm_acts(core, &mut after, event)?;
                None
            }
            Event::Abort => {
                let slot = slot(before, core)?;
                Some(
                    self.spmc
                        .abort(&mut self.cores[core], slot, None, &mut self.chip),
                )
            }
            Event::Interrupt(_) => Some(self.spmc.normal_world_interrupt(
                &mut self.cores[core],
                slot(before, core)?,
                &mut self.chip,
            )),
            Event::Call(_) => Some(self.call(core, before)?),
            Event::Wfi(_) | Event::Again => return Err("no VM runs".into()),
        };
        if let Some(mut outcome) = next {
            if let Next::Reload(slot) = outcome.next {
                // The image does it before anything else runs.
                let pe = &mut self.cores[core];
                let context = pe.context(slot).ok_or("who failed is not here")?;
                let number = world.context(slot.0, core).ok_or("it has no context")?;
                context.machine.0 = label::frame(number as Origin);
                outcome = self.spmc.reloaded(pe, slot, true, &mut self.chip);
            }
            let head = world.chain(&before.s, core).last().copied();
            let head = head.map(|head| before.s.ctx[head].giver);
            self.outcome(core, &mut after, outcome, head)?;
            if world.has_proxy() && after.s.core[core].now == Now::NormalWorld {
                self.came_back(core, &mut after, event)?;
            }
        }
        // EL3 switches the core off if the SPMC agrees.
        let nwd = &self.cores[core].nwd;
        let asked = event == Event::Call(Kind::Spmd(0, fid::PSCI_CPU_OFF as u32))
            || before.s.core[core].told.is_some();
        if asked
            && after.s.core[core].now == Now::NormalWorld
            && nwd[0] == fid::response(Form::Narrow)
            && nwd[3] == 0
        {
            after.s.core[core].now = Now::Off;
        }
        self.sabotage(world, before, event)?;
        self.note(world, &mut after)?;
        if world.has_proxy() {
            self.note_vms(world, core, number, &mut after)?;
        }
        if let Some(call) = sends {
            let sent = registers(world, &after, core)[0] == fid::SUCCESS;
            self.chip.memory.check(world, call, sent)?;
        }
        Ok(after)
    }

    fn call(&mut self, core: usize, before: &View) -> Result<Outcome, String> {
        let pe = &mut self.cores[core];
        Ok(match (before.s.core[core].now, self.general) {
            (Now::NormalWorld, false) => self.spmc.handle_normal_world(pe, &mut self.chip),
            (Now::NormalWorld, true) => self.spmc.handle_normal_world_general(pe, &mut self.chip),
            (Now::Slot(slot), false) => self.spmc.handle_partition(pe, Slot(slot), &mut self.chip),
            (Now::Slot(slot), true) => {
                self.spmc
                    .handle_partition_general(pe, Slot(slot), &mut self.chip)
            }
            (now, _) => return Err(format!("a call while the core is {now:?}'s")),
        })
    }

    fn saved(&mut self, core: usize, before: &View) -> Result<(), String> {
        let slot = before.s.core[core].unsaved.ok_or("nobody has left")?;
        let pe = &mut self.cores[core];
        let left = self.spmc.left(pe, Slot(slot));
        self.spmc.saved(pe, left.ok_or("who left is not here")?);
        Ok(())
    }

    /// Starts the next partition of those that have never run, or whose core was off. The image has
    /// put the registers of a first entry there.
    fn start(&mut self, core: usize, noted: &mut Core, world: &World) {
        while usize::from(noted.started) < world.partitions.len() {
            let slot = noted.started;
            noted.started += 1;
            if self.spmc.start(&mut self.cores[core], Slot(slot)) {
                noted.now = Now::Slot(slot);
                self.enable_all(core, slot, world);
                return;
            }
        }
        noted.now = Now::NormalWorld;
    }

    /// The first that a partition does: it enables all of its interrupts, where the search does not
    /// leave that open.
    fn enable_all(&mut self, core: usize, slot: u8, world: &World) {
        let Some(interrupts) = world.interrupts.filter(|interrupts| !interrupts.enables) else {
            return;
        };
        for id in world.ids(slot) {
            let kind = Kind::Enable {
                id: id.number(slot),
                on: true,
            };
            let pe = &mut self.cores[core];
            let Some(context) = pe.context(Slot(slot)) else {
                return;
            };
            let before = context.machine.0;
            context.machine.0 = kind.frame(0);
            let _ = self
                .spmc
                .handle_partition_general(pe, Slot(slot), &mut self.chip);
            if let Some(context) = pe.context(Slot(slot)) {
                context.machine.0 = before;
            }
        }
        debug_assert!(!interrupts.enables);
    }

    /// Takes an interrupt, as the image does: it is acknowledged and its priority dropped.
    fn take(&mut self, world: &World, before: &View, core: usize, event: Event) {
        let pe = &mut self.cores[core];
        let mut device = |slot: u8| {
            self.chip.devices[usize::from(slot)].active = Some(core as u8);
            self.spmc
                .device(pe, Id::Device.number(slot), &mut self.chip);
        };
        match event {
            Event::Device(slot) => device(slot),
            Event::Devices => {
                for slot in 0..world.partitions.len() {
                    if crate::events::may_come(world, &before.s, slot) {
                        device(slot as u8);
                    }
                }
            }
            Event::Timer => {
                self.chip.now = LATER;
                self.chip.alarms[core] = false;
                self.spmc.timer(pe, &mut self.chip);
            }
            _ => {
                self.chip.kicks[core] = false;
                self.spmc.kicked(pe, &mut self.chip);
            }
        }
    }

    /// What came of an event. `head` is who gave the cycles to the chain that ran before.
    fn outcome(
        &self,
        core: usize,
        after: &mut View,
        outcome: Outcome,
        head: Option<By>,
    ) -> Result<(), String> {
        let Outcome { next, left } = outcome;
        let noted = &mut after.s.core[core];
        let caller = noted.now;
        let entered = match next {
            Next::NormalWorld | Next::NormalWorldResume => Now::NormalWorld,
            Next::Partition(slot) => Now::Slot(slot.0),
            Next::Booted => Now::Spmc,
            Next::Reload(_) | Next::Wipe(_) | Next::PowerOff => {
                return Err("a restart that led to another, or a destruction".to_owned());
            }
        };
        let resumes = caller == Now::NormalWorld || head == Some(By::InterruptedNormalWorld);
        if next == Next::NormalWorldResume && !resumes {
            return Err(format!("{caller:?} ended in a resume of the normal world"));
        }
        if caller == Now::NormalWorld && matches!(entered, Now::Slot(_)) {
            noted.wide_entry = fid::is_wide(self.cores[core].nwd[0]);
        }
        if !matches!(entered, Now::Slot(_)) {
            noted.wide_entry = false;
        }
        noted.now = entered;
        if let Some(left) = left {
            if caller != Now::Slot(left.slot().0) {
                return Err(format!("{left:?} left, but {caller:?} ran"));
            }
            // With interrupts, only those that another core may have next are saved as an event of its own.
            let apart = left.migrates() || self.saves_all;
            noted.unsaved = apart.then_some(left.slot().0);
        }
        Ok(())
    }
}

fn slot(before: &View, core: usize) -> Result<Slot, String> {
    match before.s.core[core].now {
        Now::Slot(slot) => Ok(Slot(slot)),
        now => Err(format!("{now:?} runs, and no partition")),
    }
}

/// The number of the vCPU that runs on `core`, or on whose behalf a partition does.
pub fn on_top(view: &View, core: usize) -> Option<usize> {
    let chain = view.s.core[core].chain;
    chain
        .iter()
        .rev()
        .flatten()
        .next()
        .map(|top| usize::from(*top))
}

/// The label that the frames of whoever makes a call on `core` carry.
pub fn caller(world: &World, before: &View, core: usize) -> Origin {
    match before.s.core[core].now {
        Now::Slot(slot) => world.context(slot, core).unwrap_or_default() as Origin,
        _ if world.has_proxy() => label::vcpu(on_top(before, core).unwrap_or_default()),
        _ => label::normal_world(core),
    }
}

/// Writes a call into the registers of who makes it.
pub fn make_call(world: &World, view: &mut View, core: usize, kind: Kind) {
    let origin = caller(world, view, core);
    let x = kind.frame(origin);
    match (view.s.core[core].now, label::vcpu_of(origin)) {
        (Now::Slot(_), _) => view.x[usize::from(origin)] = x,
        (_, Some(number)) => view.vcpus[number] = x,
        _ => view.nwd[core].copy_from_slice(&x[..18]),
    }
}
