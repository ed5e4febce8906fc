//! One event in one state.

use super::{Step, Worker};
use crate::{
    events::{Event, Events},
    invariants, label, model,
    rig::make_call,
    state::{Now, S},
    view::View,
    world::World,
};

/// The registers of a state, and those of a VM's call that is being served.
pub fn base(world: &World, events: &Events, s: &S) -> View {
    let mut view = View::of(world, s);
    for (number, vcpu) in s.vcpus.iter().enumerate() {
        if let Some(call) = vcpu.call
            && let Some(Event::Call(kind)) = events.all.get(usize::from(call))
        {
            view.vcpus[number] = kind.frame(label::vcpu(number));
        }
    }
    view
}

/// Makes an event happen in both cores, and checks everything.
pub fn happen(
    world: &World,
    events: &Events,
    worker: &mut Worker,
    state: &View,
    step: Step,
) -> Result<S, String> {
    let (core, number) = (usize::from(step.core), usize::from(step.event));
    let event = events.all[number];
    let before = &mut state.clone();
    if let Event::Call(kind) = event {
        make_call(world, before, core, kind);
    }
    if world.has_several() {
        return several(world, worker, before, step, event);
    }
    let results = [&mut worker.short, &mut worker.general].map(|rig| {
        rig.load(world, before);
        rig.act(world, before, core, number, event)
    });
    let general = results[1].as_ref().map_err(Clone::clone)?;
    let after = results[0].as_ref().map_err(Clone::clone)?;
    if let Some(difference) = after.difference(general, world, true) {
        return Err(format!(
            "the short way of messages differs from the general one: {difference}"
        ));
    }
    invariants::step(world, before, after, core, event)?;
    invariants::check(world, &after.s)?;
    let wanted = model::wanted(world, before, core, event);
    if let Some(difference) = after.difference(&wanted.view, world, wanted.unchanged) {
        return Err(difference);
    }
    if matches!(after.s.core[core].now, Now::Unborn) {
        return Err("the core is nobody's".into());
    }
    let s = world.canonical(&after.s);
    Ok(s)
}

/// The same with several VMs, of which no model says what must come: the invariants do.
fn several(
    world: &World,
    worker: &mut Worker,
    before: &View,
    step: Step,
    event: Event,
) -> Result<S, String> {
    let (core, number) = (usize::from(step.core), usize::from(step.event));
    worker.short.load(world, before);
    let after = worker.short.act(world, before, core, number, event)?;
    invariants::vms::step(world, before, &after, core, event)?;
    invariants::check(world, &after.s)?;
    invariants::vms::check(world, &after.s)?;
    Ok(world.canonical(&after.s))
}
