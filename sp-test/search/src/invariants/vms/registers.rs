//! The register contract of VMs, once more and knowing nothing of the core's: what each completion
//! writes, all other registers being the vCPU's own; and no value of anybody else's anywhere.

use super::{Of, chain};
use crate::{
    calls::{Kind, fid},
    events::Event,
    label::{self, Frame},
    rig::TIMER,
    state::{Debt, Form, Now},
    world::World,
};
use ffa_abi::FfaError;
use proxy_el2::vcpu::State;

/// FFA_SUCCESS and the like: x1 to x7 as far as they are defined.
fn rest_is_zero(x: &Frame, defined: &[usize]) -> Result<(), String> {
    match (1..8).find(|n| !defined.contains(n) && x[*n] != 0) {
        Some(n) => Err(format!("x{n} is {:#x}, and is not defined", x[n])),
        None => Ok(()),
    }
}

impl Of<'_> {
    /// All registers of all vCPUs and contexts.
    pub(super) fn registers(&self) -> Result<(), String> {
        for number in 0..self.world.vcpus.len() {
            self.vcpu(number)
                .map_err(|what| format!("vCPU {number}: {what}"))?;
        }
        for number in 0..self.world.contexts.len() {
            self.context_registers(number)
                .map_err(|what| format!("context {number}: {what}"))?;
        }
        Ok(())
    }

    fn vcpu(&self, number: usize) -> Result<(), String> {
        let (was, is) = (&self.before.vcpus[number], &self.after.vcpus[number]);
        let (noted_was, noted) = (self.before.s.vcpus[number], self.after.s.vcpus[number]);
        if noted.state == State::Dead {
            return Ok(());
        }
        let here = chain(&self.before.s, self.core).contains(&number)
            || chain(&self.after.s, self.core).contains(&number);
        let runs = noted.state == State::Running && noted.at == Some(self.core as u8);
        let done = runs && self.after.s.core[self.core].pending.is_none();
        if was == is {
            let completed = !matches!(self.event, Event::Call(_)) || self.caller() != Some(number);
            return match done && !completed {
                true => Err("its call was not completed".into()),
                false => Ok(()),
            };
        }
        if noted_was.state == State::Off && noted.state == State::Ready {
            // PSCI's CPU_ON: what is written is the machine's affair.
            return Ok(());
        }
        if !here {
            return Err("its registers are written, and it is not here".into());
        }
        if let Some(Kind::Psci | Kind::CpuOn { .. }) = self.call()
            && self.caller() == Some(number)
        {
            return match is[1..] == was[1..] {
                true => Ok(()),
                false => Err("PSCI wrote more than x0".into()),
            };
        }
        let width = if is[0] == fid::response(Form::Two) || is[0] == fid::request(Form::Two) {
            18
        } else {
            8
        };
        if let Some(n) = (width..31).find(|n| is[*n] != was[*n]) {
            return Err(format!("x{n} is {:#x}, its own is {:#x}", is[n], was[n]));
        }
        if !done {
            // FFA_YIELD is completed when it is made, and a request that had to wait for the end of
            // another one may be refused when the core is taken away.
            let yields = is[0] == fid::SUCCESS
                && noted.state == State::Yielded
                && matches!(self.call(), Some(Kind::Yield { .. }));
            let refused = is[0] == fid::ERROR && noted_was.call.is_some();
            let waits = matches!(noted.state, State::Preempted);
            // Whom it had called has died, and the core is taken away at once.
            let bereaved =
                noted_was.state == State::Blocked && self.told(number, FfaError::Aborted);
            return match yields || (refused || bereaved) && waits {
                true => rest_is_zero(is, &[2]),
                false => Err(format!("it is {:?} and sees {:#x}", noted.state, is[0])),
            };
        }
        self.completion(number, was, is)
    }

    /// A call of a vCPU that runs now is completed.
    fn completion(&self, number: usize, was: &Frame, is: &Frame) -> Result<(), String> {
        // What calls of notifications and messages are answered is checked elsewhere.
        let notes = matches!(self.call(), Some(Kind::Notes(_) | Kind::InfoGet));
        if notes && self.caller() == Some(number) {
            return Ok(());
        }
        let levels = chain(&self.before.s, self.core);
        let above = levels.iter().position(|member| *member == number);
        let above = above.and_then(|level| levels.get(level + 1).copied());
        let mut targets: Vec<u64> = above.map(|above| self.target(above)).into_iter().collect();
        // A context that ran, or one that another core has just had: then the VM is told to run it.
        let told = Debt::Told(self.world.vcpus[number].0);
        let contexts = (0..self.world.contexts.len()).filter(|context| {
            self.context() == Some(*context) || self.after.s.owed[*context] == told
        });
        targets.extend(contexts.map(|context| {
            let (slot, index) = self.world.contexts[context];
            crate::calls::ids(World::id(slot.into()), index.into())
        }));
        match is[0] {
            fid::ERROR => {
                if is[2] >> 32 != 0 || is[2] as u32 as i32 >= 0 {
                    return Err(format!("FFA_ERROR with {:#x}", is[2]));
                }
                rest_is_zero(is, &[2])
            }
            fid::INTERRUPT | fid::YIELD if !targets.contains(&is[1]) => {
                Err(format!("{:#x} names {:#x}, not {targets:x?}", is[0], is[1]))
            }
            fid::INTERRUPT => rest_is_zero(is, &[1]),
            fid::YIELD => {
                // The timeout is the yielder's own, or that of its timer.
                let timeout = [is[2], is[3]];
                let timer = [TIMER & 0xffff_ffff, TIMER >> 32];
                let from = self.caller().map(label::vcpu);
                let from = from.or(self.context().map(|context| context as u8));
                let own = timeout.iter().zip([2, 3]).all(|(half, n)| {
                    from.is_some_and(|from| *half == label::label(from, n) & 0xffff_ffff)
                });
                let right = match self.event {
                    Event::Wfi(_) => timeout == timer,
                    _ => own,
                };
                match right {
                    true => rest_is_zero(is, &[1, 2, 3]),
                    false => Err(format!("a timeout of {timeout:x?}")),
                }
            }
            // Of a partition it says nothing.
            fid::MSG_WAIT if is[1] == 0 || targets.contains(&is[1]) => rest_is_zero(is, &[1]),
            fid::RUN => {
                if is[1] != self.target(number) || !matches!(self.call(), Some(Kind::Run { .. })) {
                    return Err(format!("FFA_RUN of {:#x}", is[1]));
                }
                rest_is_zero(is, &[1])
            }
            fid => self.message(number, fid, was, is),
        }
    }

    /// A message, which somebody sent.
    fn message(&self, number: usize, fid: u64, was: &Frame, is: &Frame) -> Result<(), String> {
        let mut sources: Vec<Vec<u64>> = Vec::new();
        if let Some(caller) = self.caller() {
            sources.push(self.before.vcpus[caller].to_vec());
        }
        if let Some(context) = self.context() {
            sources.push(self.before.x[context].to_vec());
        }
        let held = self.before.answers.iter().flatten();
        let kept = self.before.vcpus_kept[number].iter();
        sources.extend(held.chain(kept).map(|message| message.to_vec()));
        let form = Form::ALL
            .into_iter()
            .find(|form| [fid::request(*form), fid::response(*form)].contains(&fid));
        let Some(form) = form else {
            return Err(format!("{fid:#x} is no completion"));
        };
        let mask = if form.is_wide() {
            u64::MAX
        } else {
            0xffff_ffff
        };
        let carries = |source: &Vec<u64>| {
            let count = if form == Form::Two { 18 } else { 8 };
            let first = if form == Form::Two { 4 } else { 3 };
            source[0] & 0xffff_ffff == fid
                && is[1] == source[1] & 0xffff_ffff
                && is[2] == 0
                && (form != Form::Two || is[3] == 0)
                && (first..count).all(|n| is[n] == source[n] & mask)
        };
        match sources.iter().any(carries) {
            true => Ok(()),
            false => Err(format!(
                "a message that nobody sent: {:x?}, it was {:x?}",
                &is[..8],
                was[0]
            )),
        }
    }

    /// A context sees its own values, and those of the VM that calls it.
    fn context_registers(&self, number: usize) -> Result<(), String> {
        let top = chain(&self.after.s, self.core).last().copied();
        let slot = self.world.contexts[number].0;
        let called = self.after.s.core[self.core].now == Now::Slot(slot)
            && self.before.s.ctx[number].serves != self.after.s.ctx[number].serves;
        let sender = top.filter(|_| called).map(label::vcpu);
        for (n, value) in self.after.x[number].iter().enumerate() {
            match label::origin(*value) {
                Some(origin) if usize::from(origin) != number && Some(origin) != sender => {
                    return Err(format!("x{n} is of {origin:#x}"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
