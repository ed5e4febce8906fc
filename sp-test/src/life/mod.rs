//! The life and death of partitions: what the suite `lifecycle` says to `sp-life` and `sp-keep`.
//!
//! `sp-life` speaks FF-A 1.3 with a single context and dies in every way that a client asks for. Its memory
//! is as new after each restart, so it knows nothing of its earlier lives; `sp-keep` counts them, and keeps
//! for it what it has to do in the next one.
//!
//! A *command* is a request of any kind whose first payload register is [`MAGIC`] with a number in its lower
//! eight bits; arguments follow. The first register of the answer's payload is a [status](crate::protocol)
//! and details follow. Any other request is an ordinary message.

use crate::abi::{ABORTED, BUSY, INVALID_PARAMETERS, UuidWords};

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod keeper;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod partition;

/// The upper 24 bits of a command, which fits in 32.
pub const MAGIC: u64 = 0x6c69_6600;

/// Command (by `DIRECT_REQ2`): answers [`state`]'s registers.
pub const STATE: u8 = 1;
/// Command: dies in the [form](ABORT_64) of the first argument, after as many `FFA_YIELD` as the second
/// says. If it lives on, answers x0 and x2 of what came back.
pub const DIE: u8 = 2;
/// Command: dies so when FFA_RUN ends its next wait.
pub const DIE_IN_RUN: u8 = 3;
/// Command: FFA_ABORT in the form of the first argument, with 1 in the register that the second names;
/// answers how that register check went: register, got, wanted.
pub const BAD_ABORT: u8 = 4;
/// Command: FFA_ERROR with ABORTED, which is for the initialisation only; answers as the last.
pub const LATE_ERROR: u8 = 5;
/// Command: maps its RX/TX pair; answers x0 and x2.
pub const MAP: u8 = 6;
/// Command: touches the address of the first argument by [`READ`](crate::protocol::READ),
/// [`WRITE`](crate::protocol::WRITE) or [`EXECUTE`](crate::protocol::EXECUTE); answers whether that
/// faulted, ESR_EL1 (or what was read), FAR_EL1.
pub const PROBE: u8 = 7;
/// Command: spins for as many ticks as the first argument says, 0 for ever; dies then, if the second is 1.
pub const SPIN: u8 = 8;

/// Command to `sp-keep`: the partition of the first argument does [this](Order) in its next life, with the
/// third argument.
pub const KEEP: u8 = 0x41;
/// Command to `sp-keep`: the sender begins a life. Answers what it has to do, with which argument, and which
/// life it is, from 1.
pub const BORN: u8 = 0x42;
/// Command to `sp-keep`: answers how many lives of the first argument's partition have begun.
pub const LIVES: u8 = 0x43;

/// Bit of a form of death: the 64-bit form of FFA_ABORT.
pub const ABORT_64: u64 = 1;
/// Bit of a form of death: by HVC.
pub const BY_HVC: u64 = 2;

/// What a partition does in its initialisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Order {
    /// Nothing but that.
    Live = 0,
    /// Fails by FFA_ERROR.
    Error = 1,
    /// Fails by FFA_ABORT.
    Abort = 2,
    /// Spins for as many ticks as the argument says.
    Spin = 3,
}

impl Order {
    /// The order with this number.
    pub const fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Error,
            2 => Self::Abort,
            3 => Self::Spin,
            _ => Self::Live,
        }
    }
}

/// The registers of [`STATE`]'s answer behind the status, as places in `DIRECT_RESP2`'s payload.
pub mod state {
    /// How often this memory has begun a life: 1, since each begins with new memory.
    pub const LIVES_IN_MEMORY: usize = 1;
    /// Words of `.data` that were not as in the image, when this life began.
    pub const CHANGED_DATA: usize = 2;
    /// Words behind the image that were not zero then.
    pub const LEFTOVERS: usize = 3;
    /// [`BootInfo`](crate::boot_info::BootInfo) then.
    pub const BOOT_INFO: usize = 4;
    /// What FFA_VERSION answered.
    pub const VERSION: usize = 5;
    /// What FFA_ID_GET answered.
    pub const ID: usize = 6;
    /// x4 at entry.
    pub const CONTEXT: usize = 7;
    /// Which life this is by `sp-keep`'s count, 0 if that could not be asked.
    pub const LIFE: usize = 8;
}

