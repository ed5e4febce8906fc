//! CPU cycle management (DEN0077A, "CPU cycle management"): `FFA_RUN`, `FFA_MSG_WAIT` and
//! `FFA_YIELD`.

use super::{Look, Next, Outcome, Pe, Spmc, direct::Sender};
use crate::{
    context::{Giver, Registers, Slot, WaitsFor},
    state::{CycleCall, Event, Model, State, permitted},
};
use ffa_abi::{FfaError, Reply, TargetInfo, contract};

/// What `FFA_RUN` does.
#[derive(Clone, Copy, Debug)]
struct Run {
    event: Event,
    /// The request that is being served has lost its sender: its answer goes into the void.
    orphan: bool,
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_RUN` by the normal world or by a partition. An error changes nothing.
    pub(super) fn run(
        &self,
        pe: &mut Pe<'c, M>,
        runner: Sender,
        target: TargetInfo,
        wide: bool,
    ) -> Result<Outcome, FfaError> {
        let slot = self
            .find(target.endpoint)
            .ok_or(FfaError::InvalidParameters)?;
        let info = self.info(slot).ok_or(FfaError::InvalidParameters)?;
        if !info.is_up() && target.context != pe.index {
            return Err(FfaError::InvalidParameters);
        }
        if let Sender::Partition(from) = runner
            && let Some(fetched) = self.fetch_parked(pe, from, slot, wide)
        {
            return fetched;
        }
        let look = self.look(pe, slot);
        // A partition may only give cycles back to one that was interrupted or yielded.
        if let Sender::Partition(from) = runner {
            let state = look.map(|look| look.state);
            if from == slot || !matches!(state, Some(State::Preempted | State::Blocked)) {
                return Err(FfaError::Denied);
            }
            let context = pe.context(from).ok_or(FfaError::Denied)?;
            let (model, drains) = (context.model, context.drains);
            // What it was shown. One that another core has noted, and whose kick is under way, it can't know of.
            let pending = context.lines().any();
            if !permitted(model, CycleCall::Run) {
                return Err(FfaError::Denied);
            }
            // Its own interrupts come first.
            if pending && (drains || model == Model::SecureInterrupt) {
                return Err(FfaError::Denied);
            }
            if model == Model::SecureInterrupt {
                if state != Some(State::Preempted) {
                    return Err(FfaError::Denied);
                }
                if self.precedes(pe, slot, from) {
                    return self.give_back(pe, from, slot, wide);
                }
            } else if self.precedes(pe, slot, from) {
                return Err(FfaError::Denied);
            }
        }
        if target.context >= info.contexts {
            return Err(FfaError::InvalidParameters);
        }
        let giver = match runner {
            Sender::NormalWorld => Giver::NormalWorld,
            Sender::Partition(from) => Giver::Partition(from),
        };
        let look = look.ok_or(FfaError::Busy)?;
        let Run { event, orphan } = self.run_event(pe, slot, look, giver)?;
        if !self.claim(pe, slot, |now| *now == look) {
            return Err(FfaError::Busy);
        }
        let context = pe.context(slot).ok_or(FfaError::Busy)?;

        // Commit.
        context.transition(event);
        context.giver = giver;
        if orphan {
            context.orphan();
        }
        if event == Event::Enter {
            context.model = Model::Run;
            Reply::run(target).write(context.machine.x());
        } else if context.model == Model::SecureInterrupt {
            // It has these cycles from now on.
            context.model = Model::Run;
        }
        if let Sender::Partition(from) = runner
            && let Some(context) = pe.context(from)
        {
            context.transition(Event::Block);
            context.waits_for = WaitsFor::Callee(slot);
            context.call_is_wide = wide;
            context.drains = false;
        }
        self.refresh_if_needed(pe, slot);
        Ok(Outcome::to(Next::Partition(slot)))
    }

    /// A partition that was given the core by a secure interrupt gives it back to who was preempted
    /// for it with `FFA_RUN` instead of `FFA_MSG_WAIT`: it is blocked until somebody gives it cycles.
    fn give_back(
        &self,
        pe: &mut Pe<'c, M>,
        from: Slot,
        target: Slot,
        wide: bool,
    ) -> Result<Outcome, FfaError> {
        let context = pe.context(from).ok_or(FfaError::Denied)?;
        if context.giver != Giver::Interrupted(target) {
            return Err(FfaError::Denied);
        }
        context.transition(Event::Block);
        context.waits_for = WaitsFor::Cycles;
        context.call_is_wide = wide;
        Reply::success(0).write(context.machine.x());
        let left = Some(context.left(from));
        Ok(Outcome {
            next: self.complete(pe, Giver::Interrupted(target), Reply::success(0)),
            left,
        })
    }

    /// What `FFA_RUN` by `giver` means for the context of `slot`, which is as in `look`.
    fn run_event(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        look: Look,
        giver: Giver,
    ) -> Result<Run, FfaError> {
        let core = pe.index;
        let mut orphan = false;
        // A context that serves a request is run by who sent it, so that the answer finds its
        // sender waiting; one whose sender died may be run by anybody.
        if let Some(request) = look.request {
            let by_sender = match self.origin(&request) {
                None => true,
                // The contexts of one sender are different senders.
                Some(Giver::Partition(from)) => {
                    let same = giver == Giver::Partition(from)
                        && self.context_index(from, request.core) == self.context_index(from, core);
                    // A sender that waits has ended without the answer, and the normal world takes
                    // care of what it left behind. It would keep the receiver busy for ever.
                    orphan = !same
                        && giver == Giver::NormalWorld
                        && self.has_ended(pe, from, request.core);
                    same || orphan
                }
                Some(origin) => origin == giver,
            };
            if !by_sender {
                return Err(FfaError::Denied);
            }
        }
        let event = match look.state {
            State::Waiting => Event::Enter,
            State::Preempted => Event::Resume,
            // Blocked on a callee: running it would hand it an answer that nobody gave.
            State::Blocked if look.waits_for == WaitsFor::Cycles => Event::Unblock,
            State::Blocked => return Err(FfaError::Denied),
            State::Created | State::Starting | State::Running => return Err(FfaError::Busy),
            State::Aborted => return Err(self.why_dead(slot)),
            State::Off => return Err(FfaError::InvalidParameters),
        };
        Ok(Run { event, orphan })
    }

    /// Whether the sender of a request, which was made on core `core`, waits: it has answered its own
    /// caller, or given its cycles back, without the answer. `false` if that can't be seen from here.
    fn has_ended(&self, pe: &mut Pe<'c, M>, sender: Slot, core: u16) -> bool {
        self.context_index(sender, core) == self.context_index(sender, pe.index)
            && self
                .look(pe, sender)
                .is_some_and(|sender| sender.state == State::Waiting)
    }

    /// Whether a response is kept for the partition in `slot`. One whose sender has died meanwhile
    /// is freed here.
    pub(super) fn keeps_response(&self, pe: &mut Pe<'c, M>, slot: Slot) -> bool {
        let Some(context) = pe.context(slot) else {
            return false;
        };
        if context
            .parked
            .as_ref()
            .is_some_and(|parked| self.is_gone(parked.from, parked.core, parked.life))
        {
            context.parked = None;
        }
        context.parked.is_some()
    }

    /// `FFA_RUN` by a partition for which a response is kept: the 64-bit form, of the partition that
    /// sent it, fetches it; the 32-bit form, of any, is DENIED as before. `None` where nothing kept
    /// is in question.
    fn fetch_parked(
        &self,
        pe: &mut Pe<'c, M>,
        runner: Slot,
        target: Slot,
        wide: bool,
    ) -> Option<Result<Outcome, FfaError>> {
        if !self.keeps_response(pe, runner) {
            return None;
        }
        // What is kept is fetched first: another response could not be kept beside it.
        if !wide {
            return Some(Err(FfaError::Denied));
        }
        let context = pe.context(runner)?;
        if context.parked.as_ref()?.from != target {
            return None;
        }
        let parked = context.parked.take()?;
        let layout = contract::message_layout(true, true);
        contract::write(layout, &parked.message, context.machine.x());
        Some(Ok(Outcome::to(Next::Partition(runner))))
    }

    /// `FFA_MSG_WAIT` by the partition in `slot`, which gives its RX buffer back unless it retains
    /// it. An error changes nothing.
    pub(super) fn msg_wait(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        wide: bool,
        retain_rx: bool,
    ) -> Result<Outcome, FfaError> {
        let context = pe.context(slot).ok_or(FfaError::Denied)?;
        if !permitted(context.model, CycleCall::Wait) {
            return Err(FfaError::Denied);
        }
        // Who waits for one that had to be restarted is told how its call ended.
        let reply = match context.model {
            Model::Restart => Reply::error(FfaError::Aborted),
            _ => Reply::msg_wait(),
        };
        context.transition(Event::Wait);
        context.call_is_wide = wide;
        let giver = context.giver;
        let left = Some(context.left(slot));
        if !retain_rx {
            self.release_on_wait(slot, &mut pe.held);
        }
        Ok(Outcome {
            next: self.complete(pe, giver, reply),
            left,
        })
    }

    /// `FFA_YIELD` by the partition in `slot`: who gave it cycles gets them back, and gives it new
    /// ones with `FFA_RUN`, which completes this call with SUCCESS. An error changes nothing.
    pub(super) fn yield_cycles(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        timeout: u64,
        wide: bool,
    ) -> Result<Outcome, FfaError> {
        let version = self.version(slot);
        let target = self.target(pe, slot);
        let context = pe.context(slot).ok_or(FfaError::Denied)?;
        if !permitted(context.model, CycleCall::Yield)
            // Up to 1.1 the text bars it while a request is served.
            || (context.model == Model::DirectRequest && !version.has_extended_registers())
        {
            return Err(FfaError::Denied);
        }
        // There is nobody whose cycles it could give back.
        if context.model == Model::SecureInterrupt {
            Reply::success(0).write(context.machine.x());
            return Ok(Outcome::to(Next::Partition(slot)));
        }
        context.transition(Event::Block);
        context.waits_for = WaitsFor::Cycles;
        context.call_is_wide = wide;
        Reply::success(0).write(context.machine.x());
        let giver = context.giver;
        let left = Some(context.left(slot));
        Ok(Outcome {
            next: self.complete(pe, giver, Reply::yielded(target, timeout)),
            left,
        })
    }
}
