//! Taking the notifications apart and putting them together again, for tests that go on from a state that
//! they have noted.

use super::{super::Spmc, OfPartition, bitmaps::OfVm};
use crate::{
    context::{Registers, Slot},
    locks,
};
use ffa_abi::EndpointId;

impl<M: Registers> Spmc<'_, M> {
    /// Shows `look` the notifications of a partition.
    pub fn notifications<R>(&self, slot: Slot, look: impl FnOnce(&OfPartition) -> R) -> R {
        locks::run(|held| self.notifications.of(slot).with(held, |own, _| look(own)))
    }

    /// Goes back to what was noted of them.
    pub fn set_notifications(&self, slot: Slot, noted: &OfPartition) {
        locks::run(|held| {
            let own = self.notifications.of(slot);
            own.with(held, |own, _| own.clone_from(noted));
        });
    }

    /// Shows `look` each endpoint of the normal world that has a bitmap, how many vCPUs it has, and its
    /// notifications.
    pub fn normal_world_notifications(&self, mut look: impl FnMut(EndpointId, u16, &OfVm)) {
        let all = &self.notifications.normal_world;
        locks::run(|held| {
            all.with(held, |all, _| {
                all.all()
                    .for_each(|(id, of)| look(id, of.contexts, &of.receiver));
            });
        });
    }

    /// Goes back to what was noted of them: these have a bitmap, and nobody else.
    pub fn set_normal_world_notifications<'n>(
        &self,
        noted: impl IntoIterator<Item = (EndpointId, u16, &'n OfVm)>,
    ) {
        let all = &self.notifications.normal_world;
        locks::run(|held| all.with(held, |all, _| all.restore(noted)));
    }
}
