//! `FFA_MEM_SHARE`, `LEND` and `DONATE`: each mistake, in the order in which they are looked for.
//!
//! What a descriptor alone shows to be wrong is tested mistake by mistake beside its reader; here each
//! kind of it comes once.

use super::{constituents::refused, *};

/// `who` makes the call with these registers, after `draft` was put into TX.
#[track_caller]
fn calls(f: &mut Fixture, who: Who, call: &[u64], draft: &Draft, error: FfaError) {
    f.turn_of(who);
    let bytes = draft.bytes(f.version());
    f.put(&bytes);
    let mut call = call.to_vec();
    for register in &mut call[1..] {
        if *register == u64::MAX {
            *register = bytes.len() as u64;
        }
    }
    assert_eq!(f.ask(&call).map(|_| ()), Err(error), "{who:?} {call:x?}");
}

/// In a call: the length of the descriptor.
const L: u64 = u64::MAX;

#[test]
fn row_1_the_descriptor_lies_in_tx() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let draft = share(who, B);
        for fid in [SHARE, LEND | WIDE, DONATE] {
            let buffer = [fid, L, L, who.memory(), 1];
            calls(&mut f, who, &buffer, &draft, InvalidParameters);
            calls(&mut f, who, &[fid, L, L, 0, 1], &draft, InvalidParameters);
            calls(&mut f, who, &[fid, L, L, PAGE], &draft, InvalidParameters);
        }
        // Upper halves of a 32-bit form are nothing.
        let handle = {
            f.turn_of(who);
            let bytes = draft.bytes(f.version());
            f.put(&bytes);
            let length = bytes.len() as u64;
            let answer = f.ask(&[SHARE, length, length, 1 << 32, 1 << 32]).unwrap();
            Handle(answer[3] << 32 | answer[2])
        };
        f.reclaim(who, handle, 0).unwrap();
        let wide = [SHARE | WIDE, L, L, 1 << 32];
        calls(&mut f, who, &wide, &draft, InvalidParameters);
    }
}

#[test]
fn row_2_a_fragment_longer_than_the_whole() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        for call in [[SHARE, 0x40, L], [SHARE, 0, L], [SHARE, 0, 1]] {
            calls(&mut f, who, &call, &share(who, B), InvalidParameters);
        }
    }
}

#[test]
fn row_3_no_buffers() {
    let mut f = Fixture::new();
    for who in Who::ALL {
        f.turn_of(who);
        for fid in [SHARE, LEND, DONATE, RETRIEVE] {
            assert_eq!(f.ask(&[fid, 0x90, 0x90]), Err(InvalidParameters));
        }
        assert_eq!(f.ask(&[RELINQUISH]), Err(InvalidParameters));
        assert_eq!(f.ask(&[FRAG_TX, 1, 0, 16]), Err(InvalidParameters));
        assert_eq!(f.ask(&[FRAG_RX, 1, 0, 16]), Err(InvalidParameters));
    }
}

#[test]
fn row_4_a_fragment_longer_than_tx() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        for length in [PAIR * PAGE + 16, 0x10_0000, 0xffff_fff0] {
            let call = [SHARE, length, length];
            calls(&mut f, who, &call, &share(who, B), InvalidParameters);
        }
    }
}

#[test]
fn row_6_memory_that_can_not_be_read() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        f.turn_of(who);
        f.machine.broken = true;
        for call in [[SHARE, 0x90, 0x90], [RETRIEVE, 0x60, 0x60]] {
            assert_eq!(f.ask(&call), Err(Aborted));
        }
        assert_eq!(f.ask(&[RELINQUISH]), Err(Aborted));
        f.machine.broken = false;
    }
}

