//! What happens if everybody behaves from now on: cores take the interrupts that are pending, partitions
//! take theirs, finish what they do and give the core back, and the normal world runs whom it
//! interrupted. So an interrupt is delivered within a number of events, from every state.

use crate::{
    calls::{Kind, W2},
    events::{Event, get},
    invariants::interrupts::is_on,
    state::{By, Ctx, Form, GLOBAL, Life, Notes, Now, S, Unread},
    world::{Who, World},
};
use spmc::state::{Model, State};

/// The core on which something happens next, and what; `None`: nothing is left to do.
pub fn next(world: &World, s: &S) -> Option<(usize, Event)> {
    spmc_acts(world, s)
        .or_else(|| partition_acts(world, s))
        .or_else(|| normal_world_acts(world, s))
}

fn spmc_acts(world: &World, s: &S) -> Option<(usize, Event)> {
    let cores = || 0..world.cores;
    if let Some(core) = cores().find(|core| s.core[*core].unsaved.is_some()) {
        return Some((core, Event::Saved));
    }
    let takes = |now| matches!(now, Now::NormalWorld | Now::Slot(_));
    if let Some(core) = cores().find(|core| s.core[*core].kick && takes(s.core[*core].now)) {
        return Some((core, Event::Look));
    }
    let boots = cores().find(|core| s.core[*core].now == Now::Spmc)?;
    Some((boots, Event::Start))
}

/// A context that was taken off the core, or gave it away, in the middle of its work.
fn stopped(ctx: &Ctx) -> bool {
    ctx.state == State::Preempted || ctx.state == State::Blocked && ctx.waits.is_none()
}

fn run(world: &World, number: usize) -> Event {
    let (slot, index) = world.contexts[number];
    Event::Call(Kind::Run {
        wide: false,
        id: World::id(usize::from(slot)),
        index: index.into(),
    })
}

/// Whether a context is on no other core.
fn reaches(ctx: &Ctx, core: usize) -> bool {
    ctx.at.is_none_or(|at| usize::from(at) == core)
}

fn partition_acts(world: &World, s: &S) -> Option<(usize, Event)> {
    let running = |core: &usize| matches!(s.core[*core].now, Now::Slot(_));
    let core = (0..world.cores).find(running)?;
    let number = *world.chain(s, core).first()?;
    let (slot, _) = world.contexts[number];
    let ctx = &s.ctx[number];
    // It reads what is pending for it, by which its interrupt for that goes.
    let who = Who::Slot(slot);
    let index = world.contexts[number].1.into();
    if world.has_for(&s.notes, who, index) {
        return Some((core, Event::Call(Kind::Notes(get(who, index)))));
    }
    if ctx.irq.wants() {
        return Some((core, Event::Call(Kind::Get)));
    }
    let callee = (0..world.contexts.len()).find(|other| {
        let (of, _) = world.contexts[*other];
        let callee = &s.ctx[*other];
        world.context(of, core) == Some(*other)
            && s.lives[usize::from(of)] == Life::Alive
            && reaches(callee, core)
            && !world.chain(s, core).contains(other)
            && callee.serves.is_some_and(|serves| {
                serves.origin == Some(By::Slot(slot))
                    && !serves.old
                    && world.context(slot, usize::from(serves.core)) == Some(number)
            })
            && match ctx.model {
                Model::Init | Model::PowerOff => false,
                Model::SecureInterrupt => callee.state == State::Preempted,
                Model::Restart | Model::Run | Model::DirectRequest => stopped(callee),
            }
    });
    let event = match (callee, ctx.model, ctx.serves) {
        (Some(callee), ..) => run(world, callee),
        (None, Model::PowerOff, _) => Event::Call(Kind::PowerResponse {
            sender: World::id(usize::from(slot)),
            status: 0,
        }),
        (None, Model::DirectRequest, Some(serves)) => Event::Call(Kind::Response {
            form: Form::Narrow,
            sender: World::id(usize::from(slot)),
            receiver: serves.sender,
            w2: W2::Message,
        }),
        (None, ..) => Event::Call(Kind::Wait { wide: false, w1: 0 }),
    };
    Some((core, event))
}

fn normal_world_acts(world: &World, s: &S) -> Option<(usize, Event)> {
    let cores = || (0..world.cores).filter(|core| s.core[*core].now == Now::NormalWorld);
    let all = || (0..world.contexts.len()).filter(|number| !world.is_gone(s, *number));
    let reads = |number: usize| {
        let (slot, index) = world.contexts[number];
        world.has_for(&s.notes, Who::Slot(slot), index.into())
    };
    let asked = |number: &usize| {
        let ctx = &s.ctx[*number];
        ctx.state == State::Waiting && (ctx.irq.wakes() || reads(*number))
    };
    let untold = |number: usize| s.ctx[number].irq.wakes() && !s.ctx[number].irq.told;
    let news = s.notes.bits.iter().any(|bit| bit.news != 0) || has_unread_news(&s.notes);
    if all().any(|number| asked(&number) && untold(number)) || news {
        return Some((cores().next()?, Event::Call(Kind::InfoGet)));
    }
    if !world.has_proxy() && world.has_for(&s.notes, Who::Os, 0) {
        return Some((cores().next()?, Event::Call(Kind::Notes(get(Who::Os, 0)))));
    }
    // Those that an interrupt waits for come first.
    let mut choices: Vec<_> = all()
        .filter(|number| stopped(&s.ctx[*number]) || asked(number))
        .collect();
    choices.sort_by_key(|number| (!s.ctx[*number].irq.wakes(), !reads(*number)));
    choices.into_iter().find_map(|number| {
        let (slot, _) = world.contexts[number];
        let core = cores().find(|core| {
            world.context(slot, *core) == Some(number)
                && reaches(&s.ctx[number], *core)
                && may_run(world, s, number, *core)
        })?;
        Some((core, run(world, number)))
    })
}

