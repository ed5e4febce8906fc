//! Borrowing: `FFA_MEM_RETRIEVE_REQ` and `FFA_MEM_RELINQUISH`.

use super::{
    Borrower, Estates, Party, Receiver, Retrieve, Retrieved, Sharing, Stage, Transaction,
    pages::Kind, rules,
};
use crate::{
    error::FfaError,
    id::EndpointId,
    memory::{
        Attributes, DataAccess, DeviceKind, Handle, MemoryType, RelinquishFlags, Shareability,
        TransactionFlags, TransactionKind,
    },
};

impl<
    const PARTIES: usize,
    const SENDERS: usize,
    const RUNS: usize,
    const HANDLES: usize,
    const CHUNKS: usize,
> Sharing<PARTIES, SENDERS, RUNS, HANDLES, CHUNKS>
{
    /// Gives a borrower access. Retrieving again what it has is counted, up to 255, and wants the same
    /// permissions. Donated memory becomes its own; the constituents can be read until
    /// [`told`](Self::told), which the caller says when the borrower has been told all of them.
    ///
    /// What is said of `request`'s fields without a transaction must have been checked. In this order:
    ///
    /// | what | error |
    /// | --- | --- |
    /// | unknown handle; not complete, or donated and retrieved | INVALID_PARAMETERS |
    /// | its owner is dead; another sender | DENIED |
    /// | more than one borrower of the normal world, at the SPMC | NOT_SUPPORTED |
    /// | another kind or tag; not a borrower; reserved flags, an alignment hint; zeroing of shared memory | INVALID_PARAMETERS |
    /// | zeroing that the sender did not ask for | DENIED |
    /// | the NS bit | INVALID_PARAMETERS |
    /// | attributes that memory is not mapped with | DENIED |
    /// | other borrowers than there are; bypass with more than one entry or of a single borrower | INVALID_PARAMETERS |
    /// | a borrower of another transaction; data access beyond what was sent | DENIED |
    /// | instruction access by somebody that may not say it, or not said; execution of the normal world's memory | INVALID_PARAMETERS |
    /// | instruction access beyond the owner's; zeroing what is read only or a device | DENIED |
    /// | another implementation defined value; not in its own list | INVALID_PARAMETERS |
    /// | a device as normal memory; again with other permissions, or too often | DENIED |
    /// | no tables, or no room to note who owns it | NO_MEMORY |
    pub fn retrieve(
        &mut self,
        who: Party,
        request: &Retrieve,
        estates: &mut impl Estates,
    ) -> Result<Retrieved, FfaError> {
        let index = self.sealed(request.handle)?;
        let it = self.transactions.get_mut(index);
        let it = it.ok_or(FfaError::InvalidParameters)?;
        let permit = rules::may_retrieve(it, self.side, who, request)?;
        let view = it.view(permit.data, permit.instruction);
        let donate = it.kind == TransactionKind::Donate;
        let more = if donate {
            let sorted = self.chunks.sorted(&it.list);
            self.regions.room(&sorted, it.owner, who)?
        } else {
            0
        };
        let held = it.is_held();
        let borrower = it.receivers.get_mut(permit.borrower);
        let borrower = borrower.ok_or(FfaError::InvalidParameters)?;
        if borrower.retrievals == 0 {
            estates.grant(who, self.chunks.pieces(&it.list), view)?;
        }
        borrower.retrievals += 1;
        borrower.data = permit.data;
        borrower.instruction = permit.instruction;
        borrower.zero_after |= request
            .flags
            .contains(TransactionFlags::ZERO_AFTER_RELINQUISH);
        let receiver = borrower.receiver;
        if request.flags.contains(TransactionFlags::ZERO) && !held {
            estates.zero(self.chunks.pieces(&it.list), view.normal_world);
        }
        let answer = answer(it, &receiver, &permit);
        if donate {
            it.stage = Stage::Donated;
            for borrower in &mut it.receivers {
                *borrower = Borrower::new(borrower.receiver);
            }
            let pieces = self.chunks.pieces(&it.list);
            estates.give_up(it.owner, pieces, view.normal_world);
            let (owner, list) = (it.owner, it.list);
            let sorted = self.chunks.again(&list);
            self.regions
                .hand_over(&sorted, more, (owner, who), Kind::given(view));
            self.take_off(index);
        }
        Ok(answer)
    }

    /// The borrower of a donation that it has retrieved has been told all of it: the handle is gone.
    /// Nothing happens to other transactions. As long as this is not said, the donation counts for its
    /// sender: a borrower should have one such answer at most.
    pub fn told(&mut self, handle: Handle) {
        if let Some(index) = self.index(handle)
            && self
                .transactions
                .get(index)
                .is_some_and(Transaction::donated)
        {
            self.release(index);
        }
    }

    /// Takes back one retrieval of a borrower; with the last one it loses its access. When nobody has
    /// it any more, it is zeroed if some borrower asked for that, now or when it retrieved it; and if
    /// its owner is dead, the transaction ends and the memory is zeroed in any case.
    ///
    /// INVALID_PARAMETERS for a reserved or time-slice flag, an unknown handle, what `endpoint` has not
    /// retrieved, and zeroing of shared memory; DENIED for zeroing what it can't write, or a device;
    /// NO_MEMORY if a block of its tables can't be split. Nothing has changed then.
    pub fn relinquish(
        &mut self,
        who: Party,
        endpoint: EndpointId,
        handle: Handle,
        flags: RelinquishFlags,
        estates: &mut impl Estates,
    ) -> Result<(), FfaError> {
        if flags.reserved() != 0 || flags.contains(RelinquishFlags::TIME_SLICE) {
            return Err(FfaError::InvalidParameters);
        }
        let index = self.sealed(handle)?;
        let it = self.transactions.get_mut(index);
        let it = it.ok_or(FfaError::InvalidParameters)?;
        let at = it.borrower(who, endpoint);
        let at = at.ok_or(FfaError::InvalidParameters)?;
        let zero = flags.contains(RelinquishFlags::ZERO);
        if zero && it.kind == TransactionKind::Share {
            return Err(FfaError::InvalidParameters);
        }
        let device = it.memory.device();
        let borrower = it.receivers.get(at).ok_or(FfaError::InvalidParameters)?;
        if borrower.retrievals == 0 {
            return Err(FfaError::InvalidParameters);
        }
        if zero && (device || borrower.data != DataAccess::ReadWrite) {
            return Err(FfaError::Denied);
        }
        if borrower.retrievals == 1 {
            let view = it.view(borrower.data, borrower.instruction);
            estates.revoke(who, self.chunks.pieces(&it.list), view)?;
        }
        it.zero |= zero;
        self.returned(index, at, 1, estates);
        Ok(())
    }

    /// Notes that a borrower has given back so many retrievals, after its access was taken away if
    /// those are all.
    pub(super) fn returned(
        &mut self,
        index: usize,
        at: usize,
        count: u8,
        estates: &mut impl Estates,
    ) {
        let Some(it) = self.transactions.get_mut(index) else {
            return;
        };
        if let Some(borrower) = it.receivers.get_mut(at) {
            borrower.retrievals = borrower.retrievals.saturating_sub(count);
            if borrower.retrievals == 0 {
                it.zero |= borrower.zero_after;
                *borrower = Borrower::new(borrower.receiver);
            }
        }
        if it.is_held() {
            return;
        }
        if it.orphan {
            let zero = it.memory.write();
            self.take_back(index, zero, estates);
        } else if core::mem::take(&mut it.zero) {
            let pieces = self.chunks.pieces(&it.list);
            estates.zero(pieces, it.memory.normal_world());
        }
    }

    /// The index of a transaction that is complete, and not a retrieved donation.
    pub(super) fn sealed(&self, handle: Handle) -> Result<usize, FfaError> {
        let index = self.index(handle).ok_or(FfaError::InvalidParameters)?;
        let it = self.transactions.get(index);
        it.is_some_and(|it| it.stage == Stage::Sealed)
            .then_some(index)
            .ok_or(FfaError::InvalidParameters)
    }
}

/// What the borrower is told.
fn answer(it: &Transaction, receiver: &Receiver, permit: &rules::Permit) -> Retrieved {
    let attributes = if it.memory.device() {
        let device = MemoryType::Device(DeviceKind::NoGatherNoReorderNoEarly);
        Attributes::new(device, Shareability::Inner, false)
    } else {
        Attributes::NORMAL
    };
    Retrieved {
        sender: it.sender,
        attributes: attributes.with_non_secure(it.memory.normal_world()),
        flags: (it.flags & TransactionFlags::ZERO).with_kind(it.kind),
        tag: it.tag,
        receiver: Receiver {
            data: permit.data,
            instruction: permit.instruction,
            ..*receiver
        },
        pages: it.pages,
        count: it.count,
    }
}
