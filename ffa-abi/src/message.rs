//! Framework messages: direct messages between the components of the framework themselves
//! (DEN0077A, "Framework messages"). They travel as `FFA_MSG_SEND_DIRECT_REQ`/`RESP` with bit 31 of
//! w2 set and the message's number in bits 7:0.

/// Bit 31 of w2: a framework message.
pub const FRAMEWORK_BIT: u32 = 1 << 31;

/// A power-management request of PSCI (SPMD to SPMC, SPMC to partition).
pub const PSCI_REQUEST: u32 = 0;
/// A core has come back from a power state.
pub const WARM_BOOT: u32 = 1;
/// The answer to [`PSCI_REQUEST`] and [`WARM_BOOT`]: w3 holds the status.
pub const POWER_RESPONSE: u32 = 2;
/// The normal world's `FFA_VERSION`, relayed by the SPMD: w3 holds the requested version.
pub const VERSION_REQUEST: u32 = 8;
/// The answer to [`VERSION_REQUEST`]: w3 holds the SPMC's version or NOT_SUPPORTED.
pub const VERSION_RESPONSE: u32 = 9;

/// What w2 of a direct message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A message between partitions: w2 is zero.
    Partition,
    /// A framework message with this number.
    Framework(u8),
}

impl MessageKind {
    /// Reads w2. `None` if a reserved bit is set.
    pub const fn from_w2(w2: u32) -> Option<Self> {
        if w2 == 0 {
            Some(Self::Partition)
        } else if w2 & FRAMEWORK_BIT != 0 && w2 & 0x7fff_ff00 == 0 {
            Some(Self::Framework(w2 as u8))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_bits_are_refused() {
        assert_eq!(MessageKind::from_w2(0), Some(MessageKind::Partition));
        assert_eq!(
            MessageKind::from_w2(0x8000_0008),
            Some(MessageKind::Framework(8))
        );
        for w2 in [1, 0x100, 0x8000_0100, 0xc000_0000, 0x4000_0000] {
            assert_eq!(MessageKind::from_w2(w2), None, "{w2:#x}");
        }
    }
}
