//! `client-test`: the suite, one chapter after another.

use super::{Client, cases};
use crate::rt::entry::Boot;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-test", boot);
    for chapter in cases::CHAPTERS {
        chapter(&mut client);
    }
    client.end()
}
