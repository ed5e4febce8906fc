//! Messages: what w2 of a direct message says, the flags of an indirect one, and the framework
//! messages (DEN0077A, "Messaging" and "Framework messages"): direct messages between the components
//! of the framework themselves, with bit 31 of w2 set and the message's number in bits 7:0.
//!
//! It never decides who may send which of them.

use crate::{
    call::Call,
    fid::WIDE_BIT,
    id::{EndpointId, Endpoints},
    memory::Handle,
    regs::Regs,
    version::{Version, VersionQuery},
};
use bitflags::bitflags;
use num_enum::{IntoPrimitive, TryFromPrimitive};
use thiserror::Error;

/// Bit 31 of w2: a framework message.
pub const FRAMEWORK_BIT: u32 = 1 << 31;

/// A power-management request of PSCI (SPMD to SPMC, SPMC to partition).
pub const PSCI_REQUEST: u32 = 0;
/// A core has come back from a power state.
pub const WARM_BOOT: u32 = 1;
/// The answer to [`PSCI_REQUEST`] and [`WARM_BOOT`]: w3 holds the status.
pub const POWER_RESPONSE: u32 = 2;
/// A VM was created (hypervisor to SPMC, SPMC to partition).
pub const VM_CREATED: u32 = 4;
/// The answer to [`VM_CREATED`].
pub const VM_CREATED_RESPONSE: u32 = 5;
/// A VM was destroyed (hypervisor to SPMC, SPMC to partition).
pub const VM_DESTROYED: u32 = 6;
/// The answer to [`VM_DESTROYED`].
pub const VM_DESTROYED_RESPONSE: u32 = 7;
/// The normal world's `FFA_VERSION`, relayed by the SPMD: w3 holds the requested version.
pub const VERSION_REQUEST: u32 = 8;
/// The answer to [`VERSION_REQUEST`]: w3 holds the SPMC's version or NOT_SUPPORTED.
pub const VERSION_RESPONSE: u32 = 9;
/// A partition shall stop (SPMC to partition).
pub const STOP_REQUEST: u32 = 10;
/// The answer to [`STOP_REQUEST`].
pub const STOP_RESPONSE: u32 = 11;
/// A live activation starts (a logical partition of EL3 to SPMC).
pub const ACTIVATION_START: u32 = 12;
/// The answer to [`ACTIVATION_START`].
pub const ACTIVATION_START_RESPONSE: u32 = 13;
/// A live activation is to be finished (a logical partition of EL3 to SPMC).
pub const ACTIVATION_FINISH: u32 = 14;
/// The answer to [`ACTIVATION_FINISH`].
pub const ACTIVATION_FINISH_RESPONSE: u32 = 15;

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

    /// The value of w2.
    pub const fn w2(self) -> u32 {
        match self {
            Self::Partition => 0,
            Self::Framework(number) => FRAMEWORK_BIT | number as u32,
        }
    }
}

bitflags! {
    /// w2 of `FFA_MSG_SEND2`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Send2Flags: u32 {
        /// The schedule receiver interrupt may wait (partitions only).
        const DELAY_SCHEDULE_RECEIVER = 1 << 1;
        const _ = !0;
    }
}

impl Send2Flags {
    /// The reserved bits that are set.
    pub const fn reserved(self) -> u32 {
        self.bits() & !0b10
    }
}

/// What a core has come back from: w3 of [`WARM_BOOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromPrimitive, IntoPrimitive)]
#[repr(u32)]
pub enum WarmBoot {
    /// Suspend to RAM.
    SuspendToRam = 0,
    /// A state less deep than that.
    Shallower = 1,
}

/// Why a partition shall stop: w3 of [`STOP_REQUEST`], if it is for its live activation.
pub const STOP_FOR_ACTIVATION: u32 = 1;

/// Memory, as the messages of live activation give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// The address of the first page.
    pub base: u64,
    /// How many 4 KiB pages.
    pub count: u64,
}

