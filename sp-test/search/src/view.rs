//! A state with all registers: what is compared after an event.

use crate::{
    calls::{Kind, fid},
    label::{self, Frame, Origin},
    state::{CONTEXTS, CORES, Form, Now, S, VCPUS},
    world::World,
};
use spmc::{spm::Mask, state::State};

/// A state and the registers of all endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The state.
    pub s: S,
    /// x0 to x30 of each context.
    pub x: [Frame; CONTEXTS],
    /// x0 to x17 of the normal world on each core.
    pub nwd: [[u64; 18]; CORES],
    /// The response that is kept for each context.
    pub kept: [Option<[u64; 18]>; CONTEXTS],
    /// x0 to x30 of each vCPU.
    pub vcpus: [Frame; VCPUS],
    /// The response that is kept for each vCPU.
    pub vcpus_kept: [Option<[u64; 18]>; VCPUS],
    /// The answer of each context that the proxy has for a VM.
    pub answers: [Option<[u64; 18]>; CONTEXTS],
    /// What each core's priority mask lets through, after an event.
    pub masks: [Mask; CORES],
    /// How often the event raised the schedule receiver interrupt.
    pub schedule_receivers: u8,
    /// Virtual interrupts of VMs that the event raised: the VM, its vCPU, and which.
    pub raised: Vec<(u8, u8, u32)>,
}

/// FFA_MSG_SEND_DIRECT_RESP2 of a context or a vCPU, as it is kept: its labels are the payload.
fn kept(world: &World, from: Origin, to: u16) -> [u64; 18] {
    let mut message = label::regs(from);
    message[0] = fid::response(Form::Two);
    message[1] = crate::calls::ids(id_of(world, from), to);
    message[2] = 0;
    message[3] = 0;
    message
}

/// The id of a context's partition, or of a vCPU's VM.
pub fn id_of(world: &World, origin: Origin) -> u16 {
    match label::vcpu_of(origin) {
        Some(number) => World::vm_id(world.vcpus.get(number).map_or(0, |vcpu| vcpu.0)),
        None => {
            let context = world.contexts.get(usize::from(origin));
            World::id(usize::from(context.map_or(0, |context| context.0)))
        }
    }
}

/// The answer of this form of a context to a VM, as the proxy has it.
fn answer(world: &World, number: usize, vm: u8, form: Form) -> [u64; 18] {
    if form == Form::Two {
        return kept(world, number as Origin, World::vm_id(vm));
    }
    let x = label::regs(number as Origin);
    let mut message = [0; 18];
    message[0] = fid::response(form);
    message[1] = crate::calls::ids(id_of(world, number as Origin), World::vm_id(vm));
    let mask = if form.is_wide() {
        u64::MAX
    } else {
        0xffff_ffff
    };
    for register in 3..8 {
        message[register] = x[register] & mask;
    }
    message
}

impl View {
    /// The state's registers: labels, but where something live was written.
    pub fn of(world: &World, s: &S) -> Self {
        let x = std::array::from_fn(|number| {
            let mut x = label::frame(number as Origin);
            if s.ctx[number].state == State::Blocked && s.ctx[number].waits.is_none() {
                // FFA_YIELD was completed when it was made.
                x[..8].fill(0);
                x[0] = fid::SUCCESS;
            }
            x
        });
        let nwd = std::array::from_fn(|core| {
            let origin = if world.has_proxy() {
                label::PROXY
            } else {
                label::normal_world(core)
            };
            let mut x = label::regs(origin);
            if matches!(s.core[core].now, Now::Slot(_)) {
                x[0] = if s.core[core].wide_entry {
                    fid::request(Form::Two)
                } else {
                    fid::RUN
                };
            }
            if s.core[core].told.is_some() {
                let asked = Kind::Spmd(0, fid::PSCI_CPU_OFF as u32).frame(origin);
                x.copy_from_slice(&asked[..18]);
            }
            x
        });
        let own = |number: usize| {
            let slot = world.contexts.get(number).map_or(0, |context| context.0);
            World::id(usize::from(slot))
        };
        Self {
            s: *s,
            x,
            nwd,
            kept: std::array::from_fn(|number| {
                s.ctx[number]
                    .kept
                    .map(|from| kept(world, from, own(number)))
            }),
            vcpus: std::array::from_fn(|number| label::frame(label::vcpu(number))),
            vcpus_kept: std::array::from_fn(|number| {
                let own = id_of(world, label::vcpu(number));
                s.vcpus[number].kept.map(|from| kept(world, from, own))
            }),
            answers: std::array::from_fn(|number| {
                s.held[number].map(|(vm, form)| answer(world, number, vm, form))
            }),
            masks: [Mask::Open; CORES],
            schedule_receivers: 0,
            raised: Vec::new(),
        }
    }

