//! Arm Firmware Framework for A-profile (FF-A, DEN0077A) and the SMC Calling Convention (SMCCC,
//! DEN0028) as types: what a register means, on both sides of a call.
//!
//! This crate owns identifiers, versions, function identifiers, the decoding of calls, the encoding
//! of replies and the [register contract](contract). It is shared by everything that speaks FF-A in
//! this project: the secure partition manager at S-EL2, the proxy at NS-EL2 and the partitions.
//!
//! It never touches hardware, never allocates, holds no `unsafe` and knows no policy: whether a
//! call is allowed *now* is the business of the cores that use it. Decoding is total: every bit
//! pattern gives a call or exactly one error.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod boot_info;
pub mod call;
pub mod contract;
pub mod error;
pub mod fid;
pub mod id;
pub mod message;
pub mod package;
pub mod regs;
pub mod reply;
pub mod smccc;
pub mod uuid;
pub mod version;

pub use call::{Call, DecodeError};
pub use error::FfaError;
pub use fid::{Fid, Function};
pub use id::{EndpointId, TargetInfo};
pub use regs::Regs;
pub use reply::Reply;
pub use uuid::Uuid;
pub use version::Version;
