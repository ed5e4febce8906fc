//! What must hold in every state, whatever led to it, and of every event, whatever it is.

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
    let mut links = 0;
    let mut slot = slot;
    let head = loop {
        let number = world.context(slot, core).ok_or("no such context")?;
        let ctx = &s.ctx[number];
        if ctx.at != Some(core as u8) {
            return Err(format!("the chain on core {core} leads elsewhere"));
        }
        if links > 0 && !ctx.calls() {
            return Err(format!("in a chain, a caller is {:?}", ctx.state));
        }
        if links == 0 && !ctx.runs() {
            return Err(format!("who has core {core} is {:?}", ctx.state));
        }
        match ctx.giver {
            By::Slot(previous) => {
                let caller = world.context(previous, core).ok_or("no such caller")?;
                if s.ctx[caller].waits != Some(slot) {
                    return Err(format!(
                        "partition {:#x} does not wait for its callee",
                        World::id(usize::from(previous))
                    ));
                }
                slot = previous;
            }
            head => break head,
        }
        links += 1;
        if links > world.partitions.len() {
            return Err("a call chain is a loop".into());
        }
    };
    let booting = s
        .ctx
        .iter()
        .filter(here)
        .any(|ctx| (ctx.runs() || ctx.calls()) && ctx.model == Model::Init);
    if (head == By::Spmc) != booting {
        return Err(format!("the chain on core {core} was started by {head:?}"));
    }
    let callers = s.ctx.iter().filter(here).filter(|ctx| ctx.calls()).count();
    if callers != links {
        return Err(format!(
            "{callers} contexts wait for callees on core {core}, {links} of them in its chain"
        ));
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
    if serves != (live && ctx.model == Model::DirectRequest) {
        return Err(format!(
            "context {number} serves a request: {serves}, {ctx:?}"
        ));
    }
    if ctx.model == Model::Init && ctx.state == State::Preempted {
        return Err(format!(
            "context {number} was interrupted while it initialised"
        ));
    }
    if ctx.model == Model::Init && ctx.state == State::Blocked && !ctx.calls() {
        return Err(format!("context {number} yielded while it initialised"));
    }
    let unsaved = |at: u8| s.core[usize::from(at)].unsaved == Some(slot);
    let tied = ctx.runs() || ctx.calls() || ctx.state == State::Created;
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
        let same = before.s.ctx[number] == after.s.ctx[number]
            || after.s.ctx[number].kept.is_none() && before.s.ctx[number].kept.is_some();
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
                if !matches!(event, Event::Call(Kind::Request { .. }) | Event::Again)
                    || from != caller
                {
                    return wrong("came from nowhere");
                }
            }
            (Some(_), None) => {
                let answered = matches!(event, Event::Call(Kind::Response { .. }) | Event::Abort)
                    && caller == Some(number);
                let off = matches!(event, Event::Call(Kind::Spmd(0, _)))
                    && after.s.ctx[number].state == State::Off;
                if !answered && !off {
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
                    after.s.ctx[number].is_gone() || after.s.ctx[usize::from(from)].is_gone();
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
                    && !before.s.ctx[usize::from(was)].is_gone()
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
    // Who sends something by this event, and who may receive it.
    let now = after.s.core[core].now;
    let sends = match event {
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
