//! Calls: what an endpoint asks for (DEN0077A, the tables of each interface), from registers and
//! into them.
//!
//! This module owns the type of a call; [`Call::decode`] and [`Call::encode`] stand in `decode` and
//! `encode`, the types of single arguments in the modules of their chapters. It never decides
//! whether the caller may make the call now.
//!
//! Payloads are not copied: the contents of a direct message, the characters of a
//! `FFA_CONSOLE_LOG` and the kind of a `FFA_VERSION` query stay in the caller's [`Regs`];
//! [`Call::payload`] says where.
//!
//! # What depends on the version
//!
//! The *caller's* version changes the layout and the reserved bits of a function that it has. It
//! does not hide functions that are newer than the caller, because who may use them is not a
//! question of the registers: the reference SPMC offers functions by its own version, refuses
//! `FFA_MSG_SEND_DIRECT_REQ2` below 1.2 with DENIED, and an endpoint in strict mode is offered the
//! 64-bit forms of cycle management whatever its version. [`Fid::since`] tells a core what it needs
//! for its own rule.
//!
//! # Which reserved bits are checked
//!
//! Those which have to be refused before anything else is looked at.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use crate::{
    console::{console_capacity, console_characters},
    features::FeatureQuery,
};

use crate::{
    error::FfaError,
    fid::Fid,
    id::{Endpoints, TargetInfo},
    message::MessageKind,
    uuid::Uuid,
    version::Version,
};

#[cfg(doc)]
use crate::regs::Regs;

/// A decoded call. Reserved bits have been checked as the module's documentation says; whether the
/// caller may make this call now has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    // Setup and discovery.
    /// `FFA_VERSION`: w1 holds the requested version, or bit 31 was set (`None`). From 1.3, w2 says
    /// what kind of query it is: [`VersionQuery::from_w2`](crate::version::VersionQuery::from_w2).
    Version(Option<Version>),
    /// `FFA_FEATURES`.
    Features {
        /// What is asked.
        query: FeatureQuery,
        /// w2: input properties.
        input: u32,
    },
    /// `FFA_ID_GET`.
    IdGet,
    /// `FFA_SPM_ID_GET` (1.1).
    SpmIdGet,
    /// `FFA_CONSOLE_LOG` (1.2): w1 characters, which stand in w2-w7, x2-x7 or x2-x17.
    ConsoleLog {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// How many characters; between 1 and what the form and the caller's version can carry.
        count: usize,
    },

    // CPU cycle management.
    /// `FFA_MSG_WAIT`.
    MsgWait {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// w2 bit 0 (from 1.2): keep the RX buffer.
        retain_rx: bool,
    },
    /// `FFA_YIELD`.
    Yield {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// w2 and w3: a timeout hint, low and high.
        timeout: u64,
    },
    /// `FFA_RUN`.
    Run {
        /// Whether it is the 64-bit form (1.3).
        wide: bool,
        /// Who shall run.
        target: TargetInfo,
    },
    /// `FFA_ERROR` as a call; all of it is in [`Completion::decode`](crate::Completion::decode).
    Error {
        /// w2, if it is a known code.
        code: Option<FfaError>,
    },
    /// `FFA_INTERRUPT` as a call: the SPMD hands over a secure interrupt. All of it is in
    /// [`Completion::decode`](crate::Completion::decode).
    Interrupt,

    // Messages.
    /// `FFA_MSG_SEND_DIRECT_REQ`; the payload is w3-w7 or x3-x7.
    DirectReq {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// Sender and receiver.
        ids: Endpoints,
        /// Partition or framework message.
        kind: MessageKind,
    },
    /// `FFA_MSG_SEND_DIRECT_RESP`; the payload is w3-w7 or x3-x7.
    DirectResp {
        /// Whether it is the 64-bit form.
        wide: bool,
        /// Sender and receiver.
        ids: Endpoints,
        /// Partition or framework message.
        kind: MessageKind,
    },
    /// `FFA_MSG_SEND_DIRECT_REQ2` (1.2); the payload is x4-x17.
    DirectReq2 {
        /// Sender and receiver.
        ids: Endpoints,
        /// x2 and x3: the service.
        uuid: Uuid,
    },
    /// `FFA_MSG_SEND_DIRECT_RESP2` (1.2); the payload is x4-x17. x2 and x3 are accepted whatever
    /// they hold, since partitions echo the request's UUID there, and delivered as zero.
    DirectResp2 {
        /// Sender and receiver.
        ids: Endpoints,
    },

    /// A function of FF-A that is not decoded any further.
    Other(Fid),
}

/// Why registers are no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not a function of FF-A: the value is w0 without the SVE hint.
    NotFfa(u32),
    /// FF-A's range, but unknown: `FFA_ERROR(NOT_SUPPORTED)`.
    Unknown,
    /// A known function with a reserved bit set or a value out of range:
    /// `FFA_ERROR(INVALID_PARAMETERS)`.
    Invalid(Fid),
}
