//! `FFA_MEM_DONATE`, `LEND`, `SHARE`, and `FFA_MEM_FRAG_TX`.
//!
//! | what is wrong, in this order | error |
//! | --- | --- |
//! | a buffer other than TX; a fragment longer than its descriptor | INVALID_PARAMETERS |
//! | no TX buffer; a fragment longer than it | INVALID_PARAMETERS |
//! | TX can't be read | ABORTED |
//! | the descriptor | as [`request`] says, with the two below among them |
//! | a receiver that is unknown, or the sender | INVALID_PARAMETERS |
//! | a receiver in the normal world: of what is lent or donated; of what a partition shares; or none other | DENIED |
//! | no room for one more transaction, or for its constituents | NO_MEMORY |
//! | the constituents, when all are there | as [`Sharing::seal`] says |
//!
//! A fragment for a handle that is not the sender's, is complete already, or that is not made of whole
//! constituents, or has too many, is INVALID_PARAMETERS and changes nothing. Constituents that make no
//! sense, or find no room, end the transaction.

use super::{
    BUFFER, Caller, Copied, Ground, Heads, Memory, Shares,
    fast::{bytes, has_words, words},
    party,
};
use crate::{
    context::Registers,
    spm::{Machine, Mem, Owner, Pe, Spmc, mailbox::Mailbox},
};
use core::hint::cold_path;
use ffa_abi::{
    EndpointId,
    FfaError::{self, Aborted, Denied, InvalidParameters, NoMemory},
    Reply,
    memory::{
        Constituent, Constituents, DescriptorCall, Handle, TransactionKind,
        request::{self, Offer, single::OFFER},
    },
    sharing::{Progress, Send},
};
use zerocopy::IntoBytes;

#[cfg(doc)]
use ffa_abi::sharing::Sharing;

/// Copies `length` bytes of a TX buffer: what its owner writes there later is not looked at.
pub(super) fn copy<'a>(
    mailbox: &Mailbox,
    length: u32,
    to: &'a mut [u8; BUFFER],
    machine: &mut impl Mem,
) -> Result<&'a [u8], FfaError> {
    let length = length as usize;
    let to = to.get_mut(..length).ok_or(InvalidParameters)?;
    if length > mailbox.tx().size {
        return Err(InvalidParameters);
    }
    match machine.read(mailbox.tx(), 0, to) {
        true => Ok(to),
        false => Err(Aborted),
    }
}

