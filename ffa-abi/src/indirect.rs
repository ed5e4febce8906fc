//! The header of indirect messages (DEN0077A, "Indirect messaging"): what precedes a message of
//! `FFA_MSG_SEND2` in the sender's TX buffer and in the receiver's RX buffer.
//!
//! Sender and receiver may speak different versions: the header is read in one layout and written in
//! the other, so that the payload may move. Who copies a message reads the header once
//! ([`read`](IndirectHeader::read)), finds its payload ([`payload`](IndirectHeader::payload)) and a place
//! for that in the receiver's buffer ([`placed`](IndirectHeader::placed)).

use crate::{id::EndpointId, uuid::Uuid, version::Version, wire::layout};
use core::ops::Range;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

/// The layout of 1.1: 20 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireShort {
    /// Offset 0: flags, zero.
    flags: U32,
    /// Offset 4: reserved.
    reserved: U32,
    /// Offset 8: where the payload is, from the start of the header.
    payload_offset: U32,
    /// Offset 12: the receiver.
    receiver: U16,
    /// Offset 14: the sender.
    sender: U16,
    /// Offset 16: bytes of the payload.
    payload_size: U32,
}

/// The layout from 1.2: 40 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireLong {
    /// Offset 0: what 1.1 has.
    head: WireShort,
    /// Offset 20: reserved.
    reserved: U32,
    /// Offset 24: the UUID of the service.
    service: [u8; 16],
}

layout!(WireShort, 20, flags: 0, reserved: 4, payload_offset: 8, receiver: 12, sender: 14,
    payload_size: 16);
layout!(WireLong, 40, head: 0, reserved: 20, service: 24);

/// The header of an indirect message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndirectHeader {
    /// Flags; all reserved, zero.
    pub flags: u32,
    /// Who sends.
    pub sender: EndpointId,
    /// Who receives.
    pub receiver: EndpointId,
    /// Where the payload is, in bytes from the start of the header.
    pub payload_offset: u32,
    /// Bytes of the payload.
    pub payload_size: u32,
    /// The service that it is for, nil for any. Read as nil from 1.1 and not written to it.
    pub service: Uuid,
}

impl IndirectHeader {
    /// Bytes of the longest header.
    pub const MAX_BYTES: usize = size_of::<WireLong>();

    /// Bytes of the header in `version`: 20 in 1.1, else 40.
    pub fn bytes(version: Version) -> usize {
        if version < Version::V1_2 {
            size_of::<WireShort>()
        } else {
            size_of::<WireLong>()
        }
    }

    /// Reads the header at the start of `buffer`, in the layout of `version`; `None` if `buffer` is
    /// shorter.
    pub fn read(version: Version, buffer: &[u8]) -> Option<Self> {
        let (head, service) = if version < Version::V1_2 {
            let (wire, _) = WireShort::read_from_prefix(buffer).ok()?;
            (wire, [0; 16])
        } else {
            let (wire, _) = WireLong::read_from_prefix(buffer).ok()?;
            (wire.head, wire.service)
        };
        Some(Self {
            flags: head.flags.get(),
            sender: EndpointId(head.sender.get()),
            receiver: EndpointId(head.receiver.get()),
            payload_offset: head.payload_offset.get(),
            payload_size: head.payload_size.get(),
            service: Uuid(service),
        })
    }

    /// Where the payload is in a buffer of `size` bytes that starts with this header; `None` if it
    /// starts inside the header of `version` or ends beyond the buffer. It may be empty.
    pub fn payload(&self, version: Version, size: usize) -> Option<Range<usize>> {
        let start = self.payload_offset as usize;
        let end = start.checked_add(self.payload_size as usize)?;
        (start >= Self::bytes(version) && end <= size).then_some(start..end)
    }

    /// The header of the same message in a buffer of `size` bytes of a receiver of `version`. The payload
    /// stays where it is, unless the receiver's header reaches beyond its start or the buffer ends before
    /// its end: then it lies right behind the header. `None` if it does not fit there either.
    ///
    /// The flags are zero, and so is the service below 1.2.
    pub fn placed(&self, version: Version, size: usize) -> Option<Self> {
        let header = Self::bytes(version);
        let service = match version < Version::V1_2 {
            true => Uuid::NIL,
            false => self.service,
        };
        let at = |payload_offset| Self {
            flags: 0,
            payload_offset,
            service,
            ..*self
        };
        [self.payload_offset, header as u32]
            .map(at)
            .into_iter()
            .find(|placed| placed.payload(version, size).is_some())
    }

