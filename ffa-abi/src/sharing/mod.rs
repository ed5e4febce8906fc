//! Who owns which memory, who may access it, and by which transaction: the ownership map that both
//! sides of memory sharing keep (DEN0140), the SPMC for partitions and the normal world, the hypervisor
//! for its VMs.
//!
//! It owns the map of owned pages, the table of transactions and their constituents. It decides what
//! the state of memory and of transactions decides; what a descriptor alone shows to be wrong has been
//! refused before. It never touches a table of stage 2 or memory: that is behind [`Estates`].
//!
//! ```text
//! begin ──► extend ──► seal ──► retrieve ◄──► relinquish
//!   └─────────┴─► abandon └──────► reclaim ◄──────┘
//! ```
//!
//! A page is its owner's alone, or it belongs to one transaction at most. Of a transaction that was
//! sealed:
//!
//! | kind | its owner | borrowers |
//! | --- | --- | --- |
//! | share | keeps its access | those that have retrieved it |
//! | lend | has none | the same |
//! | donate | has none | none; the one that retrieves it becomes the owner |
//!
//! Everything is kept by ranges: the cost of a call depends on the number of constituents, not of pages.
//! What can fail comes before what changes; a call that fails leaves all as it was.
//!
//! Nobody can use up what others need: handles, constituents and runs of owned pages are each shared by
//! quota, half of them guaranteed in equal parts.
//! The normal world's senders each have an account of their own, as long as there are as many.

mod borrow;
mod check;
mod chunks;
mod end;
mod estates;
mod intervals;
mod pages;
mod quota;
mod regions;
mod request;
mod rules;
mod send;
mod single;
mod transaction;

pub use check::Fault;
pub use chunks::Pieces;
pub use end::Remains;
pub use estates::Estates;
pub use pages::{PAGE, Pages, Party, Region, View};
pub use request::{MAX_RECEIVERS, Progress, Receiver, Retrieve, Retrieved, Send};
pub use single::{Borrow, Borrowed, Single};
pub use transaction::{Borrower, Transaction};

use crate::{error::FfaError, id::EndpointId, memory::Handle};
use chunks::{Chunks, PER_CHUNK};
use intervals::{Interval, Intervals};
use pages::Piece;
use quota::Quota;
use regions::Regions;
use transaction::Stage;

/// Whose map it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The SPMC's. Its handles have bit 63 clear.
    Spmc,
    /// A hypervisor's. Its handles have bit 63 set; it also keeps records under the SPMC's.
    Hypervisor,
}

/// The map and the transactions.
///
/// * `PARTIES`: how many parties there are, [`Party::OTHER_WORLD`] among them.
/// * `SENDERS`: how many endpoints may send at a time: all parties but the other world, and endpoints of
///   the other world. Each has two buffers at most.
/// * `RUNS`: how many runs of pages of one owner and kind there may be.
/// * `HANDLES`: how many transactions.
/// * `CHUNKS`: how many times 16 constituents, at most 4096.
///
/// A new one of the SPMC's is all zero bytes.
#[derive(Clone)]
pub struct Sharing<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> {
    side: Side,
    regions: Regions<PARTIES, RUNS>,
    /// Pages that belong to a transaction: one interval for each constituent.
    given: Intervals<PER_CHUNK, CHUNKS>,
    buffers: Intervals<2, SENDERS>,
    transactions: [Transaction; HANDLES],
    chunks: Chunks<CHUNKS>,
    handle_quota: Quota<SENDERS>,
    chunk_quota: Quota<SENDERS>,
    /// Whose the accounts are that other-world senders share.
    senders: [EndpointId; SENDERS],
    /// How many transactions there are.
    live: u32,
    /// The index of the transaction that was freed last.
    freed: u16,
    /// How many handles there have been.
    generation: u64,
}

impl<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>
{
    /// Nobody owns anything.
    pub const fn new(side: Side) -> Self {
        const {
            assert!(PARTIES >= 1 && PARTIES <= 256, "a party has 8 bits");
            assert!(SENDERS + 1 >= PARTIES, "parties may send");
            assert!(HANDLES <= 1 << 16, "an index of a transaction has 16 bits");
            assert!(RUNS <= 1 << 15, "a count of runs has 16 bits");
        };
        Self {
            side,
            regions: Regions::new(),
            given: Intervals::new(),
            buffers: Intervals::new(),
            transactions: [const { Transaction::none() }; HANDLES],
            chunks: Chunks::new(),
            handle_quota: Quota::new(),
            chunk_quota: Quota::new(),
            senders: [EndpointId(0); SENDERS],
            live: 0,
            freed: 0,
            generation: 0,
        }
    }

    /// Gives a region to its owner, at boot. INVALID_PARAMETERS if it is not whole pages, there are
    /// 16 TiB or more, or there is no such party; DENIED if some of it is owned already; NO_MEMORY if
    /// there are too many.
    pub fn add_region(&mut self, owner: Party, region: Region) -> Result<(), FfaError> {
        self.regions.add(owner, &region)
    }

    /// Gives `owner` what nobody owns yet of a region. INVALID_PARAMETERS and NO_MEMORY as for
    /// [`add_region`](Self::add_region); it may have got some of it then.
    pub fn add_rest(&mut self, owner: Party, region: Region) -> Result<(), FfaError> {
        let piece = Piece::of(region.pages).ok_or(FfaError::InvalidParameters)?;
        while let Some((start, end)) = self.regions.gap(piece.first, piece.end()) {
            let pages = Pages {
                base: start.saturating_mul(PAGE),
                count: end.saturating_sub(start),
            };
            self.regions.add(owner, &Region { pages, ..region })?;
        }
        Ok(())
    }

