//! Tests of the proxy's core on the host: a VM that is nothing but registers, and an EL3 that
//! answers by script or at random.

mod discovery;
mod fixture;
mod messages;
mod others;
mod random;
mod strict;
mod upstream;
