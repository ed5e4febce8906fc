//! What lies in TX is read once, whatever its owner does meanwhile.

use super::*;

/// The machine writes TX anew as soon as it was read.
fn rewrite(f: &mut Fixture, bytes: Vec<u8>) {
    let tx = f.tx();
    f.machine.rewrites = vec![(tx, bytes)];
}

#[test]
fn an_offer_is_what_it_was_when_it_was_read() {
    for who in Who::ALL {
        let good = share(who, B).bytes(Version::V1_2);
        let bad: Vec<u8> = good.iter().map(|byte| !byte).collect();
        // A good one becomes a bad one behind the reader's back, and the reverse.
        let mut f = Fixture::with_pairs();
        f.turn_of(who);
        f.put(&good);
        rewrite(&mut f, bad.clone());
        let answer = f.ask(&[SHARE, 112, 112]).unwrap();
        let handle = Handle(answer[3] << 32 | answer[2]);
        let told = f
            .fetch(Who::Partition(B), &retrieve(who, B, handle))
            .unwrap();
        assert_eq!(read(Version::V1_2, &told).2, [(who.memory(), 1)]);

        let mut f = Fixture::with_pairs();
        f.turn_of(who);
        f.put(&bad);
        rewrite(&mut f, good.clone());
        assert_eq!(f.ask(&[SHARE, 112, 112]), Err(InvalidParameters));
        // It was read in one piece: every word of it at once.
        for at in (0..good.len()).step_by(4) {
            let mut other = good.clone();
            other[at..][..4].fill(0xff);
            let mut f = Fixture::with_pairs();
            f.turn_of(who);
            f.put(&good);
            rewrite(&mut f, other);
            f.ask(&[SHARE, 112, 112]).unwrap();
            assert!(f.machine.rewrites.is_empty(), "it was read");
        }
    }
}

#[test]
fn fragments_requests_and_what_is_given_back_are_what_they_were() {
    let mut f = Fixture::with_pairs();
    let who = Who::Partition(A);
    let page = who.memory();
    let draft = share(who, B).parts(&[(page, 1), (page + PAGE, 1)]);
    let bytes = draft.bytes(Version::V1_2);
    f.turn_of(who);
    f.put(&bytes[..112]);
    let answer = f.ask(&[SHARE, 128, 112]).unwrap();
    let (low, high) = (answer[1], answer[2]);
    f.put(&bytes[112..]);
    rewrite(&mut f, vec![0xff; 32]);
    let answer = f.ask(&[FRAG_TX, low, high, 16]).unwrap();
    assert_eq!(answer[0], u64::from(SUCCESS_32));
    let handle = Handle(high << 32 | low);

    let b = Who::Partition(B);
    f.turn_of(b);
    f.put(&retrieve(who, B, handle).bytes(Version::V1_2));
    rewrite(&mut f, vec![0xff; 80]);
    assert_eq!(f.ask(&[RETRIEVE, 80, 80]).unwrap()[0], RETRIEVED);
    f.release();

    let mut bytes = [0; 24];
    let head = Relinquish {
        handle,
        flags: RelinquishFlags::empty(),
        count: 1,
    };
    head.write(&[id(B)], &mut bytes).unwrap();
    f.put(&bytes);
    rewrite(&mut f, vec![0xff; 24]);
    f.ask(&[RELINQUISH]).unwrap();
    f.reclaim(who, handle, 0).unwrap();
}
