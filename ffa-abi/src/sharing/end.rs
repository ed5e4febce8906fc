//! Taking back: `FFA_MEM_RECLAIM`, and the end of an owner or a borrower.

use super::{Estates, Party, Sharing, Stage, Transaction};
use crate::{
    error::FfaError,
    id::EndpointId,
    memory::{Handle, ReclaimFlags, TransactionKind},
};

/// What is left of an endpoint that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Remains {
    /// Others still have memory of its: those pages are not to be wiped or used again until they have
    /// given them back, see [`Sharing::lent_pages`].
    pub lent: bool,
    /// Its stage 2 still has pages that it had borrowed, for want of tables: it must not run again.
    pub mapped: bool,
}

impl<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>
{
    /// Gives an owner back what it sent: it has access as before, the handle is gone.
    ///
    /// INVALID_PARAMETERS for a reserved or time-slice flag, an unknown handle or another owner's, one
    /// that is not complete, or a donation that was retrieved; DENIED while a borrower has it, and for
    /// zeroing a device or what the owner can't write. Nothing has changed then.
    pub fn reclaim(
        &mut self,
        owner: Party,
        handle: Handle,
        flags: ReclaimFlags,
        estates: &mut impl Estates,
    ) -> Result<(), FfaError> {
        if flags.reserved() != 0 || flags.contains(ReclaimFlags::TIME_SLICE) {
            return Err(FfaError::InvalidParameters);
        }
        let index = self.sealed(handle)?;
        let it = self.transactions.get(index);
        let it = it.ok_or(FfaError::InvalidParameters)?;
        if it.owner != owner {
            return Err(FfaError::InvalidParameters);
        }
        let zero = flags.contains(ReclaimFlags::ZERO);
        if it.is_held() || zero && (it.memory.device() || !it.memory.write()) {
            return Err(FfaError::Denied);
        }
        // What nobody could write is as it was.
        let zero = zero || it.orphan && it.memory.write();
        self.take_back(index, zero, estates);
        Ok(())
    }

    /// An endpoint ended: what it borrowed is given back, and zeroed where it or the sender asked for
    /// that; what it sent and nobody has is its own again; the rest can't be retrieved any more, and is
    /// its own again, zeroed, when its last borrower has relinquished it. What it sent to borrowers
    /// whose access is not seen here waits for [`reclaim`](Self::reclaim).
    ///
    /// Its stage 2 is told to lose what it borrowed; it does not run meanwhile.
    pub fn ended(
        &mut self,
        who: Party,
        endpoint: EndpointId,
        estates: &mut impl Estates,
    ) -> Remains {
        let mut remains = Remains::default();
        for index in 0..HANDLES {
            remains.mapped |= self.give_back(index, who, endpoint, estates);
        }
        for index in 0..HANDLES {
            let Some(it) = self.transactions.get(index) else {
                continue;
            };
            let concerns = match it.stage {
                Stage::Donated if it.borrower(who, endpoint).is_some() => true,
                Stage::Free => false,
                _ => it.owner == who && it.sender == endpoint,
            };
            if !concerns {
                continue;
            }
            if it.stage != Stage::Sealed {
                self.release(index);
            } else if it.is_held() || self.is_elsewhere(it) {
                remains.lent = true;
                if let Some(it) = self.transactions.get_mut(index) {
                    it.orphan = true;
                }
            } else {
                self.take_back(index, false, estates);
            }
        }
        remains
    }

    /// Gives back all that `endpoint` has of a transaction. Whether its stage 2 has kept it.
    fn give_back(
        &mut self,
        index: usize,
        who: Party,
        endpoint: EndpointId,
        estates: &mut impl Estates,
    ) -> bool {
        let Some(it) = self.transactions.get(index) else {
            return false;
        };
        if it.stage != Stage::Sealed {
            return false;
        }
        let Some((at, borrower)) = it
            .borrower(who, endpoint)
            .and_then(|at| Some((at, it.receivers.get(at)?)))
        else {
            return false;
        };
        let count = borrower.retrievals;
        if count == 0 {
            return false;
        }
        let view = it.view(borrower.data, borrower.instruction);
        let kept = estates.revoke(who, self.chunks.pieces(&it.list), view);
        self.returned(index, at, count, estates);
        kept.is_err()
    }

    /// Ends a sealed transaction that nobody has: its pages are their owner's again.
    pub(super) fn take_back(&mut self, index: usize, zero: bool, estates: &mut impl Estates) {
        let Some(it) = self.transactions.get(index) else {
            return;
        };
        let normal_world = it.memory.normal_world();
        if zero && !it.memory.device() {
            estates.zero(self.chunks.pieces(&it.list), normal_world);
        }
        if it.hides() {
            estates.show(it.owner, self.chunks.pieces(&it.list), normal_world);
        }
        self.take_off(index);
        self.release(index);
    }
}

impl Transaction {
    /// Whether its owner does not see it.
    pub(super) fn hides(&self) -> bool {
        self.kind != TransactionKind::Share
    }
}
