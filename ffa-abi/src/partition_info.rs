//! Partition information (DEN0077A, "Partition discovery"): the descriptors of
//! `FFA_PARTITION_INFO_GET` in the RX buffer and of `FFA_PARTITION_INFO_GET_REGS` in x3-x17.
//!
//! It never decides who is visible to whom; [`PartitionProperties::known`] only knows which bits a version
//! has.

use crate::{
    fid::raw,
    id::EndpointId,
    regs::{Regs, join, split},
    reply::Reply,
    uuid::Uuid,
    version::Version,
    wire::layout,
};
use bitflags::bitflags;
use zerocopy::{
    FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

/// The layout of 1.0: 8 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireShort {
    /// Offset 0: the partition's id.
    id: U16,
    /// Offset 2: how many execution contexts.
    contexts: U16,
    /// Offset 4: properties.
    properties: U32,
}

/// The layout of 1.1 and 1.2: 24 bytes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireMedium {
    /// Offset 0: what 1.0 has.
    short: WireShort,
    /// Offset 8: the UUID of a service.
    protocol: [u8; 16],
}

/// The layout from 1.3: 48 bytes. The others are its beginning.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireLong {
    /// Offset 0: what 1.1 has.
    medium: WireMedium,
    /// Offset 24: the UUID of the image.
    image: [u8; 16],
    /// Offset 40: the partition's version.
    version: U32,
    /// Offset 44: reserved, zero.
    reserved: U32,
}

layout!(WireShort, 8, id: 0, contexts: 2, properties: 4);
layout!(WireMedium, 24, short: 0, protocol: 8);
layout!(WireLong, 48, medium: 0, image: 24, version: 40, reserved: 44);

bitflags! {
    /// The properties of a partition: offset 4 of a descriptor.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct PartitionProperties: u32 {
        /// It receives `FFA_MSG_SEND_DIRECT_REQ`.
        const RECEIVES_DIRECT = 1 << 0;
        /// It sends `FFA_MSG_SEND_DIRECT_REQ`.
        const SENDS_DIRECT = 1 << 1;
        /// It sends and receives indirect messages.
        const INDIRECT = 1 << 2;
        /// It receives notifications (1.1).
        const NOTIFICATIONS = 1 << 3;
        /// Bits 5:4 are the [`IdType`] (1.1).
        const ID_TYPE = 3 << 4;
        /// It wants to be told when a VM is created (1.1).
        const VM_CREATED = 1 << 6;
        /// It wants to be told when a VM is destroyed (1.1).
        const VM_DESTROYED = 1 << 7;
        /// It runs in AArch64 (1.1).
        const AARCH64 = 1 << 8;
        /// It receives `FFA_MSG_SEND_DIRECT_REQ2` (1.2).
        const RECEIVES_DIRECT2 = 1 << 9;
        /// It sends `FFA_MSG_SEND_DIRECT_REQ2` (1.2).
        const SENDS_DIRECT2 = 1 << 10;
        /// It supports live activation (1.3).
        const LIVE_ACTIVATION = 1 << 11;
        /// Its live activation needs all CPUs to meet (1.3).
        const CPU_RENDEZVOUS = 1 << 12;
        /// It uses the 64-bit forms of cycle management (1.3).
        const WIDE_CYCLES = 1 << 13;
        const _ = !0;
    }
}

/// What the id in a descriptor names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    /// An endpoint that runs on PEs; the number beside the id is that of its execution contexts.
    Endpoint,
    /// A stream endpoint that depends on no other.
    IndependentStream,
    /// A stream endpoint; the number beside the id is the id of its proxy endpoint.
    DependentStream,
    /// An auxiliary id.
    Auxiliary,
}

impl PartitionProperties {
    /// What bits 5:4 say.
    pub const fn id_type(self) -> IdType {
        match self.bits() >> 4 & 3 {
            0 => IdType::Endpoint,
            1 => IdType::IndependentStream,
            2 => IdType::DependentStream,
            _ => IdType::Auxiliary,
        }
    }

    /// The bits that exist in `version`; a caller of that version is shown no other.
    pub const fn known(version: Version) -> Self {
        Self::from_bits_retain(match version.raw() {
            ..=0x1_0000 => 0x7,
            0x1_0001 => 0x1ff,
            0x1_0002 => 0x7ff,
            _ => 0x3fff,
        })
    }
}

