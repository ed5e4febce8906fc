//! Partition discovery (DEN0077A, "Partition discovery"): `FFA_PARTITION_INFO_GET` and
//! `FFA_PARTITION_INFO_GET_REGS`.
//!
//! Both tell of the same list: the partitions in the order of their slots, one descriptor for each
//! service that the query asks for, and, for partitions only, EL3's logical partitions behind them.

use super::{Machine, Partition, Spmc, mailbox::Mailbox};
use crate::{
    context::{Messaging, Registers, Slot},
    locks::Held,
};
use core::sync::atomic::Ordering;
use ffa_abi::{
    EndpointId, FfaError, Regs, Reply, Uuid, Version,
    contract::Mode,
    fid::raw,
    partition_info::{
        DescriptorLayout, InfoCount, InfoRegs, PartitionInfo, PartitionProperties as Properties,
    },
};
use heapless::Vec;

/// The most logical partitions of EL3 that are told of.
const MAX_LOGICAL: usize = 16;

/// EL3's logical partitions.
type Logical = Vec<PartitionInfo, MAX_LOGICAL>;

/// What is asked, and by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    /// A service, an image, or nil for all.
    pub uuid: Uuid,
    /// The asker's version.
    pub version: Version,
    /// `None`: the normal world asks.
    pub partition: Option<Slot>,
}

impl Query {
    /// What the asker may know of a partition with these properties.
    fn visible(&self, properties: Properties) -> Properties {
        let properties = properties & Properties::known(self.version);
        match self.partition {
            // Nor is it a partition's what another is told of VMs.
            Some(_) => properties - Properties::VM_CREATED - Properties::VM_DESTROYED,
            // What a partition sends is not the normal world's business: nothing is sent to it.
            None => properties - Properties::SENDS_DIRECT - Properties::SENDS_DIRECT2,
        }
    }

    /// A descriptor of a service of `of` as the asker gets it; `None` if it did not ask for it.
    fn describe(&self, of: PartitionInfo) -> Option<PartitionInfo> {
        let of = PartitionInfo {
            properties: self.visible(of.properties),
            ..of
        };
        // What was asked for is not told again.
        if self.uuid.is_nil() {
            Some(of)
        } else if self.version >= Version::V1_3 && self.uuid == of.image {
            Some(PartitionInfo {
                image: Uuid::NIL,
                ..of
            })
        } else if self.uuid == of.protocol {
            Some(PartitionInfo {
                protocol: Uuid::NIL,
                ..of
            })
        } else {
            None
        }
    }

    /// Whether the asker gets one descriptor for each partition, not for each service.
    fn one_each(&self) -> bool {
        self.uuid.is_nil() && !self.version.has_extended_registers()
    }
}

/// The properties that messaging methods are told as.
fn methods(messaging: Messaging) -> Properties {
    let mut properties = Properties::AARCH64;
    properties.set(Properties::RECEIVES_DIRECT, messaging.receives_direct());
    properties.set(Properties::SENDS_DIRECT, messaging.sends_direct());
    properties.set(Properties::RECEIVES_DIRECT2, messaging.receives_direct2());
    properties.set(Properties::SENDS_DIRECT2, messaging.sends_direct2());
    properties
}

