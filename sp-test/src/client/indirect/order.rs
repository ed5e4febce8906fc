//! Of two mistakes, the one that is checked first is named.

use super::message::{Message, call, delivered, release, send, takes};
use super::{Check, Party, Suite, deaf, nobody, pairs, told};
use crate::abi::{self, BUSY, DENIED, INVALID_PARAMETERS};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    type Case = fn(&Suite, [Party; 2]) -> Check;
    let cases: [(&str, Case); 4] = [
        ("receiver_before_payload", receiver_first),
        ("full_before_payload", full_first),
        ("sender_before_full", sender_first),
        ("pair_before_header", pair_first),
    ];
    for two in pairs(suite).into_iter().flatten() {
        let [from, to] = two;
        for (name, case) in cases {
            suite.named(
                format_args!("order/{}_to_{}/{name}", from.who.name, to.who.name),
                |suite| {
                    case(suite, two)?;
                    nobody(suite)?;
                    delivered(suite, &from, &to, &Message::new(&from, &to, 9))
                },
            );
        }
    }
}

fn says(from: &Party, message: &Message, code: i32) -> Check {
    message.write(from)?;
    call(from, 0, 0)?.refused(from, "FFA_MSG_SEND2", code)
}

/// Who takes none, and a payload that is nowhere.
fn receiver_first(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    let mut message = Message::new(&from, &to, u32::MAX);
    message.receiver = deaf(suite).who.id;
    says(&from, &message, DENIED)
}

/// RX is full, and the payload is nowhere, and the service nobody's.
fn full_first(_: &Suite, [from, to]: [Party; 2]) -> Check {
    send(&from, &Message::new(&from, &to, 5), 0)?;
    let mut message = Message::new(&from, &to, u32::MAX);
    says(&from, &message, BUSY)?;
    message.size = 5;
    message.service = abi::UNKNOWN_UUID;
    says(&from, &message, BUSY)?;
    message.offset = 0;
    says(&from, &message, BUSY)?;
    told::take();
    takes(&from, &to)
}

/// RX is full, and the header names another sender.
fn sender_first(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    send(&from, &Message::new(&from, &to, 5), 0)?;
    let mut message = Message::new(&from, &to, 5);
    message.sender = deaf(suite).who.id;
    says(&from, &message, INVALID_PARAMETERS)?;
    message = Message::new(&from, &to, 5);
    message.receiver = deaf(suite).who.id;
    says(&from, &message, DENIED)?;
    told::take();
    takes(&from, &to)
}

/// Without buffers there is no header to be wrong.
fn pair_first(_: &Suite, [from, to]: [Party; 2]) -> Check {
    let mut message = Message::new(&from, &to, 5);
    message.sender = to.who.id;
    message.write(&from)?;
    from.call(abi::RXTX_UNMAP, &[])?
        .done(&from, "FFA_RXTX_UNMAP")?;
    let answers = [call(&from, 0, 0), call(&from, 0x7fff_0000, 0)];
    maps(&from)?;
    let [denied, invalid] = answers;
    denied?.refused(&from, "FFA_MSG_SEND2", DENIED)?;
    invalid?.refused(
        &from,
        "FFA_MSG_SEND2 that names a sender",
        INVALID_PARAMETERS,
    )?;
    // It has them again, and they are empty.
    from.equal("its RX is empty", release(&from).is_err().into(), 1)
}

/// A party has its buffers again.
pub(super) fn maps(party: &Party) -> Check {
    let who = party.who;
    let mapped = party.call(abi::RXTX_MAP_64, &[who.tx(), who.rx(), who.buffers])?;
    mapped.done(party, "FFA_RXTX_MAP")
}
