//! What arrives.

use super::*;

#[test]
fn everybody_but_two_of_the_normal_world_exchanges_messages() {
    let mut w = World::new();
    for from in Who::ALL {
        for to in Who::ALL {
            if from == to || !(from.is_partition() || to.is_partition()) {
                continue;
            }
            let (sent, got) = (w.version_of(from), w.version_of(to));
            for size in [0, 1, 7, 64, 1000] {
                let head = Head {
                    flags: 0x55,
                    ..Head::new(from, to, sent, size)
                };
                let bytes = payload(size as usize);
                w.sends(from, head, &bytes, 0);
                let arrived = Head {
                    flags: 0,
                    offset: head.offset.max(header_size(got)),
                    ..head
                };
                w.holds(to, arrived, &bytes);
                // It is full now, for everybody.
                w.turn(from);
                w.put(from, head, &bytes);
                w.refuses(from, World::send2(from, 0), Busy);
                w.holds(to, arrived, &bytes);
                assert_eq!(w.release(to), Ok(()), "{from:?} {to:?}");
                assert_eq!(w.release(to), Err(Denied));
            }
        }
    }
}

#[test]
fn a_normal_world_reads_and_writes_its_own_version() {
    for version in [Version::V1_1, Version::V1_2, Version::V1_3] {
        let mut w = World::of(version, &SPECS);
        for own in [Os, Vm] {
            for other in [Sp(A), Sp(OLD)] {
                let bytes = payload(33);
                for (from, to) in [(own, other), (other, own)] {
                    let (sent, got) = (w.version_of(from), w.version_of(to));
                    let head = Head::new(from, to, sent, 33);
                    w.sends(from, head, &bytes, 0);
                    let offset = head.offset.max(header_size(got));
                    w.holds(to, Head { offset, ..head }, &bytes);
                    assert_eq!(w.release(to), Ok(()));
                }
            }
        }
    }
}

#[test]
fn a_payload_stays_where_it_is_if_the_receivers_header_leaves_it_there() {
    let mut w = World::new();
    // (from, to, offset, size, offset there)
    for (from, to, offset, size, there) in [
        // With a gap, which is zero at the receiver.
        (Sp(A), Sp(B), 41, 3, 41),
        (Sp(A), Sp(B), 4000, 96, 4000),
        (Sp(A), Sp(B), 40, 4056, 40),
        (Sp(A), Sp(OLD), 40, 4056, 40),
        (Sp(OLD), Sp(A), 40, 9, 40),
        (Sp(OLD), Sp(A), 39, 9, 40),
        (Sp(OLD), Sp(A), 20, 4056, 40),
        (Sp(OLD), Sp(C), 20, 4076, 40),
        // Where it is would be beyond a smaller RX.
        (Sp(C), Sp(A), 0x3000, 0x800, 40),
        (Sp(C), Sp(OLD), 0x1000, 0x1000 - 20, 20),
        (Sp(C), Os, 0x1000, 0x1000, 0x1000),
        (Sp(C), Os, 0x1001, 0x1000, 40),
        // Nothing lies anywhere.
        (Sp(A), Sp(B), 4096, 0, 4096),
    ] {
        let bytes = payload(size as usize);
        let head = Head {
            offset,
            ..Head::new(from, to, Version::V1_2, size)
        };
        w.sends(from, head, &bytes, 0);
        let offset = there;
        w.holds(to, Head { offset, ..head }, &bytes);
        assert_eq!(w.release(to), Ok(()));
    }
}

#[test]
fn a_uuid_goes_to_who_understands_it() {
    let mut w = World::new();
    let mut own = SERVICE;
    own.0[15] = 1;
    for (from, to, uuid) in [
        (Sp(A), Sp(B), SERVICE),
        (Sp(A), Sp(B), own),
        (Sp(C), Sp(B), own),
        (Os, Sp(B), own),
        (Vm, Sp(B), SERVICE),
        (Sp(A), Sp(OLD), SERVICE),
        // What services VMs have is not known here.
        (Sp(A), Vm, own),
        (Sp(A), Os, Uuid([0xee; 16])),
    ] {
        let bytes = payload(8);
        let head = Head {
            uuid,
            ..Head::new(from, to, Version::V1_2, 8)
        };
        w.sends(from, head, &bytes, 0);
        w.holds(to, head, &bytes);
        assert_eq!(w.release(to), Ok(()));
    }
    // A sender of 1.1 has none: what lies behind its header is payload.
    let bytes = payload(20);
    let head = Head::new(Sp(OLD), Sp(B), Version::V1_1, 20);
    w.sends(Sp(OLD), head, &bytes, 0);
    w.holds(Sp(B), Head { offset: 40, ..head }, &bytes);
}

#[test]
fn who_was_told_something_else_has_to_release_that_first() {
    let mut w = World::new();
    w.turn(Sp(B));
    w.call(frame(&[Function::PartitionInfoGet.raw32().into()]));
    let head = Head::new(Sp(A), Sp(B), Version::V1_2, 4);
    w.refuses_message(Sp(A), head, Busy);
    assert_eq!(w.release(Sp(B)), Ok(()));
    w.sends(Sp(A), head, &payload(4), 0);
    // And a message keeps other answers out.
    w.turn(Sp(B));
    w.refused(frame(&[Function::PartitionInfoGet.raw32().into()]), Busy);
    assert_eq!(w.release(Sp(B)), Ok(()));
}

#[test]
fn who_never_releases_stops_nobody_else() {
    let mut w = World::new();
    let to_b = Head::new(Sp(A), Sp(B), Version::V1_2, 4);
    w.sends(Sp(A), to_b, &payload(4), 0);
    let to_vm = Head::new(Sp(A), Vm, Version::V1_2, 4);
    w.sends(Sp(A), to_vm, &payload(4), 0);
    for (from, to) in [(Sp(A), Sp(C)), (Sp(C), Os), (Sp(B), Sp(A)), (Vm, Sp(OLD))] {
        let version = w.version_of(from);
        let head = Head::new(from, to, version, 4);
        w.sends(from, head, &payload(4), 0);
        assert_eq!(w.release(to), Ok(()));
    }
    w.holds(Sp(B), to_b, &payload(4));
    w.holds(Vm, to_vm, &payload(4));
}
