//! Descriptors: bits to meaning and back (Arm ARM D8.3). Tables and addresses look alike in both regimes, leaves do not.

mod el0;

use super::{Attr, Level, Memory, Regime};

/// Bit 0: the descriptor is valid.
const VALID: u64 = 1;
/// Bit 1: a table, or at level 3 a page. Clear for a block.
const TABLE_OR_PAGE: u64 = 1 << 1;
/// MemAttr[3:0], bits 5:2, with HCR_EL2.FWB = 0.
const MEMATTR_SHIFT: u32 = 2;
/// MemAttr: Device-nGnRE.
const MEMATTR_DEVICE: u64 = 0b0001;
/// MemAttr: outer and inner non-cacheable.
const MEMATTR_NON_CACHEABLE: u64 = 0b0101;
/// MemAttr: outer and inner write-back.
const MEMATTR_WRITE_BACK: u64 = 0b1111;
/// S2AP[0]: reads are allowed.
const READ: u64 = 1 << 6;
/// S2AP[1]: writes are allowed.
const WRITE: u64 = 1 << 7;
/// SH: inner shareable.
const INNER_SHAREABLE: u64 = 0b11 << 8;
/// AF: no access flag fault.
const ACCESSED: u64 = 1 << 10;
/// XN[1:0], bits 54:53. 0b10 forbids execution at EL1 and EL0, with FEAT_XNX and without, where only bit 54 counts.
const EXECUTE_NEVER: u64 = 0b10 << 53;
/// Both bits of XN.
const EXECUTE_MASK: u64 = 0b11 << 53;
/// The output address, bits 47:12.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// What an entry of a table is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    /// It leads nowhere.
    Invalid,
    /// It leads nowhere at present: the leaf that it was is kept.
    Parked,
    /// A table of the level below, at this physical address.
    Table(u64),
    /// A block or a page.
    Leaf {
        /// Physical address of its first byte.
        pa: u64,
    },
}

impl Entry {
    /// What `bits` mean at `level`.
    pub(super) const fn decode(bits: u64, level: Level) -> Self {
        let is_page_level = matches!(level, Level::Three);
        match (bits & VALID != 0, bits & TABLE_OR_PAGE != 0) {
            // What links free tables has no such bit.
            (false, _) if bits & ACCESSED != 0 => Self::Parked,
            (false, _) => Self::Invalid,
            (true, true) if !is_page_level => Self::Table(address(bits)),
            // Reserved; the hardware takes it for invalid.
            (true, false) if is_page_level => Self::Invalid,
            (true, _) => Self::Leaf { pa: address(bits) },
        }
    }
}

/// The table that an entry of `level` leads to, and the level of that; None if it leads to none.
pub(super) const fn next(bits: u64, level: Level) -> Option<(u64, Level)> {
    match level.below() {
        Some(below) if bits & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE => {
            Some((address(bits), below))
        }
        _ => None,
    }
}

/// A descriptor of a table at `pa`.
pub(super) const fn table(pa: u64) -> u64 {
    (pa & ADDRESS) | TABLE_OR_PAGE | VALID
}

/// A descriptor of a block or page at `pa`, for a table of `level`.
pub(super) const fn leaf(regime: Regime, pa: u64, attr: Attr, level: Level) -> u64 {
    let bits = match regime {
        Regime::Stage2 => stage2_bits(attr),
        Regime::El0 => el0::bits(attr),
    };
    resize((pa & ADDRESS) | bits | INNER_SHAREABLE | ACCESSED, level)
}

/// A page of the image in the tables of a partition at EL0: to execute or to write, and nothing for EL0.
pub(super) const fn image_page(pa: u64, execute: bool) -> u64 {
    resize(
        (pa & ADDRESS) | el0::image_bits(execute) | INNER_SHAREABLE | ACCESSED,
        Level::Three,
    )
}

/// The same leaf, for a table of `level`.
pub(super) const fn resize(bits: u64, level: Level) -> u64 {
    let kind = match level {
        Level::Three => TABLE_OR_PAGE,
        _ => 0,
    };
    bits & !TABLE_OR_PAGE | kind | VALID
}

/// What is to be done with a leaf of stage 2.
const fn stage2_bits(attr: Attr) -> u64 {
    let memory = match attr.memory {
        Memory::Normal => MEMATTR_WRITE_BACK,
        Memory::NormalNonCacheable => MEMATTR_NON_CACHEABLE,
        Memory::Device => MEMATTR_DEVICE,
    };
    let read = if attr.read { READ } else { 0 };
    let write = if attr.write { WRITE } else { 0 };
    let execute = if attr.execute { 0 } else { EXECUTE_NEVER };
    memory << MEMATTR_SHIFT | read | write | execute
}

/// The same leaf, invalid until it is [`unpark`]ed.
pub(super) const fn park(bits: u64) -> u64 {
    bits & !VALID
}

/// The leaf that was parked.
pub(super) const fn unpark(bits: u64) -> u64 {
    bits | VALID
}

/// The address in a descriptor.
pub(super) const fn address(bits: u64) -> u64 {
    bits & ADDRESS
}

/// The attributes in a leaf that [`leaf`] made.
pub(super) const fn attributes(regime: Regime, bits: u64) -> Attr {
    match regime {
        Regime::Stage2 => stage2_attributes(bits),
        Regime::El0 => el0::attributes(bits),
    }
}

/// The same, of stage 2.
const fn stage2_attributes(bits: u64) -> Attr {
    let memory = match bits >> MEMATTR_SHIFT & 0xf {
        MEMATTR_WRITE_BACK => Memory::Normal,
        MEMATTR_NON_CACHEABLE => Memory::NormalNonCacheable,
        _ => Memory::Device,
    };
    Attr {
        memory,
        read: bits & READ != 0,
        write: bits & WRITE != 0,
        execute: bits & EXECUTE_MASK == 0,
        normal_world: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_ordinary_memory_reads_as_the_manual_says() {
        let bits = leaf(Regime::Stage2, 0x4000_1000, Attr::RW, Level::Three);
        assert_eq!(bits, 0x0040_0000_4000_1000 | 0b111_1111_1111);
        let leaf = |attr, level| leaf(Regime::Stage2, 0, attr, level);
        assert_eq!(leaf(Attr::RX, Level::Two), 0b111_0111_1101);
        assert_eq!(leaf(Attr::DEVICE, Level::Three), 1 << 54 | 0b111_1100_0111);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for memory in [Memory::Normal, Memory::NormalNonCacheable, Memory::Device] {
            for bits in 0..8 {
                let attr = Attr {
                    memory,
                    read: bits & 1 != 0,
                    write: bits & 2 != 0,
                    execute: bits & 4 != 0,
                    normal_world: false,
                };
                for level in [Level::One, Level::Two, Level::Three] {
                    let pa = 0xabc0_0000_0000;
                    let bits = leaf(Regime::Stage2, pa, attr, level);
                    assert_eq!(Entry::decode(bits, level), Entry::Leaf { pa });
                    assert_eq!(attributes(Regime::Stage2, bits), attr);
                    assert_eq!(resize(resize(bits, Level::Three), level), bits);
                    assert_eq!(Entry::decode(park(bits), level), Entry::Parked);
                    assert_eq!(address(park(bits)), pa);
                    assert_eq!(unpark(park(bits)), bits);
                }
            }
        }
        assert_eq!(
            Entry::decode(table(0x5000), Level::One),
            Entry::Table(0x5000)
        );
        assert_eq!(Entry::decode(0x5001, Level::Three), Entry::Invalid);
        assert_eq!(Entry::decode(0x5000, Level::Two), Entry::Invalid);
    }
}
