//! Memory that its owner changes while a message is copied.

use super::*;

#[test]
fn the_header_is_what_it_was_when_it_was_read() {
    for from in [Os, Vm, Sp(A), Sp(OLD)] {
        let mut w = World::new();
        let version = w.version_of(from);
        let size = header_size(version) as usize;
        let head = Head::new(from, Sp(B), version, 24);
        let arrived = Head { offset: 40, ..head };
        let bytes = payload(24);
        // Each word of it, then all of it, becomes something else behind the reader's back.
        let mut changes: Vec<_> = (0..size).step_by(4).map(|at| (at, vec![0xff; 4])).collect();
        changes.push((0, vec![0xff; size]));
        changes.push((0, vec![0; size]));
        for (at, change) in changes {
            w.turn(from);
            w.put(from, head, &bytes);
            w.machine.rewrites = vec![(from.tx() + at as u64, change)];
            w.call(World::send2(from, 0));
            w.got(&DONE);
            assert!(w.machine.rewrites.is_empty(), "it was read");
            w.holds(Sp(B), arrived, &bytes);
            assert_eq!(w.release(Sp(B)), Ok(()));
        }
    }
}

#[test]
fn a_header_that_becomes_good_is_still_bad() {
    let mut w = World::new();
    let good = Head::new(Sp(A), Sp(B), Version::V1_2, 24);
    let bad = [
        Head {
            sender: id(C),
            ..good
        },
        Head {
            receiver: id(A),
            ..good
        },
        Head { offset: 39, ..good },
        Head {
            size: u32::MAX,
            ..good
        },
        Head {
            uuid: Uuid([0xee; 16]),
            ..good
        },
    ];
    for head in bad {
        w.turn(Sp(A));
        w.put(Sp(A), good, &payload(24));
        w.machine.poke(Sp(A).tx(), &head.bytes(Version::V1_2));
        w.machine.rewrites = vec![(Sp(A).tx(), good.bytes(Version::V1_2))];
        w.refused(World::send2(Sp(A), 0), InvalidParameters);
        assert_eq!(w.release(Sp(B)), Err(Denied));
    }
}

#[test]
fn only_the_payload_is_the_senders_to_change() {
    let mut w = World::new();
    let head = Head::new(Sp(A), Sp(B), Version::V1_2, 16);
    w.turn(Sp(A));
    w.put(Sp(A), head, &payload(16));
    // As much as it likes of its TX, after the header was read.
    w.machine.rewrites = vec![(Sp(A).tx(), vec![0xee; PAGE as usize])];
    w.call(World::send2(Sp(A), 0));
    w.got(&DONE);
    w.holds(Sp(B), head, &[0xee; 16]);
}

#[test]
fn what_lies_in_rx_is_nobodys_word() {
    // The receiver has filled its own RX with a header that is none; all of that is gone.
    let mut w = World::new();
    w.machine.poke(Sp(B).rx(), &[0xff; PAGE as usize]);
    let head = Head::new(Sp(A), Sp(B), Version::V1_2, 1);
    w.sends(Sp(A), head, &[9], 0);
    w.holds(Sp(B), head, &[9]);
}
