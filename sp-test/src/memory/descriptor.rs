//! The memory transaction descriptor, written and read a second time, from the specification (DEN0077A, "Memory
//! transaction descriptor"): all three layouts, byte by byte.

use super::block::Block;
use super::list::List;
use crate::abi;

/// How a version lays a descriptor out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of the header.
    pub header: u32,
    /// Bytes of an endpoint memory access descriptor.
    pub access: u32,
}

impl Layout {
    /// That of a version.
    pub const fn of(version: u32) -> Self {
        Self {
            header: if version == abi::V1_0 { 32 } else { 48 },
            access: if version < abi::V1_2 { 16 } else { 32 },
        }
    }

    /// Where the receiver with this number is described, if all is where it usually is.
    pub const fn receiver(&self, number: u32) -> u32 {
        self.header + number * self.access
    }
}

/// A borrower, as a descriptor names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Its id.
    pub endpoint: u16,
    /// Data access in bits 1:0, instruction access in bits 3:2.
    pub permissions: u8,
    /// Flags.
    pub flags: u8,
    /// The implementation defined value, from 1.2 on.
    pub value: [u64; 2],
}

/// A constituent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Its first byte.
    pub base: u64,
    /// Its pages.
    pub pages: u32,
}

/// Permissions.
pub mod permissions {
    /// Data: read.
    pub const RO: u8 = 1;
    /// Data: read and write.
    pub const RW: u8 = 2;
    /// Instructions: none.
    pub const NX: u8 = 1 << 2;
    /// Instructions: fetched.
    pub const X: u8 = 2 << 2;
    /// The two bits of each.
    pub const DATA: u8 = 3;
    /// That.
    pub const INSTRUCTION: u8 = 3 << 2;
}

/// Attributes: normal memory, write-back, inner shareable.
pub const NORMAL: u16 = 0x2f;
/// Attributes: Device-nGnRnE, inner shareable.
pub const DEVICE: u16 = 0x13;
/// Attributes: the normal world's.
pub const NON_SECURE: u16 = 1 << 6;

/// Transaction flags.
pub mod flags {
    /// The pages are zeroed before they are lent, or retrieved.
    pub const ZERO: u32 = 1;
    /// Operations may be interrupted.
    pub const TIME_SLICE: u32 = 1 << 1;
    /// The pages are zeroed when they are given back.
    pub const ZERO_AFTER: u32 = 1 << 2;
    /// The transaction is a share.
    pub const SHARE: u32 = 1 << 3;
    /// … a lend.
    pub const LEND: u32 = 2 << 3;
    /// … a donation.
    pub const DONATE: u32 = 3 << 3;
    /// All three.
    pub const TYPE: u32 = 3 << 3;
    /// The alignment hint is valid.
    pub const HINT: u32 = 1 << 9;
    /// A borrower names itself only.
    pub const BYPASS: u32 = 1 << 10;
}

/// A descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// How it is laid out.
    pub layout: Layout,
    /// The sender.
    pub sender: u16,
    /// Memory attributes.
    pub attributes: u16,
    /// Transaction flags.
    pub flags: u32,
    /// The handle; 0 when sending.
    pub handle: u64,
    /// The tag.
    pub tag: u64,
    /// The receivers.
    pub receivers: List<Access, 9>,
    /// The composite memory region; a retrieve request has none.
    pub region: Option<Region>,
}

/// A composite memory region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Pages in all.
    pub pages: u32,
    /// Constituents in all: those here are the first ones.
    pub count: u32,
    /// The constituents.
    pub ranges: List<Range, 12>,
}

impl Region {
    /// A region of these constituents.
    pub fn of(ranges: &[Range]) -> Self {
        Self {
            pages: ranges.iter().map(|range| range.pages).sum(),
            count: ranges.len() as u32,
            ranges: List::of(ranges.iter().copied()),
        }
    }
}

impl Form {
    /// Where the composite memory region is.
    pub fn region_offset(&self) -> u32 {
        self.layout.receiver(self.receivers_len())
    }

    fn receivers_len(&self) -> u32 {
        self.receivers.len() as u32
    }

    /// Where the constituents are.
    pub fn ranges_offset(&self) -> u32 {
        self.region_offset() + 16
    }

    /// Bytes of all of it.
    pub fn total(&self) -> u32 {
        match self.region {
            None => self.region_offset(),
            Some(region) => self.ranges_offset() + 16 * region.count,
        }
    }

    /// The bytes, with the constituents that are there.
    pub fn write(&self) -> Block {
        let mut block = Block::new();
        block.put(0, 2, self.sender.into());
        match self.layout.header {
            32 => block.put(2, 1, u64::from(self.attributes) & 0xff),
            _ => block.put(2, 2, self.attributes.into()),
        }
        block.put(4, 4, self.flags.into());
        block.put(8, 8, self.handle);
        block.put(16, 8, self.tag);
        block.put(28, 4, self.receivers_len().into());
        if self.layout.header != 32 {
            block.put(24, 4, self.layout.access.into());
            block.put(32, 4, self.layout.header.into());
        }
        for (number, access) in (0..).zip(self.receivers.iter()) {
            let at = self.layout.receiver(number);
            block.put(at, 2, access.endpoint.into());
            block.put(at + 2, 1, access.permissions.into());
            block.put(at + 3, 1, access.flags.into());
            if self.region.is_some() {
                block.put(at + 4, 4, self.region_offset().into());
            }
            if self.layout.access == 32 {
                block.put(at + 8, 8, access.value[0]);
                block.put(at + 16, 8, access.value[1]);
            }
        }
        block.length = self.region_offset();
        if let Some(region) = &self.region {
            let at = self.region_offset();
            block.put(at, 4, region.pages.into());
            block.put(at + 4, 4, region.count.into());
            for (number, range) in (0..).zip(region.ranges.iter()) {
                let at = self.ranges_offset() + 16 * number;
                block.put(at, 8, range.base);
                block.put(at + 8, 4, range.pages.into());
            }
            block.length = self.ranges_offset() + 16 * region.ranges.len() as u32;
        }
        block
    }

