//! The search itself: breadth first, on several threads, each with its own cores.

mod behave;
mod happen;
mod path;
mod rest;
mod seen;

pub use path::{Step, announce_panics, follow};
pub use rest::Marks;

use crate::{events::Events, rig::Rig, state::S, view::View, world::World};
use happen::{base, happen};
use path::Paths;
use rest::Edge;
use seen::Seen;
use serde::Serialize;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

/// What was found wrong, and the shortest way there.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    /// The events from the start, in words.
    pub path: Vec<String>,
    /// What is wrong after the last.
    pub what: String,
}

/// How a search went.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The configuration's name.
    pub configuration: String,
    /// What it has.
    pub about: String,
    /// How many states there are.
    pub states: usize,
    /// How many events were made to happen.
    pub transitions: usize,
    /// The most events on the shortest way to a state.
    pub depth: usize,
    /// Whether there are no more states; else the depth was the bound.
    pub complete: bool,
    /// The most events after which a vCPU that waits for cycles can run, if there are VMs.
    pub runs_within: u32,
    /// The most events after which a context hears of its interrupt, if there are any and everybody
    /// behaves.
    pub delivered_within: u32,
    /// The most events after which a notification is read, if there are any and everybody behaves.
    pub notified_within: u32,
    /// What the states show.
    pub marks: Marks,
    /// Seconds of wall clock.
    pub seconds: f64,
    /// What was found wrong.
    pub violation: Option<Violation>,
}

/// How far to search.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most events from the start.
    pub depth: Option<usize>,
    /// How many threads.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: None,
            threads: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// How many states a thread takes at a time.
const CHUNK: usize = 64;

/// Searches `world`. Stops at the first violation.
pub fn search(world: &World, limits: Limits) -> Report {
    let began = Instant::now();
    let events = Events::of(world);
    let seen = Seen::new();
    let start = path::start(world, &events);
    seen.number(start);
    let mut frontier = vec![start];
    let mut paths = Arc::new(Paths::default());
    let (mut transitions, mut depth) = (0, 0);
    let mut first = 0;
    let mut found = None;
    let mut marks = Marks::default();
    let mut quiet = Vec::new();
    let mut cycles = Vec::new();
    let mut heard = Vec::new();
    let mut notified = Vec::new();
    let mut behaved = Vec::new();
    let mut edges: Vec<Edge> = Vec::new();
    let mut workers: Vec<_> = (0..limits.threads.max(1))
        .map(|_| Worker::new(world))
        .collect();
    loop {
        for s in &frontier {
            marks.add(world, s);
            quiet.push(rest::is_quiet(world, s));
            cycles.push(rest::Cycles::of(world, s));
            heard.push(behave::Heard::of(world, s));
            notified.push(behave::Heard::notified(world, s));
        }
        if frontier.is_empty() || limits.depth.is_some_and(|limit| depth >= limit) {
            break;
        }
        path::publish(world, &paths);
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let violation = Mutex::new(None);
        let layer = Layer {
            world,
            events: &events,
            frontier: &frontier,
            first,
            next: &next,
            stop: &stop,
            violation: &violation,
            seen: &seen,
        };
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = workers
                .iter_mut()
                .map(|worker| scope.spawn(|| layer.expand(worker)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_default())
                .collect()
        });
        let count = frontier.len();
        let mut new = Vec::new();
        for found in results {
            transitions += found.transitions;
            edges.extend(found.edges);
            behaved.extend(found.behaved);
            new.extend(found.new);
        }
        if let Some((step, what)) = violation.into_inner().unwrap_or_default() {
            found = Some(Violation {
                path: paths.explain(world, &events, step),
                what,
            });
            break;
        }
        new.sort_unstable_by_key(|(number, ..)| *number);
        first += count;
        frontier = new.iter().map(|(_, _, s)| *s).collect();
        paths = Arc::new(paths.longer(new.into_iter().map(|(_, step, _)| step).collect()));
        if !frontier.is_empty() {
            depth += 1;
        }
    }
    let complete = found.is_none() && frontier.is_empty();
    if complete
        && let Some(state) = rest::stuck(&quiet, &edges)
        && let Some(step) = paths.step(state)
    {
        found = Some(Violation {
            path: paths.explain(world, &events, step),
            what: "from here, no behaviour of the partitions lets all of them wait again".into(),
        });
    }
    let mut runs_within = 0;
    if complete && found.is_none() {
        let wrong = match rest::runs_within(&cycles, &edges) {
            Ok(most) => {
                runs_within = most;
                None
            }
            Err(state) => Some(state),
        };
        if let Some(step) = wrong.and_then(|state| paths.step(state)) {
            found = Some(Violation {
                path: paths.explain(world, &events, step),
                what: "from here, a vCPU that waits for cycles never gets any".into(),
            });
        }
    }
    let (mut delivered_within, mut notified_within) = (0, 0);
    if complete && found.is_none() && world.interrupts.is_some() {
        let mut next = vec![None; heard.len()];
        for (from, to) in behaved {
            next[from as usize] = Some(to);
        }
        let both = [
            (&heard, &mut delivered_within, "hears of an interrupt"),
            (&notified, &mut notified_within, "reads a notification"),
        ];
        for (of, most, what) in both {
            match behave::delivered_within(of, &next) {
                Ok(events) => *most = events,
                Err(state) => {
                    found = Some(Violation {
                        path: paths.explain_behaving(world, &events, paths.step(state)),
                        what: format!("from here, somebody never {what}, though all behave"),
                    });
                }
            }
        }
    }
    Report {
        configuration: world.name.into(),
        about: world.about.into(),
        states: quiet.len(),
        transitions,
        depth,
        complete,
        runs_within,
        delivered_within,
        notified_within,
        marks,
        seconds: began.elapsed().as_secs_f64(),
        violation: found,
    }
}

