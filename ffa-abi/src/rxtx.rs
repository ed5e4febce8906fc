//! The endpoint RX/TX descriptor (DEN0077A, "Setup interfaces"): what a hypervisor leaves in its own
//! TX buffer when it maps the RX/TX pair of a VM at the SPMC, by `FFA_RXTX_MAP` with x1, x2 and w3
//! zero.
//!
//! It knows the layout only: whose pair it may be, and where it may lie, is for others to judge.

use crate::{
    error::FfaError,
    id::EndpointId,
    memory::{Composite, Constituent},
    wire::layout,
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

/// Endpoint RX/TX descriptor: 16 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Wire {
    /// Offset 0: whose pair it is.
    endpoint: U16,
    /// Offset 2: reserved.
    reserved: U16,
    /// Offset 4: where the composite region of the RX buffer is, from the start of this descriptor;
    /// a multiple of 8.
    rx_offset: U32,
    /// Offset 8: the same of the TX buffer.
    tx_offset: U32,
    /// Offset 12: padding.
    padding: U32,
}

layout!(Wire, 16, endpoint: 0, reserved: 2, rx_offset: 4, tx_offset: 8, padding: 12);

/// A buffer of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffer {
    /// Its address.
    pub base: u64,
    /// How many 4 KiB pages it has.
    pub pages: u32,
}

/// The pair of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ForwardedMap {
    /// The VM.
    pub endpoint: EndpointId,
    /// What it sends from.
    pub tx: Buffer,
    /// What it receives in.
    pub rx: Buffer,
}

impl ForwardedMap {
    /// Bytes that [`write`](Self::write) writes.
    pub const BYTES: usize = size_of::<Wire>() + 2 * (Composite::BYTES + Constituent::BYTES);

    /// Reads the descriptor at the start of `buffer`. Reserved fields are ignored; base, count and
    /// endpoint are returned as they are.
    ///
    /// [`FfaError::InvalidParameters`] if something reaches beyond `buffer`, an offset is not a
    /// multiple of 8 or inside the descriptor itself, or a composite region has not exactly one
    /// constituent, or another number of pages than that.
    pub fn read(buffer: &[u8]) -> Result<Self, FfaError> {
        Self::parse(buffer).ok_or(FfaError::InvalidParameters)
    }

    fn parse(buffer: &[u8]) -> Option<Self> {
        let (wire, _) = Wire::read_from_prefix(buffer).ok()?;
        let region = |offset: U32| {
            let offset = offset.get();
            if (offset as usize) < size_of::<Wire>() || !offset.is_multiple_of(8) {
                return None;
            }
            let composite = Composite::read(buffer, offset).ok()?;
            let part = composite.constituents(buffer, offset).next()?;
            (composite.count == 1 && composite.pages == part.pages).then_some(Buffer {
                base: part.base,
                pages: part.pages,
            })
        };
        Some(Self {
            endpoint: EndpointId(wire.endpoint.get()),
            tx: region(wire.tx_offset)?,
            rx: region(wire.rx_offset)?,
        })
    }

