//! Random calls, interrupts and failures on two cores, from the normal world and from whatever
//! partition runs. After each step everything is checked: that nobody but caller and next endpoint
//! changed, that what the next one sees is explained by what the caller did, register by register,
//! that chains are chains, that each request ends once, and that no register of one endpoint is
//! ever seen by another that it was not sent to.
//!
//! `TANTALUM_SEED` (hexadecimal) runs one more seed, which a failure prints.

mod calls;
mod check;

use super::fixture::*;
use crate::{
    context::{RequestKind, Slot, WaitsFor},
    spm::Next,
    state::{Model, State},
};
use ffa_abi::{
    EndpointId, FfaError, Function, Uuid, Version,
    contract::Mode,
    fid::{WIDE_BIT, raw::*},
    message::{self, FRAMEWORK_BIT},
    smccc::{SVE_HINT, psci},
};
use std::collections::{HashMap, HashSet};

const SEEDS: [u64; 4] = [0x7461_6e74, 0x616c_756d, 1, 0xfeed_f00d_dead_beef];
/// Steps per seed, in lives after which everything starts afresh.
const LIVES: usize = 200;
const STEPS: usize = 250;
const SLOTS: u64 = 5;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// True once in `n`.
    fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn slot(&mut self) -> Slot {
        Slot(self.below(SLOTS) as u8)
    }
}

/// Says where a failure is when it unwinds.
struct Place {
    seed: u64,
    life: usize,
    step: usize,
    what: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self {
                seed,
                life,
                step,
                what,
            } = self;
            eprintln!("TANTALUM_SEED={seed:x}, life {life}, step {step}: {what}");
        }
    }
}

/// Who owns registers: the normal world on a core, or a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    NormalWorld(usize),
    Context(Slot, usize),
}

impl Who {
    fn number(self) -> u64 {
        match self {
            Self::NormalWorld(pe) => pe as u64,
            Self::Context(slot, index) => 2 + u64::from(slot.0) * 2 + index as u64,
        }
    }

    /// Whether an answer to `self` may be given to `other`: the normal world is one sender on all
    /// cores, each context of a partition is one of its own.
    fn is_same_sender(self, other: Self) -> bool {
        match (self, other) {
            (Self::NormalWorld(_), Self::NormalWorld(_)) => true,
            _ => self == other,
        }
    }
}

const TAG: u64 = 0x20;

/// The number of the owner that marked a value, in full or in its lower half.
fn owner(value: u64) -> Option<u64> {
    let byte = value >> 24 & 0xff;
    let whole = value >> 56 == byte || value >> 32 == 0;
    (whole && byte & 0xe0 == TAG).then_some(byte & 0x1f)
}

struct World {
    f: Fixture,
    /// The same world, whose calls all go the general way.
    twin: Fixture,
    rng: Rng,
    sequence: u64,
    /// Whom each context owes an answer, `None` if that one died; the request and its sender's id.
    owes: HashMap<Who, (Option<Who>, u32, u16)>,
    /// The values that each was sent.
    inbox: HashMap<Who, HashSet<u64>>,
    /// Responses that are kept for partitions in strict mode, and who sent them.
    kept: HashMap<Who, (Who, Frame)>,
    /// Contexts that have failed, or whose core went off.
    dead: HashSet<Who>,
    requests: usize,
    ended: usize,
    /// Requests that told of a VM.
    told_of_vms: usize,
}

impl World {
    fn new(rng: Rng) -> Self {
        let mut rng = rng;
        let mut specs = USUAL;
        for spec in &mut specs[..3] {
            if rng.once_in(4) {
                *spec = spec.strict();
            }
        }
        let at = marks();
        let f = Fixture::booted(&specs);
        set_marks(at);
        let mut twin = Fixture::booted(&specs);
        twin.general = true;
        let mut world = Self {
            f,
            twin,
            rng,
            sequence: 0,
            owes: HashMap::new(),
            inbox: HashMap::new(),
            kept: HashMap::new(),
            dead: HashSet::new(),
            requests: 0,
            ended: 0,
            told_of_vms: 0,
        };
        world.f.lazy = world.rng.once_in(2);
        world.twin.lazy = world.f.lazy;
        world
    }

    fn who(&self, slot: Slot) -> Who {
        let up = self.f.spmc.info(slot).unwrap().is_up();
        Who::Context(slot, if up { 0 } else { self.f.pe })
    }

