//! The client of the suite `indirect`, as a VM or at NS-EL2. Its parties are those of the suite
//! [`notifications`](super::notifications): whoever hears of notifications sends indirect messages too.

mod buffers;
mod contents;
mod ends;
mod forwarded;
mod message;
mod order;
mod rows;

use super::memory::party::{Answer, Party};
use super::memory::wrong::{Check, Wrong};
use super::memory::{Suite, start};
use super::notifications::{
    DELAY, Entry, Pending, another, begin, deaf, get, hears, named, nobody, pairs, ready, told_of,
};
use super::told;
use crate::abi;
use crate::rt::entry::Boot;

/// The image's start.
pub fn main(name: &str, version: u32, boot: &Boot) -> ! {
    let mut suite = begin("indirect", name, version, boot);
    if start::run(&mut suite) && ready(&mut suite) {
        for chapter in [
            features,
            contents::run,
            rows::run,
            order::run,
            buffers::run,
            forwarded::run,
            // These leave some dead.
            ends::run,
        ] {
            chapter(&mut suite);
        }
    }
    suite.client.end()
}

/// Who has FFA_MSG_SEND2, by its version and manifest.
fn features(suite: &mut Suite) {
    for party in suite.everybody().iter().chain([&deaf(suite)]) {
        suite.named(format_args!("features/{}", party.who.name), |_| {
            let answer = party.call(abi::FEATURES, &[abi::MSG_SEND2.into()])?;
            match party.who.version {
                abi::V1_0 => answer.refused(party, "FFA_FEATURES", abi::NOT_SUPPORTED),
                _ => answer.done(party, "FFA_FEATURES"),
            }
        });
    }
}
