//! Memory from VM to VM: nobody but the proxy knows of it.

use super::{host::*, rig::*, spmc::*};
use ffa_abi::{FfaError::*, Version, sharing::View};

fn view(write: bool, execute: bool) -> Option<Seen> {
    Some(Seen::Granted(View {
        normal_world: false,
        device: false,
        write,
        execute,
    }))
}

/// A VM retrieves, and sees an answer that fits in RX; RX is EMPTY again then.
#[track_caller]
fn retrieved(rig: &mut Rig, vm: u16, request: &Offer, answer: &Offer) {
    let bytes = answer.bytes(rig.setup.vms);
    let length = bytes.len() as u64;
    let x = rig.retrieve(vm, request);
    assert_eq!(x, [MEM_RETRIEVE_RESP.into(), length, length, 0, 0, 0, 0, 0]);
    assert_eq!(rig.read(vm, bytes.len()), bytes);
    rig.release(vm);
    rig.check();
}

#[test]
fn shared_memory_is_both_s() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3] {
        let mut rig = Rig::of(Setup {
            vms: version,
            ..SETUP
        });
        let before = rig.state();
        let offer = Offer::to(2, 1, &[(page(1, 20), 2), (page(1, 17), 1)]);
        let handle = rig.offered(MEM_SHARE, 1, &offer);
        assert!(handle >> 63 == 1 && rig.host.spmc.asked.is_empty());
        assert_eq!(rig.seen(2, page(1, 20)), None);
        // Nothing is said of instructions, and nothing needs to be of data.
        for access in [RW, 0] {
            let request = offer.wanted(handle, access);
            let answer = Offer {
                attributes: 0x2f,
                flags: 1 << 3,
                handle,
                receivers: vec![(2, RW | NX)],
                ..offer.clone()
            };
            retrieved(&mut rig, 2, &request, &answer);
            for number in [17, 20, 21] {
                assert_eq!(rig.seen(1, page(1, number)), Some(Seen::Own));
                assert_eq!(rig.seen(2, page(1, number)), view(true, false));
            }
        }
        // It has retrieved it twice.
        assert_eq!(rig.relinquish(2, handle, 0), OK);
        assert_eq!(rig.seen(2, page(1, 17)), view(true, false));
        assert_eq!(rig.reclaim(1, handle, 0), error(Denied));
        assert_eq!(rig.relinquish(2, handle, 0), OK);
        assert_eq!(rig.seen(2, page(1, 17)), None);
        assert_eq!(rig.relinquish(2, handle, 0), error(InvalidParameters));
        assert_eq!(rig.reclaim(1, handle, 0), OK);
        assert!(rig.host.spmc.asked.is_empty());
        assert_eq!(rig.state(), before);
        assert_eq!(
            rig.retrieve(2, &offer.wanted(handle, RW)),
            error(InvalidParameters)
        );
    }
}

#[test]
fn lent_memory_is_the_borrowers_alone_as_it_asked_for() {
    for (access, write, execute) in [
        (RW | NX, true, false),
        (RO | NX, false, false),
        (RW | 8, true, true),
        (RO | 8, false, true),
    ] {
        let mut rig = Rig::new();
        let offer = Offer::to(3, 2, &[(page(2, 512), 512)]).untyped();
        let handle = rig.offered(MEM_LEND, 2, &offer);
        let x = rig.retrieve(3, &offer.wanted(handle, access));
        assert_eq!(x[0], MEM_RETRIEVE_RESP.into());
        assert_eq!(rig.seen(3, page(2, 700)), view(write, execute));
        assert_eq!(rig.seen(2, page(2, 700)), Some(Seen::Hidden));
        // Again, and otherwise.
        rig.release(3);
        let other = access ^ (RO | RW);
        let again = rig.retrieve(3, &offer.wanted(handle, other));
        assert_eq!(again, error(Denied));
        rig.check();
    }
}

