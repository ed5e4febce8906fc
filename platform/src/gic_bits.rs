//! Where an interrupt has its bit in registers of the GIC that have one for each. Pure.

/// The first INTID that is not private to a core: SPIs begin there.
pub const PRIVATE_INTIDS: u32 = 32;
/// INTIDs from here on mean that there is nothing to take (1020 to 1023).
pub const SPECIAL_INTIDS: u32 = 1020;

/// The second frame of a redistributor, which has the registers of SGIs and PPIs where the distributor has those of SPIs.
const SGI_FRAME: usize = 0x1_0000;

/// Registers with one bit for each interrupt, in which a 0 that is written changes nothing. The value is the first one's
/// offset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum Bits {
    /// GICD_ISENABLER, GICR_ISENABLER0: on.
    SetEnable = 0x100,
    /// GICD_ICENABLER, GICR_ICENABLER0: off.
    ClearEnable = 0x180,
    /// GICD_ICPENDR, GICR_ICPENDR0: not pending.
    ClearPending = 0x280,
    /// GICD_ICACTIVER, GICR_ICACTIVER0: not active.
    ClearActive = 0x380,
}

/// In which frames an interrupt has its bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Frames {
    /// Those of a core's redistributor.
    Redistributor,
    /// The distributor's.
    Distributor,
}

/// Where the interrupt with this INTID has its bit: the frames, the word's offset there, and the bit. `None` if there is
/// no such interrupt.
#[must_use]
pub const fn place(bits: Bits, intid: u32) -> Option<(Frames, usize, u32)> {
    let register = bits as usize;
    let bit = 1 << (intid % 32);
    match intid {
        0..PRIVATE_INTIDS => Some((Frames::Redistributor, SGI_FRAME + register, bit)),
        PRIVATE_INTIDS..SPECIAL_INTIDS => {
            let word = (intid / 32) as usize;
            Some((Frames::Distributor, register + word * 4, bit))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_interrupts_are_the_redistributors() {
        let sgi = place(Bits::SetEnable, 0);
        assert_eq!(sgi, Some((Frames::Redistributor, 0x1_0100, 1)));
        let ppi = place(Bits::ClearActive, 31);
        assert_eq!(ppi, Some((Frames::Redistributor, 0x1_0380, 1 << 31)));
    }

    #[test]
    fn shared_interrupts_are_the_distributors() {
        let first = place(Bits::ClearEnable, 32);
        assert_eq!(first, Some((Frames::Distributor, 0x184, 1)));
        let last = place(Bits::ClearPending, 1019);
        assert_eq!(last, Some((Frames::Distributor, 0x280 + 31 * 4, 1 << 27)));
    }

    #[test]
    fn others_have_none() {
        for intid in [1020, 1023, 1024, 8192, u32::MAX] {
            assert_eq!(place(Bits::SetEnable, intid), None);
        }
    }
}
