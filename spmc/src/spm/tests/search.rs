//! Every state that a few partitions can reach by any sequence of calls, interrupts and failures.
//! In each, contexts and chains are sound, the short way of messages and the general one lead to the
//! same registers and states, and there is a way back: if partitions behave from now on, all of them
//! wait again and the normal world has the cores.

use super::fixture::*;
use crate::{
    context::{Giver, Slot, WaitsFor},
    spm::Next,
    state::{Model, State},
};
use ffa_abi::{Function, Version, contract::Mode, fid::raw::*};
use std::collections::{HashMap, VecDeque};

/// What may happen on a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// A request to this partition, by whoever has the core.
    Request(Slot),
    /// `FFA_RUN` of this partition, by whoever has the core, and its 64-bit form.
    Run(Slot),
    RunWide(Slot),
    /// The answer to what the running partition serves.
    Respond,
    Wait,
    WaitWide,
    Yield,
    Interrupt,
    /// A core that was kicked looks.
    Look,
    Fail,
    /// The core goes off, if the normal world has it.
    Off,
}

impl Action {
    /// Whether it ends a context's life.
    fn is_failure(self) -> bool {
        matches!(self, Self::Fail | Self::Off)
    }
}

/// Where an answer goes, and to which of that partition's contexts.
type Origin = ((u8, bool), u16);

/// What matters of a context: fields that mean nothing in a state are left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    pe: Option<usize>,
    state: State,
    model: Option<Model>,
    giver: Option<(u8, bool)>,
    /// The sender of the request and, while it lives, where the answer goes.
    serves: Option<(u16, Option<Origin>)>,
    waits_for: Option<Option<Slot>>,
    /// The width of the call it is in, in strict mode.
    wide: Option<bool>,
    /// From whom a response is kept.
    kept: Option<Slot>,
}

/// Who has each core, and whether it was kicked; and the contexts.
type Keys = (Vec<(Option<Slot>, bool)>, Vec<Key>);

fn giver(giver: Giver) -> (u8, bool) {
    match giver {
        Giver::Partition(slot) => (slot.0, true),
        Giver::NormalWorld => (0, false),
        Giver::Spmc => (1, false),
        other => panic!("{other:?} without interrupts"),
    }
}

fn keys(f: &Fixture) -> Keys {
    let now = f.now.iter().enumerate().map(|(core, next)| {
        let kicked = f.machine.interrupts.kicked.contains(&(core as u16));
        match next {
            Next::Partition(slot) => (Some(*slot), kicked),
            _ => (None, kicked),
        }
    });
    let contexts = f.snapshot().contexts.into_iter().map(|view| {
        let live = matches!(
            view.state,
            State::Running | State::Blocked | State::Preempted
        );
        // Who gave it cycles says nothing once it has lost them.
        let linked = match view.state {
            State::Running => true,
            State::Blocked => view.waits_for != WaitsFor::Cycles,
            _ => false,
        };
        // To the dead nothing is owed, and nothing is kept from them.
        let origin = |request| match f.spmc.origin(&request) {
            Some(Giver::Partition(slot)) => {
                let index = f.spmc.context_index(slot, request.core);
                Some((giver(Giver::Partition(slot)), index))
            }
            origin => origin.map(|origin| (giver(origin), 0)),
        };
        let kept = view.parked.as_ref();
        let kept = kept.filter(|kept| !f.spmc.is_dead(kept.from, kept.core));
        let in_call = linked && view.state == State::Blocked || view.state == State::Waiting;
        let strict = f.spmc.info(view.slot).unwrap().mode == Mode::SmcccStrict;
        Key {
            pe: view.pe,
            state: view.state,
            model: live.then_some(view.model),
            giver: linked.then_some(giver(view.giver)),
            serves: view.request.map(|r| (r.sender.0, origin(r))),
            waits_for: (view.state == State::Blocked).then_some(match view.waits_for {
                WaitsFor::Cycles => None,
                WaitsFor::Callee(slot) => Some(slot),
            }),
            wide: (strict && in_call).then_some(view.call_is_wide),
            kept: kept.map(|kept| kept.from),
        }
    });
    (now.collect(), contexts.collect())
}