/// A thread's cores: with the short way of messages, and without.
struct Worker {
    short: Rig,
    general: Rig,
}

impl Worker {
    fn new(world: &World) -> Self {
        Self {
            short: Rig::new(world, false),
            general: Rig::new(world, true),
        }
    }
}

/// States that are as many events from the start.
struct Layer<'a> {
    world: &'a World,
    events: &'a Events,
    frontier: &'a [S],
    /// The number of the first.
    first: usize,
    next: &'a AtomicUsize,
    stop: &'a AtomicBool,
    violation: &'a Mutex<Option<(Step, String)>>,
    seen: &'a Seen,
}

/// What a thread found in a layer.
#[derive(Default)]
struct Found {
    /// States that were not seen before: their numbers, and how they were reached.
    new: Vec<(u32, Step, S)>,
    /// Events that changed the state and may be a part of a way back.
    edges: Vec<Edge>,
    /// What follows if everybody behaves.
    behaved: Vec<Edge>,
    transitions: usize,
}

impl Layer<'_> {
    /// Takes states until there are none, and makes every event happen in each.
    fn expand(&self, worker: &mut Worker) -> Found {
        let mut found = Found::default();
        while !self.stop.load(Ordering::Relaxed) {
            let from = self.next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= self.frontier.len() {
                break;
            }
            let to = (from + CHUNK).min(self.frontier.len());
            for place in from..to {
                if let Err(violation) = self.state(worker, place, &mut found) {
                    self.stop.store(true, Ordering::Relaxed);
                    if let Ok(mut first) = self.violation.lock() {
                        first.get_or_insert(violation);
                    }
                    return found;
                }
            }
        }
        found
    }

    /// Makes every event happen in one state.
    fn state(
        &self,
        worker: &mut Worker,
        place: usize,
        found: &mut Found,
    ) -> Result<(), (Step, String)> {
        let s = &self.frontier[place];
        let number = (self.first + place) as u32;
        let before = base(self.world, self.events, s);
        let behaves = match self.world.interrupts {
            Some(_) => behave::next(self.world, s),
            None => None,
        };
        for core in 0..self.world.cores {
            for event in self.events.enabled(self.world, s, core) {
                let step = Step {
                    from: number,
                    core: core as u8,
                    event: event as u16,
                };
                found.transitions += 1;
                let after = self
                    .guarded(worker, &before, step)
                    .map_err(|what| (step, what))?;
                if after == *s {
                    continue;
                }
                let (next, is_new) = self.seen.number(after);
                if is_new {
                    found.new.push((next, step, after));
                }
                if behaves == Some((core, self.events.all[event])) {
                    found.behaved.push((number, next));
                }
                if rest::is_good(self.events.all[event]) {
                    found.edges.push((number, next));
                }
            }
        }
        Ok(())
    }

    /// One event; a panic of the core is an error like others, where panics unwind.
    fn guarded(&self, worker: &mut Worker, before: &View, step: Step) -> Result<S, String> {
        path::note(step);
        if cfg!(panic = "unwind") {
            let happens =
                AssertUnwindSafe(|| happen(self.world, self.events, worker, before, step));
            catch_unwind(happens).unwrap_or_else(|panic| {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied());
                Err(format!("a panic: {}", text.unwrap_or("of some kind")))
            })
        } else {
            happen(self.world, self.events, worker, before, step)
        }
    }
}
