//! What can happen: one event for each call with one representative of each class of arguments, and
//! what happens to an endpoint.

mod alphabet;
mod interrupts;
mod notifications;
mod several;

use crate::invariants::interrupts::mask;
use crate::{
    calls::Kind,
    state::{Core, Life, Now, S},
    world::World,
};
use alphabet::{normal_world, partition, vm};
pub use notifications::get;
use spmc::spm::Mask;
use std::fmt;

/// An event of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call by whoever has the core.
    Call(Kind),
    /// An interrupt of the normal world while a partition or a VM runs, or nobody does.
    Interrupt(Whose),
    /// The running partition's context, or the running VM, fails.
    Abort,
    /// The running vCPU waits for an interrupt; whether there is one already.
    Wfi(bool),
    /// The context that left is in memory.
    Saved,
    /// The SPMC starts the next partition, or gives the core to the normal world.
    Start,
    /// The normal world switches this core on.
    CoreOn(u8),
    /// A core takes the SPMC's own interrupt.
    Look,
    /// The interrupt of a partition's device.
    Device(u8),
    /// Those of all devices that can come, at once.
    Devices,
    /// The core's own timer fires.
    Timer,
    /// The running partition sets up its timer, or switches it off.
    SetTimer(bool),
    /// The proxy makes its next call of EL3: it runs a partition again that its own interrupt took
    /// away, or sends a request that had to wait.
    Again,
}

/// Whether the interrupt of a partition's device can come on a core that lets it through. That of a
/// partition that has failed can have been on its way.
pub fn may_come(world: &World, s: &S, slot: usize) -> bool {
    let device = s.devices[slot];
    let alive = s.lives[slot] == Life::Alive;
    world.has_device(slot) && device.active.is_none() && (device.enabled || !alive)
}

/// Whom an interrupt is for, as far as VMs are in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The member of the chain at this level, and perhaps those above. Level 0 stands as well for the
    /// end of its time slice.
    Level(u8),
    /// The proxy's own.
    Proxy,
    /// There is none that is pending when the proxy looks.
    Nobody,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(kind) => kind.fmt(f),
            Self::Interrupt(Whose::Level(level)) => write!(f, "an interrupt for level {level}"),
            Self::Interrupt(Whose::Proxy) => f.write_str("an interrupt of the proxy's own"),
            Self::Interrupt(Whose::Nobody) => f.write_str("an interrupt that goes away"),
            Self::Wfi(false) => f.write_str("WFI"),
            Self::Wfi(true) => f.write_str("WFI, with an interrupt pending"),
            Self::Abort => f.write_str("it fails"),
            Self::Saved => f.write_str("the context that left is saved"),
            Self::Start => f.write_str("the SPMC goes on booting"),
            Self::CoreOn(core) => write!(f, "core {core} is switched on"),
            Self::Look => f.write_str("the SPMC's own interrupt"),
            Self::Device(slot) => write!(
                f,
                "the interrupt of the device of {:#x}",
                World::id(usize::from(*slot))
            ),
            Self::Devices => f.write_str("the interrupts of all devices at once"),
            Self::Timer => f.write_str("the core's own timer fires"),
            Self::SetTimer(true) => f.write_str("it sets up its timer"),
            Self::SetTimer(false) => f.write_str("it switches off its timer"),
            Self::Again => f.write_str("the proxy calls EL3 again"),
        }
    }
}

/// The events of a world, by who makes them happen; an event's number is its place.
#[derive(Debug)]
pub struct Events {
    /// All of them.
    pub all: Vec<Event>,
    normal_world: std::ops::Range<usize>,
    vms: Vec<std::ops::Range<usize>>,
    partition: Vec<std::ops::Range<usize>>,
    interrupts: std::ops::Range<usize>,
    happens: std::ops::Range<usize>,
    happens_to_vm: std::ops::Range<usize>,
}

const SAVED: usize = 0;
const START: usize = 1;
const AGAIN: usize = 2;