    /// What stands in the first bytes of a response with this layout: its region has the first constituents. `None`:
    /// something is not where it must be, or not zero that must be.
    pub fn read(layout: Layout, block: &Block) -> Option<Self> {
        let count = block.get(28, 4) as u32;
        let old = layout.header == 32;
        let usual = match old {
            true => block.get(24, 4) == 0 && block.get(3, 1) == 0,
            false => {
                block.get(24, 4) == layout.access.into()
                    && block.get(32, 4) == layout.header.into()
                    && [36, 40, 44].iter().all(|at| block.get(*at, 4) == 0)
            }
        };
        if !usual || count > 9 {
            return None;
        }
        let mut form = Self {
            layout,
            sender: block.get(0, 2) as u16,
            attributes: block.get(2, if old { 1 } else { 2 }) as u16,
            flags: block.get(4, 4) as u32,
            handle: block.get(8, 8),
            tag: block.get(16, 8),
            receivers: List::new(),
            region: None,
        };
        for number in 0..count {
            let at = layout.receiver(number);
            let wide = layout.access == 32;
            let reserved = if wide { at + 24 } else { at + 8 };
            let place = layout.receiver(count);
            if block.get(reserved, 8) != 0 || block.get(at + 4, 4) != place.into() {
                return None;
            }
            form.receivers.push(Access {
                endpoint: block.get(at, 2) as u16,
                permissions: block.get(at + 2, 1) as u8,
                flags: block.get(at + 3, 1) as u8,
                value: match wide {
                    true => [block.get(at + 8, 8), block.get(at + 16, 8)],
                    false => [0; 2],
                },
            });
        }
        let at = form.region_offset();
        if block.get(at + 8, 8) != 0 {
            return None;
        }
        let mut region = Region {
            pages: block.get(at, 4) as u32,
            count: block.get(at + 4, 4) as u32,
            ranges: List::new(),
        };
        for number in 0..region.count.min(12) {
            let at = form.ranges_offset() + 16 * number;
            if at + 16 > block.length {
                break;
            }
            if block.get(at + 12, 4) != 0 {
                return None;
            }
            region.ranges.push(Range {
                base: block.get(at, 8),
                pages: block.get(at + 8, 4) as u32,
            });
        }
        form.region = Some(region);
        Some(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(version: u32) -> Form {
        Form {
            layout: Layout::of(version),
            sender: 0x8004,
            attributes: NORMAL,
            flags: flags::ZERO,
            handle: 0,
            tag: 0x1122_3344_5566_7788,
            receivers: List::of([
                Access {
                    endpoint: 0x8005,
                    permissions: permissions::RW,
                    flags: 0,
                    value: if version < abi::V1_2 { [0; 2] } else { [7, 9] },
                },
                Access {
                    endpoint: 0x8006,
                    permissions: permissions::RO,
                    ..Access::default()
                },
            ]),
            region: Some(Region::of(&[
                Range {
                    base: 0x1000,
                    pages: 2,
                },
                Range {
                    base: 0x8000,
                    pages: 1,
                },
            ])),
        }
    }

    #[test]
    fn a_descriptor_of_1_0_has_a_short_header() {
        let block = form(abi::V1_0).write();
        assert_eq!(block.length, 32 + 2 * 16 + 16 + 2 * 16);
        assert_eq!(block.words()[0], 0x0000_0001_002f_8004);
        assert_eq!(block.words()[2], 0x1122_3344_5566_7788);
        assert_eq!(block.words()[3], 2 << 32);
        assert_eq!(block.words()[4], 64 << 32 | 2 << 16 | 0x8005);
        assert_eq!(block.words()[8], 2 << 32 | 3);
        assert_eq!(block.words()[10], 0x1000);
        assert_eq!(block.words()[11], 2);
    }

    #[test]
    fn a_descriptor_of_1_2_has_a_value_for_each_receiver() {
        let block = form(abi::V1_2).write();
        assert_eq!(block.length, 48 + 2 * 32 + 16 + 2 * 16);
        assert_eq!(block.words()[3], 2 << 32 | 32);
        assert_eq!(block.words()[4], 48);
        assert_eq!(block.words()[6], 112 << 32 | 2 << 16 | 0x8005);
        assert_eq!(&block.words()[7..10], &[7, 9, 0]);
    }

    #[test]
    fn what_was_written_is_read() {
        for version in [abi::V1_0, abi::V1_1, abi::V1_2, abi::V1_3] {
            let form = form(version);
            assert_eq!(Form::read(form.layout, &form.write()), Some(form));
        }
        let mut block = form(abi::V1_1).write();
        block.put(36, 4, 1);
        assert_eq!(Form::read(Layout::of(abi::V1_1), &block), None);
    }

    #[test]
    fn a_retrieve_request_has_no_region() {
        let form = Form {
            region: None,
            ..form(abi::V1_1)
        };
        let block = form.write();
        assert_eq!(block.length, 48 + 2 * 16);
        assert_eq!(block.get(52, 4), 0);
        assert_eq!(form.total(), block.length);
    }
}
