//! `FFA_MEM_RETRIEVE_REQ` by a borrower and by the hypervisor, and `FFA_MEM_FRAG_RX`.
//!
//! | what is wrong with a request, in this order | error |
//! | --- | --- |
//! | a buffer other than TX; more than one fragment | INVALID_PARAMETERS |
//! | no RX/TX pair; longer than TX | INVALID_PARAMETERS |
//! | RX is not empty | BUSY |
//! | TX can't be read | ABORTED |
//! | the descriptor | as [`request`] says |
//! | the handle | INVALID_PARAMETERS |
//! | the normal world, for more than one VM | NOT_SUPPORTED |
//! | what does not fit the transaction | as [`Sharing::retrieve`] says |
//!
//! The answer is written in the caller's layout, as much of it as RX has room for. The rest is fetched
//! with `FFA_MEM_FRAG_RX`, in order: each pair knows of one answer that is being fetched, the last
//! one. What an endpoint retrieved it relinquishes when it has fetched all of the answer, or has gone
//! on to another one.
//!
//! The hypervisor's own request names a handle and nothing else, and changes nothing; it is answered for what
//! the normal world sent. While it fetches
//! an answer, asking for the same handle again is DENIED.

use super::{
    Caller, Copied, Ground, Memory, Shares,
    fast::{bytes, has_words, words},
    offer::{check_place, copy},
    slot, told,
};
use crate::{
    context::Registers,
    spm::{
        Machine, Mem, Owner, Pe, Spmc,
        mailbox::{Fetch, Mailbox},
    },
};
use core::hint::cold_path;
use ffa_abi::{
    EndpointId,
    FfaError::{self, Denied, InvalidParameters, NoMemory},
    Reply, Version,
    memory::{
        Constituent, DescriptorCall, Handle, RelinquishFlags, TransactionKind,
        request::{self, Description, Retrieval, single::RETRIEVAL},
    },
    sharing::{MAX_RECEIVERS, Receiver, Retrieve, Transaction},
};
use heapless::Vec;
use zerocopy::IntoBytes;

