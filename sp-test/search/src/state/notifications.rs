//! What is remembered of notifications and of RX buffers.

use super::{SLOTS, VMS};

/// The most notifications of a world.
pub const BITS: usize = 4;
/// The most RX buffers: of each partition, of the OS, of each VM.
pub const BUFFERS: usize = SLOTS + 1 + VMS;

/// Pending for the receiver as a whole, and not for one of its contexts.
pub const GLOBAL: u8 = 1 << 7;

/// A notification of the world's list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bit {
    /// Whether its receiver has bound it to its sender.
    pub bound: bool,
    /// For which contexts it is pending, one bit for each, or [`GLOBAL`].
    pub pending: u8,
    /// For which of those something is pending, this or another one of its class, that the
    /// scheduler was not told of.
    pub news: u8,
}

impl Bit {
    /// Whether it is pending for a context.
    pub const fn is_for(self, context: u16) -> bool {
        self.pending & (GLOBAL | 1 << context) != 0
    }
}

/// What the scheduler knows of a message that was not read of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unread {
    /// Nothing.
    New,
    /// It was told.
    Told,
}

/// Who has written what is in RX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writer {
    /// The SPMC.
    Spmc,
    /// The proxy, into that of its VM.
    Proxy,
}

/// Whose an RX buffer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rx {
    /// There is none.
    #[default]
    None,
    /// Whoever has a message for its owner may write it.
    Empty,
    /// Its owner's.
    Full(Writer),
    /// The normal world's OS has it, to write for a VM.
    Acquired,
}

/// What is remembered of notifications and of RX buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notes {
    /// Notifications, by their place in the world's list.
    pub bits: [Bit; BITS],
    /// RX buffers: of partitions, of the OS, of VMs.
    pub rx: [Rx; BUFFERS],
    /// The framework's notification that there is a message, if its owner has not read it: the SPMC's, and
    /// the proxy's.
    pub unread: [[Option<Unread>; 2]; BUFFERS],
}

impl Notes {
    /// Nothing is bound, and nobody has a buffer.
    pub const NONE: Self = Self {
        bits: [Bit {
            bound: false,
            pending: 0,
            news: 0,
        }; BITS],
        rx: [Rx::None; BUFFERS],
        unread: [[None; 2]; BUFFERS],
    };
}
