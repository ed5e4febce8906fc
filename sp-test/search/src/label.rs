//! Labels: register values that say whose they are, in each half.

/// x0 to x30.
pub type Frame = [u64; 31];

const LOW: u64 = 5;
const HIGH: u64 = 6;

/// Whose a value is: a context by its number, the normal world on a core, a vCPU or the proxy.
pub type Origin = u8;

/// The normal world itself on this core.
pub const fn normal_world(core: usize) -> Origin {
    0xe0 + core as u8
}

/// The proxy's own registers.
pub const PROXY: Origin = 0xef;

/// The vCPU with this number.
pub const fn vcpu(number: usize) -> Origin {
    0xf0 + number as u8
}

/// The number of the vCPU whose label this is.
pub const fn vcpu_of(origin: Origin) -> Option<usize> {
    match origin {
        0xf0..0xf8 => Some((origin - 0xf0) as usize),
        _ => None,
    }
}

/// The label of a register.
pub const fn label(origin: Origin, register: usize) -> u64 {
    let half = (origin as u64) << 8 | register as u64;
    (HIGH << 28 | half) << 32 | LOW << 28 | half
}

/// All registers labelled.
pub fn frame(origin: Origin) -> Frame {
    std::array::from_fn(|register| label(origin, register))
}

/// x0 to x17 labelled.
pub fn regs(origin: Origin) -> [u64; 18] {
    std::array::from_fn(|register| label(origin, register))
}

const fn half(half: u64, mark: u64) -> Option<Origin> {
    if half >> 28 == mark && half >> 16 & 0xfff == 0 {
        Some((half >> 8) as u8)
    } else {
        None
    }
}

/// Whose label stands in a value, in either half.
pub const fn origin(value: u64) -> Option<Origin> {
    match half(value & 0xffff_ffff, LOW) {
        None => half(value >> 32, HIGH),
        some => some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_tells_its_origin() {
        let value = label(3, 17);
        assert_eq!(origin(value), Some(3));
        assert_eq!(origin(value & 0xffff_ffff), Some(3));
        assert_eq!(origin(value >> 32 << 32), Some(3));
        for plain in [
            0,
            1,
            0x8400_006f,
            0xc400_008d,
            0x8001_0001,
            0xffff_fffa,
            u64::MAX,
        ] {
            assert_eq!(origin(plain), None, "{plain:#x}");
        }
    }
}
