//! Power management (DEN0077A, "Power management"): cores that go off and come on again.
//!
//! A core that is switched on starts its context of each partition that has several
//! ([`Spmc::start`]). One that goes off first tells those that want to know, one after the other, in
//! the order of booting; then all of its contexts are [off](State::Off).
//!
//! | the context | what becomes of it |
//! | --- | --- |
//! | waits, and its partition subscribed | it is told, and has the core with everything but the SPMC's own interrupts masked until it answers |
//! | does not wait: it was preempted or has yielded | it is not told, and loses its work, as the normal world wished |
//! | answers anything but success | the log says so. EL3 would stop the machine on a refusal, which is not a partition's to cause |
//! | fails while it is told | the next one is told |

use super::{Machine, Next, Notice, Outcome, Pe, Spmc, interrupts::News};
use crate::{
    MAX_CPUS,
    context::{Giver, Registers, RequestKind, Slot},
    state::{Event, Model, State},
};
use core::sync::atomic::Ordering;
use ffa_abi::{
    EndpointId, FfaError, Reply,
    fid::raw,
    id::Endpoints,
    message::{FRAMEWORK_BIT, POWER_RESPONSE, PSCI_REQUEST},
    smccc,
};

/// Who sent the request to this SPMC: its answer goes there.
const EL3: Endpoints = Endpoints {
    sender: EndpointId::SPMC,
    receiver: EndpointId::SPMD,
};

impl<'c, M: Registers> Spmc<'c, M> {
    /// The core of `pe` runs from now on: what is for it is left there. It looks
    /// ([`kicked`](Self::kicked)) once it can.
    pub fn core_is_on(&self, pe: &mut Pe<'c, M>) {
        self.news.switch_on(pe.index);
    }

    /// `FFA_SECONDARY_EP_REGISTER` by the partition in `slot`, while it initialises for the first time.
    /// The last one counts.
    ///
    /// # Errors
    /// * NOT_SUPPORTED: it has a single context.
    /// * DENIED: it has initialised.
    /// * INVALID_PARAMETERS: that is no address of an instruction.
    pub(super) fn register_entry(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        entry: u64,
    ) -> Result<Outcome, FfaError> {
        let partition = self
            .partitions
            .get(slot.index())
            .filter(|partition| !partition.info.is_up())
            .ok_or(FfaError::NotSupported)?;
        let context = pe.context(slot).ok_or(FfaError::Denied)?;
        if context.model != Model::Init {
            return Err(FfaError::Denied);
        }
        if entry == 0 || !entry.is_multiple_of(4) {
            return Err(FfaError::InvalidParameters);
        }
        partition.secondary_entry.store(entry, Ordering::Release);
        Reply::success(0).write(context.machine.x());
        Ok(Outcome::to(Next::Partition(slot)))
    }

    /// A power request of PSCI by EL3, in the frame of the normal world. Only CPU_OFF is known.
    pub(super) fn power(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) -> Outcome {
        if pe.nwd.w::<3>() != smccc::psci::CPU_OFF {
            return answer(pe, smccc::psci::NOT_SUPPORTED as u32);
        }
        pe.told = 0;
        self.power_off(pe, machine)
    }

    /// Tells the next partition that this core goes off, or, when all were told, is off.
    pub(super) fn power_off(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) -> Outcome {
        while let Some(slot) = self.order.get(usize::from(pe.told)).copied() {
            pe.told = pe.told.saturating_add(1);
            let Some(info) = self.info(slot).filter(|info| info.power_off_messages) else {
                continue;
            };
            let ids = Endpoints {
                sender: EndpointId::SPMC,
                receiver: info.id,
            };
            let tied = !info.is_up();
            let Pe { nwd, contexts, .. } = pe;
            let Some(context) = contexts[slot.index()].as_deref_mut() else {
                continue;
            };
            if !tied || context.state() != State::Waiting || !self.is_alive(slot) {
                continue;
            }
            let x = context.machine.x();
            x[0] = raw::DIRECT_REQ_32.into();
            x[1] = ids.register();
            x[2] = (FRAMEWORK_BIT | PSCI_REQUEST).into();
            // x0 to x3 of the PSCI call.
            for (to, from) in x.iter_mut().zip(nwd.0).take(7).skip(3) {
                *to = from & 0xffff_ffff;
            }
            x[7] = 0;
            context.transition(Event::Enter);
            context.model = Model::PowerOff;
            context.giver = Giver::PowerOff;
            context.serve(ids, RequestKind::PowerOff, Giver::PowerOff, (0, 0));
            self.refresh_if_needed(pe, slot);
            // Its mask is not that of a request.
            if let Some(context) = pe.context(slot) {
                context.call_attention();
            }
            return Outcome::to(Next::Partition(slot));
        }
        self.go_off(pe, machine);
        answer(pe, 0)
    }

