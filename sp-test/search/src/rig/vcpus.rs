//! Putting the proxy into a state, and reading the state back.

mod note;

use super::{
    Rig,
    proxy::{General, Vms},
};
use crate::{
    calls::fid,
    label,
    state::{Debt, El3, Form, Secure, VCPUS, Waits},
    view::View,
    world::World,
};
use ffa_abi::{EndpointId, Regs, TargetInfo};
use heapless::Vec as List;
use proxy_el2::{
    snapshot::{OwedNote, Progress},
    vcpu::{self, VcpuId, VmIndex},
};

const LOCKED: u32 = 1 << 31;

fn kind(form: Form) -> vcpu::Kind {
    match form {
        Form::Two => vcpu::Kind::Direct2,
        form => vcpu::Kind::Direct {
            wide: form.is_wide(),
        },
    }
}

fn form(kind: vcpu::Kind) -> Form {
    match kind {
        vcpu::Kind::Direct2 => Form::Two,
        vcpu::Kind::Direct { wide: true } => Form::Wide,
        vcpu::Kind::Direct { wide: false } => Form::Narrow,
    }
}

/// The form of a request or a response.
fn form_of(fid: u64) -> Result<Form, String> {
    let found = Form::ALL
        .into_iter()
        .find(|form| fid::request(*form) == fid || fid::response(*form) == fid);
    found.ok_or_else(|| format!("{fid:#x} is no message"))
}

fn id(world: &World, number: u8) -> VcpuId {
    let (vm, vcpu) = world.vcpus[usize::from(number)];
    VcpuId {
        vm: VmIndex(vm),
        vcpu,
    }
}

fn number(world: &World, id: VcpuId) -> Result<u8, String> {
    let number = world.vcpu(id.vm.0, id.vcpu);
    Ok(number.ok_or_else(|| format!("{id:?} is no vCPU"))? as u8)
}

fn target(world: &World, context: u8) -> TargetInfo {
    let (slot, index) = world.contexts[usize::from(context)];
    TargetInfo {
        endpoint: EndpointId(World::id(usize::from(slot))),
        context: index.into(),
    }
}

fn context(world: &World, target: TargetInfo) -> Result<u8, String> {
    let slot = target.endpoint.0.wrapping_sub(0x8001);
    let mut contexts = world.contexts.iter();
    let number = contexts
        .position(|(of, index)| u16::from(*of) == slot && u16::from(*index) == target.context);
    Ok(number.ok_or_else(|| format!("{target:?} is no context"))? as u8)
}

fn secure(world: &World, noted: Secure) -> vcpu::Secure {
    match noted {
        Secure::Request { form, to } => vcpu::Secure::Request {
            fid: fid::request(form) as u32,
            to: EndpointId(World::id(to.into())),
        },
        Secure::Resumed { form, context } => vcpu::Secure::Resumed {
            fid: fid::request(form) as u32,
            target: target(world, context),
        },
        Secure::Run { wide, context } => vcpu::Secure::Run {
            wide,
            target: target(world, context),
        },
        Secure::Drain { form, context } => vcpu::Secure::Drain {
            fid: fid::request(form) as u32,
            target: target(world, context),
        },
    }
}

fn note_secure(world: &World, secure: vcpu::Secure) -> Result<Secure, String> {
    Ok(match secure {
        vcpu::Secure::Request { fid, to } => Secure::Request {
            form: form_of(fid.into())?,
            to: to.0.wrapping_sub(0x8001) as u8,
        },
        vcpu::Secure::Resumed { fid, target } => Secure::Resumed {
            form: form_of(fid.into())?,
            context: context(world, target)?,
        },
        vcpu::Secure::Run { wide, target } => Secure::Run {
            wide,
            context: context(world, target)?,
        },
        vcpu::Secure::Drain { fid, target } => Secure::Drain {
            form: form_of(fid.into())?,
            context: context(world, target)?,
        },
    })
}

fn waits(world: &World, noted: Waits) -> vcpu::Waits {
    match noted {
        Waits::Cycles => vcpu::Waits::Cycles,
        Waits::Message { wide } => vcpu::Waits::Message { wide },
        Waits::Callee { callee, wide } => vcpu::Waits::Callee {
            callee: id(world, callee),
            wide,
        },
        Waits::Partition { call, preempted } => vcpu::Waits::Partition {
            call: secure(world, call),
            preempted: target(world, preempted),
        },
    }
}

fn note_waits(world: &World, waits: vcpu::Waits) -> Result<Waits, String> {
    Ok(match waits {
        vcpu::Waits::Cycles => Waits::Cycles,
        vcpu::Waits::Message { wide } => Waits::Message { wide },
        vcpu::Waits::Callee { callee, wide } => Waits::Callee {
            callee: number(world, callee)?,
            wide,
        },
        vcpu::Waits::Partition { call, preempted } => Waits::Partition {
            call: note_secure(world, call)?,
            preempted: context(world, preempted)?,
        },
    })
}