/// The form of the requests and responses of a search.
type Form = (u32, u32);

const DIRECT_32: Form = (DIRECT_REQ_32, DIRECT_RESP_32);
const DIRECT_64: Form = (DIRECT_REQ_64, DIRECT_RESP_64);
const DIRECT_2: Form = (DIRECT_REQ2, DIRECT_RESP2);

/// Does `action` on the fixture's core. `false` if it makes no sense for who has it.
fn act(f: &mut Fixture, form: Form, action: Action) -> bool {
    let running = match f.now[f.pe] {
        Next::Partition(slot) => Some(slot),
        _ => None,
    };
    let own = running.map_or(VM, id);
    let call = match (action, running) {
        (Action::Request(to), _) => message(form.0, own, id(to)),
        (Action::Run(slot) | Action::RunWide(slot), _) => {
            let up = f.spmc.info(slot).unwrap().is_up();
            let mut call = run(slot, if up { 0 } else { f.pe as u16 });
            if let Action::RunWide(_) = action {
                call[0] = Function::Run.raw64().into();
            }
            call
        }
        (Action::Look, _) => return f.looks().is_some(),
        (Action::Off, None) => core_off(),
        (Action::Off, Some(_)) | (_, None) => return false,
        (Action::Wait, _) => msg_wait(),
        (Action::WaitWide, _) => frame(&[MSG_WAIT_64.into()]),
        (Action::Yield, _) => yields(0),
        (Action::Respond, Some(slot)) => match f.view(slot).request {
            Some(request) => message(form.1, own, request.sender),
            None => return false,
        },
        (Action::Interrupt, _) => {
            f.preempt();
            return true;
        }
        (Action::Fail, _) => {
            f.abort();
            return true;
        }
    };
    f.call(call);
    true
}

/// A sequence of actions, each with its core.
type Path = Vec<(usize, Action)>;

/// A search and what it has found.
struct Search {
    cores: usize,
    specs: Vec<Spec>,
    form: Form,
    actions: Vec<Action>,
    numbers: HashMap<Keys, usize>,
    /// The shortest way to each state.
    paths: Vec<Path>,
    /// Whether everything is at rest in a state.
    quiet: Vec<bool>,
    /// From which states one action that is not a failure leads here.
    from: Vec<Vec<usize>>,
}

impl Search {
    fn new(cores: usize, specs: &[Spec], form: Form, failures: bool) -> Self {
        let slots: Vec<Slot> = (0..specs.len()).map(|n| Slot(n as u8)).collect();
        let mut actions: Vec<Action> = Vec::new();
        for slot in &slots {
            actions.extend([Action::Request(*slot), Action::Run(*slot)]);
        }
        if specs.iter().any(|spec| spec.mode == Mode::SmcccStrict) {
            actions.extend(slots.into_iter().map(Action::RunWide));
            actions.push(Action::WaitWide);
        }
        actions.extend([
            Action::Respond,
            Action::Wait,
            Action::Yield,
            Action::Interrupt,
            Action::Look,
        ]);
        if failures {
            actions.extend([Action::Fail, Action::Off]);
        }
        Self {
            cores,
            specs: specs.to_vec(),
            form,
            actions,
            numbers: HashMap::new(),
            paths: Vec::new(),
            quiet: Vec::new(),
            from: Vec::new(),
        }
    }

    /// The state at the end of a path, reached twice: with the short way of messages, and without.
    fn replay(&self, path: &Path) -> (Fixture, Fixture) {
        let at = marks();
        let replay = |general: bool| {
            set_marks(at);
            let mut f = Fixture::with(self.cores, &self.specs);
            f.boot();
            f.nwd(frame(&[VERSION.into(), Version::V1_2.raw().into()]));
            f.general = general;
            for (pe, action) in path {
                f.pe = *pe;
                act(&mut f, self.form, *action);
            }
            f
        };
        (replay(false), replay(true))
    }