/// Whether there is a message of which the scheduler was not told.
fn has_unread_news(notes: &Notes) -> bool {
    let mut all = notes.unread.as_flattened().iter();
    all.any(|unread| *unread == Some(Unread::New))
}

/// Whether the normal world may run a context: one that serves a partition's request only when that
/// one has ended.
fn may_run(world: &World, s: &S, number: usize, core: usize) -> bool {
    let Some(serves) = s.ctx[number].serves else {
        return true;
    };
    match serves.origin {
        Some(By::Slot(sender)) if !serves.old => {
            let sent = world.context(sender, usize::from(serves.core));
            sent.is_none_or(|sent| {
                world.is_gone(s, sent)
                    || s.ctx[sent].state == State::Waiting
                        && world.context(sender, core) == Some(sent)
                        && reaches(&s.ctx[sent], core)
            })
        }
        _ => true,
    }
}

/// Which contexts have an interrupt that they have not heard of, and which have heard of one or are no
/// more: one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    wants: u8,
    done: u8,
}

impl Heard {
    /// Those of a state.
    pub fn of(world: &World, s: &S) -> Self {
        let mut heard = Self::default();
        let nobody = (0..world.cores).all(|core| !is_on(s, core));
        for number in 0..world.contexts.len() {
            let ctx = &s.ctx[number];
            let raised = ctx.runs() && (ctx.irq.irq || ctx.irq.fiq);
            if nobody || world.is_gone(s, number) || raised {
                heard.done |= 1 << number;
            } else if ctx.irq.wakes() && ctx.state != State::Created {
                heard.wants |= 1 << number;
            }
        }
        heard
    }

    /// The same for notifications of the world's list: which are pending for somebody who could read them, and which are
    /// not.
    pub fn notified(world: &World, s: &S) -> Self {
        let mut heard = Self::default();
        let nobody = (0..world.cores).all(|core| !is_on(s, core));
        for (place, one) in world.list().iter().enumerate() {
            let pending = s.notes.bits[place].pending;
            let waits = match one.receiver {
                Who::Slot(slot) => world.contexts_for(slot, pending).any(|number| {
                    !world.is_gone(s, number) && s.ctx[number].state != State::Created
                }),
                Who::Os | Who::Vm(_) => pending != 0,
            };
            match waits && !nobody {
                true => heard.wants |= 1 << place,
                false => heard.done |= 1 << place,
            }
        }
        for (place, (_, to)) in world.messages().iter().enumerate() {
            let alive = match to {
                Who::Slot(slot) => world
                    .contexts_for(*slot, GLOBAL)
                    .any(|number| !world.is_gone(s, number)),
                Who::Os | Who::Vm(_) => true,
            };
            let unread = s.notes.unread[to.buffer()].iter().any(Option::is_some);
            let place = world.list().len() + place;
            match unread && alive && !nobody {
                true => heard.wants |= 1 << place,
                false => heard.done |= 1 << place,
            }
        }
        heard
    }
}

/// The most events after which a context hears of its interrupt. `next` are the states that follow, if
/// everybody behaves.
///
/// # Errors
/// The first state from which one never does.
pub fn delivered_within(heard: &[Heard], next: &[Option<u32>]) -> Result<u32, u32> {
    let mut most = 0;
    for context in (0..8).map(|number| 1_u8 << number) {
        let mut distances: Vec<Option<u32>> = heard
            .iter()
            .map(|heard| (heard.done & context != 0).then_some(0))
            .collect();
        for start in (0..heard.len()).filter(|state| heard[*state].wants & context != 0) {
            let mut way = Vec::new();
            let mut state = start;
            while distances[state].is_none() {
                way.push(state);
                state = match next[state] {
                    Some(next) if way.len() <= heard.len() => next as usize,
                    _ => return Err(start as u32),
                };
            }
            let mut distance = distances[state].unwrap_or(0);
            for state in way.into_iter().rev() {
                distance += 1;
                distances[state] = Some(distance);
            }
            most = most.max(distance);
        }
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_an_interrupt_waits_is_counted() {
        let state = |wants, done| Heard { wants, done };
        let states = [state(1, 0), state(0, 0), state(0, 1), state(1, 0)];
        assert_eq!(
            delivered_within(&states, &[Some(1), Some(2), None, Some(0)]),
            Ok(3)
        );
        assert_eq!(
            delivered_within(&states, &[Some(1), Some(2), None, None]),
            Err(3)
        );
        assert_eq!(
            delivered_within(&states, &[Some(1), Some(0), None, Some(0)]),
            Err(0)
        );
    }
}
