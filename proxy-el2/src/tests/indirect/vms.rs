//! Messages between VMs.

use super::rig::*;
use ffa_abi::{
    FfaError::*,
    Uuid,
    Version::{self},
    fid::raw::*,
    messaging::{Messaging, Service},
};

/// What a VM of `version` finds in its RX: the header, a gap, the payload, and zeros.
#[track_caller]
fn finds(rx: &[u8], version: Version, message: &Message, offset: usize) {
    let word = |at: usize| u32::from_le_bytes(rx[at..at + 4].try_into().unwrap());
    let ids = u32::from(message.sender) << 16 | u32::from(message.receiver);
    assert_eq!([word(0), word(4), word(8)], [0, 0, offset as u32]);
    assert_eq!([word(12), word(16)], [ids, message.size]);
    let mut header = 20;
    if version >= Version::V1_2 {
        header = 40;
        assert_eq!((word(20), &rx[24..40]), (0, &message.service.0[..]));
    }
    let end = offset + message.payload.len();
    assert_eq!(rx[offset..end], message.payload);
    assert!(rx[header..offset].iter().all(|byte| *byte == 0), "the gap");
    assert!(rx[end..].iter().all(|byte| *byte == 0), "the tail");
}

#[test]
fn a_message_arrives_with_all_that_it_says_and_both_interrupts() {
    let mut rig = Rig::new();
    let message = Message {
        service: service(3),
        // Reserved: not looked at, and not handed on.
        flags: 5,
        ..Message::new(2, 3)
    };
    rig.sends(2, &message);
    finds(&rig.rx(3), Version::V1_3, &message, 48);
    // The receiver is told, and the primary on this core.
    assert_eq!(rig.raised(), [(3, 0, NPI), (1, 1, 8)]);
    assert_eq!(rig.host.spmc.pairs[&3].whose, Whose::Acquired);
    // It reads that there is one, and releases RX.
    rig.refuses(3, &[RX_RELEASE.into()], Denied);
    let get = [GET.into(), 3, 8];
    rig.sees(3, &get, &[SUCCESS_32.into(), 0, 0, 0, 0, 0, 0, 1]);
    rig.succeeds(3, &[RX_RELEASE.into()]);
    assert_eq!(rig.host.spmc.pairs[&3].whose, Whose::Empty);
    rig.refuses(3, &[RX_RELEASE.into()], Denied);
    rig.sees(3, &get, &[SUCCESS_32.into()]);
}

#[test]
fn the_header_is_in_the_layout_of_who_reads_it() {
    let versions = [Version::V1_1, Version::V1_2, Version::V1_3];
    for (from, to) in versions
        .iter()
        .flat_map(|from| versions.map(|to| (*from, to)))
    {
        let setup = Setup {
            vms: [to, from, to],
            ..SETUP
        };
        for (offset, wanted) in [(20, 40), (40, 40), (44, 44), (45, 45), (3996, 3996)] {
            if offset < 40 && from >= Version::V1_2 {
                continue;
            }
            let wanted = if to < Version::V1_2 { offset } else { wanted };
            let mut rig = Rig::of(setup);
            rig.map_all();
            let message = Message {
                offset,
                service: if from < Version::V1_2 {
                    Uuid::NIL
                } else {
                    service(1)
                },
                ..Message::new(2, 1)
            };
            rig.sends(2, &message);
            finds(&rig.rx(1), to, &message, wanted as usize);
        }
    }
}

#[test]
fn a_message_may_be_as_long_as_both_buffers_and_one_that_does_not_fit_is_refused() {
    let setup = Setup {
        vms: [Version::V1_1, Version::V1_1, Version::V1_2],
        pages: [4, 2, 1],
        ..SETUP
    };
    let long = |sender, receiver, size: u32, offset| Message {
        size,
        offset,
        payload: (0..size).map(|n| (n * 7) as u8).collect(),
        ..Message::new(sender, receiver)
    };
    for (sender, receiver, size, offset, wanted) in [
        (1, 2, 8192 - 20, 20, Some(20)),
        // It is moved towards the start if there is no room for it where it was.
        (1, 2, 8192 - 20, 400, Some(20)),
        (1, 2, 8192 - 19, 20, None),
        (2, 1, 8192 - 19, 20, None),
        (1, 3, 4096 - 40, 20, Some(40)),
        (1, 3, 4096 - 39, 20, None),
        (2, 1, 8192 - 20, 20, Some(20)),
        (2, 1, 8192 - 21, 21, Some(21)),
        (2, 1, 0, 8192, Some(8192)),
        (2, 1, 0, 20, Some(20)),
    ] {
        let mut rig = Rig::of(setup);
        rig.map_all();
        let message = long(sender, receiver, size, offset);
        match wanted {
            Some(at) => {
                rig.sends(sender, &message);
                let version = setup.vms[usize::from(receiver) - 1];
                finds(&rig.rx(receiver), version, &message, at);
            }
            // Beyond TX, or too long for RX.
            None if u64::from(size + offset) > setup.pages[usize::from(sender) - 1] * 4096 => {
                rig.send_refused(sender, &message, InvalidParameters);
            }
            None => rig.send_refused(sender, &message, NoMemory),
        }
    }
}

