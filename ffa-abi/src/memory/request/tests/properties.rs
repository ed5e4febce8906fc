//! Any bytes.

use super::{
    super::{Retrieval, offer, relinquish, retrieval},
    *,
};
use crate::sharing::MAX_RECEIVERS;
use proptest::prelude::*;

/// What a reader says holds for whatever it accepts.
fn walk(version: Version, bytes: &[u8], total: u32) {
    use TransactionKind::{Donate, Lend, Share, Unspecified};
    for kind in [Share, Lend, Donate, Unspecified] {
        let read = offer(version, kind, bytes, total, |_| Ok(()), |_| true);
        let Ok(read) = read else { continue };
        assert_ne!(kind, Unspecified);
        assert!((1..=MAX_RECEIVERS).contains(&read.send.receivers.len()));
        assert!(read.send.count > 0);
        assert_eq!(
            u64::from(read.head) + u64::from(read.send.count) * 16,
            u64::from(total)
        );
        assert_eq!(
            read.head as usize + read.constituents.len() * 16,
            bytes.len()
        );
        assert!(read.constituents.remainder().is_empty());
    }
    for caller in [None, Some(EndpointId(0x8002))] {
        if let Ok(Retrieval::Borrower(request)) = retrieval(version, bytes, caller) {
            assert!((1..=MAX_RECEIVERS).contains(&request.receivers.len()));
        }
        let _ = relinquish(bytes, caller);
    }
}

proptest! {
    #![proptest_config(crate::property())]

    #[test]
    fn any_bytes_are_an_offer_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..256),
        total: u32,
        version in prop::sample::select(VERSIONS.to_vec()),
    ) {
        walk(version, &bytes, total);
        walk(version, &bytes, bytes.len() as u32);
    }

    #[test]
    fn a_good_descriptor_with_some_bytes_changed_is_an_offer_or_an_error(
        version in prop::sample::select(VERSIONS.to_vec()),
        which in 0..4usize,
        more in 0..4u16,
        changes in prop::collection::vec((0..256usize, any::<u8>()), 0..4),
        total in prop::option::of(0u32..0x200),
        cut in 0..256usize,
    ) {
        let mut draft = [Draft::share, Draft::lend, Draft::donate, Draft::retrieve][which](version);
        for n in 0..more {
            draft = draft.and(0x8003 + n);
        }
        let mut bytes = draft.bytes();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let whole = bytes.len() as u32;
        walk(version, &bytes, total.unwrap_or(whole));
        bytes.truncate(cut);
        walk(version, &bytes, whole);
    }
}
