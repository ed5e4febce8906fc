//! `FFA_MEM_RETRIEVE_REQ` by the hypervisor, which wants to know of a transaction.

use super::*;

const B_: Who = Who::Partition(B);
const B_ID: u16 = 0x8002;

/// `who` asks for this and is refused.
#[track_caller]
pub fn refused(f: &mut Fixture, who: Who, request: &Draft, error: FfaError) {
    let answer = f.fetch(who, request);
    assert_eq!(answer.map(|_| ()), Err(error), "{who:?}: {request:x?}");
}

/// The hypervisor's own request for a handle.
pub fn own(handle: Handle) -> Draft {
    Draft {
        sender: EndpointId(0),
        attributes: 0,
        flags: 0,
        handle: handle.0,
        tag: 0,
        receivers: Vec::new(),
        implementation: [0; 16],
        parts: Vec::new(),
        pokes: Vec::new(),
    }
}

#[test]
fn a_hypervisor_is_told_nothing_of_what_partitions_give_one_another() {
    let mut f = Fixture::with_pairs();
    let a = Who::Partition(A);
    for kind in [SHARE, LEND] {
        let draft = match kind {
            SHARE => share(a, B),
            _ => lend(a, B),
        };
        let handle = f.offer(a, kind, &draft).unwrap();
        refused(&mut f, Who::Hypervisor, &own(handle), InvalidParameters);
        let request = match kind {
            SHARE => retrieve(a, B, handle),
            _ => borrow(a, B, handle),
        };
        f.fetch(B_, &request).unwrap();
        refused(&mut f, Who::Hypervisor, &own(handle), InvalidParameters);
        f.give_back(B_, handle, EndpointId(B_ID), 0).unwrap();
        f.reclaim(a, handle, 0).unwrap();
    }
}

#[test]
fn a_hypervisor_is_told_of_a_transaction_as_its_vm_sent_it() {
    let mut f = Fixture::with_pairs();
    let both = [(B_ID, RW), (id(C).0, RO)];
    let parts = [(Who::Vm.memory() + PAGE, 1), (Who::Vm.memory(), 1)];
    let draft = Draft {
        implementation: [6; 16],
        ..share(Who::Vm, B).to(&both).parts(&parts).flags(1)
    };
    let handle = f.offer(Who::Vm, LEND, &draft).unwrap();
    for _ in 0..2 {
        let before = f.memory();
        let told = f.fetch(Who::Hypervisor, &own(handle)).unwrap();
        let (header, receivers, got) = read(Version::V1_2, &told);
        assert_eq!((header.sender, header.tag), (VM, 0x77));
        assert_eq!(header.handle, handle);
        assert_eq!(header.attributes, Attributes::NORMAL);
        assert_eq!(header.flags.bits(), 1 | 2 << 3);
        assert_eq!(receivers, both);
        assert_eq!(told[56..72], [6; 16]);
        assert_eq!(got, parts);
        assert_eq!(f.memory().map, before.map);
    }
    refused(&mut f, B_, &own(handle), InvalidParameters);
    for spoiled in [
        own(Handle(handle.0 + 1)),
        own(Handle(handle.0 | 1 << 63)),
        own(handle).flags(1),
        own(handle).attributes(0x2f),
        Draft {
            tag: 1,
            ..own(handle)
        },
        Draft {
            sender: VM,
            ..own(handle)
        },
        own(handle).poke(40, 1),
    ] {
        refused(&mut f, Who::Hypervisor, &spoiled, InvalidParameters);
    }
}

#[test]
fn a_hypervisor_fetches_long_answers_one_at_a_time() {
    let mut f = Fixture::with_pairs();
    let parts: Vec<_> = (0..600)
        .rev()
        .map(|n| (Who::Vm.memory() + n * PAGE, 1))
        .collect();
    let handle = f
        .offer(Who::Vm, SHARE, &share(Who::Vm, B).parts(&parts))
        .unwrap();
    let told = f.fetch(Who::Hypervisor, &own(handle)).unwrap();
    assert_eq!(read(Version::V1_2, &told).2, parts);
    // Half way: the same is DENIED, another one may be asked for.
    f.turn_of(Who::Hypervisor);
    f.put(&own(handle).bytes(Version::V1_2));
    let answer = f.ask(&[RETRIEVE, 48, 48]).unwrap();
    f.release();
    f.put(&own(handle).bytes(Version::V1_2));
    assert_eq!(f.ask(&[RETRIEVE, 48, 48]), Err(Denied));
    let (low, high) = handle.words();
    let next = f
        .ask(&[FRAG_RX, low.into(), high.into(), answer[2]])
        .unwrap();
    let sender = u64::from(VM.0) << 16;
    let rest = answer[1] - answer[2];
    assert_eq!(next[..5], [FRAG_TX, low.into(), high.into(), rest, sender]);
    f.release();
    f.fetch(Who::Hypervisor, &own(handle)).unwrap();
}
