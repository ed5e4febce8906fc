//! Asking the normal world for cycles: `sri-interrupts-policy`, and what `FFA_NOTIFICATION_INFO_GET`
//! says of it.

use super::super::Spmc;
use crate::context::{Registers, Slot};
use ffa_abi::notification::InfoLists;

impl<M: Registers> Spmc<'_, M> {
    /// Adds the contexts of a partition with an interrupt pending that the normal world is asked to
    /// run. Each is named once for what is pending. Returns whether all of them fitted; if not, `lists` say
    /// that there is more.
    pub(in crate::spm) fn interrupts_info(&self, slot: Slot, lists: &mut InfoLists) -> bool {
        let Some(info) = self.info(slot) else {
            return true;
        };
        if !(info.rules.sri_waiting || info.rules.sri_leaving) {
            return true;
        }
        for index in 0..info.contexts {
            let own = self.virtuals(slot, index);
            if !own.wakes() || own.is_told() {
                continue;
            }
            if lists.push(info.id, &[index]).is_err() {
                lists.more = true;
                return false;
            }
            own.tell();
        }
        true
    }
}
