//! Messages from VMs to partitions: the SPMC copies them.

use super::rig::*;
use ffa_abi::{FfaError::*, Uuid, Version};

#[test]
fn a_message_goes_by_what_stands_in_for_the_senders_tx() {
    for upstream in [Version::V1_1, Version::V1_2, Version::V1_3] {
        for own in [Version::V1_1, Version::V1_2, Version::V1_3] {
            // A VM speaks no newer one than the SPMC.
            if own > upstream {
                continue;
            }
            let mut rig = Rig::of(Setup {
                upstream,
                vms: [own; 3],
                pages: [1, 3, 1],
                ..SETUP
            });
            rig.map_all();
            let there = &rig.host.spmc.pairs[&2];
            assert_eq!(
                (there.tx, there.rx, there.pages),
                (stand_in(2), page(2, RX), 3)
            );
            let short = own < Version::V1_2;
            let message = Message {
                offset: if short { 20 } else { 40 },
                size: 9001,
                payload: (0..9001u32).map(|n| (n * 3) as u8).collect(),
                service: if short { Uuid::NIL } else { Uuid([0x5e; 16]) },
                ..Message::new(2, SP)
            };
            rig.sends(2, &message);
            assert_eq!(rig.asked(), [SEND2]);
            let got = rig.host.spmc.got.take().unwrap();
            assert_eq!((got.sender, &got.service[..]), (2, &message.service.0[..]));
            let moved = short && upstream >= Version::V1_2;
            let offset = if moved { 40 } else { message.offset as usize };
            assert_eq!((got.offset, &got.payload), (offset, &message.payload));
            // Its own SRI tells the primary.
            assert_eq!(rig.raised(), []);
        }
    }
}

#[test]
fn the_errors_are_the_spmcs_in_its_order() {
    let mut rig = Rig::new();
    let good = Message::new(2, SP);
    rig.send_refused(2, &Message::new(2, DEAF), Denied);
    rig.send_refused(2, &Message::new(2, 0x8077), InvalidParameters);
    let bad = |offset, size| Message {
        offset,
        size,
        ..good.clone()
    };
    let wrong = [
        bad(39, 1),
        bad(0, 0),
        bad(48, 4049),
        bad(u32::MAX, 1),
        bad(40, u32::MAX),
        bad(4097, 0),
    ];
    for message in &wrong {
        rig.send_refused(2, message, InvalidParameters);
        let deaf = Message {
            receiver: DEAF,
            ..message.clone()
        };
        rig.send_refused(2, &deaf, Denied);
    }
    rig.send_refused(
        2,
        &Message {
            service: Uuid([7; 16]),
            ..good.clone()
        },
        InvalidParameters,
    );
    rig.sends(2, &good);
    for message in &wrong {
        rig.send_refused(2, message, Busy);
    }
    for (vm, message) in [(2, &good), (3, &Message::new(3, SP))] {
        rig.send_refused(vm, message, Busy);
    }
    // Nor is anybody kept from others.
    rig.sends(2, &Message::new(2, 3));
}

#[test]
fn an_spmc_that_takes_anything_is_not_believed() {
    let mut rig = Rig::new();
    let bad = Message {
        offset: 39,
        ..Message::new(2, SP)
    };
    rig.puts(2, &bad);
    rig.host.spmc.gullible = true;
    rig.refuses(2, &[SEND2.into()], InvalidParameters);
}

#[test]
fn the_message_is_read_once_and_only_its_own_bytes_go_there() {
    let mut rig = Rig::new();
    let message = Message::new(2, SP);
    rig.puts(2, &message);
    rig.host.reads.clear();
    rig.host.rewrites = Some(|bytes| bytes.fill(0xff));
    rig.succeeds(2, &[SEND2.into()]);
    let tx = page(2, TX);
    assert_eq!(rig.host.reads, [(tx, 40), (tx + 48, 100)]);
    let got = rig.host.spmc.got.take().unwrap();
    assert_eq!(got.payload, message.payload);
    let stand_in = &rig.host.stand_ins[1];
    assert!(stand_in[148..].iter().all(|byte| *byte == 0xcc));
    assert!(rig.host.stand_ins[0].iter().all(|byte| *byte == 0xcc));
}

#[test]
fn what_does_not_fit_behind_a_longer_header_is_refused() {
    let mut rig = Rig::of(Setup {
        vms: [Version::V1_1; 3],
        ..SETUP
    });
    rig.map_all();
    let full = |size: u32| Message {
        offset: 20,
        size,
        payload: vec![9; size as usize],
        ..Message::new(3, SP)
    };
    rig.send_refused(3, &full(4096 - 20), InvalidParameters);
    rig.send_refused(3, &full(4096 - 39), InvalidParameters);
    rig.sends(3, &full(4096 - 40));
}
