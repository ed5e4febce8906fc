//! What can happen: one event for each call with one representative of each class of arguments, and
//! what happens to an endpoint.

mod alphabet;
mod several;

use crate::{
    calls::Kind,
    state::{Core, Now, S},
    world::World,
};
use alphabet::{normal_world, partition, vm};
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
    /// The proxy makes its next call of EL3: it runs a partition again that its own interrupt took
    /// away, or sends a request that had to wait.
    Again,
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
        let mut add = |kinds: Vec<Kind>| {
            let start = all.len();
            all.extend(kinds.into_iter().map(Event::Call));
            start..all.len()
        };
        let normal_world = add(if world.has_proxy() {
            Vec::new()
        } else {
            normal_world(world)
        });
        let vms = (0..world.vms.len() as u8)
            .map(|number| {
                add(match world.has_several() {
                    true => several::vm(world, number),
                    false => vm(world),
                })
            })
            .collect();
        let partition = (0..world.partitions.len())
            .map(|slot| {
                add(match world.has_several() {
                    true => several::partition(world, slot),
                    false => partition(world, slot),
                })
            })
            .collect();
        let start = all.len();
        all.extend([Event::Wfi(false), Event::Wfi(true), Event::Abort]);
        let interrupts = all.len();
        all.extend([
            Event::Interrupt(Whose::Level(0)),
            Event::Interrupt(Whose::Level(1)),
            Event::Interrupt(Whose::Level(2)),
            Event::Interrupt(Whose::Proxy),
            Event::Interrupt(Whose::Nobody),
        ]);
        Self {
            happens: interrupts - 1..all.len(),
            happens_to_vm: start..all.len(),
            all,
            normal_world,
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
        first.chain(second).filter(move |event| {
            match self.all[*event] {
                // Only a core that is not on can be switched on.
                Event::CoreOn(other) => {
                    matches!(cores[usize::from(other)], Now::Unborn | Now::Off)
                }
                Event::Call(_) | Event::Saved | Event::Start | Event::Again => true,
                // A primary that waits has the core, and one that fails ends everything.
                Event::Wfi(_) => on_top > 0,
                Event::Abort => !for_vm || on_top > 0,
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
