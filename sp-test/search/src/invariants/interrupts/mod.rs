//! What must hold of interrupts: in every state, and of every event.

mod delivery;
mod models;
mod pending;

use crate::{
    calls::Kind,
    events::Event,
    invariants::notifications,
    state::{By, Ctx, Irq, Life, Now, S},
    view::View,
    world::World,
};
use spmc::{
    context::NsAction,
    spm::Mask,
    state::{Model, State},
};

/// Which interrupts are taken on a core, worked out once more: the tightest that anybody in its call
/// chain asks for.
pub fn mask(world: &World, s: &S, core: usize) -> Mask {
    let wishes = world.chain(s, core).into_iter().map(|number| {
        let rules = &world.partitions[usize::from(world.contexts[number].0)].rules;
        let ctx = &s.ctx[number];
        let spmc_schedules = match ctx.model {
            Model::Init | Model::SecureInterrupt | Model::PowerOff => true,
            Model::Restart => !matches!(ctx.giver, By::NormalWorld | By::Slot(_)),
            Model::Run | Model::DirectRequest => false,
        };
        if spmc_schedules || rules.other_s_queued {
            Mask::Own
        } else if rules.ns_action == NsAction::Queued || ctx.irq.managed_exit {
            Mask::Secure
        } else {
            Mask::Open
        }
    });
    wishes.max().unwrap_or(Mask::Open)
}

/// Whether a core is on.
pub fn is_on(s: &S, core: usize) -> bool {
    !matches!(s.core[core].now, Now::Unborn | Now::Off)
}

/// The lines that a context's interrupts raise.
fn lines(world: &World, number: usize, irq: &Irq) -> (bool, bool) {
    let rules = &world.partitions[usize::from(world.contexts[number].0)].rules;
    let fiq = |id| id == crate::state::Id::ManagedExit && !rules.managed_exit_virq;
    (
        irq.deliverable().any(|id| !fiq(id)),
        irq.deliverable().any(fiq),
    )
}

/// Whether a core is still to look at a partition.
pub fn outstanding(world: &World, s: &S, number: usize) -> bool {
    let (slot, _) = world.contexts[number];
    (0..world.cores).any(|core| {
        let at = &s.core[core];
        let here = world.context(slot, core) == Some(number);
        here && (at.due | at.news) & 1 << slot != 0
    })
}

/// Checks a state.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn check(world: &World, s: &S) -> Result<(), String> {
    for core in 0..world.cores {
        on_core(world, s, core)?;
    }
    for number in 0..world.contexts.len() {
        let (slot, _) = world.contexts[number];
        if s.lives[usize::from(slot)] == Life::Alive {
            context(world, s, number).map_err(|what| format!("context {number} {what}"))?;
        }
    }
    for slot in 0..world.partitions.len() {
        let active = (0..world.contexts.len())
            .filter(|number| usize::from(world.contexts[*number].0) == slot)
            .filter_map(|number| s.ctx[number].irq.active);
        let active: Vec<_> = active.collect();
        if !active.iter().eq(s.devices[slot].active.iter()) {
            return Err(format!(
                "the device of {:#x} is active on core {:?}, and noted on {active:?}",
                World::id(slot),
                s.devices[slot].active
            ));
        }
    }
    delivery::settled(world, s)
}

fn on_core(world: &World, s: &S, core: usize) -> Result<(), String> {
    let at = &s.core[core];
    let on = is_on(s, core);
    if (at.news != 0 || at.news_sri) && !(on && at.kick) {
        return Err(format!("nobody on core {core} is told of its news"));
    }
    if at.due != 0 && !on {
        return Err(format!("on core {core}, which is off, something is due"));
    }
    let held = mask(world, s, core) == Mask::Own || at.now == Now::Spmc;
    if at.due != 0 && !at.kick && !held {
        return Err(format!(
            "on core {core} something is due, and nothing in the way"
        ));
    }
    if at.sri && at.now == Now::NormalWorld {
        return Err(format!(
            "core {core} has not raised the interrupt for cycles"
        ));
    }
    // Who initialises leaves by FFA_MSG_WAIT, which has no short way.
    if at.sri
        && let Some(number) = world.chain(s, core).first()
        && !matches!(s.ctx[*number].model, Model::Init | Model::Restart)
        && !s.ctx[*number].irq.attention
    {
        return Err(format!("core {core} may forget the interrupt for cycles"));
    }
    Ok(())
}

