//! `FFA_MEM_RECLAIM` of a VM.

use super::{By, State, forward, over::retrieved_there, party};
use crate::proxy::Machine;
use ffa_abi::{
    FfaError, Reply,
    memory::{Handle, ReclaimFlags},
};

impl<R> By<'_, '_, R> {
    /// It wants back what it gave.
    pub(super) fn reclaim(
        &self,
        handle: Handle,
        flags: ReclaimFlags,
        machine: &mut impl Machine<R>,
    ) -> Result<Reply, FfaError> {
        let owner = party(self.index);
        let mut state = self.shares.lock();
        let State { map, given, .. } = &mut *state;
        let Some(place) = given.find(handle) else {
            // What partitions have has the SPMC's handle only.
            if given.all().iter().any(|one| one.local == handle) {
                return Err(FfaError::InvalidParameters);
            }
            map.reclaim(owner, handle, flags, machine)?;
            return Ok(Reply::success(0));
        };
        let one = given.get(place).ok_or(FfaError::InvalidParameters)?;
        // Looked at before the SPMC is asked: of what it refuses the handle must be the reason.
        if one.vm != self.index || flags.bits() & !ReclaimFlags::ZERO.bits() != 0 {
            return Err(FfaError::InvalidParameters);
        }
        match forward::reclaim(handle, flags, machine) {
            // It is zeroed.
            Ok(_) => {
                given.remove(place);
                map.reclaim(owner, one.local, ReclaimFlags::empty(), machine)?;
                Ok(Reply::success(0))
            }
            Err(error) => {
                if one.is_gone(error) && retrieved_there(map, &one, machine) {
                    given.remove(place);
                }
                Err(error)
            }
        }
    }
}
