//! `FFA_MEM_RETRIEVE_REQ`: each mistake, in the order in which they are looked for, by a partition and
//! by the hypervisor for a VM.

use super::{
    hypervisor::{own, refused},
    *,
};

/// The borrowers in these tests: a partition, and a VM for which the hypervisor calls.
const B_ID: u16 = 0x8002;
const VM_ID: u16 = 5;

/// Something shared with both, so that either may retrieve it, and the good request for it.
fn shared(f: &mut Fixture) -> (Handle, Draft) {
    let both = [(B_ID, RW), (VM_ID, RW)];
    let draft = Draft {
        implementation: [9; 16],
        ..share(Who::Vm, B).to(&both)
    };
    let handle = f.offer(Who::Vm, SHARE, &draft).unwrap();
    let request = Draft {
        handle: handle.0,
        parts: Vec::new(),
        ..draft
    };
    (handle, request)
}

/// Something lent to one partition, and the good request for it.
fn lent(f: &mut Fixture, flags: u32) -> (Handle, Draft) {
    let draft = lend(Who::Vm, B).flags(flags);
    let draft = draft.parts(&[(Who::Vm.memory() + 8 * PAGE, 1)]);
    let handle = f.offer(Who::Vm, LEND, &draft).unwrap();
    (handle, borrow(Who::Vm, B, handle))
}

const B_: Who = Who::Partition(B);

#[test]
fn row_1_one_fragment_in_tx() {
    let mut f = Fixture::with_pairs();
    let (_, request) = shared(&mut f);
    for who in [B_, Who::Hypervisor] {
        f.turn_of(who);
        f.put(&request.bytes(Version::V1_2));
        for call in [
            [RETRIEVE, 112, 96, 0, 0],
            [RETRIEVE, 96, 112, 0, 0],
            [RETRIEVE, 112, 112, PAGE, 0],
            [RETRIEVE, 112, 112, 0, 1],
            [RETRIEVE | WIDE, 112, 112, 1 << 32, 0],
            [RETRIEVE, PAIR * PAGE + 16, PAIR * PAGE + 16, 0, 0],
        ] {
            assert_eq!(f.ask(&call), Err(InvalidParameters), "{call:x?}");
        }
        let answer = f.ask(&[RETRIEVE | WIDE, 112, 112]).unwrap();
        assert_eq!(answer, [RETRIEVED, 112, 112, 0, 0, 0, 0, 0]);
        f.release();
    }
}

#[test]
fn row_2_rx_is_the_spmcs_to_write() {
    let mut f = Fixture::with_pairs();
    let (_, request) = shared(&mut f);
    for who in [B_, Who::Hypervisor] {
        f.turn_of(who);
        f.call(frame(&[0x8400_0068]));
        f.put(&request.bytes(Version::V1_2));
        assert_eq!(f.ask(&[RETRIEVE, 112, 112]), Err(Busy));
        // It comes before what is in TX.
        f.put(&[0xff; 112]);
        assert_eq!(f.ask(&[RETRIEVE, 112, 112]), Err(Busy));
        f.release();
        assert_eq!(f.ask(&[RETRIEVE, 112, 112]), Err(InvalidParameters));
    }
}