/// Mistakes in a descriptor of version 1.2: 48 bytes of header, 32 for each receiver.
#[test]
fn rows_7_to_21_what_the_descriptor_says() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let two = [(id(B).0, RW), (id(C).0, RW)];
        let b = id(B).0;
        let share = || share(who, B);
        let lend = || lend(who, B);
        let donate = || donate(who, B);
        for (row, fid, draft, error) in [
            (7, SHARE, share().poke(36, 1), InvalidParameters),
            (7, SHARE, share().poke(24, 16), InvalidParameters),
            (7, SHARE, share().poke(32, 56), InvalidParameters),
            (7, SHARE, share().poke(28, 0), InvalidParameters),
            (7, SHARE, share().poke(28, 9), InvalidParameters),
            (7, SHARE, share().poke(52, 64), InvalidParameters),
            (7, SHARE, share().poke(52, u32::MAX), InvalidParameters),
            (7, SHARE, share().to(&two).poke(52, 128), InvalidParameters),
            (8, SHARE, share().flags(1), InvalidParameters),
            (8, LEND, lend().flags(1 << 2), InvalidParameters),
            (8, LEND, lend().flags(2 << 3), InvalidParameters),
            (8, LEND, lend().flags(1 << 31), InvalidParameters),
            (9, DONATE, donate().to(&two), InvalidParameters),
            (
                13,
                SHARE,
                Draft {
                    sender: id(C),
                    ..share()
                },
                Denied,
            ),
            (14, SHARE, share().poke(84, 2), InvalidParameters),
            (14, SHARE, share().poke(84, 0), InvalidParameters),
            (14, SHARE, share().poke(84, 0x1000_0001), InvalidParameters),
            (15, SHARE, share().flags(2), InvalidParameters),
            (15, LEND, lend().flags(3), InvalidParameters),
            (
                16,
                SHARE,
                share().to(&[(b, RW), (b, RW)]),
                InvalidParameters,
            ),
            (17, SHARE, share().to(&[(b, 3)]), InvalidParameters),
            (17, SHARE, share().to(&[(b, RW | NX)]), InvalidParameters),
            (17, LEND, lend().to(&[(b, RW | X)]), InvalidParameters),
            (17, LEND, lend().to(&[(b, RW | 0x80)]), InvalidParameters),
            (18, SHARE, share().to(&[(b, 0)]), InvalidParameters),
            (18, DONATE, donate().to(&[(b, RO)]), InvalidParameters),
            (19, SHARE, share().attributes(0x6f), InvalidParameters),
            (20, LEND, lend().attributes(NORMAL), InvalidParameters),
            (20, DONATE, donate().attributes(NORMAL), InvalidParameters),
            (21, SHARE, share().attributes(0), Denied),
            (21, SHARE, share().attributes(0x25), Denied),
            (21, LEND, lend().to(&two), Denied),
        ] {
            let answer = f.offer(who, fid, &draft);
            assert_eq!(answer, Err(error), "row {row}, {who:?}: {draft:x?}");
        }
    }
}

#[test]
fn row_10_receivers_that_are_nobody_or_oneself() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        for nobody in [0x8000, 0x8006, 0x9000, 0xffc0, 0xffff, who.id().0] {
            for (fid, draft) in [
                (SHARE, share(who, B)),
                (LEND, lend(who, B)),
                (DONATE, donate(who, B)),
            ] {
                let permissions = draft.receivers[0].1;
                let draft = draft.to(&[(nobody, permissions)]);
                refused(&mut f, who, fid, &draft, InvalidParameters);
            }
        }
        // It comes before 11: somebody of the normal world, then nobody.
        let draft = share(who, B).to(&[(5, RW), (0x9000, RW)]);
        refused(&mut f, who, LEND, &draft, InvalidParameters);
    }
}

#[test]
fn row_11_receivers_of_the_normal_world() {
    let mut f = Fixture::with_pairs();
    for vm in [1, 5, 0x7fff] {
        for who in Who::ALL {
            let mixed = [(id(B).0, RW), (vm, RW)];
            refused(&mut f, who, LEND, &lend(who, B).to(&[(vm, RW)]), Denied);
            refused(&mut f, who, LEND, &share(who, B).to(&mixed), Denied);
            refused(&mut f, who, DONATE, &donate(who, B).to(&[(vm, 0)]), Denied);
            refused(&mut f, who, SHARE, &share(who, B).to(&[(vm, RW)]), Denied);
            let draft = share(who, B).to(&mixed);
            match who {
                Who::Partition(_) => refused(&mut f, who, SHARE, &draft, Denied),
                _ => {
                    let handle = f.offer(who, SHARE, &draft).unwrap();
                    f.reclaim(who, handle, 0).unwrap();
                }
            }
        }
    }
    // The hypervisor itself, or the OS where there is none.
    let who = Who::Partition(A);
    for (fid, draft) in [
        (SHARE, share(who, B).to(&[(0, RW)])),
        (LEND, lend(who, B).to(&[(0, RW)])),
        (DONATE, donate(who, B).to(&[(0, 0)])),
    ] {
        refused(&mut f, who, fid, &draft, Denied);
    }
}

#[test]
fn row_12_lengths() {
    let mut f = Fixture::with_pairs();
    for who in Who::ALL {
        let draft = share(who, B);
        // 80 bytes are in front of the composite region, 96 in front of the constituent.
        for (total, fragment) in [
            (112, 80),
            (112, 88),
            (112, 104),
            (113, 112),
            (96, 96),
            (80, 80),
        ] {
            let call = [SHARE, total, fragment];
            calls(&mut f, who, &call, &draft, InvalidParameters);
        }
        for length in [0, 1, 16, 47, 48, 79] {
            let call = [SHARE, length, length];
            calls(&mut f, who, &call, &draft, InvalidParameters);
        }
    }
}

#[test]
fn row_13_senders_that_the_caller_is_not() {
    let mut f = Fixture::with_pairs();
    for sender in [0, VM.0, id(C).0, 0x8000] {
        let draft = Draft {
            sender: EndpointId(sender),
            ..share(Who::Partition(A), B)
        };
        refused(&mut f, Who::Partition(A), SHARE, &draft, Denied);
    }
    for sender in [0x8000, id(A).0, id(C).0, 0xffff] {
        let draft = Draft {
            sender: EndpointId(sender),
            ..share(Who::Vm, B)
        };
        refused(&mut f, Who::Vm, SHARE, &draft, Denied);
    }
}
