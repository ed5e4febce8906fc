//! The machine during one step.

use super::machine::{Gp, Live, no_memory};
use crate::{fid, label::Vectors};
use ffa_abi::{EndpointId, Regs};
use proxy_el2::{
    forward::El3,
    proxy::{Machine, Turn},
    vcpu::{Vcpu, VcpuId},
};

/// What WFI says of the timer.
pub(crate) const TIMER: u64 = 0x1_0000_0007;

/// The machine during one step on a core.
pub(crate) struct Port<'a> {
    /// What a look for interrupts finds.
    pub turn: Turn,
    /// Whether the vCPU that waits for an interrupt has one.
    pub pending: bool,
    pub live: &'a mut Live,
    /// What is live: SP and vector registers.
    pub registers: (u64, Vectors),
    pub looked: bool,
    pub kicked: Vec<u16>,
    pub powered: Vec<u16>,
    pub left: Vec<VcpuId>,
    /// Calls of the proxy's in its own name.
    pub own_calls: usize,
}

no_memory!(Port<'_>);

/// What `FFA_NOTIFICATION_INFO_GET` says if there is nobody to run.
const NO_DATA: i32 = -9;

impl El3 for Port<'_> {
    fn smc(&mut self, regs: &mut Regs) {
        // Whom to run is asked for a VM; nobody here wants cycles.
        let asks = fid::of(regs[0]) & !fid::WIDE == fid::INFO_GET_32;
        self.own_calls += usize::from(!asks);
        *regs = Regs::ZERO;
        regs[0] = fid::ERROR.into();
        if asks {
            regs[2] = u64::from(NO_DATA as u32);
        }
    }
}

impl Machine<Gp> for Port<'_> {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn interrupts(&mut self, chain: &[VcpuId]) -> Turn {
        self.looked = true;
        // What was pending is handled; there is nothing at the next look.
        match std::mem::replace(&mut self.turn, Turn::None) {
            Turn::Level(level) if chain.is_empty() || level >= chain.len() => Turn::None,
            turn => turn,
        }
    }

    fn has_interrupt(&mut self, _: VcpuId) -> bool {
        self.pending
    }

    fn timer_ns(&mut self, _: VcpuId) -> Option<u64> {
        Some(TIMER)
    }

    fn leave(&mut self, vcpu: &mut Vcpu<Gp>) {
        self.live.leave(&self.registers, vcpu);
        self.left.push(vcpu.id());
    }

    fn slice(&mut self, _: bool) {}

    fn raise(&mut self, _: VcpuId, _: u32) {}

    fn kick(&mut self, core: u16) {
        self.kicked.push(core);
    }

    fn power_on(&mut self, core: u16) -> bool {
        self.powered.push(core);
        true
    }
}
