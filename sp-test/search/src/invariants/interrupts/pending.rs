//! No interrupt is lost, and none delivered twice: what is pending after an event follows from what was
//! pending before and from the event.

use super::has_left;
use crate::{
    calls::Kind,
    events::{Event, may_come},
    invariants::notifications,
    state::{Id, Life, Now, S},
    view::View,
    world::World,
};
use spmc::context::NsAction;
use spmc::state::{Model, State};

/// There is none.
const NONE: u64 = 0xffff_ffff;

pub(super) fn step(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    let running = match before.s.core[core].now {
        Now::Slot(slot) => world.context(slot, core).map(|number| (slot, number)),
        _ => None,
    };
    let mut want = before.s;
    let s = &mut want;
    match event {
        Event::Device(slot) => device(world, s, core, slot),
        Event::Devices => {
            for slot in 0..world.partitions.len() {
                if may_come(world, &before.s, slot) {
                    device(world, s, core, slot as u8);
                }
            }
        }
        Event::Timer => {
            for ctx in &mut s.ctx {
                if ctx.irq.timer.watched == Some(core as u8) {
                    ctx.irq.timer.watched = None;
                    ctx.irq.pending.add(Id::Timer);
                }
            }
        }
        Event::SetTimer(on) => {
            let (_, number) = running.ok_or("nobody runs")?;
            let irq = &mut s.ctx[number].irq;
            irq.timer.watched = on.then_some(core as u8);
            irq.pending.remove(Id::Timer);
        }
        Event::Interrupt(_) => {
            if let Some((slot, number)) = running
                && world.partitions[usize::from(slot)].rules.ns_action == NsAction::ManagedExit
            {
                s.ctx[number].irq.pending.add(Id::ManagedExit);
            }
        }
        Event::Call(kind) => {
            if let Some((slot, number)) = running {
                call(world, s, (core, slot, number), kind, after)?;
            }
        }
        _ => {}
    }
    let wanted = notifications::wanted(world, before, after, core, event);
    let off = after.s.core[core].now == Now::Off;
    for number in 0..world.contexts.len() {
        let (slot, _) = world.contexts[number];
        if after.s.lives[usize::from(slot)] != Life::Alive {
            continue;
        }
        let (was, is) = (&before.s.ctx[number], &after.s.ctx[number]);
        let irq = &mut s.ctx[number].irq;
        match notifications::interrupt(&wanted, number) {
            Some(true) => irq.pending.add(Id::Notified),
            Some(false) => irq.pending.remove(Id::Notified),
            None => {}
        }
        // Another life begins, or this one ends.
        let begins = is.state == State::Starting && was.state != State::Starting
            || event == Event::Abort
                && is.model == Model::Restart
                && was.model != Model::Restart
                && running.is_some_and(|(_, running)| running == number);
        if begins || is.state == State::Off {
            let sent = irq.pending.has(Id::Sent);
            // One that is off hears nothing new; when it starts it finds all that is pending.
            let notified = match begins || was.state != State::Off {
                true => notifications::begins_with(world, &wanted.notes, number),
                false => irq.pending.has(Id::Notified),
            };
            irq.pending = Default::default();
            irq.timer.watched = None;
            if sent {
                irq.pending.add(Id::Sent);
            }
            if notified {
                irq.pending.add(Id::Notified);
            }
        }
        if off
            && let Some(watcher) = irq.timer.watched
            && usize::from(watcher) == core
        {
            // Another core sees to it, if there is one.
            let other = (0..world.cores).find(|other| super::is_on(&after.s, *other));
            irq.timer.watched = other.map(|other| other as u8).or(Some(watcher));
        }
        if is.irq.pending != irq.pending {
            return Err(format!(
                "of context {number}, {:?} are pending, not {:?}",
                is.irq.pending, irq.pending
            ));
        }
        if is.irq.timer.watched != irq.timer.watched {
            return Err(format!(
                "the timer of context {number} is watched by {:?}, not {:?}",
                is.irq.timer.watched, irq.timer.watched
            ));
        }
    }
    Ok(())
}

fn device(world: &World, s: &mut S, core: usize, slot: u8) {
    if s.lives[usize::from(slot)] == Life::Alive
        && let Some(number) = world.context(slot, core)
    {
        s.ctx[number].irq.pending.add(Id::Device);
    }
}

/// What a partition's call does to what is pending.
fn call(
    world: &World,
    s: &mut S,
    (core, slot, number): (usize, u8, usize),
    kind: Kind,
    after: &View,
) -> Result<(), String> {
    match kind {
        Kind::Get => {
            let oldest = s.ctx[number].irq.deliverable().next();
            let wanted = oldest.map_or(NONE, |id| id.number(slot).into());
            if after.x[number][0] != wanted {
                return Err(format!(
                    "it takes {:#x}, and {wanted:#x} is the oldest",
                    after.x[number][0]
                ));
            }
            if let Some(oldest) = oldest {
                s.ctx[number].irq.pending.remove(oldest);
            }
        }
        Kind::Send { index } => {
            let target = world.context(slot, index.into()).ok_or("no such context")?;
            s.ctx[target].irq.pending.add(Id::Sent);
        }
        kind if has_left(after, core, number, slot, kind) => {
            let irq = &mut s.ctx[number].irq;
            irq.pending.remove(Id::ManagedExit);
            let waits = !matches!(kind, Kind::Yield { .. } | Kind::Run { .. });
            // It was named to it, and it asked for none.
            if let Some(named) = irq.announced
                && waits
            {
                irq.pending.remove(named);
            }
        }
        _ => {}
    }
    Ok(())
}
