//! The services of VMs, as they are discovered.

use super::Query;
use crate::vm::Vm;
use ffa_abi::{
    Uuid,
    messaging::Messaging,
    partition_info::{PartitionInfo, PartitionProperties},
};

/// The services of VMs that a query asks for.
pub(super) trait Vms {
    /// The descriptor with this number; `None` beyond the last.
    fn nth(&self, query: &Query, number: usize) -> Option<PartitionInfo>;

    /// How many there are.
    fn count(&self, query: &Query) -> usize {
        let mut number = 0usize;
        while self.nth(query, number).is_some() {
            number = number.saturating_add(1);
        }
        number
    }
}

/// The proxy's VMs.
pub(super) struct Slice<'a, 'v, R>(pub &'a [Vm<'v, R>]);

impl<R> Vms for Slice<'_, '_, R> {
    fn nth(&self, query: &Query, number: usize) -> Option<PartitionInfo> {
        let mut all = self.0.iter().flat_map(|vm| vm.descriptors(query));
        all.nth(number)
    }
}

impl<R> Vm<'_, R> {
    /// Its services as a query asks for them.
    fn descriptors(&self, query: &Query) -> impl Iterator<Item = PartitionInfo> {
        let version = self.version.get();
        let messaging = |messaging: Messaging| {
            let mut properties = PartitionProperties::AARCH64;
            properties.set(
                PartitionProperties::RECEIVES_DIRECT,
                messaging.receives_direct(),
            );
            properties.set(PartitionProperties::SENDS_DIRECT, messaging.sends_direct());
            properties.set(PartitionProperties::INDIRECT, messaging.is_indirect());
            properties.set(
                PartitionProperties::RECEIVES_DIRECT2,
                messaging.receives_direct2(),
            );
            properties.set(
                PartitionProperties::SENDS_DIRECT2,
                messaging.sends_direct2(),
            );
            properties
        };
        let wide = self.wide_cycles();
        let notified = self.is_notified();
        let uuid = query.uuid;
        let services = self.info.services.iter();
        let services = services.filter(move |service| uuid.is_nil() || service.uuid == uuid);
        services.map(move |service| {
            let mut properties = messaging(service.messaging);
            properties.set(PartitionProperties::WIDE_CYCLES, wide);
            properties.set(PartitionProperties::NOTIFICATIONS, notified);
            PartitionInfo {
                id: self.info.id,
                contexts: self.info.vcpus.into(),
                properties,
                // What was asked for is not told again.
                protocol: if uuid.is_nil() {
                    service.uuid
                } else {
                    Uuid::NIL
                },
                image: Uuid::NIL,
                version: Some(version),
            }
        })
    }

    pub(super) fn query(&self, uuid: Uuid) -> Query {
        Query {
            uuid,
            version: self.version.get(),
        }
    }
}
