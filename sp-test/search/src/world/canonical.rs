//! Which states are told apart.

use super::World;
use crate::state::{By, CONTEXTS, Core, Irq, Life, Now, S};
use spmc::state::State;

impl World {
    /// Makes a state one of those that are told apart.
    pub fn canonical(&self, s: &S) -> S {
        let mut s = *s;
        for core in &mut s.core {
            let Core {
                now,
                started,
                wide_entry,
                ..
            } = core;
            if !matches!(now, Now::Slot(_)) {
                *wide_entry = false;
            }
            if usize::from(*started) > self.partitions.len() {
                *started = self.partitions.len() as u8;
            }
        }
        if !self.exact {
            self.poison(&mut s);
        }
        for vcpu in &mut s.vcpus[..self.vcpus.len()] {
            use proxy_el2::vcpu::{Model, State};
            let lives = matches!(
                vcpu.state,
                State::Running | State::Blocked | State::Preempted | State::Yielded
            );
            if !lives && self.has_several() {
                // Whoever uses it would refuse FFA_MSG_WAIT.
                vcpu.model = Model::DirectRequest;
            }
        }
        s
    }

    /// Replaces what means nothing by values that do harm if used.
    pub fn poison(&self, s: &mut S) {
        let gone: Vec<bool> = (0..s.ctx.len())
            .map(|number| self.is_gone(s, number))
            .collect();
        let mut in_chain = [false; CONTEXTS];
        for core in 0..self.cores {
            for number in self.chain(s, core) {
                in_chain[number] = true;
            }
        }
        for (number, (slot, _)) in self.contexts.iter().enumerate() {
            let ctx = &mut s.ctx[number];
            ctx.poison(*slot, in_chain[number]);
            let irq = &mut ctx.irq;
            if s.lives[usize::from(*slot)] != Life::Alive {
                // Until it learns of that, it may have asked for the scheduler.
                let attention = irq.attention && ctx.state == State::Running;
                *irq = Irq {
                    attention: attention && self.notified.is_some(),
                    ..Irq::FIRST
                };
            }
            if !irq.wakes() {
                irq.told = true;
            }
            irq.timer.on = irq.timer.watched.is_some();
            let left = matches!(ctx.state, State::Blocked | State::Preempted) && !in_chain[number];
            if left && self.interrupts.is_some() {
                // The lines are those that were right when it left, and whoever enters it sees to them.
                irq.irq = !irq.wants();
                irq.fiq = false;
                irq.attention = true;
            }
            if let Some(serves) = &mut ctx.serves {
                match serves.origin {
                    Some(By::Slot(from)) => {
                        let sender = self.context(from, usize::from(serves.core));
                        if sender.is_none_or(|sender| gone[sender]) {
                            serves.origin = None;
                            serves.core = 0;
                            serves.old = false;
                        } else if self.partitions[usize::from(from)].up {
                            serves.core = 0;
                        }
                    }
                    _ => serves.core = 0,
                }
            }
            if ctx.kept.is_some_and(|from| gone[usize::from(from)]) {
                ctx.kept = None;
                ctx.kept_old = false;
            }
        }
    }
}
