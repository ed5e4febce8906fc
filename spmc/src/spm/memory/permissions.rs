//! `FFA_MEM_PERM_GET` and `FFA_MEM_PERM_SET`: an S-EL0 partition's own translations, which are the
//! SPMC's to make. It may look at them and change them until its initialisation is over. An S-EL1
//! partition has its own, and the normal world none here.

use super::Caller;
use crate::{
    context::{Registers, Slot},
    spm::{Mem, Owner, Pe, Spmc, memory::party},
    state::Model,
};
use ffa_abi::{FfaError, Reply, memory::Permissions, sharing::Pages};

impl<'c, M: Registers> Spmc<'c, M> {
    /// The partition at S-EL0 that makes such a call, while it may.
    ///
    /// # Errors
    /// NOT_SUPPORTED for the normal world, DENIED for a partition that runs at S-EL1 or has
    /// initialised.
    fn may_change(&self, pe: &mut Pe<'c, M>, caller: Caller) -> Result<Slot, FfaError> {
        let Owner::Partition(slot) = caller.owner else {
            return Err(FfaError::NotSupported);
        };
        let initialises = |model| matches!(model, Model::Init | Model::Restart);
        let initialises = pe
            .context(slot)
            .is_some_and(|context| initialises(context.model));
        match self.is_el0(slot) && initialises {
            true => Ok(slot),
            false => Err(FfaError::Denied),
        }
    }

    /// `FFA_MEM_PERM_GET`, of at most `pages` pages from `address` on.
    ///
    /// # Errors
    /// As [`may_change`](Self::may_change) says; INVALID_PARAMETERS if `address` is not page aligned, or
    /// nothing is there.
    pub(super) fn mem_perm_get(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        (address, pages): (u64, u32),
        machine: &mut impl Mem,
    ) -> Result<Reply, FfaError> {
        let slot = self.may_change(pe, caller)?;
        let found = self.memory.with(&mut pe.held, |_, held| {
            machine.permissions(held, slot, Pages::new(address, pages.into())?)
        });
        let run = found.ok_or(FfaError::InvalidParameters)?;
        Ok(Reply::success2(
            run.permissions.raw(),
            run.pages.saturating_sub(1),
        ))
    }

    /// `FFA_MEM_PERM_SET`, of `pages` pages from `address` on.
    ///
    /// # Errors
    /// * As [`may_change`](Self::may_change) says.
    /// * INVALID_PARAMETERS: they are not aligned, none, or more than there are addresses; `raw` is not
    ///   one of the three permissions; not all of them are the partition's own, of one kind, and there;
    ///   its manifest permits less; or registers of a device were to be executed.
    /// * NO_MEMORY: no tables are left for it.
    pub(super) fn mem_perm_set(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        (address, pages): (u64, u32),
        raw: u32,
        machine: &mut impl Mem,
    ) -> Result<Reply, FfaError> {
        let slot = self.may_change(pe, caller)?;
        let invalid = FfaError::InvalidParameters;
        let pages = Pages::new(address, pages.into()).ok_or(invalid)?;
        let permissions = Permissions::from_raw(raw)
            .filter(|permissions| *permissions != Permissions::None)
            .ok_or(invalid)?;
        self.memory.with(&mut pe.held, |memory, held| {
            let mut at = pages.base;
            let mut kind = None;
            while at < pages.end() {
                let mut regions = memory.sharing.regions_of(party(caller.owner));
                let own = regions
                    .find(|region| region.pages.base <= at && at < region.pages.end())
                    .ok_or(invalid)?;
                let permitted = match permissions {
                    Permissions::ReadWrite => own.write,
                    Permissions::ReadExecute => own.execute && !own.device,
                    Permissions::ReadOnly | Permissions::None => true,
                };
                let of_kind = (own.device, own.normal_world);
                if !permitted || *kind.get_or_insert(of_kind) != of_kind {
                    return Err(invalid);
                }
                at = own.pages.end();
            }
            machine.set_permissions(held, slot, pages, permissions)
        })?;
        Ok(Reply::success(0))
    }
}
