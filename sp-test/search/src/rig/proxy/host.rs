//! The machine as the proxy sees it during an event.

use super::{General, TIMER};
use crate::{
    events::{Event, Whose},
    rig::{self, interrupts::Chip, memory::stand_in},
};
use core::ops::Range;
use ffa_abi::{
    EndpointId, FfaError, Regs,
    sharing::{Estates, Party, Pieces, View as Access},
};
use proxy_el2::{
    buffers::{Memory, Unreachable},
    forward::El3,
    proxy::{Machine, Turn},
    vcpu::{Vcpu, VcpuId, VmIndex},
};
use spmc::spm::{Next, Pe, Spmc};

/// What the machine shows and is asked for during an event.
#[derive(Debug)]
pub(super) struct Seen {
    /// What a look for interrupts finds.
    pub(super) turn: Turn,
    pub(super) looked: bool,
    pub(super) pending: bool,
    pub(super) kicked: Vec<u16>,
    pub(super) powered: Vec<u16>,
    pub(super) left: Vec<VcpuId>,
    pub(super) own_calls: usize,
    /// Virtual interrupts that were raised: for whom, and which.
    pub(super) raised: Vec<(VcpuId, u32)>,
}

/// The machine during an event, and the SPMC behind EL3.
pub(super) struct Host<'r> {
    pub(super) seen: &'r mut Seen,
    pub(super) spmc: &'r Spmc<'static, rig::General>,
    pub(super) pe: &'r mut Pe<'static, rig::General>,
    pub(super) chip: &'r mut Chip,
    pub(super) general: bool,
    /// Whether the proxy asks the SPMC in its own name.
    pub(super) asks: bool,
}

impl Seen {
    pub(super) fn of(event: Event, on_top: usize) -> Self {
        Self {
            turn: match event {
                Event::Interrupt(Whose::Level(level)) => Turn::Level(usize::from(level)),
                Event::Interrupt(Whose::Proxy) => Turn::Nobody,
                Event::Interrupt(Whose::Nobody) => Turn::None,
                // A partition ended with FFA_INTERRUPT, and there was none.
                _ => Turn::Level(on_top),
            },
            looked: false,
            pending: event == Event::Wfi(true),
            kicked: Vec::new(),
            powered: Vec::new(),
            left: Vec::new(),
            own_calls: 0,
            raised: Vec::new(),
        }
    }
}

impl Host<'_> {
    fn bytes(&mut self, at: u64, length: usize) -> Result<&mut [u8], Unreachable> {
        self.chip.memory.bytes(at, length).ok_or(Unreachable)
    }
}

/// Buffers, and no other memory.
impl Memory for Host<'_> {
    fn open(&mut self, _: Range<u64>) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn close(&mut self, _: Range<u64>) {}

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        self.bytes(at, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        if range.start < range.end {
            self.bytes(range.start, (range.end - range.start) as usize)?
                .fill(0);
        }
        Ok(())
    }

    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<(), Unreachable> {
        to.copy_from_slice(self.bytes(at, to.len())?);
        Ok(())
    }

    fn read_rx(&mut self, _: usize, _: &mut [u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn write_tx(&mut self, _: &[u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn stand_in(&mut self, vm: VmIndex) -> Option<u64> {
        Some(stand_in(vm.0))
    }

    fn write_stand_in(
        &mut self,
        vm: VmIndex,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Unreachable> {
        self.write(stand_in(vm.0) + offset as u64, bytes)
    }
}

/// None changes hands.
impl Estates for Host<'_> {
    fn grant(&mut self, _: Party, _: Pieces<'_>, _: Access) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    fn revoke(&mut self, _: Party, _: Pieces<'_>, _: Access) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    fn hide(&mut self, _: Party, _: Pieces<'_>, _: bool) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    fn show(&mut self, _: Party, _: Pieces<'_>, _: bool) {}

    fn give_up(&mut self, _: Party, _: Pieces<'_>, _: bool) {}

    fn zero(&mut self, _: Pieces<'_>, _: bool) {}
}

impl El3 for Host<'_> {
    fn smc(&mut self, regs: &mut Regs) {
        if !self.asks {
            self.seen.own_calls += 1;
            *regs = Regs::ZERO;
            return;
        }
        let own = core::mem::replace(&mut self.pe.nwd, *regs);
        let outcome = match self.general {
            true => self.spmc.handle_normal_world_general(self.pe, self.chip),
            false => self.spmc.handle_normal_world(self.pe, self.chip),
        };
        *regs = core::mem::replace(&mut self.pe.nwd, own);
        if outcome.next != Next::NormalWorld || outcome.left.is_some() {
            self.chip.wrong = Some(format!("the proxy asks, and {outcome:?} comes of it"));
        }
    }
}

impl Machine<General> for Host<'_> {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn interrupts(&mut self, _: &[VcpuId]) -> Turn {
        self.seen.looked = true;
        self.seen.turn
    }

    fn has_interrupt(&mut self, _: VcpuId) -> bool {
        self.seen.pending
    }

    fn timer_ns(&mut self, _: VcpuId) -> Option<u64> {
        Some(TIMER)
    }

    fn leave(&mut self, vcpu: &mut Vcpu<General>) {
        self.seen.left.push(vcpu.id());
    }

    fn slice(&mut self, _: bool) {}

    fn raise(&mut self, vcpu: VcpuId, intid: u32) {
        self.seen.raised.push((vcpu, intid));
    }

    fn kick(&mut self, core: u16) {
        self.seen.kicked.push(core);
    }

    fn power_on(&mut self, core: u16) -> bool {
        self.seen.powered.push(core);
        true
    }
}
