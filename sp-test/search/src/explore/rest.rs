//! Ways back: from every state, if partitions behave from now on, all of them can come to wait again,
//! with every request answered. So no request is ever lost, however long its answer may take.

use crate::{
    calls::Kind,
    events::{Event, Whose},
    state::{Bit, By, Debt, Now, Rx, S, Unread, Writer},
    world::{Who, World},
};
use proxy_el2::vcpu;
use spmc::state::{Model, State};

/// An event that led from one state to another, by their numbers.
pub type Edge = (u32, u32);

/// Whether everybody waits, or is gone for good, and no core is a partition's. If no core is on,
/// nothing can happen any more, and all requests ended with the cores that they were made on.
pub fn is_quiet(world: &World, s: &S) -> bool {
    let cores = &s.core[..world.cores];
    if cores
        .iter()
        .all(|core| matches!(core.now, Now::Off | Now::Unborn))
    {
        return true;
    }
    let given_back = cores.iter().all(|core| {
        matches!(core.now, Now::NormalWorld | Now::Off | Now::Unborn)
            && core.unsaved.is_none()
            && !core.kick
            && core.due == 0
            && !core.sri
    });
    let at_rest = s.ctx[..world.contexts.len()].iter().all(|ctx| {
        matches!(
            ctx.state,
            State::Created | State::Waiting | State::Aborted | State::Off
        ) && ctx.serves.is_none()
    });
    let heard = (0..world.contexts.len())
        .all(|number| world.is_gone(s, number) || !s.ctx[number].irq.wakes());
    given_back && at_rest && heard && vms_rest(world, s)
}

/// Whether no vCPU waits for anybody, and no answer is owed or kept.
fn vms_rest(world: &World, s: &S) -> bool {
    let cores = s.core[..world.cores].iter();
    let vcpus = s.vcpus[..world.vcpus.len()].iter();
    cores
        .clone()
        .all(|core| core.pending.is_none() && core.el3.is_none() && !core.kicked)
        && s.owed.iter().all(|debt| *debt == Debt::None)
        && s.held.iter().all(Option::is_none)
        && s.lent.iter().all(Option::is_none)
        && vcpus.enumerate().all(|(number, vcpu)| {
            let own = world.vcpus[number].0 == 0;
            let rests = match vcpu.state {
                vcpu::State::Running => own,
                vcpu::State::Waiting | vcpu::State::Off | vcpu::State::Ready => true,
                vcpu::State::Dead => true,
                vcpu::State::Blocked | vcpu::State::Preempted | vcpu::State::Yielded => false,
            };
            rests && vcpu.serves.is_none() && vcpu.kept.is_none()
        })
}

/// Whether an event is one of those by which a way back may lead: nobody fails and no core goes off.
pub fn is_good(event: Event) -> bool {
    !matches!(
        event,
        Event::Abort
            | Event::Interrupt(Whose::Level(_) | Whose::Nobody)
            | Event::Call(Kind::Spmd(0, _) | Kind::Error { .. } | Kind::Abort { .. } | Kind::Psci)
    )
}

/// Edges by where they lead.
struct Back {
    start: Vec<u32>,
    from: Vec<u32>,
}

impl Back {
    fn of(states: usize, edges: &[Edge]) -> Self {
        let mut start = vec![0_u32; states + 1];
        for (_, to) in edges {
            start[*to as usize + 1] += 1;
        }
        for number in 0..states {
            start[number + 1] += start[number];
        }
        let mut place = start.clone();
        let mut from = vec![0_u32; edges.len()];
        for (source, to) in edges {
            let place = &mut place[*to as usize];
            from[*place as usize] = *source;
            *place += 1;
        }
        Self { start, from }
    }

    /// How many edges each state is from the nearest one of `goals`, if any way leads there.
    fn distances(&self, goals: impl Fn(usize) -> bool) -> Vec<Option<u32>> {
        let states = self.start.len() - 1;
        let mut distances: Vec<Option<u32>> =
            (0..states).map(|state| goals(state).then_some(0)).collect();
        let mut queue: std::collections::VecDeque<usize> =
            (0..states).filter(|state| goals(*state)).collect();
        while let Some(number) = queue.pop_front() {
            let next = distances[number].map(|distance| distance + 1);
            let edges = self.start[number] as usize..self.start[number + 1] as usize;
            for source in &self.from[edges] {
                let source = *source as usize;
                if distances[source].is_none() {
                    distances[source] = next;
                    queue.push_back(source);
                }
            }
        }
        distances
    }
}

