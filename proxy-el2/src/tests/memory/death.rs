//! VMs that end with memory in others' hands, or others' in theirs.

use super::{host::*, rig::*, spmc::*};
use ffa_abi::FfaError::*;

#[test]
fn what_it_gave_to_partitions_comes_back_when_they_have_relinquished_it() {
    let mut rig = Rig::new();
    let kinds = [MEM_SHARE, MEM_LEND, MEM_DONATE];
    let mut handles = Vec::new();
    for (n, fid) in kinds.into_iter().enumerate() {
        let mut offer = Offer::to(SP, 2, &[(page(2, 20 + 10 * n as u64), 2)]);
        if fid != MEM_SHARE {
            offer = offer.untyped();
        }
        if fid == MEM_DONATE {
            offer.receivers[0].1 = 0;
        }
        for second in [false, true] {
            for part in &mut offer.parts {
                part.0 += if second { 0x2000 } else { 0 };
            }
            let handle = rig.offered(fid, 2, &offer);
            if second {
                rig.host.spmc.retrieve(handle);
            }
            handles.push(handle);
        }
    }
    rig.kill(2);
    let left = |rig: &Rig| rig.host.spmc.sent.keys().copied().collect::<Vec<_>>();
    // What nobody had is back at once; what was donated and retrieved is gone.
    assert_eq!(left(&rig), [handles[1], handles[3]]);
    let seen = |rig: &Rig, n| rig.seen(2, page(2, n));
    assert_eq!(seen(&rig, 30), Some(Seen::Own));
    assert_eq!(seen(&rig, 32), Some(Seen::Hidden));
    assert_eq!(seen(&rig, 40), Some(Seen::Own));
    assert_eq!(seen(&rig, 42), None);
    // Nobody gets it meanwhile, and it is asked for again and again.
    for _ in 0..3 {
        rig.interrupt();
        assert_eq!(left(&rig), [handles[1], handles[3]]);
    }
    rig.host.spmc.relinquish(handles[3]);
    rig.interrupt();
    assert_eq!(left(&rig), [handles[1]]);
    assert_eq!(seen(&rig, 32), Some(Seen::Own));
    rig.host.spmc.relinquish(handles[1]);
    rig.interrupt();
    assert!(left(&rig).is_empty());
    // Then it is over.
    let asked = rig.host.spmc.asked.len();
    rig.interrupt();
    assert_eq!(rig.host.spmc.asked.len(), asked);
}

#[test]
fn a_donation_that_is_retrieved_after_its_giver_ended_is_asked_for_once_more() {
    let mut rig = Rig::new();
    let offer = Offer {
        receivers: vec![(SP, 0)],
        ..Offer::to(SP, 2, &[(page(2, 20), 1)]).untyped()
    };
    let handle = rig.offered(MEM_DONATE, 2, &offer);
    // As it ends, and when partitions know of it.
    rig.host.spmc.busy = 2;
    rig.kill(2);
    rig.host.spmc.retrieve(handle);
    rig.interrupt();
    let asked = rig.host.spmc.asked.len();
    rig.interrupt();
    assert_eq!(rig.host.spmc.asked.len(), asked);
    // It is nobody's here.
    assert_eq!(rig.seen(2, page(2, 20)), Some(Seen::Hidden));
}

#[test]
fn not_all_is_asked_for_at_once_but_all_in_turn() {
    let mut rig = Rig::new();
    let mut handles = Vec::new();
    for n in 0..20 {
        let handle = rig.offered(MEM_SHARE, 2, &Offer::to(SP, 2, &[(page(2, 20 + n), 1)]));
        rig.host.spmc.retrieve(handle);
        handles.push(handle);
    }
    rig.kill(2);
    // Any of them, whichever comes back first.
    for handle in [7, 19, 0, 12].map(|n| handles[n]) {
        rig.host.spmc.relinquish(handle);
        for _ in 0..5 {
            let asked = rig.host.spmc.asked.len();
            rig.interrupt();
            assert!(rig.host.spmc.asked.len() <= asked + 4);
        }
        assert!(!rig.host.spmc.sent.contains_key(&handle));
    }
    assert_eq!(rig.host.spmc.sent.len(), 16);
}

