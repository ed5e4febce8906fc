//! Direct messages between VMs (DEN0077A, "Direct messaging").

use crate::{
    cycles::waits,
    kind::{Kind, ids},
    proxy::{Machine, Next, Pe, Proxy},
    route::{Answer, Route},
    vcpu::{Event, Kept, Model, Registers, Request, State, VcpuId, Waits},
};
use ffa_abi::{
    FfaError, Regs, Reply, Uuid, Version,
    contract::{self, Layout, Mode, Undeliverable},
    copy_registers,
    id::Endpoints,
};

/// Writes a message: x0 and x1 as given, x2 and x3 zero or the service, the payload copied. Nothing
/// beyond the message's layout is touched.
#[inline(always)]
pub(crate) fn put<const A: usize>(
    to: &mut [u64; A],
    from: &[u64; 31],
    kind: Kind,
    fid: u64,
    ids: Endpoints,
    service: (u64, u64),
) {
    const { assert!(A >= 18) };
    to[0] = fid;
    to[1] = ids.register();
    let mask = match kind {
        Kind::Direct2 => {
            to[2] = service.0;
            to[3] = service.1;
            u64::MAX
        }
        Kind::Direct { wide } => {
            let mask = if wide { u64::MAX } else { 0xffff_ffff };
            to[2] = 0;
            to[3] = from[3] & mask;
            mask
        }
    };
    copy_registers!(to, from, mask, 4 5, 6 7);
    if let Layout::Eighteen = layout(kind) {
        copy_registers!(to, from, u64::MAX, 8 9, 10 11, 12 13, 14 15, 16 17);
    }
}

