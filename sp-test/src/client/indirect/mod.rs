//! The client of the suite `indirect`, as a VM or at NS-EL2.

use super::memory::start;
use super::notifications::{begin, ready};
use crate::rt::entry::Boot;

/// The image's start.
pub fn main(name: &str, version: u32, boot: &Boot) -> ! {
    let mut suite = begin("indirect", name, version, boot);
    start::run(&mut suite);
    ready(&mut suite);
    suite.client.end()
}
