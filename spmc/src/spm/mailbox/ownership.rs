//! `FFA_RX_RELEASE`, `FFA_RX_ACQUIRE`, and what waiting does to an RX buffer.

use super::{super::Spmc, Rx};
use crate::{
    context::{Registers, Slot},
    locks::Held,
};
use ffa_abi::{EndpointId, FfaError};

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_RX_RELEASE` by a partition.
    pub(in crate::spm) fn rx_release_by_partition(
        &self,
        slot: Slot,
        vm: EndpointId,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        if vm.0 != 0 {
            return Err(FfaError::InvalidParameters);
        }
        let partition = self.partitions.get(slot.index()).ok_or(FfaError::Denied)?;
        partition.mailbox.with(held, |mailbox, held| {
            let mailbox = mailbox.as_mut().ok_or(FfaError::Denied)?;
            // First it reads that a message lies there.
            if self.has_unread_rx_full(partition.info.id, held) {
                return Err(FfaError::Denied);
            }
            mailbox.release()
        })
    }

    /// A partition waits: its RX buffer is the SPMC's again, unless a message lies there of which it has
    /// not read: that came while it was about to wait.
    #[cold]
    #[inline(never)]
    pub(in crate::spm) fn release_on_wait(&self, slot: Slot, held: &mut Held<0>) {
        if let Some(partition) = self.partitions.get(slot.index()) {
            partition.mailbox.with(held, |mailbox, held| {
                if let Some(mailbox) = mailbox
                    && mailbox.state == Rx::Full
                    && !self.has_unread_rx_full(partition.info.id, held)
                {
                    mailbox.state = Rx::Empty;
                }
            });
        }
    }

    /// `FFA_RX_RELEASE` by the normal world.
    pub(in crate::spm) fn rx_release_by_normal_world(
        &self,
        vm: EndpointId,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        self.with_normal_world(held, |mailboxes, held| match mailboxes.find(vm) {
            // First it reads that a message lies there.
            Some(_) if self.has_unread_rx_full(vm, held) => Err(FfaError::Denied),
            Some(mailbox) => mailbox.release(),
            None if vm == EndpointId::HYPERVISOR => Err(FfaError::Denied),
            None => Err(FfaError::InvalidParameters),
        })
    }

    /// `FFA_RX_ACQUIRE` by the normal world.
    pub(in crate::spm) fn rx_acquire(
        &self,
        vm: EndpointId,
        held: &mut Held<0>,
    ) -> Result<(), FfaError> {
        if vm.is_secure() {
            return Err(FfaError::NotSupported);
        }
        if vm == EndpointId::HYPERVISOR {
            return Err(FfaError::InvalidParameters);
        }
        self.with_normal_world(held, |mailboxes, _| {
            let mailbox = mailboxes.find(vm).ok_or(FfaError::InvalidParameters)?;
            if mailbox.state != Rx::Empty {
                return Err(FfaError::Denied);
            }
            mailbox.state = Rx::Acquired;
            Ok(())
        })
    }
}
