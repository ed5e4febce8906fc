//! Lives: how contexts start, fail, are stopped where they are, and are restarted; and who goes on then.

use super::{Answer, Expect, error};
use crate::{
    invariants::{
        interrupts::{is_on, mask},
        notifications::begins_with,
    },
    label,
    state::{By, Ctx, Id, Irq, Life, Negotiated, Now},
};
use ffa_abi::FfaError;
use spmc::{
    spm::Mask,
    state::{Model as Runtime, State},
};

impl Expect<'_> {
    /// Whether nothing of a context counts any more.
    pub(super) fn is_gone(&self, number: usize) -> bool {
        self.world.is_gone(&self.view.s, number)
    }

    pub(super) fn is_alive(&self, slot: u8) -> bool {
        self.view.s.lives[usize::from(slot)] == Life::Alive
    }

    /// The state of a context as others see it: its partition may have failed on another core.
    pub(super) fn seen(&self, number: usize) -> State {
        let (slot, _) = self.world.contexts[number];
        match self.view.s.ctx[number].state {
            State::Off => State::Off,
            _ if !self.is_alive(slot) => State::Aborted,
            state => state,
        }
    }

    /// Gives the core back to `giver`, whose call ends with `answer`. One whose partition has failed
    /// meanwhile is dead, and whoever gave it cycles is told that.
    pub(super) fn complete(&mut self, giver: By, answer: Answer) {
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
    pub(super) fn kill(&mut self, number: usize) {
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
    pub(super) fn stop_idle(&mut self) {
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
    pub(super) fn look(&mut self, now: Now) {
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
    pub(super) fn stop_elsewhere(&mut self, slot: u8) {
        self.stop(slot);
        let noted = &mut self.view.s.core[self.core];
        noted.kick |= noted.due != 0;
    }

    /// The context that runs here is dead.
    pub(super) fn stop(&mut self, slot: u8) {
        let number = self.own(slot);
        let giver = self.view.s.ctx[number].giver;
        self.kill(number);
        self.leave(slot);
        self.complete(giver, error(FfaError::Aborted));
    }

    pub(super) fn start(&mut self) {
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
                if begins_with(self.world, &s.notes, number.unwrap_or_default()) {
                    ctx.irq.pending.add(Id::Notified);
                }
                // The first that it does.
                if self.world.interrupts.is_some_and(|has| !has.enables) {
                    for id in self.world.ids(slot) {
                        ctx.irq.enabled.set(id, true);
                        s.devices[usize::from(slot)].enabled |= id == Id::Device;
                    }
                    ctx.irq.irq = ctx.irq.wants();
                    ctx.irq.attention = ctx.irq.irq;
                    ctx.irq.told = !ctx.irq.wakes();
                }
                noted.now = Now::Slot(slot);
                return;
            }
        }
        noted.now = Now::NormalWorld;
    }

    pub(super) fn abort(&mut self, slot: u8) {
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
    pub(super) fn restart(&mut self, slot: u8, number: usize) {
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
    pub(super) fn why_dead(&self, slot: u8) -> FfaError {
        match self.world.partitions[usize::from(slot)].restarts {
            // It failed while it initialised, and was stopped.
            true => FfaError::Busy,
            false => FfaError::Aborted,
        }
    }
}
