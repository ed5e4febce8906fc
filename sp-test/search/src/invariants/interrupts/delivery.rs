//! Who hears of an interrupt, and when; and that nobody else notices.

use super::{has_left, is_on, mask, outstanding};
use crate::{
    calls::{Kind, fid, ids},
    events::{Event, may_come},
    state::{By, Ctx, Id, Life, Now, S},
    view::View,
    world::World,
};
use spmc::{
    spm::Mask,
    state::{Model, State},
};

/// Where nothing is on its way, everybody has been told who can be.
pub(super) fn settled(world: &World, s: &S) -> Result<(), String> {
    if (0..world.cores).all(|core| !is_on(s, core)) {
        return Ok(());
    }
    for number in 0..world.contexts.len() {
        let (slot, _) = world.contexts[number];
        let ctx = &s.ctx[number];
        let place = usize::from(slot);
        if s.lives[place] != Life::Alive || !ctx.irq.wants() || outstanding(world, s, number) {
            continue;
        }
        let rules = &world.partitions[place].rules;
        let wrong = match ctx.state {
            // The normal world is asked to run it.
            State::Waiting => ctx.irq.wakes() && !(rules.sri_waiting || rules.sri_leaving),
            // Who waits for a callee is told, or is being told step by step, unless it saw its line
            // raised before it called.
            State::Blocked => {
                ctx.calls() && (ctx.irq.irq, ctx.irq.fiq) != super::lines(world, number, &ctx.irq)
            }
            _ => false,
        };
        if wrong {
            return Err(format!(
                "context {number} is not told of its interrupts: {ctx:?}"
            ));
        }
    }
    Ok(())
}

/// Who can have the core by a partition's interrupt, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It waited and is entered.
    Enters(u8),
    /// Its callee's chain is preempted by one step, for it.
    BacksOut(u8),
}

pub(super) fn step(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    let caller = match before.s.core[core].now {
        Now::Slot(slot) => world.context(slot, core).map(|number| (slot, number)),
        _ => None,
    };
    let dispatches = matches!(
        event,
        Event::Look | Event::Device(_) | Event::Devices | Event::Timer
    );
    if dispatches {
        dispatched(world, before, after, core, event)?;
    }
    if let (Event::Call(kind), Some((slot, number))) = (event, caller) {
        // What another core has just left for it, it may see at once or when this core looks.
        if !outstanding(world, &before.s, number) {
            leaves(world, after, (core, slot, number), kind)?;
        }
    }
    untouched(world, before, after, core, caller.map(|(_, number)| number))
}

/// Who makes a call by which it waits, with an interrupt of its own pending, is told of that instead.
fn leaves(
    world: &World,
    after: &View,
    (core, slot, number): (usize, u8, usize),
    kind: Kind,
) -> Result<(), String> {
    let ctx = &after.s.ctx[number];
    let waits = matches!(
        kind,
        Kind::Wait { .. } | Kind::Response { .. } | Kind::PowerResponse { .. }
    );
    if !waits || !has_left(after, core, number, slot, kind) || world.is_gone(&after.s, number) {
        return Ok(());
    }
    let rules = &world.partitions[usize::from(slot)].rules;
    let wants = ctx.irq.wakes();
    if wants && !rules.sri_leaving {
        let oldest = ctx.irq.oldest_that_wakes();
        return told(after, (core, slot, number), oldest);
    }
    let asked = after.s.core[core].sri || after.schedule_receivers > 0;
    if ctx.state != State::Waiting || wants && !asked {
        return Err(format!("context {number} is {ctx:?} after it left"));
    }
    Ok(())
}

/// It runs, told with `FFA_INTERRUPT` of this one.
fn told(
    after: &View,
    (core, slot, number): (usize, u8, usize),
    oldest: Option<Id>,
) -> Result<(), String> {
    let ctx = &after.s.ctx[number];
    let mut frame = [0; 8];
    frame[0] = fid::INTERRUPT;
    frame[2] = oldest.map_or(0, |id| id.number(slot)).into();
    let entered = ctx.state == State::Running
        && ctx.model == Model::SecureInterrupt
        && after.s.core[core].now == Now::Slot(slot)
        && ctx.irq.announced == oldest;
    if !entered || after.x[number][..8] != frame {
        return Err(format!(
            "context {number} is {ctx:?}, and is told {:x?}, not of {oldest:?}",
            &after.x[number][..8]
        ));
    }
    Ok(())
}

