//! A state with all registers: what is compared after an event.

use crate::{
    calls::fid,
    label::{self, Frame, Origin},
    state::{CONTEXTS, CORES, Form, Now, S},
    world::{self, World},
};
use spmc::state::State;

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
    /// x0 to x30 of the VM.
    pub vm: Frame,
    /// The response that is kept for the VM.
    pub vm_kept: Option<[u64; 18]>,
}

/// FFA_MSG_SEND_DIRECT_RESP2 of a context, as it is kept: its labels are the payload.
fn kept(world: &World, from: u8, to: u16) -> [u64; 18] {
    let mut message = label::regs(from);
    message[0] = fid::response(Form::Two);
    let slot = world.contexts[usize::from(from)].0;
    message[1] = crate::calls::ids(World::id(usize::from(slot)), to);
    message[2] = 0;
    message[3] = 0;
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
            let origin = if world.proxy.is_some() {
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
            vm: label::frame(label::VM),
            vm_kept: s.vm.kept.map(|from| kept(world, from, world::VM_ID)),
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
        if let Some(found) = registers(&self.vm, &other.vm) {
            return Some(format!("{found} of the VM"));
        }
        if self.vm_kept != other.vm_kept {
            return Some(format!(
                "kept for the VM is {:x?}, not {:x?}",
                self.vm_kept, other.vm_kept
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
    if found.vm != wanted.vm {
        return format!("the VM is {:?}, not {:?}", found.vm, wanted.vm);
    }
    format!(
        "versions are {:?} and {:?}, not {:?} and {:?}",
        found.versions, found.normal_world, wanted.versions, wanted.normal_world
    )
}
