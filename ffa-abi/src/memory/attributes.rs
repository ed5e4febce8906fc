//! The encodings of memory attributes and of access permissions in descriptors.

use num_enum::{IntoPrimitive, TryFromPrimitive};

/// Who must see the same data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromPrimitive, IntoPrimitive)]
#[repr(u16)]
pub enum Shareability {
    /// Not shareable.
    None = 0,
    /// Outer shareable.
    Outer = 2,
    /// Inner shareable.
    Inner = 3,
}

/// How normal memory is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromPrimitive, IntoPrimitive)]
#[repr(u16)]
pub enum Cacheability {
    /// Not at all.
    NonCacheable = 1,
    /// Write back.
    WriteBack = 3,
}

/// How accesses to a device may be gathered, reordered and acknowledged early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromPrimitive, IntoPrimitive)]
#[repr(u16)]
pub enum DeviceKind {
    /// None of it: Device-nGnRnE.
    NoGatherNoReorderNoEarly = 0,
    /// Acknowledged early: Device-nGnRE.
    NoGatherNoReorder = 1,
    /// Reordered and acknowledged early: Device-nGRE.
    NoGather = 2,
    /// All of it: Device-GRE.
    Gather = 3,
}

/// What kind of memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemoryType {
    /// The descriptor does not say.
    Unspecified,
    /// A device.
    Device(DeviceKind),
    /// Normal memory.
    Normal(Cacheability),
}

/// Memory region attributes, as they stand at offset 2 of a transaction descriptor: bits 1:0
/// shareability, 3:2 cacheability or kind of device, 5:4 type, 6 non-secure, 15:7 reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Attributes(pub u16);

impl Attributes {
    const NON_SECURE: u16 = 1 << 6;

    /// Normal memory, write back, inner shareable: 0x2f.
    pub const NORMAL: Self = Self(0x2f);

    /// These attributes, with reserved bits zero.
    pub fn new(memory_type: MemoryType, shareability: Shareability, non_secure: bool) -> Self {
        let (kind, detail) = match memory_type {
            MemoryType::Unspecified => (0, 0),
            MemoryType::Device(device) => (1, device.into()),
            MemoryType::Normal(cacheability) => (2, cacheability.into()),
        };
        let non_secure = if non_secure { Self::NON_SECURE } else { 0 };
        Self(u16::from(shareability) | detail << 2 | kind << 4 | non_secure)
    }

    /// The type of memory; `None` if it is a reserved one. Bits 3:2 mean nothing where the type is
    /// unspecified.
    pub fn memory_type(self) -> Option<MemoryType> {
        let detail = self.0 >> 2 & 3;
        match self.0 >> 4 & 3 {
            0 => Some(MemoryType::Unspecified),
            1 => DeviceKind::try_from(detail).ok().map(MemoryType::Device),
            2 => Cacheability::try_from(detail).ok().map(MemoryType::Normal),
            _ => None,
        }
    }

    /// The shareability, whatever the type is; `None` if it is the reserved one.
    pub fn shareability(self) -> Option<Shareability> {
        Shareability::try_from(self.0 & 3).ok()
    }

    /// Whether bit 6 says that the memory is the normal world's. Only the SPMC sets it, in
    /// `FFA_MEM_RETRIEVE_RESP`.
    pub const fn is_non_secure(self) -> bool {
        self.0 & Self::NON_SECURE != 0
    }

    /// The same with bit 6 as stated.
    pub const fn with_non_secure(self, non_secure: bool) -> Self {
        if non_secure {
            Self(self.0 | Self::NON_SECURE)
        } else {
            Self(self.0 & !Self::NON_SECURE)
        }
    }

    /// The reserved bits that are set.
    pub const fn reserved(self) -> u16 {
        self.0 & !0x7f
    }
}

/// Whether data may be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromPrimitive, IntoPrimitive)]
#[repr(u8)]
pub enum DataAccess {
    /// The descriptor does not say.
    Unspecified = 0,
    /// Read only.
    ReadOnly = 1,
    /// Read and write.
    ReadWrite = 2,
}

