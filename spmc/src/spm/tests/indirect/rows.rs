//! Each row of checks with its error, and the order of the rows: what comes first decides.

use super::*;

const V1_2: Version = Version::V1_2;

#[test]
fn row_1_a_partition_names_no_sender_and_the_normal_world_its_own() {
    let mut w = World::new();
    for vm in [1, VM.0, id(A).0, 0x7fff, 0xffff] {
        let call = frame(&[
            Function::MsgSend2.raw32().into(),
            u64::from(vm) << 16,
            0xffff,
        ]);
        w.refuses(Sp(A), call, InvalidParameters);
    }
    for vm in [0x7fff, 0x8000, 0x8001, 0xffff] {
        let call = frame(&[Function::MsgSend2.raw32().into(), vm << 16, 0xffff]);
        w.refuses(Os, call, InvalidParameters);
    }
}

#[test]
fn row_2_who_has_no_pair_sends_nothing() {
    let mut w = World::new();
    for who in [Vm, Os, Sp(A)] {
        w.unmap(who);
        w.turn(who);
        w.refused(World::send2(who, 0xffff), Denied);
    }
    let call = [
        Function::MsgSend2.raw32().into(),
        u64::from(UNKNOWN.0) << 16,
        1,
    ];
    w.refuses(Os, frame(&call), Denied);
}

#[test]
fn row_3_tx_that_cannot_be_read_is_an_abort() {
    let mut w = World::new();
    for who in [Os, Vm, Sp(A)] {
        w.turn(who);
        w.machine.broken = true;
        w.refuses(who, World::send2(who, 0xffff), Aborted);
        w.machine.broken = false;
    }
}

#[test]
fn row_4_the_header_names_its_sender_and_another_receiver() {
    let mut w = World::new();
    for who in [Os, Vm, Sp(A), Sp(OLD)] {
        let version = w.version_of(who);
        let good = Head::new(who, Sp(B), version, 4);
        for sender in [
            Os.id(),
            VM,
            UNKNOWN,
            id(A),
            id(B),
            id(C),
            EndpointId(0x8000),
        ] {
            if sender != who.id() {
                w.refuses_message(who, Head { sender, ..good }, InvalidParameters);
            }
        }
        let receiver = who.id();
        w.refuses_message(who, Head { receiver, ..good }, InvalidParameters);
    }
}

#[test]
fn row_4_flags_are_the_senders_to_give() {
    let mut w = World::new();
    for who in [Os, Vm, Sp(A), Sp(OLD)] {
        let version = w.version_of(who);
        let head = Head::new(who, Sp(B), version, 4);
        w.turn(who);
        w.put(who, head, &[]);
        for bit in 0..32 {
            let flags = 1 << bit;
            if flags == DELAY && who.is_partition() {
                continue;
            }
            w.refuses(who, World::send2(who, flags), InvalidParameters);
            w.refuses(who, World::send2(who, flags | DELAY), InvalidParameters);
        }
    }
}

#[test]
fn row_5_the_receiver_exists() {
    let mut w = World::new();
    for who in [Os, Vm, Sp(A)] {
        let good = Head::new(who, Sp(B), V1_2, 4);
        for receiver in [0x7fff, 0x8000, 0x8006, 0xffff, UNKNOWN.0] {
            let receiver = EndpointId(receiver);
            w.refuses_message(who, Head { receiver, ..good }, InvalidParameters);
        }
    }
    // Between VMs it is the hypervisor's.
    for (from, to) in [(Os, Vm), (Vm, Os)] {
        w.refuses_message(from, Head::new(from, to, V1_2, 4), InvalidParameters);
    }
    // One with a bitmap is known, though it has no pair.
    w.turn(Os);
    let create = Function::NotificationBitmapCreate.raw32();
    w.call(frame(&[create.into(), UNKNOWN.0.into(), 1]));
    w.got(&DONE);
    let to_unknown = Head {
        receiver: UNKNOWN,
        ..Head::new(Sp(A), Vm, V1_2, 4)
    };
    w.refuses_message(Sp(A), to_unknown, Busy);
}

#[test]
fn row_6_both_have_indirect_messages() {
    let mut w = World::new();
    for from in [Os, Vm, Sp(A), Sp(OLD)] {
        let version = w.version_of(from);
        w.refuses_message(from, Head::new(from, Sp(MUTE), version, 9999), Denied);
    }
    for to in [Os, Vm, Sp(A), Sp(OLD)] {
        w.refuses_message(Sp(MUTE), Head::new(Sp(MUTE), to, V1_2, 9999), Denied);
    }
}

#[test]
fn row_6_and_speak_1_1() {
    // A partition of 1.0 has no such call, nor has a normal world; and neither is sent anything.
    let mut specs = SPECS;
    specs[3] = Spec::up(Version::V1_0).methods(ALL);
    let mut w = World::of(Version::V1_0, &specs);
    for who in [Os, Vm, Sp(OLD)] {
        w.refuses(who, World::send2(who, 0), NotSupported);
    }
    for to in [Os, Vm, Sp(OLD)] {
        w.refuses_message(Sp(A), Head::new(Sp(A), to, V1_2, 9999), Denied);
    }
}

