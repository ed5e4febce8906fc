//! What must hold in every state, whatever led to it, and of every event, whatever it is.

pub mod interrupts;
pub mod messages;
pub mod notifications;
pub mod vms;

use crate::{
    calls::{Kind, fid},
    events::Event,
    label::{self, Origin},
    state::{By, Ctx, Form, Now, S},
    view::View,
    world::World,
};
use spmc::state::{Model, State};

/// Checks a state.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn check(world: &World, s: &S) -> Result<(), String> {
    for core in 0..world.cores {
        on_core(world, s, core)?;
    }
    for number in 0..world.contexts.len() {
        context(world, s, number)?;
    }
    Ok(())
}

/// Who runs on a core, and the chain that ends in it.
fn on_core(world: &World, s: &S, core: usize) -> Result<(), String> {
    let here = |ctx: &&Ctx| ctx.at == Some(core as u8);
    let running = s.ctx.iter().filter(here).filter(|ctx| ctx.runs()).count();
    let Now::Slot(slot) = s.core[core].now else {
        if running > 0 {
            return Err(format!(
                "a context runs on core {core}, which is {:?}'s",
                s.core[core].now
            ));
        }
        if s.ctx.iter().filter(here).any(|ctx| ctx.calls()) {
            return Err(format!(
                "on core {core} a context waits for a callee, and nobody runs"
            ));
        }
        return Ok(());
    };
    if running != 1 {
        return Err(format!("{running} contexts run on core {core}"));
    }
    let chain = world.chain(s, core);
    if world.context(slot, core) != chain.first().copied() {
        return Err("no such context".into());
    }
    let mut head = By::Spmc;
    for (place, number) in chain.iter().enumerate() {
        let ctx = &s.ctx[*number];
        if chain[..place].contains(number) {
            return Err("a call chain is a loop".into());
        }
        if ctx.at != Some(core as u8) {
            return Err(format!("the chain on core {core} leads elsewhere"));
        }
        if place == 0 && !ctx.runs() {
            return Err(format!("who has core {core} is {:?}", ctx.state));
        }
        let previous = chain
            .get(place + 1)
            .map(|previous| (*previous, &s.ctx[*previous]));
        match (ctx.giver, previous) {
            (By::Slot(_), Some((_, caller))) => {
                if !caller.calls() || caller.waits != Some(world.contexts[*number].0) {
                    return Err(format!(
                        "in a chain, a caller does not wait for its callee: {caller:?}"
                    ));
                }
            }
            (By::Interrupted(_), Some((number, interrupted))) => {
                // One whose partition has failed elsewhere meanwhile is dead.
                let dead = world.is_gone(s, number) && interrupted.state == State::Aborted;
                if interrupted.state != State::Preempted && !dead {
                    return Err(format!("in a chain, {interrupted:?} was interrupted"));
                }
            }
            (By::Slot(_) | By::Interrupted(_), None) => return Err("no such caller".into()),
            (giver, _) => head = giver,
        }
    }
    let first = chain.last().map(|number| &s.ctx[*number]);
    let booting = first.is_some_and(|first| first.model == Model::Init);
    if (head == By::Spmc) != booting {
        return Err(format!("the chain on core {core} was started by {head:?}"));
    }
    if (head == By::PowerOff) != s.core[core].told.is_some() {
        return Err(format!(
            "core {core} goes off: {:?}, {head:?}",
            s.core[core].told
        ));
    }
    for (number, ctx) in s.ctx.iter().enumerate().filter(|(_, ctx)| here(ctx)) {
        let in_chain = chain.contains(&number);
        if ctx.calls() && !in_chain {
            return Err(format!(
                "context {number} waits for a callee, out of the chain on core {core}"
            ));
        }
        if ctx.model == Model::Init && (ctx.runs() || ctx.calls()) && chain.last() != Some(&number)
        {
            return Err(format!("context {number} initialises, called by somebody"));
        }
    }
    Ok(())
}

