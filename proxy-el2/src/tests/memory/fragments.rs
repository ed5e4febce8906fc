//! Descriptors in fragments, whatever the sizes of buffers.

use super::{host::*, rig::*, spmc::*};
use ffa_abi::{FfaError::*, Version, fid::raw};

const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

/// Single pages, not in the order of addresses.
fn scattered(vm: u16, count: u64) -> Vec<(u64, u32)> {
    let at = |n| page(vm, FREE + n * 13 % count);
    // 13 divides none of the counts here.
    (0..count).map(|n| (at(n), 1)).collect()
}

#[test]
fn any_number_of_constituents_reaches_a_partition_by_any_buffers() {
    for vms in VERSIONS {
        for (pages, own_pages) in [(1, 1), (1, 4), (4, 1), (4, 4), (2, 3)] {
            let setup = Setup {
                vms,
                pages,
                own_pages,
                ..SETUP
            };
            let mut rig = Rig::of(setup);
            for count in [1, 2, 248, 249, 250, 251, 252, 253, 1019, 1500] {
                let offer = Offer::to(SP, 1, &scattered(1, count)).untyped();
                let handle = rig.offered(MEM_LEND, 1, &offer);
                let sent = &rig.host.spmc.sent[&handle];
                assert_eq!(sent.parts, offer.parts);
                assert_eq!((sent.count, sent.pages), (count as u32, count as u32));
                assert_eq!(rig.seen(1, page(1, FREE)), Some(Seen::Hidden));
                rig.check();
                assert_eq!(rig.reclaim(1, handle, 0), OK);
                assert_eq!(rig.seen(1, page(1, FREE)), Some(Seen::Own));
            }
        }
    }
}

#[test]
fn any_number_of_constituents_reaches_a_vm_by_any_buffers() {
    for vms in VERSIONS {
        for pages in [1, 2, 4] {
            let mut rig = Rig::of(Setup {
                vms,
                pages,
                ..SETUP
            });
            for count in [1, 2, 248, 249, 250, 251, 252, 253, 1019, 1500] {
                let offer = Offer::to(2, 1, &scattered(1, count)).untyped();
                let handle = rig.offered(MEM_LEND, 1, &offer);
                let x = rig.retrieve(2, &offer.wanted(handle, RW | NX));
                let answer = Offer {
                    attributes: 0x2f,
                    flags: 2 << 3,
                    handle,
                    receivers: vec![(2, RW | NX)],
                    ..offer.clone()
                };
                let wanted = answer.bytes(vms);
                assert_eq!(
                    (x[0], x[1]),
                    (MEM_RETRIEVE_RESP.into(), wanted.len() as u64)
                );
                let mut bytes = rig.read(2, x[2] as usize);
                while bytes.len() < wanted.len() {
                    let (low, high) = (handle & 0xffff_ffff, handle >> 32);
                    let next = [MEM_FRAG_RX.into(), low, high, bytes.len() as u64];
                    rig.refuses(2, &next, Busy);
                    rig.release(2);
                    for wrong in [0, bytes.len() as u64 - 16, bytes.len() as u64 + 16] {
                        rig.refuses(2, &[next[0], low, high, wrong], InvalidParameters);
                    }
                    rig.refuses(2, &[next[0], low + 1, high, next[3]], InvalidParameters);
                    rig.refuses(
                        2,
                        &[next[0], low, high, next[3], 1 << 16],
                        InvalidParameters,
                    );
                    rig.refuses(3, &next, InvalidParameters);
                    let x = rig.call(2, &next);
                    assert_eq!(x[..3], [MEM_FRAG_TX.into(), low, high]);
                    assert_eq!(x[4..], [0; 4]);
                    bytes.extend(rig.read(2, x[3] as usize));
                }
                assert!(bytes == wanted, "{vms:?} {pages} {count}");
                rig.release(2);
                let end = [MEM_FRAG_RX.into(), handle & 0xffff_ffff, handle >> 32];
                let end = [end[0], end[1], end[2], bytes.len() as u64];
                rig.refuses(2, &end, InvalidParameters);
                assert_eq!(rig.relinquish(2, handle, 0), OK);
                assert_eq!(rig.reclaim(1, handle, 0), OK);
                rig.check();
            }
        }
    }
}