/// A framework message. A `status` is 0 or a negative code: PSCI's in [`Self::PowerResponse`],
/// FF-A's in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// [`PSCI_REQUEST`].
    PsciRequest {
        /// Whether it is in the 64-bit form.
        wide: bool,
        /// w3 to w6: x0 to x3 of the PSCI call.
        parameters: [u64; 4],
    },
    /// [`WARM_BOOT`].
    WarmBoot(WarmBoot),
    /// [`POWER_RESPONSE`].
    PowerResponse {
        /// w3.
        status: i32,
    },
    /// [`VM_CREATED`].
    VmCreated {
        /// w3 and w4: memory with more about it, or [`Handle::INVALID`].
        handle: Handle,
        /// w5 bits 15:0: its id.
        vm: EndpointId,
    },
    /// [`VM_CREATED_RESPONSE`].
    VmCreatedResponse {
        /// w3.
        status: i32,
    },
    /// [`VM_DESTROYED`].
    VmDestroyed {
        /// w3 and w4: memory with more about it, or [`Handle::INVALID`].
        handle: Handle,
        /// w5 bits 15:0: its id.
        vm: EndpointId,
    },
    /// [`VM_DESTROYED_RESPONSE`].
    VmDestroyedResponse {
        /// w3.
        status: i32,
    },
    /// [`VERSION_REQUEST`].
    VersionRequest {
        /// w3: the version asked for, `None` with bit 31 set.
        version: Option<Version>,
        /// w4 (1.3): the kind of query, `None` with a reserved bit set. Older SPMDs send 0.
        query: Option<VersionQuery>,
    },
    /// [`VERSION_RESPONSE`]: w3, `None` with bit 31 set.
    VersionResponse(Option<Version>),
    /// [`STOP_REQUEST`].
    StopRequest {
        /// w3: [`STOP_FOR_ACTIVATION`].
        reason: u32,
    },
    /// [`STOP_RESPONSE`]. The 64-bit form, unless the addresses fit in 32 bits.
    StopResponse {
        /// Whether it is in the 64-bit form.
        wide: bool,
        /// w3.
        status: i32,
        /// x4: where the partition left its state.
        base: u64,
        /// x5: how long that is.
        size: u64,
    },
    /// [`ACTIVATION_START`], 64-bit only.
    ActivationStart {
        /// x3: which partition.
        partition: EndpointId,
        /// x4 and x5: the new image.
        image: Pages,
        /// x6 and x7: the new manifest.
        manifest: Pages,
    },
    /// [`ACTIVATION_START_RESPONSE`], 64-bit only.
    ActivationStartResponse {
        /// x3.
        status: i32,
    },
    /// [`ACTIVATION_FINISH`], 64-bit only.
    ActivationFinish {
        /// x3: which partition.
        partition: EndpointId,
    },
    /// [`ACTIVATION_FINISH_RESPONSE`], 64-bit only.
    ActivationFinishResponse {
        /// x3.
        status: i32,
    },
}

/// Why a framework message was not understood. Its sender gets INVALID_PARAMETERS for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameworkError {
    /// The number is not known.
    #[error("framework message {0} is not known")]
    Unknown(u8),
    /// A request came as a response, or the reverse.
    #[error("framework message {0} travels in the other direction")]
    Direction(u8),
    /// It does not exist in that width.
    #[error("framework message {0} does not exist in this width")]
    Width(u8),
    /// A value is reserved.
    #[error("framework message {0} with a reserved value")]
    Reserved(u8),
}

impl Framework {
    /// Reads a framework message from the registers of a [`Call::DirectReq`] or
    /// [`Call::DirectResp`].
    ///
    /// # Errors
    ///
    /// See [`FrameworkError`]; `Ok(None)` for a call that is no framework message.
    pub fn of(call: &Call, regs: &Regs) -> Result<Option<Self>, FrameworkError> {
        let (wide, number, response) = match *call {
            Call::DirectReq {
                wide,
                kind: MessageKind::Framework(number),
                ..
            } => (wide, number, false),
            Call::DirectResp {
                wide,
                kind: MessageKind::Framework(number),
                ..
            } => (wide, number, true),
            _ => return Ok(None),
        };
        let message = Self::decode(number, wide, regs)?;
        if message.is_response() != response {
            return Err(FrameworkError::Direction(number));
        }
        Ok(Some(message))
    }

    /// Reads framework message `number` from w3 (x3 in the 64-bit form) upwards. Registers that it
    /// does not define are ignored.
    ///
    /// # Errors
    ///
    /// See [`FrameworkError`].
    pub fn decode(number: u8, wide: bool, regs: &Regs) -> Result<Self, FrameworkError> {
        let mask = if wide { u64::MAX } else { 0xffff_ffff };
        let [x3, x4, x5, x6, x7] = [
            regs.x::<3>(),
            regs.x::<4>(),
            regs.x::<5>(),
            regs.x::<6>(),
            regs.x::<7>(),
        ]
        .map(|x| x & mask);
        let status = x3 as u32 as i32;
        let handle = Handle::from_words(x3 as u32, x4 as u32);
        let partition = EndpointId(x3 as u16);
        let vm = EndpointId(x5 as u16);
        let message = match u32::from(number) {
            PSCI_REQUEST => Self::PsciRequest {
                wide,
                parameters: [x3, x4, x5, x6],
            },
            WARM_BOOT => Self::WarmBoot(
                WarmBoot::try_from(x3 as u32).map_err(|_| FrameworkError::Reserved(number))?,
            ),
            POWER_RESPONSE => Self::PowerResponse { status },
            VM_CREATED => Self::VmCreated { handle, vm },
            VM_CREATED_RESPONSE => Self::VmCreatedResponse { status },
            VM_DESTROYED => Self::VmDestroyed { handle, vm },
            VM_DESTROYED_RESPONSE => Self::VmDestroyedResponse { status },
            VERSION_REQUEST => Self::VersionRequest {
                version: Version::from_raw(x3 as u32),
                query: VersionQuery::from_w2(x4 as u32),
            },
            VERSION_RESPONSE => Self::VersionResponse(Version::from_raw(x3 as u32)),
            STOP_REQUEST => Self::StopRequest { reason: x3 as u32 },
            STOP_RESPONSE => Self::StopResponse {
                wide,
                status,
                base: x4,
                size: x5,
            },
            ACTIVATION_START => Self::ActivationStart {
                partition,
                image: Pages {
                    base: x4,
                    count: x5,
                },
                manifest: Pages {
                    base: x6,
                    count: x7,
                },
            },
            ACTIVATION_START_RESPONSE => Self::ActivationStartResponse { status },
            ACTIVATION_FINISH => Self::ActivationFinish { partition },
            ACTIVATION_FINISH_RESPONSE => Self::ActivationFinishResponse { status },
            _ => return Err(FrameworkError::Unknown(number)),
        };
        if message.wide() != wide {
            return Err(FrameworkError::Width(number));
        }
        Ok(message)
    }

