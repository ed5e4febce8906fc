//! Taking the notifications apart and putting them together again, for tests that go on from a state that
//! they have noted.

use super::{
    super::Spmc,
    OfPartition,
    bitmaps::{MAX_VM_BITMAPS, OfVm},
};
use crate::{
    context::{Registers, Slot},
    locks,
};
use ffa_abi::EndpointId;
use heapless::Vec;

/// The endpoints of the normal world that have a bitmap, how many vCPUs each has, and its notifications.
pub type NormalWorldNotifications = Vec<(EndpointId, u16, OfVm), { MAX_VM_BITMAPS + 1 }>;

impl<M: Registers> Spmc<'_, M> {
    /// The notifications of a partition.
    pub fn notifications(&self, slot: Slot) -> OfPartition {
        locks::run(|held| self.notifications.of(slot).with(held, |own, _| own.clone()))
    }

    /// Goes back to what was noted of them.
    pub fn set_notifications(&self, slot: Slot, noted: &OfPartition) {
        locks::run(|held| {
            let own = self.notifications.of(slot);
            own.with(held, |own, _| own.clone_from(noted));
        });
    }

    /// The notifications of the normal world's endpoints.
    pub fn normal_world_notifications(&self) -> NormalWorldNotifications {
        let all = &self.notifications.normal_world;
        locks::run(|held| all.with(held, |all, _| all.note()))
    }

    /// Goes back to what was noted of them.
    pub fn set_normal_world_notifications(&self, noted: &NormalWorldNotifications) {
        let all = &self.notifications.normal_world;
        locks::run(|held| all.with(held, |all, _| all.restore(noted)));
    }
}