    /// The first difference to `other` that matters, in words. Fields that mean nothing are left
    /// out, unless `exact`.
    pub fn difference(&self, other: &Self, world: &World, exact: bool) -> Option<String> {
        let (mut a, mut b) = (self.s, other.s);
        if !exact {
            world.poison(&mut a);
            world.poison(&mut b);
            for number in 0..CONTEXTS {
                let both = [(a, self), (b, other)]
                    .map(|(s, view)| s.ctx[number].kept.and(view.kept[number]));
                if both[0] != both[1] {
                    return Some(format!(
                        "the response kept for context {number} is {:x?}, not {:x?}",
                        both[0], both[1]
                    ));
                }
            }
        } else if self.kept != other.kept {
            return Some(format!("kept are {:x?}, not {:x?}", self.kept, other.kept));
        }
        if a != b {
            return Some(states(&a, &b));
        }
        let name = |number: usize| {
            let (slot, index) = world.contexts[number];
            format!(
                "partition {:#x}, context {index}",
                World::id(usize::from(slot))
            )
        };
        for number in 0..world.contexts.len() {
            if let Some(found) = registers(&self.x[number], &other.x[number]) {
                return Some(format!("{found} of {}", name(number)));
            }
        }
        for core in 0..world.cores {
            if let Some(found) = registers(&self.nwd[core], &other.nwd[core]) {
                return Some(format!("{found} of the normal world on core {core}"));
            }
        }
        for number in 0..world.vcpus.len() {
            if let Some(found) = registers(&self.vcpus[number], &other.vcpus[number]) {
                return Some(format!("{found} of vCPU {number}"));
            }
        }
        if self.vcpus_kept != other.vcpus_kept || self.answers != other.answers {
            return Some(format!(
                "kept for vCPUs are {:x?} and {:x?}, not {:x?} and {:x?}",
                self.vcpus_kept, self.answers, other.vcpus_kept, other.answers
            ));
        }
        None
    }
}

fn registers<const N: usize>(found: &[u64; N], wanted: &[u64; N]) -> Option<String> {
    if found == wanted {
        return None;
    }
    let register = (0..N).find(|register| found[*register] != wanted[*register])?;
    Some(format!(
        "x{register} is {:#x}, not {:#x},",
        found[register], wanted[register]
    ))
}

fn states(found: &S, wanted: &S) -> String {
    for (number, (found, wanted)) in found.ctx.iter().zip(&wanted.ctx).enumerate() {
        if found != wanted {
            return format!("context {number} is {found:?}, not {wanted:?}");
        }
    }
    for (number, (found, wanted)) in found.core.iter().zip(&wanted.core).enumerate() {
        if found != wanted {
            return format!("core {number} is {found:?}, not {wanted:?}");
        }
    }
    for (number, (found, wanted)) in found.vcpus.iter().zip(&wanted.vcpus).enumerate() {
        if found != wanted {
            return format!("vCPU {number} is {found:?}, not {wanted:?}");
        }
    }
    if found.vms != wanted.vms {
        return format!("the VMs are {:?}, not {:?}", found.vms, wanted.vms);
    }
    let books = |s: &S| (s.owed, s.lent, s.held);
    if books(found) != books(wanted) {
        return format!("owed is {:?}, not {:?}", books(found), books(wanted));
    }
    format!(
        "versions are {:?} and {:?}, not {:?} and {:?}",
        found.versions, found.normal_world, wanted.versions, wanted.normal_world
    )
}
