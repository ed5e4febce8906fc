//! Who owes whom an answer, kept from what endpoints see.

use super::vm_id;
use crate::{
    fid,
    label::Frame,
    ledger::{self, Counts},
    oracle::Kind,
    world::{Landing, Who, World},
};
use proxy_el2::vcpu::{VcpuId, VmIndex};
use spmc::context::Slot;
use std::collections::{HashMap, HashSet};

/// The books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Whom a vCPU owes the answer to a VM's request.
    pub owes: HashMap<VcpuId, VcpuId>,
    /// The form of the request that each vCPU was given last.
    pub asked: HashMap<VcpuId, u32>,
    /// Those of them that owe it to one that went off since, and may be on again.
    pub lost: HashSet<VcpuId>,
    /// Which VM a context owes one: slot and place.
    pub secure: HashMap<(u8, usize), u16>,
    /// Responses that are kept for strict vCPUs, as they were sent.
    pub kept: HashMap<VcpuId, Frame>,
    /// Responses of partitions to VMs that the proxy has got while another VM ran them.
    pub held: Vec<(u16, Frame)>,
    /// A response of a partition that has just reached the proxy: which VM it is for.
    pub arrived: Option<(u16, Frame)>,
    /// What happened between VMs.
    pub counts: Counts,
}

impl Books {
    /// The proxy has called EL3 for this vCPU, and this came of it.
    pub fn called(
        &mut self,
        core: usize,
        by: VcpuId,
        landed: Landing,
        world: &World<'_>,
    ) -> Result<(), String> {
        let (Who::Partition(slot), Kind::Message(message)) = (landed.who, landed.kind) else {
            return Ok(());
        };
        if !fid::is_request(message) {
            return Ok(());
        }
        let place = (slot.0, ledger::place(world, slot, core));
        match self.secure.insert(place, vm_id(by.vm)) {
            None => Ok(()),
            Some(before) => Err(format!("{slot:?} owes VM {before} an answer, and is asked")),
        }
    }

    /// A context's answer reaches the normal world.
    pub fn answered(
        &mut self,
        slot: Slot,
        place: usize,
        receiver: u16,
        sent: &Frame,
    ) -> Result<(), String> {
        match self.secure.remove(&(slot.0, place)) {
            Some(vm) if vm == receiver => {
                self.arrived = Some((vm, *sent));
                Ok(())
            }
            owed => Err(format!(
                "{slot:?} answers VM {receiver}, the books say {owed:?}"
            )),
        }
    }

    /// A vCPU went off: it owes nothing, and what it has asked may be answered into the void.
    pub fn went_off(&mut self, id: VcpuId) {
        self.owes.remove(&id);
        self.kept.remove(&id);
        let owing = self.owes.iter().filter(|(_, to)| **to == id);
        self.lost.extend(owing.map(|(owing, _)| *owing));
    }

    /// A VM is no more: it owes nothing, and nothing waits for it.
    pub fn died(&mut self, vm: VmIndex) {
        self.counts.aborted += self.owes.keys().filter(|id| id.vm == vm).count() as u64;
        self.owes.retain(|id, _| id.vm != vm);
        self.kept.retain(|id, _| id.vm != vm);
        self.held.retain(|(to, _)| *to != vm_id(vm));
    }
}
