//! What a VM may not send, each by its error, with nothing left of it.

use super::{
    super::spmc::{RXTX_MAP_64, RXTX_UNMAP},
    host::*,
    rig::*,
    spmc::*,
};
use ffa_abi::{
    FfaError::{self, *},
    Version,
};

fn parts(vm: u16) -> Vec<(u64, u32)> {
    vec![(page(vm, 20), 2), (page(vm, 30), 1)]
}

/// A change of a good offer.
type Change = fn(&mut Offer);

#[test]
fn each_mistake_of_an_offer_has_its_error() {
    let mistakes: &[(&str, FfaError, Change)] = &[
        ("another VM's name", Denied, |o| o.sender = 2),
        ("the hypervisor's name", Denied, |o| o.sender = 0),
        ("a partition's name", Denied, |o| o.sender = SP),
        ("to itself", InvalidParameters, |o| o.receivers[0].0 = 1),
        ("to nobody", InvalidParameters, |o| o.receivers.clear()),
        ("to a VM that does not exist", InvalidParameters, |o| {
            o.receivers[0].0 = 9;
        }),
        ("to the hypervisor", InvalidParameters, |o| {
            o.receivers[0].0 = 0
        }),
        (
            "to a partition that does not exist",
            InvalidParameters,
            |o| {
                o.receivers[0].0 = 0x80ff;
            },
        ),
        ("to one twice", InvalidParameters, |o| {
            o.receivers.push((SP, RW));
        }),
        ("to a VM and a partition", Denied, |o| {
            o.receivers.push((2, RW))
        }),
        ("slices of time", InvalidParameters, |o| o.flags = 1 << 1),
        ("zeroed, and shared", InvalidParameters, |o| o.flags = 1),
        ("zeroed after it was given back", InvalidParameters, |o| {
            o.flags = 1 << 2;
        }),
        ("a kind", InvalidParameters, |o| o.flags = 1 << 3),
        ("an alignment hint", InvalidParameters, |o| o.flags = 1 << 9),
        ("the NS bit", InvalidParameters, |o| o.attributes = 0x6f),
        ("uncached", Denied, |o| o.attributes = 0x27),
        ("no data access", InvalidParameters, |o| {
            o.receivers[0].1 = 0
        }),
        ("reserved data access", InvalidParameters, |o| {
            o.receivers[0].1 = 3;
        }),
        ("instruction access", InvalidParameters, |o| {
            o.receivers[0].1 = RW | NX;
        }),
        ("another number of pages", InvalidParameters, |o| {
            o.pages = Some(4);
        }),
        ("fewer pages", InvalidParameters, |o| o.pages = Some(2)),
        ("pages twice", InvalidParameters, |o| {
            o.parts.push((page(1, 21), 1));
        }),
        ("no page", InvalidParameters, |o| o.parts[1].1 = 0),
        ("half a page", InvalidParameters, |o| o.parts[1].0 += 0x800),
        ("beyond all addresses", InvalidParameters, |o| {
            o.parts[1] = (u64::MAX - 0xfff, 1);
        }),
        ("another VM's page", Denied, |o| o.parts[1].0 = page(2, 20)),
        ("nobody's page", Denied, |o| o.parts[1].0 = 0x1000),
        ("a page behind its own", Denied, |o| {
            o.parts[1] = (page(1, PAGES - 1), 2);
        }),
        ("its TX", Denied, |o| o.parts[1].0 = page(1, TX)),
        ("its RX", Denied, |o| o.parts[1].0 = page(1, RX)),
    ];
    for (what, error, change) in mistakes {
        let mut rig = Rig::new();
        let mut offer = Offer::to(SP, 1, &parts(1));
        change(&mut offer);
        println!("{what}");
        rig.offer_refused(MEM_SHARE, 1, &offer, *error);
        assert!(rig.host.spmc.sent.is_empty());
        // Of all that, the SPMC knows best which partitions there are.
        let asked = usize::from(offer.receivers.first().is_some_and(|it| it.0 == 0x80ff));
        assert_eq!(rig.host.spmc.asked.len(), asked);
        rig.offered(MEM_SHARE, 1, &Offer::to(SP, 1, &parts(1)));
    }
}

