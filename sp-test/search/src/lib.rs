//! An exhaustive search of the states that the SPMC's core, and the proxy's in front of it, can
//! reach: the real code, not a model of it.
//!
//! A state is all that the cores remember ([`state`]). From each, every event that can happen next
//! ([`events`]) is made to happen in the real code ([`rig`]), twice: with the short way of messages
//! and without. What came of it is held against what the specification says ([`model`]) and against
//! what must hold in every state ([`invariants`]); states not seen before are searched in turn
//! ([`explore`]), until there are none.
//!
//! An endpoint's registers hold *labels* ([`label`]) whenever it makes a call, so each value that is
//! found anywhere tells whose it is. What a call leaves in registers that are dead afterwards is
//! checked at once and replaced by the endpoint's labels in the next state; so there are finitely
//! many.
//!
//! Nothing here is part of the firmware.

pub mod calls;
pub mod events;
pub mod explore;
pub mod invariants;
pub mod label;
pub mod model;
pub mod rig;
pub mod state;
pub mod view;
pub mod world;
