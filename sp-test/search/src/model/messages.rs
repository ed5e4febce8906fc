//! Direct messages and `FFA_RUN` (DEN0077A, "Direct messaging", "CPU cycle management").

use super::{Expect, deliver, error, legal};
use crate::{
    calls::{Kind, W2, fid, ids},
    state::{By, Form, Now, Serves},
    world::{OTHER_SERVICE, World, service},
};
use ffa_abi::{
    FfaError::{self, Busy, Denied, InvalidParameters},
    contract::Mode,
};
use spmc::state::{Model as Runtime, State};

impl Expect<'_> {
    /// A direct request; `from` is the slot of a partition that sends it, or the normal world.
    pub(super) fn request(&mut self, from: Option<u8>, call: Kind) -> Result<(), FfaError> {
        let Kind::Request {
            form,
            sender,
            receiver,
            w2,
            uuid,
            ..
        } = call
        else {
            return Err(Denied);
        };
        if form != Form::Two && w2 != W2::Message {
            return Err(InvalidParameters);
        }
        let is_own = match from {
            Some(slot) => sender == World::id(usize::from(slot)),
            None => sender & 0x8000 == 0,
        };
        if !is_own || sender == receiver || receiver & 0x8000 == 0 {
            return Err(InvalidParameters);
        }
        let slot = self.slot_of(receiver).ok_or(InvalidParameters)?;
        if form == Form::Two {
            let takes = if uuid == (0, 0) || uuid == service(slot.into()) {
                true
            } else if uuid == OTHER_SERVICE {
                false
            } else {
                return Err(InvalidParameters);
            };
            let minor = from.map_or(self.view.s.normal_world.minor, |from| self.minor(from));
            if minor < 2 || self.minor(slot) < 2 || !takes {
                return Err(Denied);
            }
        }
        let number = self.reach(slot).ok_or(Busy)?;
        let ctx = self.view.s.ctx[number];
        let state = self.seen(number);
        if state != State::Waiting {
            return Err(match (state, from) {
                (State::Aborted, _) => self.why_dead(slot),
                (State::Blocked, Some(from))
                    if ctx.model == Runtime::Run && self.precedes(slot, from) =>
                {
                    Denied
                }
                _ => Busy,
            });
        }
        if let Some(from) = from {
            let own = self.own(from);
            if !legal(self.view.s.ctx[own].model, &call) {
                return Err(Denied);
            }
            if form == Form::Two {
                self.free_dead(own);
                if self.keeps(own).is_some() {
                    return Err(Busy);
                }
            }
        }
        if form == Form::Two && self.mode(slot) == Mode::SmcccStrict && !ctx.wide {
            return Err(Denied);
        }

        let head = match form {
            Form::Two => [fid::request(form), ids(sender, receiver), uuid.0, uuid.1],
            _ => [fid::request(form), ids(sender, receiver), 0, 0],
        };
        let giver = match from {
            None => {
                let x = self.view.nwd[self.core];
                deliver(&mut self.view.x[number], &x, form, head);
                By::NormalWorld
            }
            Some(from) => {
                let own = self.own(from);
                let x = self.view.x[own];
                deliver(&mut self.view.x[number], &x, form, head);
                let caller = &mut self.view.s.ctx[own];
                caller.state = State::Blocked;
                caller.waits = Some(slot);
                caller.wide = form.is_wide();
                By::Slot(from)
            }
        };
        let ctx = &mut self.view.s.ctx[number];
        ctx.state = State::Running;
        ctx.model = Runtime::DirectRequest;
        ctx.giver = giver;
        ctx.at = Some(self.core as u8);
        ctx.serves = Some(Serves {
            sender,
            origin: Some(giver),
            core: self.core as u8,
            old: false,
            form,
        });
        self.view.s.core[self.core].now = Now::Slot(slot);
        Ok(())
    }

    /// A direct response by the partition in `slot`.
    pub(super) fn respond(&mut self, slot: u8, call: Kind) -> Result<(), FfaError> {
        let Kind::Response {
            form,
            sender,
            receiver,
            w2,
        } = call
        else {
            return Err(Denied);
        };
        if form != Form::Two {
            match w2 {
                W2::Message => {}
                W2::Reserved => return Err(InvalidParameters),
                W2::Framework => return Err(Denied),
            }
        }
        if sender != World::id(usize::from(slot)) || sender == receiver {
            return Err(InvalidParameters);
        }
        let own = self.own(slot);
        let ctx = self.view.s.ctx[own];
        let serves = ctx.serves.ok_or(Denied)?;
        if !legal(ctx.model, &call) || receiver != serves.sender {
            return Err(Denied);
        }
        let fits = match (serves.form, form) {
            (Form::Two, Form::Two) => true,
            (Form::Two, _) | (_, Form::Two) => false,
            (asked, answered) => asked == answered || self.minor(slot) < 3,
        };
        if !fits {
            return Err(Denied);
        }
        let head = [fid::response(form), ids(sender, receiver), 0, 0];
        let x = self.view.x[own];
        let origin = self.origin(own);
        let ctx = &mut self.view.s.ctx[own];
        ctx.state = State::Waiting;
        ctx.serves = None;
        ctx.wide = form.is_wide();
        let giver = ctx.giver;
        self.leave(slot);
        match origin {
            None
            | Some(
                By::Spmc
                | By::Interrupted(_)
                | By::InterruptedNormalWorld
                | By::AnsweredNormalWorld
                | By::InterruptedBoot
                | By::PowerOff,
            ) => {
                self.complete(giver, [fid::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0]);
            }
            Some(By::NormalWorld) => {
                let narrow = !self.view.s.core[self.core].wide_entry;
                let nwd = &mut self.view.nwd[self.core];
                deliver(nwd, &x, form, head);
                if narrow && form == Form::Wide {
                    nwd[8..].fill(0);
                }
                self.view.s.core[self.core].now = Now::NormalWorld;
            }
            Some(By::Slot(to)) => {
                let number = self.own(to);
                let strict = self.mode(to) == Mode::SmcccStrict;
                if form == Form::Two && strict && !self.view.s.ctx[number].wide {
                    let mut message = [0; 18];
                    deliver(&mut message, &x, form, head);
                    self.view.kept[number] = Some(message);
                    self.view.s.ctx[number].kept = Some(own as u8);
                    self.view.s.ctx[number].kept_old = false;
                    self.view.x[number][..8].copy_from_slice(&error(Denied));
                } else {
                    deliver(&mut self.view.x[number], &x, form, head);
                }
                self.view.s.ctx[number].state = State::Running;
                self.view.s.core[self.core].now = Now::Slot(to);
            }
        }
        Ok(())
    }

    /// `FFA_RUN` by the partition in `from`, or by the normal world.
    pub(super) fn run(
        &mut self,
        from: Option<u8>,
        wide: bool,
        id: u16,
        index: u16,
    ) -> Result<(), FfaError> {
        let slot = self.slot_of(id).ok_or(InvalidParameters)?;
        if !self.is_up(slot) && usize::from(index) != self.core {
            return Err(InvalidParameters);
        }
        if let Some(from) = from {
            let own = self.own(from);
            self.free_dead(own);
            let kept = self.keeps(own);
            // What is kept is fetched before anybody else is run in 32 bits.
            if kept.is_some() && !wide {
                return Err(Denied);
            }
            if let Some(kept) = kept
                && self.world.contexts[usize::from(kept)].0 == slot
            {
                let message = self.view.kept[own].take().unwrap_or_default();
                self.view.x[own][..18].copy_from_slice(&message);
                self.view.s.ctx[own].kept = None;
                self.view.s.ctx[own].kept_old = false;
                return Ok(());
            }
        }
        let target = self.reach(slot);
        let state = target.map(|number| self.seen(number));
        if let Some(from) = from
            && (from == slot
                || !matches!(state, Some(State::Preempted | State::Blocked))
                || !legal(
                    self.view.s.ctx[self.own(from)].model,
                    &Kind::Run { wide, id, index },
                )
                || self.precedes(slot, from))
        {
            return Err(Denied);
        }
        if self.is_up(slot) && index != 0 {
            return Err(InvalidParameters);
        }
        let number = target.ok_or(Busy)?;
        let giver = from.map_or(By::NormalWorld, By::Slot);
        let ctx = self.view.s.ctx[number];
        let mut orphan = false;
        if let Some(serves) = ctx.serves {
            let by_sender = match self.origin(number) {
                None => true,
                Some(By::Slot(sender)) => {
                    let sent = self.world.context(sender, usize::from(serves.core));
                    let same = from == Some(sender) && sent == Some(self.own(sender));
                    // Its sender has ended without the answer: the normal world may end it.
                    orphan = !same
                        && from.is_none()
                        && sent == self.reach(sender)
                        && sent.is_some_and(|sent| self.view.s.ctx[sent].state == State::Waiting);
                    same || orphan
                }
                Some(origin) => origin == giver,
            };
            if !by_sender {
                return Err(Denied);
            }
        }
        let entered = match self.seen(number) {
            State::Waiting => true,
            State::Preempted => false,
            State::Blocked if ctx.waits.is_none() => false,
            State::Blocked => return Err(Denied),
            State::Created | State::Starting | State::Running => return Err(Busy),
            State::Aborted => return Err(self.why_dead(slot)),
            State::Off => return Err(InvalidParameters),
        };
        if entered {
            let run = [fid::RUN, ids(id, index), 0, 0, 0, 0, 0, 0];
            self.view.x[number][..8].copy_from_slice(&run);
        }
        let ctx = &mut self.view.s.ctx[number];
        if let Some(serves) = &mut ctx.serves
            && orphan
        {
            serves.origin = None;
        }
        if entered {
            ctx.model = Runtime::Run;
        }
        ctx.state = State::Running;
        ctx.giver = giver;
        ctx.at = Some(self.core as u8);
        if let Some(from) = from {
            let own = self.own(from);
            let caller = &mut self.view.s.ctx[own];
            caller.state = State::Blocked;
            caller.waits = Some(slot);
            caller.wide = wide;
        }
        self.view.s.core[self.core].now = Now::Slot(slot);
        Ok(())
    }
}
