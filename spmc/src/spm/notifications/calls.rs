//! Which call does what.

use super::super::{Machine, Pe, Spmc, direct::Sender};
use super::{bind::Binding, set::Setting};
use crate::context::Registers;
use ffa_abi::{Call, FfaError, Reply};

impl<'c, M: Registers> Spmc<'c, M> {
    /// What a call of notifications is completed with; `None` if it is none, or not for this caller. (The
    /// lists of `FFA_NOTIFICATION_INFO_GET` are elsewhere.) An error changes nothing.
    #[cold]
    #[inline(never)]
    pub(in crate::spm) fn notification_call(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Sender,
        call: Call,
        machine: &mut impl Machine,
    ) -> Option<Result<Reply, FfaError>> {
        let receives = match caller {
            Sender::NormalWorld => true,
            Sender::Partition(slot) => self.has_notifications(slot),
        };
        let done = match (call, caller) {
            (Call::NotificationBitmapCreate { vm, contexts }, Sender::NormalWorld) => {
                self.bitmap_create(pe, vm, contexts)
            }
            (Call::NotificationBitmapDestroy { vm }, Sender::NormalWorld) => {
                self.bitmap_destroy(pe, vm)
            }
            (Call::NotificationSet { ids, flags, bitmap }, _) => {
                let setting = Setting { ids, flags, bitmap };
                self.notification_set(pe, caller, setting, machine)
            }
            (
                Call::NotificationBind {
                    ids,
                    per_context,
                    bitmap,
                },
                _,
            ) if receives => {
                let binding = Binding::Bind { per_context };
                self.notification_bind(pe, caller, ids, binding, bitmap)
            }
            (Call::NotificationUnbind { ids, bitmap }, _) if receives => {
                self.notification_bind(pe, caller, ids, Binding::Unbind, bitmap)
            }
            (
                Call::NotificationGet {
                    receiver,
                    context,
                    flags,
                },
                _,
            ) if receives => {
                let read = self.notification_get(pe, caller, receiver, context, flags, machine);
                return Some(read.map(|pending| pending.success()));
            }
            _ => return None,
        };
        Some(done.map(|()| Reply::success(0)))
    }
}
