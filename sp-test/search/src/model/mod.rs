//! What the specification says of each event in each state, written down a second time: next states
//! and registers, or the error. It shares no table and no encoder with the core.

mod messages;
mod normal_world;
mod partition;
mod vm;

use crate::{
    calls::{Kind, fid, ids},
    events::{Event, Whose},
    invariants::interrupts::{is_on, mask},
    label,
    state::{By, Ctx, Form, Id, Irq, Life, Negotiated, Now},
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

    /// Whether nothing of a context counts any more.
    fn is_gone(&self, number: usize) -> bool {
        self.world.is_gone(&self.view.s, number)
    }

    fn is_alive(&self, slot: u8) -> bool {
        self.view.s.lives[usize::from(slot)] == Life::Alive
    }

    /// The state of a context as others see it: its partition may have failed on another core.
    fn seen(&self, number: usize) -> State {
        let (slot, _) = self.world.contexts[number];
        match self.view.s.ctx[number].state {
            State::Off => State::Off,
            _ if !self.is_alive(slot) => State::Aborted,
            state => state,
        }
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

    /// Gives the core back to `giver`, whose call ends with `answer`. One whose partition has failed
    /// meanwhile is dead, and whoever gave it cycles is told that.
    fn complete(&mut self, giver: By, answer: Answer) {
        let (mut giver, mut answer) = (giver, answer);
        let now = loop {
            break match giver {
                By::Spmc | By::InterruptedBoot => Now::Spmc,
                By::NormalWorld => {
                    self.view.nwd[self.core][..8].copy_from_slice(&answer);
                    Now::NormalWorld
                }
                By::InterruptedNormalWorld | By::AnsweredNormalWorld | By::PowerOff => {
                    Now::NormalWorld
                }
                By::Slot(slot) | By::Interrupted(slot) if !self.is_alive(slot) => {
                    let number = self.own(slot);
                    giver = self.view.s.ctx[number].giver;
                    answer = error(FfaError::Aborted);
                    self.kill(number);
                    continue;
                }
                By::Slot(slot) | By::Interrupted(slot) => {
                    let number = self.own(slot);
                    if let By::Slot(_) = giver {
                        self.view.x[number][..8].copy_from_slice(&answer);
                    }
                    self.view.s.ctx[number].state = State::Running;
                    Now::Slot(slot)
                }
            };
        };
        self.view.s.core[self.core].now = now;
    }

    /// A context is dead.
    fn kill(&mut self, number: usize) {
        let ctx = &mut self.view.s.ctx[number];
        *ctx = Ctx {
            state: State::Aborted,
            serves: None,
            kept: None,
            kept_old: false,
            ..*ctx
        };
        self.view.kept[number] = None;
    }

    /// What this core has of partitions that failed elsewhere stops, unless it is in the middle of a
    /// call: that stops when the call ends.
    fn stop_idle(&mut self) {
        for number in 0..self.world.contexts.len() {
            let (slot, _) = self.world.contexts[number];
            let ctx = self.view.s.ctx[number];
            let idle = matches!(
                ctx.state,
                State::Waiting | State::Preempted | State::Created | State::Blocked
            ) && !ctx.calls();
            if !self.is_alive(slot) && ctx.at == Some(self.core as u8) && idle {
                self.kill(number);
            }
        }
    }

    /// The SPMC's own interrupt, where nobody has interrupts: some partition has failed elsewhere.
    fn look(&mut self, now: Now) {
        let held = mask(self.world, &self.view.s, self.core) == Mask::Own;
        let noted = &mut self.view.s.core[self.core];
        noted.kick = false;
        noted.due |= std::mem::take(&mut noted.news);
        self.stop_idle();
        match now {
            Now::Slot(slot) if !self.is_alive(slot) => self.stop_elsewhere(slot),
            _ if held => {}
            _ => self.view.s.core[self.core].due = 0,
        }
    }

    /// The context that runs here is dead, since its partition has failed on another core. What else is
    /// to be looked at is so soon.
    fn stop_elsewhere(&mut self, slot: u8) {
        self.stop(slot);
        let noted = &mut self.view.s.core[self.core];
        noted.kick |= noted.due != 0;
    }

    /// The context that runs here is dead.
    fn stop(&mut self, slot: u8) {
        let number = self.own(slot);
        let giver = self.view.s.ctx[number].giver;
        self.kill(number);
        self.leave(slot);
        self.complete(giver, error(FfaError::Aborted));
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

    fn start(&mut self) {
        let s = &mut self.view.s;
        let noted = &mut s.core[self.core];
        while usize::from(noted.started) < self.world.partitions.len() {
            let slot = noted.started;
            noted.started += 1;
            let number = self.world.context(slot, self.core);
            if let Some(ctx) = number.map(|number| &mut s.ctx[number])
                && matches!(ctx.state, State::Created | State::Off)
                && s.lives[usize::from(slot)] == Life::Alive
                && ctx.at == Some(self.core as u8)
            {
                ctx.state = State::Starting;
                ctx.model = Runtime::Init;
                ctx.giver = By::Spmc;
                ctx.wide = false;
                // What another context has sent is there, and nothing else of an earlier life.
                let sent = ctx.irq.pending.has(Id::Sent);
                ctx.irq = Irq::FIRST;
                if sent {
                    ctx.irq.pending.add(Id::Sent);
                }
                // The first that it does.
                if self.world.interrupts.is_some_and(|has| !has.enables) {
                    for id in self.world.ids(slot) {
                        ctx.irq.enabled.set(id, true);
                        s.devices[usize::from(slot)].enabled |= id == Id::Device;
                    }
                    ctx.irq.irq = ctx.irq.wants();
                    ctx.irq.attention = ctx.irq.irq;
                    ctx.irq.told = !ctx.irq.irq;
                }
                noted.now = Now::Slot(slot);
                return;
            }
        }
        noted.now = Now::NormalWorld;
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

    fn abort(&mut self, slot: u8) {
        let number = self.own(slot);
        let initialises = matches!(
            self.view.s.ctx[number].model,
            Runtime::Init | Runtime::Restart
        );
        if self.world.partitions[usize::from(slot)].restarts && !initialises {
            return self.restart(slot, number);
        }
        if self.is_alive(slot) {
            let life = match self.world.partitions[usize::from(slot)].restarts {
                // It failed while it initialised, and was stopped.
                true => Life::Stopped,
                false => Life::Failed,
            };
            self.view.s.lives[usize::from(slot)] = life;
            if !self.is_up(slot) {
                // Other cores stop theirs.
                for core in 0..self.world.cores {
                    let on = is_on(&self.view.s, core);
                    let noted = &mut self.view.s.core[core];
                    if core == self.core {
                        noted.due |= std::mem::take(&mut noted.news);
                    } else if on {
                        noted.news |= 1 << slot;
                        noted.kick = true;
                    }
                }
                self.stop_idle();
            }
        }
        self.stop(slot);
        self.ends_for_vm(false);
    }

    /// It is loaded anew and initialises, on the core of who waits for it. What is left of its
    /// earlier life is as good as gone.
    fn restart(&mut self, slot: u8, number: usize) {
        let s = &mut self.view.s;
        for ctx in &mut s.ctx {
            if let Some(serves) = &mut ctx.serves
                && serves.origin == Some(By::Slot(slot))
            {
                serves.old = true;
            }
            if ctx.kept == Some(number as u8) {
                ctx.kept_old = true;
            }
        }
        let ctx = &mut s.ctx[number];
        *ctx = Ctx {
            state: State::Starting,
            model: Runtime::Restart,
            serves: None,
            kept: None,
            kept_old: false,
            wide: false,
            ..*ctx
        };
        self.view.kept[number] = None;
        self.view.x[number] = label::frame(number as label::Origin);
        s.versions[usize::from(slot)] = Negotiated {
            minor: self.world.partitions[usize::from(slot)].minor,
            locked: false,
        };
    }

    /// The error for one who calls a partition that has failed.
    fn why_dead(&self, slot: u8) -> FfaError {
        match self.world.partitions[usize::from(slot)].restarts {
            // It failed while it initialised, and was stopped.
            true => FfaError::Busy,
            false => FfaError::Aborted,
        }
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
