//! The short way of what is most frequent: one range of pages, shared with or lent to one receiver.
//!
//! It only knows how to succeed: whatever is not the plain good case goes the general way, which finds
//! the error. Both leave the same.

use super::{
    Borrower, Estates, Interval, Pages, Party, Receiver, Sharing, Stage,
    chunks::List,
    pages::{Kind, Piece},
};
use crate::{
    id::EndpointId,
    memory::{Attributes, DataAccess, Handle, TransactionFlags, TransactionKind},
};

/// What is sent, after the checks that need nothing but its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Single {
    /// Whether the owner keeps its access: else the pages are lent.
    pub share: bool,
    /// Who sends.
    pub sender: EndpointId,
    /// What memory it says it is.
    pub attributes: Attributes,
    /// Its tag.
    pub tag: u64,
    /// Who gets it.
    pub receiver: Receiver,
    /// What.
    pub pages: Pages,
}

impl<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>
{
    /// [`begin`](Self::begin), [`extend`](Self::extend) and [`seal`](Self::seal) in one, of a party's
    /// normal memory and without zeroing. `None` if one of them would fail, or this is not that case:
    /// nothing has changed then.
    #[inline(always)]
    pub fn send_single(
        &mut self,
        owner: Party,
        single: &Single,
        estates: &mut impl Estates,
    ) -> Option<Handle> {
        let account = owner.index().checked_sub(1)?;
        let piece = Piece::of(single.pages)?;
        let memory = self.regions.run(owner, piece)?.kind;
        let writes = single.receiver.data != DataAccess::ReadOnly;
        if memory.device() || !memory.shareable() || writes && !memory.write() {
            return None;
        }
        let place = self.given.place(piece)?;
        self.buffers.place(piece)?;
        let index = self.free_index()?;
        if !self.handle_quota.take_one(account, HANDLES) {
            return None;
        }
        if !self.chunk_quota.take_one(account, CHUNKS) {
            self.handle_quota.refund(account, 1, HANDLES);
            return None;
        }
        let list = match self.chunks.single(piece) {
            Some(list) if single.share || self.hide_single(owner, list, memory, estates) => list,
            list => {
                self.chunks.release(&mut list.unwrap_or_default());
                self.handle_quota.refund(account, 1, HANDLES);
                self.chunk_quota.refund(account, 1, CHUNKS);
                return None;
            }
        };

        // Commit.
        let handle = self.next_handle(index);
        let it = self.transactions.get_mut(index)?;
        it.receivers.clear();
        let _ = it.receivers.push(Borrower::new(single.receiver));
        it.handle = handle;
        it.stage = Stage::Sealed;
        it.owner = owner;
        it.sender = single.sender;
        it.kind = match single.share {
            true => TransactionKind::Share,
            false => TransactionKind::Lend,
        };
        it.attributes = single.attributes;
        it.flags = TransactionFlags::empty();
        it.tag = single.tag;
        it.pages = piece.count;
        it.count = 1;
        it.sum = piece.count.into();
        it.list = list;
        it.lowest = piece.first;
        it.memory = memory;
        it.account = account as u16;
        it.orphan = false;
        it.zero = false;
        self.live += 1;
        // There is as much room for them as for constituents.
        let interval = Interval::new(piece, index as u16, owner);
        self.given.insert_at(place, interval);
        Some(handle)
    }

    #[inline(never)]
    fn hide_single(
        &self,
        owner: Party,
        list: List,
        memory: Kind,
        estates: &mut impl Estates,
    ) -> bool {
        let pieces = self.chunks.pieces(&list);
        estates.hide(owner, pieces, memory.normal_world()).is_ok()
    }

    /// The index of a transaction that is free.
    #[inline(always)]
    pub(super) fn free_index(&self) -> Option<usize> {
        let is_free = |index: usize| {
            let it = self.transactions.get(index);
            it.is_some_and(|it| it.stage == Stage::Free)
        };
        // The one that was freed last, if it still is.
        let hint = usize::from(self.freed);
        match is_free(hint) {
            true => Some(hint),
            false => (0..HANDLES).find(|index| is_free(*index)),
        }
    }
}
