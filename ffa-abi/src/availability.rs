//! VM availability messages (DEN0077A 1.1, "VM availability messages"): a hypervisor tells partitions
//! which VMs come and go. Which of both a partition wants to be told of stands in
//! `vm-availability-messages` of its manifest and in its [properties](PartitionProperties).
//!
//! The messages themselves are [`Framework`] messages. It never decides who may send or gets them.

use crate::{
    id::EndpointId,
    memory::Handle,
    message::{Framework, VM_CREATED, VM_CREATED_RESPONSE, VM_DESTROYED, VM_DESTROYED_RESPONSE},
    partition_info::PartitionProperties,
};
use bitflags::bitflags;

/// What has happened to a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VmEvent {
    /// It was created.
    Created,
    /// It was destroyed.
    Destroyed,
}

impl VmEvent {
    /// The number of the message that tells of it.
    pub const fn request(self) -> u32 {
        match self {
            Self::Created => VM_CREATED,
            Self::Destroyed => VM_DESTROYED,
        }
    }

    /// The number of the answer to that message.
    pub const fn response(self) -> u32 {
        match self {
            Self::Created => VM_CREATED_RESPONSE,
            Self::Destroyed => VM_DESTROYED_RESPONSE,
        }
    }

    /// The event that a message tells of; `None` if it is no VM availability request.
    pub const fn of_request(number: u8) -> Option<Self> {
        match number as u32 {
            VM_CREATED => Some(Self::Created),
            VM_DESTROYED => Some(Self::Destroyed),
            _ => None,
        }
    }

    /// The event that a message answers; `None` if it is no VM availability response.
    pub const fn of_response(number: u8) -> Option<Self> {
        match number as u32 {
            VM_CREATED_RESPONSE => Some(Self::Created),
            VM_DESTROYED_RESPONSE => Some(Self::Destroyed),
            _ => None,
        }
    }

    /// The message that tells of it: `vm` is the VM's id, `handle` names memory with more about it,
    /// or is [`Handle::INVALID`].
    pub const fn message(self, vm: EndpointId, handle: Handle) -> Framework {
        match self {
            Self::Created => Framework::VmCreated { handle, vm },
            Self::Destroyed => Framework::VmDestroyed { handle, vm },
        }
    }

    /// The one bit that subscribes to it.
    pub const fn subscription(self) -> VmEvents {
        match self {
            Self::Created => VmEvents::CREATED,
            Self::Destroyed => VmEvents::DESTROYED,
        }
    }
}

bitflags! {
    /// `vm-availability-messages` of a partition's manifest: what it wants to be told of.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct VmEvents: u32 {
        /// VMs that are created.
        const CREATED = 1 << 0;
        /// VMs that are destroyed.
        const DESTROYED = 1 << 1;
    }
}

impl VmEvents {
    /// Whether a partition is told of `event`.
    pub const fn has(self, event: VmEvent) -> bool {
        self.contains(event.subscription())
    }

    /// What a partition's properties say.
    pub const fn of(properties: PartitionProperties) -> Self {
        let mut events = Self::empty();
        if properties.contains(PartitionProperties::VM_CREATED) {
            events = events.union(Self::CREATED);
        }
        if properties.contains(PartitionProperties::VM_DESTROYED) {
            events = events.union(Self::DESTROYED);
        }
        events
    }

    /// What a partition's properties are to say.
    pub const fn properties(self) -> PartitionProperties {
        let mut properties = PartitionProperties::empty();
        if self.contains(Self::CREATED) {
            properties = properties.union(PartitionProperties::VM_CREATED);
        }
        if self.contains(Self::DESTROYED) {
            properties = properties.union(PartitionProperties::VM_DESTROYED);
        }
        properties
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Endpoints;

    const IDS: Endpoints = Endpoints {
        sender: EndpointId::HYPERVISOR,
        receiver: EndpointId(0x8001),
    };

    #[test]
    fn requests_and_answers_by_the_table() {
        for (event, request, response, bit, property) in [
            (VmEvent::Created, 4, 5, 1, 1 << 6),
            (VmEvent::Destroyed, 6, 7, 2, 1 << 7),
        ] {
            assert_eq!((event.request(), event.response()), (request, response));
            assert_eq!(event.subscription().bits(), bit);
            assert_eq!(event.subscription().properties().bits(), property);
            let regs = event.message(EndpointId(3), Handle::INVALID).encode(IDS);
            assert_eq!(regs[2], 1 << 31 | u64::from(request));
            assert_eq!(regs.0[3..6], [0xffff_ffff, 0xffff_ffff, 3]);
        }
        let known = |of: fn(u8) -> Option<VmEvent>| (0..=255).filter(move |n| of(*n).is_some());
        assert_eq!(known(VmEvent::of_request).collect::<Vec<u8>>(), [4, 6]);
        assert_eq!(known(VmEvent::of_response).collect::<Vec<u8>>(), [5, 7]);
    }

    #[test]
    fn subscriptions_and_properties_say_the_same() {
        for bits in 0..4 {
            let events = VmEvents::from_bits(bits).unwrap();
            assert_eq!(VmEvents::of(events.properties()), events);
            assert_eq!(events.has(VmEvent::Created), bits & 1 != 0);
            assert_eq!(events.has(VmEvent::Destroyed), bits & 2 != 0);
        }
        assert_eq!(VmEvents::from_bits(4), None);
        assert_eq!(
            VmEvents::of(PartitionProperties::AARCH64),
            VmEvents::empty()
        );
    }
}
