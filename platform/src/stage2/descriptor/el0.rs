//! Leaves of stage 1 in the EL2&0 regime, for a partition at EL0. The memory types are those of the image's own map,
//! which has the same MAIR_EL2.

use super::{Attr, Memory};

/// AttrIndx, bits 4:2.
const INDEX_SHIFT: u32 = 2;
/// Index of Device-nGnRE in MAIR_EL2.
const INDEX_DEVICE: u64 = 0;
/// Index of normal write-back memory.
const INDEX_WRITE_BACK: u64 = 1;
/// Index of normal memory without caches.
const INDEX_NON_CACHEABLE: u64 = 2;
/// NS: the physical address is a non-secure one.
const NON_SECURE: u64 = 1 << 5;
/// AP[1]: EL0 may read, and write what can be written.
const EL0: u64 = 1 << 6;
/// AP[2]: nobody may write.
const READ_ONLY: u64 = 1 << 7;
/// nG: cached under the ASID.
const NOT_GLOBAL: u64 = 1 << 11;
/// PXN: EL2 may not execute.
const EL2_EXECUTE_NEVER: u64 = 1 << 53;
/// UXN: EL0 may not execute.
const EL0_EXECUTE_NEVER: u64 = 1 << 54;

/// What is to be done with a leaf.
pub(super) const fn bits(attr: Attr) -> u64 {
    let index = match attr.memory {
        Memory::Normal => INDEX_WRITE_BACK,
        Memory::NormalNonCacheable => INDEX_NON_CACHEABLE,
        Memory::Device => INDEX_DEVICE,
    };
    let normal_world = if attr.normal_world { NON_SECURE } else { 0 };
    let read = if attr.read { EL0 } else { 0 };
    let write = if attr.write { 0 } else { READ_ONLY };
    let execute = if attr.execute { 0 } else { EL0_EXECUTE_NEVER };
    index << INDEX_SHIFT | normal_world | read | write | execute | EL2_EXECUTE_NEVER | NOT_GLOBAL
}

/// The same for a page of the image's: code, or data.
pub(super) const fn image_bits(execute: bool) -> u64 {
    let rights = match execute {
        true => READ_ONLY,
        false => EL2_EXECUTE_NEVER,
    };
    INDEX_WRITE_BACK << INDEX_SHIFT | rights | EL0_EXECUTE_NEVER | NOT_GLOBAL
}

/// The attributes in a leaf of [`bits`]. The image's own can't be read.
pub(super) const fn attributes(bits: u64) -> Attr {
    let memory = match bits >> INDEX_SHIFT & 7 {
        INDEX_WRITE_BACK => Memory::Normal,
        INDEX_NON_CACHEABLE => Memory::NormalNonCacheable,
        _ => Memory::Device,
    };
    let read = bits & EL0 != 0;
    Attr {
        memory,
        read,
        write: bits & READ_ONLY == 0 && read,
        execute: bits & EL0_EXECUTE_NEVER == 0,
        normal_world: bits & NON_SECURE != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Level, Regime};
    use super::super::{Entry, attributes, image_page, leaf, park, resize};
    use super::*;

    #[test]
    fn a_page_of_ordinary_memory_reads_as_the_manual_says() {
        let page = |attr| leaf(Regime::El0, 0x4000_1000, attr, Level::Three);
        // nG, AF, SH, AP[1], index 1, page; PXN, and UXN where nothing is executed.
        assert_eq!(page(Attr::RW), 0x0060_0000_4000_1000 | 0b1111_0100_0111);
        assert_eq!(page(Attr::RO), 0x0060_0000_4000_1000 | 0b1111_1100_0111);
        assert_eq!(page(Attr::RX), 0x0020_0000_4000_1000 | 0b1111_1100_0111);
        assert_eq!(page(Attr::DEVICE), 0x0060_0000_4000_1000 | 0b1111_0100_0011);
        let normal_world = Attr {
            normal_world: true,
            ..Attr::RW
        };
        assert_eq!(page(normal_world), page(Attr::RW) | 1 << 5);
    }

    #[test]
    fn the_images_pages_are_nothing_for_el0() {
        // Code: AP = 0b10, UXN. Data: AP = 0b00, UXN, PXN.
        assert_eq!(image_page(0x5000, true), 0x0040_0000_0000_5f87);
        assert_eq!(image_page(0x5000, false), 0x0060_0000_0000_5f07);
        for execute in [false, true] {
            let attr = attributes(Regime::El0, image_page(0x5000, execute));
            assert!(!attr.read && !attr.write && !attr.execute);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for memory in [Memory::Normal, Memory::NormalNonCacheable, Memory::Device] {
            for bits in 0..8 {
                let attr = Attr {
                    memory,
                    read: true,
                    write: bits & 1 != 0,
                    execute: bits & 2 != 0,
                    normal_world: bits & 4 != 0,
                };
                for level in [Level::One, Level::Two, Level::Three] {
                    let pa = 0xabc0_0000_0000;
                    let bits = leaf(Regime::El0, pa, attr, level);
                    assert_eq!(Entry::decode(bits, level), Entry::Leaf { pa });
                    assert_eq!(attributes(Regime::El0, bits), attr);
                    assert_eq!(Entry::decode(park(bits), level), Entry::Parked);
                    assert_eq!(resize(resize(bits, Level::Three), level), bits);
                }
            }
        }
    }
}