#[cfg(doc)]
use ffa_abi::sharing::Sharing;

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_MEM_RETRIEVE_REQ`. A caller of 1.2 or later may go the [short](super::fast) way.
    #[inline(never)]
    pub(super) fn mem_retrieve<const SHORT: bool>(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        at: DescriptorCall,
        machine: &mut impl Machine,
    ) -> Result<Reply, FfaError> {
        check_place(at)?;
        if at.fragment_length != at.total_length {
            return Err(InvalidParameters);
        }
        self.with_pair(caller, &mut pe.held, |pair, held| {
            let pair = pair.ok_or(InvalidParameters)?;
            if at.total_length as usize > pair.tx().size {
                return Err(InvalidParameters);
            }
            pair.writable()?;
            self.with_memory(caller, machine, held, |memory, ground| {
                let Memory {
                    sharing,
                    copy: Copied(to),
                    gave_away,
                    ..
                } = memory;
                if SHORT && has_words(at, RETRIEVAL) {
                    let words = words(pair, ground.machine)?;
                    let done = self.retrieve_single(caller, &words, pair, sharing, ground);
                    if let Some(done) = done {
                        return done;
                    }
                    cold_path();
                    let descriptor = bytes(words);
                    let descriptor = descriptor.as_bytes();
                    return self.retrieve_any(
                        caller,
                        descriptor,
                        pair,
                        (sharing, gave_away),
                        ground,
                    );
                }
                let descriptor = copy(pair, at.total_length, to, ground.machine)?;
                self.retrieve_any(caller, descriptor, pair, (sharing, gave_away), ground)
            })
        })
    }

    /// What a descriptor asks for.
    #[inline(never)]
    fn retrieve_any<X: Mem>(
        &self,
        caller: Caller,
        descriptor: &[u8],
        pair: &mut Mailbox,
        (sharing, gave_away): (&mut Shares, &mut u32),
        ground: &mut Ground<'_, X>,
    ) -> Result<Reply, FfaError> {
        match request::retrieval(caller.version, descriptor, caller.id)? {
            Retrieval::Borrower(request) => {
                let known = sharing.find(request.handle);
                let donor = known.filter(|known| known.kind() == TransactionKind::Donate);
                let donor = donor.and_then(|known| slot(known.owner()));
                let reply = self.retrieve_by_borrower(caller, &request, pair, sharing, ground);
                let known = sharing.find(request.handle);
                if let Some(donor) = donor
                    && known.is_none_or(Transaction::donated)
                {
                    *gave_away |= 1 << donor.index();
                }
                reply
            }
            Retrieval::Hypervisor(handle) => {
                retrieve_by_hypervisor(caller, handle, pair, sharing, ground.machine)
            }
        }
    }

    fn retrieve_by_borrower<X: Mem>(
        &self,
        caller: Caller,
        request: &Retrieve,
        pair: &mut Mailbox,
        sharing: &mut Shares,
        ground: &mut Ground<'_, X>,
    ) -> Result<Reply, FfaError> {
        let handle = request.handle;
        let told = sharing.retrieve(caller.party(), request, ground)?;
        let description = Description {
            sender: told.sender,
            attributes: match self.shows_ns_bit(caller) {
                true => told.attributes,
                false => told.attributes.with_non_secure(false),
            },
            flags: told.flags,
            handle,
            tag: told.tag,
            receivers: core::slice::from_ref(&told.receiver),
            pages: told.pages,
            count: told.count,
        };
        let answer = Answer {
            version: caller.version,
            borrower: request.caller,
            description: &description,
        };
        let reply = answer.begin(pair, sharing, ground.machine);
        if reply.is_err() {
            // It has not been told, so it has nothing. A donation is its own all the same.
            let flags = RelinquishFlags::empty();
            let _ = sharing.relinquish(caller.party(), request.caller, handle, flags, ground);
            sharing.told(handle);
        }
        reply
    }

    /// Whether the caller is shown the NS bit of what it retrieves.
    pub(super) fn shows_ns_bit(&self, caller: Caller) -> bool {
        match caller.owner {
            Owner::NormalWorld => caller.version >= Version::V1_1,
            Owner::Partition(slot) => {
                let partition = self.partitions.get(slot.index());
                partition.is_some_and(|partition| partition.is_shown_ns_bit())
            }
        }
    }

    /// `FFA_MEM_FRAG_RX`: handle, offset, and the endpoint on whose behalf a hypervisor calls, which
    /// is not looked at: its own pair knows what it is fetching.
    pub(super) fn mem_frag_rx(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        (handle, offset, sender): (Handle, u32, EndpointId),
        machine: &mut impl Machine,
    ) -> Result<Reply, FfaError> {
        self.with_pair(caller, &mut pe.held, |pair, held| {
            let pair = pair.ok_or(InvalidParameters)?;
            pair.writable()?;
            if caller.id.is_some() && sender.0 != 0 {
                return Err(InvalidParameters);
            }
            self.with_memory(caller, machine, held, |memory, ground| {
                let sharing = &mut memory.sharing;
                let fetch = pair.fetch.filter(|fetch| fetch.handle == handle);
                let fetch = fetch.ok_or(InvalidParameters)?;
                let known = sharing.find(handle).ok_or(InvalidParameters)?;
                let owner = known.sender();
                if offset != fetch.next {
                    return Err(InvalidParameters);
                }
                // What a borrower was told of itself had the length of any one of them.
                let count = match fetch.is_hypervisors() {
                    true => MAX_RECEIVERS,
                    false => 1,
                };
                let receivers = receivers(known, count);
                let answer = Answer {
                    version: caller.version,
                    borrower: fetch.borrower,
                    description: &of_transaction(known, &receivers),
                };
                let length = answer.write(offset, pair, sharing, ground.machine)?;
                let sender = match caller.owner {
                    Owner::NormalWorld => owner,
                    Owner::Partition(_) => EndpointId(0),
                };
                Ok(Reply::fragment_given(handle, length, sender))
            })
        })
    }
}

/// The hypervisor asks for all that is known of a transaction that its own world sent. What partitions
/// give one another it does not get to know of.
fn retrieve_by_hypervisor(
    caller: Caller,
    handle: Handle,
    pair: &mut Mailbox,
    sharing: &mut Shares,
    machine: &mut impl Mem,
) -> Result<Reply, FfaError> {
    let known = sharing.find(handle);
    let known = known
        .filter(|known| known.owner() == caller.party() && known.complete() && !known.donated());
    let known = known.ok_or(InvalidParameters)?;
    let before = pair.fetch.filter(Fetch::is_hypervisors);
    if before.is_some_and(|fetch| fetch.handle == handle) {
        return Err(Denied);
    }
    let receivers = receivers(known, MAX_RECEIVERS);
    let answer = Answer {
        version: caller.version,
        borrower: EndpointId::HYPERVISOR,
        description: &of_transaction(known, &receivers),
    };
    answer.begin(pair, sharing, machine)
}

/// The first `count` of a transaction's receivers, as its sender named them.
fn receivers(known: &Transaction, count: usize) -> Vec<Receiver, MAX_RECEIVERS> {
    let all = known.receivers().iter().take(count);
    all.map(|borrower| *borrower.receiver()).collect()
}

/// A transaction as its sender described it, with these receivers.
fn of_transaction<'a>(known: &Transaction, receivers: &'a [Receiver]) -> Description<'a> {
    Description {
        sender: known.sender(),
        attributes: known.attributes(),
        flags: known.flags().with_kind(known.kind()),
        handle: known.handle(),
        tag: known.tag(),
        receivers,
        pages: known.pages(),
        count: known.count(),
    }
}

/// An answer to `FFA_MEM_RETRIEVE_REQ`, in the layout of `version`.
struct Answer<'a> {
    version: Version,
    borrower: EndpointId,
    description: &'a Description<'a>,
}

impl Answer<'_> {
    /// Writes the first fragment, and gives the reply to the call.
    fn begin(
        &self,
        pair: &mut Mailbox,
        sharing: &mut Shares,
        machine: &mut impl Mem,
    ) -> Result<Reply, FfaError> {
        let total = self.description.bytes(self.version).ok_or(NoMemory)?;
        let first = self.write(0, pair, sharing, machine)?;
        Ok(Reply::retrieved(total, first))
    }

    /// Writes the fragment from `offset` on into RX, which is its owner's then, and notes where the next
    /// one starts. With the last one, nothing more will be asked about a donation.
    fn write(
        &self,
        offset: u32,
        pair: &mut Mailbox,
        sharing: &mut Shares,
        machine: &mut impl Mem,
    ) -> Result<u32, FfaError> {
        let description = self.description;
        let handle = description.handle;
        let total = description.bytes(self.version).ok_or(NoMemory)?;
        let mut writer = pair.writable()?;
        let room = writer.size();
        // A constituent came with no more pages than 32 bits can say.
        let parts = sharing.pieces(handle).map(|pages| Constituent {
            base: pages.base,
            pages: u32::try_from(pages.count).unwrap_or(u32::MAX),
        });
        let put = |bytes: &[u8]| writer.push(machine, bytes);
        let length = description.write_fragment(self.version, parts, offset, room, put)?;
        writer.finish(machine)?;
        let next = offset.saturating_add(length);
        let fetch = (next < total).then_some(Fetch {
            handle,
            borrower: self.borrower,
            next,
        });
        if let Some(before) = core::mem::replace(&mut pair.fetch, fetch)
            && (before.handle, before.borrower) != (handle, self.borrower)
        {
            told(sharing, before.handle, before.borrower);
        }
        if fetch.is_none() {
            told(sharing, handle, self.borrower);
        }
        Ok(length)
    }
}
