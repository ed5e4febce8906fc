//! One event in one state.

use super::{Step, Worker};
use crate::{
    calls::Kind,
    events::{Event, Events},
    invariants, label, model,
    rig::make_call,
    state::{Irq, Now, S},
    view::View,
    world::World,
};
use spmc::state::Model;

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
    // What another core has just left the short way does not see, and this core looks right after it.
    let looks = before.s.core[core].kick && world.interrupts.is_some();
    if !looks && let Some(difference) = after.difference(general, world, true) {
        return Err(format!(
            "the short way of messages differs from the general one: {difference}"
        ));
    }
    invariants::step(world, before, after, core, event)?;
    invariants::check(world, &after.s)?;
    if world.notified.is_some() {
        invariants::notifications::step(world, before, after, core, event)?;
        invariants::notifications::check(world, &after.s)?;
    }
    if world.interrupts.is_some() {
        let same =
            (after.masks, after.schedule_receivers) == (general.masks, general.schedule_receivers);
        if !looks && !same {
            return Err("the short way of messages leaves another mask".into());
        }
        invariants::interrupts::step(world, before, after, core, event)?;
        invariants::interrupts::check(world, &after.s)?;
        if !is_plain(world, before, core, event) {
            return Ok(world.canonical(&after.s));
        }
    }
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

/// Whether interrupts have no part in an event, so that the model says what must come of it.
fn is_plain(world: &World, before: &View, core: usize, event: Event) -> bool {
    let s = &before.s;
    let quiet = |number: usize| {
        let ctx = &s.ctx[number];
        let Irq {
            attention,
            announced,
            drains,
            irq,
            fiq,
            ..
        } = ctx.irq;
        let raised = attention || irq || fiq || announced.is_some() || drains;
        !raised
            && !ctx.irq.wants()
            && !matches!(ctx.model, Model::SecureInterrupt | Model::PowerOff)
    };
    let slot_of = |id: u16| id.wrapping_sub(0x8001) as u8;
    let target = match event {
        Event::Saved | Event::CoreOn(_) | Event::Start => return true,
        Event::Call(Kind::Request { receiver, .. }) => Some(slot_of(receiver)),
        Event::Call(Kind::Run { id, .. }) => Some(slot_of(id)),
        Event::Call(Kind::Response { .. } | Kind::Wait { .. } | Kind::Yield { .. }) => None,
        _ => return false,
    };
    let target = target.and_then(|slot| world.context(slot, core));
    let noted = &s.core[core];
    !noted.sri
        && !noted.kick
        && target.is_none_or(quiet)
        && world.chain(s, core).into_iter().all(quiet)
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
    if world.notified.is_some() {
        invariants::interrupts::pending(world, before, &after, core, event)?;
        invariants::notifications::step(world, before, &after, core, event)?;
        invariants::notifications::check(world, &after.s)?;
    }
    Ok(world.canonical(&after.s))
}