fn context(world: &World, s: &S, number: usize) -> Result<(), String> {
    let Ctx {
        irq,
        state,
        giver,
        model,
        ..
    } = s.ctx[number];
    let wanted = lines(world, number, &irq);
    if s.ctx[number].runs() && !outstanding(world, s, number) {
        if (irq.irq, irq.fiq) != wanted {
            return Err(format!("has not the lines of its queue: {irq:?}"));
        }
        let unfinished = irq.managed_exit || irq.drains || irq.announced.is_some();
        let work = irq.wants() || irq.active.is_some() || unfinished;
        if work && !irq.attention {
            return Err(format!(
                "would leave without giving up its interrupts: {irq:?}"
            ));
        }
    }
    let leaves = matches!(state, State::Waiting | State::Off | State::Created)
        || state == State::Blocked && s.ctx[number].waits.is_none();
    if leaves && (irq.managed_exit || irq.pending.has(crate::state::Id::ManagedExit)) {
        return Err(format!("is asked to make room, which it has: {irq:?}"));
    }
    if leaves && irq.active.is_some() && !irq.pending.has(crate::state::Id::Device) {
        return Err("keeps its device from interrupting".into());
    }
    if state == State::Waiting && (irq.announced.is_some() || irq.drains) {
        return Err(format!("waits in the middle of its interrupts: {irq:?}"));
    }
    if irq.managed_exit && model == Model::SecureInterrupt {
        return Err("is asked to make room while the SPMC schedules it".into());
    }
    if let Some(core) = irq.timer.watched {
        let core = usize::from(core);
        let at = &s.core[core];
        let sees = is_on(s, core) && (at.alarm || at.kick);
        let nobody = (0..world.cores).all(|core| !is_on(s, core));
        if !sees && !nobody {
            return Err(format!("has a timer that core {core} does not see to"));
        }
    }
    let by_spmc = matches!(
        giver,
        By::Interrupted(_)
            | By::InterruptedNormalWorld
            | By::AnsweredNormalWorld
            | By::InterruptedBoot
    );
    let in_chain = (0..world.cores).any(|core| world.chain(s, core).contains(&number));
    let fits = match model {
        Model::SecureInterrupt => by_spmc || giver == By::PowerOff,
        Model::PowerOff => giver == By::PowerOff,
        Model::Restart => true,
        Model::Init | Model::Run | Model::DirectRequest => !by_spmc && giver != By::PowerOff,
    };
    if in_chain && !fits {
        return Err(format!("runs in {model:?} by {giver:?}"));
    }
    Ok(())
}

/// Checks what an event did with interrupts.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn step(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    for core in 0..world.cores {
        let wanted = mask(world, &after.s, core);
        if after.masks[core] != wanted {
            return Err(format!(
                "the mask of core {core} is {:?}, not {wanted:?}",
                after.masks[core]
            ));
        }
    }
    if let (Event::Call(kind), Now::Slot(slot)) = (event, before.s.core[core].now)
        && let Some(number) = world.context(slot, core)
        && !outstanding(world, &before.s, number)
    {
        models::step(world, before, after, (core, slot, number), kind)?;
    }
    pending::step(world, before, after, core, event)?;
    delivery::step(world, before, after, core, event)?;
    let wanted = notifications::wanted(world, before, after, core, event);
    cycles_asked(before, after, core, wanted.raised)
}

/// Checks what an event did with what is pending.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn pending(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    pending::step(world, before, after, core, event)
}

/// The schedule receiver interrupt is raised once, when the normal world has the core, or `at_once`. One that is
/// to be raised is so until it is; of a core that goes off it is another one's.
fn cycles_asked(before: &View, after: &View, core: usize, at_once: bool) -> Result<(), String> {
    // The end of a boot is the normal world's turn, too.
    let normal = matches!(after.s.core[core].now, Now::NormalWorld | Now::Spmc);
    let (was, is) = (&before.s.core[core], &after.s.core[core]);
    let raised = after.schedule_receivers.wrapping_sub(at_once.into());
    match (raised, normal) {
        (0, true) if was.sri => return Err("the normal world is not asked for cycles".into()),
        (0, _) => {}
        (1, true) if !is.sri => return Ok(()),
        (count, _) => {
            return Err(format!(
                "the normal world is asked for cycles {count} times"
            ));
        }
    }
    let owed = was.sri || was.news_sri;
    let on = |other: &usize| *other != core && is_on(&after.s, *other);
    let cores = || (0..after.s.core.len()).filter(on);
    let moved = cores().any(|other| after.s.core[other].news_sri);
    let right = match is_on(&after.s, core) {
        true => is.sri || is.news_sri,
        false => moved || cores().next().is_none(),
    };
    if owed && !right {
        return Err("the interrupt for cycles is lost".into());
    }
    let others = cores().filter(|other| {
        let (was, is) = (&before.s.core[*other], &after.s.core[*other]);
        was.sri != is.sri || was.news_sri && !is.news_sri
    });
    match others.count() {
        0 => Ok(()),
        _ => Err("the interrupt for cycles of another core has changed".into()),
    }
}

/// Whether a context has left the core by its call, and is perhaps entered again for an interrupt.
fn has_left(after: &View, core: usize, number: usize, slot: u8, kind: Kind) -> bool {
    match kind {
        Kind::Wait { .. } | Kind::Response { .. } | Kind::PowerResponse { .. } => {
            after.x[number][0] != crate::calls::fid::ERROR
        }
        Kind::Yield { .. } | Kind::Run { .. } => {
            let ctx = &after.s.ctx[number];
            after.s.core[core].now != Now::Slot(slot)
                && ctx.state == State::Blocked
                && ctx.waits.is_none()
        }
        _ => false,
    }
}
