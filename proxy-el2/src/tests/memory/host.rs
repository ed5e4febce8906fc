//! The machine of these tests: memory of VMs, what their stage 2 shows them, and an SPMC.

use super::{super::fixture::Gp, spmc::Spmc};
use crate::{
    buffers::{Memory, Unreachable},
    forward::El3,
    proxy::{Machine, Turn},
    vcpu::{Vcpu, VcpuId},
};
use core::ops::Range;
use ffa_abi::{
    EndpointId, FfaError, Regs,
    sharing::{Estates, Party, Pieces, View},
};
use std::collections::BTreeMap;

/// VMs of these tests, from 1 on.
pub(super) const VMS: u16 = 3;
/// Pages of each.
pub(super) const PAGES: u64 = 2048;

/// The address of a page of a VM's.
pub(super) const fn page(vm: u16, number: u64) -> u64 {
    0x4000_0000 * vm as u64 + number * 0x1000
}

/// What a VM sees at a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its own memory.
    Own,
    /// A borrower's view.
    Granted(View),
    /// Nothing, but its own memory is behind it.
    Hidden,
}

pub(super) struct Host {
    pub spmc: Spmc,
    /// What is in a page that was ever written.
    pub memory: BTreeMap<u64, Box<[u8; 4096]>>,
    pub open: Vec<Range<u64>>,
    /// The proxy's own TX.
    pub tx: Vec<u8>,
    /// By party: what is not as it was at first.
    pub seen: Vec<BTreeMap<u64, Option<Seen>>>,
    /// How many changes of stage 2 there are tables for; then NO_MEMORY.
    pub tables: usize,
    /// Reads of VMs' memory: where, and how many bytes.
    pub reads: Vec<(u64, usize)>,
    /// What every read changes, after it: the hostile VM on another core.
    pub rewrites: Option<fn(&mut [u8])>,
    pub turn: Turn,
}

impl Host {
    pub fn new(spmc: Spmc, tx: usize) -> Self {
        Self {
            spmc,
            memory: BTreeMap::new(),
            open: Vec::new(),
            tx: vec![0xee; tx],
            seen: vec![BTreeMap::new(); usize::from(VMS) + 1],
            tables: usize::MAX,
            reads: Vec::new(),
            rewrites: None,
            turn: Turn::None,
        }
    }

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

    /// A change of stage 2 that needs tables.
    fn needs_table(&mut self, who: Party) -> Result<(), FfaError> {
        if who == Party::OTHER_WORLD {
            return Ok(());
        }
        match self.tables.checked_sub(1) {
            Some(left) => {
                self.tables = left;
                Ok(())
            }
            None => Err(FfaError::NoMemory),
        }
    }

    fn change(
        &mut self,
        who: Party,
        pieces: Pieces<'_>,
        change: impl Fn(Option<Seen>) -> Option<Seen>,
    ) {
        if who == Party::OTHER_WORLD {
            return;
        }
        for pages in pieces {
            for number in 0..pages.count {
                let address = pages.base + number * 0x1000;
                let now = change(self.seen(who.0.into(), address));
                let seen = &mut self.seen[who.index()];
                match now == at_first(who.0.into(), address) {
                    true => drop(seen.remove(&address)),
                    false => drop(seen.insert(address, now)),
                }
            }
        }
    }

    /// What a VM sees at a page.
    pub fn seen(&self, vm: u16, page: u64) -> Option<Seen> {
        let changed = self.seen[usize::from(vm)].get(&page);
        changed.copied().unwrap_or(at_first(vm, page))
    }
}

/// What a VM sees at first.
fn at_first(vm: u16, address: u64) -> Option<Seen> {
    (page(vm, 0)..page(vm, PAGES))
        .contains(&address)
        .then_some(Seen::Own)
}

impl El3 for Host {
    fn smc(&mut self, regs: &mut Regs) {
        self.spmc.call(regs, &self.tx);
        self.tx.fill(0xee);
    }
}

impl Memory for Host {
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable> {
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
}

impl Estates for Host {
    fn grant(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError> {
        self.needs_table(who)?;
        self.change(who, pieces, |before| {
            assert_eq!(before, None, "granted over something");
            Some(Seen::Granted(view))
        });
        Ok(())
    }

    fn revoke(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError> {
        self.needs_table(who)?;
        self.change(who, pieces, |before| {
            assert_eq!(before, Some(Seen::Granted(view)));
            None
        });
        Ok(())
    }

    fn hide(&mut self, who: Party, pieces: Pieces<'_>, _: bool) -> Result<(), FfaError> {
        self.needs_table(who)?;
        self.change(who, pieces, |before| {
            // What was donated to it is granted.
            assert!(matches!(before, Some(Seen::Own | Seen::Granted(_))));
            Some(Seen::Hidden)
        });
        Ok(())
    }

    fn show(&mut self, who: Party, pieces: Pieces<'_>, _: bool) {
        self.change(who, pieces, |before| {
            assert_eq!(before, Some(Seen::Hidden));
            Some(Seen::Own)
        });
    }

    fn give_up(&mut self, who: Party, pieces: Pieces<'_>, _: bool) {
        self.change(who, pieces, |before| {
            assert_eq!(before, Some(Seen::Hidden));
            None
        });
    }

    fn zero(&mut self, pieces: Pieces<'_>, _: bool) {
        for pages in pieces {
            for number in 0..pages.count {
                self.page(pages.base + number * 0x1000).fill(0);
            }
        }
    }
}

impl Machine<Gp> for Host {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn interrupts(&mut self, _: &[VcpuId]) -> Turn {
        core::mem::replace(&mut self.turn, Turn::None)
    }

    fn has_interrupt(&mut self, _: VcpuId) -> bool {
        false
    }

    fn timer_ns(&mut self, _: VcpuId) -> Option<u64> {
        None
    }

    fn leave(&mut self, _: &mut Vcpu<Gp>) {}

    fn slice(&mut self, _: bool) {}

    fn raise(&mut self, _: VcpuId, _: u32) {}

    fn kick(&mut self, _: u16) {}

    fn power_on(&mut self, _: u16) -> bool {
        true
    }
}
