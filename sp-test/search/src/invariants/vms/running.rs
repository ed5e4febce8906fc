//! Who may run does so in the same step: whoever is run or called, and after an interrupt the one
//! that it is for. A step has at most one end of a partition's run in it, so that is the bound.

use super::{Of, chain};
use crate::{
    calls::{Kind, fid},
    events::{Event, Whose},
    state::{Form, Now},
};

impl Of<'_> {
    pub(super) fn runs(&self) -> Result<(), String> {
        self.elsewhere()?;
        match self.event {
            Event::Interrupt(whose) => self.after_interrupt(whose),
            Event::Call(Kind::Run {
                id: to,
                index: context,
                ..
            }) if self.caller().is_some() => match self.world.vm_of(to) {
                Some(vm) => self.given_cycles(self.world.vcpu(vm, context as u8)),
                None => Ok(()),
            },
            Event::Call(Kind::Request { receiver, .. }) if self.caller().is_some() => {
                match self.world.vm_of(receiver) {
                    Some(vm) => self.given_cycles(self.world.vcpu_on(vm, self.core)),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The caller's call has an answer, or the callee is above it and everybody above that one whom
    /// it had called; the last one runs, or a partition for it.
    fn given_cycles(&self, callee: Option<usize>) -> Result<(), String> {
        let caller = self.caller().ok_or("nobody calls")?;
        let levels = chain(&self.after.s, self.core);
        let level = levels.iter().position(|member| *member == caller);
        let level = level.ok_or("the caller is not here any more")?;
        let above = levels.get(level + 1).copied();
        if above.is_some() {
            return match above == callee {
                true => Ok(()),
                false => Err(format!("{above:?} runs, and was not called")),
            };
        }
        let x = &self.after.vcpus[caller];
        let fetched =
            x[0] == fid::response(Form::Two) && self.before.s.vcpus[caller].kept.is_some();
        match x[0] == fid::ERROR || fetched {
            true => Ok(()),
            false => Err("the call succeeded, and its callee does not run".into()),
        }
    }

    fn after_interrupt(&self, whose: Whose) -> Result<(), String> {
        let levels = chain(&self.before.s, self.core);
        let noted = &self.after.s.core[self.core];
        let dead = levels.iter().position(|member| {
            let vm = self.world.vcpus[*member].0;
            self.before.s.vms[usize::from(vm)].dead
        });
        let after = chain(&self.after.s, self.core);
        let (wanted, runs) = match (dead, whose, levels.len()) {
            // It begins, if it is switched on.
            (_, _, 0) => return Ok(()),
            (Some(dead), Whose::Level(level), _) => (dead.min(usize::from(level) + 1), true),
            (Some(dead), ..) => (dead, true),
            (None, Whose::Level(level), count) => (count.min(usize::from(level) + 1), true),
            // Who works for the VM goes on, or the VM does.
            (None, Whose::Proxy, count) => (count, false),
            (None, Whose::Nobody, count) => (count, true),
        };
        if after != levels[..wanted] {
            return Err(format!("{whose:?} of {levels:?} left {after:?}"));
        }
        if runs && (noted.now != Now::NormalWorld || noted.pending.is_some()) {
            return Err(format!("{whose:?} of {levels:?}, and {:?} runs", noted.now));
        }
        Ok(())
    }

    /// What other cores have is theirs.
    fn elsewhere(&self) -> Result<(), String> {
        for core in (0..self.world.cores).filter(|core| *core != self.core) {
            let (was, is) = (&self.before.s.core[core], &self.after.s.core[core]);
            let (mut like, kicked) = (*was, is.kicked);
            like.kicked = kicked;
            if was.now == Now::Unborn {
                like.now = is.now;
            }
            if like != *is {
                return Err(format!("core {core} was {was:?} and is {is:?}"));
            }
            for number in chain(&self.before.s, core) {
                if self.before.s.vcpus[number] != self.after.s.vcpus[number] {
                    return Err(format!("vCPU {number} of core {core} was changed"));
                }
            }
        }
        Ok(())
    }
}
