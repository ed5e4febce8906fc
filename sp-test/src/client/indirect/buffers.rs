//! Whose an RX buffer is: full until its owner has read and released it, and nobody else waits for that.

use super::message::{
    DELAYED, Message, call, delivered, full, nothing, release, send, soil, takes,
};
use super::order::maps;
use super::{Check, Entry, Party, Pending, Suite, get, named, nobody, pairs, told, told_of};
use crate::abi::{self, BUSY, DENIED, NOT_SUPPORTED};
use crate::client::notifications::runs;
use crate::memory::Kind;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    type Case = fn(&Suite, [Party; 2]) -> Check;
    let cases: [(&str, Case); 7] = [
        ("busy_while_full", busy),
        ("not_released_before_it_was_read", unread),
        ("released_once", once),
        ("full_for_others_too", others),
        ("given_up_while_full", given_up),
        ("nobodys", unmapped),
        ("named_once", named_once),
    ];
    for two in pairs(suite).into_iter().flatten() {
        let [from, to] = two;
        let names = (from.who.name, to.who.name);
        for (name, case) in cases {
            suite.named(
                format_args!("buffers/{}_to_{}/{name}", names.0, names.1),
                |suite| {
                    case(suite, two)?;
                    nobody(suite)?;
                    delivered(suite, &from, &to, &Message::new(&from, &to, 9))
                },
            );
        }
        if from.who.is_partition() {
            suite.named(
                format_args!("buffers/{}_to_{}/delayed", names.0, names.1),
                |suite| delayed(suite, two),
            );
        }
        if to.who.is_partition() {
            suite.named(
                format_args!("buffers/{}_to_{}/waiting_gives_it_back", names.0, names.1),
                |suite| waits(suite, two),
            );
        }
    }
    suite.case("buffers/one_that_never_releases", third);
    if suite.me.who.kind != Kind::Hypervisor {
        suite.case("buffers/of_the_hypervisor", hypervisor);
    }
    for party in suite.everybody().iter() {
        if party.who.kind != Kind::Hypervisor {
            suite.named(
                format_args!("buffers/{}/acquires_nothing", party.who.name),
                |suite| {
                    for id in [party.who.id, suite.me.who.id, 5] {
                        party.call(abi::RX_ACQUIRE, &[id.into()])?.refused(
                            party,
                            "FFA_RX_ACQUIRE",
                            NOT_SUPPORTED,
                        )?;
                    }
                    nobody(suite)
                },
            );
        }
    }
}

/// A second message waits, and the first is as it was.
fn busy(_: &Suite, [from, to]: [Party; 2]) -> Check {
    let first = Message::new(&from, &to, 70);
    soil(&to)?;
    send(&from, &first, 0)?;
    told::take();
    let mut second = Message::new(&from, &to, 90);
    second.seed = 7;
    for _ in 0..3 {
        second.write(&from)?;
        call(&from, 0, 0)?.refused(&from, "a second message", BUSY)?;
    }
    first.lies(&from, &to)?;
    get(&to)?.is(&to, &full(&from, &to))?;
    // Read, but not given back.
    call(&from, 0, 0)?.refused(&from, "a second message", BUSY)?;
    first.lies(&from, &to)?;
    release(&to)?;
    soil(&to)?;
    send(&from, &second, 0)?;
    told::take();
    second.lies(&from, &to)?;
    takes(&from, &to)
}

fn unread(_: &Suite, [from, to]: [Party; 2]) -> Check {
    let message = Message::new(&from, &to, 70);
    soil(&to)?;
    send(&from, &message, 0)?;
    told::take();
    for _ in 0..2 {
        to.call(abi::RX_RELEASE, &[])?.refused(
            &to,
            "FFA_RX_RELEASE before the notification was read",
            DENIED,
        )?;
        message.lies(&from, &to)?;
    }
    takes(&from, &to)
}

fn once(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    send(&from, &Message::new(&from, &to, 3), 0)?;
    told::take();
    takes(&from, &to)?;
    nothing(suite, &to)
}

/// What else would be written there waits as well.
fn others(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    let message = Message::new(&from, &to, 33);
    soil(&to)?;
    send(&from, &message, 0)?;
    told::take();
    let info = to.call(abi::PARTITION_INFO_GET, &[0; 4])?;
    info.refused(&to, "FFA_PARTITION_INFO_GET", BUSY)?;
    let another = super::another(suite);
    if another.who.id != to.who.id {
        Message::new(&another, &to, 4).write(&another)?;
        call(&another, 0, 0)?.refused(&another, "another's message", BUSY)?;
    }
    message.lies(&from, &to)?;
    takes(&from, &to)?;
    let info = to.call(abi::PARTITION_INFO_GET, &[0; 4])?;
    to.equal("FFA_PARTITION_INFO_GET", info.x[0], abi::SUCCESS_32.into())?;
    // That is not told by a notification, and may be released at once.
    release(&to)
}

