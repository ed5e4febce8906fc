//! What the specification says of each event in each state, written down a second time: next states
//! and registers, or the error. It shares no table and no encoder with the core.

pub mod indirect;
mod life;
mod messages;
mod normal_world;
pub mod notifications;
mod partition;
mod scheduling;
mod vm;

use crate::{
    calls::{Kind, fid, ids},
    events::{Event, Whose},
    invariants::interrupts::mask,
    state::{By, Form, Negotiated, Now},
    view::View,
    world::World,
};
use ffa_abi::{FfaError, contract::Mode};
use spmc::{
    spm::Mask,
    state::{Model as Runtime, State},
};

/// x0 to x7 of an answer.
pub type Answer = [u64; 8];

/// What must come of an event.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The state and all registers.
    pub view: View,
    /// The event was answered at once: nothing else has changed, down to fields that mean nothing.
    pub unchanged: bool,
}

struct Expect<'w> {
    world: &'w World,
    view: View,
    core: usize,
    unchanged: bool,
}

/// FFA_ERROR with this code.
const fn error(code: FfaError) -> Answer {
    let mut answer = [0; 8];
    answer[0] = fid::ERROR;
    answer[2] = code as i32 as u32 as u64;
    answer
}

const fn success(w2: u64) -> Answer {
    [fid::SUCCESS, 0, w2, 0, 0, 0, 0, 0]
}

/// The runtime models: which calls of a partition are legal (DEN0077A, "Partition runtime models").
const fn legal(model: Runtime, call: &Kind) -> bool {
    match model {
        Runtime::Init => matches!(call, Kind::Request { .. } | Kind::Wait { .. }),
        Runtime::Restart => matches!(
            call,
            Kind::Request { .. } | Kind::Wait { .. } | Kind::Run { .. }
        ),
        Runtime::Run => !matches!(call, Kind::Response { .. }),
        Runtime::DirectRequest => !matches!(call, Kind::Wait { .. }),
        Runtime::SecureInterrupt => !matches!(call, Kind::Response { .. }),
        Runtime::PowerOff => matches!(call, Kind::Response { .. } | Kind::PowerResponse { .. }),
    }
}

/// What must come of `event` on `core` in the state of `before`, in which the caller has made its
/// call already.
pub fn wanted(world: &World, before: &View, core: usize, event: Event) -> Wanted {
    let mut expect = Expect {
        world,
        view: before.clone(),
        core,
        unchanged: false,
    };
    expect.event(event);
    let mut wanted = Wanted {
        view: expect.view,
        unchanged: expect.unchanged,
    };
    for core in 0..world.cores {
        // Whoever loosens the mask lets in what waited for it.
        let held = mask(world, &wanted.view.s, core) == Mask::Own;
        let now = &mut wanted.view.s.core[core];
        now.kick |= now.due != 0 && !held && now.now != Now::Spmc;
        if !matches!(now.now, Now::Slot(_)) {
            now.wide_entry = false;
        }
    }
    wanted
}

