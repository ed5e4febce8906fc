//! Sending: `FFA_MEM_SHARE`, `LEND`, `DONATE` and the fragments behind them.

use super::{
    Borrower, Estates, Interval, Party, Progress, Send, Sharing, Stage,
    chunks::chunks_for,
    pages::{Kind, Pages, Piece},
    rules,
};
use crate::{
    error::FfaError,
    id::EndpointId,
    memory::{Constituents, Handle, TransactionFlags, TransactionKind},
};

impl<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>
{
    /// Notes a transaction of which nothing but the descriptor's head is known, after all checks that
    /// need no more. Room for all of its constituents is set aside.
    ///
    /// INVALID_PARAMETERS if there are no receivers or constituents, or several receivers of a donation;
    /// NO_MEMORY if the sender has as many handles or constituents as it may, or there are no more.
    pub fn begin(&mut self, owner: Party, send: &Send) -> Result<Handle, FfaError> {
        let donate = send.kind == TransactionKind::Donate;
        if send.kind == TransactionKind::Unspecified
            || send.receivers.is_empty()
            || donate && send.receivers.len() != 1
            || send.count == 0
            || send.pages == 0
        {
            return Err(FfaError::InvalidParameters);
        }
        let account = self.account(owner, send.sender).ok_or(FfaError::NoMemory)?;
        let chunks = chunks_for(send.count);
        self.handle_quota.allows(account, 1, HANDLES)?;
        self.chunk_quota.allows(account, chunks, CHUNKS)?;
        let index = self.free_index().ok_or(FfaError::NoMemory)?;
        let handle = self.next_handle(index);
        let it = self.transactions.get_mut(index).ok_or(FfaError::NoMemory)?;
        it.receivers.clear();
        for receiver in &send.receivers {
            let pushed = it.receivers.push(Borrower::new(*receiver));
            pushed.map_err(|_| FfaError::NoMemory)?;
        }
        it.handle = handle;
        it.stage = Stage::Open;
        it.owner = owner;
        it.sender = send.sender;
        it.kind = send.kind;
        it.attributes = send.attributes;
        it.flags = send.flags;
        it.tag = send.tag;
        it.pages = send.pages;
        it.count = send.count;
        it.sum = 0;
        it.memory = Kind::NONE;
        it.account = account as u16;
        it.orphan = false;
        it.zero = false;
        self.live += 1;
        self.handle_quota.charge(account, 1, HANDLES);
        self.chunk_quota.charge(account, chunks as u16, CHUNKS);
        Ok(handle)
    }

    /// Takes the next constituents.
    ///
    /// INVALID_PARAMETERS if there is no such transaction, or it has all of them. The same, and the
    /// transaction is gone, if one has no pages, is not page aligned or ends beyond all addresses, if
    /// they or their pages are more than announced, or if there are bytes behind the last whole one.
    pub fn extend(
        &mut self,
        handle: Handle,
        constituents: Constituents<'_>,
    ) -> Result<Progress, FfaError> {
        let index = self.index(handle).ok_or(FfaError::InvalidParameters)?;
        let it = self.transactions.get_mut(index);
        let it = it.ok_or(FfaError::InvalidParameters)?;
        if it.stage != Stage::Open || it.list.len >= it.count {
            return Err(FfaError::InvalidParameters);
        }
        let chunks = &mut self.chunks;
        let mut take = || {
            if !constituents.remainder().is_empty() {
                return Err(FfaError::InvalidParameters);
            }
            for constituent in constituents.clone() {
                let piece = Pages::of(constituent).and_then(Piece::of);
                let piece = piece.ok_or(FfaError::InvalidParameters)?;
                it.sum = it.sum.saturating_add(u64::from(piece.count));
                if it.list.len >= it.count || it.sum > u64::from(it.pages) {
                    return Err(FfaError::InvalidParameters);
                }
                chunks.push(&mut it.list, piece)?;
            }
            Ok(if it.list.len == it.count {
                Progress::Complete
            } else {
                Progress::More
            })
        };
        let result = take();
        if result.is_err() {
            self.release(index);
        }
        result
    }

    /// Accepts a transaction that has all of its constituents: the owner loses access to what it lends
    /// or donates, which is zeroed if it asked for that, and receivers may retrieve it.
    ///
    /// INVALID_PARAMETERS if there is no such transaction, or it is not one that waits for this. The
    /// following leave nothing of the transaction, and all else as it was; in this order:
    ///
    /// | what | error |
    /// | --- | --- |
    /// | pages that are there twice; other than announced | INVALID_PARAMETERS |
    /// | not all the owner's, of one kind, exclusively its own; a buffer; not to be given away | DENIED |
    /// | a device that is not lent to a single borrower, is called normal memory, or is to be zeroed | DENIED |
    /// | to be zeroed, or written by a borrower, where the owner can't write | DENIED |
    /// | no tables to take it out of the owner's | NO_MEMORY |
    pub fn seal(&mut self, handle: Handle, estates: &mut impl Estates) -> Result<(), FfaError> {
        let index = self.index(handle).ok_or(FfaError::InvalidParameters)?;
        let waits = self
            .transactions
            .get(index)
            .is_some_and(|it| it.stage == Stage::Open && it.list.len == it.count);
        if !waits {
            return Err(FfaError::InvalidParameters);
        }
        let result = self.accept(index, estates);
        if result.is_err() {
            self.release(index);
        }
        result
    }

