//! `FFA_MEM_RELINQUISH` and `FFA_MEM_RECLAIM`.
//!
//! | what is wrong, in this order | error |
//! | --- | --- |
//! | relinquish: no TX buffer; not exactly one endpoint, or not the caller; reserved flags | INVALID_PARAMETERS |
//! | relinquish: an answer to `FFA_MEM_RETRIEVE_REQ` that was not fetched to its end | INVALID_PARAMETERS |
//! | the handle, who calls, and what may be zeroed | as [`Sharing::relinquish`] and [`Sharing::reclaim`] say |

use super::{
    Caller, Memory,
    fast::{bytes, words},
};
use crate::{
    context::Registers,
    spm::{Machine, Pe, Spmc},
};
use ffa_abi::{
    FfaError::{self, InvalidParameters},
    Reply,
    memory::{
        Handle, ReclaimFlags,
        request::{self, Return, single},
    },
};
use zerocopy::IntoBytes;

#[cfg(doc)]
use ffa_abi::sharing::Sharing;

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_MEM_RELINQUISH`. A caller of 1.2 or later may go the [short](super::fast) way.
    #[inline(never)]
    pub(super) fn mem_relinquish<const SHORT: bool>(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        machine: &mut impl Machine,
    ) -> Result<Reply, FfaError> {
        self.with_pair(caller, &mut pe.held, |pair, held| {
            let pair = pair.ok_or(InvalidParameters)?;
            let words = words(pair, machine)?;
            let plain = single::relinquish(&words);
            let own = |back: &Return| caller.id.is_none_or(|id| id == back.endpoint);
            let back = match plain.filter(|back| SHORT && own(back)) {
                Some(back) => back,
                None => request::relinquish(bytes(words).as_bytes(), caller.id)?,
            };
            let fetching = pair.fetch.is_some_and(|fetch| {
                (fetch.handle, fetch.borrower) == (back.handle, back.endpoint)
            });
            if fetching {
                return Err(InvalidParameters);
            }
            self.with_memory(caller, machine, held, |memory, ground| {
                let Memory { sharing, .. } = memory;
                let who = caller.party();
                sharing.relinquish(who, back.endpoint, back.handle, back.flags, ground)
            })?;
            Ok(Reply::success(0))
        })
    }

    /// `FFA_MEM_RECLAIM`. Flags that mean nothing here are not looked at.
    #[inline(never)]
    pub(super) fn mem_reclaim(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        handle: Handle,
        flags: ReclaimFlags,
        machine: &mut impl Machine,
    ) -> Result<Reply, FfaError> {
        self.with_memory(caller, machine, &mut pe.held, |memory, ground| {
            let Memory { sharing, .. } = memory;
            sharing.reclaim(caller.party(), handle, flags, ground)
        })?;
        Ok(Reply::success(0))
    }
}