#[inline(always)]
fn layout(kind: Kind) -> Layout {
    match kind {
        Kind::Direct { wide } => contract::message_layout(false, wide),
        Kind::Direct2 => contract::message_layout(true, true),
    }
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// A request to a VM by the vCPU that runs, whose version, ids and reserved bits were checked:
    /// the receiver runs. An error changes nothing.
    pub(crate) fn request_vm(
        &self,
        pe: &mut Pe<'v, R>,
        kind: Kind,
        machine: &mut impl Machine<R>,
    ) -> Result<Next, FfaError> {
        let core = pe.index;
        let sender = pe.running().ok_or(FfaError::Denied)?;
        let origin = sender.id();
        let x = sender.machine.x();
        let ids = ids(x);
        let service = match kind {
            Kind::Direct2 => Uuid::from_registers(x[2], x[3]),
            Kind::Direct { .. } => Uuid::NIL,
        };
        let index = self.find(ids.receiver).ok_or(FfaError::InvalidParameters)?;
        let vm = self.vm(index).ok_or(FfaError::InvalidParameters)?;
        if index == origin.vm {
            return Err(FfaError::InvalidParameters);
        }
        let methods = vm
            .info
            .methods(service)
            .ok_or(FfaError::InvalidParameters)?;
        let peer = vm.peer();
        let receives = match kind {
            Kind::Direct2 => peer.version.has_extended_registers() && methods.receives_direct2(),
            Kind::Direct { .. } => methods.receives_direct(),
        };
        if !receives {
            return Err(FfaError::Denied);
        }
        if vm.is_dead() {
            return Err(FfaError::Aborted);
        }
        let vcpu = vm.info.vcpu_on(core).ok_or(FfaError::Denied)?;
        let id = VcpuId { vm: index, vcpu };
        let place = self.place(id).ok_or(FfaError::Denied)?;
        let receiver = {
            let mut place = place.lock();
            let parked = place.as_ref().ok_or(FfaError::Busy)?;
            let wide = match (parked.state(), parked.waits) {
                (State::Waiting, Waits::Message { wide }) => wide,
                (State::Dead, _) => return Err(FfaError::Aborted),
                _ => return Err(FfaError::Busy),
            };
            contract::deliverable(peer, wide, layout(kind)).map_err(|_| FfaError::Denied)?;
            place.take().ok_or(FfaError::Busy)?
        };

        // Commit.
        let route = match kind {
            Kind::Direct2 => self.route(origin, id, ids, service),
            Kind::Direct { .. } => None,
        };
        let sender = pe.running().ok_or(FfaError::Denied)?;
        if let Some(route) = route {
            sender.route = route;
        }
        put(
            receiver.machine.x(),
            sender.machine.x(),
            kind,
            kind.request_fid(),
            ids,
            service.registers(),
        );
        receiver.transition(Event::Enter);
        receiver.model = Model::DirectRequest;
        receiver.waits = Waits::Cycles;
        receiver.set_request(Some(Request {
            sender: ids.sender,
            origin: Some(origin),
            kind,
        }));
        self.push(pe, receiver, kind.is_wide(), machine);
        Ok(Next::Vcpu)
    }

    /// Where a `DIRECT_REQ2` goes that was checked just now, if the next one like it needs no check but whether the
    /// receiver waits.
    fn route(&self, from: VcpuId, to: VcpuId, ids: Endpoints, service: Uuid) -> Option<Route> {
        let receiver = self.vm(to.vm)?;
        let pinned = |id: VcpuId| {
            let cores = &self.info(id.vm)?.cores;
            cores.get(usize::from(id.vcpu)).copied().flatten()
        };
        // The same core each time, or a receiver that runs on any.
        let same = pinned(from).is_some() || pinned(to).is_none();
        // In strict mode it depends on how it waits.
        let fixed = receiver.version.is_locked_at(Version::V1_2)
            && receiver.info.mode == Mode::Permissive
            && same;
        let request = Some(Request {
            sender: ids.sender,
            origin: Some(from),
            kind: Kind::Direct2,
        });
        fixed.then_some(Route {
            ids: ids.register(),
            service: service.registers(),
            to,
            request,
            answer: Answer::to(request, ids.receiver),
        })
    }

    /// A response by the vCPU that runs. An error changes nothing.
    pub(crate) fn respond(
        &self,
        pe: &mut Pe<'v, R>,
        ids: Endpoints,
        kind: Kind,
        machine: &mut impl Machine<R>,
    ) -> Result<Next, FfaError> {
        let version = self.running_vm(pe).ok_or(FfaError::Denied)?.version.get();
        let vcpu = pe.running().ok_or(FfaError::Denied)?;
        if ids.sender != vcpu.endpoint || ids.sender == ids.receiver {
            return Err(FfaError::InvalidParameters);
        }
        let request = match (vcpu.model, vcpu.request()) {
            (Model::DirectRequest, Some(request)) => request,
            _ => return Err(FfaError::Denied),
        };
        if ids.receiver != request.sender || !request.kind.is_answered_by(kind, version) {
            return Err(FfaError::Denied);
        }
        let below = pe.chain.len().checked_sub(2);
        let below = below.and_then(|level| pe.chain.get(level));
        let receiver = below.filter(|below| Some(below.id()) == request.origin);
        let keep = match receiver {
            Some(receiver) => {
                let Waits::Callee { wide, .. } = receiver.waits else {
                    return Err(FfaError::Denied);
                };
                let vm = self.vm(receiver.id().vm).ok_or(FfaError::Denied)?;
                match contract::deliverable(vm.peer(), wide, layout(kind)) {
                    Ok(()) => false,
                    Err(Undeliverable::Strict) if receiver.kept.is_none() => true,
                    Err(_) => return Err(FfaError::Denied),
                }
            }
            None => false,
        };

        // Commit.
        let void = receiver.is_none();
        let Some((responder, callers)) = pe.chain.split_last_mut() else {
            return Err(FfaError::Denied);
        };
        responder.transition(Event::Wait);
        responder.set_request(None);
        responder.waits = Waits::Message {
            wide: kind.is_wide(),
        };
        let own = responder.target();
        if let Some(caller) = callers.last_mut() {
            let fid = kind.response_fid();
            if void {
                // Into the void; who has run it is told that it waits.
                waits(own).write(caller.machine.x());
            } else if keep {
                let mut message = Regs::ZERO;
                let x = responder.machine.x();
                put(&mut message.0, x, kind, fid, ids, (0, 0));
                caller.keep(Kept {
                    from: own.endpoint,
                    message,
                });
                Reply::error(FfaError::Denied).write(caller.machine.x());
            } else {
                let x = responder.machine.x();
                put(caller.machine.x(), x, kind, fid, ids, (0, 0));
            }
            caller.transition(Event::Unblock);
            caller.waits = Waits::Cycles;
        }
        self.pop(pe, machine);
        match pe.chain.is_empty() {
            true => Ok(self.begin(pe)),
            false => Ok(Next::Vcpu),
        }
    }
}
