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
