//! `FFA_MEM_PERM_GET` and `FFA_MEM_PERM_SET`: an S-EL0 partition's own translations, which are the
//! SPMC's to make. An S-EL1 partition has its own, and the normal world none here.

use super::Caller;
use crate::spm::Owner;
use ffa_abi::{FfaError, Reply};

/// The answer to both.
///
/// # Errors
/// NOT_SUPPORTED for the normal world, DENIED for a partition that runs at S-EL1.
pub(super) const fn of_memory(caller: Caller) -> Result<Reply, FfaError> {
    match caller.owner {
        Owner::NormalWorld => Err(FfaError::NotSupported),
        Owner::Partition(_) => Err(FfaError::Denied),
    }
}
