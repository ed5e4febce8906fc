//! What is refused: a row for each check of FFA_MSG_SEND2. After each the receiver's RX is as it was, nobody is told
//! anything, and a message comes through.

use super::message::{self, DELAYED, Message, call, delivered, header_of, nothing, soil, soiled};
use super::{Check, Party, Suite, another, deaf, hears, nobody, pairs};
use crate::abi::{self, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED};
use crate::memory::{Kind, PAGE, V10};

/// A partition and a VM that there are not.
const NO_PARTITION: u16 = 0x9000;
const NO_VM: u16 = 0x1234;

/// A row: name, the message, w1 and w2, error.
type Row = (&'static str, Message, [u64; 2], i32);

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for two in pairs(suite).into_iter().flatten() {
        let [from, to] = two;
        for row in rows(suite, two).into_iter().flatten() {
            let (name, message, w, code) = row;
            suite.named(
                format_args!("{}_to_{}/{name}", from.who.name, to.who.name),
                |suite| {
                    refused(suite, &from, &to, &message, w, code)?;
                    delivered(suite, &from, &to, &Message::new(&from, &to, 50))
                },
            );
        }
    }
    for party in suite.everybody().iter() {
        if hears(&party.who) {
            continue;
        }
        suite.named(format_args!("{}/sends_nothing", party.who.name), |suite| {
            let to = suite.partitions()[2];
            let code = match party.who.version {
                abi::V1_0 => NOT_SUPPORTED,
                _ => DENIED,
            };
            let message = Message::new(party, &to, 10);
            refused(suite, party, &to, &message, [0, 0], code)
        });
    }
    let none = deaf(suite);
    suite.named(format_args!("{}/sends_nothing", none.who.name), |suite| {
        let to = suite.partitions()[2];
        refused(
            suite,
            &none,
            &to,
            &Message::new(&none, &to, 10),
            [0, 0],
            DENIED,
        )
    });
}

/// A message is refused, and nothing has changed.
pub(super) fn refused(
    suite: &Suite,
    from: &Party,
    to: &Party,
    message: &Message,
    [w1, w2]: [u64; 2],
    code: i32,
) -> Check {
    soil(to)?;
    message.write(from)?;
    call(from, w1, w2)?.refused(from, "FFA_MSG_SEND2", code)?;
    soiled(to)?;
    nothing(suite, to)?;
    nobody(suite)
}

fn rows(suite: &Suite, [from, to]: [Party; 2]) -> [Option<Row>; 25] {
    const BAD: i32 = INVALID_PARAMETERS;
    let good = Message::new(&from, &to, 100);
    let header = header_of(from.who.version);
    let tx = from.who.buffers as u32 * PAGE as u32;
    let row = |name, message, code| Some((name, message, [0, 0], code));
    let placed = |name, offset, size, code| {
        row(
            name,
            Message {
                offset,
                size,
                ..good
            },
            code,
        )
    };
    let receiver = |name, receiver, code| row(name, Message { receiver, ..good }, code);
    let sender = |name, sender| row(name, Message { sender, ..good }, BAD);
    let flags = |name, w2| Some((name, good, [0, w2], BAD));
    let w1 = |name, id: u16| Some((name, good, [u64::from(id) << 16, 0], BAD));
    let hypervisor = from.who.kind == Kind::Hypervisor;
    let partition = from.who.is_partition();
    [
        w1("names_a_partition", another(suite).who.id),
        w1("names_itself", from.who.id).filter(|_| !hypervisor),
        w1("names_a_vm", abi::VM1).filter(|_| !hypervisor),
        w1("names_what_is_no_endpoint", 0x7fff),
        sender("sender_is_another", another(suite).who.id),
        sender("sender_is_the_receiver", to.who.id),
        receiver("receiver_is_itself", from.who.id, BAD),
        flags("flag_0", 1),
        flags("flag_2", 1 << 2),
        flags("flag_31", 1 << 31),
        flags("delayed_by_the_normal_world", DELAYED).filter(|_| !partition),
        receiver("receiver_is_no_partition", NO_PARTITION, BAD),
        receiver("receiver_is_no_vm", NO_VM, BAD),
        receiver("receiver_is_the_spmc", abi::SPMC, BAD),
        receiver("receiver_is_el3", abi::SPMD, BAD),
        receiver("receiver_takes_none", deaf(suite).who.id, DENIED),
        receiver("receiver_of_1_0", V10.id, DENIED),
        placed("payload_in_the_header", header - 1, 10, BAD),
        placed("payload_at_0", 0, 0, BAD),
        placed("payload_beyond", header, tx - header + 1, BAD),
        placed("payload_starts_beyond", tx + 1, 0, BAD),
        placed("offset_overflows", u32::MAX, 1, BAD),
        placed("size_overflows", header, u32::MAX, BAD),
        placed("both_overflow", u32::MAX - 7, 16, BAD),
        placed("sum_wraps_into_tx", u32::MAX - 15, 16 + header + 8, BAD),
    ]
}

/// The delay of a partition is no mistake.
const _: () = assert!(message::DELAYED == 2);