#[test]
fn a_donation_has_one_receiver_and_nothing_is_said_of_its_access() {
    let mut rig = Rig::new();
    let good = Offer {
        receivers: vec![(SP, 0)],
        ..Offer::to(SP, 1, &parts(1)).untyped()
    };
    let mut two = good.clone();
    two.receivers.push((OTHER_SP, 0));
    let mut said = good.clone();
    said.receivers[0].1 = RW;
    let mut typed = good.clone();
    typed.attributes = 0x2f;
    for bad in [two, said, typed] {
        rig.offer_refused(MEM_DONATE, 1, &bad, InvalidParameters);
    }
    rig.offered(MEM_DONATE, 1, &good);
}

#[test]
fn what_the_registers_say_is_checked_first() {
    let mut rig = Rig::new();
    let bytes = Offer::to(SP, 1, &parts(1)).bytes(Version::V1_3);
    rig.write(1, &bytes);
    let before = rig.state();
    let length = bytes.len() as u64;
    for fid in [MEM_SHARE, MEM_LEND, MEM_DONATE, MEM_RETRIEVE_REQ] {
        for args in [
            // Another buffer than TX.
            [length, length, page(1, 40), 1],
            [length, length, page(1, 40), 0],
            [length, length, 0, 1],
            // More of it than all of it.
            [length - 16, length, 0, 0],
            // More than TX holds.
            [0x2000, 0x1010, 0, 0],
            [0xffff_ffff, 0xffff_fff0, 0, 0],
            // Not even a header.
            [0, 0, 0, 0],
            [length, 16, 0, 0],
        ] {
            let args = [u64::from(fid), args[0], args[1], args[2], args[3]];
            rig.refuses(1, &args, InvalidParameters);
        }
    }
    assert_eq!(rig.state(), before);
    assert!(rig.host.spmc.asked.is_empty());
}

#[test]
fn without_buffers_there_is_no_memory_management() {
    let mut rig = Rig::new();
    rig.succeeds(1, &[RXTX_UNMAP.into()]);
    for fid in [
        MEM_SHARE,
        MEM_LEND,
        MEM_DONATE,
        MEM_RETRIEVE_REQ,
        MEM_RELINQUISH,
    ] {
        rig.refuses(1, &[fid.into(), 128, 128], InvalidParameters);
    }
    rig.refuses(1, &[MEM_FRAG_TX.into(), 1, 0, 16], InvalidParameters);
    rig.refuses(1, &[MEM_FRAG_RX.into(), 1, 0, 16], InvalidParameters);
    // What needs none does without.
    rig.refuses(1, &[MEM_RECLAIM.into(), 1, 0], InvalidParameters);
}

#[test]
fn memory_in_others_hands_is_given_to_nobody_and_is_no_buffer() {
    for (fid, to) in [
        (MEM_SHARE, SP),
        (MEM_LEND, SP),
        (MEM_SHARE, 2),
        (MEM_LEND, 2),
    ] {
        let mut rig = Rig::new();
        let first = Offer::to(to, 1, &[(page(1, 20), 2)]);
        let first = if fid == MEM_LEND {
            first.untyped()
        } else {
            first
        };
        let handle = rig.offered(fid, 1, &first);
        for parts in [
            &[(page(1, 20), 2)][..],
            &[(page(1, 21), 1)],
            &[(page(1, 16), 8)],
            &[(page(1, 40), 1), (page(1, 21), 2)],
        ] {
            for receiver in [SP, 3] {
                let again = Offer::to(receiver, 1, parts);
                rig.offer_refused(MEM_SHARE, 1, &again, Denied);
                rig.offer_refused(MEM_LEND, 1, &again.clone().untyped(), Denied);
            }
        }
        rig.succeeds(1, &[RXTX_UNMAP.into()]);
        let map = |tx, rx| [RXTX_MAP_64.into(), page(1, tx), page(1, rx), 1];
        rig.refuses(1, &map(21, 30), Denied);
        rig.refuses(1, &map(30, 20), Denied);
        rig.check();
        rig.succeeds(1, &map(19, 22));
        assert_eq!(rig.reclaim(1, handle, 0), OK);
    }
}