/// Mistakes in a request of version 1.2: 48 bytes of header, 32 for each of two receivers.
#[test]
fn rows_3_to_24_what_the_request_says() {
    let mut f = Fixture::with_pairs();
    let (handle, good) = shared(&mut f);
    for who in [B_, Who::Hypervisor] {
        let good = || good.clone();
        let of = |handle: u64| Draft { handle, ..good() };
        let valued = |value: u8| Draft {
            implementation: [value; 16],
            ..good()
        };
        let rw = |b: u8, vm: u8| good().to(&[(B_ID, b), (VM_ID, vm)]);
        for (row, request, error) in [
            (3, good().poke(36, 1), InvalidParameters),
            (3, good().poke(24, 16), InvalidParameters),
            (3, good().poke(28, 9), InvalidParameters),
            (3, good().poke(52, 112), InvalidParameters),
            (3, good().attributes(0xaf), InvalidParameters),
            (4, of(handle.0 + 1), InvalidParameters),
            (4, of(handle.0 ^ 1 << 20), InvalidParameters),
            (4, of(handle.0 | 1 << 63), InvalidParameters),
            (4, of(u64::MAX), InvalidParameters),
            (7, good().poke(28, 1), InvalidParameters),
            (
                8,
                Draft {
                    sender: EndpointId(4),
                    ..good()
                },
                Denied,
            ),
            (
                8,
                Draft {
                    sender: EndpointId(0),
                    ..good()
                },
                Denied,
            ),
            (10, good().flags(2 << 3), InvalidParameters),
            (10, good().flags(3 << 3), InvalidParameters),
            (11, Draft { tag: 1, ..good() }, InvalidParameters),
            (13, good().flags(1 << 9), InvalidParameters),
            (13, good().flags(1 << 5), InvalidParameters),
            (13, good().flags(1 << 11), InvalidParameters),
            (13, good().flags(1 << 31), InvalidParameters),
            (14, good().flags(1), InvalidParameters),
            (14, good().flags(1 << 2), InvalidParameters),
            (16, good().attributes(0x6f), InvalidParameters),
            (17, good().attributes(0x25), Denied),
            (17, good().attributes(0x2d), Denied),
            (17, good().attributes(0x17), Denied),
            (18, good().flags(1 << 10), InvalidParameters),
            (18, good().to(&[(B_ID, RW)]), InvalidParameters),
            (21, rw(RW | NX, RW), InvalidParameters),
            (21, rw(RW, RW | X), InvalidParameters),
            (23, valued(8), InvalidParameters),
        ] {
            // The hypervisor calls for the VM that the request names.
            if row == 18 && who == Who::Hypervisor {
                continue;
            }
            let answer = f.fetch(who, &request).map(|_| ());
            assert_eq!(answer, Err(error), "row {row}, {who:?}: {request:x?}");
        }
        let told = f.fetch(who, &good()).unwrap();
        assert_eq!(told[56..72], [9; 16]);
    }
}

#[test]
fn row_5_what_is_not_fully_sent_can_not_be_retrieved() {
    let mut f = Fixture::with_pairs();
    let draft = share(Who::Vm, B).parts(&[(Who::Vm.memory(), 1), (Who::Vm.memory() + PAGE, 1)]);
    f.put(&draft.bytes(Version::V1_2));
    let answer = f.ask(&[SHARE, 128, 112]).unwrap();
    assert_eq!(answer[0], FRAG_RX);
    let handle = Handle(answer[2] << 32 | answer[1]);
    let request = retrieve(Who::Vm, B, handle);
    refused(&mut f, B_, &request, InvalidParameters);
    refused(&mut f, Who::Hypervisor, &own(handle), InvalidParameters);
}

#[test]
fn row_9_the_hypervisor_retrieves_for_one_vm_at_a_time() {
    let mut f = Fixture::with_pairs();
    let all = [(B_ID, RW), (VM_ID, RW), (6, RW)];
    let handle = f
        .offer(Who::Vm, SHARE, &share(Who::Vm, B).to(&all))
        .unwrap();
    let request = retrieve(Who::Vm, B, handle).to(&all);
    refused(&mut f, Who::Hypervisor, &request, NotSupported);
    let alone = request.to(&[(VM_ID, RW)]).flags(1 << 10);
    f.fetch(Who::Hypervisor, &alone).unwrap();
}

#[test]
fn row_12_only_borrowers_retrieve() {
    let mut f = Fixture::with_pairs();
    let (handle, good) = shared(&mut f);
    for who in [Who::Partition(A), Who::Partition(C)] {
        refused(&mut f, who, &good, InvalidParameters);
    }
    let request = retrieve(Who::Vm, B, handle);
    for receivers in [vec![(B_ID, RW)], vec![(B_ID, RW), (7, RW)]] {
        let request = request.clone().to(&receivers);
        refused(&mut f, Who::Hypervisor, &request, InvalidParameters);
    }
    // One of the normal world's can't speak for a partition, nor a partition for another.
    let (handle, _) = lent(&mut f, 0);
    let request = borrow(Who::Vm, B, handle);
    refused(&mut f, Who::Hypervisor, &request, InvalidParameters);
    refused(&mut f, Who::Partition(C), &request, InvalidParameters);
}

#[test]
fn rows_15_and_22_zeroing_that_is_not_the_borrowers_to_ask_for() {
    let mut f = Fixture::with_pairs();
    let (handle, good) = lent(&mut f, 0);
    refused(&mut f, B_, &good.clone().flags(1), Denied);
    let read_only = good.clone().to(&[(B_ID, RO | NX)]);
    refused(&mut f, B_, &read_only.clone().flags(1 << 2), Denied);
    f.fetch(B_, &read_only).unwrap();
    f.give_back(B_, handle, id(B), 0).unwrap();
    f.reclaim(Who::Vm, handle, 0).unwrap();
    let (_, good) = lent(&mut f, 1);
    let read_only = good.to(&[(B_ID, RO | NX)]);
    refused(&mut f, B_, &read_only.flags(1), Denied);
}

