//! Partitions that are no more: who has a message of theirs has it still, and nobody waits for their RX.

use super::message::{Message, call, delivered, send, takes};
use super::{Check, Party, Suite, another, named, nobody, told};
use crate::abi::{BUSY, INVALID_PARAMETERS};
use crate::client::notifications::{dies, info, starts};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    suite.case("ends/receiver_starts_again", receiver);
    suite.case("ends/sender_starts_again", sender);
    let vm = suite.vms().first().copied();
    if let Some(vm) = vm {
        suite.case("ends/vm_ends", |suite| vm_ends(suite, &vm));
    }
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

/// With RX full, and with messages of its own underway.
fn vm_ends(suite: &Suite, vm: &Party) -> Check {
    let me = suite.me;
    let [_, old, rich, _] = suite.partitions();
    let of_vm = [&rich, &me].map(|to| (*to, Message::new(vm, to, 60)));
    for (to, message) in &of_vm {
        super::message::soil(to)?;
        send(vm, message, 0)?;
    }
    send(&old, &Message::new(&old, vm, 60), 0)?;
    told::take();
    dies(suite, vm)?;
    told::take();
    for (to, message) in &of_vm {
        message.lies(vm, to)?;
        takes(vm, to)?;
    }
    let _ = info(suite, true)?;
    told::take();
    named(suite, &[])?;
    // Nobody reaches it, and nobody waits for it.
    for from in [&old, &rich, &me] {
        Message::new(from, vm, 8).write(from)?;
        call(from, 0, 0)?.refused(from, "a message for nobody", INVALID_PARAMETERS)?;
    }
    for (from, to) in [(&me, &old), (&old, &me), (&rich, &me)] {
        send(from, &Message::new(from, to, 9), 0)?;
        told::take();
        takes(from, to)?;
    }
    let _ = info(suite, true)?;
    Ok(())
}
