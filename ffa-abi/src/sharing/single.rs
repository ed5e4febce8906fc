//! The short way of what is most frequent: one range of pages, shared with or lent to one receiver, and its retrieval.
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
    memory::{
        Attributes, DataAccess, Handle, InstructionAccess, TransactionFlags, TransactionKind,
    },
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

/// What is asked for by a borrower that is the only one, names no flags, and wants nothing of an implementation defined
/// value: zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Borrow {
    /// Which memory.
    pub handle: Handle,
    /// Who retrieves.
    pub caller: EndpointId,
    /// Who sent it, as the borrower says.
    pub sender: EndpointId,
    /// How it was sent, if it says so.
    pub kind: TransactionKind,
    /// The tag that it expects.
    pub tag: u64,
    /// What it wants to do with data.
    pub data: DataAccess,
    /// The same for instructions.
    pub instruction: InstructionAccess,
}

/// What the answer to a [`Borrow`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Borrowed {
    /// Who sent it.
    pub sender: EndpointId,
    /// The memory is the normal world's.
    pub normal_world: bool,
    /// The kind of transaction, and `ZERO` if it was zeroed at its sender's wish.
    pub flags: TransactionFlags,
    /// The sender's tag.
    pub tag: u64,
    /// The borrower's entry: permissions as granted, the sender's implementation defined value.
    pub receiver: Receiver,
    /// The memory.
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
        let account = match owner.index().checked_sub(1) {
            Some(account) => account,
            None => self.account_of_other_world(single.sender)?,
        };
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

    /// [`retrieve`](Self::retrieve) for the first time, of one range of normal memory that was shared with or lent to
    /// nobody else, and is not to be executed. `None` if it would fail, or this is not that case: nothing has changed
    /// then.
    #[inline(always)]
    pub fn retrieve_single(
        &mut self,
        who: Party,
        request: &Borrow,
        estates: &mut impl Estates,
    ) -> Option<Borrowed> {
        let index = self.index(request.handle)?;
        let it = self.transactions.get_mut(index)?;
        let unexecuted = match it.kind {
            TransactionKind::Share => InstructionAccess::Unspecified,
            TransactionKind::Lend => InstructionAccess::NotExecutable,
            _ => return None,
        };
        let known = it.stage == Stage::Sealed
            && !it.orphan
            && it.count == 1
            && it.sender == request.sender
            && it.tag == request.tag
            && (request.kind == it.kind || request.kind == TransactionKind::Unspecified);
        let instruction = InstructionAccess::NotExecutable;
        let [borrower] = it.receivers.as_slice() else {
            return None;
        };
        let sent = borrower.receiver;
        let data = match (request.data, sent.data) {
            (DataAccess::Unspecified, most @ (DataAccess::ReadOnly | DataAccess::ReadWrite)) => {
                most
            }
            (DataAccess::ReadWrite, DataAccess::ReadWrite) => DataAccess::ReadWrite,
            (DataAccess::ReadOnly, DataAccess::ReadOnly | DataAccess::ReadWrite) => {
                DataAccess::ReadOnly
            }
            _ => return None,
        };
        let plain = sent.endpoint == request.caller
            && sent.party == Some(who)
            && borrower.retrievals == 0
            && !it.memory.device()
            && request.instruction == unexecuted
            && sent.implementation.is_none_or(|value| value == [0; 16]);
        if !known || !plain {
            return None;
        }
        let view = it.view(data, instruction);
        estates
            .grant(who, self.chunks.pieces(&it.list), view)
            .ok()?;

        // Commit.
        let borrower = it.receivers.first_mut()?;
        borrower.retrievals = 1;
        borrower.data = data;
        borrower.instruction = instruction;
        Some(Borrowed {
            sender: it.sender,
            normal_world: view.normal_world,
            flags: (it.flags & TransactionFlags::ZERO).with_kind(it.kind),
            tag: it.tag,
            receiver: Receiver {
                data,
                instruction,
                ..sent
            },
            pages: Piece {
                first: it.lowest,
                count: it.pages,
            }
            .pages(),
        })
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
