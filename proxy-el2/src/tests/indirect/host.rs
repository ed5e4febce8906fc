//! The machine of these tests: memory of VMs, their virtual interrupts, and an SPMC.

use super::spmc::Spmc;
use crate::{
    buffers::{Memory, Unreachable},
    forward::El3,
    proxy::{Machine, Turn},
    tests::fixture::Gp,
    vcpu::{Vcpu, VcpuId, VmIndex},
};
use core::ops::Range;
use ffa_abi::{EndpointId, Regs};
use std::collections::BTreeMap;

/// What stands in for a VM's TX.
pub(in super::super) const fn stand_in(vm: u16) -> u64 {
    0x6000_0000 + vm as u64 * 0x4000
}

pub(in super::super) struct Host {
    pub spmc: Spmc,
    pub memory: BTreeMap<u64, Box<[u8; 4096]>>,
    pub open: Vec<Range<u64>>,
    /// How many windows there are tables for.
    pub tables: usize,
    /// The proxy's own TX, and what stands in for those of VMs.
    pub tx: Vec<u8>,
    pub stand_ins: Vec<Vec<u8>>,
    /// Virtual interrupts.
    pub raised: Vec<(VcpuId, u32)>,
    /// Reads of VMs' memory: where, and how many bytes.
    pub reads: Vec<(u64, usize)>,
    /// What every read changes, after it: the hostile VM on another core.
    pub rewrites: Option<fn(&mut [u8])>,
}

impl Host {
    pub fn page(&mut self, address: u64) -> &mut [u8; 4096] {
        let page = self.memory.entry(address & !0xfff);
        page.or_insert_with(|| Box::new([0x5a; 4096]))
    }

    fn bytes(&mut self, range: Range<u64>, mut each: impl FnMut(usize, &mut [u8])) {
        let inside = |window: &Range<u64>| window.start <= range.start && range.end <= window.end;
        assert!(self.open.iter().any(inside), "{range:x?} is not open");
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min((at | 0xfff) + 1);
            let start = (at & 0xfff) as usize;
            let part = &mut self.page(at)[start..start + (end - at) as usize];
            each((at - range.start) as usize, part);
            at = end;
        }
    }
}

impl El3 for Host {
    fn smc(&mut self, regs: &mut Regs) {
        self.spmc.call(regs, &self.tx, &self.stand_ins);
        self.tx.fill(0xee);
    }
}

impl Memory for Host {
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable> {
        if self.open.len() == self.tables {
            return Err(Unreachable);
        }
        self.open.push(pages);
        Ok(())
    }

    fn close(&mut self, pages: Range<u64>) {
        let at = self.open.iter().position(|window| *window == pages);
        self.open.remove(at.expect("closed, but never opened"));
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        let range = at..at + bytes.len() as u64;
        self.bytes(range, |start, to| {
            to.copy_from_slice(&bytes[start..start + to.len()]);
        });
        Ok(())
    }

    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        self.bytes(range, |_, to| to.fill(0));
        Ok(())
    }

    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<(), Unreachable> {
        self.reads.push((at, to.len()));
        let rewrites = self.rewrites;
        self.bytes(at..at + to.len() as u64, |start, from| {
            to[start..start + from.len()].copy_from_slice(from);
            if let Some(rewrites) = rewrites {
                rewrites(from);
            }
        });
        Ok(())
    }

    fn read_rx(&mut self, _: usize, _: &mut [u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn write_tx(&mut self, bytes: &[u8]) -> Result<(), Unreachable> {
        let to = self.tx.get_mut(..bytes.len()).ok_or(Unreachable)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    fn stand_in(&mut self, vm: VmIndex) -> Option<u64> {
        Some(stand_in(u16::from(vm.0) + 1))
    }

    fn write_stand_in(
        &mut self,
        vm: VmIndex,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Unreachable> {
        let to = &mut self.stand_ins[usize::from(vm.0)];
        let to = to.get_mut(offset..offset + bytes.len());
        to.ok_or(Unreachable)?.copy_from_slice(bytes);
        Ok(())
    }
}

crate::tests::spmc::no_estates!(Host);

impl Machine<Gp> for Host {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn interrupts(&mut self, _: &[VcpuId]) -> Turn {
        Turn::Nobody
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
        self.raised.push((vcpu, intid));
    }

    fn kick(&mut self, _: u16) {}

    fn power_on(&mut self, _: u16) -> bool {
        true
    }
}