impl<M> Partition<'_, M> {
    /// Its descriptors as `query` asks for them.
    fn descriptors(&self, query: Query) -> impl Iterator<Item = PartitionInfo> {
        let version = self.version.get();
        let wide = version >= Version::V1_3 || self.info.mode == Mode::SmcccStrict;
        let (count, all) = match query.one_each() {
            true => (1, Some(self.info.messaging)),
            false => (usize::MAX, None),
        };
        let alive = !self.life.is_destroyed();
        let told = match self.info.messaging.receives_direct() {
            true => self.vm_events().properties(),
            false => Properties::empty(),
        };
        let services = self.info.services.iter().filter(move |_| alive);
        services.take(count).filter_map(move |service| {
            let messaging = all.unwrap_or(service.messaging);
            let mut properties = methods(messaging) | told;
            let indirect = messaging.is_indirect() && version >= Version::V1_1;
            properties.set(Properties::INDIRECT, indirect);
            properties.set(Properties::WIDE_CYCLES, wide);
            properties.set(Properties::NOTIFICATIONS, self.info.notifications);
            query.describe(PartitionInfo {
                id: self.info.id,
                contexts: self.info.contexts,
                properties,
                protocol: service.uuid,
                image: self.info.image,
                version: Some(version),
            })
        })
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// The list that `query` asks for.
    fn list<'a>(
        &'a self,
        query: Query,
        logical: &'a Logical,
    ) -> impl Iterator<Item = PartitionInfo> + 'a {
        let own = self
            .partitions
            .iter()
            .flat_map(move |partition| partition.descriptors(query));
        let logical = logical.iter().filter_map(move |info| query.describe(*info));
        own.chain(logical)
    }

    /// `FFA_PARTITION_INFO_GET`.
    pub(super) fn partition_info(
        &self,
        query: Query,
        count_only: bool,
        machine: &mut impl Machine,
        held: &mut Held<0>,
    ) -> Result<Reply, FfaError> {
        let logical = logical_for(query, machine);
        let mut count = self.list(query, &logical).count();
        if count == 0 {
            return Err(FfaError::InvalidParameters);
        }
        if !count_only {
            match query.partition {
                Some(slot) => {
                    let partition = self.partitions.get(slot.index()).ok_or(FfaError::Busy)?;
                    count = partition.mailbox.with(held, |mailbox, _| {
                        let mailbox = mailbox.as_mut().ok_or(FfaError::Busy)?;
                        self.write_list(query, &logical, count, mailbox, machine)
                    })?;
                }
                None => {
                    count = self.with_normal_world(held, |mailboxes, _| {
                        let mailbox = mailboxes
                            .find(EndpointId::HYPERVISOR)
                            .ok_or(FfaError::Busy)?;
                        self.write_list(query, &logical, count, mailbox, machine)
                    })?;
                }
            }
        }
        let told = query.version >= Version::V1_1 && !count_only;
        let size = match told {
            true => DescriptorLayout::of(query.version).bytes() as u32,
            false => 0,
        };
        // A bounded number of partitions with a bounded number of services.
        let count = count as u32;
        Ok(InfoCount { count, size }.success())
    }

    /// Writes the list into an RX buffer; gives the number of descriptors, which is less than `count`
    /// if a partition was destroyed meanwhile. After an error the buffer is the SPMC's as before.
    fn write_list(
        &self,
        query: Query,
        logical: &Logical,
        count: usize,
        mailbox: &mut Mailbox,
        machine: &mut impl Machine,
    ) -> Result<usize, FfaError> {
        let layout = DescriptorLayout::of(query.version);
        let mut writer = mailbox.writable()?;
        if !writer.fits(count.saturating_mul(layout.bytes())) {
            return Err(FfaError::NoMemory);
        }
        let mut written = 0;
        for info in self.list(query, logical).take(count) {
            let mut bytes = [0; 48];
            let size = info.write(layout, &mut bytes).unwrap_or_default();
            writer.push(machine, bytes.get(..size).unwrap_or_default())?;
            written += 1;
        }
        writer.finish(machine)?;
        Ok(written)
    }

    /// `FFA_PARTITION_INFO_GET_REGS`: x0-x17 of the answer. The tag counts how often a partition
    /// was destroyed, so that who asks in several calls sees that the list has changed.
    pub(super) fn partition_info_regs(
        &self,
        query: Query,
        start: u16,
        tag: u16,
        machine: &mut impl Machine,
    ) -> Result<Regs, FfaError> {
        if !query.version.has_extended_registers() {
            return Err(FfaError::NotSupported);
        }
        let current = self.destroyed.load(Ordering::Relaxed) as u16;
        let wanted = if start == 0 { 0 } else { current };
        if tag != wanted {
            return Err(FfaError::Retry);
        }
        let logical = logical_for(query, machine);
        let count = self.list(query, &logical).count() as u16;
        let rest = self.list(query, &logical).skip(start.into());
        let layout = DescriptorLayout::of(query.version);
        InfoRegs::new(layout, count, start, current, rest)
            .map(|info| info.encode())
            .ok_or(FfaError::InvalidParameters)
    }
}

/// EL3's logical partitions, which only partitions are told of.
fn logical_for(query: Query, machine: &mut impl Machine) -> Logical {
    match query.partition {
        Some(_) => logical(machine),
        None => Logical::new(),
    }
}

/// Asks the SPMD for EL3's logical partitions. One that has none says NOT_SUPPORTED; what makes no
/// sense ends the list.
fn logical(machine: &mut impl Machine) -> Logical {
    let mut found = Logical::new();
    let mut tag = 0;
    while let Ok(start) = u16::try_from(found.len()) {
        let mut regs = Regs::ZERO;
        regs[0] = raw::PARTITION_INFO_GET_REGS.into();
        regs[3] = u64::from(start) | u64::from(tag) << 16;
        machine.el3(&mut regs);
        if regs.w::<0>() != raw::SUCCESS_64 {
            break;
        }
        let Some(info) = InfoRegs::decode(&regs) else {
            break;
        };
        tag = info.tag;
        let before = found.len();
        for descriptor in info.descriptors(start) {
            if descriptor.id.is_el3_logical() && found.push(descriptor).is_err() {
                return found;
            }
        }
        // No progress, or the last one.
        if found.len() == before || info.current >= info.last {
            break;
        }
    }
    found
}