/// The first fragment of an offer of VM 1, with so many constituents in it; the handle.
fn begin(rig: &mut Rig, offer: &Offer, first: usize) -> (u64, u64) {
    let bytes = offer.bytes(rig.setup.vms);
    let length = bytes.len() - 16 * (offer.parts.len() - first);
    rig.write(1, &bytes[..length]);
    let x = rig.call(1, &[MEM_LEND.into(), bytes.len() as u64, length as u64]);
    assert_eq!((x[0], x[3]), (MEM_FRAG_RX.into(), length as u64), "{x:x?}");
    (x[1], x[2])
}

fn write_parts(rig: &mut Rig, parts: &[(u64, u32)]) {
    let mut bytes = Vec::new();
    for (base, pages) in parts {
        bytes.extend(base.to_le_bytes());
        bytes.extend(u64::from(*pages).to_le_bytes());
    }
    rig.write(1, &bytes);
}

#[test]
fn fragments_that_can_not_be_are_refused_and_the_transaction_goes_on() {
    for to in [SP, 2] {
        let mut rig = Rig::new();
        let offer = Offer::to(to, 1, &scattered(1, 5)).untyped();
        let (low, high) = begin(&mut rig, &offer, 0);
        write_parts(&mut rig, &offer.parts);
        let before = rig.state();
        let fid = u64::from(MEM_FRAG_TX);
        for args in [
            // Nothing, no whole constituents, more than there are, more than TX.
            [fid, low, high, 0, 0],
            [fid, low, high, 8, 0],
            [fid, low, high, 24, 0],
            [fid, low, high, 96, 0],
            [fid, low, high, 0x2000, 0],
            [fid, low, high, 0xffff_fff0, 0],
            // In somebody's name.
            [fid, low, high, 16, 1 << 16],
            // Another one.
            [fid, low + 1, high, 16, 0],
            [fid, low, high ^ 1 << 31, 16, 0],
            [fid, 0, 0, 16, 0],
        ] {
            rig.refuses(1, &args, InvalidParameters);
        }
        for vm in [2, 3] {
            rig.refuses(vm, &[fid, low, high, 16, 0], InvalidParameters);
        }
        // It is not complete.
        assert_eq!(
            rig.reclaim(1, low | high << 32, 0),
            error(InvalidParameters)
        );
        assert_eq!(rig.state(), before);
        assert_eq!(rig.seen(1, page(1, FREE)), Some(Seen::Own));
        for n in 0..5 {
            write_parts(&mut rig, &offer.parts[n..=n]);
            let x = rig.call(1, &[fid, low, high, 16]);
            let wanted = if n == 4 { raw::SUCCESS_32 } else { MEM_FRAG_RX };
            assert_eq!(x[0], wanted.into());
            rig.check();
        }
        assert_eq!(rig.seen(1, page(1, FREE)), Some(Seen::Hidden));
        rig.refuses(1, &[fid, low, high, 16], InvalidParameters);
        assert_eq!(rig.reclaim(1, low | high << 32, 0), OK);
    }
}

