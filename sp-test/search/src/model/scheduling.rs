//! Who hears of what is pending, and whom the scheduler is told of (DEN0077A, "Notifications").

use super::{Answer, notifications::Calls};
use crate::{
    calls::fid,
    invariants::interrupts::is_on,
    state::{GLOBAL, Id, Notes, Unread},
    world::{Who, World},
};
use ffa_abi::FfaError::{self, NoData, NotSupported};

/// Virtual interrupts of VMs: of who has something pending, and of who schedules.
const NPI: u32 = 9;
const SRI: u32 = 8;

impl Calls<'_> {
    /// The proxy keeps something that is pending for a VM: that has its interrupt, and the primary, whose the cores
    /// are, the scheduler's.
    pub(super) fn tell_vm(&mut self, vm: u8, group: u8) {
        self.interrupt_vm(vm, group);
        self.wanted.for_vms.push((0, self.core as u8, SRI));
    }

    /// A VM's vCPUs of `group` have their interrupt: of the primary's for all, the one of this core.
    fn interrupt_vm(&mut self, vm: u8, group: u8) {
        for (of, vcpu) in &self.world.vcpus {
            let here = vm != 0 || usize::from(*vcpu) == self.core;
            let wanted = match group {
                GLOBAL => here,
                group => group & 1 << vcpu != 0,
            };
            if *of == vm && wanted {
                self.wanted.for_vms.push((vm, *vcpu, NPI));
            }
        }
    }

    /// Something is pending for `to`: its contexts of `group` have their interrupt, and the scheduler has its, unless
    /// it knows of all.
    pub(super) fn tell(&mut self, to: Who, group: u8, delay: bool) {
        if let Who::Slot(slot) = to {
            let up = self.world.partitions[usize::from(slot)].up;
            for number in self.world.contexts_for(slot, group) {
                let (_, index) = self.world.contexts[number];
                // For whom it is pending already nobody does anything.
                let is_new = !self.s.ctx[number].irq.pending.has(Id::Notified);
                if is_new && (up || is_on(self.s, index.into())) {
                    self.wanted.pended |= 1 << number;
                }
            }
        }
        if has_news(self.world, &self.wanted.notes, to, false) {
            // A core that goes off takes no interrupt any more: another one is asked then.
            let goes_off = self.caller.is_partition() && self.s.core[self.core].told.is_some();
            let later = delay || goes_off;
            self.wanted.raised = !later;
            self.wanted.delayed = later;
        }
    }

    /// Contexts of an endpoint's for which nothing is pending are told of nothing.
    pub(super) fn quiet(&mut self, of: Who) {
        let Who::Slot(slot) = of else {
            return;
        };
        for number in self.world.contexts_for(slot, GLOBAL) {
            let (_, index) = self.world.contexts[number];
            if !self.world.has_for(&self.wanted.notes, of, index.into()) {
                self.wanted.quiet |= 1 << number;
            }
        }
    }

    /// Who is to run: the SPMC's list, then the proxy's.
    pub(super) fn info(&mut self) -> Result<Answer, FfaError> {
        if !matches!(self.caller, Who::Os | Who::Vm(0)) {
            return Err(NotSupported);
        }
        let mut lists: Vec<(u16, Vec<u16>)> = Vec::new();
        for slot in 0..self.world.partitions.len() as u8 {
            if self.is_alive(Who::Slot(slot)) {
                self.interrupts(slot, &mut lists);
                self.name(Who::Slot(slot), false, &mut lists);
            }
        }
        let vms = (0..self.world.vms.len() as u8).map(Who::Vm);
        let theirs: Vec<_> = vms.chain([Who::Os]).collect();
        for by_proxy in [false, true] {
            for who in &theirs {
                self.name(*who, by_proxy, &mut lists);
            }
        }
        if lists.is_empty() {
            return Err(NoData);
        }
        for (id, contexts) in &lists {
            if let Some(vm) = self.world.vm_of(*id) {
                let of_each = contexts.iter().fold(0, |all, n| all | 1 << n);
                let group = if contexts.is_empty() { GLOBAL } else { of_each };
                self.interrupt_vm(vm, group);
            }
        }
        let mut answer = [0; 8];
        answer[0] = fid::SUCCESS;
        answer[2] = (lists.len() as u64) << 7;
        let mut ids = Vec::new();
        for (n, (id, contexts)) in lists.iter().enumerate() {
            answer[2] |= (contexts.len() as u64) << (12 + 2 * n);
            ids.push(*id);
            ids.extend(contexts);
        }
        for (n, id) in ids.into_iter().enumerate() {
            answer[3 + n / 2] |= u64::from(id) << (16 * (n % 2));
        }
        Ok(answer)
    }

    /// Contexts of a partition with an interrupt for which the normal world is to run them.
    fn interrupts(&mut self, slot: u8, lists: &mut Vec<(u16, Vec<u16>)>) {
        let rules = &self.world.partitions[usize::from(slot)].rules;
        for number in self.world.contexts_for(slot, GLOBAL) {
            let irq = &self.s.ctx[number].irq;
            if (rules.sri_waiting || rules.sri_leaving) && irq.wakes() && !irq.told {
                let (_, index) = self.world.contexts[number];
                lists.push((Who::Slot(slot).id(), vec![index.into()]));
            }
        }
    }

    /// What an endpoint has, that one keeper has not told of.
    fn name(&mut self, who: Who, by_proxy: bool, lists: &mut Vec<(u16, Vec<u16>)>) {
        let notes = &mut self.wanted.notes;
        let mut news = 0;
        for place in self.world.received_by(who) {
            if self.world.list()[place].is_proxys() == by_proxy {
                news |= std::mem::take(&mut notes.bits[place].news);
            }
        }
        let unread = &mut notes.unread[who.buffer()][usize::from(by_proxy)];
        if *unread == Some(Unread::New) {
            *unread = Some(Unread::Told);
            news |= GLOBAL;
        }
        let id = who.id();
        if news & GLOBAL != 0 && !lists.contains(&(id, vec![])) {
            lists.push((id, vec![]));
        }
        let contexts: Vec<u16> = (0..7).filter(|n| news & 1 << n != 0).collect();
        if !contexts.is_empty() {
            lists.push((id, contexts));
        }
    }
}

/// Whether the scheduler does not know of something that is pending for an endpoint, of what the proxy keeps or the
/// SPMC.
pub(super) fn has_news(world: &World, notes: &Notes, who: Who, by_proxy: bool) -> bool {
    let message = notes.unread[who.buffer()][usize::from(by_proxy)] == Some(Unread::New);
    let mut bits = world.received_by(who);
    message
        || bits
            .any(|place| world.list()[place].is_proxys() == by_proxy && notes.bits[place].news != 0)
}
