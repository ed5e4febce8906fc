//! The short way of direct messages.
//!
//! It only knows how to succeed: whatever is not the plain good case goes the general way, which finds the error. That
//! one also finds out what a vCPU may send at all, which is remembered in the vCPU.

use crate::{
    proxy::{Machine, Next, Pe, Proxy},
    vcpu::{Kind, Registers, ids},
};
use ffa_abi::{fid::raw, smccc};

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
            self.fast_request::<DIRECT2>(pe)
        } else if fid == raw::DIRECT_REQ_64 {
            self.fast_request::<DIRECT_64>(pe)
        } else if fid == raw::DIRECT_REQ_32 {
            self.fast_request::<DIRECT_32>(pe)
        } else {
            None
        };
        match next {
            Some(next) => next,
            None => self.call_general(pe, machine),
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
}