#[test]
fn a_bad_constituent_in_any_fragment_ends_the_transaction_on_both_sides() {
    for looks in [Looks::AtOnce, Looks::AtTheEnd, Looks::Fragments(4)] {
        for to in [SP, 2] {
            for (bad, wanted) in [
                ((page(1, FREE) + 1, 1), InvalidParameters),
                ((page(1, FREE), 0), InvalidParameters),
                ((page(1, FREE), 6), InvalidParameters),
                ((u64::MAX - 0xfff, 1), InvalidParameters),
                // Found when all are there.
                ((page(1, FREE), 1), InvalidParameters),
                ((page(1, TX), 1), Denied),
                ((page(2, FREE), 1), Denied),
            ] {
                for at in 1..5 {
                    let mut rig = Rig::new();
                    rig.host.spmc.looks = looks;
                    let before = rig.state();
                    let mut offer = Offer::to(to, 1, &scattered(1, 5)).untyped();
                    offer.parts[at] = bad;
                    offer.pages = Some(5);
                    let (low, high) = begin(&mut rig, &offer, 1);
                    let mut last = 0;
                    for n in 1..5 {
                        write_parts(&mut rig, &offer.parts[n..=n]);
                        let x = rig.call(1, &[MEM_FRAG_TX.into(), low, high, 16]);
                        last = n;
                        if x[0] != u64::from(MEM_FRAG_RX) {
                            assert_eq!(x, error(wanted));
                            break;
                        }
                    }
                    assert!(last >= at);
                    assert_eq!(rig.state(), before, "{looks:?} {bad:x?} {at}");
                    let again = [MEM_FRAG_TX.into(), low, high, 16];
                    rig.refuses(1, &again, InvalidParameters);
                }
            }
        }
    }
}

#[test]
fn no_tables_at_the_last_fragment_ends_the_transaction_on_both_sides() {
    for to in [SP, 2] {
        let mut rig = Rig::new();
        let before = rig.state();
        rig.host.tables = 0;
        let offer = Offer::to(to, 1, &scattered(1, 600)).untyped();
        assert_eq!(rig.offer(MEM_LEND, 1, &offer), error(NoMemory));
        assert_eq!(rig.state(), before);
    }
}

#[test]
fn a_vm_has_two_unfinished_transactions_at_most_and_others_have_theirs() {
    let mut rig = Rig::new();
    let offer = |n| Offer::to(SP, 1, &[(page(1, 40 + n), 1), (page(1, 60 + n), 1)]).untyped();
    let handles = [begin(&mut rig, &offer(0), 1), begin(&mut rig, &offer(1), 1)];
    let third = offer(2);
    let before = rig.state();
    let bytes = third.bytes(Version::V1_3);
    rig.write(1, &bytes);
    let length = bytes.len() as u64;
    rig.refuses(1, &[MEM_LEND.into(), length, length - 16], NoMemory);
    assert_eq!(rig.state(), before);
    // Whole ones it still sends.
    rig.offered(MEM_LEND, 1, &third);
    for (n, (low, high)) in handles.into_iter().enumerate().rev() {
        write_parts(&mut rig, &offer(n as u64).parts[1..]);
        rig.sees(
            1,
            &[MEM_FRAG_TX.into(), low, high, 16],
            &[raw::SUCCESS_32.into(), 0, low, high],
        );
    }
    begin(&mut rig, &offer(3), 1);
    rig.check();
}

#[test]
fn more_constituents_than_a_vm_may_have_are_no_memory() {
    for to in [SP, 2] {
        let mut rig = Rig::of(Setup { pages: 4, ..SETUP });
        let before = rig.state();
        let offer = Offer::to(to, 1, &scattered(1, 1999)).untyped();
        assert_eq!(rig.offer(MEM_LEND, 1, &offer), error(NoMemory));
        assert_eq!(rig.state(), before);
        assert!(rig.host.spmc.asked.is_empty());
        // Others are not in its way, and it is not in theirs.
        let mut handles = Vec::new();
        for n in 0.. {
            let offer = Offer::to(to, 1, &[(page(1, FREE + n), 1)]);
            let x = rig.offer(MEM_SHARE, 1, &offer);
            if x == error(NoMemory) {
                break;
            }
            handles.push(x[2] | x[3] << 32);
        }
        assert!(handles.len() >= 32);
        rig.offered(MEM_SHARE, 3, &Offer::to(to, 3, &[(page(3, 40), 1)]));
        for handle in handles {
            assert_eq!(rig.reclaim(1, handle, 0), OK);
        }
    }
}