/// Whether instructions may be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromPrimitive, IntoPrimitive)]
#[repr(u8)]
pub enum InstructionAccess {
    /// The descriptor does not say.
    Unspecified = 0,
    /// Not executable.
    NotExecutable = 1,
    /// Executable.
    Executable = 2,
}

/// Memory access permissions, as they stand at offset 2 of an access descriptor: bits 1:0 data, 3:2
/// instructions, 7:4 reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct AccessPermissions(pub u8);

impl AccessPermissions {
    /// These permissions, with reserved bits zero.
    pub fn new(data: DataAccess, instruction: InstructionAccess) -> Self {
        Self(u8::from(data) | u8::from(instruction) << 2)
    }

    /// The access to data; `None` if it is the reserved one.
    pub fn data(self) -> Option<DataAccess> {
        DataAccess::try_from(self.0 & 3).ok()
    }

    /// The access to instructions; `None` if it is the reserved one.
    pub fn instruction(self) -> Option<InstructionAccess> {
        InstructionAccess::try_from(self.0 >> 2 & 3).ok()
    }

    /// The reserved bits that are set.
    pub const fn reserved(self) -> u8 {
        self.0 & 0xf0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_by_the_table() {
        use MemoryType::{Device, Normal, Unspecified};
        let kinds = [
            (0x0, Some(Unspecified)),
            (0xc, Some(Unspecified)),
            (0x10, Some(Device(DeviceKind::NoGatherNoReorderNoEarly))),
            (0x14, Some(Device(DeviceKind::NoGatherNoReorder))),
            (0x18, Some(Device(DeviceKind::NoGather))),
            (0x1c, Some(Device(DeviceKind::Gather))),
            (0x20, None),
            (0x24, Some(Normal(Cacheability::NonCacheable))),
            (0x28, None),
            (0x2c, Some(Normal(Cacheability::WriteBack))),
            (0x30, None),
        ];
        let shareabilities = [
            (0, Some(Shareability::None)),
            (1, None),
            (2, Some(Shareability::Outer)),
            (3, Some(Shareability::Inner)),
        ];
        for (kind, memory_type) in kinds {
            for (low, shareability) in shareabilities {
                for (bit, non_secure) in [(0, false), (0x40, true)] {
                    let attributes = Attributes(kind | low | bit | 0xff00);
                    assert_eq!(attributes.memory_type(), memory_type, "{attributes:x?}");
                    assert_eq!(attributes.shareability(), shareability);
                    assert_eq!(attributes.is_non_secure(), non_secure);
                    assert_eq!(attributes.reserved(), 0xff00);
                    let other = attributes.with_non_secure(!non_secure);
                    assert_eq!(other.0, attributes.0 ^ 0x40);
                    if let (Some(memory_type), Some(shareability)) = (memory_type, shareability) {
                        let made = Attributes::new(memory_type, shareability, non_secure);
                        let meaningless = if memory_type == Unspecified { 0xc } else { 0 };
                        assert_eq!(made.0, (kind & !meaningless) | low | bit);
                    }
                }
            }
        }
        let normal = Normal(Cacheability::WriteBack);
        let made = Attributes::new(normal, Shareability::Inner, false);
        assert_eq!(made, Attributes::NORMAL);
    }

    #[test]
    fn permissions_of_access_by_the_table() {
        for raw in 0..=0xff {
            let permissions = AccessPermissions(raw);
            let data = [
                Some(DataAccess::Unspecified),
                Some(DataAccess::ReadOnly),
                Some(DataAccess::ReadWrite),
                None,
            ][usize::from(raw & 3)];
            let instruction = [
                Some(InstructionAccess::Unspecified),
                Some(InstructionAccess::NotExecutable),
                Some(InstructionAccess::Executable),
                None,
            ][usize::from(raw >> 2 & 3)];
            assert_eq!(permissions.data(), data);
            assert_eq!(permissions.instruction(), instruction);
            assert_eq!(permissions.reserved(), raw & 0xf0);
            if let (Some(data), Some(instruction)) = (data, instruction) {
                assert_eq!(AccessPermissions::new(data, instruction).0, raw & 0xf);
            }
        }
    }
}
