//! VM availability messages (DEN0077A 1.1, "VM availability messages"): the normal world's hypervisor
//! tells partitions that subscribed of VMs that come and go.
//!
//! A message is a direct request in every other way: it enters a context that waits, can be
//! interrupted and run again, and is owed exactly one answer. It never goes the short way.
//!
//! | what is wrong | error |
//! | --- | --- |
//! | sender other than the hypervisor, receiver no partition, 64-bit form, another message, the normal world below 1.1, no id of a VM | INVALID_PARAMETERS |
//! | the partition did not subscribe to this one, or speaks 1.0 | INVALID_PARAMETERS |
//! | it receives no direct requests | DENIED |
//! | it does not wait, or has failed | as for any direct request |
//! | an answer that is not the one to this message, or one of these to a message between partitions | DENIED |

use super::{Outcome, Partition, Pe, Spmc, direct::Sender};
use crate::context::{Registers, RequestKind, Slot};
use ffa_abi::{
    EndpointId, FfaError, Uuid, Version,
    availability::{VmEvent, VmEvents},
    fid::raw,
    id::Endpoints,
    message::{FRAMEWORK_BIT, Framework},
};

/// The first version with these messages.
const FIRST: Version = Version::V1_1;

impl<M> Partition<'_, M> {
    /// What it is told of: nothing if it has settled for a version that does not have it.
    pub(super) fn vm_events(&self) -> VmEvents {
        match self.version.get() >= FIRST {
            true => self.info.vm_events,
            false => VmEvents::empty(),
        }
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// A framework message of the normal world to a partition. An error changes nothing.
    pub(super) fn availability_request(
        &self,
        pe: &mut Pe<'c, M>,
        ids: Endpoints,
        number: u8,
    ) -> Result<Outcome, FfaError> {
        if ids.sender != EndpointId::HYPERVISOR || self.normal_world.get() < FIRST {
            return Err(FfaError::InvalidParameters);
        }
        let (event, vm) = match Framework::decode(number, false, &pe.nwd) {
            Ok(Framework::VmCreated { vm, .. }) => (VmEvent::Created, vm),
            Ok(Framework::VmDestroyed { vm, .. }) => (VmEvent::Destroyed, vm),
            _ => return Err(FfaError::InvalidParameters),
        };
        if !vm.is_vm() {
            return Err(FfaError::InvalidParameters);
        }
        let kind = RequestKind::VmAvailability(event);
        self.direct_request(pe, Sender::NormalWorld, ids, kind, Uuid::NIL)
    }

    /// A framework message with which the partition in `slot` answers. An error changes nothing, and
    /// it still owes the answer.
    pub(super) fn framework_response(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        ids: Endpoints,
        wide: bool,
        number: u8,
    ) -> Result<Outcome, FfaError> {
        if let (Some(event), false) = (VmEvent::of_response(number), wide) {
            return self.direct_response(pe, slot, ids, RequestKind::VmAvailability(event));
        }
        // Nothing that a partition is sent here has another answer of the framework's.
        self.owed(pe, slot, ids)?;
        Err(FfaError::Denied)
    }
}

/// Writes w2 and what the message defines behind it, and zero for what it does not.
#[cold]
#[inline(never)]
pub(super) fn put_availability<const A: usize, const B: usize>(
    to: &mut [u64; A],
    from: &[u64; B],
    event: VmEvent,
    fid: u64,
) {
    const { assert!(A >= 18 && B >= 18) };
    let request = fid == u64::from(raw::DIRECT_REQ_32);
    let (number, masks) = match request {
        // A handle, and an id of 16 bits.
        true => (event.request(), [0xffff_ffff, 0xffff_ffff, 0xffff]),
        // A status.
        false => (event.response(), [0xffff_ffff, 0, 0]),
    };
    to[2] = (FRAMEWORK_BIT | number).into();
    let [a, b, c] = masks;
    to[3] = from[3] & a;
    to[4] = from[4] & b;
    to[5] = from[5] & c;
    to[6] = 0;
    to[7] = 0;
}
