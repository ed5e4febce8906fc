//! The short way of direct messages between the normal world and partitions. Calls about memory have one of their own.
//!
//! It only knows how to succeed: whatever is not the plain good case goes the general way, which
//! finds the error. Both are compared over every state of the search and over random registers.

use super::{
    Left, Machine, Next, Open, Outcome, Partition, Pe, Spmc,
    direct::{enter_for, put, zero_extended},
};
use crate::locks::Held;
use crate::{
    context::{Context, Giver, Registers, RequestKind, Slot},
    state::State,
};
use core::{hint::cold_path, sync::atomic::Ordering};
use ffa_abi::{
    Uuid, Version,
    contract::{self, ExtendedToEl3},
    fid::raw,
    id::Endpoints,
    smccc,
};

/// The kinds of direct messages as constants, so that each has its own straight code.
const DIRECT_32: u8 = 0;
const DIRECT_64: u8 = 1;
const DIRECT2: u8 = 2;

/// A bit that calls about memory have, and what else is frequent has not: who makes those pays for one more look.
const OF_MEMORY: u32 = 1 << 4;

const fn kind(kind: u8) -> RequestKind {
    match kind {
        DIRECT2 => RequestKind::Direct2,
        _ => RequestKind::Direct {
            wide: kind == DIRECT_64,
        },
    }
}

impl<'c, M> Partition<'c, M> {
    /// Takes the single context to core `core`, if no core has it and it waits.
    #[inline(always)]
    fn take_parked(&self, core: u16, held: &mut Held<0>) -> Option<&'c mut Context<M>> {
        self.parked.with(held, |parked, _| {
            let taken = parked.take_if(|context| context.state() == State::Waiting)?;
            self.at.store(core.into(), Ordering::Release);
            Some(taken)
        })
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Handles what EL3 brought in [`Pe::nwd`].
    #[inline(always)]
    pub fn handle_normal_world(&self, pe: &mut Pe<'c, M>, machine: &mut impl Machine) -> Outcome {
        let fid = pe.nwd.w::<0>() & !smccc::SVE_HINT;
        // The order is that of how much a comparison more would hurt.
        let entered = if fid == raw::DIRECT_REQ2 {
            self.fast_request::<DIRECT2>(pe)
        } else if fid == raw::DIRECT_REQ_64 {
            cold_path();
            self.fast_request::<DIRECT_64>(pe)
        } else if fid == raw::DIRECT_REQ_32 {
            cold_path();
            self.fast_request::<DIRECT_32>(pe)
        } else if fid == raw::FEATURES {
            return self.normal_world_features(pe);
        } else if fid & OF_MEMORY != 0 {
            cold_path();
            return self.memory_of_normal_world(pe, fid, machine);
        } else if fid == raw::INTERRUPT {
            cold_path();
            // A secure interrupt took the normal world away: this is no call of its.
            return Outcome::to(Next::NormalWorldResume);
        } else if fid == raw::NOTIFICATION_SET
            && let Some(outcome) = self.normal_world_set(pe, machine)
        {
            return outcome;
        } else {
            None
        };
        match entered {
            Some(slot) => Outcome::to(Next::Partition(slot)),
            None => self.handle_normal_world_general(pe, machine),
        }
    }

    /// Handles the call in the registers of the partition that ran on this core.
    #[inline(always)]
    pub fn handle_partition(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        machine: &mut impl Machine,
    ) -> Outcome {
        let fid = match pe.context(slot) {
            Some(context) => context.machine.x()[0] as u32 & !smccc::SVE_HINT,
            None => 0,
        };
        let done = if fid == raw::DIRECT_RESP2 {
            Self::fast_response::<DIRECT2>(pe, slot)
        } else if fid == raw::DIRECT_RESP_64 {
            cold_path();
            Self::fast_response::<DIRECT_64>(pe, slot)
        } else if fid == raw::DIRECT_RESP_32 {
            cold_path();
            Self::fast_response::<DIRECT_32>(pe, slot)
        } else if fid & OF_MEMORY != 0 {
            cold_path();
            return self.memory_of_partition(pe, slot, fid, machine);
        } else {
            None
        };
        match done {
            Some(outcome) => outcome,
            None => self.handle_partition_general(pe, slot, machine),
        }
    }

