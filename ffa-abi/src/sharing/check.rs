//! What must be true at any time, for tests.

use super::{PAGE, Pages, Party, Sharing, Side, Stage, Transaction, chunks::chunks_for};
use crate::memory::{DataAccess, Handle, InstructionAccess, TransactionFlags, TransactionKind};
use thiserror::Error;

/// Which of the invariants is broken, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Runs of owned pages overlap, could be one, or are counted wrongly.
    #[error("owned pages at {0:#x}")]
    Owned(u64),
    /// A page belongs to two transactions, or to none that is sealed; or not to who sent it.
    #[error("pages given at {0:#x}")]
    Given(u64),
    /// A buffer overlaps another or memory that was given, or is not memory for one.
    #[error("buffer at {0:#x}")]
    Buffer(u64),
    /// What is given under a handle is not what its constituents say.
    #[error("constituents of {0:?}")]
    Constituents(Handle),
    /// A borrower has what it may not have.
    #[error("access by {0:?}")]
    Access(Handle),
    /// Two transactions have a handle, or it can't be found.
    #[error("handle {0:?}")]
    Handle(Handle),
    /// What accounts use is not what there is.
    #[error("accounts")]
    Accounts,
    /// A chunk of constituents is lost, or in two lists.
    #[error("chunks: {used} in use, {unused} not, of {all}")]
    Chunks {
        /// In lists of transactions.
        used: usize,
        /// In none.
        unused: usize,
        /// In all.
        all: usize,
    },
}

impl<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>
{
    /// Walks all invariants. It takes long: for tests.
    pub fn check(&self) -> Result<(), Fault> {
        self.regions.are_sound().map_err(Fault::Owned)?;
        self.check_given()?;
        self.check_buffers()?;
        for it in self.transactions() {
            self.check_transaction(it)?;
        }
        self.check_accounts()
    }

    /// Each page is in one transaction at most, and its sender's.
    fn check_given(&self) -> Result<(), Fault> {
        let mut end = 0;
        for interval in self.given.all() {
            let fault = Err(Fault::Given(interval.first * PAGE));
            let piece = interval.piece();
            let Some(it) = self.transactions.get(usize::from(interval.slot)) else {
                return fault;
            };
            if piece.first < end
                || piece.count == 0
                || it.stage != Stage::Sealed
                || it.owner != interval.owner
                || self.regions.cover(it.owner, piece) != Some(it.memory)
            {
                return fault;
            }
            end = piece.end();
        }
        Ok(())
    }

    fn check_buffers(&self) -> Result<(), Fault> {
        let mut end = 0;
        for buffer in self.buffers.all() {
            let piece = buffer.piece();
            let kind = self.regions.cover(buffer.owner, piece);
            if piece.first < end
                || self.given.touch(piece)
                || !kind.is_some_and(|kind| kind.write() && !kind.device())
            {
                return Err(Fault::Buffer(buffer.first * PAGE));
            }
            end = piece.end();
        }
        Ok(())
    }

    fn check_transaction(&self, it: &Transaction) -> Result<(), Fault> {
        let index = self.index(it.handle);
        let own = index.and_then(|index| self.transactions.get(index));
        if !own.is_some_and(|own| core::ptr::eq(own, it))
            || (self.side == Side::Spmc && it.handle.is_hypervisor())
        {
            return Err(Fault::Handle(it.handle));
        }
        let fault = Err(Fault::Constituents(it.handle));
        let pieces = self.chunks.pieces(&it.list);
        let pages = || pieces.clone().map(|pages| pages.count);
        if pieces.clone().count() != it.list.len as usize
            || self.chunks.length(&it.list) != chunks_for(it.list.len) as usize
            || it.list.len > it.count
            || pages().sum::<u64>() != it.sum
            || it.sum > u64::from(it.pages)
        {
            return fault;
        }
        let slot = index.unwrap_or(usize::MAX);
        let given = self.given.all().iter();
        let mine = given.filter(|interval| usize::from(interval.slot) == slot);
        if it.stage == Stage::Sealed {
            let is_given = |pages: Pages| {
                mine.clone()
                    .any(|interval| interval.piece().pages() == pages)
            };
            if it.list.len != it.count
                || it.sum != u64::from(it.pages)
                || mine.clone().count() != it.list.len as usize
                || !pieces.clone().all(is_given)
                || mine.clone().next().map(|it| it.first) != Some(it.lowest)
            {
                return fault;
            }
            self.check_access(it)
        } else if mine.count() != 0 || it.is_held() || it.orphan {
            fault
        } else {
            Ok(())
        }
    }