/// What was in it is gone with it, and with the new one there is nothing.
fn given_up(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    send(&from, &Message::new(&from, &to, 33), 0)?;
    told::take();
    to.call(abi::RXTX_UNMAP, &[])?.done(&to, "FFA_RXTX_UNMAP")?;
    maps(&to)?;
    let _ = get(&to)?;
    let _ = super::super::notifications::info(suite, true)?;
    told::take();
    nothing(suite, &to)
}

/// Who has no buffers receives nothing.
fn unmapped(_: &Suite, [from, to]: [Party; 2]) -> Check {
    to.call(abi::RXTX_UNMAP, &[])?.done(&to, "FFA_RXTX_UNMAP")?;
    Message::new(&from, &to, 33).write(&from)?;
    let answer = call(&from, 0, 0);
    maps(&to)?;
    answer?.refused(&from, "a message for nobody's RX", BUSY)
}

/// Until it was read, its receiver is named once.
fn named_once(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    send(&from, &Message::new(&from, &to, 33), 0)?;
    told_of(suite, true)?;
    named(suite, &[Entry::whole(to.who.id)])?;
    named(suite, &[])?;
    get(&to)?.is(&to, &full(&from, &to))?;
    get(&to)?.is(&to, &Pending::default())?;
    told_of(suite, false)?;
    release(&to)
}

/// The sender goes on until its answer; without the flag it is interrupted.
fn delayed(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    for (w2, interrupted) in [(DELAYED, 0), (0, 1)] {
        Message::new(&from, &to, 33).write(&from)?;
        told::take();
        call(&from, 0, w2)?.done(&from, "FFA_MSG_SEND2")?;
        let told = told::take();
        from.equal("schedule receiver interrupts", told.schedule, 1)?;
        from.equal("it was interrupted", told.interrupted, interrupted)?;
        named(suite, &[Entry::whole(to.who.id)])?;
        takes(&from, &to)?;
    }
    nobody(suite)
}

/// FFA_MSG_WAIT gives RX back once its owner has read that something is there: what came while it was about to wait is
/// not lost.
fn waits(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    let first = Message::new(&from, &to, 33);
    soil(&to)?;
    send(&from, &first, 0)?;
    told_of(suite, true)?;
    named(suite, &[Entry::whole(to.who.id)])?;
    runs(suite, &to)?;
    let second = Message::new(&from, &to, 44);
    second.write(&from)?;
    call(&from, 0, 0)?.refused(&from, "a message for a full RX", BUSY)?;
    first.lies(&from, &to)?;
    get(&to)?.is(&to, &full(&from, &to))?;
    call(&from, 0, 0)?.refused(&from, "a message for a full RX", BUSY)?;
    first.lies(&from, &to)?;
    runs(suite, &to)?;
    nothing(suite, &to)?;
    delivered(suite, &from, &to, &second)
}

/// One has its RX full for good. All others go on.
fn third(suite: &Suite) -> Check {
    let me = suite.me;
    let [_, old, rich, many] = suite.partitions();
    send(&me, &Message::new(&me, &rich, 33), 0)?;
    told::take();
    named(suite, &[Entry::whole(rich.who.id)])?;
    for _ in 0..10 {
        for (from, to) in [
            (&me, &old),
            (&old, &many),
            (&many, &old),
            (&rich, &many),
            (&many, &me),
            (&rich, &me),
        ] {
            let message = Message::new(from, to, 60);
            soil(to)?;
            send(from, &message, 0)?;
            told::take();
            named(suite, &[Entry::whole(to.who.id)])?;
            message.lies(from, to)?;
            takes(from, to)?;
        }
        for from in [&me, &old, &many] {
            Message::new(from, &rich, 60).write(from)?;
            call(from, 0, 0)?.refused(from, "a message for a full RX", BUSY)?;
        }
    }
    Message::new(&me, &rich, 33).lies(&me, &rich)?;
    takes(&me, &rich)?;
    nothing(suite, &rich)
}

/// A partition sends to id 0: nobody reads that, and nobody who asks the hypervisor waits for it.
fn hypervisor(suite: &Suite) -> Check {
    let me = suite.me;
    let [_, old, rich, many] = suite.partitions();
    for from in [&old, &rich, &many, &old] {
        let message = Message {
            receiver: abi::HYPERVISOR,
            ..Message::new(from, &me, 33)
        };
        message.write(from)?;
        call(from, 0, 0)?.done(from, "a message to id 0")?;
        // How many partitions there are.
        let count = [0, 0, 0, 0, 1];
        me.call(abi::PARTITION_INFO_GET, &count)?.is(
            &me,
            "FFA_PARTITION_INFO_GET",
            abi::SUCCESS_32,
        )?;
    }
    told::take();
    nobody(suite)
}
