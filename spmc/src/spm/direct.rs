//! Direct messages (DEN0077A, "Direct messaging"): requests and responses of both kinds, between
//! the normal world and partitions and from partition to partition.

use super::{Look, Next, Outcome, Pe, Spmc, availability::put_availability};
use crate::{
    context::{Context, Giver, Parked, Registers, Request, RequestKind, Slot, WaitsFor},
    state::{CycleCall, Event, Model, State, permitted},
};
use ffa_abi::{
    FfaError, Regs, Uuid,
    contract::{self, ExtendedToEl3, Layout, Peer, Undeliverable},
    copy_registers,
    fid::raw,
    id::Endpoints,
};

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sender {
    NormalWorld,
    Partition(Slot),
}

impl RequestKind {
    #[inline(always)]
    pub(super) fn layout(self) -> Layout {
        match self {
            Self::Direct { wide } => contract::message_layout(false, wide),
            Self::Direct2 => contract::message_layout(true, true),
            Self::VmAvailability(_) | Self::PowerOff => contract::message_layout(false, false),
        }
    }

    /// Whether the call that carries it is a 64-bit one.
    #[inline(always)]
    pub(super) const fn is_wide(self) -> bool {
        matches!(self, Self::Direct { wide: true } | Self::Direct2)
    }

    #[inline(always)]
    pub(super) const fn request_fid(self) -> u64 {
        (match self {
            Self::Direct { wide: false } | Self::VmAvailability(_) | Self::PowerOff => {
                raw::DIRECT_REQ_32
            }
            Self::Direct { wide: true } => raw::DIRECT_REQ_64,
            Self::Direct2 => raw::DIRECT_REQ2,
        }) as u64
    }

    #[inline(always)]
    pub(super) const fn response_fid(self) -> u64 {
        (match self {
            Self::Direct { wide: false } | Self::VmAvailability(_) | Self::PowerOff => {
                raw::DIRECT_RESP_32
            }
            Self::Direct { wide: true } => raw::DIRECT_RESP_64,
            Self::Direct2 => raw::DIRECT_RESP2,
        }) as u64
    }
}

