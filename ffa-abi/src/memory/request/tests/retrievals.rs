//! `FFA_MEM_RETRIEVE_REQ` and `FFA_MEM_RELINQUISH`.

use super::{
    super::{Retrieval, Return, relinquish, retrieval},
    *,
};
use crate::{
    memory::{Relinquish, RelinquishFlags},
    sharing::{MAX_RECEIVERS, Retrieve},
};

const BORROWER: EndpointId = EndpointId(0x8002);

fn read(draft: &Draft, caller: Option<EndpointId>) -> Result<Retrieve, FfaError> {
    match retrieval(draft.version, &draft.bytes(), caller)? {
        Retrieval::Borrower(request) => Ok(request),
        Retrieval::Hypervisor(handle) => panic!("a hypervisor's, of {handle:?}"),
    }
}

#[track_caller]
fn refused(draft: &Draft) {
    let answer = read(draft, Some(BORROWER)).map(|_| ());
    assert_eq!(answer, Err(InvalidParameters), "{}", draft.version);
}

#[test]
fn good_requests_are_read_in_each_version() {
    for version in VERSIONS {
        let flags = TransactionFlags::ZERO.with_kind(TransactionKind::Lend);
        let draft = Draft::retrieve(version).flags(flags).and(0x8003);
        // What can be asked about instructions is the transaction's to say.
        let request = read(&draft.permissions(0b0101), Some(BORROWER)).unwrap();
        assert_eq!((request.handle, request.caller), (Handle(5), BORROWER));
        assert_eq!((request.sender, request.flags), (SENDER, flags));
        assert_eq!(request.attributes, Attributes::NORMAL);
        assert_eq!(request.tag, 0x1020_3040_5060_7080);
        let [first, second] = &request.receivers[..] else {
            panic!("{:?}", request.receivers)
        };
        assert_eq!(
            (first.endpoint, first.data),
            (BORROWER, DataAccess::ReadWrite)
        );
        assert_eq!(second.data, DataAccess::ReadOnly);
        assert_eq!(second.instruction, InstructionAccess::NotExecutable);
        let long = version >= Version::V1_2;
        assert_eq!(first.implementation, long.then_some([9; 16]));
    }
}

#[test]
fn row_3_reserved_fields_and_places() {
    for version in VERSIONS {
        let draft = Draft::retrieve(version);
        let first = draft.at_access(0);
        let mut reserved = match version {
            Version::V1_0 => vec![3, 24],
            _ => vec![3, 36, 47],
        };
        reserved.push(first + 3);
        reserved.push(match AccessLayout::of(version) {
            AccessLayout::Short => first + 8,
            AccessLayout::Long => first + 24,
        });
        for at in reserved {
            refused(&draft.clone().poke(at, &[0x80]));
        }
        if version != Version::V1_0 {
            for size in [0, 48, 48 - AccessLayout::of(version).bytes()] {
                refused(&draft.clone().poke32(24, size));
            }
            refused(&draft.clone().poke32(32, 0x1000));
        }
        for count in [0, 2, u32::MAX] {
            refused(&draft.clone().poke32(28, count));
        }
        // No composite region goes with it.
        for offset in [1, 48, u32::MAX] {
            refused(&draft.clone().poke32(first + 4, offset));
        }
        for permissions in [3, 12, 0x12, 0x82] {
            refused(&draft.clone().permissions(permissions));
        }
        let mut many = draft.clone();
        for more in 1..MAX_RECEIVERS {
            many = many.and(0x8002 + more as u16);
        }
        assert!(read(&many, Some(BORROWER)).is_ok());
        refused(&many.and(0x8100));
        refused(&draft.and(0x8002));
    }
}

#[test]
fn row_7_nothing_is_behind_the_access_descriptors() {
    for version in VERSIONS {
        let bytes = Draft::retrieve(version).bytes();
        for length in 0..bytes.len() {
            let read = retrieval(version, &bytes[..length], Some(BORROWER));
            assert_eq!(read.map(|_| ()), Err(InvalidParameters));
        }
        let mut longer = bytes;
        longer.extend([0; 16]);
        let read = retrieval(version, &longer, Some(BORROWER));
        assert_eq!(read.map(|_| ()), Err(InvalidParameters));
    }
}

#[test]
fn a_hypervisor_asks_for_the_vm_that_it_names() {
    for version in VERSIONS {
        let draft = Draft::retrieve(version).and(3);
        assert_eq!(read(&draft, None).unwrap().caller, EndpointId(3));
        let draft = Draft::retrieve(version);
        assert_eq!(read(&draft, None).unwrap().caller, EndpointId::HYPERVISOR);
    }
}

#[test]
fn a_hypervisors_own_request_has_nothing_but_a_handle() {
    for version in VERSIONS {
        let mut bytes = vec![0; Transaction::header_bytes(version)];
        bytes[8] = 0x21;
        let asked = |bytes: &[u8], caller| match retrieval(version, bytes, caller) {
            Ok(Retrieval::Hypervisor(handle)) => Ok(handle),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(asked(&bytes, None), Ok(Handle(0x21)));
        assert_eq!(asked(&bytes, Some(BORROWER)), Err(InvalidParameters));
        bytes.resize(0x60, 0);
        assert_eq!(asked(&bytes, None), Ok(Handle(0x21)));
        for at in (0..bytes.len()).filter(|at| !(8..16).contains(at)) {
            // The number of receivers, and, from 1.1, size and place of what is not there.
            if (28..32).contains(&at) || (version != Version::V1_0 && (24..36).contains(&at)) {
                continue;
            }
            let mut spoiled = bytes.clone();
            spoiled[at] = 1;
            assert_eq!(asked(&spoiled, None), Err(InvalidParameters), "{at}");
        }
        assert_eq!(asked(&bytes[..20], None), Err(InvalidParameters));
    }
}

fn back(flags: u32, endpoints: &[u16]) -> [u8; Return::BYTES] {
    let mut bytes = [0; 64];
    let ids: Vec<_> = endpoints.iter().map(|id| EndpointId(*id)).collect();
    let head = Relinquish {
        handle: Handle(7),
        flags: RelinquishFlags::from_bits_retain(flags),
        count: 0,
    };
    head.write(&ids, &mut bytes).unwrap();
    bytes[..Return::BYTES].try_into().unwrap()
}

#[test]
fn relinquishing_is_for_oneself_and_alone() {
    let good = Return {
        handle: Handle(7),
        endpoint: BORROWER,
        flags: RelinquishFlags::ZERO,
    };
    assert_eq!(relinquish(&back(1, &[0x8002]), Some(BORROWER)), Ok(good));
    assert_eq!(relinquish(&back(1, &[0x8002]), None), Ok(good));
    let refused = |bytes: &[u8]| {
        assert_eq!(relinquish(bytes, Some(BORROWER)), Err(InvalidParameters));
    };
    refused(&back(0, &[]));
    refused(&back(0, &[0x8002, 0x8003]));
    refused(&back(0, &[0x8003]));
    refused(&back(0, &[0x8002])[..17]);
    for bit in 1..32 {
        refused(&back(1 << bit, &[0x8002]));
    }
    let mut many = back(0, &[0x8002]);
    many[12..16].fill(0xff);
    refused(&many);
}
