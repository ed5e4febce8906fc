//! Notifications (DEN0077A, "Notifications"): those of partitions, from partitions and VMs, and those
//! that endpoints of the normal world have from partitions. Between VMs they are the hypervisor's.
//!
//! What is bound and pending stands in a [`Receiver`] for each endpoint, each partition's under a lock
//! of its own, the normal world's under one. Here stands who may make which call for whom, and how a
//! receiver hears of what is pending:
//!
//! | the receiver | hears of it by |
//! | --- | --- |
//! | a partition | the notification pending interrupt (NPI), a virtual one of each context for which something is pending |
//! | a partition at S-EL0 | nothing: it asks when it runs |
//! | an endpoint of the normal world | its scheduler |
//!
//! Nobody is woken, and nobody preempted, for an NPI: a partition that waits stays so until the normal
//! world's scheduler, which is told by the schedule receiver interrupt and asks with
//! `FFA_NOTIFICATION_INFO_GET`, gives it cycles. Whoever enters it, it finds its line raised: what sets a
//! notification does that work, no message's path does. The NPI is pending until the context takes it,
//! or nothing is pending for it any more.

mod bind;
mod bitmaps;
mod calls;
mod get;
mod info;
mod set;
mod signal;
#[cfg(any(test, feature = "snapshot"))]
mod snapshot;

use super::{Spmc, direct::Sender};
use crate::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{Registers, Slot},
    locks::{self, Lock},
    sync::{array, constructor},
};
use bitmaps::NormalWorldReceivers;
use ffa_abi::{
    EndpointId,
    id::Endpoints,
    notifications::{Manager, Receiver},
};
pub(super) use signal::Contexts;

/// The notifications of a partition.
type OfPartition = Receiver<MAX_CPUS>;

/// The notifications of all endpoints.
#[derive(Debug)]
pub(super) struct Notifications {
    /// Of each partition. One without `notification-support` has none.
    partitions: [Lock<OfPartition, { locks::NOTIFICATIONS }>; MAX_PARTITIONS],
    /// Of the normal world's endpoints.
    normal_world: Lock<NormalWorldReceivers, { locks::NOTIFICATIONS }>,
}

impl Notifications {
    constructor! {
        /// Nothing is bound, and nobody of the normal world has a bitmap.
        pub(super) fn new() -> Self {
            Self {
                partitions: array!(Lock::new(Receiver::new(Manager::Spm))),
                normal_world: Lock::new(const { NormalWorldReceivers::new() }),
            }
        }
    }

    /// Those of a partition.
    #[inline(always)]
    fn of(&self, slot: Slot) -> &Lock<OfPartition, { locks::NOTIFICATIONS }> {
        &self.partitions[slot.index()]
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Whether the caller may send to, or receive from, `other`: not itself, and the normal world only
    /// partitions. What is between VMs is the hypervisor's.
    fn is_other(caller: Sender, ids: Endpoints, other: EndpointId) -> bool {
        let reaches = match caller {
            Sender::NormalWorld => other.is_secure(),
            Sender::Partition(_) => true,
        };
        reaches && ids.sender != ids.receiver
    }
}
