//! The machine's part of a vCPU.

use crate::label::Frame;
use proxy_el2::vcpu::Registers;

/// The machine's part of a vCPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gp {
    /// x0-x30 while it is not running.
    pub x: Frame,
    /// SP while it is not resident.
    sp: u64,
}

impl Gp {
    /// A vCPU with these registers that never ran.
    pub const fn new(x: Frame, sp: u64) -> Self {
        Self { x, sp }
    }
}

impl Registers for Gp {
    fn x(&mut self) -> &mut [u64; 31] {
        &mut self.x
    }

    fn start(&mut self, _entry: u64, context: u64) {
        self.x[0] = context;
    }
}

/// There is no memory here.
macro_rules! no_memory {
    ($machine:ty) => {
        impl proxy_el2::buffers::Memory for $machine {
            fn open(
                &mut self,
                _: core::ops::Range<u64>,
            ) -> Result<(), proxy_el2::buffers::Unreachable> {
                Err(proxy_el2::buffers::Unreachable)
            }

            fn close(&mut self, _: core::ops::Range<u64>) {}

            fn write(&mut self, _: u64, _: &[u8]) -> Result<(), proxy_el2::buffers::Unreachable> {
                Err(proxy_el2::buffers::Unreachable)
            }

            fn zero(
                &mut self,
                _: core::ops::Range<u64>,
            ) -> Result<(), proxy_el2::buffers::Unreachable> {
                Err(proxy_el2::buffers::Unreachable)
            }

            fn read_rx(
                &mut self,
                _: usize,
                _: &mut [u8],
            ) -> Result<(), proxy_el2::buffers::Unreachable> {
                Err(proxy_el2::buffers::Unreachable)
            }
        }
    };
}
pub(crate) use no_memory;
