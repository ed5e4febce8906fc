//! `FFA_NOTIFICATION_GET`, by receivers.

use super::super::{Machine, Pe, Spmc, direct::Sender};
use crate::context::Registers;
use ffa_abi::{
    EndpointId, FfaError,
    notification::{GetFlags, Pending},
};

impl<'c, M: Registers> Spmc<'c, M> {
    /// The call, by a partition or by the normal world for one of its endpoints. An error changes
    /// nothing.
    ///
    /// # Errors
    /// INVALID_PARAMETERS for a receiver that is not the caller, or not the normal world's; for one of the
    /// normal world that has no bitmap, or is to read what VMs or the hypervisor have set; for a context
    /// that it does not have. NOT_SUPPORTED for a partition without notifications.
    #[cold]
    pub(in crate::spm) fn notification_get(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Sender,
        receiver: EndpointId,
        context: u16,
        flags: GetFlags,
        machine: &mut impl Machine,
    ) -> Result<Pending, FfaError> {
        if !self.is_own(caller, receiver) {
            return Err(FfaError::InvalidParameters);
        }
        let slot = match caller {
            Sender::NormalWorld => {
                if flags.intersects(GetFlags::VMS | GetFlags::HYPERVISOR) {
                    return Err(FfaError::InvalidParameters);
                }
                let all = &self.notifications.normal_world;
                return all.with(&mut pe.held, |all, _| {
                    let of = all.find(receiver).ok_or(FfaError::InvalidParameters)?;
                    if context >= of.contexts {
                        return Err(FfaError::InvalidParameters);
                    }
                    Ok(of.receiver.get(context, flags))
                });
            }
            Sender::Partition(slot) => slot,
        };
        let info = self.info(slot).ok_or(FfaError::InvalidParameters)?;
        if context >= info.contexts {
            return Err(FfaError::InvalidParameters);
        }
        if !info.notifications {
            return Err(FfaError::NotSupported);
        }
        let own = self.notifications.of(slot);
        let (pending, quiet) = own.with(&mut pe.held, |own, _| {
            (own.get(context, flags), self.take_npi_back(slot, own))
        });
        self.show_npi(pe, slot, quiet, machine);
        Ok(pending)
    }
}