    /// Writes the descriptor at the start of `buffer`, the two regions behind it, and returns how
    /// many bytes that were; `None` if `buffer` is shorter than [`BYTES`](Self::BYTES).
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let out = buffer.get_mut(..Self::BYTES)?;
        let rx = size_of::<Wire>();
        let tx = rx + Composite::BYTES + Constituent::BYTES;
        let wire = Wire {
            endpoint: self.endpoint.0.into(),
            reserved: 0.into(),
            rx_offset: (rx as u32).into(),
            tx_offset: (tx as u32).into(),
            padding: 0.into(),
        };
        wire.write_to_prefix(out).ok()?;
        for (offset, Buffer { base, pages }) in [(rx, self.rx), (tx, self.tx)] {
            Composite::write_all(&[Constituent { base, pages }], out.get_mut(offset..)?)?;
        }
        Some(Self::BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map() -> ForwardedMap {
        ForwardedMap {
            endpoint: EndpointId(3),
            tx: Buffer {
                base: 0x8_8000_1000,
                pages: 2,
            },
            rx: Buffer {
                base: 0x8_8000_4000,
                pages: 2,
            },
        }
    }

    fn written() -> [u8; 80] {
        let mut bytes = [0xff; 80];
        assert_eq!(map().write(&mut bytes), Some(80));
        bytes
    }

    fn words(bytes: &[u8]) -> Vec<u32> {
        bytes
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect()
    }

    #[test]
    fn the_descriptor_is_laid_out_as_specified() {
        let bytes = written();
        assert_eq!(
            words(&bytes),
            [
                3,
                16,
                48,
                0, // the descriptor
                2,
                1,
                0,
                0,
                0x8000_4000,
                8,
                2,
                0, // RX
                2,
                1,
                0,
                0,
                0x8000_1000,
                8,
                2,
                0, // TX
            ]
        );
        assert_eq!(ForwardedMap::read(&bytes), Ok(map()));
        assert_eq!(map().write(&mut [0; 79]), None);
    }

    #[test]
    fn the_regions_may_lie_anywhere_and_reserved_fields_are_ignored() {
        let bytes = written();
        let mut far = vec![0xee; 0x1000];
        far[..16].copy_from_slice(&bytes[..16]);
        far[2..4].copy_from_slice(&[1, 2]);
        far[4..8].copy_from_slice(&0xfe0u32.to_le_bytes());
        far[0xfe0..].copy_from_slice(&bytes[16..48]);
        far[8..12].copy_from_slice(&0x108u32.to_le_bytes());
        far[0x108..0x128].copy_from_slice(&bytes[48..]);
        assert_eq!(ForwardedMap::read(&far), Ok(map()));
    }

    #[test]
    fn each_mistake_is_invalid() {
        for (word, value, what) in [
            (1, 8, "RX inside the descriptor"),
            (1, 0, "RX inside the descriptor"),
            (2, 15, "TX inside the descriptor, unaligned"),
            (2, 52, "TX unaligned"),
            (1, 56, "RX reaches beyond the buffer"),
            (1, 80, "RX behind the buffer"),
            (2, u32::MAX - 7, "TX far behind the buffer"),
            (5, 0, "RX of no constituent"),
            (5, 2, "RX of two"),
            (13, 0, "TX of no constituent"),
            (13, u32::MAX, "TX of many"),
            (4, 3, "RX of another number of pages"),
            (14 - 2, 1, "TX of another number of pages"),
        ] {
            let mut bytes = written();
            bytes[word * 4..][..4].copy_from_slice(&u32::to_le_bytes(value));
            assert_eq!(
                ForwardedMap::read(&bytes),
                Err(FfaError::InvalidParameters),
                "{what}"
            );
        }
        for len in 0..80 {
            assert!(ForwardedMap::read(&written()[..len]).is_err(), "{len}");
        }
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn maps_are_read_as_written(endpoint: u16, base: [u64; 2], pages: [u32; 2]) {
            let buffer = |n: usize| Buffer { base: base[n], pages: pages[n] };
            let map = ForwardedMap { endpoint: EndpointId(endpoint), tx: buffer(0), rx: buffer(1) };
            let mut bytes = [0xa5; 100];
            prop_assert_eq!(map.write(&mut bytes), Some(ForwardedMap::BYTES));
            prop_assert_eq!(ForwardedMap::read(&bytes), Ok(map));
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            mut bytes in prop::collection::vec(any::<u8>(), 0..160),
            offsets: [u8; 2],
        ) {
            let _ = ForwardedMap::read(&bytes);
            if let Some(head) = bytes.get_mut(4..12) {
                head.fill(0);
                head[0] = offsets[0] & !7;
                head[4] = offsets[1] & !7;
            }
            let _ = ForwardedMap::read(&bytes);
        }
    }
}
