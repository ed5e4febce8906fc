//! The short way of reading a descriptor against the general one: what it takes, both understand alike.

use super::*;
use crate::{
    memory::{
        Relinquish, RelinquishFlags,
        request::{
            self, Description, Retrieval,
            single::{self, OFFER},
        },
    },
    sharing::{Borrow, Borrowed, Pages, Receiver},
};

/// One page with an implementation defined value of zero.
fn plain(mut draft: Draft) -> Draft {
    draft.accesses[0].implementation = [0; 16];
    draft.parts.truncate(1);
    draft
}

fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut words = bytes
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    let all = core::array::from_fn(|_| words.next().unwrap());
    assert_eq!(words.next(), None);
    all
}

/// Good ones, and each with one bit changed; the good ones first.
fn all(good: &[Draft]) -> Vec<Vec<u8>> {
    let good: Vec<_> = good.iter().map(Draft::bytes).collect();
    let flipped = good.iter().flat_map(|bytes| {
        (0..bytes.len() * 8).map(|bit| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        })
    });
    let flipped: Vec<_> = flipped.collect();
    good.into_iter().chain(flipped).collect()
}

#[test]
fn an_offer_that_it_takes_is_what_the_general_way_reads() {
    let kinds = [TransactionKind::Share, TransactionKind::Lend];
    for kind in kinds {
        let share = kind == TransactionKind::Share;
        let draft = match share {
            true => Draft::share(Version::V1_2),
            false => Draft::lend(Version::V1_2),
        };
        let draft = plain(draft);
        let good = [draft.clone(), draft.permissions(1)];
        let mut taken = 0;
        for (number, bytes) in all(&good).into_iter().enumerate() {
            let words = words(&bytes);
            let Some((single, value)) = single::offer(&words, share, single::sender(&words)) else {
                assert!(number >= good.len(), "the good ones");
                continue;
            };
            taken += 1;
            let mut fits = true;
            let offer = request::offer(
                Version::V1_2,
                kind,
                &bytes,
                bytes.len() as u32,
                |_| Ok(()),
                |sender| {
                    fits = sender == single.sender;
                    true
                },
            );
            let offer = offer.expect("what it takes is good");
            assert!(fits && offer.is_whole());
            let send = &offer.send;
            assert_eq!(send.sender, single.sender);
            assert_eq!((send.attributes, send.tag), (single.attributes, single.tag));
            assert_eq!((send.flags, send.kind), (TransactionFlags::empty(), kind));
            let value = [value[0].to_le_bytes(), value[1].to_le_bytes()].concat();
            let receiver = Receiver {
                implementation: value.try_into().ok(),
                ..single.receiver
            };
            assert_eq!(send.receivers, [receiver]);
            let parts: Vec<_> = offer.constituents.collect();
            assert_eq!(Pages::of(parts[0]), Some(single.pages));
            assert_eq!((parts.len(), send.pages), (1, parts[0].pages));
        }
        // The good ones, and those with another sender, tag, receiver, value or address.
        assert!(taken > 400, "{taken}");
    }
}

#[test]
fn a_retrieval_that_it_takes_is_what_the_general_way_reads() {
    let draft = plain(Draft::retrieve(Version::V1_2));
    let kind = |kind| {
        draft
            .clone()
            .flags(TransactionFlags::empty().with_kind(kind))
    };
    let good = [
        draft.clone(),
        kind(TransactionKind::Share),
        kind(TransactionKind::Lend).permissions(0b0110),
        draft.clone().attributes(0).permissions(0b0001),
    ];
    let good = good.map(|mut draft| {
        draft.parts.clear();
        draft
    });
    let mut taken = 0;
    for (number, bytes) in all(&good).into_iter().enumerate() {
        let Some(short) = single::retrieval(&words(&bytes)) else {
            assert!(number >= good.len(), "the good ones");
            continue;
        };
        taken += 1;
        let general = request::retrieval(Version::V1_2, &bytes, Some(short.caller));
        let Ok(Retrieval::Borrower(general)) = general else {
            panic!("{general:?}: what it takes is good");
        };
        let receiver = &general.receivers[0];
        let same = Borrow {
            handle: general.handle,
            caller: receiver.endpoint,
            sender: general.sender,
            kind: general.flags.kind(),
            tag: general.tag,
            data: receiver.data,
            instruction: receiver.instruction,
        };
        assert_eq!(short, same);
        let flags = TransactionFlags::empty().with_kind(short.kind);
        assert_eq!((general.flags, general.receivers.len()), (flags, 1));
        assert!(receiver.flags.is_empty() && receiver.implementation == Some([0; 16]));
        assert!([Attributes(0), Attributes::NORMAL].contains(&general.attributes));
    }
    assert!(taken > 600, "{taken}");
}

#[test]
fn what_is_given_back_is_what_the_general_way_reads() {
    let head = Relinquish {
        handle: Handle(0x0102_0304_0506_0708),
        flags: RelinquishFlags::empty(),
        count: 1,
    };
    let mut good = [0; 24];
    head.write(&[SENDER], &mut good).unwrap();
    let mut taken = 0;
    for bit in 0..=good.len() * 8 {
        let mut bytes = good;
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        if let Some(short) = single::relinquish(&words(&bytes)) {
            taken += 1;
            assert_eq!(request::relinquish(&bytes, None), Ok(short));
        }
    }
    // All but flags and the number of endpoints.
    assert_eq!(taken, 1 + 24 * 8 - 64);
}

#[test]
fn an_answer_is_what_the_general_way_writes() {
    for (normal_world, shown) in [(false, false), (false, true), (true, false), (true, true)] {
        for kind in [TransactionKind::Share, TransactionKind::Lend] {
            for implementation in [None, Some([7; 16])] {
                let it = Borrowed {
                    sender: EndpointId(0x12),
                    normal_world,
                    flags: TransactionFlags::ZERO.with_kind(kind),
                    tag: 0x1122_3344_5566_7788,
                    receiver: Receiver {
                        endpoint: SENDER,
                        party: None,
                        data: DataAccess::ReadOnly,
                        instruction: InstructionAccess::NotExecutable,
                        flags: AccessFlags::NON_RETRIEVAL,
                        implementation,
                    },
                    pages: Pages::new(0x8_8000_1000, 5).unwrap(),
                };
                let handle = Handle(0x99aa_bbcc_ddee_ff00);
                let description = Description {
                    sender: it.sender,
                    attributes: Attributes::NORMAL.with_non_secure(normal_world && shown),
                    flags: it.flags,
                    handle,
                    tag: it.tag,
                    receivers: &[it.receiver],
                    pages: 5,
                    count: 1,
                };
                let part = Constituent {
                    base: it.pages.base,
                    pages: 5,
                };
                let mut general = Vec::new();
                let put = |bytes: &[u8]| {
                    general.extend_from_slice(bytes);
                    Ok(())
                };
                let parts = [part].into_iter();
                let written = description.write_fragment(Version::V1_2, parts, 0, 4096, put);
                assert_eq!(written, Ok(single::bytes(OFFER)));
                let short = single::answer(handle, &it, shown);
                assert_eq!(short, words(&general));
            }
        }
    }
}
