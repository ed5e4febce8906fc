//! The short way of `FFA_MEM_SHARE` and `LEND` of one range of pages to one partition, of its retrieval, and of giving
//! and taking it back.
//!
//! As that of direct messages it only knows how to succeed: what is not the plain good case goes the general way, with
//! the same copy of the descriptor, which finds the error. What needs no descriptor is the general way itself, with less
//! in front of it.

use super::{Caller, Ground, Shares, party};
use crate::{
    context::{Registers, Slot},
    spm::{
        Machine, Mem, Outcome, Owner, Pe, Spmc,
        from_normal_world::answer,
        mailbox::{Mailbox, Writer},
    },
};
use core::hint::cold_path;
use ffa_abi::{
    FfaError::{self, Aborted},
    Function, Reply, Version,
    fid::WIDE_BIT,
    memory::{
        DescriptorCall, Handle, ReclaimFlags, RelinquishFlags, TransactionKind,
        request::single::{self, OFFER, RETRIEVAL},
    },
};
use zerocopy::IntoBytes;

const DONATE: u32 = Function::MemDonate.raw32();
const DONATE_64: u32 = Function::MemDonate.raw64();
const LEND: u32 = Function::MemLend.raw32();
const LEND_64: u32 = Function::MemLend.raw64();
const SHARE: u32 = Function::MemShare.raw32();
const SHARE_64: u32 = Function::MemShare.raw64();
const RETRIEVE: u32 = Function::MemRetrieveReq.raw32();
const RETRIEVE_64: u32 = Function::MemRetrieveReq.raw64();
const RELINQUISH: u32 = Function::MemRelinquish.raw32();
const RECLAIM: u32 = Function::MemReclaim.raw32();

/// x1 to x4 of a call.
type Arguments = [u64; 4];

/// Where these say that a descriptor lies.
#[inline(always)]
const fn place(fid: u32, arguments: &Arguments) -> DescriptorCall {
    let [total, fragment, buffer, pages] = *arguments;
    let wide = fid & WIDE_BIT != 0;
    DescriptorCall {
        wide,
        total_length: total as u32,
        fragment_length: fragment as u32,
        buffer: if wide { buffer } else { buffer as u32 as u64 },
        pages: pages as u32,
    }
}

/// Whether all of a descriptor of so many words is there.
#[inline(always)]
pub(super) const fn has_words(at: DescriptorCall, words: usize) -> bool {
    let bytes = single::bytes(words);
    at.total_length == bytes && at.fragment_length == bytes
}

/// Copies the first words of a TX buffer, which has at least a page.
#[inline(always)]
pub(super) fn words<const N: usize>(
    mailbox: &Mailbox,
    machine: &mut impl Mem,
) -> Result<[u64; N], FfaError> {
    let mut words = [0; N];
    match machine.read(mailbox.tx(), 0, words.as_mut_bytes()) {
        true => Ok(words.map(u64::from_le)),
        false => Err(Aborted),
    }
}

