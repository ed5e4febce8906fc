//! Tests of the core on the host, by chapter of the specification. Each is named after what it
//! promises; [`fixture`] is the machine and the run loop.

mod abort;
mod availability;
mod cycles;
mod direct;
mod discovery;
mod el3;
mod fixture;
// Too slow under Miri: whole buffers are compared byte by byte.
#[cfg(not(miri))]
mod indirect;
mod info;
mod interrupts;
mod life;
mod mailbox;
// Too slow under Miri: the map is copied and walked at each step. It has its own tests there.
#[cfg(not(miri))]
mod memory;
mod migrate;
mod notifications;
mod preempt;
// Too slow under Miri; what runs there covers the same code.
#[cfg(not(miri))]
mod random;
mod responses;
mod run;
// Too slow under Miri; what runs there covers the same code.
#[cfg(not(miri))]
mod search;
mod version;
