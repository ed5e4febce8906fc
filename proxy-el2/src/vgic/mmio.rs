//! A load or store that stage 2 stopped, as ESR_EL2 describes it.
//!
//! Arm ARM, ESR_ELx for exceptions from a data abort.

/// A load or store of one general purpose register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MmioAccess {
    /// A store.
    pub write: bool,
    /// Bytes: 1, 2, 4 or 8.
    pub size: u8,
    /// The register: 0 to 30; 31 is the zero register.
    pub register: u8,
    /// A load extends the sign.
    pub sign_extend: bool,
    /// The register is Xn, not Wn.
    pub wide: bool,
}

/// Reads ESR_EL2 of a data abort from a lower exception level. None if it is something else, does not describe the
/// access (a pair, an update of the address, cache maintenance, a walk of stage 1), or is not about memory that is not
/// mapped: of others HPFAR_EL2 may say nothing.
#[must_use]
pub const fn decode(esr: u64) -> Option<MmioAccess> {
    const DATA_ABORT_LOWER: u64 = 0x24;
    const SYNDROME_VALID: u64 = 1 << 24;
    const CACHE_MAINTENANCE: u64 = 1 << 8;
    const STAGE_1_WALK: u64 = 1 << 7;
    // DFSC: translation faults at levels 0 to 3. With a permission fault HPFAR_EL2 is what it was before.
    let stopped = matches!(esr & 0x3f, 4..=7);
    if esr >> 26 & 0x3f != DATA_ABORT_LOWER
        || esr & SYNDROME_VALID == 0
        || esr & (CACHE_MAINTENANCE | STAGE_1_WALK) != 0
        || !stopped
    {
        return None;
    }
    let [_, _, _, _, _, fields, _, _] = esr.to_be_bytes();
    Some(MmioAccess {
        write: esr & 1 << 6 != 0,
        size: 1 << (fields >> 6),
        register: fields & 0x1f,
        sign_extend: fields & 1 << 5 != 0,
        wide: esr & 1 << 15 != 0,
    })
}

impl MmioAccess {
    /// What a store writes, from the guest's x0 to x30.
    #[must_use]
    pub fn value(&self, x: &[u64; 31]) -> u64 {
        let value = x.get(usize::from(self.register)).copied().unwrap_or(0);
        value & self.mask()
    }

    /// Completes a load with what was read.
    pub fn complete(&self, x: &mut [u64; 31], read: u64) {
        if let Some(register) = x.get_mut(usize::from(self.register)) {
            *register = self.extend(read);
        }
    }

    /// What the register of a load holds after `read` was read.
    #[must_use]
    pub const fn extend(&self, read: u64) -> u64 {
        let read = read & self.mask();
        let sign = 1 << (8 * self.size as u32 - 1);
        if !self.sign_extend || read & sign == 0 {
            return read;
        }
        let extended = read | !self.mask();
        if self.wide {
            extended
        } else {
            extended & 0xffff_ffff
        }
    }

    /// The bits that cross.
    const fn mask(&self) -> u64 {
        u64::MAX >> (64 - 8 * self.size as u32)
    }
}