/// What a context's fields say of each other.
fn context(world: &World, s: &S, number: usize) -> Result<(), String> {
    let ctx = &s.ctx[number];
    let slot = world.contexts[number].0;
    let up = world.partitions[usize::from(slot)].up;
    let live = matches!(
        ctx.state,
        State::Running | State::Blocked | State::Preempted
    );
    let serves = ctx.serves.is_some();
    if serves != (live && matches!(ctx.model, Model::DirectRequest | Model::PowerOff)) {
        return Err(format!(
            "context {number} serves a request: {serves}, {ctx:?}"
        ));
    }
    let in_chain = (0..world.cores).any(|core| world.chain(s, core).contains(&number));
    if ctx.model == Model::Init && ctx.state == State::Preempted && !in_chain {
        return Err(format!(
            "context {number} was interrupted while it initialised"
        ));
    }
    if ctx.model == Model::Init && ctx.state == State::Blocked && !ctx.calls() {
        return Err(format!("context {number} yielded while it initialised"));
    }
    let unsaved = |at: u8| s.core[usize::from(at)].unsaved == Some(slot);
    let tied = in_chain || ctx.calls() || ctx.state == State::Created;
    match ctx.at {
        None if !up || tied => {
            return Err(format!("context {number} can be claimed: {ctx:?}"));
        }
        Some(at) if up && !tied && !unsaved(at) => {
            return Err(format!("context {number} can't be claimed: {ctx:?}"));
        }
        _ => {}
    }
    if let Some(kept) = ctx.kept
        && (ctx.is_gone() || usize::from(kept) == number)
    {
        return Err(format!("a response is kept for context {number}: {ctx:?}"));
    }
    if let Some(request) = ctx.serves
        && let Some(By::Slot(from)) = request.origin
    {
        let sender = world.context(from, usize::from(request.core));
        let sender = sender.ok_or("a request of nobody")?;
        if sender == number || request.sender != World::id(usize::from(from)) {
            return Err(format!("context {number} serves {request:?}"));
        }
    }
    Ok(())
}

/// Checks what an event did, whatever else it should have done: requests and kept responses are
/// neither lost nor doubled, who is not saved is left alone, and no label is where it was not sent.
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
    let caller = match before.s.core[core].now {
        Now::Slot(slot) => world.context(slot, core),
        _ => None,
    };
    requests(world, before, after, caller, event)?;
    kept(world, before, after, caller, event)?;
    for other in (0..world.cores).filter(|other| *other != core) {
        let Some(slot) = before.s.core[other].unsaved else {
            continue;
        };
        let number = world.context(slot, other).ok_or("nobody left")?;
        // Its interrupts may come meanwhile, and the life end of who has sent it something.
        let is = after.s.ctx[number];
        let mut was = Ctx {
            irq: is.irq,
            kept_old: is.kept_old,
            ..before.s.ctx[number]
        };
        if let (Some(was), Some(is)) = (&mut was.serves, is.serves) {
            was.old |= is.old;
        }
        let same =
            was == is || after.s.ctx[number].kept.is_none() && before.s.ctx[number].kept.is_some();
        if !same || before.x[number] != after.x[number] {
            return Err(format!("context {number} was used before it was saved"));
        }
    }
    labels(world, before, after, core, caller, event)
}

fn requests(
    world: &World,
    before: &View,
    after: &View,
    caller: Option<usize>,
    event: Event,
) -> Result<(), String> {
    let mut sent = 0;
    for number in 0..world.contexts.len() {
        let (was, is) = (before.s.ctx[number].serves, after.s.ctx[number].serves);
        let wrong = |what: &str| Err(format!("a request to context {number} {what}"));
        match (was, is) {
            (None, None) => {}
            (None, Some(request)) => {
                sent += 1;
                let from = match request.origin {
                    Some(By::Slot(slot)) => world.context(slot, usize::from(request.core)),
                    _ => None,
                };
                // The SPMC's own, one after the other.
                let own = request.origin == Some(By::PowerOff);
                let told =
                    caller.is_none_or(|caller| before.s.ctx[caller].model == Model::PowerOff);
                let sends = matches!(event, Event::Call(Kind::Request { .. }) | Event::Again);
                if !(own && told || !own && sends && from == caller) {
                    return wrong("came from nowhere");
                }
            }
            (Some(_), None) => {
                let answers = matches!(
                    event,
                    Event::Call(Kind::Response { .. } | Kind::PowerResponse { .. }) | Event::Abort
                );
                let answered = answers && caller == Some(number);
                if !answered && !world.is_gone(&after.s, number) {
                    return wrong("was lost");
                }
            }
            (Some(was), Some(is)) => {
                let died = |now: bool| now && (is.origin.is_none() || is.old);
                if was != is && !died(was.sender == is.sender && was.form == is.form) {
                    return wrong("became another");
                }
            }
        }
    }
    if sent > 1 {
        return Err("one call sent two requests".into());
    }
    Ok(())
}