#[test]
fn rows_18_and_19_the_borrowers_are_those_of_the_transaction() {
    let mut f = Fixture::with_pairs();
    let two = [(B_ID, RW), (id(C).0, RW)];
    let handle = f
        .offer(Who::Vm, SHARE, &share(Who::Vm, B).to(&two))
        .unwrap();
    let request = retrieve(Who::Vm, B, handle);
    for (receivers, flags, error) in [
        (vec![(B_ID, RW)], 0, InvalidParameters),
        (
            vec![(B_ID, RW), (id(C).0, RW), (5, RW)],
            0,
            InvalidParameters,
        ),
        (two.to_vec(), 1 << 10, InvalidParameters),
        (vec![(B_ID, RW), (id(OLD).0, RW)], 0, Denied),
        (vec![(id(C).0, RW)], 1 << 10, InvalidParameters),
    ] {
        let request = request.clone().to(&receivers).flags(flags);
        refused(&mut f, B_, &request, error);
    }
    // Of a single borrower there is nothing to bypass.
    let (_, good) = lent(&mut f, 0);
    refused(&mut f, B_, &good.flags(1 << 10), InvalidParameters);
}

#[test]
fn rows_20_and_21_permissions_within_what_was_sent() {
    let mut f = Fixture::with_pairs();
    let handle = f
        .offer(Who::Vm, SHARE, &share(Who::Vm, B).to(&[(B_ID, RO)]))
        .unwrap();
    let request = retrieve(Who::Vm, B, handle);
    refused(&mut f, B_, &request.clone().to(&[(B_ID, RW)]), Denied);
    let says = request.to(&[(B_ID, RO | NX)]);
    refused(&mut f, B_, &says, InvalidParameters);
    let (_, good) = lent(&mut f, 0);
    let silent = good.clone().to(&[(B_ID, RW)]);
    refused(&mut f, B_, &silent, InvalidParameters);
    // Memory of the normal world is not executed.
    let executes = good.to(&[(B_ID, RO | X)]);
    refused(&mut f, B_, &executes, InvalidParameters);
    // A partition's may be, as far as its owner may.
    let from = Who::Partition(A);
    for (page, error) in [
        (from.memory(), None),
        (Fake::memory(A) + 0xf000, None),
        (DEVICES, Some(Denied)),
    ] {
        let draft = lend(from, B).to(&[(B_ID, RO)]).parts(&[(page, 1)]);
        let handle = f.offer(from, LEND, &draft).unwrap();
        let request = borrow(from, B, handle).to(&[(B_ID, RO | X)]);
        match error {
            Some(error) => refused(&mut f, B_, &request.attributes(0), error),
            None => {
                f.fetch(B_, &request).unwrap();
                assert!(f.machine.ground.granted[&(B.0, page)].execute);
            }
        }
    }
}

#[test]
fn row_26_again_with_the_same_permissions_only() {
    let mut f = Fixture::with_pairs();
    let (handle, good) = lent(&mut f, 0);
    f.fetch(B_, &good).unwrap();
    let other = good.clone().to(&[(B_ID, RO | NX)]);
    refused(&mut f, B_, &other, Denied);
    f.fetch(B_, &good).unwrap();
    f.give_back(B_, handle, id(B), 0).unwrap();
    f.give_back(B_, handle, id(B), 0).unwrap();
    f.fetch(B_, &other).unwrap();
}

#[test]
fn row_27_no_tables_to_show_it() {
    let mut f = Fixture::with_pairs();
    let (_, good) = lent(&mut f, 0);
    f.machine.tables = Some(0);
    refused(&mut f, B_, &good, NoMemory);
    f.machine.tables = None;
    f.fetch(B_, &good).unwrap();
}

#[test]
fn an_answer_that_can_not_be_written_takes_the_memory_back() {
    let mut f = Fixture::with_pairs();
    let (_, good) = lent(&mut f, 0);
    f.turn_of(B_);
    let bytes = good.bytes(Version::V1_2);
    f.put(&bytes);
    let length = bytes.len() as u64;
    f.machine.unwritable = true;
    assert_eq!(f.ask(&[RETRIEVE, length, length]), Err(Aborted));
    f.machine.unwritable = false;
    f.fetch(B_, &good).unwrap();
}
