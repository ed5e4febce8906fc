//! Each request is answered once, or into the void if nobody waits for the answer any more.

use super::{Of, chain, waits_for};
use crate::{
    calls::{Kind, fid, ids},
    events::Event,
    label::{self, Origin},
    state::{By, Form, Secure},
    world::World,
};
use ffa_abi::FfaError;
use proxy_el2::vcpu::State;

impl Of<'_> {
    /// Whether a vCPU that runs after the event was given this error.
    pub(super) fn told(&self, number: usize, error: FfaError) -> bool {
        let x = &self.after.vcpus[number];
        x[0] == fid::ERROR && x[2] == u64::from(error as i32 as u32)
    }

    /// Requests between VMs.
    pub(super) fn requests(&self) -> Result<(), String> {
        let Self {
            world,
            before,
            after,
            ..
        } = *self;
        let mut sent = 0;
        for number in 0..world.vcpus.len() {
            let (was, is) = (before.s.vcpus[number].serves, after.s.vcpus[number].serves);
            let wrong = |what: &str| Err(format!("a request to vCPU {number} {what}"));
            match (was, is) {
                (None, None) => {}
                (None, Some(asked)) => {
                    sent += 1;
                    let Some(Kind::Request {
                        form,
                        sender,
                        receiver,
                        ..
                    }) = self.call()
                    else {
                        return wrong("came from nowhere");
                    };
                    let receives = World::vm_id(world.vcpus[number].0) == receiver
                        && before.s.vcpus[number].state == State::Waiting
                        && chain(&after.s, self.core).last() == Some(&number);
                    let right = asked.form == form
                        && asked.sender == sender
                        && asked.origin.map(usize::from) == self.caller();
                    if !receives || !right {
                        return wrong("is another than was sent");
                    }
                }
                (Some(asked), None) => {
                    let origin = asked.origin.map(usize::from);
                    self.ended(number, origin, asked.form)?;
                }
                (Some(was), Some(is)) if was == is => {}
                (Some(was), Some(is)) => {
                    let origin = was.origin.map(usize::from);
                    let given_up = is.origin.is_none()
                        && origin.is_some_and(|origin| !waits_for(&before.s, origin, number))
                        && matches!(self.call(), Some(Kind::Run { .. }));
                    if !given_up || was.sender != is.sender || was.form != is.form {
                        return wrong("became another");
                    }
                }
            }
        }
        if sent > 1 {
            return Err("one call sent two requests".into());
        }
        Ok(())
    }

    /// A request from `origin` to the vCPU `number` has ended.
    fn ended(&self, number: usize, origin: Option<usize>, form: Form) -> Result<(), String> {
        let Self { before, after, .. } = *self;
        let wrong = |what: &str| Err(format!("the request to vCPU {number} {what}"));
        let waited = origin.is_some_and(|origin| waits_for(&before.s, origin, number));
        let levels = chain(&before.s, self.core);
        let level = levels.iter().position(|member| *member == number);
        let below = level.and_then(|level| levels.get(level.wrapping_sub(1)).copied());
        // Who is dead is dead where it is: only who waits for it below must be told.
        let vm = self.world.vcpus[number].0;
        // It may still answer before it learns of its end on another core.
        let answers = matches!(self.call(), Some(Kind::Response { .. }))
            && self.caller() == Some(number)
            && before.s.vms[usize::from(vm)].dead;
        if after.s.vms[usize::from(vm)].dead && !answers {
            return match below {
                // One that has not learned of its end may yield or be interrupted before.
                Some(below)
                    if before.s.vms[usize::from(vm)].dead
                        && matches!(after.vcpus[below][0], fid::YIELD | fid::INTERRUPT)
                        && after.s.vcpus[below].state == State::Running =>
                {
                    Ok(())
                }
                Some(below)
                    if !self.told(below, FfaError::Aborted)
                        && after.s.vcpus[below].state != State::Dead =>
                {
                    wrong("ended with the VM, and its sender does not know")
                }
                _ => Ok(()),
            };
        }
        if self.caller() != Some(number) {
            return wrong("was lost");
        }
        let Some(below) = below else {
            return wrong("ended with nobody below");
        };
        if after.s.vcpus[below].state != State::Running {
            return wrong("ended, and who is below does not run");
        }
        if waited && origin != Some(below) {
            return wrong("was not answered to who waits for it");
        }
        match self.call() {
            // CPU_OFF. Who merely ran it is told that it waits for nothing any more.
            Some(Kind::Psci) if after.s.vcpus[number].state == State::Off => {
                let told = match origin == Some(below) {
                    true => self.told(below, FfaError::Aborted),
                    false => after.vcpus[below][0] == fid::MSG_WAIT,
                };
                match told {
                    true => Ok(()),
                    false => wrong("ended, and who is below does not know"),
                }
            }
            Some(Kind::Response { form: answered, .. }) => {
                if after.s.vcpus[number].state != State::Waiting && !answers {
                    return wrong("was answered by one that does not wait now");
                }
                if (answered == Form::Two) != (form == Form::Two) {
                    return wrong("was answered in another form");
                }
                let x = &after.vcpus[below];
                let reached = x[0] == fid::response(answered);
                let kept = after.s.vcpus[below].kept == Some(label::vcpu(number))
                    && before.s.vcpus[below].kept.is_none()
                    && self.told(below, FfaError::Denied);
                let void = x[0] == fid::MSG_WAIT && x[1] == self.target(number);
                match (waited, reached, kept, void) {
                    (true, true, false, false) | (true, false, true, false) => Ok(()),
                    (false, false, false, true) => Ok(()),
                    _ => wrong("was answered, and the answer is somewhere else"),
                }
            }
            _ => wrong("was lost"),
        }
    }

    /// Requests of VMs to partitions.
    pub(super) fn secure_requests(&self) -> Result<(), String> {
        let Self {
            world,
            before,
            after,
            core,
            ..
        } = *self;
        for number in 0..world.contexts.len() {
            let (was, is) = (before.s.ctx[number].serves, after.s.ctx[number].serves);
            let wrong = |what: &str| Err(format!("a request to context {number} {what}"));
            match (was, is) {
                (None, Some(asked)) => {
                    let top = chain(&after.s, core).last().copied();
                    let vm = top.map(|top| World::vm_id(world.vcpus[top].0));
                    let makes = matches!(
                        self.event,
                        Event::Call(
                            Kind::Request { .. } | Kind::Response { .. } | Kind::Wait { .. }
                        ) | Event::Again
                            | Event::Abort
                    );
                    if asked.origin != Some(By::NormalWorld) || vm != Some(asked.sender) || !makes {
                        return wrong("came from nowhere");
                    }
                }
                (Some(asked), ended) if Some(asked) != ended => {
                    if ended.is_some() && self.event != Event::Again && self.context().is_none() {
                        return wrong("became another");
                    }
                    let vm = world.vm_of(asked.sender).ok_or("a request of nobody")?;
                    match self.event {
                        Event::Abort if self.context() == Some(number) => {}
                        Event::Call(Kind::Response { .. }) if self.context() == Some(number) => {
                            self.answered(number, vm)?;
                        }
                        _ => return wrong("was lost"),
                    }
                }
                _ => {}
            }
            // Who was refused is not served.
            if let Some(top) = chain(&before.s, core).last().copied()
                && match before.s.core[core].pending {
                    // One that had to wait was not sent yet.
                    Some(Secure::Request { to, .. }) => {
                        world.contexts[number].0 == to && before.s.core[core].el3.is_none()
                    }
                    Some(Secure::Resumed { context, .. }) => usize::from(context) == number,
                    _ => false,
                }
                && after.s.core[core].pending.is_none()
                && after.vcpus[top][0] == fid::ERROR
                && !self.told(top, FfaError::Aborted)
            {
                return wrong("was refused after it was sent");
            }
            // What the proxy has for a VM reaches it.
            if let Some((vm, _)) = before.s.held[number]
                && before.s.held[number] != after.s.held[number]
                && !after.s.vms[usize::from(vm)].dead
            {
                self.reached(number, vm)?;
            }
        }
        Ok(())
    }

    /// A context has answered a VM's request: the VM has the answer, or the proxy for it.
    fn answered(&self, number: usize, vm: u8) -> Result<(), String> {
        let holds = self.after.s.held[number].is_some_and(|(of, _)| of == vm);
        let dead = self.after.s.vms[usize::from(vm)].dead;
        match (self.reached(number, vm), holds, dead) {
            (Ok(()), false, _) => Ok(()),
            (Err(_), true, false) | (Err(_), false, true) => Ok(()),
            (Err(what), false, false) => Err(what),
            (Ok(()), true, _) => Err(format!("the answer of context {number} is there twice")),
            (Err(_), true, true) => Err("an answer is held for a dead VM".into()),
        }
    }

    /// A running vCPU of this VM here has the answer of a context, or it is kept for it.
    fn reached(&self, number: usize, vm: u8) -> Result<(), String> {
        let Self { before, after, .. } = *self;
        let top = chain(&after.s, self.core).last().copied();
        let here = top.filter(|top| self.world.vcpus[*top].0 == vm);
        let slot = self.world.contexts[number].0;
        let sent = ids(World::id(slot.into()), World::vm_id(vm));
        let has = here.is_some_and(|top| {
            let x = &after.vcpus[top];
            let response = Form::ALL.iter().any(|form| x[0] == fid::response(*form));
            let kept = after.s.vcpus[top].kept == Some(number as Origin)
                && before.s.vcpus[top].kept.is_none();
            (response && x[1] == sent) != (kept && self.told(top, FfaError::Denied))
        });
        match has {
            true => Ok(()),
            false => Err(format!(
                "VM {:#x} does not get the answer of context {number}",
                World::vm_id(vm)
            )),
        }
    }

    /// Responses that are kept are neither lost nor doubled.
    pub(super) fn kept(&self) -> Result<(), String> {
        let Self { before, after, .. } = *self;
        for number in 0..self.world.vcpus.len() {
            let (was, is) = (before.s.vcpus[number].kept, after.s.vcpus[number].kept);
            let wrong = |what: &str| Err(format!("the response kept for vCPU {number} {what}"));
            match (was, is) {
                (None, Some(from)) => {
                    let actor = match (self.context(), self.caller()) {
                        (Some(context), _) => Some(context as Origin),
                        (None, caller) => caller.map(label::vcpu),
                    };
                    // The proxy may have had it.
                    let held = before.answers.get(usize::from(from)).copied().flatten();
                    let responded = matches!(
                        self.call(),
                        Some(Kind::Response {
                            form: Form::Two,
                            ..
                        })
                    );
                    if !(responded && actor == Some(from)) && held.is_none() {
                        return wrong("came from nowhere");
                    }
                }
                (Some(_), None) => {
                    let gone = matches!(after.s.vcpus[number].state, State::Dead | State::Off);
                    let fetched = matches!(self.call(), Some(Kind::Run { wide: true, .. }))
                        && self.caller() == Some(number)
                        && Some(&after.vcpus[number][..18])
                            == before.vcpus_kept[number].as_ref().map(|kept| &kept[..]);
                    if !gone && !fetched {
                        return wrong("was lost");
                    }
                }
                (Some(was), Some(is)) if was != is => return wrong("was replaced"),
                _ => {}
            }
        }
        Ok(())
    }
}
