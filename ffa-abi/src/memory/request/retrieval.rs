//! `FFA_MEM_RETRIEVE_REQ` and `FFA_MEM_RELINQUISH`.

use super::{
    offer::{has_twin, receiver},
    require, sane,
};
use crate::{
    error::FfaError::{self, InvalidParameters},
    id::EndpointId,
    memory::{AccessLayout, Handle, Relinquish, RelinquishFlags, Transaction},
    sharing::Retrieve,
    version::Version,
};
use heapless::Vec;

/// What `FFA_MEM_RETRIEVE_REQ` asks for.
// There is no heap to put the larger one on.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Retrieval {
    /// A borrower, or the receiver of a donation, wants its memory.
    Borrower(Retrieve),
    /// A hypervisor wants to know of a transaction: nothing but its handle is set.
    Hypervisor(Handle),
}

/// Reads a request to retrieve from the copy of its descriptor, which comes in one piece.
///
/// `caller` is the endpoint that asks. A hypervisor is `None`: it asks for itself, or for the one of
/// its VMs that the request names; for the first one if it names several.
///
/// # Errors
/// INVALID_PARAMETERS: reserved fields; size, place or number of access descriptors; composite
/// offsets; reserved permissions; a borrower twice; bytes behind the last access descriptor; a
/// hypervisor's request that says more than a handle.
pub fn retrieval(
    version: Version,
    descriptor: &[u8],
    caller: Option<EndpointId>,
) -> Result<Retrieval, FfaError> {
    if caller.is_none() {
        let header = Transaction::read(version, descriptor)?;
        if header.receivers == 0 {
            return hypervisor(version, descriptor, header.handle);
        }
    }
    let (header, accesses) = sane(version, descriptor)?;
    let mut request = Retrieve {
        handle: header.handle,
        caller: EndpointId::HYPERVISOR,
        sender: header.sender,
        attributes: header.attributes,
        flags: header.flags,
        tag: header.tag,
        receivers: Vec::new(),
    };
    for access in accesses {
        let (receiver, good) = receiver(header.access_layout, &access);
        require(good && access.composite_offset == 0, InvalidParameters)?;
        request
            .receivers
            .push(receiver)
            .map_err(|_| InvalidParameters)?;
    }
    let vm = || {
        let mut all = request.receivers.iter().map(|receiver| receiver.endpoint);
        all.find(|endpoint| !endpoint.is_secure())
    };
    request.caller = caller.or_else(vm).unwrap_or(EndpointId::HYPERVISOR);
    let ends = header.accesses_end().map(|end| end as usize) == Some(descriptor.len());
    require(ends && !has_twin(&request.receivers), InvalidParameters)?;
    Ok(Retrieval::Borrower(request))
}

/// Nothing but the handle may be set. Whether the size and the place of access descriptors that are
/// not there are stated, does not matter.
fn hypervisor(version: Version, descriptor: &[u8], handle: Handle) -> Result<Retrieval, FfaError> {
    let mut other = Transaction::new(version, EndpointId::HYPERVISOR, Default::default());
    other.handle = handle;
    let header = Transaction::read(version, descriptor)?;
    let layout = AccessLayout::of(version);
    let same = Transaction {
        access_layout: layout,
        access_offset: other.access_offset,
        ..header
    } == other;
    let rest = descriptor.get(Transaction::header_bytes(version)..);
    let rest_is_zero = rest.is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
    let reserved = Transaction::reserved_is_zero(version, descriptor);
    require(same && rest_is_zero && reserved, InvalidParameters)?;
    Ok(Retrieval::Hypervisor(handle))
}

/// What `FFA_MEM_RELINQUISH` gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// Which memory.
    pub handle: Handle,
    /// Who gives it back.
    pub endpoint: EndpointId,
    /// How.
    pub flags: RelinquishFlags,
}

impl Return {
    /// Bytes of its descriptor, as much of a TX buffer as needs to be copied.
    pub const BYTES: usize = 24;
}

/// Reads what is relinquished from a copy of the start of the caller's TX buffer. An endpoint gives
/// back for itself; a hypervisor (`None`) for whomever it names.
///
/// # Errors
/// INVALID_PARAMETERS: not exactly one endpoint, another one than the caller, reserved flags, slicing
/// in time.
pub fn relinquish(descriptor: &[u8], caller: Option<EndpointId>) -> Result<Return, FfaError> {
    let head = Relinquish::read(descriptor)?;
    require(head.count == 1, InvalidParameters)?;
    let endpoint = head.endpoints(descriptor)?.next();
    let endpoint = endpoint.ok_or(InvalidParameters)?;
    require(
        caller.is_none_or(|caller| caller == endpoint),
        InvalidParameters,
    )?;
    let known = (head.flags - RelinquishFlags::ZERO).is_empty();
    require(known, InvalidParameters)?;
    Ok(Return {
        handle: head.handle,
        endpoint,
        flags: head.flags,
    })
}
