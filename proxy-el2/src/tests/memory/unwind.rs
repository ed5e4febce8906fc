//! What the SPMC refuses is undone, at whichever step it does so.

use super::{host::*, rig::*, spmc::*};
use ffa_abi::{
    FfaError::{self, *},
    fid::raw,
};

const ERRORS: [FfaError; 10] = [
    NotSupported,
    InvalidParameters,
    NoMemory,
    Busy,
    Interrupted,
    Denied,
    Retry,
    Aborted,
    NoData,
    NotReady,
];
const KINDS: [u32; 3] = [MEM_SHARE, MEM_LEND, MEM_DONATE];

/// An offer of this kind with so many constituents.
fn offer(fid: u32, count: u64) -> Offer {
    let parts: Vec<_> = (0..count).map(|n| (page(1, FREE + 2 * n), 1)).collect();
    let offer = Offer::to(SP, 1, &parts);
    match fid {
        MEM_SHARE => offer,
        MEM_LEND => offer.untyped(),
        _ => Offer {
            receivers: vec![(SP, 0)],
            ..offer.untyped()
        },
    }
}

#[test]
fn each_refusal_at_each_step_leaves_nothing_here_or_there() {
    for fid in KINDS {
        // One fragment, and four.
        for (count, steps) in [(3, 1), (900, 4)] {
            for step in 0..steps {
                for error in ERRORS {
                    let mut rig = Rig::new();
                    rig.host.spmc.instead = Some((step, Instead::Refuses(error)));
                    rig.offer_refused(fid, 1, &offer(fid, count), error);
                    assert!(rig.host.spmc.sent.is_empty());
                    let handle = rig.offered(fid, 1, &offer(fid, count));
                    assert_eq!(rig.reclaim(1, handle, 0), OK);
                }
            }
        }
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_aborted_and_what_the_spmc_has_is_dropped() {
    let success = u64::from(raw::SUCCESS_32);
    for looks in [Looks::AtOnce, Looks::AtTheEnd, Looks::Fragments(20)] {
        for fid in KINDS {
            for (count, steps) in [(3, 1), (900, 4)] {
                for step in 0..steps {
                    for says in [
                        // Not a completion of this.
                        [u64::from(raw::MSG_WAIT), 0, 0, 0, 0],
                        [u64::from(raw::INTERRUPT), 0x8001_0000, 0, 0, 0],
                        [0x1234, 0, 0, 0, 0],
                        // It wants something else than the next fragment.
                        [MEM_FRAG_RX.into(), 7, 1, 16, 0],
                        [MEM_FRAG_RX.into(), 7, 1, 0xffff_ffff, 0],
                        // Complete too early, or under another handle.
                        [success, 0, 7, 2, 0],
                    ] {
                        let last = step + 1 == steps;
                        if says[0] == success && last && steps == 1 {
                            // That may be its handle.
                            continue;
                        }
                        let mut rig = Rig::new();
                        rig.host.spmc.looks = looks;
                        rig.host.spmc.instead = Some((step, Instead::Says(says)));
                        let x = rig.offer(fid, 1, &offer(fid, count));
                        assert_eq!(x, error(Aborted), "{step} {says:x?}");
                        rig.check();
                        assert_eq!(rig.seen(1, page(1, FREE)), Some(Seen::Own));
                        // The handle was told with the first answer; without it nothing can be said of it.
                        if step != 0 {
                            assert!(rig.host.spmc.sent.is_empty(), "{looks:?} {step} {says:x?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn el3_that_knows_no_such_call_is_not_supported() {
    let mut rig = Rig::new();
    rig.host.spmc.instead = Some((0, Instead::Refuses(NotSupported)));
    rig.offer_refused(MEM_SHARE, 1, &offer(MEM_SHARE, 1), NotSupported);
    let mut rig = Rig::new();
    rig.host.spmc.instead = Some((0, Instead::Says([u64::MAX, 0, 0, 0, 0])));
    let x = rig.offer(MEM_SHARE, 1, &offer(MEM_SHARE, 1));
    assert_eq!(x, error(NotSupported));
    rig.check();
}

#[test]
fn a_reclaim_that_the_spmc_refuses_changes_nothing() {
    for refused in ERRORS {
        let mut rig = Rig::new();
        let handle = rig.offered(MEM_LEND, 1, &offer(MEM_LEND, 3));
        let before = rig.state();
        rig.host.spmc.instead = Some((0, Instead::Refuses(refused)));
        assert_eq!(rig.reclaim(1, handle, 0), error(refused));
        assert_eq!(rig.state(), before);
        assert_eq!(rig.reclaim(1, handle, 0), OK);
        assert_eq!(rig.seen(1, page(1, FREE)), Some(Seen::Own));
    }
}

#[test]
fn a_donation_that_was_retrieved_is_the_partitions_for_good() {
    let mut rig = Rig::new();
    let first = offer(MEM_DONATE, 1);
    let handle = rig.offered(MEM_DONATE, 1, &first);
    rig.host.spmc.retrieve(handle);
    // Nobody tells the proxy.
    assert_eq!(rig.seen(1, page(1, FREE)), Some(Seen::Hidden));
    assert_eq!(rig.reclaim(1, handle, 0), error(InvalidParameters));
    assert_eq!(rig.seen(1, page(1, FREE)), None);
    rig.check();
    assert_eq!(rig.reclaim(1, handle, 0), error(InvalidParameters));
    for fid in KINDS {
        rig.offer_refused(fid, 1, &offer(fid, 1), Denied);
    }
    // The SPMC may use the handle for something else then.
    let offer = offer(MEM_DONATE, 9);
    let offer = Offer {
        parts: offer.parts[1..].to_vec(),
        ..offer
    };
    rig.host.spmc.next = handle;
    assert_eq!(rig.offered(MEM_DONATE, 1, &offer), handle);
    rig.host.spmc.retrieve(handle);
    rig.host.spmc.next = handle;
    let last = Offer::to(SP, 2, &[(page(2, 99), 1)]);
    assert_eq!(rig.offered(MEM_SHARE, 2, &last), handle);
    rig.check();
    assert_eq!(rig.seen(1, page(1, FREE + 2)), None);
    assert_eq!(rig.reclaim(1, handle, 0), error(InvalidParameters));
    assert_eq!(rig.reclaim(2, handle, 0), OK);
    rig.check();
}