fn kept(
    world: &World,
    before: &View,
    after: &View,
    caller: Option<usize>,
    event: Event,
) -> Result<(), String> {
    for number in 0..world.contexts.len() {
        let (was, is) = (before.s.ctx[number].kept, after.s.ctx[number].kept);
        let responded = matches!(
            event,
            Event::Call(Kind::Response {
                form: Form::Two,
                ..
            })
        );
        let wrong = |what: &str| Err(format!("the response kept for context {number} {what}"));
        match (was, is) {
            (None, Some(from)) if !responded || caller != Some(usize::from(from)) => {
                return wrong("came from nowhere");
            }
            (Some(from), None) => {
                let freed =
                    world.is_gone(&after.s, number) || world.is_gone(&after.s, usize::from(from));
                let fetched = matches!(event, Event::Call(Kind::Run { wide: true, .. }))
                    && caller == Some(number)
                    && after.x[number][0] == fid::response(Form::Two);
                // A restarted partition has nothing of its earlier life, and others nothing of it.
                let old = before.s.ctx[number].kept_old
                    || caller == Some(number) && after.s.ctx[number].model == Model::Restart;
                if !freed && !fetched && !old {
                    return wrong("was lost");
                }
            }
            (Some(was), Some(is))
                if was != is
                    && !world.is_gone(&before.s, usize::from(was))
                    && !before.s.ctx[number].kept_old =>
            {
                return wrong("was replaced");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each label of another in an endpoint's registers was sent to it by this event.
fn labels(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    caller: Option<usize>,
    event: Event,
) -> Result<(), String> {
    let sender = match caller {
        Some(number) => number as Origin,
        None if world.has_proxy() => label::vcpu(0),
        None => label::normal_world(core),
    };
    // Who sends something by this event, and who may receive it: who has the core now, unless an
    // interrupt of who answered comes first.
    let mut now = after.s.core[core].now;
    if let (Some(number), Now::Slot(slot)) = (caller, now)
        && world.context(slot, core) == Some(number)
    {
        now = match after.s.ctx[number].giver {
            By::Interrupted(slot) => Now::Slot(slot),
            By::AnsweredNormalWorld => Now::NormalWorld,
            _ => now,
        };
    }
    let sends = match event {
        // What EL3 asked for goes to each partition that is told.
        _ if after.s.core[core].told.is_some() => Some((label::normal_world(core), now)),
        Event::Call(Kind::Request { .. } | Kind::Yield { .. }) => Some((sender, now)),
        Event::Call(Kind::Response { .. }) => Some((sender, now)),
        Event::Call(Kind::Run { wide: true, .. }) => {
            let kept = match caller {
                Some(number) => before.s.ctx[number].kept,
                None => before.s.vcpus[0].kept,
            };
            kept.map(|from| (from as Origin, now))
        }
        _ => None,
    };
    let look = |own: Origin, is: Now, x: &[u64]| {
        for (register, value) in x.iter().enumerate() {
            match label::origin(*value) {
                None => {}
                Some(origin) if origin == own => {}
                Some(origin) if sends == Some((origin, is)) => {}
                Some(origin) => {
                    return Err(format!(
                        "x{register} of {is:?} holds a value of {origin:#x} that it was not sent"
                    ));
                }
            }
        }
        Ok(())
    };
    for (number, (slot, _)) in world.contexts.iter().enumerate() {
        let here = world.context(*slot, core) == Some(number);
        // A context that is not on this core receives nothing.
        let is = if here { Now::Slot(*slot) } else { Now::Unborn };
        look(number as Origin, is, &after.x[number])?;
    }
    if world.has_proxy() {
        let is = if after.s.core[core].pending.is_none() {
            Now::NormalWorld
        } else {
            Now::Unborn
        };
        return look(label::vcpu(0), is, &after.vcpus[0]);
    }
    for other in 0..world.cores {
        let is = if other == core {
            Now::NormalWorld
        } else {
            Now::Unborn
        };
        look(label::normal_world(other), is, &after.nwd[other])?;
    }
    Ok(())
}
