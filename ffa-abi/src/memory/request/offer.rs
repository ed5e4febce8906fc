//! `FFA_MEM_DONATE`, `LEND` and `SHARE`: what the first fragment of a descriptor offers.

use super::{require, sane};
use crate::{
    error::FfaError::{self, Denied, InvalidParameters},
    id::EndpointId,
    memory::{
        Access, AccessLayout, Attributes, Composite, Constituent, Constituents, DataAccess,
        InstructionAccess, MemoryType, TransactionFlags, TransactionKind,
    },
    sharing::{Receiver, Send},
    version::Version,
};
use heapless::Vec;

/// Device memory, nGnRnE, inner shareable: 0x13.
const DEVICE: Attributes = Attributes(0x13);

/// What the first fragment of an offer says.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// All of it but the constituents.
    pub send: Send,
    /// The constituents that are in this fragment.
    pub constituents: Constituents<'a>,
    /// Where the first constituent is, in bytes from the descriptor's start: what the offsets of later
    /// fragments count from.
    pub head: u32,
}

impl Offer<'_> {
    /// Whether this fragment has all constituents.
    pub fn is_whole(&self) -> bool {
        self.constituents.len() as u64 == u64::from(self.send.count)
    }
}

/// Reads an offer of this kind from the copy of its first fragment; `total` is the length of the whole
/// descriptor in bytes, in the layout of the sender's `version`.
///
/// `identify` is told the receivers when it is their turn, notes whose they are here
/// ([`Receiver::party`]) and refuses those that this sender can't have. `is_sender` says whether the
/// caller may call itself so.
///
/// # Errors
/// Those of the [table](super).
pub fn offer<'a>(
    version: Version,
    kind: TransactionKind,
    descriptor: &'a [u8],
    total: u32,
    identify: impl FnOnce(&mut Send) -> Result<(), FfaError>,
    is_sender: impl FnOnce(EndpointId) -> bool,
) -> Result<Offer<'a>, FfaError> {
    let length = u32::try_from(descriptor.len()).map_err(|_| InvalidParameters)?;
    require(length <= total, InvalidParameters)?;
    let (header, accesses) = sane(version, descriptor)?;
    let composite_offset = accesses
        .clone()
        .next()
        .ok_or(InvalidParameters)?
        .composite_offset;
    let end = header.accesses_end().ok_or(InvalidParameters)?;
    let one_place = accesses
        .clone()
        .all(|access| access.composite_offset == composite_offset);
    require(
        one_place && (end..=length).contains(&composite_offset),
        InvalidParameters,
    )?;

    let of_a_send = TransactionFlags::ZERO | TransactionFlags::TIME_SLICE;
    let zero = header.flags.contains(TransactionFlags::ZERO);
    let flags_good = (header.flags - of_a_send).is_empty();
    let kind_good = kind != TransactionKind::Unspecified;
    require(
        flags_good && kind_good && !(zero && kind == TransactionKind::Share),
        InvalidParameters,
    )?;
    let single = accesses.len() == 1;
    require(single || kind != TransactionKind::Donate, InvalidParameters)?;

    let mut send = Send {
        kind,
        sender: header.sender,
        attributes: header.attributes,
        flags: header.flags,
        tag: header.tag,
        receivers: Vec::new(),
        pages: 0,
        count: 0,
    };
    let mut permissions_good = true;
    for access in accesses {
        let (receiver, good) = receiver(header.access_layout, &access);
        permissions_good &= good;
        send.receivers
            .push(receiver)
            .map_err(|_| InvalidParameters)?;
    }
    identify(&mut send)?;

    let composite = Composite::read(descriptor, composite_offset)?;
    let shortest = (Composite::BYTES + Constituent::BYTES) as u32;
    let long_enough = end.checked_add(shortest).is_some_and(|end| end <= total);
    let whole = length.is_multiple_of(16) && total.is_multiple_of(16);
    require(whole && long_enough, InvalidParameters)?;
    require(is_sender(header.sender), Denied)?;
    let fits = u64::from(composite_offset).checked_add(composite.bytes()) == Some(total.into());
    let aligned = composite_offset.is_multiple_of(16);
    let reserved = Composite::reserved_is_zero(descriptor, composite_offset);
    require(fits && aligned && reserved, InvalidParameters)?;
    (send.pages, send.count) = (composite.pages, composite.count);
    require(
        !header.flags.contains(TransactionFlags::TIME_SLICE),
        InvalidParameters,
    )?;
    require(!has_twin(&send.receivers), InvalidParameters)?;
    let unspecified = |receiver: &Receiver| receiver.instruction == InstructionAccess::Unspecified;
    require(
        permissions_good && send.receivers.iter().all(unspecified),
        InvalidParameters,
    )?;
    let donated = kind == TransactionKind::Donate;
    let data = |receiver: &Receiver| (receiver.data == DataAccess::Unspecified) == donated;
    require(send.receivers.iter().all(data), InvalidParameters)?;
    check_attributes(
        header.attributes,
        donated,
        single && kind == TransactionKind::Lend,
    )?;

    Ok(Offer {
        constituents: composite.constituents(descriptor, composite_offset),
        // It ends at or before `total`.
        head: composite_offset.saturating_add(Composite::BYTES as u32),
        send,
    })
}

/// A receiver as its access descriptor says, and whether its permissions mean something.
pub(super) fn receiver(layout: AccessLayout, access: &Access) -> (Receiver, bool) {
    let (data, instruction) = (access.permissions.data(), access.permissions.instruction());
    let good = data.is_some() && instruction.is_some() && access.permissions.reserved() == 0;
    let receiver = Receiver {
        endpoint: access.endpoint,
        party: None,
        data: data.unwrap_or(DataAccess::Unspecified),
        instruction: instruction.unwrap_or(InstructionAccess::Unspecified),
        flags: access.flags,
        implementation: (layout == AccessLayout::Long).then_some(access.implementation),
    };
    (receiver, good)
}

/// Whether two of them are the same endpoint.
pub(super) fn has_twin(receivers: &[Receiver]) -> bool {
    let mut rest = receivers;
    while let Some((first, others)) = rest.split_first() {
        if others.iter().any(|one| one.endpoint == first.endpoint) {
            return true;
        }
        rest = others;
    }
    false
}

/// The last of the checks: what a sender may say about its memory.
fn check_attributes(
    attributes: Attributes,
    donated: bool,
    lent_to_one: bool,
) -> Result<(), FfaError> {
    require(!attributes.is_non_secure(), InvalidParameters)?;
    let memory_type = attributes.memory_type();
    if donated || lent_to_one {
        // The receiver of the memory, not its sender, says what it takes it for.
        let unspecified = memory_type == Some(MemoryType::Unspecified);
        return require(unspecified, InvalidParameters);
    }
    let good = match memory_type {
        Some(MemoryType::Unspecified) => attributes.0 & 3 == Attributes::NORMAL.0 & 3,
        Some(_) => matches!(attributes, Attributes::NORMAL | DEVICE),
        None => false,
    };
    require(good, Denied)
}
