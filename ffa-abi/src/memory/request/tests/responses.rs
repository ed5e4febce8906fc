//! What answers `FFA_MEM_RETRIEVE_REQ`.

use super::{
    super::{Description, MAX_HEAD},
    *,
};
use crate::sharing::{MAX_RECEIVERS, Receiver};

fn receivers(count: usize) -> Vec<Receiver> {
    let receiver = |n: usize| Receiver {
        endpoint: EndpointId(0x8002 + n as u16),
        party: None,
        data: DataAccess::ReadOnly,
        instruction: InstructionAccess::NotExecutable,
        flags: AccessFlags::empty(),
        implementation: Some([7; 16]),
    };
    (0..count).map(receiver).collect()
}

fn parts(count: u64) -> Vec<Constituent> {
    let part = |n: u64| Constituent {
        base: 0x4000_0000 + n * 0x10_0000,
        pages: 1 + n as u32,
    };
    (0..count).map(part).collect()
}

fn description<'a>(receivers: &'a [Receiver], parts: &[Constituent]) -> Description<'a> {
    Description {
        sender: SENDER,
        attributes: Attributes::NORMAL.with_non_secure(true),
        flags: TransactionFlags::empty().with_kind(TransactionKind::Share),
        handle: Handle(0x21),
        tag: 3,
        receivers,
        pages: Composite::of(parts).unwrap().pages,
        count: parts.len() as u32,
    }
}

/// All fragments of an answer, for a buffer of this size, one behind the other.
fn fetched(
    version: Version,
    description: &Description<'_>,
    parts: &[Constituent],
    room: usize,
) -> (Vec<u8>, usize) {
    let total = description.bytes(version).unwrap();
    let mut all = Vec::new();
    let mut fragments = 0;
    while (all.len() as u32) < total {
        let before = all.len();
        let length = description
            .write_fragment(
                version,
                parts.iter().copied(),
                before as u32,
                room,
                |bytes| {
                    all.extend_from_slice(bytes);
                    Ok(())
                },
            )
            .unwrap();
        assert_eq!(all.len() - before, length as usize);
        assert!(length as usize <= room && length.is_multiple_of(16));
        fragments += 1;
    }
    assert_eq!(all.len() as u32, total);
    (all, fragments)
}

#[test]
fn an_answer_is_what_its_parts_are_in_each_version_and_any_size_of_buffer() {
    for version in VERSIONS {
        for count in [1, MAX_RECEIVERS] {
            for length in [1, 2, 15, 16, 17, 300] {
                let (receivers, parts) = (receivers(count), parts(length));
                let description = description(&receivers, &parts);
                let accesses: Vec<_> = receivers
                    .iter()
                    .map(|receiver| Access {
                        permissions: AccessPermissions(0b0101),
                        implementation: [7; 16],
                        ..access(receiver.endpoint.0, DataAccess::ReadOnly)
                    })
                    .collect();
                let header = Transaction {
                    flags: description.flags,
                    handle: description.handle,
                    tag: description.tag,
                    ..Transaction::new(version, SENDER, description.attributes)
                };
                let mut wanted = vec![0; 16 * 1024];
                let size = header.write_all(version, &accesses, &parts, &mut wanted);
                wanted.truncate(size.unwrap());
                for room in [MAX_HEAD, MAX_HEAD + 17, 4096, 16384] {
                    let (bytes, fragments) = fetched(version, &description, &parts, room);
                    assert_eq!(bytes, wanted);
                    assert_eq!(fragments == 1, wanted.len() <= room);
                }
            }
        }
    }
}

#[test]
fn only_what_is_the_start_of_a_fragment_is_one() {
    let (receivers, parts) = (receivers(1), parts(3));
    for version in VERSIONS {
        let description = description(&receivers, &parts);
        let head = description.head_bytes(version);
        let total = description.bytes(version).unwrap();
        assert_eq!(total, head + 48);
        let at = |offset, room| {
            let parts = parts.iter().copied();
            description.write_fragment(version, parts, offset, room, |_| Ok(()))
        };
        for offset in [1, head - 16, head + 8, total, total + 16, u32::MAX] {
            assert_eq!(at(offset, 4096), Err(InvalidParameters), "{offset}");
        }
        assert_eq!(at(head, 4096), Ok(48));
        assert_eq!(at(head + 32, 4096), Ok(16));
        assert_eq!(at(head, 15), Err(FfaError::NoMemory));
        assert_eq!(at(0, head as usize - 1), Err(FfaError::NoMemory));
        assert_eq!(at(0, head as usize), Ok(head));
        let fails = description.write_fragment(version, parts.iter().copied(), 0, 4096, |_| {
            Err(FfaError::Aborted)
        });
        assert_eq!(fails, Err(FfaError::Aborted));
    }
}

#[test]
fn what_can_not_be_said_is_not_written() {
    let receivers = receivers(MAX_RECEIVERS + 1);
    let many = description(&receivers, &[]);
    assert_eq!(many.write_head(Version::V1_2, &mut [0; 4096]), None);
    let one = Description {
        count: u32::MAX,
        ..description(&receivers[..1], &[])
    };
    assert_eq!(one.bytes(Version::V1_2), None);
    assert_eq!(one.write_head(Version::V1_2, &mut [0; 95]), None);
    assert_eq!(one.write_head(Version::V1_2, &mut [0; 96]), Some(96));
}
