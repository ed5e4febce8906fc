//! What a partition does to a payload: a function only it knows, so that an answer proves that the
//! partition itself saw every register, in its place.
//!
//! For the payload register number `i` (0 for the first register of the payload, x3 or x4) and the
//! partition's secret `s`: `y = rotl(x, 5 + 3 * i) ^ s ^ (i * 0x0123456789abcdef)`, in 64 bits for
//! 64-bit messages; in 32 bits, with the lower halves of both constants, for
//! `FFA_MSG_SEND_DIRECT_REQ_32`.

const STEP: u64 = 0x0123_4567_89ab_cdef;

/// A partition's transformation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transform {
    secret: u64,
}

/// `sp-echo`'s.
pub const ECHO: Transform = Transform {
    secret: 0xe0c0_5ec2_e7a1_b4d3,
};
/// `sp-relay`'s.
pub const RELAY: Transform = Transform {
    secret: 0x2e1a_7b96_53cf_08f4,
};

impl Transform {
    /// The one of the partition with this id, where many are made of one source.
    pub const fn of(id: u16) -> Self {
        // An odd factor keeps different ids different in the lower half as well.
        Self {
            secret: 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(id as u64),
        }
    }

    /// The answer to payload register `index` of a 64-bit message.
    #[inline]
    pub const fn wide(self, index: u32, value: u64) -> u64 {
        value.rotate_left(5 + 3 * index) ^ self.secret ^ STEP.wrapping_mul(index as u64)
    }

    /// The answer to payload register `index` of a 32-bit message; only the lower half of `value`
    /// counts, and the upper half of the answer is zero.
    #[inline]
    pub const fn narrow(self, index: u32, value: u64) -> u64 {
        let step = (STEP as u32).wrapping_mul(index);
        ((value as u32).rotate_left(5 + 3 * index) ^ self.secret as u32 ^ step) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_and_partition_answers_differently() {
        let value = 0x0123_4567_89ab_cdef;
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..14 {
            for transform in [ECHO, RELAY, Transform::of(0x8001), Transform::of(0x8002)] {
                assert!(seen.insert(transform.wide(index, value)));
                assert!(seen.insert(transform.narrow(index, value)));
            }
        }
    }

    #[test]
    fn the_narrow_form_looks_at_the_lower_half_only() {
        for index in 0..5 {
            assert_eq!(
                ECHO.narrow(index, 0xffff_ffff_1234_5678),
                ECHO.narrow(index, 0x1234_5678)
            );
            assert_eq!(ECHO.narrow(index, u64::MAX) >> 32, 0);
        }
    }
}
