//! What arrives: header, payload, and nothing of what was there before, between all versions.

use super::message::{Message, NIL, delivered, header_of, service_of};
use super::{Party, Suite, pairs};
use crate::abi::{self, INVALID_PARAMETERS};
use crate::memory::PAGE;

/// Bytes of the smallest buffer.
const ROOM: u32 = PAGE as u32;
/// Bytes of the longest header.
const LONGEST: u32 = 40;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for [from, to] in pairs(suite).into_iter().flatten() {
        let (f, t) = (from.who.name, to.who.name);
        let own = header_of(from.who.version);
        for (name, offset, size) in [
            ("nothing", own, 0),
            ("a_byte", own, 1),
            ("a_word", own, 8),
            ("odd", own, 301),
            ("behind_the_longest_header", LONGEST, 24),
            ("with_a_gap", 123, 77),
            ("as_long_as_can_be", own, ROOM - LONGEST),
            ("at_the_end", ROOM - 9, 9),
        ] {
            suite.named(format_args!("contents/{f}_to_{t}/{name}"), |suite| {
                let message = Message::new(&from, &to, size).at(offset);
                delivered(suite, &from, &to, &message)
            });
        }
        suite.named(
            format_args!("contents/{f}_to_{t}/again_and_again"),
            |suite| {
                for round in 0..5 {
                    let mut message = Message::new(&from, &to, 200 - 31 * round);
                    message.seed = round.into();
                    delivered(suite, &from, &to, &message)?;
                }
                Ok(())
            },
        );
        if from.who.version >= abi::V1_2 && to.who.is_partition() {
            services(suite, from, to);
        }
    }
}

/// A service is the receiver's own, or none.
fn services(suite: &mut Suite, from: Party, to: Party) {
    let (f, t) = (from.who.name, to.who.name);
    let mine = service_of(&to);
    suite.named(format_args!("service/{f}_to_{t}/its_own"), |suite| {
        let mut message = Message::new(&from, &to, 16);
        message.service = mine;
        delivered(suite, &from, &to, &message)
    });
    let mut nearly = mine;
    nearly[3] ^= 1 << 31;
    for (name, service) in [
        ("another_partitions", service_of(&super::deaf(suite))),
        ("nobodys", nearly),
        ("of_echo", abi::ECHO_UUID),
    ] {
        suite.named(format_args!("service/{f}_to_{t}/{name}"), |suite| {
            let mut message = Message::new(&from, &to, 16);
            message.service = service;
            super::rows::refused(suite, &from, &to, &message, [0, 0], INVALID_PARAMETERS)?;
            message.service = NIL;
            delivered(suite, &from, &to, &message)
        });
    }
}
