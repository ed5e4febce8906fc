//! The books of a [`World`]: who owes whom an answer, and what must hold after every step.
//!
//! Each accepted request gets exactly one response or one error; a response that is kept for a
//! strict endpoint is fetched or freed; one context runs on a core; call chains end. The books are
//! kept from what endpoints see, and compared with what the core itself notes.

use crate::{
    fid,
    oracle::Kind,
    world::{Actor, Landing, View, Who, World, id},
};
use ffa_abi::contract::Mode;
use spmc::{
    context::{Giver, Slot, WaitsFor},
    state::State,
};

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Requester {
    Normal,
    Partition(Slot),
    /// A partition that has died since, or has ended without the answer when the normal world ran the
    /// receiver.
    Dead,
}

/// An accepted request.
#[derive(Clone, Copy, Debug)]
struct Owed {
    requester: Requester,
    /// On which core it was sent.
    core: usize,
}

/// The books.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// What the context of each slot and core owes.
    owed: Vec<Vec<Option<Owed>>>,
    /// Whose response is kept for the context of each slot and core, and where it was sent.
    kept: Vec<Vec<Option<(Slot, usize)>>>,
    /// Answers that were accepted on each core, whose senders have an interrupt to deal with before who
    /// was answered goes on: to whom, and the message.
    withheld: Vec<Vec<(Who, u32)>>,
    /// Which contexts have died, by slot and core.
    dead: Vec<Vec<bool>>,
    /// How many requests were accepted, answered and failed, and responses kept.
    pub counts: Counts,
}

/// What happened, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that reached a receiver.
    pub requests: u64,
    /// Responses that reached a requester.
    pub responses: u64,
    /// Requests whose receiver died.
    pub aborted: u64,
    /// Responses into the void, since their requester had died.
    pub void: u64,
    /// Responses kept for a strict requester.
    pub kept: u64,
    /// Kept responses that were fetched.
    pub fetched: u64,
    /// Interrupts that preempted a partition.
    pub preempted: u64,
    /// Interrupts of partitions that were taken, and those for which one was entered.
    pub taken: u64,
    /// See [`taken`](Self::taken).
    pub entered: u64,
    /// Answers whose senders had an interrupt pending.
    pub intercepted: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Transactions of memory that were accepted, answers to retrievals, and fragments of either.
    pub sent: u64,
    /// See [`sent`](Self::sent).
    pub retrieved: u64,
    /// See [`sent`](Self::sent).
    pub fragments: u64,
    /// What was relinquished or reclaimed.
    pub given_back: u64,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.responses += other.responses;
        self.aborted += other.aborted;
        self.void += other.void;
        self.kept += other.kept;
        self.fetched += other.fetched;
        self.preempted += other.preempted;
        self.taken += other.taken;
        self.entered += other.entered;
        self.intercepted += other.intercepted;
        self.errors += other.errors;
        self.sent += other.sent;
        self.retrieved += other.retrieved;
        self.fragments += other.fragments;
        self.given_back += other.given_back;
    }
}

impl Ledger {
    pub(crate) fn new(slots: usize, cores: usize) -> Self {
        Self {
            owed: vec![vec![None; cores]; slots],
            kept: vec![vec![None; cores]; slots],
            withheld: vec![Vec::new(); cores],
            dead: vec![vec![false; cores]; slots],
            counts: Counts::default(),
        }
    }

    /// EL3 refused the completion that `actor` made.
    pub(crate) fn bounced(&mut self, core: usize, actor: Actor) {
        if let Actor::Partition(slot) = actor {
            for place in [core, 0] {
                self.owed[slot.index()][place] = None;
            }
        }
    }

    /// Whether a context has died.
    pub(crate) fn is_dead(&self, slot: Slot, place: usize) -> bool {
        self.dead
            .get(slot.index())
            .and_then(|cores| cores.get(place))
            .is_some_and(|dead| *dead)
    }

    /// The core of a context was switched off: nobody is told, and it is gone.
    pub(crate) fn switched_off(&mut self, core: usize, slot: Slot, per_core: bool) {
        let place = if per_core { core } else { 0 };
        self.owed[slot.index()][place] = None;
        self.gone(slot, per_core, place, core);
    }

