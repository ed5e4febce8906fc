//! Tests of the proxy's core on the host: a VM that is nothing but registers, and an EL3 that
//! answers by script or at random.

mod availability;
mod buffers;
mod discovery;
mod fixture;
mod hostile;
mod indirect;
mod memory;
mod messages;
mod model;
mod notifications;
mod others;
mod partition_info;
mod random;
mod spmc;
mod strict;
mod told;
mod upstream;
mod vms;