    fn now(&self) -> Who {
        match self.f.now[self.f.pe] {
            Next::Partition(slot) => self.who(slot),
            _ => Who::NormalWorld(self.f.pe),
        }
    }

    /// A frame full of marks of `who`.
    fn marks(&mut self, who: Who) -> Frame {
        let tag = TAG | who.number();
        core::array::from_fn(|_| {
            self.sequence += 1;
            let n = self.sequence & 0xff_ffff;
            tag << 56 | n << 32 | tag << 24 | n
        })
    }

    fn step(&mut self, place: &mut Place) {
        self.f.pe = self.rng.below(2) as usize;
        self.twin.pe = self.f.pe;
        // What left this core in its last step is saved before it does anything else.
        self.f.save();
        self.twin.save();
        let caller = self.now();
        let kind = match caller {
            Who::NormalWorld(_) => 0,
            Who::Context(..) => self.rng.below(1000),
        };
        let mut before = self.f.snapshot();
        let call = match kind {
            0..850 => self.call(caller),
            _ => [0; 31],
        };
        match kind {
            0..850 => {
                place.what = format!("{caller:?} calls {:x?}", &call[..18]);
                match caller {
                    Who::NormalWorld(pe) => before.nwd[pe].0.copy_from_slice(&call[..18]),
                    Who::Context(slot, _) => {
                        let pe = Some(self.f.pe);
                        let mut views = before.contexts.iter_mut();
                        let view = views.find(|view| view.slot == slot && view.pe == pe);
                        let gp = &mut view.unwrap().gp;
                        (gp.x, gp.sent) = (call, call);
                    }
                }
                self.f.call(call);
                self.twin.call(call);
                self.after_call(&before, caller, &call);
            }
            // One that has several contexts dies with all of them, on other cores as well: that is the
            // search's.
            850..996 | 996.. if kind < 996 || matches!(caller, Who::Context(B, _)) => {
                place.what = format!("{caller:?} is interrupted");
                self.f.preempt();
                self.twin.preempt();
                let Who::Context(slot, index) = caller else {
                    unreachable!()
                };
                let told = [INTERRUPT.into(), target(slot, index as u16), 0, 0];
                self.told(&before, caller, &told);
                assert_eq!(self.f.state(slot), State::Preempted);
            }
            _ => {
                place.what = format!("{caller:?} aborts");
                self.f.abort();
                self.twin.abort();
                self.after_abort(&before, caller);
            }
        }
        let after = self.f.snapshot();
        self.twin.snapshot().is(&after);
        assert_eq!(
            self.f.now, self.twin.now,
            "the short way and the general one"
        );
        self.only_caller_and_next_changed(&before, &after, caller, &call);
        self.links(&after);
        self.taint(&after);
    }
}

const RUN_64: u32 = Function::Run.raw64();
const YIELD_64: u32 = Function::Yield.raw64();

fn fid(call: &Frame) -> u32 {
    call[0] as u32 & !SVE_HINT
}

fn is_ffa(call: &Frame) -> bool {
    let low = fid(call) & !WIDE_BIT;
    (0x8400_0060..=0x8400_00ef).contains(&low)
}

/// Runs one seed; how many requests were delivered, how many ended, and how many told of a VM.
fn live(seed: u64) -> [usize; 3] {
    let mut total = [0; 3];
    let mut rng = Rng(seed);
    for life in 0..LIVES {
        let mut place = Place {
            seed,
            life,
            step: 0,
            what: String::new(),
        };
        let mut world = World::new(Rng(rng.next()));
        for step in 0..STEPS {
            place.step = step;
            world.step(&mut place);
        }
        assert_eq!(world.requests, world.ended + world.owes.len());
        total[0] += world.requests;
        total[1] += world.ended;
        total[2] += world.told_of_vms;
    }
    total
}

#[test]
fn two_hundred_thousand_random_steps_keep_every_promise() {
    let mut seeds = SEEDS.to_vec();
    if let Ok(text) = std::env::var("TANTALUM_SEED") {
        seeds.push(u64::from_str_radix(&text, 16).expect("a hexadecimal seed"));
    }
    let mut total = [0; 3];
    for seed in seeds {
        for (all, more) in total.iter_mut().zip(live(seed)) {
            *all += more;
        }
    }
    let [requests, ended, told] = total;
    println!("{requests} requests, {told} of them of VMs, {ended} ended");
    // The calls are not all nonsense.
    assert!(requests > 5_000 && ended > 4_000 && told > 250, "{total:?}");
}