    /// What a context that is gone asked is answered into the void, and what is kept for it or from
    /// it is freed.
    fn gone(&mut self, dead: Slot, per_core: bool, place: usize, core: usize) {
        self.dead[dead.index()][place] = true;
        self.kept[dead.index()][place] = None;
        for owed in self.owed.iter_mut().flatten().flatten() {
            if owed.requester == Requester::Partition(dead) && (!per_core || owed.core == core) {
                owed.requester = Requester::Dead;
            }
        }
        for kept in self.kept.iter_mut().flatten() {
            if kept.is_some_and(|(from, at)| from == dead && (!per_core || at == core)) {
                *kept = None;
            }
        }
    }
}

pub(crate) fn place(world: &World<'_>, slot: Slot, core: usize) -> usize {
    match world.specs.get(slot.index()) {
        Some(spec) if spec.per_core => core,
        _ => 0,
    }
}

fn sent_by(world: &mut World<'_>, core: usize, slot: Slot) -> [u64; 2] {
    world.cores[core]
        .pe
        .context(slot)
        .map_or([0; 2], |context| {
            [context.machine.sent[0], context.machine.sent[1]]
        })
}

/// Books one step.
pub(crate) fn book(
    world: &mut World<'_>,
    core: usize,
    actor: Actor,
    landing: Landing,
    views: &[View],
) -> Result<(), String> {
    if let Kind::Error(_) = landing.kind {
        world.ledger.counts.errors += 1;
    }
    let message = match landing.kind {
        Kind::Message(message) => Some(message),
        _ => None,
    };
    let state = |slot: Slot| {
        views
            .iter()
            .find(|view| view.slot == slot)
            .map(|view| view.state)
    };

    // A request reaches its receiver.
    if let (Some(request), Who::Partition(receiver)) = (message, landing.who)
        && fid::is_request(request)
    {
        let requester = match actor {
            Actor::Normal => Requester::Normal,
            Actor::Partition(from) if from != receiver => Requester::Partition(from),
            _ => return Err(format!("{actor:?} makes a request land at {receiver:?}")),
        };
        if let Requester::Partition(from) = requester
            && state(from) != Some(State::Blocked)
        {
            return Err(format!("{from:?} sent a request and is not blocked"));
        }
        let place = place(world, receiver, core);
        let owed = &mut world.ledger.owed[receiver.index()][place];
        if owed.is_some() {
            return Err(format!("{receiver:?} is given a second request"));
        }
        *owed = Some(Owed { requester, core });
        world.ledger.counts.requests += 1;
        return Ok(());
    }

    match actor {
        Actor::Interrupt(slot) => {
            world.ledger.counts.preempted += 1;
            if landing.who != Who::Partition(slot) && !matches!(landing.kind, Kind::Interrupt(_)) {
                return Err(format!("{slot:?} was preempted: {landing:?}"));
            }
        }
        Actor::Taken(current) => {
            world.ledger.counts.taken += 1;
            let same = match current {
                Some(slot) => Who::Partition(slot),
                None => Who::Normal,
            };
            let goes_on = landing.who == same && landing.kind == Kind::Resumed;
            let entered = matches!(landing.who, Who::Partition(_))
                && matches!(landing.kind, Kind::Interrupt(_));
            world.ledger.counts.entered += u64::from(!goes_on);
            if !goes_on && !entered {
                return Err(format!("an interrupt became {landing:?}"));
            }
        }
        Actor::Abort(slot) => died(world, core, slot, landing)?,
        Actor::Partition(from) => {
            let [x0, x1] = sent_by(world, core, from);
            let call = fid::of(x0);
            let intercepted =
                landing.who == Who::Partition(from) && matches!(landing.kind, Kind::Interrupt(_));
            if fid::is_response(call) && (state(from) == Some(State::Waiting) || intercepted) {
                return answered(world, core, from, call, landing);
            }
            // A kept response is fetched.
            if message == Some(fid::RESP2) && landing.who == Who::Partition(from) {
                let place = place(world, from, core);
                let kept = world.ledger.kept[from.index()][place].take();
                let target = (x1 >> 16) as u16;
                if call != fid::RUN_64 || kept.map(|(from, _)| id(from)) != Some(target) {
                    return Err(format!(
                        "{from:?} fetches a response of {target:#x} with {}, kept is {kept:?}",
                        fid::name(call)
                    ));
                }
                world.ledger.counts.fetched += 1;
                return Ok(());
            }
        }
        Actor::Normal => {
            if let (Who::Partition(slot), None) = (landing.who, message) {
                orphaned(world, core, slot)?;
            }
        }
    }
    // It was accepted before, and its sender has dealt with its interrupt.
    let withheld = &mut world.ledger.withheld[core];
    let place = withheld
        .iter()
        .position(|(who, held)| *who == landing.who && Some(*held) == message);
    if let Some(place) = place {
        withheld.remove(place);
        return Ok(());
    }
    match message {
        Some(message) => Err(format!(
            "{actor:?} makes a {} land at {:?}, which nobody sent now",
            fid::name(message),
            landing.who
        )),
        None => Ok(()),
    }
}

