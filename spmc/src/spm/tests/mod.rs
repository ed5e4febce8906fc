//! Tests of the core on the host, by chapter of the specification. Each is named after what it
//! promises; [`fixture`] is the machine and the run loop.

mod abort;
mod cycles;
mod direct;
mod discovery;
mod el3;
mod fixture;
mod migrate;
mod preempt;
mod random;
mod responses;
mod run;
mod search;
mod version;
