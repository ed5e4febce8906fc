//! Everybody's calls in a system of VMs behind the proxy.

use super::{
    super::{
        books::Books,
        stage::{Stage, slot_of, take_kicks},
    },
    Behind, Entry, PRIMARY,
};
use crate::{fid, label::Origin, random::Rng, world::Who};
use std::collections::BTreeSet;

impl Stage for Behind<'_> {
    fn bring(
        &mut self,
        books: &mut Books,
        rng: &mut Rng,
        who: u16,
        core: usize,
    ) -> Result<usize, String> {
        let Some(slot) = slot_of(who) else {
            return self.bring_vm(books, rng, who, core);
        };
        let single = self.world.has_single_context(slot);
        let mut cores = 0..self.world.cores();
        if single && let Some(core) = cores.find(|core| self.partition(*core) == Some(slot)) {
            return Ok(core);
        }
        let there = self.interrupted.get(&slot.0).copied().filter(|_| single);
        let core = there.unwrap_or(core);
        if self.partition(core) == Some(slot) {
            return Ok(core);
        }
        self.back_to_primary(books, rng, core)?;
        let context = if single { 0 } else { core as u64 };
        let target = u64::from(who) << 16 | context;
        let x = self.vcpu_calls(core, fid::RUN_32, &[target, 0, 0, 0, 0, 0, 0])?;
        self.interrupted.remove(&slot.0);
        match self.partition(core) == Some(slot) {
            true => Ok(core),
            false => Err(format!("{slot:?} does not run on core {core}: {x:x?}")),
        }
    }

    fn call(&mut self, core: usize, who: u16, x: &[u64; 8]) -> Result<[u64; 18], String> {
        let (call, arguments) = (x[0] as u32, &x[1..]);
        let Some(slot) = slot_of(who) else {
            let got = self.vcpu_calls(core, call, arguments)?;
            return got.ok_or_else(|| format!("VM {who} loses core {core} in a call"));
        };
        let x = self.labels.call(Origin::Partition(slot.0), call, arguments);
        let landing = self.world.partition(core, &x)?;
        if landing.who != Who::Partition(slot) {
            return Err(format!("{slot:?} loses the core in a call: {landing:?}"));
        }
        let mut got = [0; 18];
        got.copy_from_slice(&self.world.registers(core)[..18]);
        Ok(got)
    }

    fn settle(&mut self, rng: &mut Rng) -> Result<(), String> {
        take_kicks(&mut self.world, &mut self.labels, rng, Origin::Proxy)?;
        match self.host.wrong.take() {
            Some(wrong) => Err(wrong),
            None => Ok(()),
        }
    }

    fn put(&mut self, address: u64, bytes: &[u8]) {
        self.world.land.put(address, bytes);
    }

    fn end(
        &mut self,
        books: &mut Books,
        rng: &mut Rng,
        who: u16,
        core: usize,
    ) -> Result<bool, String> {
        let secondary = slot_of(who).is_none() && who != PRIMARY;
        let single = slot_of(who).is_some_and(|slot| self.world.has_single_context(slot));
        if !(secondary || single) {
            return Ok(false);
        }
        let core = self.bring(books, rng, who, core)?;
        if secondary {
            self.proxy(core, Entry::Abort)?;
        } else {
            let landing = self.world.abort(core)?;
            if landing.who != Who::Normal {
                return Err(format!("{who:#x} fails, and {landing:?}"));
            }
            self.visited.insert(core);
            self.proxy(core, Entry::Returned)?;
        }
        match self.vm(core) {
            Some(PRIMARY) => Ok(true),
            other => Err(format!("{who:#x} fails, and VM {other:?} runs")),
        }
    }

    fn holds(&self, address: u64, bytes: &[u8]) -> bool {
        self.world.land.holds(address, bytes)
    }

    fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        self.world.land.bytes(address, length)
    }

    fn scheduler_interrupts(&mut self) -> usize {
        let virtual_ones = std::mem::take(&mut self.host.scheduler);
        self.world.scheduler_interrupts() + virtual_ones
    }

    fn vm_interrupts(&mut self) -> Vec<(u16, u16)> {
        std::mem::take(&mut self.host.raised)
    }

    fn normal(&mut self) -> BTreeSet<usize> {
        let mut all = std::mem::take(&mut self.visited);
        let cores = 0..self.world.cores();
        all.extend(cores.filter(|core| self.partition(*core).is_none()));
        all
    }
}
