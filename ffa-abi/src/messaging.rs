//! What manifests say of messages: `messaging-method` and the services that are offered (DEN0077A,
//! "Partition manifest").

use crate::uuid::Uuid;

/// The most services (UUIDs) of an endpoint.
pub const MAX_SERVICES: usize = 16;

/// `messaging-method` of an endpoint's manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Messaging(pub u32);

impl Messaging {
    /// Receives `FFA_MSG_SEND_DIRECT_REQ`.
    #[inline(always)]
    pub const fn receives_direct(self) -> bool {
        self.0 & 1 != 0
    }
    /// Sends `FFA_MSG_SEND_DIRECT_REQ`.
    #[inline(always)]
    pub const fn sends_direct(self) -> bool {
        self.0 & 1 << 1 != 0
    }
    /// Sends and receives indirect messages, by `FFA_MSG_SEND2`.
    #[inline(always)]
    pub const fn is_indirect(self) -> bool {
        self.0 & 1 << 2 != 0
    }
    /// Receives `FFA_MSG_SEND_DIRECT_REQ2`.
    #[inline(always)]
    pub const fn receives_direct2(self) -> bool {
        self.0 & 1 << 9 != 0
    }
    /// Sends `FFA_MSG_SEND_DIRECT_REQ2`.
    #[inline(always)]
    pub const fn sends_direct2(self) -> bool {
        self.0 & 1 << 10 != 0
    }
}

/// A protocol that an endpoint offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The protocol's UUID.
    pub uuid: Uuid,
    /// How messages of it are exchanged.
    pub messaging: Messaging,
}
