//! Arm Firmware Framework for A-profile (FF-A, DEN0077A) and the SMC Calling Convention (SMCCC,
//! DEN0028) as types: what a register means, on both sides of a call.
//!
//! This crate owns identifiers, versions, function identifiers, the [decoding and encoding of
//! calls](call), of [completions](completion) and of [replies](reply), what the registers of each
//! chapter of FF-A hold ([`features`], [`partition_info`], [`message`],
//! [`availability`], [`memory`], [`notification`], [`console`]), the descriptors in buffers ([`partition_info`], [`memory`],
//! [`rxtx`], [`indirect`]), what a partition is made of and told at its start ([`package`],
//! [`boot_info`]), the [register contract](contract), the [ownership map](sharing) that both sides
//! of memory sharing keep, and a receiver's [`notifications`]. It is shared by everything that speaks FF-A
//! in this project: the secure partition manager at S-EL2, the proxy at NS-EL2 and the partitions.
//!
//! It never touches hardware, never allocates, holds no `unsafe` and, but for [`sharing`] and
//! [`notifications`], knows no policy: whether a call is allowed *now* is the business of the cores that use it. Decoding is total: every bit
//! pattern gives a call or exactly one error.
//!
//! | side | reads | writes |
//! | --- | --- | --- |
//! | callee (a partition manager, a hypervisor) | [`Call::decode`] | [`Reply`], the sender's registers, [`contract::write`] |
//! | caller (a proxy, a partition) | [`Completion::decode`] | [`Call::encode`], [`Call::encode_into`] |
//!
//! ```
//! use ffa_abi::{Call, Completion, EndpointId, Regs, Reply, TargetInfo, Version};
//!
//! // A caller runs an execution context of partition 0x8001.
//! let target = TargetInfo { endpoint: EndpointId(0x8001), context: 2 };
//! let call = Call::Run { wide: false, target };
//! let mut regs = call.encode();
//! assert_eq!(regs.0[..2], [0x8400_006d, 0x8001_0002]);
//!
//! // The callee reads it, and answers that it was interrupted.
//! assert_eq!(Call::decode(Version::V1_2, &regs), Ok(call));
//! Reply::interrupt(target, 0).write(&mut regs.0);
//!
//! // The caller reads that.
//! let interrupt = Completion::Interrupt { wide: false, target, intid: 0 };
//! assert_eq!(Completion::decode(call.fid(), &regs), Ok(interrupt));
//! ```
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod availability;
pub mod boot_info;
pub mod call;
pub mod completion;
pub mod console;
pub mod contract;
pub mod error;
pub mod features;
pub mod fid;
pub mod id;
pub mod indirect;
pub mod memory;
pub mod message;
pub mod messaging;
pub mod notification;
pub mod notifications;
pub mod package;
pub mod partition_info;
pub mod regs;
pub mod reply;
pub mod rxtx;
pub mod sharing;
pub mod smccc;
pub mod uuid;
pub mod version;
mod wire;

pub use call::{Call, DecodeError};
pub use completion::{Completion, CompletionError};
pub use error::FfaError;
pub use fid::{Fid, Function};
pub use id::{EndpointId, TargetInfo};
pub use regs::Regs;
pub use reply::Reply;
pub use uuid::Uuid;
pub use version::{Negotiated, Version};

/// How often a property is tried. Miri runs each some hundred times slower.
#[cfg(test)]
pub(crate) fn property() -> proptest::test_runner::Config {
    let mut config = proptest::test_runner::Config::default();
    if cfg!(miri) {
        config.cases = 8;
        // Miri's programs see no files.
        config.failure_persistence = None;
    }
    config
}

/// The README's example, so that it stays right.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