    /// Notes that pages of `owner`'s are its RX or TX buffer: they can't be given to anybody. DENIED
    /// unless all of them are its own, exclusively, and normal memory that it may write; NO_MEMORY if
    /// there are too many buffers.
    pub fn take_buffer(&mut self, owner: Party, pages: Pages) -> Result<(), FfaError> {
        let piece = Piece::of(pages).ok_or(FfaError::Denied)?;
        let kind = self.regions.cover(owner, piece).ok_or(FfaError::Denied)?;
        if kind.device() || !kind.write() || self.given.touch(piece) || self.buffers.touch(piece) {
            return Err(FfaError::Denied);
        }
        let buffer = Interval::new(piece, 0, owner);
        self.buffers.insert([buffer].into_iter())
    }

    /// Undoes [`take_buffer`](Self::take_buffer) of the same pages.
    pub fn free_buffer(&mut self, owner: Party, pages: Pages) {
        if let Some(piece) = Piece::of(pages) {
            self.buffers.remove_one(piece, owner);
        }
    }

    /// What is said of pages that are `owner`'s own and nobody else's: all of one kind, in no
    /// transaction, and no buffer. `None` for others.
    pub fn exclusive(&self, owner: Party, pages: Pages) -> Option<Region> {
        let piece = Piece::of(pages)?;
        let kind = self.regions.cover(owner, piece)?;
        let free = !self.given.touch(piece) && !self.buffers.touch(piece);
        free.then(|| kind.region(pages))
    }

    /// What `owner` owns, in the order of addresses, whoever may access it now.
    pub fn regions_of(&self, owner: Party) -> impl Iterator<Item = Region> {
        let runs = self.regions.all().iter();
        runs.filter(move |run| run.owner == owner)
            .map(|run| run.kind.region(run.piece().pages()))
    }

    /// The transaction of a handle, complete or not. `None` if there is none.
    pub fn find(&self, handle: Handle) -> Option<&Transaction> {
        self.transactions.get(self.index(handle)?)
    }

    /// All transactions, complete or not.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        let used = |it: &&Transaction| it.stage != Stage::Free;
        self.transactions.iter().filter(used)
    }

    /// The constituents of a transaction that have come; none if there is no such handle.
    pub fn pieces(&self, handle: Handle) -> Pieces<'_> {
        self.find(handle)
            .map_or(Pieces::none(), |it| self.chunks.pieces(&it.list))
    }

    /// Whether somebody else has some of these pages of `owner`'s now: a borrower that has retrieved
    /// them, or one whose access is not seen here.
    pub fn holds(&self, owner: Party, pages: Pages) -> bool {
        let Some(piece) = Piece::of(pages) else {
            return false;
        };
        self.given
            .within(piece)
            .any(|it| it.owner == owner && self.in_others_hands(it))
    }

    /// Which pages of `owner`'s others have now, in the order of addresses; as for
    /// [`holds`](Self::holds).
    pub fn lent_pages(&self, owner: Party) -> impl Iterator<Item = Pages> {
        let given = self.given.all().iter();
        given
            .filter(move |it| it.owner == owner && self.in_others_hands(it))
            .map(|it| it.piece().pages())
    }

    /// Keeps a transaction of a hypervisor's under the handle that the SPMC gave it. INVALID_PARAMETERS
    /// if there is no such transaction, or `theirs` could be a handle of this side, or is known already.
    pub fn rename(&mut self, handle: Handle, theirs: Handle) -> Result<(), FfaError> {
        let index = self.index(handle).ok_or(FfaError::InvalidParameters)?;
        if self.is_ours(theirs) || theirs == Handle(0) || self.index(theirs).is_some() {
            return Err(FfaError::InvalidParameters);
        }
        if let Some(it) = self.transactions.get_mut(index) {
            it.handle = theirs;
        }
        Ok(())
    }

    fn in_others_hands(&self, interval: &Interval) -> bool {
        let transaction = self.transactions.get(usize::from(interval.slot));
        transaction.is_some_and(|it| it.is_held() || self.is_elsewhere(it))
    }

    /// Whether some borrower's access to it is not seen here.
    fn is_elsewhere(&self, transaction: &Transaction) -> bool {
        transaction
            .receivers
            .iter()
            .any(|borrower| match borrower.receiver.party {
                None => true,
                Some(party) => self.side == Side::Hypervisor && party == Party::OTHER_WORLD,
            })
    }

    /// Whether bit 63 says that this side gives such handles.
    const fn is_ours(&self, handle: Handle) -> bool {
        handle.is_hypervisor() == matches!(self.side, Side::Hypervisor)
    }

    /// The next handle, for a transaction of this index: it has never been before.
    fn next_handle(&mut self, index: usize) -> Handle {
        self.generation += 1;
        let bit = match self.side {
            Side::Spmc => 0,
            Side::Hypervisor => 1 << 63,
        };
        Handle(self.generation << 17 >> 1 | index as u64 | bit)
    }

    /// The index of the transaction of a handle.
    fn index(&self, handle: Handle) -> Option<usize> {
        let has = |it: &Transaction| it.handle == handle && it.stage != Stage::Free;
        if self.is_ours(handle) {
            let index = (handle.0 & 0xffff) as usize;
            return self
                .transactions
                .get(index)
                .is_some_and(has)
                .then_some(index);
        }
        // The SPMC's handles say nothing here. Low indexes are used first.
        let mut left = self.live;
        for (index, it) in self.transactions.iter().enumerate() {
            if left == 0 {
                break;
            }
            if has(it) {
                return Some(index);
            }
            left -= u32::from(it.stage != Stage::Free);
        }
        None
    }
}
