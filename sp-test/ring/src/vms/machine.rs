//! The machine's part of vCPUs: who has which registers where.
//!
//! As the image does it: SP stands for EL1's state, which is loaded before a vCPU runs; vector
//! registers are loaded at its first use of them. What is *live* is the normal world's in the
//! [`World`], so that what the SPMC does to it is seen too.

use crate::{
    label::{Frame, Vectors},
    machine::Exit,
    world::World,
};
use proxy_el2::{
    proxy::Pe,
    vcpu::{Registers, Vcpu, VcpuId},
};

/// The machine's part of a vCPU, and what the vCPU itself knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gp {
    /// x0-x30 while it is not running.
    pub x: Frame,
    /// SP while it is not live.
    sp: u64,
    /// V0-V31, FPCR and FPSR while they are not live.
    vectors: Vectors,
    /// What it held when it was last running.
    pub sent: Frame,
    /// How it stopped running.
    pub exit: Exit,
    /// Its SP as it knows it.
    pub own_sp: u64,
    /// Its vector registers as it knows them.
    pub own_vectors: Vectors,
}

impl Gp {
    /// A vCPU with these registers that never ran.
    pub fn new(x: Frame, sp: u64) -> Self {
        Self {
            x,
            sp,
            vectors: Vectors::ZERO,
            sent: x,
            exit: Exit::New,
            own_sp: sp,
            own_vectors: Vectors::ZERO,
        }
    }
}

impl Registers for Gp {
    fn x(&mut self) -> &mut [u64; 31] {
        &mut self.x
    }

    fn start(&mut self, _entry: u64, context: u64) {
        let mut x = [0; 31];
        x[0] = context;
        *self = Self::new(x, 0);
    }
}

/// Whose registers are live on a core.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Live {
    sp: Option<VcpuId>,
    vectors: Option<VcpuId>,
}

impl Live {
    /// A vCPU is going to run: EL1's state is its own.
    pub fn enter(&mut self, world: &mut World<'_>, pe: &mut Pe<'_, Gp>, core: usize, id: VcpuId) {
        if self.sp == Some(id) {
            return;
        }
        let (sp, _) = world.normal_live(core);
        if let Some(before) = self.sp.and_then(|before| pe.get(before)) {
            before.machine.sp = sp;
        }
        if let Some(vcpu) = pe.get(id) {
            world.set_normal_sp(core, vcpu.machine.sp);
        }
        self.sp = Some(id);
    }

    /// A vCPU uses a vector register.
    pub fn use_vectors(
        &mut self,
        world: &mut World<'_>,
        pe: &mut Pe<'_, Gp>,
        core: usize,
        id: VcpuId,
    ) {
        if self.vectors == Some(id) {
            return;
        }
        let (_, live) = world.normal_live(core);
        if let Some(before) = self.vectors.and_then(|before| pe.get(before)) {
            before.machine.vectors.clone_from(live);
        }
        if let Some(vcpu) = pe.get(id) {
            world.set_normal_vectors(core, &vcpu.machine.vectors);
        }
        self.vectors = Some(id);
    }

    /// A vCPU leaves the core, on which this is live: all of it goes to memory.
    pub fn leave(&mut self, live: &(u64, Vectors), vcpu: &mut Vcpu<Gp>) {
        let id = Some(vcpu.id());
        if self.sp == id {
            vcpu.machine.sp = live.0;
            self.sp = None;
        }
        if self.vectors == id {
            vcpu.machine.vectors.clone_from(&live.1);
            self.vectors = None;
        }
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

            fn read(
                &mut self,
                _: u64,
                _: &mut [u8],
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

            fn write_tx(&mut self, _: &[u8]) -> Result<(), proxy_el2::buffers::Unreachable> {
                Err(proxy_el2::buffers::Unreachable)
            }
        }

        crate::vms::no_estates!($machine);
    };
}
pub(crate) use no_memory;

/// No memory changes hands.
macro_rules! no_estates {
    ($machine:ty) => {
        impl ffa_abi::sharing::Estates for $machine {
            fn grant(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: ffa_abi::sharing::View,
            ) -> Result<(), ffa_abi::FfaError> {
                Err(ffa_abi::FfaError::NoMemory)
            }

            fn revoke(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: ffa_abi::sharing::View,
            ) -> Result<(), ffa_abi::FfaError> {
                Err(ffa_abi::FfaError::NoMemory)
            }

            fn hide(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: bool,
            ) -> Result<(), ffa_abi::FfaError> {
                Err(ffa_abi::FfaError::NoMemory)
            }

            fn show(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: bool,
            ) {
            }

            fn give_up(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: bool,
            ) {
            }

            fn zero(&mut self, _: ffa_abi::sharing::Pieces<'_>, _: bool) {}
        }
    };
}
pub(crate) use no_estates;