impl Events {
    /// The events of `world`.
    pub fn of(world: &World) -> Self {
        let mut all = vec![Event::Saved, Event::Start, Event::Again];
        all.extend((0..world.cores).map(|core| Event::CoreOn(core as u8)));
        let mut add = |events: Vec<Event>| {
            let start = all.len();
            all.extend(events);
            start..all.len()
        };
        let calls = |kinds: Vec<Kind>| kinds.into_iter().map(Event::Call).collect::<Vec<_>>();
        let with_interrupts = world.interrupts.is_some();
        let normal_world = add(match world.has_proxy() {
            true => Vec::new(),
            false if with_interrupts => calls(interrupts::normal_world(world)),
            false => calls(normal_world(world)),
        });
        let vms = (0..world.vms.len() as u8)
            .map(|number| {
                add(calls(match world.has_several() {
                    true => several::vm(world, number),
                    false => vm(world),
                }))
            })
            .collect();
        let partition = (0..world.partitions.len())
            .map(|slot| {
                add(match world.has_several() {
                    true => calls(several::partition(world, slot)),
                    false if with_interrupts => interrupts::partition(world, slot),
                    false => calls(partition(world, slot)),
                })
            })
            .collect();
        let slots = (0..world.partitions.len()).filter(|slot| world.has_device(*slot));
        let mut taken = vec![Event::Look];
        taken.extend(slots.map(|slot| Event::Device(slot as u8)));
        if with_interrupts {
            taken.extend([Event::Devices, Event::Timer]);
        }
        let interrupts = add(taken);
        let start = all.len();
        all.extend([Event::Wfi(false), Event::Wfi(true), Event::Abort]);
        let aborts = all.len() - 1;
        all.extend([
            Event::Interrupt(Whose::Level(0)),
            Event::Interrupt(Whose::Level(1)),
            Event::Interrupt(Whose::Level(2)),
            Event::Interrupt(Whose::Proxy),
            Event::Interrupt(Whose::Nobody),
        ]);
        Self {
            happens: aborts..all.len(),
            happens_to_vm: start..all.len(),
            all,
            normal_world,
            interrupts,
            vms,
            partition,
        }
    }

    /// Which can happen on `core`.
    pub fn enabled<'e>(
        &'e self,
        world: &'e World,
        s: &S,
        core: usize,
    ) -> impl Iterator<Item = usize> + 'e {
        let Core {
            now, unsaved, el3, ..
        } = s.core[core];
        let chain = s.core[core].chain;
        let cores: [Now; 2] = [s.core[0].now, s.core[1].now];
        let mask = mask(world, s, core);
        let s = *s;
        let third = match now {
            Now::NormalWorld | Now::Slot(_) if unsaved.is_none() && el3.is_none() => {
                self.interrupts.clone()
            }
            _ => 0..0,
        };
        let (first, second) = match now {
            _ if unsaved.is_some() => (SAVED..SAVED + 1, 0..0),
            Now::Unborn | Now::Off => (0..0, 0..0),
            Now::Spmc => (START..START + 1, 0..0),
            Now::NormalWorld if el3.is_some() => (AGAIN..AGAIN + 1, 0..0),
            Now::NormalWorld if world.has_proxy() => {
                let running = chain.iter().rev().flatten().next();
                let vm = running.map(|running| world.vcpus[usize::from(*running)].0);
                let calls = vm.map_or(0..0, |vm| self.vms[usize::from(vm)].clone());
                (calls, self.happens_to_vm.clone())
            }
            Now::NormalWorld => (self.normal_world.clone(), AGAIN + 1..self.first_call()),
            Now::Slot(slot) => (
                self.partition[usize::from(slot)].clone(),
                self.happens.clone(),
            ),
        };
        let on_top = chain.iter().flatten().count().saturating_sub(1);
        let for_vm = now == Now::NormalWorld;
        let several = world.has_several();
        let has_chain = chain[0].is_some();
        let fails = world.interrupts.is_none_or(|interrupts| interrupts.fails);
        first.chain(second).chain(third).filter(move |event| {
            match self.all[*event] {
                // Only a core that is not on can be switched on.
                Event::CoreOn(other) => {
                    let now = cores[usize::from(other)];
                    now == Now::Unborn || now == Now::Off && world.on_again
                }
                Event::Call(_)
                | Event::Saved
                | Event::Start
                | Event::Again
                | Event::SetTimer(_) => true,
                Event::Look => s.core[core].kick,
                Event::Device(slot) => mask != Mask::Own && may_come(world, &s, slot.into()),
                Event::Devices => {
                    let slots = 0..world.partitions.len();
                    let coming = slots.filter(|slot| may_come(world, &s, *slot)).count();
                    mask != Mask::Own && coming > 1
                }
                Event::Timer => s.core[core].alarm,
                // What is masked stays pending.
                Event::Interrupt(_) if world.interrupts.is_some() && mask != Mask::Open => false,
                // A primary that waits has the core, and one that fails ends everything.
                Event::Wfi(_) => on_top > 0,
                Event::Abort => fails && (!for_vm || on_top > 0),
                // One VM is not interrupted in the search: it goes on as it was.
                Event::Interrupt(_) if for_vm && !several => false,
                Event::Interrupt(Whose::Level(level)) => {
                    let level = usize::from(level);
                    level <= on_top && (!for_vm || level < on_top)
                }
                Event::Interrupt(Whose::Proxy) => has_chain || for_vm,
                Event::Interrupt(Whose::Nobody) => several && has_chain && !for_vm,
            }
        })
    }

    fn first_call(&self) -> usize {
        self.normal_world.start
    }
}
