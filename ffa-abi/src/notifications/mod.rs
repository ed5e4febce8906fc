//! The notifications of one receiver (DEN0077A, "Notifications"): what is bound to whom, what is
//! pending, and what the scheduler of the normal world has been told of it. The register side is in
//! [`notification`](crate::notification).
//!
//! Whoever keeps a receiver's notifications keeps a [`Receiver`]: the SPMC those that concern
//! partitions, the proxy those between VMs. It checks whether the call may be made, by whom and for
//! whom; what a call does then, and which of its errors are the notifications' own, stands here.
//!
//! ```text
//!            bind               set                 get
//! unbound ─────────▶ bound ─────────▶ pending ─────────▶ bound
//!    ▲      unbind     │                 │  info: named once until it is read
//!    └─────────────────┘                 └──
//! ```
//!
//! Each notification is *global* (any execution context of the receiver takes it) or *per context*
//! (each context has its own), as the receiver said when it bound it.
//!
//! An error changes nothing.

mod receiver;
mod set;
#[cfg(test)]
mod tests;

pub use receiver::{Manager, Receiver};
pub use set::{NOTIFICATIONS, Set};