/// The layouts of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DescriptorLayout {
    /// 1.0: 8 bytes, without a UUID.
    Short,
    /// 1.1 and 1.2: 24 bytes, with one UUID.
    Medium,
    /// 1.3: 48 bytes, with two UUIDs and the partition's version.
    Long,
}

impl DescriptorLayout {
    /// What a caller of `version` expects.
    pub const fn of(version: Version) -> Self {
        match version.raw() {
            ..=0x1_0000 => Self::Short,
            0x1_0001 | 0x1_0002 => Self::Medium,
            _ => Self::Long,
        }
    }

    /// The size of a descriptor in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Short => size_of::<WireShort>(),
            Self::Medium => size_of::<WireMedium>(),
            Self::Long => size_of::<WireLong>(),
        }
    }
}

/// A descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Offset 0: the partition's id.
    pub id: EndpointId,
    /// Offset 2: how many execution contexts it has, or what [`IdType`] says instead.
    pub contexts: u16,
    /// Offset 4: its properties.
    pub properties: PartitionProperties,
    /// Offset 8 (1.1): the UUID of a service, nil where the query named it.
    pub protocol: Uuid,
    /// Offset 24 (1.3): the UUID of the image, nil where the query named it.
    pub image: Uuid,
    /// Offset 40 (1.3): the FF-A version that it speaks. Written as 0 and read from one if `None`.
    pub version: Option<Version>,
}

impl PartitionInfo {
    /// The longest layout; shorter ones are its beginning.
    fn wire(&self) -> WireLong {
        WireLong {
            medium: WireMedium {
                short: WireShort {
                    id: self.id.0.into(),
                    contexts: self.contexts.into(),
                    properties: self.properties.bits().into(),
                },
                protocol: self.protocol.0,
            },
            image: self.image.0,
            version: self.version.map_or(0, Version::raw).into(),
            reserved: 0.into(),
        }
    }

    /// Reads any layout; what is behind a shorter one is zero.
    fn from_wire(wire: &WireLong) -> Self {
        let WireMedium { short, protocol } = &wire.medium;
        Self {
            id: EndpointId(short.id.get()),
            contexts: short.contexts.get(),
            properties: PartitionProperties::from_bits_retain(short.properties.get()),
            protocol: Uuid(*protocol),
            image: Uuid(wire.image),
            version: match wire.version.get() {
                0 => None,
                raw => Version::from_raw(raw),
            },
        }
    }

    /// Writes the descriptor at the start of `buffer` and returns its size in bytes; `None` if
    /// `buffer` is shorter.
    pub fn write(&self, layout: DescriptorLayout, buffer: &mut [u8]) -> Option<usize> {
        let wire = self.wire();
        let to = buffer.get_mut(..layout.bytes())?;
        to.copy_from_slice(wire.as_bytes().get(..layout.bytes())?);
        Some(layout.bytes())
    }

    /// Reads a descriptor of `size` bytes, as the callee stated it, from the start of `buffer`.
    /// Sizes that are not known are read as the longest layout that fits. `None` if `size` is less
    /// than 8 or `buffer` shorter than `size`.
    pub fn read(size: usize, buffer: &[u8]) -> Option<Self> {
        let from = buffer.get(..size)?.get(..layout_bytes(size)?)?;
        let mut wire = WireLong::new_zeroed();
        wire.as_mut_bytes()
            .get_mut(..from.len())?
            .copy_from_slice(from);
        Some(Self::from_wire(&wire))
    }
}

/// How many bytes of a descriptor of `size` bytes have a known meaning.
const fn layout_bytes(size: usize) -> Option<usize> {
    match size {
        0..8 => None,
        8..24 => Some(size_of::<WireShort>()),
        24..48 => Some(size_of::<WireMedium>()),
        48.. => Some(size_of::<WireLong>()),
    }
}

/// The result of `FFA_PARTITION_INFO_GET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoCount {
    /// w2: how many descriptors.
    pub count: u32,
    /// w3: the size of each in bytes; 0 where only the number was asked for, and to callers of 1.0.
    pub size: u32,
}

impl InfoCount {
    /// The `FFA_SUCCESS_32` that tells it.
    pub const fn success(self) -> Reply {
        Reply::success2(self.count, self.size)
    }

    /// Reads it from a `FFA_SUCCESS_32` to a caller of `version`, which did not ask for the number
    /// only. Callers stride by this size, never by that of a type.
    pub fn from_success(version: Version, regs: &Regs) -> Self {
        Self {
            count: regs.w::<2>(),
            size: if version < Version::V1_1 {
                8
            } else {
                regs.w::<3>()
            },
        }
    }
}

