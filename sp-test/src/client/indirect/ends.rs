//! Partitions that are no more: who has a message of theirs has it still, and nobody waits for their RX.

use super::message::{Message, call, delivered, send, takes};
use super::{Check, Suite, another, nobody, told};
use crate::abi::BUSY;
use crate::client::notifications::{dies, info, starts};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    suite.case("ends/receiver_starts_again", receiver);
    suite.case("ends/sender_starts_again", sender);
}

/// With RX full, again and again.
fn receiver(suite: &Suite) -> Check {
    let me = suite.me;
    let mortal = another(suite);
    for _ in 0..3 {
        send(&me, &Message::new(&me, &mortal, 60), 0)?;
        call(&me, 0, 0)?.refused(&me, "a second message", BUSY)?;
        told::take();
        dies(suite, &mortal)?;
        starts(suite, &mortal)?;
        told::take();
        let _ = info(suite, true)?;
        nobody(suite)?;
        delivered(suite, &me, &mortal, &Message::new(&me, &mortal, 9))?;
    }
    Ok(())
}

fn sender(suite: &Suite) -> Check {
    let me = suite.me;
    let [_, old, _, _] = suite.partitions();
    let mortal = another(suite);
    for to in [me, old] {
        let message = Message::new(&mortal, &to, 60);
        super::message::soil(&to)?;
        send(&mortal, &message, 0)?;
        told::take();
        dies(suite, &mortal)?;
        starts(suite, &mortal)?;
        message.lies(&mortal, &to)?;
        takes(&mortal, &to)?;
        let _ = info(suite, true)?;
        told::take();
        delivered(suite, &mortal, &to, &message)?;
    }
    Ok(())
}