/// What a partition's manifest says about its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// `lifecycle-support` without an `abort-action`.
    Only,
    /// `abort-action` 0.
    Stop,
    /// `abort-action` 1.
    Destroy,
    /// `abort-action` 2.
    Restart,
}

impl Action {
    /// In names of cases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Only => "lifecycle_only",
            Self::Stop => "stop",
            Self::Destroy => "destroy",
            Self::Restart => "restart",
        }
    }

    /// What a request or a run gets after the partition's end; a restart that failed is a stop.
    pub const fn afterwards(self) -> i32 {
        match self {
            Self::None => ABORTED,
            Self::Only | Self::Stop | Self::Restart => BUSY,
            Self::Destroy => INVALID_PARAMETERS,
        }
    }
}

/// How a partition meets its end, and so who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// While it serves `DIRECT_REQ_32`.
    Req32,
    /// While it serves `DIRECT_REQ_64`.
    Req64,
    /// While it serves `DIRECT_REQ2`.
    Req2,
    /// While it was given cycles by FFA_RUN.
    Run,
    /// While it serves another partition.
    Called,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Req32,
        Self::Req64,
        Self::Req2,
        Self::Run,
        Self::Called,
    ];

    /// In names of cases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Req32 => "in_req_32",
            Self::Req64 => "in_req_64",
            Self::Req2 => "in_req2",
            Self::Run => "in_run",
            Self::Called => "called_by_partition",
        }
    }
}

/// `sp-keep`'s id: it stands behind `sp-echo` and `sp-relay`.
pub const KEEPER: u16 = 0x8003;
/// The first of `sp-life`.
pub const FIRST: u16 = 0x8004;

/// Those that die once, in the order of the SPMC's manifest.
pub const MORTALS: [(Action, Way); 10] = [
    (Action::None, Way::Req32),
    (Action::None, Way::Called),
    (Action::Only, Way::Req64),
    (Action::Only, Way::Run),
    (Action::Stop, Way::Req2),
    (Action::Stop, Way::Run),
    (Action::Stop, Way::Called),
    (Action::Destroy, Way::Req2),
    (Action::Destroy, Way::Run),
    (Action::Destroy, Way::Called),
];
/// The one that restarts.
pub const PHOENIX: u16 = FIRST + MORTALS.len() as u16;
/// Two whose restart fails: the id, and how.
pub const FAILING: [(u16, Order); 2] = [(PHOENIX + 1, Order::Error), (PHOENIX + 2, Order::Abort)];
/// How many partitions the boots of the whole suite have.
pub const COUNT: u16 = PHOENIX + 3 - 0x8001;

/// Those that fail their first initialisation, in the order of the SPMC's manifest.
pub const STILLBORN: [Action; 5] = [
    Action::None,
    Action::Only,
    Action::Stop,
    Action::Destroy,
    Action::Restart,
];

/// The service of the partition with this id.
pub const fn uuid(id: u16) -> UuidWords {
    [0x7461_6e74, 0x6c69_6665, 0, id as u32]
}

/// The first payload register of a command.
pub const fn command(command: u8) -> u64 {
    MAGIC | command as u64
}

/// The command in a first payload register, if it is one.
pub const fn parse(first: u64) -> Option<u8> {
    if first & !0xff == MAGIC {
        Some(first as u8)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_messages_in_32_bits() {
        assert_eq!(parse(command(KEEP)), Some(KEEP));
        assert_eq!(command(DIE) >> 32, 0);
        assert_eq!(parse(0), None);
        assert_eq!(parse(command(DIE) | 1 << 40), None);
    }

    #[test]
    fn orders_have_numbers() {
        for order in [Order::Live, Order::Error, Order::Abort, Order::Spin] {
            assert_eq!(Order::from_number(order as u64), order);
        }
    }

    #[test]
    fn all_fit_in_one_system() {
        assert_eq!(COUNT, 16);
        assert_eq!(FAILING[1].0 - 0x8000, COUNT);
    }
}
