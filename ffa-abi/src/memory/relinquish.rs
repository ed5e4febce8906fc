//! The descriptor of `FFA_MEM_RELINQUISH`.

use super::{DescriptorError, Handle};
use crate::{id::EndpointId, wire::layout};
use bitflags::bitflags;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// Relinquish descriptor, without the ids behind it: 16 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Wire {
    /// Offset 0: the handle.
    handle: U64,
    /// Offset 8: flags.
    flags: U32,
    /// Offset 12: how many endpoint ids of 16 bits follow.
    count: U32,
}

layout!(Wire, 16, handle: 0, flags: 8, count: 12);

bitflags! {
    /// The flags of a relinquish descriptor.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct RelinquishFlags: u32 {
        /// Zero the memory.
        const ZERO = 1 << 0;
        /// The operation may be sliced in time.
        const TIME_SLICE = 1 << 1;
        const _ = !0;
    }
}

impl RelinquishFlags {
    /// The reserved bits that are set.
    pub const fn reserved(self) -> u32 {
        self.bits() & !0b11
    }
}

/// The head of a relinquish descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relinquish {
    /// Which memory.
    pub handle: Handle,
    /// Flags.
    pub flags: RelinquishFlags,
    /// How many endpoints relinquish it.
    pub count: u32,
}

impl Relinquish {
    /// Reads the head at the start of `descriptor`.
    pub fn read(descriptor: &[u8]) -> Result<Self, DescriptorError> {
        let (wire, _) = Wire::read_from_prefix(descriptor).map_err(|_| DescriptorError::Short {
            what: "relinquish descriptor",
            offset: 0,
            wanted: size_of::<Wire>() as u64,
            found: descriptor.len(),
        })?;
        Ok(Self {
            handle: Handle(wire.handle.get()),
            flags: RelinquishFlags::from_bits_retain(wire.flags.get()),
            count: wire.count.get(),
        })
    }

    /// The endpoints in `descriptor`, which starts with this head. All of them must be there.
    pub fn endpoints<'a>(
        &self,
        descriptor: &'a [u8],
    ) -> Result<impl ExactSizeIterator<Item = EndpointId> + use<'a>, DescriptorError> {
        let ids = descriptor
            .get(size_of::<Wire>()..)
            .and_then(|ids| <[U16]>::ref_from_prefix_with_elems(ids, self.count as usize).ok())
            .ok_or(DescriptorError::Short {
                what: "array of endpoint ids",
                offset: size_of::<Wire>() as u32,
                wanted: u64::from(self.count) * size_of::<U16>() as u64,
                found: descriptor.len(),
            })?;
        Ok(ids.0.iter().map(|id| EndpointId(id.get())))
    }

    /// Writes a descriptor for these endpoints at the start of `out` and returns its size in bytes;
    /// `None` if `out` is shorter. `count` of this head does not matter.
    pub fn write(&self, endpoints: &[EndpointId], out: &mut [u8]) -> Option<usize> {
        let wire = Wire {
            handle: self.handle.0.into(),
            flags: self.flags.bits().into(),
            count: u32::try_from(endpoints.len()).ok()?.into(),
        };
        wire.write_to_prefix(out).ok()?;
        let ids = out.get_mut(size_of::<Wire>()..)?;
        let (ids, _) = <[U16]>::mut_from_prefix_with_elems(ids, endpoints.len()).ok()?;
        for (to, id) in ids.iter_mut().zip(endpoints) {
            to.set(id.0);
        }
        Some(size_of::<Wire>() + size_of_val(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::descriptor_tests::words;

    #[test]
    fn relinquishing_is_laid_out_as_specified() {
        let head = Relinquish {
            handle: Handle(0x8877_6655_4433_2211),
            flags: RelinquishFlags::ZERO,
            count: 0,
        };
        let mut bytes = [0xff; 21];
        let ids = [EndpointId(0x8001), EndpointId(0x8002)];
        assert_eq!(head.write(&ids, &mut bytes), Some(20));
        let wanted = [0x4433_2211, 0x8877_6655, 1, 2, 0x8002_8001];
        assert_eq!(bytes[..20], words(&wanted));
        assert_eq!(bytes[20], 0xff);
        let read = Relinquish::read(&bytes).unwrap();
        assert_eq!(read, Relinquish { count: 2, ..head });
        assert_eq!(read.endpoints(&bytes).unwrap().collect::<Vec<_>>(), ids);
        assert!(read.endpoints(&bytes[..19]).is_err());
        let many = Relinquish {
            count: u32::MAX,
            ..read
        };
        assert!(many.endpoints(&bytes).is_err());
        assert!(Relinquish::read(&bytes[..15]).is_err());
        assert_eq!(head.write(&ids, &mut bytes[..19]), None);
    }
}