    /// The number of a state, new or known.
    fn number(&mut self, keys: Keys, path: &Path) -> usize {
        let (now, contexts) = &keys;
        let at_rest = |key: &Key| {
            matches!(key.state, State::Waiting | State::Aborted | State::Off) && key.kept.is_none()
        };
        let quiet = now.iter().all(|now| *now == (None, false)) && contexts.iter().all(at_rest);
        let next = self.paths.len();
        let number = *self.numbers.entry(keys).or_insert(next);
        if number == next {
            self.paths.push(path.clone());
            self.quiet.push(quiet);
            self.from.push(Vec::new());
        }
        number
    }

    /// Finds every state.
    fn run(&mut self) {
        let start = Path::new();
        self.number(keys(&self.replay(&start).0), &start);
        let mut at = 0;
        while let Some(path) = self.paths.get(at).cloned() {
            let (mut f, mut twin) = self.replay(&path);
            for pe in 0..self.cores {
                for action in self.actions.clone() {
                    (f.pe, twin.pe) = (pe, pe);
                    let before = keys(&f);
                    let marked = marks();
                    if !act(&mut f, self.form, action) {
                        continue;
                    }
                    set_marks(marked);
                    act(&mut twin, self.form, action);
                    let snapshot = f.snapshot();
                    twin.snapshot().is(&snapshot);
                    assert_eq!(f.now, twin.now, "{path:?}, then {action:?}");
                    f.links_hold(&snapshot);
                    let after = keys(&f);
                    if after == before {
                        continue;
                    }
                    let mut way = path.clone();
                    way.push((pe, action));
                    let number = self.number(after, &way);
                    if !action.is_failure() {
                        self.from[number].push(at);
                    }
                    (f, twin) = self.replay(&path);
                }
            }
            at += 1;
        }
    }

    /// States from which no behaviour of the partitions leads to rest.
    fn stuck(&self) -> Vec<&Path> {
        let mut free = self.quiet.clone();
        let mut queue: VecDeque<usize> = (0..free.len()).filter(|n| free[*n]).collect();
        while let Some(number) = queue.pop_front() {
            for earlier in &self.from[number] {
                if !std::mem::replace(&mut free[*earlier], true) {
                    queue.push_back(*earlier);
                }
            }
        }
        let paths = self.paths.iter().zip(free);
        paths
            .filter(|(_, free)| !free)
            .map(|(path, _)| path)
            .collect()
    }
}

/// Searches; how many states there are. There is a way to rest from each.
#[track_caller]
fn all_states(cores: usize, specs: &[Spec], form: Form, failures: bool) -> usize {
    let mut search = Search::new(cores, specs, form, failures);
    search.run();
    if let Some(path) = search.stuck().first() {
        panic!("there is no way back after {path:?}");
    }
    println!("{} states", search.paths.len());
    search.paths.len()
}

const UP: Spec = Spec::up(Version::V1_2);
const MP: Spec = Spec::mp(Version::V1_2);

#[test]
fn three_partitions_on_one_core() {
    assert!(all_states(1, &[UP, UP, UP], DIRECT_32, false) > 50);
}

#[test]
fn three_partitions_on_one_core_that_may_fail() {
    assert!(all_states(1, &[UP, UP, UP], DIRECT_2, true) > 100);
}

#[test]
fn two_partitions_in_strict_mode_on_one_core_that_may_fail() {
    assert!(all_states(1, &[UP.strict(), UP.strict()], DIRECT_2, true) > 100);
}

#[test]
fn two_cores() {
    assert!(all_states(2, &[UP, MP], DIRECT_64, false) > 100);
}

#[test]
fn two_cores_that_may_fail() {
    assert!(all_states(2, &[UP, MP], DIRECT_64, true) > 1000);
}

#[test]
fn two_cores_with_two_migrating_partitions_that_may_fail() {
    assert!(all_states(2, &[UP, UP], DIRECT_2, true) > 100);
}

#[test]
fn two_cores_in_strict_mode() {
    assert!(all_states(2, &[UP.strict(), MP], DIRECT_2, false) > 1000);
}
#[test]
fn two_cores_in_strict_mode_that_may_fail() {
    assert!(all_states(2, &[UP.strict(), MP], DIRECT_2, true) > 1000);
}