    /// The number in w2.
    pub const fn number(&self) -> u8 {
        (match self {
            Self::PsciRequest { .. } => PSCI_REQUEST,
            Self::WarmBoot(_) => WARM_BOOT,
            Self::PowerResponse { .. } => POWER_RESPONSE,
            Self::VmCreated { .. } => VM_CREATED,
            Self::VmCreatedResponse { .. } => VM_CREATED_RESPONSE,
            Self::VmDestroyed { .. } => VM_DESTROYED,
            Self::VmDestroyedResponse { .. } => VM_DESTROYED_RESPONSE,
            Self::VersionRequest { .. } => VERSION_REQUEST,
            Self::VersionResponse(_) => VERSION_RESPONSE,
            Self::StopRequest { .. } => STOP_REQUEST,
            Self::StopResponse { .. } => STOP_RESPONSE,
            Self::ActivationStart { .. } => ACTIVATION_START,
            Self::ActivationStartResponse { .. } => ACTIVATION_START_RESPONSE,
            Self::ActivationFinish { .. } => ACTIVATION_FINISH,
            Self::ActivationFinishResponse { .. } => ACTIVATION_FINISH_RESPONSE,
        }) as u8
    }

    /// Whether it travels as `FFA_MSG_SEND_DIRECT_RESP`.
    pub const fn is_response(&self) -> bool {
        matches!(
            self,
            Self::PowerResponse { .. }
                | Self::VmCreatedResponse { .. }
                | Self::VmDestroyedResponse { .. }
                | Self::VersionResponse(_)
                | Self::StopResponse { .. }
                | Self::ActivationStartResponse { .. }
                | Self::ActivationFinishResponse { .. }
        )
    }

    /// Whether it travels in the 64-bit form.
    pub const fn wide(&self) -> bool {
        match self {
            Self::PsciRequest { wide, .. } | Self::StopResponse { wide, .. } => *wide,
            Self::ActivationStart { .. }
            | Self::ActivationStartResponse { .. }
            | Self::ActivationFinish { .. }
            | Self::ActivationFinishResponse { .. } => true,
            _ => false,
        }
    }

    /// The registers of the direct message that carries it.
    pub fn encode(&self, ids: Endpoints) -> Regs {
        let wide = self.wide();
        let kind = MessageKind::Framework(self.number());
        let call = if self.is_response() {
            Call::DirectResp { wide, ids, kind }
        } else {
            Call::DirectReq { wide, ids, kind }
        };
        let code = |status: i32| u64::from(status as u32);
        let version = |version: Option<Version>| match version {
            Some(version) => version.raw().into(),
            None => u64::from(u32::MAX),
        };
        let payload = match *self {
            Self::PsciRequest {
                parameters: [a, b, c, d],
                ..
            } => [a, b, c, d, 0],
            Self::WarmBoot(from) => [u32::from(from).into(), 0, 0, 0, 0],
            Self::PowerResponse { status }
            | Self::VmCreatedResponse { status }
            | Self::VmDestroyedResponse { status }
            | Self::ActivationStartResponse { status }
            | Self::ActivationFinishResponse { status } => [code(status), 0, 0, 0, 0],
            Self::VmCreated { handle, vm } | Self::VmDestroyed { handle, vm } => {
                let (low, high) = handle.words();
                [low.into(), high.into(), vm.0.into(), 0, 0]
            }
            Self::VersionRequest {
                version: asked,
                query,
            } => {
                let flags = query.map_or(u32::MAX, VersionQuery::w2);
                [version(asked), flags.into(), 0, 0, 0]
            }
            Self::VersionResponse(answer) => [version(answer), 0, 0, 0, 0],
            Self::StopRequest { reason } => [reason.into(), 0, 0, 0, 0],
            Self::StopResponse {
                status, base, size, ..
            } => [code(status), base, size, 0, 0],
            Self::ActivationStart {
                partition,
                image,
                manifest,
            } => [
                partition.0.into(),
                image.base,
                image.count,
                manifest.base,
                manifest.count,
            ],
            Self::ActivationFinish { partition } => [partition.0.into(), 0, 0, 0, 0],
        };
        let mut regs = Regs::ZERO;
        for (to, from) in regs.0.iter_mut().skip(3).zip(payload) {
            *to = from;
        }
        call.encode_into(&mut regs);
        debug_assert!(wide == (regs.w::<0>() & WIDE_BIT != 0));
        regs
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
