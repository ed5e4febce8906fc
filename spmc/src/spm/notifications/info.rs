//! `FFA_NOTIFICATION_INFO_GET`: whom the normal world's scheduler is to run, because of notifications or
//! of interrupts.

use super::super::{Next, Outcome, Pe, Spmc};
use crate::context::{Registers, Slot};
use ffa_abi::{FfaError, notification::InfoLists};

impl<'c, M: Registers> Spmc<'c, M> {
    /// The call. Partitions come first, then the normal world's endpoints. Each is named once for what is
    /// pending; what does not fit in the answer is named in the next one.
    ///
    /// # Errors
    /// NO_DATA: nobody is to be named.
    #[cold]
    #[inline(never)]
    pub(in crate::spm) fn notification_info(
        &self,
        pe: &mut Pe<'c, M>,
        wide: bool,
    ) -> Result<Outcome, FfaError> {
        let mut lists = InfoLists::new(wide);
        let _all = self.name_all(pe, &mut lists);
        if lists.is_empty() {
            return Err(FfaError::NoData);
        }
        lists.success().write(&mut pe.nwd.0);
        Ok(Outcome::to(Next::NormalWorld))
    }

    /// Whether all fitted.
    fn name_all(&self, pe: &mut Pe<'c, M>, lists: &mut InfoLists) -> bool {
        for slot in (0..self.partitions.len()).map(|slot| Slot(slot as u8)) {
            let Some(info) = self.info(slot).filter(|_| self.is_alive(slot)) else {
                continue;
            };
            if !self.interrupts_info(slot, lists) {
                return false;
            }
            if info.notifications {
                let own = self.notifications.of(slot);
                if !own.with(&mut pe.held, |own, _| own.info(info.id, lists)) {
                    return false;
                }
            }
        }
        let all = &self.notifications.normal_world;
        all.with(&mut pe.held, |all, _| {
            all.all().all(|(id, of)| of.receiver.info(id, lists))
        })
    }
}
