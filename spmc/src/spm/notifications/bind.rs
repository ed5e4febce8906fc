//! `FFA_NOTIFICATION_BIND` and `FFA_NOTIFICATION_UNBIND`, by receivers; and the end of those who bind and
//! those who are bound to.

use super::super::{Pe, Spmc, direct::Sender};
use crate::{
    MAX_CPUS,
    context::{Registers, Slot},
    locks::Held,
    virtual_interrupts::Interrupt,
};
use ffa_abi::{FfaError, id::Endpoints};

/// What a receiver does with notifications of one sender.
#[derive(Clone, Copy, Debug)]
pub(in crate::spm) enum Binding {
    /// It binds them, for each context by itself or globally.
    Bind {
        /// Whether for each context by itself.
        per_context: bool,
    },
    /// It undoes that.
    Unbind,
}

/// The end of an unbinding. A sender may have been destroyed on another core just before something was bound
/// to it: that can be undone; otherwise it is none.
fn known(exists: bool, unbound: Result<(), FfaError>) -> Result<(), FfaError> {
    match exists {
        true => unbound,
        false => unbound.map_err(|_| FfaError::InvalidParameters),
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Both calls, by a partition or by the normal world for one of its endpoints. An error changes
    /// nothing.
    ///
    /// # Errors
    /// INVALID_PARAMETERS for ids that the caller may not use, a sender that there is not, a receiver
    /// without a bitmap, and an empty `bitmap`. DENIED if one is bound, to another, or pending.
    /// NOT_SUPPORTED for a partition without notifications.
    #[cold]
    pub(in crate::spm) fn notification_bind(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Sender,
        ids: Endpoints,
        binding: Binding,
        bitmap: u64,
    ) -> Result<(), FfaError> {
        let Endpoints { sender, receiver } = ids;
        if !self.is_own(caller, receiver) || !Self::is_other(caller, ids, sender) || bitmap == 0 {
            return Err(FfaError::InvalidParameters);
        }
        let exists = match sender.is_secure() {
            true => self.find(sender).is_some(),
            false => sender.0 < 0x7fff,
        };
        match caller {
            Sender::NormalWorld => {
                let all = &self.notifications.normal_world;
                all.with(&mut pe.held, |all, _| {
                    let of = all.find(receiver).ok_or(FfaError::InvalidParameters)?;
                    match binding {
                        Binding::Bind { .. } if !exists => Err(FfaError::InvalidParameters),
                        Binding::Bind { per_context } => {
                            of.receiver.bind(sender, per_context, bitmap)
                        }
                        Binding::Unbind => known(exists, of.receiver.unbind(sender, bitmap)),
                    }
                })
            }
            Sender::Partition(slot) => {
                if !self.has_notifications(slot) {
                    return Err(FfaError::NotSupported);
                }
                let own = self.notifications.of(slot);
                own.with(&mut pe.held, |own, _| {
                    // It has failed on another core, where its notifications were forgotten before.
                    if self.is_buried(slot) {
                        return Err(FfaError::Aborted);
                    }
                    match binding {
                        Binding::Bind { .. } if !exists => Err(FfaError::InvalidParameters),
                        Binding::Bind { per_context } => own.bind(sender, per_context, bitmap),
                        Binding::Unbind => known(exists, own.unbind(sender, bitmap)),
                    }
                })
            }
        }
    }

    /// Whether a partition's manifest says `notification-support`.
    pub(super) fn has_notifications(&self, slot: Slot) -> bool {
        self.info(slot).is_some_and(|info| info.notifications)
    }

    /// A partition has failed: what it has bound, and what is pending for it, is nobody's. Nothing is
    /// bound to it any longer; what it has set stays pending for who receives it.
    #[cold]
    pub(in crate::spm) fn forget_notifications(&self, slot: Slot, held: &mut Held<0>) {
        self.notifications.of(slot).with(held, |own, _| {
            own.clear();
            for index in 0..MAX_CPUS as u16 {
                self.virtuals(slot, index)
                    .with(|queue| queue.clear(Interrupt::NOTIFICATION_PENDING));
            }
        });
        let Some(id) = self.info(slot).map(|info| info.id) else {
            return;
        };
        for of in &self.notifications.partitions {
            of.with(held, |of, _| of.forget_sender(id));
        }
        self.notifications.normal_world.with(held, |all, _| {
            all.all().for_each(|(_, of)| of.receiver.forget_sender(id));
        });
    }
}