/// The registers that hold descriptors: x3 to x17.
const REGISTERS: usize = 15;

/// The result of `FFA_PARTITION_INFO_GET_REGS`, a `FFA_SUCCESS_64` of eighteen registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoRegs {
    /// x2 bits 15:0: the index of the last descriptor there is.
    pub last: u16,
    /// x2 bits 31:16: the index of the last descriptor in this reply.
    pub current: u16,
    /// x2 bits 47:32: to be given back when asking for more.
    pub tag: u16,
    /// x2 bits 63:48: the size of a descriptor in bytes.
    pub size: u16,
    registers: [u64; REGISTERS],
}

impl InfoRegs {
    /// A reply that starts with the descriptor of index `start` and holds as many of `rest`, which
    /// starts there as well, as fit: 5 of 24 bytes or 2 of 48. `count` is how many there are
    /// altogether. [`DescriptorLayout::Short`] does not exist here and becomes [`DescriptorLayout::Medium`].
    ///
    /// `None` if `start` is not below `count` or `rest` is empty.
    pub fn new(
        layout: DescriptorLayout,
        count: u16,
        start: u16,
        tag: u16,
        rest: impl IntoIterator<Item = PartitionInfo>,
    ) -> Option<Self> {
        let layout = match layout {
            DescriptorLayout::Short => DescriptorLayout::Medium,
            other => other,
        };
        let last = count.checked_sub(1)?;
        let room = usize::from(last.checked_sub(start)?) + 1;
        let mut registers = [0; REGISTERS];
        let mut written = 0;
        let slots = registers.chunks_exact_mut(layout.bytes() / 8).take(room);
        for (slot, info) in slots.zip(rest) {
            // A register holds its bytes as memory would.
            let wire = info.wire();
            for (to, from) in slot.iter_mut().zip(wire.as_bytes().as_chunks().0) {
                *to = u64::from_le_bytes(*from);
            }
            written += 1;
        }
        Some(Self {
            last,
            current: start.checked_add(u16::checked_sub(written, 1)?)?,
            tag,
            size: layout.bytes() as u16,
            registers,
        })
    }

    /// The registers x0-x17 of the reply.
    pub fn encode(&self) -> Regs {
        let mut regs = Regs::ZERO;
        regs[0] = raw::SUCCESS_64.into();
        regs[2] = join(
            u32::from(self.last) | u32::from(self.current) << 16,
            u32::from(self.tag) | u32::from(self.size) << 16,
        );
        for (to, from) in regs.0.iter_mut().skip(3).zip(self.registers) {
            *to = from;
        }
        regs
    }

    /// Reads x2-x17 of a `FFA_SUCCESS_64`. `None` if the size is not a multiple of 8 between 24 and
    /// 120 bytes or the indices contradict each other.
    pub fn decode(regs: &Regs) -> Option<Self> {
        let (indices, tag_and_size) = split(regs.x::<2>());
        let mut read = Self {
            last: indices as u16,
            current: (indices >> 16) as u16,
            tag: tag_and_size as u16,
            size: (tag_and_size >> 16) as u16,
            registers: [0; REGISTERS],
        };
        for (to, from) in read.registers.iter_mut().zip(regs.0.iter().skip(3)) {
            *to = *from;
        }
        let known = matches!(read.size, 24..=120) && read.size.is_multiple_of(8);
        (known && read.current <= read.last).then_some(read)
    }

    /// The descriptors of this reply, given the index that was asked for. As many as the indices
    /// say, but never more than the registers hold.
    pub fn descriptors(&self, start: u16) -> impl Iterator<Item = PartitionInfo> {
        let count = match self.current.checked_sub(start) {
            Some(more) => usize::from(more) + 1,
            None => 0,
        };
        let stride = usize::from(self.size / 8).max(1);
        self.registers
            .chunks_exact(stride)
            .take(count)
            .filter_map(move |slot| {
                let mut bytes = [0; REGISTERS * 8];
                for (to, from) in bytes.as_chunks_mut().0.iter_mut().zip(slot) {
                    *to = from.to_le_bytes();
                }
                PartitionInfo::read(stride.checked_mul(8)?, &bytes)
            })
    }
}

#[cfg(test)]
#[path = "partition_info_tests.rs"]
mod tests;
