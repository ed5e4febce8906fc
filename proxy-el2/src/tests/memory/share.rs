//! What a VM gives to a partition, and gets back.

use super::{host::*, rig::*, spmc::*};
use ffa_abi::{FfaError::*, Version};

const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

#[test]
fn shared_memory_stays_visible_and_lent_and_donated_memory_does_not() {
    for (fid, seen) in [
        (MEM_SHARE, Seen::Own),
        (MEM_LEND, Seen::Hidden),
        (MEM_DONATE, Seen::Hidden),
    ] {
        for wide in [0, 1 << 30] {
            let mut rig = Rig::new();
            let before = rig.state();
            let mut offer = Offer::to(SP, 1, &[(page(1, 20), 2), (page(1, 17), 1)]);
            if fid != MEM_SHARE {
                offer = offer.untyped();
            }
            if fid == MEM_DONATE {
                offer.receivers = vec![(SP, 0)];
            }
            let handle = rig.offered(fid | wide, 1, &offer);
            assert_eq!(rig.host.spmc.asked.len(), 1);
            let sent = &rig.host.spmc.sent[&handle];
            assert_eq!((sent.fid, sent.sender, sent.tag), (fid, 1, offer.tag));
            assert_eq!((sent.attributes, sent.flags), (offer.attributes, 0));
            assert_eq!(sent.parts, offer.parts);
            let (id, permissions) = offer.receivers[0];
            assert_eq!(sent.receivers, [(id, permissions, 0, VALUE)]);
            for number in 16..24 {
                let lent = matches!(number, 17 | 20 | 21);
                let wanted = if lent { seen } else { Seen::Own };
                assert_eq!(rig.seen(1, page(1, number)), Some(wanted));
            }
            rig.check();
            assert_eq!(rig.reclaim(1, handle, 0), OK);
            assert_eq!(rig.state(), before);
            assert_eq!(rig.reclaim(1, handle, 0), error(InvalidParameters));
        }
    }
}

#[test]
fn descriptors_go_from_any_version_to_any() {
    for upstream in VERSIONS {
        for vms in VERSIONS.into_iter().filter(|version| *version <= upstream) {
            let setup = Setup {
                upstream,
                vms,
                ..SETUP
            };
            let mut rig = Rig::of(setup);
            let offer = Offer {
                receivers: vec![(SP, RW), (OTHER_SP, RO)],
                ..Offer::to(SP, 2, &[(page(2, 100), 3), (page(2, 40), 1)])
            };
            let handle = rig.offered(MEM_SHARE, 2, &offer);
            let sent = &rig.host.spmc.sent[&handle];
            assert_eq!((sent.sender, sent.pages), (2, 4));
            assert_eq!(sent.parts, offer.parts);
            let value = if vms < Version::V1_2 || upstream < Version::V1_2 {
                [0; 16]
            } else {
                VALUE
            };
            let wanted = [(SP, RW, 0, value), (OTHER_SP, RO, 0, value)];
            assert_eq!(sent.receivers, wanted);
        }
    }
}