#[test]
fn row_7_rx_is_there_and_empty() {
    let mut w = World::new();
    let bad = |from, to| Head::new(from, to, V1_2, 9999);
    w.unmap(Sp(B));
    for from in [Sp(A), Os, Vm] {
        w.refuses_message(from, bad(from, Sp(B)), Busy);
    }
    // The hypervisor has it.
    w.turn(Os);
    w.answered(
        frame(&[Function::RxAcquire.raw32().into(), VM.0.into()]),
        &DONE,
    );
    w.refuses_message(Sp(A), bad(Sp(A), Vm), Busy);
    assert_eq!(w.release(Vm), Ok(()));
    w.sends(Sp(A), Head::new(Sp(A), Vm, V1_2, 4), &payload(4), 0);
    w.refuses_message(Sp(A), bad(Sp(A), Vm), Busy);
    w.turn(Os);
    w.refused(
        frame(&[Function::RxAcquire.raw32().into(), VM.0.into()]),
        Denied,
    );
    w.unmap(Os);
    w.refuses_message(Sp(A), bad(Sp(A), Os), Busy);
}

#[test]
fn row_8_the_payload_lies_behind_the_header_and_in_tx() {
    let mut w = World::new();
    let unknown = Uuid([0xee; 16]);
    for from in [Os, Vm, Sp(A), Sp(C), Sp(OLD)] {
        let version = w.version_of(from);
        let (header, tx) = (header_size(version), from.size() as u32);
        for (offset, size) in [
            (0, 0),
            (0, 4),
            (header - 1, 4),
            (header - 1, 0),
            (header, tx - header + 1),
            (tx, 1),
            (tx + 1, 0),
            (header, u32::MAX),
            (u32::MAX, 0),
            (u32::MAX, 1),
            (u32::MAX, u32::MAX),
            (u32::MAX - header, header + 1),
            (0x8000_0000, 0x8000_0000),
        ] {
            let head = Head {
                offset,
                size,
                uuid: unknown,
                ..Head::new(from, Sp(B), version, 0)
            };
            w.turn(from);
            let bytes = head.bytes(version);
            w.machine.poke(from.tx(), &bytes);
            w.refuses(from, World::send2(from, 0), InvalidParameters);
        }
    }
}

#[test]
fn row_9_the_service_is_the_receivers() {
    let mut w = World::new();
    let mut others = SERVICE;
    others.0[15] = A.0;
    for uuid in [Uuid([0xee; 16]), others] {
        let head = Head {
            uuid,
            ..Head::new(Sp(A), Sp(B), V1_2, 4)
        };
        w.refuses_message(Sp(A), head, InvalidParameters);
    }
    // It has that one, but not so.
    w.spmc.partitions[B.index()].info.services[1].messaging = Messaging(EVERYTHING);
    let mut own = SERVICE;
    own.0[15] = B.0;
    let head = Head {
        uuid: own,
        ..Head::new(Sp(A), Sp(B), V1_2, 4)
    };
    w.refuses_message(Sp(A), head, Denied);
    w.sends(
        Sp(A),
        Head {
            uuid: SERVICE,
            ..head
        },
        &payload(4),
        0,
    );
}

#[test]
fn row_10_rx_has_room() {
    let mut w = World::new();
    for (to, room) in [(Sp(A), 4056), (Sp(OLD), 4076), (Os, 8152), (Vm, 4056)] {
        w.refuses_message(Sp(C), Head::new(Sp(C), to, V1_2, room + 1), NoMemory);
        let bytes = payload(room as usize);
        let head = Head::new(Sp(C), to, V1_2, room);
        w.sends(Sp(C), head, &bytes, 0);
        let offset = header_size(w.version_of(to)).max(4096 * to.pages() as u32 - room);
        w.holds(to, Head { offset, ..head }, &bytes);
    }
    // The payload has to move by 20 bytes, for which there is no room.
    w.release(Sp(A)).unwrap();
    let head = Head::new(Sp(OLD), Sp(A), Version::V1_1, 4057);
    w.refuses_message(Sp(OLD), head, NoMemory);
}

#[test]
fn row_11_memory_that_fails_leaves_rx_empty() {
    let mut w = World::new();
    for (from, to) in [(Sp(A), Sp(B)), (Sp(A), Vm), (Vm, Sp(B)), (Os, Sp(C))] {
        let head = Head::new(from, to, V1_2, 4);
        w.machine.unwritable = true;
        w.refuses_message(from, head, Aborted);
        w.machine.unwritable = false;
        assert_eq!(w.release(to), Err(Denied), "it is empty");
        w.sends(from, head, &payload(4), 0);
        w.holds(to, head, &payload(4));
        assert_eq!(w.release(to), Ok(()));
    }
}
