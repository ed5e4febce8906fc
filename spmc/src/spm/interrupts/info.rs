//! Asking the normal world for cycles: `sri-interrupts-policy`, and what `FFA_NOTIFICATION_INFO_GET`
//! says of it.

use super::super::{Next, Outcome, Pe, Spmc};
use crate::context::{Registers, Slot};
use ffa_abi::{FfaError, notification::InfoLists};

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_NOTIFICATION_INFO_GET`: the partitions with an interrupt pending that the normal world is
    /// asked to run. Each is named once for what is pending.
    ///
    /// # Errors
    /// NO_DATA: there is none.
    #[cold]
    #[inline(never)]
    pub(in crate::spm) fn interrupts_info(
        &self,
        pe: &mut Pe<'c, M>,
        wide: bool,
    ) -> Result<Outcome, FfaError> {
        let mut lists = InfoLists::new(wide);
        'all: for (slot, partition) in self.partitions.iter().enumerate() {
            let (slot, info) = (Slot(slot as u8), &partition.info);
            if !(info.rules.sri_waiting || info.rules.sri_leaving) || !partition.life.is_alive() {
                continue;
            }
            for index in 0..info.contexts {
                let own = self.virtuals(slot, index);
                if !own.is_deliverable() || own.is_told() {
                    continue;
                }
                if lists.push(info.id, &[index]).is_err() {
                    lists.more = true;
                    break 'all;
                }
                own.tell();
            }
        }
        if lists.is_empty() {
            return Err(FfaError::NoData);
        }
        lists.success().write(&mut pe.nwd.0);
        Ok(Outcome::to(Next::NormalWorld))
    }
}