    /// Writes the header at the start of `out`, in the layout of `version`, and returns its size in
    /// bytes; `None` if `out` is shorter.
    pub fn write(&self, version: Version, out: &mut [u8]) -> Option<usize> {
        let head = WireShort {
            flags: self.flags.into(),
            reserved: 0.into(),
            payload_offset: self.payload_offset.into(),
            receiver: self.receiver.0.into(),
            sender: self.sender.0.into(),
            payload_size: self.payload_size.into(),
        };
        if version < Version::V1_2 {
            head.write_to_prefix(out).ok()?;
        } else {
            let wire = WireLong {
                head,
                reserved: 0.into(),
                service: self.service.0,
            };
            wire.write_to_prefix(out).ok()?;
        }
        Some(Self::bytes(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: IndirectHeader = IndirectHeader {
        flags: 0,
        sender: EndpointId(0x8001),
        receiver: EndpointId(3),
        payload_offset: 0x30,
        payload_size: 0x10,
        service: Uuid([7; 16]),
    };

    #[test]
    fn both_layouts_are_as_specified() {
        let mut bytes = [0xff; 48];
        assert_eq!(HEADER.write(Version::V1_1, &mut bytes), Some(20));
        let words = [0, 0, 0x30, 0x8001_0003, 0x10u32];
        assert_eq!(bytes[..20], *words.map(u32::to_le_bytes).as_flattened());
        assert_eq!(bytes[20], 0xff);
        assert_eq!(HEADER.write(Version::V1_2, &mut bytes), Some(40));
        assert_eq!(bytes[..20], *words.map(u32::to_le_bytes).as_flattened());
        assert_eq!(bytes[20..24], [0; 4]);
        assert_eq!(bytes[24..40], [7; 16]);
        assert_eq!(bytes[40], 0xff);
        for (version, size) in [(Version::V1_1, 20), (Version::V1_3, 40)] {
            assert_eq!(HEADER.write(version, &mut bytes[..size - 1]), None);
            assert_eq!(IndirectHeader::read(version, &bytes[..size - 1]), None);
        }
    }

    #[test]
    fn a_payload_lies_behind_the_header_and_inside_the_buffer() {
        let at = |payload_offset, payload_size| IndirectHeader {
            payload_offset,
            payload_size,
            ..HEADER
        };
        let (v1_1, v1_2) = (Version::V1_1, Version::V1_2);
        assert_eq!(at(20, 8).payload(v1_1, 28), Some(20..28));
        assert_eq!(at(20, 8).payload(v1_1, 27), None);
        assert_eq!(at(19, 8).payload(v1_1, 28), None);
        assert_eq!(at(20, 8).payload(v1_2, 100), None);
        assert_eq!(at(40, 0).payload(v1_2, 40), Some(40..40));
        assert_eq!(at(u32::MAX, u32::MAX).payload(v1_2, 0x1000), None);
    }

    #[test]
    fn a_payload_stays_where_it_is_if_it_can() {
        let place = |payload_offset, payload_size, version, size| {
            let message = IndirectHeader {
                flags: 5,
                payload_offset,
                payload_size,
                ..HEADER
            };
            let placed = message.placed(version, size)?;
            assert_eq!((placed.flags, placed.payload_size), (0, payload_size));
            let ids = (placed.sender, placed.receiver);
            assert_eq!(ids, (HEADER.sender, HEADER.receiver));
            assert_eq!(placed.service.is_nil(), version < Version::V1_2);
            Some(placed.payload_offset)
        };
        let (v1_1, v1_2) = (Version::V1_1, Version::V1_2);
        assert_eq!(place(40, 8, v1_1, 0x1000), Some(40));
        assert_eq!(place(40, 8, v1_2, 0x1000), Some(40));
        assert_eq!(place(39, 8, v1_2, 0x1000), Some(40));
        assert_eq!(place(20, 8, v1_2, 0x1000), Some(40));
        assert_eq!(place(20, 8, v1_1, 0x1000), Some(20));
        assert_eq!(place(0xff8, 8, v1_2, 0x1000), Some(0xff8));
        assert_eq!(place(0xff9, 8, v1_2, 0x1000), Some(40));
        assert_eq!(place(0x3000, 0x1000 - 20, v1_1, 0x1000), Some(20));
        assert_eq!(place(0x3000, 0x1000 - 39, v1_2, 0x1000), None);
        assert_eq!(place(20, 0x1000 - 20, v1_2, 0x1000), None);
        assert_eq!(place(u32::MAX, u32::MAX, v1_2, 0x1000), None);
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn headers_are_read_as_written(ids: [u16; 2], words: [u32; 3], service: [u8; 16]) {
            let header = IndirectHeader {
                flags: words[0],
                sender: EndpointId(ids[0]),
                receiver: EndpointId(ids[1]),
                payload_offset: words[1],
                payload_size: words[2],
                service: Uuid(service),
            };
            let mut bytes = [0xa5; 40];
            header.write(Version::V1_2, &mut bytes);
            prop_assert_eq!(IndirectHeader::read(Version::V1_2, &bytes), Some(header));
            header.write(Version::V1_1, &mut bytes);
            let short = IndirectHeader { service: Uuid::NIL, ..header };
            prop_assert_eq!(IndirectHeader::read(Version::V1_1, &bytes), Some(short));
            if let Some(payload) = header.payload(Version::V1_2, 0x1000) {
                prop_assert!(payload.start >= 40 && payload.end <= 0x1000);
            }
        }

        /// From one version to another: what is delivered can be read, and is the message that was sent.
        #[test]
        fn a_message_that_was_placed_is_the_same_message(
            offset in 0u32..0x1100,
            length in 0u32..0x1100,
            sizes in [1usize..=4, 1usize..=4],
            versions in [0usize..3, 0usize..3],
            service: [u8; 16],
        ) {
            let [from, to] = versions.map(|n| [Version::V1_1, Version::V1_2, Version::V1_3][n]);
            let [tx, rx] = sizes.map(|pages| pages * 0x1000);
            let sent = IndirectHeader {
                payload_offset: offset,
                payload_size: length,
                service: Uuid(service),
                ..HEADER
            };
            let placed = sent.placed(to, rx);
            if let Some(placed) = placed {
                let mut bytes = [0; 40];
                prop_assert_eq!(placed.write(to, &mut bytes), Some(IndirectHeader::bytes(to)));
                prop_assert_eq!(IndirectHeader::read(to, &bytes), Some(placed));
                let payload = placed.payload(to, rx).expect("it is inside");
                prop_assert_eq!(payload.len(), length as usize);
                // Once more is no other place.
                prop_assert_eq!(placed.placed(to, rx), Some(placed));
                if from == to && sent.payload(from, tx.min(rx)).is_some() {
                    prop_assert_eq!(placed.payload_offset, offset);
                }
            } else {
                let room = rx - IndirectHeader::bytes(to);
                prop_assert!(length as usize > room);
            }
        }
    }
}