/// The first state from which no way leads to one that is quiet.
pub fn stuck(quiet: &[bool], edges: &[Edge]) -> Option<u32> {
    let distances = Back::of(quiet.len(), edges).distances(|state| quiet[state]);
    let found = distances.iter().position(Option::is_none);
    found.map(|number| number as u32)
}

/// Which vCPUs run in a state, and which wait for cycles that nothing but others can give them: one
/// bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycles {
    /// Those that run.
    pub runs: u8,
    /// Those that were preempted, have yielded, or have never run.
    pub wants: u8,
}

impl Cycles {
    /// Those of a state.
    pub fn of(world: &World, s: &S) -> Self {
        let mut cycles = Self::default();
        for number in 0..world.vcpus.len() {
            match s.vcpus[number].state {
                vcpu::State::Running => cycles.runs |= 1 << number,
                vcpu::State::Preempted | vcpu::State::Yielded | vcpu::State::Ready => {
                    cycles.wants |= 1 << number;
                }
                _ => {}
            }
        }
        cycles
    }
}

/// The most events, none of them anybody's failure, after which a vCPU that waits for cycles can run.
///
/// # Errors
/// The first state from which one never can.
pub fn runs_within(cycles: &[Cycles], edges: &[Edge]) -> Result<u32, u32> {
    let back = Back::of(cycles.len(), edges);
    let mut most = 0;
    for vcpu in (0..8).map(|number| 1 << number) {
        if cycles.iter().all(|cycles| cycles.wants & vcpu == 0) {
            continue;
        }
        let distances = back.distances(|state| cycles[state].runs & vcpu != 0);
        for (state, distance) in distances.into_iter().enumerate() {
            if cycles[state].wants & vcpu != 0 {
                most = most.max(distance.ok_or(state as u32)?);
            }
        }
    }
    Ok(most)
}

/// How many states show what the search is for, so that a search that never gets there is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Marks {
    /// A context or a vCPU is interrupted.
    pub preempted: usize,
    /// A partition or a vCPU waits for another.
    pub chained: usize,
    /// A response is kept for a partition or for a VM.
    pub kept: usize,
    /// A request's sender is gone.
    pub orphaned: usize,
    /// A context is not saved yet.
    pub unsaved: usize,
    /// A context has the core to deal with an interrupt.
    pub interrupted: usize,
    /// One has answered the normal world, and deals with an interrupt before that goes on.
    pub intercepted: usize,
    /// One was told of an interrupt while its callee ran.
    pub drains: usize,
    /// One was asked to make room.
    pub managed_exits: usize,
    /// The normal world is asked for cycles.
    pub asked: usize,
    /// An interrupt waits for a looser mask.
    pub masked: usize,
    /// A partition is told that its core goes off.
    pub told_off: usize,
    /// Everybody waits.
    pub quiet: usize,
    /// A notification is bound, and not pending.
    pub bound: usize,
    /// One is pending of which the scheduler was not told.
    pub pending: usize,
    /// One is pending of which it was.
    pub told: usize,
    /// One is pending and was set by one that is no more.
    pub left_behind: usize,
    /// A message lies in RX that its owner has not read of.
    pub unread: usize,
    /// RX is full, and its owner has read of it.
    pub full: usize,
    /// The proxy has written what its VM has in RX, which it holds at the SPMC meanwhile.
    pub acquired: usize,
    /// The schedule receiver interrupt of a core that went off is another one's.
    pub handed_on: usize,
    /// Who had a pair has none.
    pub no_pair: usize,
}