/// Checks where a descriptor is said to lie: always in TX.
pub(super) const fn check_place(at: DescriptorCall) -> Result<(), FfaError> {
    let in_tx = at.buffer == 0 && at.pages == 0;
    match in_tx && at.fragment_length <= at.total_length {
        true => Ok(()),
        false => Err(InvalidParameters),
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_MEM_DONATE`, `LEND` or `SHARE`. A caller of 1.2 or later may go the [short](super::fast) way.
    #[inline(never)]
    pub(super) fn mem_send<const SHORT: bool>(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        kind: TransactionKind,
        at: DescriptorCall,
        machine: &mut impl Machine,
    ) -> Result<Reply, FfaError> {
        check_place(at)?;
        self.with_pair(caller, &mut pe.held, |pair, held| {
            let pair = pair.ok_or(InvalidParameters)?;
            self.with_memory(caller, machine, held, |memory, ground| {
                let Memory {
                    sharing,
                    heads,
                    copy: Copied(to),
                    ..
                } = memory;
                if SHORT && has_words(at, OFFER) {
                    let words = words(pair, ground.machine)?;
                    if let Some(handle) = self.send_single(caller, kind, &words, sharing, ground) {
                        return Ok(handle.success());
                    }
                    cold_path();
                    let descriptor = bytes(words);
                    let descriptor = descriptor.as_bytes();
                    return self.send_any(caller, kind, at, descriptor, (sharing, heads), ground);
                }
                let descriptor = copy(pair, at.fragment_length, to, ground.machine)?;
                self.send_any(caller, kind, at, descriptor, (sharing, heads), ground)
            })
        })
    }

    /// Sends what the first fragment of a descriptor offers.
    #[inline(never)]
    fn send_any<X: Mem>(
        &self,
        caller: Caller,
        kind: TransactionKind,
        at: DescriptorCall,
        descriptor: &[u8],
        (sharing, heads): (&mut Shares, &mut Heads),
        ground: &mut Ground<'_, X>,
    ) -> Result<Reply, FfaError> {
        let offer = request::offer(
            caller.version,
            kind,
            descriptor,
            at.total_length,
            |send| self.identify(caller, send),
            |sender| match caller.id {
                Some(id) => sender == id,
                None => !sender.is_secure(),
            },
        )?;
        let whole = offer.is_whole();
        let Offer {
            ref send,
            constituents,
            head,
        } = offer;
        if !whole && heads.is_full() {
            return Err(NoMemory);
        }
        let handle = sharing.begin(caller.party(), send)?;
        match sharing.extend(handle, constituents)? {
            Progress::Complete => {
                sharing.seal(handle, ground)?;
                Ok(handle.success())
            }
            Progress::More => {
                // There is room.
                let _ = heads.push((handle, head));
                Ok(wanted(caller, handle, at.fragment_length, send.sender))
            }
        }
    }

    /// `FFA_MEM_FRAG_TX`: handle, length in bytes, and the endpoint on whose behalf a hypervisor
    /// calls.
    pub(super) fn mem_frag_tx(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        (handle, length, sender): (Handle, u32, EndpointId),
        machine: &mut impl Machine,
    ) -> Result<Reply, FfaError> {
        if caller.id.is_some() && sender.0 != 0 {
            return Err(InvalidParameters);
        }
        self.with_pair(caller, &mut pe.held, |pair, held| {
            let pair = pair.ok_or(InvalidParameters)?;
            self.with_memory(caller, machine, held, |memory, ground| {
                let Memory {
                    sharing,
                    heads,
                    copy: Copied(bytes),
                    ..
                } = memory;
                let known = sharing.find(handle).filter(|known| {
                    let sender = caller.id.unwrap_or(sender);
                    known.owner() == caller.party() && known.sender() == sender && !known.complete()
                });
                let known = known.ok_or(InvalidParameters)?;
                let at = heads.iter().position(|(of, _)| *of == handle);
                let at = at.ok_or(InvalidParameters)?;
                let (sender, before) = (known.sender(), known.received());
                let left = known.count().saturating_sub(before);
                let each = Constituent::BYTES as u32;
                let more = length / each;
                if length == 0 || !length.is_multiple_of(each) || more > left {
                    return Err(InvalidParameters);
                }
                let constituents = Constituents::new(copy(pair, length, bytes, ground.machine)?);
                let progress = sharing.extend(handle, constituents);
                match progress {
                    Ok(Progress::More) => {
                        let head = heads.get(at).map_or(0, |(_, head)| *head);
                        let received = before.saturating_add(more).saturating_mul(each);
                        let next = head.saturating_add(received);
                        Ok(wanted(caller, handle, next, sender))
                    }
                    Ok(Progress::Complete) => {
                        heads.swap_remove(at);
                        sharing.seal(handle, ground)?;
                        Ok(handle.success())
                    }
                    Err(error) => {
                        heads.swap_remove(at);
                        Err(error)
                    }
                }
            })
        })
    }

    /// Finds out who the receivers are, and whether the caller may give memory to them.
    fn identify(&self, caller: Caller, send: &mut Send) -> Result<(), FfaError> {
        let sender = caller.id.unwrap_or(send.sender);
        for receiver in &mut send.receivers {
            let id = receiver.endpoint;
            let owner = match id.is_secure() {
                true => Owner::Partition(self.find(id).ok_or(InvalidParameters)?),
                false => Owner::NormalWorld,
            };
            if id == sender {
                return Err(InvalidParameters);
            }
            receiver.party = Some(party(owner));
        }
        let vms = send
            .receivers
            .iter()
            .filter(|one| !one.endpoint.is_secure());
        let vms = vms.count();
        let shared = send.kind == TransactionKind::Share;
        let denied = match caller.owner {
            Owner::Partition(_) => vms != 0,
            Owner::NormalWorld => vms != 0 && (!shared || vms == send.receivers.len()),
        };
        match denied {
            true => Err(Denied),
            false => Ok(()),
        }
    }
}

/// The next fragment is wanted, from this offset on.
fn wanted(caller: Caller, handle: Handle, offset: u32, sender: EndpointId) -> Reply {
    let sender = match caller.owner {
        Owner::NormalWorld => sender,
        Owner::Partition(_) => EndpointId(0),
    };
    Reply::fragment_wanted(handle, offset, sender)
}