#[test]
fn donated_memory_changes_its_owner() {
    let mut rig = Rig::new();
    let offer = Offer {
        receivers: vec![(2, 0)],
        ..Offer::to(2, 1, &[(page(1, 20), 2)]).untyped()
    };
    let handle = rig.offered(MEM_DONATE, 1, &offer);
    assert_eq!(rig.seen(1, page(1, 20)), Some(Seen::Hidden));
    let answer = Offer {
        attributes: 0x2f,
        flags: 3 << 3,
        handle,
        receivers: vec![(2, RW | NX)],
        ..offer.clone()
    };
    retrieved(&mut rig, 2, &offer.wanted(handle, NX), &answer);
    assert_eq!(rig.seen(1, page(1, 20)), None);
    assert_eq!(rig.seen(2, page(1, 20)), view(true, false));
    for vm in [1, 2] {
        assert_eq!(rig.reclaim(vm, handle, 0), error(InvalidParameters));
    }
    assert_eq!(rig.relinquish(2, handle, 0), error(InvalidParameters));
    // The giver has none of it any more, and the taker gives it on.
    rig.offer_refused(MEM_SHARE, 1, &Offer::to(SP, 1, &offer.parts), Denied);
    let on = Offer::to(SP, 2, &offer.parts).untyped();
    let handle = rig.offered(MEM_LEND, 2, &on);
    assert_eq!(rig.seen(2, page(1, 21)), Some(Seen::Hidden));
    assert_eq!(rig.reclaim(2, handle, 0), OK);
    rig.check();
}

#[test]
fn memory_is_zeroed_when_somebody_asked_for_it() {
    let full = |rig: &mut Rig| rig.host.page(page(1, 20)).fill(0x77);
    let is_zero = |rig: &mut Rig| rig.host.page(page(1, 20)).iter().all(|byte| *byte == 0);
    let parts = [(page(1, 20), 1)];
    // By the sender, before the borrower sees it.
    let mut rig = Rig::new();
    full(&mut rig);
    let offer = Offer {
        flags: 1,
        ..Offer::to(2, 1, &parts).untyped()
    };
    let handle = rig.offered(MEM_LEND, 1, &offer);
    let x = rig.retrieve(2, &offer.wanted(handle, RW | NX));
    assert_eq!(x[0], MEM_RETRIEVE_RESP.into());
    assert!(is_zero(&mut rig));
    // By the borrower, as it gives it back.
    rig.release(2);
    full(&mut rig);
    assert_eq!(rig.relinquish(2, handle, 1), OK);
    assert!(is_zero(&mut rig));
    // By the owner.
    full(&mut rig);
    assert_eq!(rig.reclaim(1, handle, 1), OK);
    assert!(is_zero(&mut rig));
    // By nobody.
    full(&mut rig);
    let handle = rig.offered(MEM_LEND, 1, &Offer::to(2, 1, &parts).untyped());
    assert_eq!(rig.reclaim(1, handle, 0), OK);
    assert!(!is_zero(&mut rig));
    // Of what goes to partitions, by the SPMC: once.
    let mut offer = Offer::to(SP, 1, &parts).untyped();
    offer.flags = 1;
    let handle = rig.offered(MEM_LEND, 1, &offer);
    assert_eq!(rig.host.spmc.sent[&handle].flags, 1);
    assert_eq!(rig.reclaim(1, handle, 1), OK);
    let last = rig.host.spmc.asked.last().unwrap();
    assert_eq!((last.w::<0>(), last.w::<3>()), (MEM_RECLAIM, 1));
    assert!(!is_zero(&mut rig));
}