/// The normal world runs a partition. If that owes a partition an answer, the requester must have ended:
/// nobody waits for the answer any more.
fn orphaned(world: &mut World<'_>, core: usize, slot: Slot) -> Result<(), String> {
    let place_of = place(world, slot, core);
    let Some(Owed {
        requester: Requester::Partition(by),
        core: sent,
    }) = world.ledger.owed[slot.index()][place_of]
    else {
        return Ok(());
    };
    let per_core = world.specs[by.index()].per_core;
    for (n, other) in world.cores.iter_mut().enumerate() {
        if let Some(context) = other.pe.context(by)
            && (!per_core || n == sent)
            && context.state() != State::Waiting
        {
            return Err(format!("{slot:?} is run, but {by:?} waits for its answer"));
        }
    }
    world.ledger.owed[slot.index()][place_of] = Some(Owed {
        requester: Requester::Dead,
        core: sent,
    });
    Ok(())
}

/// A response was accepted: it ends exactly one request.
fn answered(
    world: &mut World<'_>,
    core: usize,
    from: Slot,
    response: u32,
    landing: Landing,
) -> Result<(), String> {
    let place_from = place(world, from, core);
    let Some(owed) = world.ledger.owed[from.index()][place_from].take() else {
        return Err(format!("{from:?} answers twice, or what nobody asked"));
    };
    let delivered = Kind::Message(response);
    let intercepted =
        landing.who == Who::Partition(from) && matches!(landing.kind, Kind::Interrupt(_));
    if intercepted {
        return withhold(world, core, from, response, owed);
    }
    match owed.requester {
        Requester::Dead => {
            world.ledger.counts.void += 1;
            if fid::is_response(match landing.kind {
                Kind::Message(message) => message,
                _ => 0,
            }) {
                return Err(format!("an answer to a dead partition reached {landing:?}"));
            }
        }
        Requester::Normal => {
            // A single context goes where the normal world runs it.
            let moved = owed.core != core && world.specs[from.index()].per_core;
            if (landing.who, landing.kind) != (Who::Normal, delivered) || moved {
                return Err(format!(
                    "the answer on core {core} to {owed:?} became {landing:?}"
                ));
            }
            world.ledger.counts.responses += 1;
        }
        Requester::Partition(to) => {
            if landing.who != Who::Partition(to) {
                return Err(format!("{to:?} is answered and {landing:?}"));
            }
            if landing.kind == delivered {
                world.ledger.counts.responses += 1;
                return Ok(());
            }
            let call = fid::of(sent_by(world, core, to)[0]);
            let strict = world.specs[to.index()].mode == Mode::SmcccStrict;
            let keeps = strict
                && response == fid::RESP2
                && !fid::is_wide(call)
                && landing.kind == Kind::Error(-6);
            let place_to = place(world, to, core);
            let kept = &mut world.ledger.kept[to.index()][place_to];
            if !keeps || kept.is_some() {
                return Err(format!(
                    "the answer of {from:?} to {to:?} became {landing:?}"
                ));
            }
            *kept = Some((from, core));
            world.ledger.counts.kept += 1;
        }
    }
    Ok(())
}