    fn accept(&mut self, index: usize, estates: &mut impl Estates) -> Result<(), FfaError> {
        let it = self.transactions.get_mut(index);
        let it = it.ok_or(FfaError::InvalidParameters)?;
        let sorted = self.chunks.sorted(&it.list);
        let mut end = 0;
        for piece in sorted.iter() {
            if piece.first < end {
                return Err(FfaError::InvalidParameters);
            }
            end = piece.end();
        }
        if it.sum != u64::from(it.pages) {
            return Err(FfaError::InvalidParameters);
        }
        let (mut memory, mut same_run, mut free) = (None, 0, 0);
        for piece in sorted.iter() {
            // Looked up again only behind the end of what was found.
            if piece.end() > same_run {
                let run = self.regions.run(it.owner, piece);
                let run = run.ok_or(FfaError::Denied)?;
                if *memory.get_or_insert(run.kind) != run.kind {
                    return Err(FfaError::Denied);
                }
                same_run = run.end();
            }
            if piece.end() > free {
                let given = self.given.free_until(piece);
                let buffers = self.buffers.free_until(piece);
                let until = given.zip(buffers).ok_or(FfaError::Denied)?;
                free = until.0.min(until.1);
            }
        }
        let memory = memory.ok_or(FfaError::InvalidParameters)?;
        rules::may_send(it, memory)?;
        let (lowest, _) = sorted.bounds();
        let normal_world = memory.normal_world();
        if it.hides() {
            estates.hide(it.owner, self.chunks.pieces(&it.list), normal_world)?;
        }
        if it.flags.contains(TransactionFlags::ZERO) {
            estates.zero(self.chunks.pieces(&it.list), normal_world);
        }
        it.memory = memory;
        it.lowest = lowest;
        it.stage = Stage::Sealed;
        let (slot, owner) = (index as u16, it.owner);
        let sorted = self.chunks.again(&it.list);
        let intervals = sorted.iter().map(|piece| Interval::new(piece, slot, owner));
        // There is as much room for them as for constituents.
        self.given.insert(intervals)
    }

    /// Drops an unfinished transaction; nothing happens to others.
    pub fn abandon(&mut self, handle: Handle) {
        if let Some(index) = self.index(handle)
            && let Some(it) = self.transactions.get(index)
            && it.stage == Stage::Open
        {
            self.release(index);
        }
    }

    /// Frees a transaction: its handle and its constituents.
    pub(super) fn release(&mut self, index: usize) {
        if let Some(it) = self.transactions.get_mut(index) {
            let account = usize::from(it.account);
            self.live = self.live.saturating_sub(1);
            self.handle_quota.refund(account, 1, HANDLES);
            let chunks = chunks_for(it.count);
            self.chunk_quota.refund(account, chunks as u16, CHUNKS);
            self.chunks.release(&mut it.list);
            it.stage = Stage::Free;
            self.freed = index as u16;
        }
    }

    /// Takes a transaction's pages off the list of what is given.
    pub(super) fn take_off(&mut self, index: usize) {
        if let Some(it) = self.transactions.get(index) {
            self.given.remove(index as u16, it.lowest, it.count);
        }
    }

    /// The account of a sender. Parties have one each; senders of the other world get one of the rest
    /// while they have transactions.
    fn account(&mut self, owner: Party, sender: EndpointId) -> Option<usize> {
        let fixed = PARTIES - 1;
        match owner.index().checked_sub(1) {
            Some(index) => (index < fixed).then_some(index),
            None => self.account_of_other_world(sender),
        }
    }

    /// The same, of a sender of the other world.
    pub(super) fn account_of_other_world(&mut self, sender: EndpointId) -> Option<usize> {
        let (mut own, mut free) = (None, None);
        // How many transactions may be of accounts that were not looked at.
        let mut left = self.live;
        for (account, id) in self.senders.iter().enumerate().skip(PARTIES - 1) {
            match self.handle_quota.used(account) {
                0 => free = free.or(Some(account)),
                _ if *id == sender => {
                    own = Some(account);
                    break;
                }
                used => left = left.saturating_sub(used.into()),
            }
            if left == 0 && free.is_some() {
                break;
            }
        }
        let account = own.or(free)?;
        *self.senders.get_mut(account)? = sender;
        Some(account)
    }
}
