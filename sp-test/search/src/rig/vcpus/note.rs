//! Reading the proxy's state back.

use super::{LOCKED, context, form, form_of, forwarded, id, note_secure, note_waits, number};
use crate::{
    calls::{fid, ids},
    label,
    rig::{Rig, proxy::General},
    state::{Asked, Debt, El3, Form, Negotiated, Now, Secure, VCPUS, Vcpu},
    view::View,
    world::World,
};
use ffa_abi::TargetInfo;
use proxy_el2::{
    snapshot::Progress,
    vcpu::{self, VmIndex},
};

impl Rig {
    /// Reads the proxy's state back, after an event with number `event` on `core`.
    pub(in crate::rig) fn note_vms(
        &mut self,
        world: &World,
        core: usize,
        event: usize,
        after: &mut View,
    ) -> Result<(), String> {
        let vms = self.vms.as_mut().ok_or("there is no VM")?;
        for vm in 0..world.vms.len() {
            let noted = vms.proxy.note_vm(VmIndex(vm as u8));
            let (version, dead) = noted.ok_or("a VM is lost")?;
            after.s.vms[vm].version = Negotiated {
                minor: (version & 0xffff) as u8,
                locked: version & LOCKED != 0,
            };
            after.s.vms[vm].dead = dead;
        }
        let mut seen = [0; VCPUS];
        for (index, pe) in vms.cores.iter_mut().enumerate() {
            let noted = &mut after.s.core[index];
            noted.chain = [None; crate::state::VMS];
            let (chain, pending) = pe.take_apart();
            noted.pending = pending
                .map(|pending| note_secure(world, pending))
                .transpose()?;
            for (level, vcpu) in chain.iter().enumerate() {
                let number = number(world, vcpu.id())?;
                after.s.core[index].chain[level] = Some(number);
                seen[usize::from(number)] += 1;
                note(world, vcpu, after, number, Some(index as u8))?;
            }
            pe.put_together(chain, pending);
        }
        for number in 0..world.vcpus.len() as u8 {
            let id = id(world, number);
            let had = after.s.vcpus[usize::from(number)].at.is_some();
            if let Some(vcpu) = vms.proxy.unpark(id) {
                if had && !self.left.contains(&id) {
                    return Err(format!("vCPU {number} left its core, not all of it"));
                }
                seen[usize::from(number)] += 1;
                let noted = note(world, vcpu, after, number, None);
                vms.proxy.put_back(vcpu);
                noted?;
            }
            if seen[usize::from(number)] != 1 {
                return Err(format!(
                    "vCPU {number} is in {} places",
                    seen[usize::from(number)]
                ));
            }
        }
        after.s.owed = [Debt::None; crate::state::CONTEXTS];
        after.s.held = [None; crate::state::CONTEXTS];
        after.s.lent = [None; crate::state::CONTEXTS];
        after.answers = [None; crate::state::CONTEXTS];
        for (of, vm, progress) in &vms.proxy.note_owed() {
            let number = usize::from(context(world, *of)?);
            let debt = match progress {
                Progress::Told => Debt::Told(vm.0),
                Progress::InFlight => Debt::InFlight(vm.0),
                Progress::Lent => {
                    after.s.lent[number] = Some(vm.0);
                    continue;
                }
                Progress::Answered(regs) => {
                    let form = form_of(regs[0])?;
                    let mut message = regs.0;
                    if form != Form::Two {
                        // Not a part of it.
                        message[8..].fill(0);
                    }
                    if after.s.held[number].is_some() {
                        return Err(format!("{of:?} has answered twice"));
                    }
                    after.answers[number] = Some(message);
                    after.s.held[number] = Some((vm.0, form));
                    continue;
                }
            };
            if after.s.owed[number] != Debt::None {
                return Err(format!("{of:?} owes twice"));
            }
            after.s.owed[number] = debt;
        }
        if world.notified.is_some() {
            self.note_proxys_notes(world, after)?;
        }
        self.note_call(world, core, event, after)
    }

    /// Notes the call of EL3 that has to wait, and the VM's call that it is for.
    fn note_call(
        &mut self,
        world: &World,
        core: usize,
        event: usize,
        after: &mut View,
    ) -> Result<(), String> {
        let vms = self.vms.as_mut().ok_or("there is no VM")?;
        let regs = vms.cores[core].el3;
        let noted = &mut after.s.core[core];
        let top = noted.chain.iter().rev().flatten().next().copied();
        noted.el3 = None;
        if noted.pending.is_some() && noted.now == Now::NormalWorld {
            noted.el3 = Some(match regs[0] {
                fid::RUN => {
                    let target = TargetInfo::from_register(regs[1]);
                    if (2..18).any(|register| regs[register] != 0)
                        || regs[1] != ids(target.endpoint.0, target.context)
                    {
                        return Err(format!("the proxy runs with {:x?}", regs.0));
                    }
                    El3::Run(context(world, target)?)
                }
                _ => {
                    let top = top.ok_or("nobody's request")?;
                    if regs != forwarded(&after.vcpus[usize::from(top)]) {
                        return Err(format!("the proxy sends {:x?}", regs.0));
                    }
                    El3::Request
                }
            });
        }
        let waits =
            matches!(noted.pending, Some(Secure::Drain { .. })) || noted.el3 == Some(El3::Request);
        if let Some(top) = top {
            let vcpu = &mut after.s.vcpus[usize::from(top)];
            vcpu.call = match (waits, vcpu.call) {
                (false, _) => None,
                (true, None) => Some(event as u16),
                (true, call) => call,
            };
        }
        Ok(())
    }
}

fn note(
    world: &World,
    vcpu: &vcpu::Vcpu<General>,
    after: &mut View,
    number: u8,
    at: Option<u8>,
) -> Result<(), String> {
    let noted = vcpu.note();
    let place = usize::from(number);
    let kept = match &noted.kept {
        None => None,
        Some(kept) => {
            let from = label::origin(kept.message[4]).ok_or("what is kept is no message")?;
            if kept.from.0 != crate::view::id_of(world, from) {
                return Err(format!(
                    "what is kept of {from:#x} is marked {:?}",
                    kept.from
                ));
            }
            Some(from)
        }
    };
    after.vcpus[place] = vcpu.machine.0;
    after.vcpus_kept[place] = noted.kept.map(|kept| kept.message.0);
    after.s.vcpus[place] = Vcpu {
        state: noted.state,
        model: noted.model,
        serves: match noted.request {
            None => None,
            Some(request) => Some(Asked {
                sender: request.sender.0,
                origin: match request.origin {
                    None => None,
                    Some(origin) => Some(self::number(world, origin)?),
                },
                form: form(request.kind),
            }),
        },
        waits: note_waits(world, noted.waits)?,
        kept,
        at,
        call: after.s.vcpus[place].call,
    };
    Ok(())
}