/// Writes a message: x0 and x1 as given, x2 and x3 zero or the service, the payload copied. Nothing
/// beyond the message's layout is touched.
#[inline(always)]
pub(super) fn put<const A: usize, const B: usize>(
    to: &mut [u64; A],
    from: &[u64; B],
    kind: RequestKind,
    fid: u64,
    ids: Endpoints,
    service: (u64, u64),
) {
    const { assert!(A >= 18 && B >= 18) };
    to[0] = fid;
    to[1] = ids.register();
    let mask = match kind {
        RequestKind::Direct2 => {
            to[2] = service.0;
            to[3] = service.1;
            u64::MAX
        }
        RequestKind::Direct { wide } => {
            let mask = if wide { u64::MAX } else { 0xffff_ffff };
            to[2] = 0;
            to[3] = from[3] & mask;
            mask
        }
        RequestKind::VmAvailability(event) => {
            return put_availability(to, from, event, fid);
        }
        // Written where it is sent, and its answer goes nowhere.
        RequestKind::PowerOff => return,
    };
    copy_registers!(to, from, mask, 4 5, 6 7);
    if let Layout::Eighteen = kind.layout() {
        copy_registers!(to, from, u64::MAX, 8 9, 10 11, 12 13, 14 15, 16 17);
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Checks a request in the order of the specification and, if nothing is wrong, hands the core
    /// to the receiver. An error changes nothing.
    pub(super) fn direct_request(
        &self,
        pe: &mut Pe<'c, M>,
        sender: Sender,
        ids: Endpoints,
        kind: RequestKind,
        service: Uuid,
    ) -> Result<Outcome, FfaError> {
        // Identifiers.
        if !self.is_own(sender, ids.sender)
            || ids.sender == ids.receiver
            || !ids.receiver.is_secure()
        {
            return Err(FfaError::InvalidParameters);
        }
        let (slot, receiver) = self
            .look_up(ids.receiver)
            .ok_or(FfaError::InvalidParameters)?;

        // Service, versions and the methods that the manifests name.
        let sender_version = self.version_of(sender);
        let peer = Peer {
            version: receiver.version.get(),
            mode: receiver.info.mode,
        };
        match kind {
            RequestKind::Direct2 => {
                // The nil UUID is any service's.
                let methods = if service.is_nil() {
                    receiver.info.messaging
                } else {
                    let mut services = receiver.info.services.iter();
                    services
                        .find(|offered| offered.uuid == service)
                        .ok_or(FfaError::InvalidParameters)?
                        .messaging
                };
                let sends = match sender {
                    Sender::NormalWorld => true,
                    Sender::Partition(from) => self
                        .info(from)
                        .is_some_and(|info| info.messaging.sends_direct2()),
                };
                if !sender_version.has_extended_registers()
                    || !peer.version.has_extended_registers()
                    || !sends
                    || !methods.receives_direct2()
                {
                    return Err(FfaError::Denied);
                }
            }
            RequestKind::Direct { .. } => {
                let sends = match sender {
                    Sender::NormalWorld => true,
                    Sender::Partition(from) => self
                        .info(from)
                        .is_some_and(|info| info.messaging.sends_direct()),
                };
                if !sends || !receiver.info.messaging.receives_direct() {
                    return Err(FfaError::Denied);
                }
            }
            RequestKind::VmAvailability(event) => {
                if !receiver.vm_events().has(event) {
                    return Err(FfaError::InvalidParameters);
                }
                if !receiver.info.messaging.receives_direct() {
                    return Err(FfaError::Denied);
                }
            }
            // The SPMC's own.
            RequestKind::PowerOff => return Err(FfaError::InvalidParameters),
        }

        // The receiver's context for this core.
        let receiver = self.look(pe, slot).ok_or(FfaError::Busy)?;
        if receiver.state != State::Waiting {
            return Err(self.why_not_waiting(pe, sender, slot, &receiver));
        }
        if let Sender::Partition(from) = sender {
            let model = pe.context(from).ok_or(FfaError::Denied)?.model;
            if !permitted(model, CycleCall::Request) {
                return Err(FfaError::Denied);
            }
            // There is one place for a response that can't be delivered: it must be free.
            if kind == RequestKind::Direct2 && self.keeps_response(pe, from) {
                return Err(FfaError::Busy);
            }
        }
        contract::deliverable(peer, receiver.wide, kind.layout()).map_err(|_| FfaError::Denied)?;
        if pe.contexts[slot.index()].is_none()
            && !self.claim(pe, slot, |now| {
                now.state == State::Waiting && now.wide == receiver.wide
            })
        {
            return Err(FfaError::Busy);
        }

        // Commit.
        let uuid = service.registers();
        let fid = kind.request_fid();
        let from = match sender {
            Sender::NormalWorld => {
                let Pe { nwd, contexts, .. } = pe;
                let Some(context) = contexts[slot.index()].as_deref_mut() else {
                    return Err(FfaError::Busy);
                };
                put(context.machine.x(), &nwd.0, kind, fid, ids, uuid);
                enter_for(context, ids, Giver::NormalWorld, kind, (0, 0));
                self.refresh_if_needed(pe, slot);
                return Ok(Outcome::to(Next::Partition(slot)));
            }
            Sender::Partition(from) => from,
        };
        let origin = (pe.index, self.incarnation(from, pe.index));
        // Two contexts of one table: take the sender's out for the moment.
        let place = from.index();
        let Some(sending) = pe.contexts[place].take() else {
            return Err(FfaError::Denied);
        };
        if let Some(context) = pe.context(slot) {
            put(
                context.machine.x(),
                sending.machine.x(),
                kind,
                fid,
                ids,
                uuid,
            );
            enter_for(context, ids, Giver::Partition(from), kind, origin);
        }
        sending.transition(Event::Block);
        sending.waits_for = WaitsFor::Callee(slot);
        sending.call_is_wide = kind.is_wide();
        pe.contexts[place] = Some(sending);
        self.refresh_if_needed(pe, slot);
        Ok(Outcome::to(Next::Partition(slot)))
    }

    /// The error for a receiver that is not waiting.
    #[cold]
    fn why_not_waiting(
        &self,
        pe: &mut Pe<'c, M>,
        sender: Sender,
        slot: Slot,
        receiver: &Look,
    ) -> FfaError {
        let serves = receiver.request.is_some();
        match receiver.state {
            State::Aborted => self.why_dead(slot),
            // An earlier member of the caller's own chain that was entered by FFA_RUN: a loop.
            State::Blocked if !serves && receiver.model == Model::Run => match sender {
                Sender::Partition(from) if self.precedes(pe, slot, from) => FfaError::Denied,
                _ => FfaError::Busy,
            },
            _ => FfaError::Busy,
        }
    }

    /// Whether `slot` is found on the way from `from` back to the head of its call chain.
    pub(super) fn precedes(&self, pe: &mut Pe<'c, M>, slot: Slot, from: Slot) -> bool {
        let mut current = from;
        // A chain has no more members than there are partitions.
        for _ in 0..crate::MAX_PARTITIONS {
            match pe.context(current).map(|context| context.giver) {
                Some(Giver::Partition(previous) | Giver::Interrupted(previous))
                    if previous == slot =>
                {
                    return true;
                }
                Some(Giver::Partition(previous) | Giver::Interrupted(previous)) => {
                    current = previous;
                }
                _ => return false,
            }
        }
        false
    }

    /// The request that the partition in `slot` may answer now with a response of these ids.
    pub(super) fn owed(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        ids: Endpoints,
    ) -> Result<Request, FfaError> {
        let info = self.info(slot).ok_or(FfaError::Denied)?;
        if ids.sender != info.id || ids.sender == ids.receiver {
            return Err(FfaError::InvalidParameters);
        }
        let context = pe.context(slot).ok_or(FfaError::Denied)?;
        if !permitted(context.model, CycleCall::Response) {
            return Err(FfaError::Denied);
        }
        let request = context.request().ok_or(FfaError::Denied)?;
        if ids.receiver != request.sender {
            return Err(FfaError::Denied);
        }
        Ok(request)
    }

    /// A response by the partition in `slot`. An error changes nothing.
    pub(super) fn direct_response(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        ids: Endpoints,
        kind: RequestKind,
    ) -> Result<Outcome, FfaError> {
        let request = self.owed(pe, slot, ids)?;
        let partition = self
            .partitions
            .get(slot.0 as usize)
            .ok_or(FfaError::Denied)?;
        match (request.kind, kind) {
            (RequestKind::Direct2, RequestKind::Direct2) => {}
            (RequestKind::VmAvailability(asked), RequestKind::VmAvailability(answered))
                if asked == answered => {}
            // A response of the other width is delivered in its own below 1.3.
            (RequestKind::Direct { wide: asked }, RequestKind::Direct { wide })
                if asked == wide
                    || partition.version.get().raw() < ffa_abi::Version::V1_3.raw() => {}
            _ => return Err(FfaError::Denied),
        }
        let giver = pe.context(slot).ok_or(FfaError::Denied)?.giver;
        let origin = self.origin(&request);
        let park = match origin {
            Some(Giver::Partition(to)) => {
                let peer = Peer {
                    version: self.version(to),
                    mode: self.info(to).map(|info| info.mode).unwrap_or_default(),
                };
                let context = pe.context(to).ok_or(FfaError::Denied)?;
                match contract::deliverable(peer, context.call_is_wide, kind.layout()) {
                    Ok(()) => false,
                    Err(Undeliverable::Strict) if context.parked.is_none() => true,
                    Err(_) => return Err(FfaError::Denied),
                }
            }
            _ => false,
        };

        // Commit.
        let fid = kind.response_fid();
        let Some(responding) = pe.contexts[slot.index()].take() else {
            return Err(FfaError::Denied);
        };
        responding.transition(Event::Wait);
        responding.served();
        responding.call_is_wide = kind.is_wide();
        let left = Some(responding.left(slot));
        let x = responding.machine.x();
        let next = match origin {
            Some(Giver::NormalWorld) => {
                let entry = pe.nwd[0];
                put(&mut pe.nwd.0, x, kind, fid, ids, (0, 0));
                if let ExtendedToEl3::Zero = contract::extended_to_el3(entry, fid, kind.layout()) {
                    zero_extended(&mut pe.nwd);
                }
                Some(Next::NormalWorld)
            }
            Some(Giver::Partition(to)) => {
                let core = pe.index;
                let life = self.incarnation(slot, core);
                if let Some(context) = pe.context(to) {
                    if park {
                        let mut message = Regs::ZERO;
                        put(&mut message.0, x, kind, fid, ids, (0, 0));
                        context.parked = Some(Parked {
                            from: slot,
                            core,
                            life,
                            message,
                        });
                        ffa_abi::Reply::error(FfaError::Denied).write(context.machine.x());
                    } else {
                        put(context.machine.x(), x, kind, fid, ids, (0, 0));
                    }
                    context.transition(Event::Unblock);
                }
                // What has come meanwhile it finds.
                self.refresh_if_needed(pe, to);
                Some(Next::Partition(to))
            }
            // The SPMC's own requests are answered elsewhere.
            None | Some(_) => None,
        };
        pe.contexts[slot.index()] = Some(responding);
        let next = match next {
            Some(next) => next,
            // The sender has died: the answer goes nowhere, and who ran the responder is told that
            // it waits.
            None => self.complete(pe, giver, ffa_abi::Reply::msg_wait()),
        };
        Ok(Outcome { next, left })
    }

    /// Whether `id` is what the caller may call itself: a partition its own id, the normal world any of
    /// its own.
    #[inline(always)]
    pub(super) fn is_own(&self, caller: Sender, id: ffa_abi::EndpointId) -> bool {
        match caller {
            Sender::NormalWorld => !id.is_secure(),
            Sender::Partition(slot) => self.info(slot).is_some_and(|info| info.id == id),
        }
    }

    /// The version that the caller negotiated: for the normal world's endpoints, their hypervisor's.
    #[inline(always)]
    pub(super) fn version_of(&self, caller: Sender) -> ffa_abi::Version {
        match caller {
            Sender::NormalWorld => self.normal_world.get(),
            Sender::Partition(slot) => self.version(slot),
        }
    }

    /// Whether a partition's version is fixed: it has called something.
    pub(super) fn has_settled(&self, slot: Slot) -> bool {
        self.partitions
            .get(slot.index())
            .is_none_or(|partition| partition.version.is_locked_at(ffa_abi::Version::V1_0))
    }

    /// The version that a partition negotiated.
    #[inline(always)]
    pub(super) fn version(&self, slot: Slot) -> ffa_abi::Version {
        self.partitions
            .get(slot.0 as usize)
            .map_or(ffa_abi::Version::V1_0, |partition| partition.version.get())
    }
}

#[inline(always)]
pub(super) fn enter_for<M>(
    context: &mut Context<M>,
    ids: Endpoints,
    giver: Giver,
    kind: RequestKind,
    sent: (u16, u16),
) {
    context.transition(Event::Enter);
    context.model = Model::DirectRequest;
    context.giver = giver;
    context.serve(ids, kind, giver, sent);
}

#[cold]
pub(super) fn zero_extended(nwd: &mut Regs) {
    for register in &mut nwd.0[8..] {
        *register = 0;
    }
}