#[test]
fn each_mistake_has_its_error_and_the_first_one_counts() {
    let good = Message::new(2, 3);
    let mut rig = Rig::new();
    // In whose name, and flags, which are for partitions.
    rig.puts(2, &good);
    for (w1, w2) in [
        (2 << 16, 0),
        (3 << 16, 0),
        (0, 2),
        (0, 1),
        (0, 4),
        (0, 1 << 31),
    ] {
        rig.refuses(2, &[SEND2.into(), w1, w2], InvalidParameters);
    }
    let with = |change: fn(&mut Message)| {
        let mut message = good.clone();
        change(&mut message);
        message
    };
    for bad in [
        with(|m| m.sender = 1),
        with(|m| m.sender = 0),
        with(|m| m.sender = 0x8001),
        with(|m| m.receiver = 2),
        with(|m| m.receiver = 0),
        with(|m| m.receiver = 4),
        with(|m| m.receiver = 0x7fff),
        with(|m| m.receiver = 0x8000),
        with(|m| m.receiver = 0xffff),
        with(|m| m.receiver = 0xffc0),
        with(|m| m.offset = 39),
        with(|m| m.offset = 0),
        with(|m| m.offset = 4097),
        with(|m| m.offset = u32::MAX),
        with(|m| m.size = u32::MAX),
        with(|m| (m.offset, m.size) = (u32::MAX - 99, 100)),
        with(|m| m.size = 4096 - 47),
        with(|m| m.service = service(2)),
        with(|m| m.service = Uuid([1; 16])),
    ] {
        rig.send_refused(2, &bad, InvalidParameters);
    }
    // RX that is full counts before what is wrong with the payload, and after the receiver.
    rig.sends(2, &good);
    rig.raised();
    rig.send_refused(2, &good, Busy);
    rig.send_refused(2, &with(|m| m.offset = 0), Busy);
    rig.send_refused(2, &with(|m| m.service = service(2)), Busy);
    rig.send_refused(2, &with(|m| m.receiver = 4), InvalidParameters);
    // Nobody else is kept from anything.
    rig.sends(2, &Message::new(2, 1));
    rig.sends(1, &Message::new(1, 2));
    // Without RX, and without TX.
    rig.succeeds(3, &[RXTX_UNMAP.into()]);
    rig.send_refused(2, &good, Busy);
    rig.succeeds(2, &[RXTX_UNMAP.into()]);
    rig.send_refused(2, &good, Denied);
    rig.refuses(2, &[SEND2.into(), 2 << 16], InvalidParameters);
}

#[test]
fn who_exchanges_none_neither_sends_nor_receives() {
    let mut rig = Rig::of(Setup {
        indirect: [true, true, false],
        ..SETUP
    });
    rig.map_all();
    assert!(!rig.host.spmc.pairs.contains_key(&3));
    rig.send_refused(2, &Message::new(2, 3), Denied);
    rig.send_refused(3, &Message::new(3, 2), Denied);
    rig.send_refused(3, &Message::new(3, SP), Denied);
    // That it is to itself counts before.
    rig.send_refused(3, &Message::new(3, 3), InvalidParameters);
    rig.send_refused(3, &Message::new(3, 5), InvalidParameters);
    assert_eq!(rig.asked(), []);
    // What was before FF-A 1.1.
    let mut rig = Rig::of(Setup {
        vms: [Version::V1_1, Version::V1_0, Version::V1_1],
        ..SETUP
    });
    rig.map_all();
    assert!(!rig.host.spmc.pairs.contains_key(&2));
    rig.send_refused(1, &Message::new(1, 2), Denied);
    rig.send_refused(2, &Message::new(2, 1), NotSupported);
    for (vm, there) in [(1, true), (2, false)] {
        let asked = [FEATURES.into(), SEND2.into()];
        match there {
            true => rig.succeeds(vm, &asked),
            false => rig.refuses(vm, &asked, NotSupported),
        }
    }
}

#[test]
fn the_header_is_read_once_and_each_byte_of_the_payload_too() {
    let mut rig = Rig::new();
    let message = Message::new(2, 3);
    rig.puts(2, &message);
    rig.host.reads.clear();
    rig.host.rewrites = Some(|bytes| bytes.fill(0xff));
    rig.succeeds(2, &[SEND2.into()]);
    finds(&rig.rx(3), Version::V1_3, &message, 48);
    let tx = page(2, TX);
    assert_eq!(rig.host.reads, [(tx, 40), (tx + 48, 100)]);
}

#[test]
fn a_receiver_without_notifications_has_its_message_and_nobody_is_told() {
    let mut rig = Rig::of(Setup {
        notified: [true, true, false],
        ..SETUP
    });
    rig.map_all();
    rig.sends(2, &Message::new(2, 3));
    assert_eq!(rig.raised(), []);
    rig.refuses(3, &[GET.into(), 3, 8], NotSupported);
    rig.succeeds(3, &[RX_RELEASE.into()]);
    rig.sends(2, &Message::new(2, 3));
}

#[test]
fn vms_talk_above_an_spmc_without_messages() {
    let mut rig = Rig::of(Setup {
        there: false,
        ..SETUP
    });
    rig.map_all();
    let message = Message::new(3, 2);
    rig.sends(3, &message);
    finds(&rig.rx(2), Version::V1_3, &message, 48);
    rig.send_refused(3, &Message::new(3, SP), Denied);
    assert_eq!(rig.asked(), []);
}

#[test]
fn a_service_has_methods_of_its_own() {
    let other = Uuid([0x33; 16]);
    let mut rig = Rig::of(Setup {
        other: Some(Service {
            uuid: other,
            messaging: Messaging(1),
        }),
        ..SETUP
    });
    rig.map_all();
    let to = |service| Message {
        service,
        ..Message::new(2, 3)
    };
    rig.send_refused(2, &to(other), Denied);
    // That the payload is nowhere counts before.
    let beyond = Message {
        offset: 5000,
        ..to(other)
    };
    rig.send_refused(2, &beyond, InvalidParameters);
    rig.sends(2, &to(service(3)));
}
