//! The machine of a proxy in front of a [`World`]: memory is the world's, EL3 is the world's.

use crate::{
    fid,
    label::{Frame, Origin},
    memory,
    vms::{Gp, no_estates},
    world::{Who, World},
};
use core::ops::Range;
use ffa_abi::{EndpointId, Regs};
use proxy_el2::{
    buffers::{MAX_PAGES, Memory, OwnPair, PAGE, Unreachable},
    forward::El3,
    proxy::{Machine, Turn},
    vcpu::{Vcpu, VcpuId, VmIndex},
};

/// The schedule receiver interrupt.
const SCHEDULER: u32 = 8;

/// Where the proxy's own pair is.
pub(super) fn own_pair() -> OwnPair {
    let tx = memory::tx(None) + 0x2_0000;
    OwnPair {
        tx,
        rx: tx + PAGE,
        pages: 1,
    }
}

/// What stands in for a VM's TX.
fn stand_in(vm: VmIndex) -> u64 {
    memory::tx(None) + 0x4_0000 + u64::from(vm.0) * u64::from(MAX_PAGES) * PAGE
}

/// A VM's memory.
pub(super) const fn vm_memory(vm: u16) -> Range<u64> {
    let start = memory::tx(None) + 0x10_0000 + vm as u64 * 0x4_0000;
    start..start + 0x4_0000
}

/// What the proxy has of the machine for good.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// What it has opened of VMs.
    open: Vec<Range<u64>>,
    /// How often the primary has the schedule receiver interrupt.
    pub scheduler: usize,
    /// Other virtual interrupts: VM and vCPU.
    pub raised: Vec<(u16, u16)>,
    /// The first thing that should not have been asked.
    pub wrong: Option<String>,
}

/// The machine during one step.
pub(super) struct Port<'a, 'c> {
    pub turn: Turn,
    pub world: &'a mut World<'c>,
    pub core: usize,
    pub host: &'a mut Host,
    /// Who calls, and with what.
    pub caller: Option<(Origin, Frame)>,
    /// The first violation; everything after it is answered with an error.
    pub failed: Option<String>,
}

impl Port<'_, '_> {
    fn inside(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        let within = |open: &Range<u64>| open.start <= range.start && range.end <= open.end;
        if self.host.open.iter().any(within) {
            return Ok(());
        }
        self.host
            .wrong
            .get_or_insert(format!("{range:x?} of VMs is not open"));
        Err(Unreachable)
    }
}

impl El3 for Port<'_, '_> {
    fn smc(&mut self, regs: &mut Regs) {
        if self.failed.is_none() {
            let mut x = self.world.labels.frame(Origin::Proxy);
            x[..18].copy_from_slice(&regs.0);
            self.world.cores[self.core].behind_proxy = self.caller;
            match self.world.smc(self.core, Origin::Proxy, &x) {
                Ok(landing) if landing.who == Who::Normal => {
                    regs.0
                        .copy_from_slice(&self.world.registers(self.core)[..18]);
                    return;
                }
                Ok(landing) => self.failed = Some(format!("no partition should run: {landing:?}")),
                Err(what) => self.failed = Some(what),
            }
        }
        *regs = Regs::ZERO;
        regs[0] = fid::ERROR.into();
    }
}

impl Memory for Port<'_, '_> {
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable> {
        self.host.open.push(pages);
        Ok(())
    }

    fn close(&mut self, pages: Range<u64>) {
        let mut open = self.host.open.iter();
        match open.position(|window| *window == pages) {
            Some(at) => drop(self.host.open.swap_remove(at)),
            None => {
                let wrong = format!("{pages:x?} is closed and was not open");
                self.host.wrong.get_or_insert(wrong);
            }
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        self.inside(at..at + bytes.len() as u64)?;
        self.world.land.put(at, bytes);
        Ok(())
    }

    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        self.inside(range.clone())?;
        let zeroes = vec![0; (range.end - range.start) as usize];
        self.world.land.put(range.start, &zeroes);
        Ok(())
    }

    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<(), Unreachable> {
        self.inside(at..at + to.len() as u64)?;
        // The VM writes noise there as soon as it was read.
        self.world.land.take(at, to);
        Ok(())
    }

    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable> {
        let at = own_pair().rx + offset as u64;
        to.copy_from_slice(&self.world.land.bytes(at, to.len()));
        Ok(())
    }

    fn write_tx(&mut self, bytes: &[u8]) -> Result<(), Unreachable> {
        self.world.land.put(own_pair().tx, bytes);
        Ok(())
    }

    fn stand_in(&mut self, vm: VmIndex) -> Option<u64> {
        Some(stand_in(vm))
    }

    fn write_stand_in(
        &mut self,
        vm: VmIndex,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Unreachable> {
        if offset + bytes.len() > (u64::from(MAX_PAGES) * PAGE) as usize {
            return Err(Unreachable);
        }
        self.world.land.put(stand_in(vm) + offset as u64, bytes);
        Ok(())
    }
}

no_estates!(Port<'_, '_>);

impl Machine<Gp> for Port<'_, '_> {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn interrupts(&mut self, chain: &[VcpuId]) -> Turn {
        match std::mem::replace(&mut self.turn, Turn::None) {
            Turn::Level(level) if level >= chain.len() => Turn::None,
            turn => turn,
        }
    }

    fn has_interrupt(&mut self, _: VcpuId) -> bool {
        false
    }

    fn timer_ns(&mut self, _: VcpuId) -> Option<u64> {
        None
    }

    fn leave(&mut self, _: &mut Vcpu<Gp>) {}

    fn slice(&mut self, _: bool) {}

    fn raise(&mut self, vcpu: VcpuId, intid: u32) {
        match intid {
            SCHEDULER => self.host.scheduler += 1,
            _ => {
                let who = (u16::from(vcpu.vm.0) + 1, vcpu.vcpu.into());
                self.host.raised.push(who);
            }
        }
    }

    fn kick(&mut self, _: u16) {}

    fn power_on(&mut self, _: u16) -> bool {
        true
    }
}