#[test]
fn what_it_had_begun_to_send_is_dropped_on_both_sides() {
    for looks in [Looks::AtOnce, Looks::AtTheEnd, Looks::Fragments(6)] {
        for to in [SP, 1] {
            let mut rig = Rig::new();
            rig.host.spmc.looks = looks;
            let parts: Vec<_> = (0..700).map(|n| (page(2, FREE + n), 1)).collect();
            let bytes = Offer::to(to, 2, &parts).untyped().bytes(rig.setup.vms);
            rig.write(2, &bytes[..4096]);
            let x = rig.call(2, &[MEM_LEND.into(), bytes.len() as u64, 4096]);
            assert_eq!(x[0], MEM_FRAG_RX.into());
            rig.kill(2);
            assert!(rig.host.spmc.sent.is_empty());
            assert!(!format!("{:?}", rig.proxy.shares).contains("sent: "));
        }
    }
}

#[test]
fn what_it_had_borrowed_is_given_back() {
    for (fid, ended) in [(MEM_SHARE, 2), (MEM_LEND, 2), (MEM_SHARE, 3), (MEM_LEND, 3)] {
        let mut rig = Rig::new();
        let offer = Offer {
            receivers: vec![(2, RW), (3, RW)],
            ..Offer::to(2, 1, &[(page(1, 20), 4)])
        };
        let handle = rig.offered(fid, 1, &offer);
        for vm in [2, 3] {
            let request = Offer {
                receivers: vec![(vm, RW)],
                flags: 1 << 10,
                ..offer.wanted(handle, RW)
            };
            assert_eq!(rig.retrieve(vm, &request)[0], MEM_RETRIEVE_RESP.into());
        }
        rig.kill(ended);
        assert_eq!(rig.seen(ended, page(1, 20)), None);
        assert_eq!(rig.reclaim(1, handle, 0), error(Denied));
        let other = 5 - ended;
        assert_eq!(rig.relinquish(other, handle, 0), OK);
        assert_eq!(rig.reclaim(1, handle, 0), OK);
        assert_eq!(rig.seen(1, page(1, 20)), Some(Seen::Own));
        rig.check();
    }
}

#[test]
fn what_it_lent_to_vms_stays_theirs_until_they_give_it_back() {
    let mut rig = Rig::new();
    let held = Offer::to(1, 2, &[(page(2, 20), 1)]).untyped();
    let held_handle = rig.offered(MEM_LEND, 2, &held);
    let request = held.wanted(held_handle, RW | NX);
    assert_eq!(rig.retrieve(1, &request)[0], MEM_RETRIEVE_RESP.into());
    rig.release(1);
    let other = Offer::to(1, 2, &[(page(2, 30), 1)]).untyped();
    let other_handle = rig.offered(MEM_LEND, 2, &other);
    rig.host.page(page(2, 20)).fill(0x77);
    rig.kill(2);
    assert!(rig.seen(1, page(2, 20)).is_some());
    assert_eq!(rig.seen(2, page(2, 20)), Some(Seen::Hidden));
    assert_eq!(rig.seen(2, page(2, 30)), Some(Seen::Own));
    // Nobody retrieves a dead VM's memory.
    assert_eq!(rig.retrieve(1, &request), error(Denied));
    let late = other.wanted(other_handle, RW | NX);
    assert_eq!(rig.retrieve(1, &late), error(InvalidParameters));
    assert_eq!(rig.relinquish(1, held_handle, 0), OK);
    assert_eq!(rig.seen(1, page(2, 20)), None);
    assert_eq!(rig.seen(2, page(2, 20)), Some(Seen::Own));
    assert!(rig.host.page(page(2, 20)).iter().all(|byte| *byte == 0));
    rig.check();
}