fn dispatched(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    let s = &before.s;
    let at = &s.core[core];
    let is = after.s.core[core].now;
    // Who runs here and has failed elsewhere is stopped: the model says what comes of it.
    if let Now::Slot(slot) = at.now
        && s.lives[usize::from(slot)] != Life::Alive
    {
        let number = world.context(slot, core).ok_or("no such context")?;
        return match after.s.ctx[number].state {
            State::Aborted => Ok(()),
            state => Err(format!("context {number} of a dead partition is {state:?}")),
        };
    }
    let mut due = at.due;
    match event {
        Event::Look => due |= at.news,
        Event::Device(slot) => due |= 1 << slot,
        Event::Devices => {
            let slots = (0..world.partitions.len()).filter(|slot| may_come(world, s, *slot));
            slots.for_each(|slot| due |= 1 << slot);
        }
        Event::Timer => {
            for (number, (slot, _)) in world.contexts.iter().enumerate() {
                if s.ctx[number].irq.timer.watched == Some(core as u8) {
                    due |= 1 << slot;
                }
            }
        }
        _ => {}
    }
    let mut turns = Vec::new();
    for slot in (0..world.partitions.len() as u8).filter(|slot| due & 1 << slot != 0) {
        let Some(number) = world.context(slot, core) else {
            continue;
        };
        // Of dead ones nothing is delivered; what is pending has been checked.
        let ctx = &s.ctx[number];
        let alive = s.lives[usize::from(slot)] == Life::Alive;
        let here = ctx.at.is_none_or(|at| usize::from(at) == core);
        if !alive || !here || !after.s.ctx[number].irq.wakes() {
            continue;
        }
        let chain = world.chain(s, core);
        match ctx.state {
            State::Waiting if !world.partitions[usize::from(slot)].rules.sri_waiting => {
                turns.push(Turn::Enters(slot));
            }
            State::Blocked if ctx.calls() && chain.contains(&number) => {
                turns.push(Turn::BacksOut(slot));
            }
            _ => {}
        }
    }
    if mask(world, s, core) == Mask::Own {
        turns.clear();
    }
    if turns.is_empty() {
        return match is == at.now {
            true => Ok(()),
            false => Err(format!(
                "{is:?} has the core, though nobody's turn has come"
            )),
        };
    }
    let fits = |turn: &Turn| turn_taken(world, before, after, core, *turn);
    let tried: Vec<_> = turns.iter().map(fits).collect();
    match tried.iter().any(Result::is_ok) {
        true => Ok(()),
        false => Err(format!("{turns:?}, but {tried:?}")),
    }
}

/// Whether this turn was taken.
fn turn_taken(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    turn: Turn,
) -> Result<(), String> {
    let s = &after.s;
    let was = before.s.core[core].now;
    match turn {
        Turn::Enters(slot) => {
            let number = world.context(slot, core).ok_or("no such context")?;
            told(
                after,
                (core, slot, number),
                s.ctx[number].irq.oldest_that_wakes(),
            )?;
            let giver = match was {
                Now::Slot(running) => By::Interrupted(running),
                _ => By::InterruptedNormalWorld,
            };
            if s.ctx[number].giver != giver {
                return Err(format!("the core goes back to {:?}", s.ctx[number].giver));
            }
            Ok(())
        }
        Turn::BacksOut(slot) => {
            let chain = world.chain(&before.s, core);
            let running = *chain.first().ok_or("nobody runs")?;
            let Some(above) = chain.get(1) else {
                return Err("it is not in the chain".into());
            };
            let caller = &s.ctx[*above];
            let told = [
                fid::INTERRUPT,
                ids(
                    World::id(usize::from(world.contexts[running].0)),
                    world.contexts[running].1.into(),
                ),
                0,
                0,
                0,
                0,
                0,
                0,
            ];
            // A caller that has failed meanwhile is passed over.
            if world.is_gone(&before.s, *above) {
                return Ok(());
            }
            let arrived = world.contexts[*above].0 == slot;
            let goes_on = s.core[core].kick && s.core[core].due & 1 << slot != 0;
            if s.ctx[running].state != State::Preempted
                || caller.state != State::Running
                || after.x[*above][..8] != told
                || !(arrived && caller.irq.drains || !arrived && goes_on)
            {
                return Err(format!("a step back for {slot} led to {caller:?}"));
            }
            Ok(())
        }
    }
}

/// Nobody's registers change but those of who made the call, of who has the core now, and of who was
/// answered; whoever goes on after an interrupt finds all as it was.
fn untouched(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    caller: Option<usize>,
) -> Result<(), String> {
    let now = match after.s.core[core].now {
        Now::Slot(slot) => world.context(slot, core),
        _ => None,
    };
    for number in 0..world.contexts.len() {
        let ctx: &Ctx = &before.s.ctx[number];
        let chain = world.chain(&before.s, core);
        // Interrupted before, and going on now.
        let resumed = ctx.state == State::Preempted && chain.contains(&number);
        // Answered, but an interrupt of who answered comes first.
        let answered = now.is_some()
            && now == caller
            && ctx.calls()
            && after.s.ctx[number].state == State::Preempted;
        let may = Some(number) == caller || answered || Some(number) == now && !resumed;
        // A partition that is restarted has new registers; a dead one none that matter.
        if !may && before.x[number] != after.x[number] {
            return Err(format!("registers of context {number} have changed"));
        }
    }
    let head = world.chain(&before.s, core).last().copied();
    let head = head.map(|head| before.s.ctx[head].giver);
    let kept = matches!(
        head,
        Some(By::InterruptedNormalWorld | By::AnsweredNormalWorld)
    );
    if kept && before.nwd[core] != after.nwd[core] {
        return Err("the normal world's registers have changed".into());
    }
    Ok(())
}
