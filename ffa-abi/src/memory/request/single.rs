//! The commonest descriptors, read and written a word at a time: one receiver, at most one constituent, the layout of
//! 1.2.
//!
//! It only knows what is plain and good: whatever is not goes the general way, which finds the error or says what is
//! meant. What is read here, both ways read alike.

use crate::{
    id::EndpointId,
    memory::{
        AccessFlags, AccessPermissions, Attributes, DataAccess, Handle, InstructionAccess,
        RelinquishFlags, TransactionKind,
    },
    sharing::{Borrow, Borrowed, Pages, Receiver, Single},
};

use super::Return;

/// Words of an offer with one receiver and one constituent, and of what answers a request to retrieve it.
pub const OFFER: usize = 14;
/// Words of a request to retrieve by one borrower.
pub const RETRIEVAL: usize = 10;
/// Words of what is read of a descriptor that gives back.
pub const RETURN: usize = 3;

/// Bytes of so many words, as the registers of a call say it.
pub const fn bytes(words: usize) -> u32 {
    (words * size_of::<u64>()) as u32
}

/// The header's word that says what the access descriptors are like: one of 32 bytes.
const ACCESSES: u64 = 32 | 1 << 32;
/// Where it is: behind the header.
const ACCESS_OFFSET: u64 = 48;
/// Where the composite region is.
const COMPOSITE: u64 = 80;
/// One constituent, beside the number of pages.
const ONE: u64 = 1 << 32;

/// The access descriptor's first word, without the endpoint: permissions, no flags, where the composite region is.
const READ_ONLY: u64 = DataAccess::ReadOnly as u64 | COMPOSITE << 16;
const READ_WRITE: u64 = DataAccess::ReadWrite as u64 | COMPOSITE << 16;

/// Who sends an offer, as it says.
#[inline(always)]
pub const fn sender(words: &[u64; OFFER]) -> EndpointId {
    EndpointId(words[0] as u16)
}

/// Reads an offer of `sender`'s to one partition, with its implementation defined value. Whose the receiver is here, and
/// its value, the caller fills in.
#[inline(always)]
pub fn offer(words: &[u64; OFFER], share: bool, sender: EndpointId) -> Option<(Single, [u64; 2])> {
    let [
        who,
        handle,
        tag,
        accesses,
        offset,
        reserved,
        access,
        value,
        more_value,
        access_reserved,
        composite,
        composite_reserved,
        base,
        count,
    ] = *words;
    // What a single borrower takes lent memory for, it says itself.
    let attributes = if share {
        Attributes::NORMAL
    } else {
        Attributes(0)
    };
    let plain = who == u64::from(sender.0) | u64::from(attributes.0) << 16
        && accesses == ACCESSES
        && offset == ACCESS_OFFSET
        && composite == count | ONE
        && handle | reserved | access_reserved | composite_reserved | count >> 32 == 0;
    let endpoint = EndpointId(access as u16);
    let data = match access >> 16 {
        READ_ONLY => DataAccess::ReadOnly,
        READ_WRITE => DataAccess::ReadWrite,
        _ => return None,
    };
    if !plain || !endpoint.is_secure() {
        return None;
    }
    let single = Single {
        share,
        sender,
        attributes,
        tag,
        receiver: Receiver {
            endpoint,
            party: None,
            data,
            instruction: InstructionAccess::Unspecified,
            flags: AccessFlags::empty(),
            implementation: None,
        },
        pages: Pages::new(base, count)?,
    };
    Some((single, [value, more_value]))
}

/// Reads a request to retrieve by its only borrower, without an implementation defined value.
#[inline(always)]
pub fn retrieval(words: &[u64; RETRIEVAL]) -> Option<Borrow> {
    let [
        who,
        handle,
        tag,
        accesses,
        offset,
        reserved,
        access,
        value,
        more_value,
        access_reserved,
    ] = *words;
    let normal = u64::from(Attributes::NORMAL.0);
    let kind = match who >> 32 {
        0 => TransactionKind::Unspecified,
        SHARED => TransactionKind::Share,
        LENT => TransactionKind::Lend,
        _ => return None,
    };
    let attributes = who >> 16 & 0xffff;
    let plain = (attributes == 0 || attributes == normal)
        && accesses == ACCESSES
        && offset == ACCESS_OFFSET
        && reserved | value | more_value | access_reserved == 0;
    // No flags, and no composite region.
    let permissions = match access >> 16 {
        permissions @ 0..=0xf => AccessPermissions(permissions as u8),
        _ => return None,
    };
    plain.then_some(Borrow {
        handle: Handle(handle),
        caller: EndpointId(access as u16),
        sender: EndpointId(who as u16),
        kind,
        tag,
        data: permissions.data()?,
        instruction: permissions.instruction()?,
    })
}

/// Bits 4:3 of the flags.
const SHARED: u64 = 1 << 3;
const LENT: u64 = 2 << 3;

/// Writes what answers it. A borrower that is not to know of the NS bit is not `shown` it.
#[inline(always)]
pub fn answer(handle: Handle, it: &Borrowed, shown: bool) -> [u64; OFFER] {
    let attributes = Attributes::NORMAL.with_non_secure(it.normal_world && shown);
    let flags = u64::from(it.flags.bits());
    let receiver = &it.receiver;
    let permissions = AccessPermissions::new(receiver.data, receiver.instruction);
    let value = u128::from_le_bytes(receiver.implementation.unwrap_or_default());
    let count = it.pages.count;
    [
        u64::from(it.sender.0) | u64::from(attributes.0) << 16 | flags << 32,
        handle.0,
        it.tag,
        ACCESSES,
        ACCESS_OFFSET,
        0,
        u64::from(receiver.endpoint.0)
            | u64::from(permissions.0) << 16
            | u64::from(receiver.flags.bits()) << 24
            | COMPOSITE << 32,
        value as u64,
        (value >> 64) as u64,
        0,
        count | ONE,
        0,
        it.pages.base,
        count,
    ]
}

/// Reads what one endpoint gives back, without flags.
#[inline(always)]
pub fn relinquish(words: &[u64; RETURN]) -> Option<Return> {
    let [handle, count, endpoint] = *words;
    // No flags.
    (count == ONE).then_some(Return {
        handle: Handle(handle),
        endpoint: EndpointId(endpoint as u16),
        flags: RelinquishFlags::empty(),
    })
}
