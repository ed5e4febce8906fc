//! The registers that a call or its completion may carry.

use core::ops::{Index, IndexMut};

/// x0 to x17 of one side of a call.
///
/// x18 to x30 never take part in FF-A; they stay where the endpoint's context is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Regs(pub [u64; 18]);

impl Regs {
    /// All zero.
    pub const ZERO: Self = Self([0; 18]);

    /// x0 to x7 given, x8 to x17 zero.
    pub const fn eight(x: [u64; 8]) -> Self {
        let mut regs = Self::ZERO;
        let mut i = 0;
        while i < 8 {
            regs.0[i] = x[i];
            i += 1;
        }
        regs
    }

    /// x0 to x17 of an endpoint whose general registers are `x`.
    ///
    /// Written out, since a copy by loop or slice becomes a call of memcpy on targets without vector
    /// registers.
    #[inline(always)]
    pub const fn of(x: &[u64; 31]) -> Self {
        Self([
            x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11], x[12], x[13],
            x[14], x[15], x[16], x[17],
        ])
    }

    /// The lower half of register `N`.
    #[inline(always)]
    pub const fn w<const N: usize>(&self) -> u32 {
        const { assert!(N < 18) };
        self.0[N] as u32
    }

    /// Register `N`.
    #[inline(always)]
    pub const fn x<const N: usize>(&self) -> u64 {
        const { assert!(N < 18) };
        self.0[N]
    }
}

/// Copies registers `$n…` in pairs, each value through `$mask`: a loop would become a call of
/// memcpy, and one register at a time does not become one instruction for two.
#[macro_export]
macro_rules! copy_registers {
    ($to:expr, $from:expr, $mask:expr, $($n:literal $m:literal),*) => {$(
        let pair = ($from[$n] & $mask, $from[$m] & $mask);
        $to[$n] = pair.0;
        $to[$m] = pair.1;
    )*};
}

/// One value from two words, low and high.
#[inline(always)]
pub const fn join(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// Two words of one value, low and high.
#[inline(always)]
pub(crate) const fn split(value: u64) -> (u32, u32) {
    (value as u32, (value >> 32) as u32)
}

impl Default for Regs {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Index<usize> for Regs {
    type Output = u64;
    #[inline(always)]
    fn index(&self, index: usize) -> &u64 {
        &self.0[index]
    }
}

impl IndexMut<usize> for Regs {
    #[inline(always)]
    fn index_mut(&mut self, index: usize) -> &mut u64 {
        &mut self.0[index]
    }
}