#[test]
fn several_vms_borrow_and_each_says_who_they_are_or_that_it_does_not_care() {
    let mut rig = Rig::new();
    let offer = Offer {
        receivers: vec![(1, RW), (3, RO)],
        ..Offer::to(1, 2, &[(page(2, 30), 1)])
    };
    let handle = rig.offered(MEM_SHARE, 2, &offer);
    let request = |receivers: &[Access], flags| Offer {
        attributes: 0x2f,
        flags,
        handle,
        receivers: receivers.to_vec(),
        parts: Vec::new(),
        ..offer.clone()
    };
    let bad = [
        (request(&[(1, RW)], 0), InvalidParameters),
        (request(&[(1, RW), (2, RW)], 0), Denied),
        (request(&[(1, RW), (3, RW)], 0), Denied),
        (request(&[(3, RO)], 1 << 10), InvalidParameters),
        (request(&[(1, RW), (3, RO)], 1 << 10), InvalidParameters),
        (request(&[(1, RW), (3, RO)], 2 << 3), InvalidParameters),
        (request(&[(1, RW), (3, RO)], 1), InvalidParameters),
    ];
    for (request, wanted) in bad {
        let before = rig.state();
        assert_eq!(rig.retrieve(1, &request), error(wanted), "{request:x?}");
        assert_eq!(rig.state(), before);
    }
    let all = request(&[(3, RO), (1, RW)], 1 << 3);
    assert_eq!(rig.retrieve(1, &all)[0], MEM_RETRIEVE_RESP.into());
    let own = request(&[(3, RO)], 1 << 10);
    assert_eq!(rig.retrieve(3, &own)[0], MEM_RETRIEVE_RESP.into());
    assert_eq!(rig.seen(1, page(2, 30)), view(true, false));
    assert_eq!(rig.seen(3, page(2, 30)), view(false, false));
    assert_eq!(rig.relinquish(1, handle, 0), OK);
    assert_eq!(rig.reclaim(2, handle, 0), error(Denied));
    assert_eq!(rig.relinquish(3, handle, 0), OK);
    assert_eq!(rig.reclaim(2, handle, 0), OK);
}

#[test]
fn each_mistake_of_a_request_has_its_error() {
    type Change = fn(&mut Offer);
    let mistakes: &[(&str, ffa_abi::FfaError, Change)] = &[
        ("another sender", Denied, |o| o.sender = 3),
        ("another tag", InvalidParameters, |o| o.tag += 1),
        ("another handle", InvalidParameters, |o| o.handle += 1),
        ("the SPMC's handle", InvalidParameters, |o| {
            o.handle &= !(1 << 63);
        }),
        ("another kind", InvalidParameters, |o| o.flags = 1 << 3),
        ("a hint", InvalidParameters, |o| o.flags = 1 << 9),
        ("reserved flags", InvalidParameters, |o| o.flags = 1 << 31),
        ("zeroing that was not sent", Denied, |o| o.flags = 1),
        ("the NS bit", InvalidParameters, |o| o.attributes = 0x6f),
        ("uncached", Denied, |o| o.attributes = 0x27),
        ("nobody", InvalidParameters, |o| o.receivers.clear()),
        ("somebody else", Denied, |o| o.receivers[0].0 = 3),
        ("nothing of instructions", InvalidParameters, |o| {
            o.receivers[0].1 = RW;
        }),
        ("reserved access", InvalidParameters, |o| {
            o.receivers[0].1 = 3 | NX;
        }),
        ("parts", InvalidParameters, |o| {
            o.parts.push((page(1, 20), 1));
        }),
    ];
    for (what, wanted, change) in mistakes {
        let mut rig = Rig::new();
        let offer = Offer::to(2, 1, &[(page(1, 20), 1)]).untyped();
        let handle = rig.offered(MEM_LEND, 1, &offer);
        let mut request = offer.wanted(handle, RW | NX);
        change(&mut request);
        let before = rig.state();
        assert_eq!(rig.retrieve(2, &request), error(*wanted), "{what}");
        assert_eq!(rig.state(), before);
        // Nor is it anybody's who is no receiver.
        let good = offer.wanted(handle, RW | NX);
        for vm in [1, 3] {
            assert_eq!(rig.retrieve(vm, &good), error(InvalidParameters));
        }
        rig.host.tables = 0;
        assert_eq!(rig.retrieve(2, &good), error(NoMemory));
        assert_eq!(rig.state(), before);
        rig.host.tables = 9;
        assert_eq!(rig.retrieve(2, &good)[0], MEM_RETRIEVE_RESP.into());
        // RX is FULL.
        assert_eq!(rig.retrieve(2, &good), error(Busy));
    }
}

