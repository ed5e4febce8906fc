//! Ways to states, and telling them.

use super::{Worker, behave, happen::base};
use crate::{
    events::{Event, Events},
    rig::make_call,
    state::{Now, S},
    view::View,
    world::World,
};
use std::{
    cell::Cell,
    sync::{Arc, Mutex, PoisonError},
};

/// How many events are told of what follows.
const TOLD: usize = 24;

/// An event and the number of the state in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state.
    pub from: u32,
    /// The core.
    pub core: u8,
    /// The event's number.
    pub event: u16,
}

/// The event that led to each state first, in the order of their numbers; the start has none.
#[derive(Debug, Default)]
pub struct Paths {
    layers: Vec<Arc<Vec<Step>>>,
}

/// The search of the moment, for the message of a panic.
static CURRENT: Mutex<Option<(World, Arc<Paths>)>> = Mutex::new(None);

thread_local! {
    /// The event of the moment.
    static STEP: Cell<Option<Step>> = const { Cell::new(None) };
}

pub(super) fn publish(world: &World, paths: &Arc<Paths>) {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    *current = Some((world.clone(), paths.clone()));
}

pub(super) fn note(step: Step) {
    STEP.set(Some(step));
}

/// Where panics end the process: lets one of a core tell the events that led to it.
pub fn announce_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        let Some(step) = STEP.take() else {
            return;
        };
        let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((world, paths)) = &*current {
            eprintln!("configuration {}, by these events:", world.name);
            for line in paths.explain(world, &Events::of(world), step) {
                eprintln!("  {line}");
            }
        }
    }));
}

impl Paths {
    /// With one more layer.
    pub(super) fn longer(&self, layer: Vec<Step>) -> Self {
        let mut layers = self.layers.clone();
        layers.push(Arc::new(layer));
        Self { layers }
    }

    /// The event that led to a state first.
    pub(super) fn step(&self, state: u32) -> Option<Step> {
        let mut place = (state as usize).checked_sub(1)?;
        for layer in &self.layers {
            match layer.get(place) {
                Some(step) => return Some(*step),
                None => place -= layer.len(),
            }
        }
        None
    }

    /// The events up to `last`.
    fn steps(&self, last: Step) -> Vec<Step> {
        let mut steps = vec![last];
        let mut state = last.from;
        while let Some(step) = self.step(state) {
            steps.push(step);
            state = step.from;
        }
        steps.reverse();
        steps
    }

    /// The events up to `last`, in words. All but the last are made to happen once more, to tell who
    /// had the core.
    pub(super) fn explain(&self, world: &World, events: &Events, last: Step) -> Vec<String> {
        Self::tell(world, events, &self.steps(last))
    }

    /// The events up to `last`, and what follows if everybody behaves.
    pub(super) fn explain_behaving(
        &self,
        world: &World,
        events: &Events,
        last: Option<Step>,
    ) -> Vec<String> {
        let steps = last.map_or(Vec::new(), |last| self.steps(last));
        let mut worker = Worker::new(world);
        let mut s = start(world, events);
        for step in &steps {
            if let Ok(view) = replay(world, events, &mut worker, &s, *step) {
                s = world.canonical(&view.s);
            }
        }
        let mut lines = Self::tell(world, events, &steps);
        lines.push("and if everybody behaves:".into());
        for _ in 0..TOLD {
            let next = behave::next(world, &s).and_then(|(core, event)| {
                let mut enabled = events.enabled(world, &s, core);
                Some((core, enabled.find(|number| events.all[*number] == event)?))
            });
            let Some((core, event)) = next else {
                break;
            };
            lines.push(format!(
                "   core {core}, {}: {}",
                who(world, &s, core),
                events.all[event]
            ));
            let step = Step {
                from: 0,
                core: core as u8,
                event: event as u16,
            };
            match replay(world, events, &mut worker, &s, step) {
                Ok(view) => s = world.canonical(&view.s),
                Err(what) => lines.push(what),
            }
        }
        lines
    }

    fn tell(world: &World, events: &Events, steps: &[Step]) -> Vec<String> {
        let mut worker = Worker::new(world);
        let mut s = start(world, events);
        let mut lines = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let (core, event) = (usize::from(step.core), events.all[usize::from(step.event)]);
            lines.push(format!(
                "{}. core {core}, {}: {event}",
                number + 1,
                who(world, &s, core)
            ));
            if number + 1 == steps.len() {
                break;
            }
            match replay(world, events, &mut worker, &s, *step) {
                Ok(view) => s = world.canonical(&view.s),
                Err(what) => {
                    lines.push(format!("   {what}"));
                    break;
                }
            }
        }
        lines
    }
}

/// Where a search starts: nothing has run, or all partitions have started on all cores.
pub(super) fn start(world: &World, events: &Events) -> S {
    let mut s = world.canonical(&world.start());
    if !world.interrupts.is_some_and(|interrupts| interrupts.booted) {
        return s;
    }
    let mut worker = Worker::new(world);
    loop {
        let off = (0..world.cores).find(|core| s.core[*core].now == Now::Unborn);
        let on = off.map(|core| (0, Event::CoreOn(core as u8)));
        let next = behave::next(world, &s).or(on).and_then(|(core, event)| {
            let mut enabled = events.enabled(world, &s, core);
            let number = enabled.find(|number| events.all[*number] == event)?;
            Some(Step {
                from: 0,
                core: core as u8,
                event: number as u16,
            })
        });
        let Some(step) = next else {
            return s;
        };
        match replay(world, events, &mut worker, &s, step) {
            Ok(view) => s = world.canonical(&view.s),
            Err(what) => panic!("while it boots: {what}"),
        }
    }
}

fn replay(
    world: &World,
    events: &Events,
    worker: &mut Worker,
    s: &S,
    step: Step,
) -> Result<View, String> {
    let (core, number) = (usize::from(step.core), usize::from(step.event));
    let mut before = base(world, events, s);
    if let Event::Call(kind) = events.all[number] {
        make_call(world, &mut before, core, kind);
    }
    worker.short.load(world, &before);
    worker
        .short
        .act(world, &before, core, number, events.all[number])
}

/// Who has a core, in words.
fn who(world: &World, s: &S, core: usize) -> String {
    match s.core[core].now {
        Now::Unborn | Now::Off => "which is off".into(),
        Now::Spmc => "the SPMC".into(),
        Now::NormalWorld => match s.core[core].chain.iter().rev().flatten().next() {
            Some(top) => {
                let (vm, index) = world.vcpus[usize::from(*top)];
                format!("VM {}, vCPU {index}", World::vm_id(vm))
            }
            None => "the normal world".into(),
        },
        Now::Slot(slot) => format!("partition {:#x}", World::id(usize::from(slot))),
    }
}
