//! `FFA_NOTIFICATION_BITMAP_CREATE` and `FFA_NOTIFICATION_BITMAP_DESTROY`: which endpoints of the normal
//! world receive notifications of partitions.

use super::super::{Pe, Spmc};
use crate::context::Registers;
use ffa_abi::{
    EndpointId, FfaError,
    notifications::{Manager, Receiver},
};

/// The most VMs that have notifications. The hypervisor's, or the OS's, own place is kept for it.
pub const MAX_VM_BITMAPS: usize = if cfg!(feature = "loom") { 0 } else { 16 };
/// The most vCPUs of a VM that has. (A model checker's threads have small stacks, and no VM has any.)
const MAX_VCPUS: usize = if cfg!(feature = "loom") { 1 } else { 64 };

/// The notifications of a VM.
pub type OfVm = Receiver<MAX_VCPUS>;

/// An endpoint of the normal world that may receive notifications.
#[derive(Debug)]
pub(in crate::spm) struct NormalWorldReceiver {
    id: Option<EndpointId>,
    /// How many vCPUs it has.
    pub(super) contexts: u16,
    pub(super) receiver: OfVm,
}

/// The endpoints of the normal world that have a bitmap: the hypervisor, or the OS, in the first place.
#[derive(Debug)]
pub(in crate::spm) struct NormalWorldReceivers([NormalWorldReceiver; MAX_VM_BITMAPS + 1]);

impl NormalWorldReceivers {
    pub(super) const fn new() -> Self {
        Self(
            [const {
                NormalWorldReceiver {
                    id: None,
                    contexts: 0,
                    receiver: Receiver::new(Manager::Spm),
                }
            }; _],
        )
    }

    /// The one with this id, if it has a bitmap.
    pub(super) fn find(&mut self, id: EndpointId) -> Option<&mut NormalWorldReceiver> {
        self.0.iter_mut().find(|of| of.id == Some(id))
    }

    /// All that have a bitmap.
    pub(super) fn all(&mut self) -> impl Iterator<Item = (EndpointId, &mut NormalWorldReceiver)> {
        self.0.iter_mut().filter_map(|of| Some((of.id?, of)))
    }

    /// A free place for `id`.
    fn free(&mut self, id: EndpointId) -> Option<&mut NormalWorldReceiver> {
        let (own, vms) = self.0.split_first_mut()?;
        match id {
            EndpointId::HYPERVISOR => Some(own),
            _ => vms.iter_mut().find(|of| of.id.is_none()),
        }
    }

    fn create(&mut self, id: EndpointId, contexts: u32) -> Result<(), FfaError> {
        if !(id.is_vm() || id == EndpointId::HYPERVISOR) || contexts == 0 {
            return Err(FfaError::InvalidParameters);
        }
        if self.find(id).is_some() {
            return Err(FfaError::Denied);
        }
        let contexts = u16::try_from(contexts).ok();
        let contexts = contexts.filter(|count| usize::from(*count) <= MAX_VCPUS);
        let (contexts, place) = contexts.zip(self.free(id)).ok_or(FfaError::NoMemory)?;
        place.id = Some(id);
        place.contexts = contexts;
        Ok(())
    }

    fn destroy(&mut self, id: EndpointId) -> Result<(), FfaError> {
        if !(id.is_vm() || id == EndpointId::HYPERVISOR) {
            return Err(FfaError::InvalidParameters);
        }
        let place = self.find(id).ok_or(FfaError::Denied)?;
        if place.receiver.is_pending() {
            return Err(FfaError::Denied);
        }
        place.clear();
        Ok(())
    }

    /// These have a bitmap, with so many vCPUs, and nobody else.
    #[cfg(any(test, feature = "snapshot"))]
    pub(super) fn restore<'n>(
        &mut self,
        noted: impl IntoIterator<Item = (EndpointId, u16, &'n OfVm)>,
    ) {
        self.0.iter_mut().for_each(NormalWorldReceiver::clear);
        for (id, contexts, receiver) in noted {
            if let Some(place) = self.free(id) {
                place.id = Some(id);
                place.contexts = contexts;
                place.receiver.clone_from(receiver);
            }
        }
    }
}

impl NormalWorldReceiver {
    fn clear(&mut self) {
        self.id = None;
        self.contexts = 0;
        self.receiver.clear();
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_NOTIFICATION_BITMAP_CREATE`: `vm`, which has so many vCPUs, receives notifications.
    ///
    /// # Errors
    /// INVALID_PARAMETERS if it is no endpoint of the normal world or has no vCPU, DENIED if it has a
    /// bitmap, NO_MEMORY without room for it or for that many vCPUs.
    #[cold]
    pub(in crate::spm) fn bitmap_create(
        &self,
        pe: &mut Pe<'c, M>,
        vm: EndpointId,
        contexts: u32,
    ) -> Result<(), FfaError> {
        let all = &self.notifications.normal_world;
        all.with(&mut pe.held, |all, _| all.create(vm, contexts))
    }

    /// `FFA_NOTIFICATION_BITMAP_DESTROY`: `vm` receives none any more, and what it bound is forgotten.
    ///
    /// # Errors
    /// INVALID_PARAMETERS if it is no endpoint of the normal world, DENIED if it has no bitmap or something
    /// is pending.
    #[cold]
    pub(in crate::spm) fn bitmap_destroy(
        &self,
        pe: &mut Pe<'c, M>,
        vm: EndpointId,
    ) -> Result<(), FfaError> {
        let all = &self.notifications.normal_world;
        all.with(&mut pe.held, |all, _| all.destroy(vm))
    }
}
