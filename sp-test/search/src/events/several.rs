//! The events of worlds with several VMs. What a call's wrong arguments do is searched with one VM and
//! with none; here are those that matter for who has the core and who is owed an answer.

use super::alphabet::{NOBODY, request};
use crate::{
    calls::{Kind, W2},
    world::{Who, World},
};

fn response(form: crate::state::Form, sender: u16, receiver: u16) -> Kind {
    Kind::Response {
        form,
        sender,
        receiver,
        w2: W2::Message,
    }
}

/// What a VM calls.
pub fn vm(world: &World, number: u8) -> Vec<Kind> {
    let own = World::vm_id(number);
    let partitions = || (0..world.partitions.len()).map(World::id);
    let others = || (0..world.vms.len() as u8).filter(move |other| *other != number);
    let mut kinds = Vec::new();
    for form in world.forms {
        kinds.extend(partitions().map(|to| request(*form, own, to)));
        kinds.extend(others().map(|to| request(*form, own, World::vm_id(to))));
        if number > 0 {
            kinds.extend(others().map(|to| response(*form, own, World::vm_id(to))));
            kinds.push(response(*form, own, NOBODY));
        }
    }
    // In somebody else's name.
    kinds.extend(others().map(|other| request(world.forms[0], World::vm_id(other), World::id(0))));
    for wide in [false, true]
        .into_iter()
        .take(1 + usize::from(world.wide_cycles))
    {
        for (slot, partition) in world.partitions.iter().enumerate() {
            let contexts = if partition.up { 1 } else { world.cores };
            kinds.extend((0..contexts).map(|index| Kind::Run {
                wide,
                id: World::id(slot),
                index: index as u16,
            }));
        }
        for (vm, index) in &world.vcpus {
            if *vm != number {
                kinds.push(Kind::Run {
                    wide,
                    id: World::vm_id(*vm),
                    index: (*index).into(),
                });
            }
        }
        if number > 0 {
            kinds.push(Kind::Wait { wide, w1: 0 });
            kinds.push(Kind::Yield { wide, w4: 0 });
        }
    }
    if number > 0 {
        kinds.push(Kind::Abort { wide: false });
    }
    kinds.extend(super::notifications::of(world, Who::Vm(number)));
    if world.cores > 1 && number == 0 || world.vms[usize::from(number)].vcpus > 1 {
        kinds.push(Kind::Psci);
        let entry = world.entry(number);
        let vcpus = 0..u64::from(world.vms[usize::from(number)].vcpus);
        kinds.extend(vcpus.map(|vcpu| Kind::CpuOn { vcpu, entry }));
    }
    kinds
}

/// What a partition calls.
pub fn partition(world: &World, slot: usize) -> Vec<Kind> {
    let own = World::id(slot);
    let mut kinds = Vec::new();
    for form in world.forms {
        let vms = 0..world.vms.len() as u8;
        kinds.extend(vms.map(|to| response(*form, own, World::vm_id(to))));
    }
    kinds.push(Kind::Wait { wide: false, w1: 0 });
    kinds.push(Kind::Yield { wide: false, w4: 0 });
    let who = Who::Slot(slot as u8);
    kinds.extend(super::notifications::of(world, who));
    if world.is_notified(who) {
        kinds.push(Kind::Get);
    }
    kinds
}
