//! The host ring: the SPMC's core, a model of EL3's SPMD in both of its behaviours, the proxy's core
//! and scripted endpoints in one process.
//!
//! * [`world`]: builds a system and steps its endpoints by raw registers, with interrupts anywhere;
//! * [`oracle`]: the register contract written down once more, in all of x0-x30;
//! * [`ledger`]: each request gets one answer, one context runs, chains end;
//! * [`matrix`]: the named cells, at every boundary;
//! * [`fuzz`] and [`diff`]: random calls, and the short way of messages against the general one;
//! * [`replay`]: the SPMD's model against recordings of the real one.
//!
//! It runs on the host only and is never part of an image. Nothing here decides what the cores do:
//! it only says what may come of it.
#![forbid(unsafe_code)]

pub mod diff;
pub mod fid;
pub mod fuzz;
pub mod generate;
pub mod label;
pub mod ledger;
pub mod machine;
pub mod matrix;
pub mod memory;
pub mod notifications;
pub mod oracle;
pub mod random;
pub mod replay;
pub mod spmd;
pub mod step;
pub mod vmm;
pub mod vms;
pub mod world;