impl Marks {
    /// Counts a state.
    pub fn add(&mut self, world: &World, s: &S) {
        let contexts = &s.ctx[..world.contexts.len()];
        let mut poisoned = *s;
        world.poison(&mut poisoned);
        let orphaned = |ctx: &crate::state::Ctx| {
            ctx.serves
                .is_some_and(|serves| serves.origin.is_none() || serves.old)
        };
        let vcpus = &s.vcpus[..world.vcpus.len()];
        let taken = |vcpu: &crate::state::Vcpu| vcpu.state == vcpu::State::Preempted;
        self.preempted += usize::from(
            contexts.iter().any(|ctx| ctx.state == State::Preempted) || vcpus.iter().any(taken),
        );
        self.chained += usize::from(
            contexts.iter().any(|ctx| ctx.calls())
                || vcpus.iter().any(|vcpu| vcpu.state == vcpu::State::Blocked),
        );
        self.kept += usize::from(
            contexts.iter().any(|ctx| ctx.kept.is_some())
                || s.vcpus.iter().any(|vcpu| vcpu.kept.is_some()),
        );
        let orphans =
            |vcpu: &crate::state::Vcpu| vcpu.serves.is_some_and(|asked| asked.origin.is_none());
        self.orphaned +=
            usize::from(poisoned.ctx.iter().any(orphaned) || vcpus.iter().any(orphans));
        let any =
            |with: &dyn Fn(&crate::state::Ctx) -> bool| usize::from(contexts.iter().any(with));
        self.interrupted += any(&|ctx| ctx.runs() && ctx.model == Model::SecureInterrupt);
        self.intercepted += any(&|ctx| ctx.runs() && ctx.giver == By::AnsweredNormalWorld);
        self.drains += any(&|ctx| ctx.irq.drains);
        self.managed_exits += any(&|ctx| ctx.irq.managed_exit);
        self.asked += any(&|ctx| ctx.state == State::Waiting && ctx.irq.wakes());
        self.masked += usize::from(s.core.iter().any(|core| core.due != 0 && !core.kick));
        self.told_off += usize::from(s.core.iter().any(|core| core.told.is_some()));
        self.unsaved += usize::from(s.core.iter().any(|core| core.unsaved.is_some()));
        self.quiet += usize::from(is_quiet(world, s));
        self.add_notes(world, s);
    }

    fn add_notes(&mut self, world: &World, s: &S) {
        let bits = |with: &dyn Fn(&Bit) -> bool| usize::from(s.notes.bits.iter().any(with));
        self.bound += bits(&|bit| bit.bound && bit.pending == 0);
        self.pending += bits(&|bit| bit.news != 0);
        self.told += bits(&|bit| bit.pending & !bit.news != 0);
        self.left_behind += bits(&|bit| !bit.bound && bit.pending != 0);
        let buffers = |with: &dyn Fn(&Rx) -> bool| usize::from(s.notes.rx.iter().any(with));
        let mut unread = s.notes.unread.as_flattened().iter();
        self.unread += usize::from(unread.any(Option::is_some));
        let read = |rx: &(&Rx, &[Option<Unread>; 2])| matches!(rx, (Rx::Full(by), unread) if unread[*by as usize].is_none());
        let mut all = s.notes.rx.iter().zip(&s.notes.unread);
        self.full += usize::from(all.any(|rx| read(&rx)));
        self.acquired += buffers(&|rx| *rx == Rx::Full(Writer::Proxy));
        self.handed_on += usize::from(s.core.iter().any(|core| core.news_sri));
        let all = world.messages().iter().flat_map(|(from, to)| [*from, *to]);
        let none = |who: Who| s.notes.rx[who.buffer()] == Rx::None;
        self.no_pair += usize::from(all.into_iter().any(none));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_without_a_way_back_is_found() {
        let quiet = [true, false, false, false];
        assert_eq!(stuck(&quiet, &[(0, 1), (1, 2), (2, 0), (1, 3)]), Some(3));
        assert_eq!(stuck(&quiet, &[(3, 2), (2, 1), (1, 0)]), None);
        assert_eq!(stuck(&[], &[]), None);
    }

    #[test]
    fn how_far_a_vcpu_is_from_the_core_is_counted() {
        let state = |runs, wants| Cycles { runs, wants };
        let states = [state(1, 2), state(1, 2), state(2, 1), state(0, 2)];
        assert_eq!(
            runs_within(&states, &[(0, 1), (1, 2), (2, 0), (3, 0)]),
            Ok(3)
        );
        assert_eq!(runs_within(&states, &[(0, 1), (1, 2), (2, 0)]), Err(3));
    }
}