impl Vms {
    /// Takes every vCPU from where it is.
    fn take_all(&mut self, world: &World) -> [Option<&'static mut vcpu::Vcpu<General>>; VCPUS] {
        let mut vcpus = [const { None }; VCPUS];
        for core in &mut self.cores {
            for vcpu in core.take_apart().0 {
                let id = vcpu.id();
                if let Some(number) = world.vcpu(id.vm.0, id.vcpu) {
                    vcpus[number] = Some(vcpu);
                }
            }
        }
        for (number, place) in (0..world.vcpus.len() as u8).zip(&mut vcpus) {
            *place = place
                .take()
                .or_else(|| self.proxy.unpark(id(world, number)));
        }
        vcpus
    }
}

impl Rig {
    /// Puts the proxy into the state of `view`.
    pub(super) fn load_vms(&mut self, world: &World, view: &View) {
        let Some(vms) = &mut self.vms else { return };
        let mut vcpus = vms.take_all(world);
        for (vm, noted) in view.s.vms.iter().enumerate().take(world.vms.len()) {
            let version = match (noted.version.minor, noted.version.locked) {
                (0, false) => 0,
                (minor, locked) => World::version(minor).raw() | if locked { LOCKED } else { 0 },
            };
            vms.proxy
                .restore_vm(VmIndex(vm as u8), (version, noted.dead));
        }
        for (number, place) in vcpus.iter_mut().enumerate().take(world.vcpus.len()) {
            let Some(vcpu) = place else {
                panic!("vCPU {number} is lost");
            };
            let noted = &view.s.vcpus[number];
            vcpu.machine.0 = view.vcpus[number];
            vcpu.restore(vcpu::VcpuNote {
                state: noted.state,
                model: noted.model,
                request: noted.serves.map(|asked| vcpu::Request {
                    sender: EndpointId(asked.sender),
                    origin: asked.origin.map(|origin| id(world, origin)),
                    kind: kind(asked.form),
                }),
                waits: waits(world, noted.waits),
                kept: noted
                    .kept
                    .zip(view.vcpus_kept[number])
                    .map(|(from, message)| vcpu::Kept {
                        from: EndpointId(crate::view::id_of(world, from)),
                        message: Regs(message),
                    }),
            });
        }
        for (core, pe) in vms.cores.iter_mut().enumerate() {
            let noted = &view.s.core[core];
            let mut chain = List::new();
            for number in noted.chain.iter().flatten() {
                if let Some(vcpu) = vcpus[usize::from(*number)].take() {
                    let pushed = chain.push(vcpu);
                    assert!(pushed.is_ok(), "a chain of two");
                }
            }
            pe.el3 = match (noted.el3, noted.chain.iter().rev().flatten().next()) {
                (Some(El3::Run(context)), _) => {
                    let mut regs = Regs::ZERO;
                    regs[0] = fid::RUN;
                    regs[1] = target(world, context).register();
                    regs
                }
                (Some(El3::Request), Some(top)) => forwarded(&view.vcpus[usize::from(*top)]),
                _ => Regs::ZERO,
            };
            pe.put_together(chain, noted.pending.map(|pending| secure(world, pending)));
        }
        for vcpu in vcpus.into_iter().flatten() {
            vms.proxy.put_back(vcpu);
        }
        let mut owed = OwedNote::new();
        for number in 0..world.contexts.len() {
            let progress = match view.s.owed[number] {
                Debt::None => None,
                Debt::Told(vm) => Some((vm, Progress::Told)),
                Debt::InFlight(vm) => Some((vm, Progress::InFlight)),
            };
            let held = view.s.held[number].zip(view.answers[number]);
            let held = held.map(|((vm, _), answer)| (vm, Progress::Answered(Regs(answer))));
            let lent = view.s.lent[number].map(|vm| (vm, Progress::Lent));
            for (vm, progress) in progress.into_iter().chain(lent).chain(held) {
                let added = owed.push((target(world, number as u8), VmIndex(vm), progress));
                assert!(added.is_ok(), "few contexts");
            }
        }
        vms.proxy.restore_owed(&owed);
        if world.notified.is_some() {
            self.load_proxys_notifications(world, view);
            self.load_proxys_pairs(world, view);
        }
    }
}

/// A VM's request as EL3 gets it, written down once more.
fn forwarded(x: &label::Frame) -> Regs {
    let mut regs = Regs::ZERO;
    let fid = x[0] & 0xffff_ffff & !fid::SVE_HINT;
    let (last, mask) = match fid == fid::request(Form::Two) {
        true => (18, u64::MAX),
        false if fid & fid::WIDE != 0 => (8, u64::MAX),
        false => (8, 0xffff_ffff),
    };
    for register in 2..last {
        regs[register] = x[register] & mask;
    }
    if last == 8 {
        regs[2] = 0;
    }
    regs[0] = fid;
    regs[1] = x[1] & 0xffff_ffff;
    regs
}