    /// Nobody has more than was sent, or than the owner has.
    fn check_access(&self, it: &Transaction) -> Result<(), Fault> {
        let fault = Err(Fault::Access(it.handle));
        let several = it.receivers.len() > 1;
        if it.memory.device() && (several || it.kind != TransactionKind::Lend)
            || !it.memory.shareable()
            || it.kind == TransactionKind::Donate && (several || it.is_held())
            || it.orphan && !it.is_held() && !self.is_elsewhere(it)
            || it.zero && !it.is_held()
            || it.flags.contains(TransactionFlags::ZERO) && !it.memory.write()
        {
            return fault;
        }
        for borrower in &it.receivers {
            let view = it.view(borrower.data, borrower.instruction);
            let sent_to_owner =
                borrower.receiver.party == Some(it.owner) && it.owner != Party::OTHER_WORLD;
            if borrower.retrievals == 0 {
                if borrower.granted() != (DataAccess::Unspecified, InstructionAccess::Unspecified)
                    || borrower.zero_after
                {
                    return fault;
                }
            } else if sent_to_owner
                || borrower.data == DataAccess::Unspecified
                || view.write
                    && (!it.memory.write() || borrower.receiver.data == DataAccess::ReadOnly)
                || view.execute && (!it.memory.execute() || several)
            {
                return fault;
            }
        }
        Ok(())
    }

    fn check_accounts(&self) -> Result<(), Fault> {
        for account in 0..SENDERS {
            let of_account = |it: &&Transaction| usize::from(it.account) == account;
            let all = || self.transactions().filter(of_account);
            let chunks: u32 = all().map(|it| chunks_for(it.count)).sum();
            let one_sender = all()
                .zip(all().skip(1))
                .all(|(one, other)| (one.owner, one.sender) == (other.owner, other.sender))
                || account < PARTIES - 1;
            if all().count() != usize::from(self.handle_quota.used(account))
                || chunks != u32::from(self.chunk_quota.used(account))
                || !one_sender
            {
                return Err(Fault::Accounts);
            }
        }
        let live = self.transactions().count();
        if live != self.live as usize
            || !self.handle_quota.adds_up(HANDLES)
            || !self.chunk_quota.adds_up(CHUNKS)
        {
            return Err(Fault::Accounts);
        }
        let lengths = self.transactions().map(|it| self.chunks.length(&it.list));
        let used = lengths.sum();
        let unused = self.chunks.unused().unwrap_or(usize::MAX);
        if usize::checked_add(used, unused) != Some(CHUNKS) {
            return Err(Fault::Chunks {
                used,
                unused,
                all: CHUNKS,
            });
        }
        Ok(())
    }
}

/// Equal if what is owned, given and known is: the same answers to the same calls, but for the handles
/// that are yet to be given.
impl<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> PartialEq for Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>
{
    fn eq(&self, other: &Self) -> bool {
        let transactions = self.transactions.iter().zip(&other.transactions);
        let same = |(one, two): (&Transaction, &Transaction)| {
            let pieces = || self.chunks.pieces(&one.list);
            one.same_state(two) && pieces().eq(other.chunks.pieces(&two.list))
        };
        self.side == other.side
            && self.regions == other.regions
            && self.given.all() == other.given.all()
            && self.buffers.all() == other.buffers.all()
            && self.handle_quota == other.handle_quota
            && self.chunk_quota == other.chunk_quota
            && transactions.into_iter().all(same)
    }
}

impl<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> core::fmt::Debug for Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sharing")
            .field("side", &self.side)
            .field("owned", &self.regions.all())
            .field("given", &self.given.all())
            .field("buffers", &self.buffers.all())
            .finish_non_exhaustive()?;
        for it in self.transactions() {
            write!(f, " {it:?} {:?}", self.chunks.pieces(&it.list))?;
        }
        Ok(())
    }
}

impl Transaction {
    /// All but where its constituents are kept.
    fn same_state(&self, other: &Self) -> bool {
        if self.stage == Stage::Free || other.stage == Stage::Free {
            return self.stage == other.stage;
        }
        (self.handle, self.stage, self.owner, self.sender)
            == (other.handle, other.stage, other.owner, other.sender)
            && (self.kind, self.attributes, self.flags, self.tag)
                == (other.kind, other.attributes, other.flags, other.tag)
            && (self.pages, self.count, self.sum, self.list.len)
                == (other.pages, other.count, other.sum, other.list.len)
            && (self.memory, self.account, self.orphan, self.zero)
                == (other.memory, other.account, other.orphan, other.zero)
            && self.receivers == other.receivers
    }
}