#[test]
fn each_mistake_of_giving_back_has_its_error() {
    let mut rig = Rig::new();
    let offer = Offer::to(2, 1, &[(page(1, 20), 1)]);
    let handle = rig.offered(MEM_SHARE, 1, &offer);
    assert_eq!(rig.relinquish(2, handle, 0), error(InvalidParameters));
    assert_eq!(
        rig.retrieve(2, &offer.wanted(handle, RW))[0],
        MEM_RETRIEVE_RESP.into()
    );
    let before = rig.state();
    let descriptor = |handle: u64, flags: u32, count: u32, id: u16| {
        let mut bytes = handle.to_le_bytes().to_vec();
        bytes.extend(flags.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(id.to_le_bytes());
        bytes.extend(id.to_le_bytes());
        bytes
    };
    for bad in [
        descriptor(handle + 1, 0, 1, 2),
        descriptor(handle & !(1 << 63), 0, 1, 2),
        descriptor(handle, 1, 1, 2),
        descriptor(handle, 2, 1, 2),
        descriptor(handle, 1 << 31, 1, 2),
        descriptor(handle, 0, 0, 2),
        descriptor(handle, 0, 2, 2),
        descriptor(handle, 0, u32::MAX, 2),
        descriptor(handle, 0, 1, 1),
        descriptor(handle, 0, 1, 3),
        descriptor(handle, 0, 1, SP),
    ] {
        rig.write(2, &bad);
        rig.refuses(2, &[MEM_RELINQUISH.into()], InvalidParameters);
        assert_eq!(rig.state(), before);
    }
    assert_eq!(rig.relinquish(3, handle, 0), error(InvalidParameters));
    rig.host.tables = 0;
    assert_eq!(rig.relinquish(2, handle, 0), error(NoMemory));
    assert_eq!(rig.state(), before);
    rig.host.tables = 1;
    assert_eq!(rig.relinquish(2, handle, 0), OK);
}

#[test]
fn what_is_not_fetched_is_forgotten_when_it_is_given_back_or_something_else_is_wanted() {
    let parts: Vec<_> = (0..300).map(|n| (page(1, FREE + n), 1)).collect();
    for how in 0..3 {
        let mut rig = Rig::new();
        let donated = Offer {
            receivers: vec![(2, 0)],
            ..Offer::to(2, 1, &parts).untyped()
        };
        let handle = rig.offered(MEM_DONATE, 1, &donated);
        let x = rig.retrieve(2, &donated.wanted(handle, NX));
        assert!(
            x[0] == u64::from(MEM_RETRIEVE_RESP) && x[2] < x[1],
            "{x:x?}"
        );
        rig.release(2);
        let other = Offer::to(2, 1, &[(page(1, 1000), 1)]);
        let other_handle = rig.offered(MEM_SHARE, 1, &other);
        match how {
            0 => {
                let x = rig.retrieve(2, &other.wanted(other_handle, RW));
                assert_eq!(x[0], MEM_RETRIEVE_RESP.into());
                rig.release(2);
            }
            1 => {
                rig.succeeds(2, &[super::super::spmc::RXTX_UNMAP.into()]);
                let map = super::super::spmc::RXTX_MAP_64;
                rig.succeeds(2, &[map.into(), page(2, TX), page(2, RX), 1]);
            }
            // A request that is refused leaves it.
            _ => {
                let x = rig.retrieve(2, &other.wanted(other_handle + 1, RW));
                assert_eq!(x, error(InvalidParameters));
            }
        }
        rig.check();
        let next = [MEM_FRAG_RX.into(), handle & 0xffff_ffff, handle >> 32, x[2]];
        if how == 2 {
            assert_eq!(rig.call(2, &next)[0], MEM_FRAG_TX.into());
        } else {
            rig.refuses(2, &next, InvalidParameters);
        }
        // The memory is its own whatever it was told of it.
        assert_eq!(rig.seen(2, page(1, FREE + 299)), view(true, false));
        let all = format!("{:?}", rig.proxy.shares);
        assert!(!all.contains("Donated"));
    }
}