/// A response was accepted, and its sender deals with an interrupt before who was answered goes on.
fn withhold(
    world: &mut World<'_>,
    core: usize,
    from: Slot,
    response: u32,
    owed: Owed,
) -> Result<(), String> {
    world.ledger.counts.intercepted += 1;
    let who = match owed.requester {
        Requester::Dead => {
            world.ledger.counts.void += 1;
            return Ok(());
        }
        Requester::Normal => Who::Normal,
        Requester::Partition(to) => {
            let call = fid::of(sent_by(world, core, to)[0]);
            let strict = world.specs[to.index()].mode == Mode::SmcccStrict;
            if strict && response == fid::RESP2 && !fid::is_wide(call) {
                let place_to = place(world, to, core);
                let kept = &mut world.ledger.kept[to.index()][place_to];
                if kept.is_some() {
                    return Err(format!("a second response is kept for {to:?}"));
                }
                *kept = Some((from, core));
                world.ledger.counts.kept += 1;
                return Ok(());
            }
            Who::Partition(to)
        }
    };
    world.ledger.counts.responses += 1;
    world.ledger.withheld[core].push((who, response));
    Ok(())
}

/// A partition died: who waited for it is told, what it asked is answered into the void, and what
/// was kept for it or from it is gone.
fn died(world: &mut World<'_>, core: usize, dead: Slot, landing: Landing) -> Result<(), String> {
    let place = place(world, dead, core);
    let per_core = world.specs[dead.index()].per_core;
    if let Some(owed) = world.ledger.owed[dead.index()][place].take() {
        world.ledger.counts.aborted += 1;
        let told = match owed.requester {
            Requester::Normal => landing.who == Who::Normal,
            Requester::Partition(to) => landing.who == Who::Partition(to),
            Requester::Dead => true,
        };
        if !told || landing.kind != Kind::Error(-8) {
            return Err(format!("{dead:?} died serving {owed:?}, and {landing:?}"));
        }
    }
    world.ledger.gone(dead, per_core, place, core);
    Ok(())
}

/// What must hold after every step.
pub(crate) fn sound(
    world: &World<'_>,
    core: usize,
    who: Who,
    views: &[View],
) -> Result<(), String> {
    let find = |slot: Slot| views.iter().find(|view| view.slot == slot);
    for view in views {
        let slot = view.slot;
        let runs = matches!(view.state, State::Running | State::Starting);
        if runs != (who == Who::Partition(slot)) {
            return Err(format!(
                "{who:?} has the core and {slot:?} is {:?}",
                view.state
            ));
        }
        let place = place(world, slot, core);
        if view.request.is_some() != world.ledger.owed[slot.index()][place].is_some() {
            return Err(format!(
                "{slot:?} serves {:?}, the books say {:?}",
                view.request,
                world.ledger.owed[slot.index()][place]
            ));
        }
        let kept = world.ledger.kept[slot.index()][place];
        let held = view
            .parked
            .as_ref()
            .map(|parked| (parked.from, usize::from(parked.core)));
        if held != kept {
            return Err(format!("{slot:?} keeps {held:?}, the books say {kept:?}"));
        }
        if view.state != State::Blocked {
            continue;
        }
        if let WaitsFor::Callee(callee) = view.waits_for {
            let Some(callee) = find(callee) else {
                return Err(format!("{slot:?} waits for one on another core"));
            };
            let interrupted = callee.state == State::Preempted
                && views
                    .iter()
                    .any(|view| view.giver == Giver::Interrupted(callee.slot));
            if callee.giver != Giver::Partition(slot)
                || !(matches!(callee.state, State::Running | State::Blocked) || interrupted)
            {
                return Err(format!(
                    "{slot:?} waits for {:?}, which is {:?} by {:?}",
                    callee.slot, callee.state, callee.giver
                ));
            }
            if who == Who::Normal {
                return Err(format!(
                    "{slot:?} is in a chain while the normal world runs"
                ));
            }
        }
    }
    // The chain of who runs, back to its head.
    let Who::Partition(mut current) = who else {
        return Ok(());
    };
    for _ in 0..=views.len() {
        let Some(view) = find(current) else {
            return Err(format!("{current:?} is in the chain and on another core"));
        };
        match view.giver {
            Giver::Partition(previous) => {
                let blocked = find(previous).is_some_and(|view| {
                    view.state == State::Blocked && view.waits_for == WaitsFor::Callee(current)
                });
                if !blocked {
                    return Err(format!(
                        "{previous:?} called {current:?} and is not blocked"
                    ));
                }
                current = previous;
            }
            Giver::Interrupted(previous) => {
                if find(previous).is_none_or(|view| view.state != State::Preempted) {
                    return Err(format!("{current:?} interrupted {previous:?}"));
                }
                current = previous;
            }
            _ => return Ok(()),
        }
    }
    Err(format!("the call chain of {who:?} has a loop"))
}