    /// The answer of a partition that was told, with its status in w3. An error changes nothing.
    pub(super) fn power_response(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        ids: Endpoints,
        machine: &mut impl Machine,
    ) -> Result<Outcome, FfaError> {
        let request = self.owed(pe, slot, ids)?;
        if request.kind != RequestKind::PowerOff {
            return Err(FfaError::Denied);
        }
        let context = pe.context(slot).ok_or(FfaError::Denied)?;
        let status = context.machine.x()[3] as u32 as i32;
        if status != 0 {
            machine.notice(Notice::PowerOffRefused {
                partition: ids.sender,
                status,
            });
        }
        let giver = context.giver;
        context.transition(Event::Wait);
        context.served();
        context.call_is_wide = false;
        let left = Some(context.left(slot));
        Ok(Outcome {
            next: self.complete(pe, giver, Reply::msg_wait()),
            left,
        })
    }

    /// This core is off as soon as EL3 has the answer: nothing of it may be waited for.
    fn go_off(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) {
        let core = pe.index;
        for slot in (0..self.partitions.len()).map(|slot| Slot(slot as u8)) {
            let index = self.context_index(slot, core);
            let Some(context) = pe.context(slot) else {
                continue;
            };
            // A single context that is just leaving is any core's.
            if context.state() == State::Off || context.migrates {
                continue;
            }
            context.transition(Event::SwitchOff);
            context.served();
            context.parked = None;
            self.bury(slot, core);
            self.epoch(slot, index);
            self.drop_active(pe, slot, machine);
            self.reset_interrupts(pe, slot);
        }
        let news = self.news.switch_off(core) | pe.due;
        self.route_elsewhere(core, machine);
        pe.due = 0;
        // Whom the scheduler was to be told of stays pending: another core tells it.
        if core::mem::take(&mut pe.sri) || news & News::SCHEDULER != 0 {
            let told = self.news.leave(pe.index, News::SCHEDULER);
            told.into_iter().for_each(|core| machine.kick(core));
        }
        for slot in (0..self.partitions.len()).map(|slot| Slot(slot as u8)) {
            let migrates = self.info(slot).is_some_and(|info| info.is_up());
            // One that left while this core went off has told nobody of what it left pending.
            let pending = self.virtuals(slot, 0).is_deliverable();
            if migrates && (news & 1 << slot.index() != 0 || pending) {
                self.notify(core, slot, machine);
            }
        }
        self.hand_timers_over(pe, machine);
    }
}

impl<M: Registers> Spmc<'_, M> {
    /// Shared interrupts that go to this core, which is off as far as others know, go to one that is
    /// on.
    fn route_elsewhere(&self, core: u16, machine: &mut impl Machine) {
        let mut from = core;
        for _ in 0..=MAX_CPUS {
            let on = self.news.on();
            if on == 0 {
                return;
            }
            let to = on.trailing_zeros() as u16;
            for partition in &self.partitions {
                for intid in &partition.info.devices {
                    machine.reroute(*intid, from, to);
                }
            }
            // It may have gone off just before, and seen none of these.
            if self.news.on() & 1 << to != 0 {
                return;
            }
            from = to;
        }
    }
}

/// The answer to EL3, with this status.
fn answer<M>(pe: &mut Pe<'_, M>, status: u32) -> Outcome {
    super::from_normal_world::framework_answer(pe, EL3, POWER_RESPONSE, status)
}