/// Such words as they lie in memory: their bytes are those of the descriptor.
#[inline(always)]
pub(super) fn bytes<const N: usize>(words: [u64; N]) -> [u64; N] {
    words.map(u64::to_le)
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// What may be a call of this chapter by the normal world.
    #[inline(never)]
    pub(in crate::spm) fn memory_of_normal_world(
        &self,
        pe: &mut Pe<'c, M>,
        fid: u32,
        machine: &mut impl Machine,
    ) -> Outcome {
        if !self.is_halted() && self.normal_world.is_locked_at(Version::V1_2) {
            let caller = Caller {
                owner: Owner::NormalWorld,
                version: self.normal_world.get(),
                id: None,
            };
            let [_, x1, x2, x3, x4, ..] = pe.nwd.0;
            if let Some(done) = self.short_call(pe, caller, fid, [x1, x2, x3, x4], machine) {
                return answer(pe, done.unwrap_or_else(Reply::error));
            }
        }
        cold_path();
        self.handle_normal_world_general(pe, machine)
    }

    /// What may be a call of this chapter by a partition.
    #[inline(never)]
    pub(in crate::spm) fn memory_of_partition(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        fid: u32,
        machine: &mut impl Machine,
    ) -> Outcome {
        if let Some(partition) = self.partitions.get(slot.index())
            && let Some(context) = pe.context(slot)
            && !self.is_halted()
            && partition.version.is_locked_at(Version::V1_2)
        {
            let caller = Caller {
                owner: Owner::Partition(slot),
                version: partition.version.get(),
                id: Some(partition.info.id),
            };
            let [_, x1, x2, x3, x4, ..] = *context.machine.x();
            if let Some(done) = self.short_call(pe, caller, fid, [x1, x2, x3, x4], machine) {
                return self.answer_partition(pe, slot, done.unwrap_or_else(Reply::error));
            }
        }
        cold_path();
        self.handle_partition_general(pe, slot, machine)
    }

    /// A call of one who speaks 1.2 or later, if it is one of these.
    #[inline(always)]
    fn short_call(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        fid: u32,
        arguments: Arguments,
        machine: &mut impl Machine,
    ) -> Option<Result<Reply, FfaError>> {
        use TransactionKind::{Donate, Lend, Share};
        let at = place(fid, &arguments);
        Some(match fid {
            SHARE | SHARE_64 => self.mem_send::<true>(pe, caller, Share, at, machine),
            LEND | LEND_64 => self.mem_send::<true>(pe, caller, Lend, at, machine),
            DONATE | DONATE_64 => self.mem_send::<true>(pe, caller, Donate, at, machine),
            RETRIEVE | RETRIEVE_64 => self.mem_retrieve::<true>(pe, caller, at, machine),
            RELINQUISH => self.mem_relinquish::<true>(pe, caller, machine),
            RECLAIM => {
                let [low, high, flags, _] = arguments;
                let handle = Handle::from_words(low as u32, high as u32);
                let flags = ReclaimFlags::from_bits_retain(flags as u32);
                self.mem_reclaim(pe, caller, handle, flags, machine)
            }
            _ => return None,
        })
    }

    /// Sends what a descriptor offers, if it is what this way is for.
    #[inline(always)]
    pub(super) fn send_single<X: Mem>(
        &self,
        caller: Caller,
        kind: TransactionKind,
        words: &[u64; OFFER],
        sharing: &mut Shares,
        ground: &mut Ground<'_, X>,
    ) -> Option<Handle> {
        if kind == TransactionKind::Donate {
            return None;
        }
        let sender = match caller.id {
            Some(id) => id,
            None => Some(single::sender(words)).filter(|id| !id.is_secure())?,
        };
        let (mut single, value) = single::offer(words, kind == TransactionKind::Share, sender)?;
        let receiver = single.receiver.endpoint;
        let slot = self.find(receiver)?;
        if receiver == sender || value != [0; 2] {
            return None;
        }
        single.receiver.party = Some(party(Owner::Partition(slot)));
        single.receiver.implementation = Some([0; 16]);
        sharing.send_single(caller.party(), &single, ground)
    }

    /// Gives a partition what it asks for, and tells it, if that is what this way is for.
    #[inline(always)]
    pub(super) fn retrieve_single<X: Mem>(
        &self,
        caller: Caller,
        words: &[u64; RETRIEVAL],
        pair: &mut Mailbox,
        sharing: &mut Shares,
        ground: &mut Ground<'_, X>,
    ) -> Option<Result<Reply, FfaError>> {
        let request = single::retrieval(words)?;
        // Of what the pair was fetching the general way takes leave.
        if caller.id != Some(request.caller) || pair.fetch.is_some() {
            return None;
        }
        let who = caller.party();
        let borrowed = sharing.retrieve_single(who, &request, ground)?;
        let shown = self.shows_ns_bit(caller);
        let answer = bytes(single::answer(request.handle, &borrowed, shown));
        let machine = &mut *ground.machine;
        let written = pair.writable().and_then(|mut writer: Writer<'_>| {
            writer.push(machine, answer.as_bytes())?;
            writer.finish(machine)
        });
        if let Err(error) = written {
            cold_path();
            // It has not been told, so it has nothing.
            let flags = RelinquishFlags::empty();
            let _ = sharing.relinquish(who, request.caller, request.handle, flags, ground);
            return Some(Err(error));
        }
        let length = single::bytes(OFFER);
        Some(Ok(Reply::retrieved(length, length)))
    }
}