#[test]
fn no_tables_is_no_memory_and_the_spmc_hears_nothing() {
    for to in [SP, 2] {
        let mut rig = Rig::new();
        rig.host.tables = 0;
        let offer = Offer::to(to, 1, &parts(1)).untyped();
        rig.offer_refused(MEM_LEND, 1, &offer, NoMemory);
        assert!(rig.host.spmc.asked.is_empty());
        rig.host.tables = 1;
        rig.offered(MEM_LEND, 1, &offer);
    }
}

#[test]
fn a_vm_that_has_ended_gets_nothing() {
    let mut rig = Rig::new();
    rig.kill(2);
    rig.offer_refused(MEM_SHARE, 1, &Offer::to(2, 1, &parts(1)), Denied);
}

#[test]
fn a_descriptor_is_read_once_whatever_is_written_there_meanwhile() {
    let mut rig = Rig::new();
    rig.host.rewrites = Some(|bytes| bytes.fill(0xff));
    let offer = Offer::to(SP, 1, &parts(1));
    let length = offer.bytes(Version::V1_3).len();
    let handle = rig.offered(MEM_SHARE, 1, &offer);
    assert_eq!(rig.host.reads, [(page(1, TX), length)]);
    let sent = &rig.host.spmc.sent[&handle];
    assert_eq!((sent.sender, &sent.parts), (1, &offer.parts));
}

#[test]
fn handles_are_reclaimed_by_who_sent_them_and_when_nobody_has_the_memory() {
    for to in [SP, 2] {
        let mut rig = Rig::new();
        let offer = Offer::to(to, 1, &parts(1)).untyped();
        let handle = rig.offered(MEM_LEND, 1, &offer);
        assert_eq!(handle >> 63, u64::from(to == 2));
        let asked = rig.host.spmc.asked.len();
        // Somebody else's, none, and what is reserved in the flags.
        for vm in [2, 3] {
            assert_eq!(rig.reclaim(vm, handle, 0), error(InvalidParameters));
        }
        for none in [0, 5, u64::MAX, handle + 1, handle ^ 1 << 63] {
            assert_eq!(rig.reclaim(1, none, 0), error(InvalidParameters));
        }
        for flags in [2, 4, 0x8000_0001] {
            assert_eq!(rig.reclaim(1, handle, flags), error(InvalidParameters));
        }
        assert_eq!(rig.host.spmc.asked.len(), asked);
        if to == SP {
            rig.host.spmc.retrieve(handle);
        } else {
            let x = rig.retrieve(2, &offer.wanted(handle, RW | NX));
            assert_eq!(x[0], u64::from(MEM_RETRIEVE_RESP), "{x:x?}");
            rig.release(2);
        }
        let before = rig.state();
        assert_eq!(rig.reclaim(1, handle, 0), error(Denied));
        assert_eq!(rig.state(), before);
        if to == SP {
            rig.host.spmc.relinquish(handle);
        } else {
            assert_eq!(rig.relinquish(2, handle, 0), OK);
        }
        assert_eq!(rig.reclaim(1, handle, 1), OK);
        assert_eq!(rig.seen(1, page(1, 20)), Some(Seen::Own));
        rig.check();
    }
}

#[test]
fn handles_that_stand_for_what_a_partition_got_are_no_vms() {
    let mut rig = Rig::new();
    rig.offered(MEM_LEND, 1, &Offer::to(SP, 1, &parts(1)).untyped());
    // The proxy's own name for it, which nobody is told.
    let local = {
        let mut all = String::new();
        for it in format!("{:?}", rig.proxy.shares).split("local: ").skip(1) {
            all = it.split(',').next().unwrap().to_owned();
        }
        u64::from_str_radix(all.trim_start_matches("0x"), 16).unwrap()
    };
    assert_eq!(local >> 63, 1);
    assert_eq!(rig.reclaim(1, local, 0), error(InvalidParameters));
    let offer = Offer::to(2, 1, &[]);
    for vm in [2, SP] {
        let wanted = Offer {
            receivers: vec![(vm, RW | NX)],
            ..offer.wanted(local, RW)
        };
        assert_eq!(rig.retrieve(2, &wanted), error(InvalidParameters));
    }
    assert_eq!(rig.relinquish(2, local, 0), error(InvalidParameters));
    rig.check();
}
