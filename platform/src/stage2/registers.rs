//! Values of the registers that switch stage 2 on (Arm ARM D24.2: VTCR_EL2, VSTCR_EL2, VTTBR_EL2).

use super::IPA_BITS;

/// T0SZ, bits 5:0: the size of the IPA space.
const T0SZ: u64 = 64 - IPA_BITS as u64;
/// SL0, bits 7:6: with a 4 KiB granule, 1 starts the walk at level 1.
const SL0_LEVEL_1: u64 = 1 << 6;
/// IRGN0 and ORGN0, bits 11:8: walks are write-back, write-allocate.
const WALKS_WRITE_BACK: u64 = 0b01 << 8 | 0b01 << 10;
/// SH0, bits 13:12: walks are inner shareable.
const WALKS_INNER_SHAREABLE: u64 = 0b11 << 12;
// TG0, bits 15:14, is 0: 4 KiB granule.
/// PS, bits 18:16: the physical address size.
const PS_SHIFT: u32 = 16;
/// VS: VMIDs have 16 bits.
const VS: u64 = 1 << 19;
/// NSW: the non-secure IPA space's tables lie in non-secure memory. Secure state only.
#[cfg(test)]
const NSW: u64 = 1 << 29;
/// NSA: the non-secure IPA space leads to non-secure memory. Secure state only.
const NSA: u64 = 1 << 30;
/// RES1 in both VTCR_EL2 and VSTCR_EL2.
const RES1: u64 = 1 << 31;

/// What [`vtcr_el2`] depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vtcr {
    /// ID_AA64MMFR0_EL1.PARange, the encoded field. Values beyond 48 bits count as 48. It must stand for 39 bits (the
    /// IPA space) or more, or the hardware faults on every walk; every CPU with EL2 in the secure state has them.
    pub pa_range: u8,
    /// Whether VMIDs have 16 bits (ID_AA64MMFR1_EL1.VMIDBits is 2).
    pub vmid16: bool,
    /// Whether this is for the secure state, where VTTBR_EL2 describes the non-secure IPA space.
    pub secure: bool,
}

/// VTCR_EL2: 39-bit IPA, start level 1, 4 KiB granule, walks in shareable write-back memory.
///
/// In the secure state the non-secure IPA space leads to non-secure memory (NSA = 1), through tables that lie in secure
/// memory (NSW = 0), where the normal world cannot touch them.
#[must_use]
pub const fn vtcr_el2(config: Vtcr) -> u64 {
    // 0b101 is 48 bits; larger needs other descriptors.
    let ps = if config.pa_range > 0b101 {
        0b101
    } else {
        config.pa_range as u64
    };
    T0SZ | SL0_LEVEL_1
        | WALKS_WRITE_BACK
        | WALKS_INNER_SHAREABLE
        | ps << PS_SHIFT
        | if config.vmid16 { VS } else { 0 }
        | if config.secure { NSA } else { 0 }
        | RES1
}

/// VSTCR_EL2: the secure IPA space, 39 bits, start level 1, 4 KiB granule.
///
/// It leads to secure memory (SA = 0) through tables in secure memory (SW = 0). Cacheability and address size come from
/// VTCR_EL2.
#[must_use]
pub const fn vstcr_el2() -> u64 {
    T0SZ | SL0_LEVEL_1 | RES1
}

/// VTTBR_EL2: the VMID, and the root table at `root`; CnP is 0.
#[must_use]
pub const fn vttbr_el2(vmid: u16, root: u64) -> u64 {
    (vmid as u64) << 48 | (root & 0x0000_ffff_ffff_f000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registers_read_as_the_manual_says() {
        let normal = vtcr_el2(Vtcr {
            pa_range: 0b0100,
            vmid16: true,
            secure: false,
        });
        assert_eq!(normal, 0x800c_3559);
        let secure = vtcr_el2(Vtcr {
            pa_range: 0b0110,
            vmid16: false,
            secure: true,
        });
        assert_eq!(secure, 0xc005_3559);
        assert_eq!(secure & NSW, 0);
        assert_eq!(vstcr_el2(), 0x8000_0059);
        assert_eq!(vttbr_el2(0x1234, 0x0e20_0000), 0x1234_0000_0e20_0000);
    }
}
