//! What a partition may call while the SPMC gives it cycles, written down once more (DEN0077A,
//! "Partition runtime models").

use crate::{
    calls::{Kind, fid},
    state::{By, Life, Now},
    view::View,
    world::World,
};
use ffa_abi::FfaError::Denied;
use spmc::state::{Model, State};

/// What must come of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// It is refused, and the caller goes on.
    Denied,
    /// The caller goes on.
    Success,
    /// This one has the core.
    Runs(u8),
    /// The caller has left.
    Leaves,
}

pub(super) fn step(
    world: &World,
    before: &View,
    after: &View,
    (core, slot, number): (usize, u8, usize),
    kind: Kind,
) -> Result<(), String> {
    let ctx = &before.s.ctx[number];
    let want = match ctx.model {
        Model::SecureInterrupt => secure_interrupt(world, before, (core, slot, number), kind),
        Model::PowerOff => match kind {
            Kind::PowerResponse { .. } => Some(Want::Leaves),
            Kind::Wait { .. }
            | Kind::Request { .. }
            | Kind::Run { .. }
            | Kind::Yield { .. }
            | Kind::Response { .. } => Some(Want::Denied),
            _ => None,
        },
        _ => None,
    };
    let Some(want) = want else {
        return Ok(());
    };
    let now = after.s.core[core].now;
    let x = &after.x[number];
    let goes_on = now == Now::Slot(slot) && after.s.ctx[number].state == State::Running;
    let right = match want {
        // A request to one that is not there, or runs, is refused for that.
        Want::Denied => {
            let code = x[2] as i32;
            let busy = matches!(kind, Kind::Request { .. } | Kind::Run { .. });
            goes_on && x[0] == fid::ERROR && (code == Denied as i32 || busy)
        }
        Want::Success => goes_on && x[0] == fid::SUCCESS,
        Want::Runs(slot) => now == Now::Slot(slot),
        Want::Leaves => super::has_left(after, core, number, slot, kind),
    };
    match right {
        true => Ok(()),
        false => Err(format!(
            "in {:?}, {kind} is to be {want:?}, and {:x?} came of it, {now:?}",
            ctx.model,
            &x[..3]
        )),
    }
}

fn secure_interrupt(
    world: &World,
    before: &View,
    (core, slot, number): (usize, u8, usize),
    kind: Kind,
) -> Option<Want> {
    let s = &before.s;
    let ctx = &s.ctx[number];
    let reach = |id: u16| {
        let slot = id.wrapping_sub(0x8001) as u8;
        let number = world.context(slot, core)?;
        let here = s.ctx[number].at.is_none_or(|at| usize::from(at) == core);
        let alive = s.lives[usize::from(slot)] == Life::Alive;
        (here && alive).then_some((slot, number))
    };
    match kind {
        Kind::Wait { .. } => Some(Want::Leaves),
        Kind::Yield { .. } => Some(Want::Success),
        Kind::Response { .. } => Some(Want::Denied),
        Kind::Request { receiver, .. } => match reach(receiver) {
            Some((slot, number)) if s.ctx[number].state == State::Waiting => Some(Want::Runs(slot)),
            _ => Some(Want::Denied),
        },
        Kind::Run { id, index, .. } => {
            let Some((target, other)) = reach(id) else {
                return Some(Want::Denied);
            };
            let is = &s.ctx[other];
            let is_here = world.contexts[other].1 == index as u8;
            let own = target == slot;
            if own || !is_here || ctx.irq.wants() || is.state != State::Preempted {
                return Some(Want::Denied);
            }
            if world.chain(s, core).contains(&other) {
                let gives_back = ctx.giver == By::Interrupted(target);
                return Some(match gives_back {
                    true => Want::Runs(target),
                    false => Want::Denied,
                });
            }
            is.serves.is_none().then_some(Want::Runs(target))
        }
        _ => None,
    }
}
