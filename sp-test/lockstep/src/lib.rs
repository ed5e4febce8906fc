//! Leads real code through every event in every state of a model of it.
//!
//! The model is a value for each state. The code under test is not put into a state: it is led there
//! along events, and nothing is put back, so what is left of one step is there in the next. That
//! wants a model in which every state can be reached again from every other; where there are several
//! parts that can't be left, only the part that is entered first is gone through.

use pathfinding::directed::bfs::bfs;
use std::{collections::HashMap, fmt::Display, fmt::Formatter, hash::Hash};

/// What was gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// States of the model.
    pub states: usize,
    /// Pairs of a state and an event, each of which has happened.
    pub transitions: usize,
    /// Events that happened, those on the way to untried ones among them.
    pub steps: u64,
}

impl Display for Covered {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self {
            states,
            transitions,
            steps,
        } = self;
        write!(
            f,
            "{states} states, {transitions} transitions, {steps} steps"
        )
    }
}

/// Goes through all states that can be reached from `start`, with each of `events` in each.
///
/// `step` makes an event happen in a state, checks what came of it, and says which state follows by
/// the model. The same event in the same state always leads to the same state.
///
/// # Panics
/// The model broke that rule, so that what was thought to be the way is none.
pub fn every_event_in_every_state<S, E>(
    start: S,
    events: &[E],
    mut step: impl FnMut(S, E) -> S,
) -> Covered
where
    S: Copy + Eq + Hash,
    E: Copy,
{
    let mut known: HashMap<S, Vec<Option<S>>> = HashMap::new();
    let mut covered = Covered::default();
    let mut at = start;
    loop {
        let next = known.entry(at).or_insert_with(|| vec![None; events.len()]);
        if let Some(event) = next.iter().position(Option::is_none) {
            let to = step(at, events[event]);
            if let Some(next) = known.get_mut(&at) {
                next[event] = Some(to);
            }
            covered.transitions += 1;
            covered.steps += 1;
            at = to;
            continue;
        }
        let Some(way) = way(at, &known) else { break };
        for (event, to) in way {
            let reached = step(at, events[event]);
            assert!(
                reached == to,
                "an event led to two states from the same one"
            );
            covered.steps += 1;
            at = reached;
        }
    }
    covered.states = known.len();
    covered
}

/// The shortest way from `from` to a state with an untried event: each event by its place, and where
/// it leads.
fn way<S>(from: S, known: &HashMap<S, Vec<Option<S>>>) -> Option<Vec<(usize, S)>>
where
    S: Copy + Eq + Hash,
{
    let after = |state: &S| known.get(state).map_or(&[][..], Vec::as_slice);
    let path = bfs(
        &from,
        |state| after(state).iter().copied().flatten().collect::<Vec<_>>(),
        // One that was reached, and never left, has all its events left.
        |state| known.get(state).is_none_or(|next| next.contains(&None)),
    )?;
    let edges = path.windows(2).map(|edge| {
        let event = after(&edge[0]).iter().position(|to| *to == Some(edge[1]));
        event.map(|event| (event, edge[1]))
    });
    edges.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter from 0 to `MOST` that goes up, down, or back to 0.
    fn count(at: u8, event: i8) -> u8 {
        match event {
            0 => 0,
            by => at.saturating_add_signed(by).min(4),
        }
    }

    #[test]
    fn each_event_happens_in_each_state() {
        let mut seen = std::collections::HashSet::new();
        let mut real = 0;
        let covered = every_event_in_every_state(0, &[1, -1, 0], |at, event| {
            assert_eq!(at, real, "it is led on from where it is");
            seen.insert((at, event));
            real = count(real, event);
            real
        });
        assert_eq!((covered.states, covered.transitions), (5, 15));
        assert_eq!(seen.len(), 15);
        assert!(covered.steps >= 15);
        let said = covered.to_string();
        assert!(
            said.starts_with("5 states, 15 transitions, "),
            "found {said}"
        );
    }

    #[test]
    fn what_cannot_be_left_ends_it() {
        // From 1 nothing leads back.
        let covered = every_event_in_every_state(0, &[0, 1], |at, event| at.max(event));
        assert_eq!((covered.states, covered.transitions), (2, 4));
        let alone: [u8; 0] = [];
        assert_eq!(every_event_in_every_state(0, &alone, |at, _| at).states, 1);
    }

    #[test]
    #[should_panic(expected = "two states")]
    fn a_model_that_changes_its_mind_is_seen() {
        let mut calls = 0_u8;
        every_event_in_every_state(0_u8, &[1_u8, 2], |_, event| {
            calls = calls.wrapping_add(1);
            event.wrapping_mul(calls)
        });
    }
}
