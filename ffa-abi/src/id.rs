//! Endpoint identifiers and target information (DEN0077A, chapter "Identification").

use core::fmt;

/// A 16-bit endpoint identifier. Bit 15 is set for the secure world.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct EndpointId(pub u16);

impl EndpointId {
    /// The normal world's hypervisor, or its OS kernel where there is no hypervisor.
    pub const HYPERVISOR: Self = Self(0);
    /// The secure partition manager core.
    pub const SPMC: Self = Self(0x8000);
    /// The secure partition manager dispatcher in EL3.
    pub const SPMD: Self = Self(0xffff);

    /// Whether bit 15 says that the endpoint is in the secure world.
    pub const fn is_secure(self) -> bool {
        self.0 & 0x8000 != 0
    }

    /// Whether this is the range of EL3's logical partitions, 0xffc0 to 0xfffe.
    pub const fn is_el3_logical(self) -> bool {
        self.0 >= 0xffc0 && self.0 != 0xffff
    }

    /// Whether a secure partition may carry this identifier.
    pub const fn is_partition(self) -> bool {
        self.0 > Self::SPMC.0 && self.0 < 0xffc0
    }

    /// Whether a VM may carry this identifier: 1 to 0x7ffe.
    pub const fn is_vm(self) -> bool {
        self.0 != 0 && self.0 < 0x7fff
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// An endpoint and one of its execution contexts, as in w1 of `FFA_RUN`, `FFA_INTERRUPT`,
/// `FFA_YIELD` and `FFA_ERROR`: endpoint in bits 31:16, context in bits 15:0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetInfo {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The index of the execution context.
    pub context: u16,
}

impl TargetInfo {
    /// Reads it from x1; the upper half is ignored.
    pub const fn from_register(x1: u64) -> Self {
        Self {
            endpoint: EndpointId((x1 >> 16) as u16),
            context: x1 as u16,
        }
    }

    /// The value for x1.
    pub const fn register(self) -> u64 {
        (self.endpoint.0 as u64) << 16 | self.context as u64
    }
}

/// Sender and receiver, as in w1 of the direct messages: sender in bits 31:16, receiver in 15:0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Who sends.
    pub sender: EndpointId,
    /// Who receives.
    pub receiver: EndpointId,
}

impl Endpoints {
    /// Reads them from x1; the upper half is ignored.
    pub const fn from_register(x1: u64) -> Self {
        Self {
            sender: EndpointId((x1 >> 16) as u16),
            receiver: EndpointId(x1 as u16),
        }
    }

    /// The value for x1.
    pub const fn register(self) -> u64 {
        (self.sender.0 as u64) << 16 | self.receiver.0 as u64
    }

    /// The ids of the answer.
    pub const fn reversed(self) -> Self {
        Self {
            sender: self.receiver,
            receiver: self.sender,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_identifiers() {
        assert!(!EndpointId::HYPERVISOR.is_vm() && !EndpointId(0x7fff).is_vm());
        assert!(EndpointId(1).is_vm() && EndpointId(0x7ffe).is_vm());
        assert!(!EndpointId::SPMC.is_partition() && EndpointId(0x8001).is_partition());
        assert!(EndpointId(0xffbf).is_partition() && !EndpointId(0xffc0).is_partition());
        assert!(EndpointId(0xffc0).is_el3_logical() && !EndpointId::SPMD.is_el3_logical());
    }

    #[test]
    fn upper_halves_are_ignored_and_written_zero() {
        let x1 = 0xdead_beef_8001_0003;
        assert_eq!(TargetInfo::from_register(x1).register(), 0x8001_0003);
        let ids = Endpoints::from_register(x1);
        assert_eq!((ids.sender.0, ids.receiver.0), (0x8001, 3));
        assert_eq!(ids.reversed().register(), 0x0003_8001);
    }
}
