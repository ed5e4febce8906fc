//! Several VMs behind the proxy, on one or two cores, in front of a [`World`], stepped one call or
//! event at a time.
//!
//! Whoever has a core acts: a vCPU calls, waits, fails or is interrupted; a partition makes a step of
//! the world's. Whose turn it is after an interrupt is the script's choice. Each landing of a vCPU is
//! judged in all of its registers by the [oracle](crate::oracle), and booked: each request is
//! answered once.

mod books;
mod landing;
mod machine;
mod port;
mod random;

pub use machine::Gp;
pub(crate) use machine::{no_estates, no_memory};
pub use random::random;

use crate::{
    label::{Frame, Origin},
    machine::Exit,
    step::Step,
    vmm::negotiate,
    world::{Arena, Config, Landing, Who, World},
};
use books::Books;
use ffa_abi::{EndpointId, Version, contract::Mode};
use machine::Live;
use port::Port;
use proxy_el2::{
    proxy::{Next, Pe, Proxy, Turn},
    vcpu::{Vcpu, VcpuId, VmIndex},
    vm::VmInfo,
};

/// A VM to build; the first one is the primary.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Strict or permissive.
    pub mode: Mode,
    /// The highest version that it may negotiate.
    pub version: Version,
    /// A vCPU on each core, instead of one that migrates; the primary has that always.
    pub pinned: bool,
}

/// The id of a VM.
pub const fn vm_id(vm: VmIndex) -> u16 {
    vm.0 as u16 + 1
}

/// What a vCPU does, or what happens to it.
#[derive(Clone, Debug)]
pub enum Act {
    /// It calls with these registers.
    Call(Frame),
    /// It waits for an interrupt with these registers; whether there is one.
    Wfi(Frame, bool),
    /// It is interrupted with these registers, and then it is somebody's turn.
    Interrupt(Frame, Turn),
    /// It has an SError.
    Abort,
    /// It changes its vector registers.
    Vectors,
    /// A partition that runs on its behalf does something; whose turn it is if that is an interrupt.
    Partition(Step, Turn),
}

/// One core, as the proxy knows it.
#[derive(Debug)]
struct Core<'c> {
    pe: Pe<'c, Gp>,
    live: Live,
    on: bool,
    kicked: bool,
}

/// The system.
#[derive(Debug)]
pub struct System<'c> {
    /// What is below.
    pub world: World<'c>,
    proxy: Proxy<'c, Gp>,
    cores: Vec<Core<'c>>,
    modes: Vec<Mode>,
    /// Which VMs have called something, for scripts.
    spoke: Vec<bool>,
    pub(crate) books: Books,
    /// Whether the primary has switched the machine off.
    pub ended: bool,
}

impl<'c> System<'c> {
    /// Builds a system; the primary's first vCPU has the first core.
    pub fn new(config: &Config, vms: &[Spec], arena: &'c mut Arena) -> Result<Self, String> {
        let mut world = World::with(config, &mut arena.contexts)?;
        let mut proxy = Proxy::new(negotiate(&mut world)?);
        let mut ids = Vec::new();
        for (number, spec) in vms.iter().enumerate() {
            let id = EndpointId(number as u16 + 1);
            let memory = (number as u64 + 1) << 16..(number as u64 + 2) << 16;
            let mut info = match number {
                0 => VmInfo::primary(id, memory),
                _ => VmInfo::secondary(id, memory),
            };
            (info.mode, info.version) = (spec.mode, spec.version);
            if number == 0 || spec.pinned {
                info.vcpus = config.cores as u8;
                for (core, place) in info.cores.iter_mut().enumerate() {
                    *place = (core < config.cores).then_some(core as u16);
                }
            }
            let count = info.vcpus;
            let vm = proxy.add(info).ok_or("the proxy takes no more VMs")?;
            ids.extend((0..count).map(|vcpu| VcpuId { vm, vcpu }));
        }
        arena.vcpus = ids
            .iter()
            .map(|id| {
                let origin = Origin::normal(vm_id(id.vm));
                let gp = Gp::new(world.labels.frame(origin), world.labels.sp(origin));
                Vcpu::new(gp, *id)
            })
            .collect();
        for vcpu in &mut arena.vcpus {
            let adopted = proxy.adopt(vcpu);
            adopted.map_err(|vcpu| format!("{:?} is not adopted", vcpu.id()))?;
        }
        let mut this = Self {
            world,
            proxy,
            cores: (0..config.cores)
                .map(|core| Core {
                    pe: Pe::new(core as u16),
                    live: Live::default(),
                    on: core == 0,
                    kicked: false,
                })
                .collect(),
            modes: vms.iter().map(|vm| vm.mode).collect(),
            spoke: vec![false; vms.len()],
            books: Books::default(),
            ended: false,
        };
        this.step(0, Act::Interrupt([0; 31], Turn::None))?;
        Ok(this)
    }

    /// Whether a core is on.
    pub fn is_on(&self, core: usize) -> bool {
        self.cores[core].on
    }

    /// Whether another core wants this one to look.
    pub fn is_kicked(&self, core: usize) -> bool {
        self.cores[core].kicked
    }

    /// The vCPUs of a core's chain.
    pub fn chain(&self, core: usize) -> Vec<VcpuId> {
        self.cores[core].pe.chain().to_vec()
    }

    /// How many VMs there are.
    pub fn vms(&self) -> usize {
        self.modes.len()
    }

