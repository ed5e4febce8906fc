//! The short way of direct messages.
//!
//! It only knows how to succeed: whatever is not the plain good case goes the general way, which finds the error. That
//! one also finds out what a vCPU may send at all, which is remembered in the vCPU.

use crate::{
    kind::{Kind, ids},
    messages::put,
    proxy::{Machine, Next, Pe, Proxy},
    route::Answer,
    vcpu::{Event, Model, Registers, State, Vcpu, Waits},
};
use ffa_abi::{fid::raw, id::Endpoints, smccc};

/// The kinds of direct messages as constants, so that each has its own straight code.
const DIRECT_32: u8 = 0;
const DIRECT_64: u8 = 1;
const DIRECT2: u8 = 2;

const fn kind(kind: u8) -> Kind {
    match kind {
        DIRECT2 => Kind::Direct2,
        _ => Kind::Direct {
            wide: kind == DIRECT_64,
        },
    }
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// Handles an SMC or HVC of the vCPU that runs.
    #[inline(always)]
    pub fn call(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Next {
        let fid = match pe.running() {
            Some(vcpu) => vcpu.machine.x()[0] as u32 & !smccc::SVE_HINT,
            None => return Next::Idle,
        };
        // The order is that of how much a comparison more would hurt.
        let next = if fid == raw::DIRECT_REQ2 {
            self.fast_request2(pe, machine)
        } else if fid == raw::DIRECT_RESP2 {
            self.fast_response(pe, machine)
        } else if fid == raw::DIRECT_REQ_64 {
            self.fast_request::<DIRECT_64>(pe)
        } else if fid == raw::DIRECT_REQ_32 {
            self.fast_request::<DIRECT_32>(pe)
        } else {
            None
        };
        match next {
            Some(next) => next,
            None => self.call_seldom(pe, fid, machine),
        }
    }

    /// Handles what is no direct message, or none for the short way. Apart from that, which has less to do without it.
    #[inline(never)]
    fn call_seldom(&self, pe: &mut Pe<'v, R>, fid: u32, machine: &mut impl Machine<R>) -> Next {
        match self.fast_memory(pe, fid, machine) {
            Some(next) => next,
            None => self.call_general(pe, machine),
        }
    }

    /// A `DIRECT_REQ2` to whomever.
    #[inline(always)]
    fn fast_request2(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Option<Next> {
        match ids(pe.running()?.machine.x()).receiver.is_secure() {
            true => self.fast_request::<DIRECT2>(pe),
            false => self.fast_request_vm(pe, machine),
        }
    }

    /// A request to a partition, by a vCPU that has sent one of the kind before.
    #[inline(always)]
    fn fast_request<const KIND: u8>(&self, pe: &mut Pe<'v, R>) -> Option<Next> {
        let kind = const { kind(KIND) };
        let vcpu = pe.running()?;
        if !vcpu.sends(kind) {
            return None;
        }
        let own = vcpu.endpoint;
        let x = vcpu.machine.x();
        if KIND != DIRECT2 && x[2] as u32 != 0 {
            return None;
        }
        let ids = ids(x);
        if ids.sender != own || !ids.receiver.is_secure() {
            return None;
        }
        Some(self.request_partition(pe, const { self::kind(KIND).request_fid() as u32 }))
    }

    /// A `DIRECT_REQ2` to a VM that waits for it, like the last one that the general way found nothing wrong with.
    #[inline(always)]
    fn fast_request_vm(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Option<Next> {
        let Pe { chain, .. } = pe;
        let level = chain.len();
        let sender: &mut Vcpu<R> = chain.last_mut()?;
        let route = sender.route;
        let x = sender.machine.x();
        if u64::from(x[1] as u32) != route.ids || (x[2], x[3]) != route.service {
            return None;
        }
        let vm = self.vm(route.to.vm)?;
        let receiver = {
            let mut place = vm.place(route.to.vcpu).lock();
            let receiver = place.take()?;
            // One of a VM that has ended is dead, or about to be found so.
            if receiver.state() != State::Waiting {
                *place = Some(receiver);
                return None;
            }
            receiver
        };
        sender.transition_from(State::Running, Event::Block);
        sender.waits = Waits::Callee {
            callee: route.to,
            wide: true,
        };
        receiver.transition_from(State::Waiting, Event::Enter);
        receiver.model = Model::DirectRequest;
        receiver.waits = Waits::Cycles;
        receiver.serve(&route);
        let ids = Endpoints::from_register(route.ids);
        let service = route.service;
        let fid = const { Kind::Direct2.request_fid() };
        let from = sender.machine.x();
        put(receiver.machine.x(), from, Kind::Direct2, fid, ids, service);
        self.push_on(pe, receiver);
        if level == 1 {
            machine.slice(true);
        }
        Some(Next::Vcpu)
    }

    /// The `DIRECT_RESP2` that the member of the chain below waits for.
    #[inline(always)]
    fn fast_response(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Option<Next> {
        let [.., caller, responder] = pe.chain.as_mut_slice() else {
            return None;
        };
        let (caller, responder): (&mut Vcpu<R>, &mut Vcpu<R>) = (caller, responder);
        let x1 = responder.machine.x()[1];
        // One comparison says that a request is served, that this is its kind, that both ids are right, and that the
        // sender is below.
        if responder.answer() != Answer::of(x1, caller.awaited)
            || !matches!(caller.waits, Waits::Callee { wide: true, .. })
        {
            return None;
        }
        responder.transition_from(State::Running, Event::Wait);
        responder.set_request(None);
        responder.waits = Waits::Message { wide: true };
        caller.transition_from(State::Blocked, Event::Unblock);
        caller.waits = Waits::Cycles;
        let ids = Endpoints::from_register(x1);
        let fid = const { Kind::Direct2.response_fid() };
        let from = responder.machine.x();
        put(caller.machine.x(), from, Kind::Direct2, fid, ids, (0, 0));
        self.pop(pe, machine);
        Some(Next::Vcpu)
    }
}