    /// A request of the normal world to a partition that waits for it, if nothing is in its way.
    #[inline(always)]
    fn fast_request<const KIND: u8>(&self, pe: &mut Pe<'c, M>) -> Option<Slot> {
        let kind = const { kind(KIND) };
        let ids = Endpoints::from_register(pe.nwd.x::<1>());
        let index = ids.receiver.0.wrapping_sub(0x8001) as usize;
        let partition = self.partitions.get(index)?;
        if partition.info.id != ids.receiver || ids.sender.is_secure() {
            return None;
        }
        let service = match kind {
            RequestKind::Direct2 => {
                let service = Uuid::from_registers(pe.nwd.x::<2>(), pe.nwd.x::<3>());
                let wanted = if service.is_nil() {
                    Open::DIRECT2
                } else if service == partition.first_service {
                    Open::DIRECT2_FIRST
                } else {
                    return None;
                };
                if !partition.open.has(wanted) || !self.normal_world.is_locked_at(Version::V1_2) {
                    return None;
                }
                service
            }
            RequestKind::Direct { .. } => {
                if pe.nwd.w::<2>() != 0
                    || !partition.open.has(Open::DIRECT)
                    || !self.normal_world.is_locked_at(Version::V1_0)
                {
                    return None;
                }
                Uuid::NIL
            }
            // No form of its own here: w2 says that it is one.
            RequestKind::VmAvailability(_) | RequestKind::PowerOff => return None,
        };
        let slot = Slot(index as u8);
        let Pe { nwd, contexts, .. } = pe;
        let Some(context) = contexts[slot.index()].as_deref_mut() else {
            return self.fast_request_of_parked::<KIND>(pe, slot, ids, service);
        };
        if context.state() != State::Waiting {
            return None;
        }
        let fid = kind.request_fid();
        put(
            context.machine.x(),
            &nwd.0,
            kind,
            fid,
            ids,
            service.registers(),
        );
        enter_for(context, ids, Giver::NormalWorld, kind, (0, 0));
        Some(slot)
    }

    /// The same for a single context, if no core has it: nothing else is in its way.
    #[inline(never)]
    fn fast_request_of_parked<const KIND: u8>(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        ids: Endpoints,
        service: Uuid,
    ) -> Option<Slot> {
        let kind = const { kind(KIND) };
        let partition = self.partitions.get(slot.index())?;
        let context = partition.take_parked(pe.index, &mut pe.held)?;
        let fid = kind.request_fid();
        let service = service.registers();
        put(context.machine.x(), &pe.nwd.0, kind, fid, ids, service);
        enter_for(context, ids, Giver::NormalWorld, kind, (0, 0));
        let raised = context.lines().any();
        pe.contexts[slot.index()] = Some(context);
        // What came while no core had it, it finds: nobody could raise its lines.
        if raised || self.virtuals(slot, 0).is_deliverable() {
            cold_path();
            self.refresh(pe, slot);
        }
        Some(slot)
    }

    /// [`saved`](Self::saved), for those that are in a hurry and leave often.
    #[inline(always)]
    pub fn saved_quickly(&self, pe: &mut Pe<'c, M>, left: &Left) {
        if left.migrates
            && let Some(partition) = self.partitions.get(left.slot.index())
        {
            let place = &mut pe.contexts[left.slot.index()];
            partition
                .parked
                .with(&mut pe.held, |parked, _| *parked = place.take());
        }
    }

    /// The response that a request of the normal world waits for.
    #[inline(always)]
    fn fast_response<const KIND: u8>(pe: &mut Pe<'c, M>, slot: Slot) -> Option<Outcome> {
        let kind = const { kind(KIND) };
        let Pe { nwd, contexts, .. } = pe;
        let context = contexts[slot.index()].as_deref_mut()?;
        let x = context.machine.x();
        if KIND != DIRECT2 && x[2] as u32 != 0 {
            return None;
        }
        let ids = Endpoints::from_register(x[1]);
        // One comparison says that a request of the normal world is being served, that this is its
        // kind, and that both ids are right.
        if context.expected() != Context::<M>::answer_code(ids, kind) {
            return None;
        }
        let entry = nwd[0];
        let fid = kind.response_fid();
        put(&mut nwd.0, context.machine.x(), kind, fid, ids, (0, 0));
        if let ExtendedToEl3::Zero = contract::extended_to_el3(entry, fid, kind.layout()) {
            zero_extended(nwd);
        }
        context.stop_running();
        context.served_normal_world();
        context.call_is_wide = kind.is_wide();
        Some(Outcome {
            next: Next::NormalWorld,
            left: Some(context.left(slot)),
        })
    }
}