    /// How many vCPUs a VM has.
    pub fn vcpus(&self, vm: VmIndex) -> u8 {
        self.proxy.info(vm).map_or(0, |info| info.vcpus)
    }

    /// Something happens on a core.
    pub fn step(&mut self, core: usize, act: Act) -> Result<(), String> {
        let before = self.chain(core);
        let top = before.last().copied();
        let mut below: Option<Landing> = None;
        if let (Some(id), Act::Call(x) | Act::Wfi(x, _) | Act::Interrupt(x, _)) = (top, &act) {
            let exit = match act {
                Act::Call(_) => Exit::Call,
                _ => Exit::Interrupted,
            };
            let sp = self.world.labels.sp(Origin::normal(vm_id(id.vm)));
            self.world.set_normal_sp(core, sp);
            let vcpu = self.cores[core].pe.running().ok_or("nobody runs")?;
            let gp = &mut vcpu.machine;
            (gp.x, gp.sent, gp.exit, gp.own_sp) = (*x, *x, exit, sp);
        }
        match &act {
            Act::Vectors => return self.vectors(core),
            Act::Partition(step, _) => {
                below = step.apply(&mut self.world)?;
                if below.is_none() {
                    return Ok(());
                }
            }
            _ => {}
        }
        if let (Act::Partition(step, _), Some(landing)) = (&act, below) {
            self.partition_has_acted(core, step, landing)?;
            if landing.who != Who::Normal {
                return Ok(());
            }
        }
        self.proxy_acts(core, &act, below)?;
        self.land(core, &act, &before)
    }

    /// The proxy does what follows, until a vCPU or a partition runs.
    fn proxy_acts(&mut self, core: usize, act: &Act, below: Option<Landing>) -> Result<(), String> {
        let (sp, vectors) = self.world.normal_live(core);
        let registers = (sp, vectors.clone());
        let Core { pe, live, .. } = &mut self.cores[core];
        let mut port = Port {
            turn: match act {
                Act::Interrupt(_, turn) | Act::Partition(Step::Interrupt { .. }, turn) => *turn,
                _ => Turn::None,
            },
            pending: matches!(act, Act::Wfi(_, true)),
            live,
            registers,
            looked: false,
            kicked: Vec::new(),
            powered: Vec::new(),
            left: Vec::new(),
            own_calls: 0,
        };
        let mut next = match act {
            Act::Call(_) => self.proxy.call(pe, &mut port),
            Act::Wfi(..) => self.proxy.wait(pe, &mut port),
            Act::Interrupt(..) => self.proxy.interrupt(pe, &mut port),
            Act::Abort => self.proxy.abort(pe, &mut port),
            Act::Vectors => Next::Vcpu,
            Act::Partition(..) => {
                let answer = self.world.registers(core);
                pe.el3.0.copy_from_slice(&answer[..18]);
                self.proxy.returned(pe, &mut port)
            }
        };
        let mut calls = 0;
        let mut landing = below;
        while next == Next::El3 {
            calls += 1;
            if calls > 4 {
                return Err("the proxy calls EL3 for ever".to_owned());
            }
            let mut x = self.world.labels.frame(Origin::Proxy);
            x[..18].copy_from_slice(&pe.el3.0);
            let vcpu = pe.running().ok_or("EL3 is called for nobody")?;
            let origin = Origin::normal(vm_id(vcpu.id().vm));
            self.world.cores[core].behind_proxy = Some((origin, vcpu.machine.sent));
            let landed = self.world.smc(core, Origin::Proxy, &x)?;
            landing = Some(landed);
            self.books.called(core, vcpu.id(), landed, &self.world)?;
            if landed.who != Who::Normal {
                break;
            }
            let answer = self.world.registers(core);
            pe.el3.0.copy_from_slice(&answer[..18]);
            next = self.proxy.returned(pe, &mut port);
        }
        let _ = landing;
        if port.own_calls > 0 {
            return Err("the proxy calls EL3 in its own name".to_owned());
        }
        let (looked, kicked, powered) = (port.looked, port.kicked, port.powered);
        if looked {
            self.cores[core].kicked = false;
        }
        for other in kicked.into_iter().map(usize::from) {
            self.cores[other].kicked |= self.cores[other].on;
        }
        for other in powered.into_iter().map(usize::from) {
            if !self.cores[other].on {
                self.cores[other].on = true;
                // It looks for its vCPU as soon as it is there.
                self.cores[other].kicked = true;
            }
        }
        match next {
            Next::PowerOff | Next::Reset => self.ended = true,
            Next::Idle if self.cores[core].pe.running_id().is_some() => {
                // A primary that waits; an interrupt ends it.
                return self.proxy_acts(core, &Act::Interrupt([0; 31], Turn::Level(0)), None);
            }
            _ => {}
        }
        Ok(())
    }

    /// A vCPU uses its vector registers: they are its own, and are changed.
    fn vectors(&mut self, core: usize) -> Result<(), String> {
        let Core { pe, live, .. } = &mut self.cores[core];
        let id = pe.running_id().ok_or("nobody runs")?;
        live.use_vectors(&mut self.world, pe, core, id);
        let vcpu = pe.running().ok_or("nobody runs")?;
        if *self.world.normal_live(core).1 != vcpu.machine.own_vectors {
            return Err(format!("{id:?} finds other vector registers than it left"));
        }
        let fresh = self.world.labels.vectors(Origin::normal(vm_id(id.vm)));
        vcpu.machine.own_vectors.clone_from(&fresh);
        self.world.set_normal_vectors(core, &fresh);
        Ok(())
    }
}