impl Expect<'_> {
    fn event(&mut self, event: Event) {
        let now = self.view.s.core[self.core].now;
        match (event, now) {
            (Event::Saved, _) => {
                if let Some(slot) = self.view.s.core[self.core].unsaved.take()
                    && self.is_up(slot)
                    && let Some(number) = self.world.context(slot, self.core)
                {
                    self.view.s.ctx[number].at = None;
                }
            }
            (Event::CoreOn(other), _) => {
                let other = &mut self.view.s.core[usize::from(other)];
                other.now = Now::Spmc;
                other.started = 0;
            }
            (Event::Start, _) => {
                self.start();
                if self.world.has_proxy() && self.view.s.core[self.core].now == Now::NormalWorld {
                    self.begin();
                }
            }
            (Event::Abort, Now::Slot(slot)) => self.abort(slot),
            (Event::Interrupt(whose), Now::Slot(slot)) => {
                self.interrupt(slot, whose == Whose::Proxy);
            }
            (Event::Again, _) => self.again(),
            (Event::Look, now) => self.look(now),
            (Event::Call(kind), Now::Slot(slot)) => self.partition(slot, kind),
            (Event::Call(kind), _) if self.world.has_proxy() => self.vm(kind),
            (Event::Call(kind), _) => self.normal_world(kind),
            _ => {}
        }
    }

    fn is_up(&self, slot: u8) -> bool {
        self.world.partitions[usize::from(slot)].up
    }

    fn mode(&self, slot: u8) -> Mode {
        self.world.partitions[usize::from(slot)].mode
    }

    fn minor(&self, slot: u8) -> u8 {
        self.view.s.versions[usize::from(slot)].minor
    }

    /// The number of a partition's context for this core, if it is here or all may claim it.
    fn reach(&self, slot: u8) -> Option<usize> {
        let number = self.world.context(slot, self.core)?;
        match self.view.s.ctx[number].at {
            Some(at) if usize::from(at) != self.core => None,
            _ => Some(number),
        }
    }

    /// The number of a context that is known to be here.
    fn own(&self, slot: u8) -> usize {
        self.world.context(slot, self.core).unwrap_or_default()
    }

    fn slot_of(&self, id: u16) -> Option<u8> {
        let slot = id.wrapping_sub(0x8001);
        (usize::from(slot) < self.world.partitions.len()).then_some(slot as u8)
    }

    /// Whether the 64-bit forms of cycle management are there for a partition.
    fn wide_cycles(&self, slot: u8) -> bool {
        self.minor(slot) >= 3 || self.mode(slot) == Mode::SmcccStrict
    }

    /// Id and context index of a partition's context here.
    fn target(&self, slot: u8) -> u64 {
        let index = if self.is_up(slot) { 0 } else { self.core };
        ids(World::id(usize::from(slot)), index as u16)
    }

    /// The live origin of what a context serves: `None` if its sender is gone.
    fn origin(&self, number: usize) -> Option<By> {
        let serves = self.view.s.ctx[number].serves?;
        match serves.origin {
            _ if serves.old => None,
            Some(By::Slot(from)) => {
                let sender = self.world.context(from, usize::from(serves.core))?;
                (!self.is_gone(sender)).then_some(By::Slot(from))
            }
            origin => origin,
        }
    }

    /// Whether a response is kept for a context, by one that lives.
    fn keeps(&self, number: usize) -> Option<u8> {
        let from = self.view.s.ctx[number].kept?;
        if self.view.s.ctx[number].kept_old {
            return None;
        }
        (!self.is_gone(usize::from(from))).then_some(from)
    }

    /// Frees what is kept for a context of one that is gone.
    fn free_dead(&mut self, number: usize) {
        if self.keeps(number).is_none() {
            self.view.s.ctx[number].kept = None;
            self.view.s.ctx[number].kept_old = false;
            self.view.kept[number] = None;
        }
    }

    /// Whether `slot` is a caller, however far, of `from`.
    fn precedes(&self, slot: u8, from: u8) -> bool {
        let mut current = from;
        while let By::Slot(previous) | By::Interrupted(previous) =
            self.view.s.ctx[self.own(current)].giver
        {
            if previous == slot {
                return true;
            }
            current = previous;
        }
        false
    }

    fn leave(&mut self, slot: u8) {
        // With interrupts, the others are saved at once.
        if self.world.interrupts.is_some() && !self.is_up(slot) {
            return;
        }
        self.view.s.core[self.core].unsaved = Some(slot);
    }

    /// The normal world's call on this core ends with `answer`.
    fn answer_nwd(&mut self, answer: Answer) {
        self.unchanged = true;
        self.view.nwd[self.core][..8].copy_from_slice(&answer);
    }

    fn answer_partition(&mut self, slot: u8, answer: Answer) {
        self.unchanged = true;
        let number = self.own(slot);
        self.view.x[number][..8].copy_from_slice(&answer);
    }

    /// Whether the partition that runs does so for one that initialises.
    fn initialises(&self, slot: u8) -> bool {
        let mut current = slot;
        loop {
            match self.view.s.ctx[self.own(current)].giver {
                By::Slot(previous) | By::Interrupted(previous) => current = previous,
                head => return head == By::Spmc,
            }
        }
    }

    fn interrupt(&mut self, slot: u8, own: bool) {
        // Its partition has failed on another core.
        if !self.is_alive(slot) {
            return self.stop_elsewhere(slot);
        }
        if self.initialises(slot) {
            self.unchanged = true;
            return;
        }
        let number = self.own(slot);
        let ctx = &mut self.view.s.ctx[number];
        ctx.state = State::Preempted;
        let giver = ctx.giver;
        let answer = [fid::INTERRUPT, self.target(slot), 0, 0, 0, 0, 0, 0];
        self.leave(slot);
        self.complete(giver, answer);
        self.ends_for_vm(own);
    }

    /// `FFA_VERSION` by one of whom `noted` is known.
    fn negotiate(noted: &mut Negotiated, own_minor: u8, raw: u32) -> Answer {
        let minor = raw & 0xffff;
        let served = raw >> 16 == 1 && minor <= own_minor.into();
        if served && (!noted.locked || u32::from(noted.minor) == minor) {
            noted.minor = minor as u8;
            [0x1_0000 | u64::from(own_minor), 0, 0, 0, 0, 0, 0, 0]
        } else {
            [0xffff_ffff, 0, 0, 0, 0, 0, 0, 0]
        }
    }
}

/// A message of `form` in `x`, whose first registers are given, written over `own`.
fn deliver(own: &mut [u64], x: &[u64], form: Form, head: [u64; 4]) {
    let mask = if form.is_wide() {
        u64::MAX
    } else {
        0xffff_ffff
    };
    let count = if form == Form::Two { 18 } else { 8 };
    own[..4].copy_from_slice(&head);
    for register in 4..count {
        own[register] = x[register] & mask;
    }
    if form != Form::Two {
        own[3] = x[3] & mask;
    }
}
