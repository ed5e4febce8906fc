//! The proxy in front of the SPMC, with its VMs.

mod host;

use super::Rig;
use crate::{
    calls::buffers,
    events::Event,
    label::{self, Frame},
    state::Now,
    view::View,
    world::{Who, World},
};
use core::ops::Range;
use ffa_abi::{EndpointId, messaging::Messaging};
use host::{Host, Seen};
use proxy_el2::{
    forward::Upstream,
    proxy::{Next, Pe, Proxy},
    vcpu::{Registers, Vcpu, VcpuId, VmIndex},
    vm::VmInfo,
};

/// What each secondary's WFI says of its timer, in nanoseconds.
pub const TIMER: u64 = 0x1_0000_0007;

/// The machine's part of a vCPU: general registers.
#[derive(Debug)]
pub struct General(pub Frame);

impl Registers for General {
    fn x(&mut self) -> &mut Frame {
        &mut self.0
    }

    fn start(&mut self, _entry: u64, context: u64) {
        self.0[0] = context;
    }
}

/// The proxy and its part of each core.
#[derive(Debug)]
pub struct Vms {
    pub(super) proxy: Proxy<'static, General>,
    pub(super) cores: Vec<Pe<'static, General>>,
}

impl Vms {
    /// The VMs of `world`. Their vCPUs stay for as long as the process.
    pub fn new(world: &World) -> Self {
        let mut proxy = Proxy::new(Upstream {
            version: World::version(world.upstream),
            spm_id: EndpointId::SPMC,
            direct2: true,
            // Discovery is not searched, and buffers are there from the start.
            rx: world.notified.map_or(0, |_| 0x1000),
            info_regs: false,
            sri: world.notified.map(|_| SRI),
            indirect: world.notified.is_some(),
            notifications: world.notified.is_some(),
        });
        for (number, vm) in world.vms.iter().enumerate() {
            let number = number as u8;
            let id = EndpointId(World::vm_id(number));
            let memory = match world.notified {
                Some(_) => memory_of(number),
                None => world.entry(number)..world.entry(number) + 0x1000,
            };
            let mut info = match number {
                0 => VmInfo::primary(id, memory),
                _ => VmInfo::secondary(id, memory),
            };
            if number == 0 {
                info.messaging = Messaging(1 << 1 | 1 << 10);
            }
            let who = Who::Vm(number);
            info.notifications = world.is_notified(who);
            if world.has_pair(who) {
                info.messaging = Messaging(info.messaging.0 | 1 << 2);
            }
            info.mode = vm.mode;
            info.vcpus = vm.vcpus;
            if world.pinned(number) {
                for (core, place) in info.cores.iter_mut().enumerate() {
                    *place = (core < usize::from(vm.vcpus)).then_some(core as u16);
                }
            }
            assert_eq!(proxy.add(info), Some(VmIndex(number)));
        }
        for (vm, vcpu) in &world.vcpus {
            let id = VcpuId {
                vm: VmIndex(*vm),
                vcpu: *vcpu,
            };
            let number = world.vcpu(*vm, *vcpu).unwrap_or_default();
            let general = General(label::frame(label::vcpu(number)));
            let adopted = proxy.adopt(Box::leak(Box::new(Vcpu::new(general, id))));
            assert!(adopted.is_ok(), "{id:?}");
        }
        Self {
            proxy,
            cores: (0..world.cores).map(|core| Pe::new(core as u16)).collect(),
        }
    }
}

/// The schedule receiver interrupt, as the SPMC names it.
const SRI: u32 = 8;

/// The memory of a VM that has buffers.
fn memory_of(vm: u8) -> Range<u64> {
    let (tx, _) = buffers(Who::Vm(vm));
    tx..tx + 0x1_0000
}

impl Rig {
    fn vms(&mut self) -> Result<&mut Vms, String> {
        self.vms.as_mut().ok_or_else(|| "there is no VM".to_owned())
    }

    /// The proxy, its part of a core, and the machine that it sees.
    fn proxy<'r>(
        &'r mut self,
        core: usize,
        seen: &'r mut Seen,
    ) -> Result<
        (
            &'r Proxy<'static, General>,
            &'r mut Pe<'static, General>,
            Host<'r>,
        ),
        String,
    > {
        let Vms { proxy, cores } = self.vms.as_mut().ok_or("there is no VM")?;
        let host = Host {
            seen,
            spmc: &self.spmc,
            pe: &mut self.cores[core],
            chip: &mut self.chip,
            general: self.general,
            asks: self.asks,
        };
        Ok((proxy, &mut cores[core], host))
    }

    /// The core's own vCPU begins.
    pub(super) fn begin(&mut self, core: usize, after: &mut View) -> Result<(), String> {
        let Vms { proxy, cores } = self.vms()?;
        let next = proxy.begin(&mut cores[core]);
        let mut host = Seen::of(Event::Start, 0);
        self.follow(core, after, next, &mut host)
    }

    /// Something happens while the proxy, or a VM, has the core.
    pub(super) fn vm_acts(
        &mut self,
        core: usize,
        after: &mut View,
        event: Event,
    ) -> Result<(), String> {
        let chain = after.s.core[core].chain.iter().flatten().count();
        let mut seen = Seen::of(event, chain.saturating_sub(1));
        let (proxy, pe, mut host) = self.proxy(core, &mut seen)?;
        let next = match event {
            Event::Call(_) => proxy.call(pe, &mut host),
            Event::Wfi(_) => proxy.wait(pe, &mut host),
            Event::Interrupt(_) => proxy.interrupt(pe, &mut host),
            Event::Abort => proxy.abort(pe, &mut host),
            Event::Again => Next::El3,
            other => return Err(format!("{other} while a VM has the core")),
        };
        after.s.core[core].el3 = None;
        self.follow(core, after, next, &mut seen)
    }

    /// A partition has given the core back to the proxy.
    pub(super) fn came_back(
        &mut self,
        core: usize,
        after: &mut View,
        event: Event,
    ) -> Result<(), String> {
        let chain = after.s.core[core].chain.iter().flatten().count();
        if chain == 0 {
            // A core of the SPMC's that boots.
            return Ok(());
        }
        let mut seen = Seen::of(event, chain - 1);
        let answer = self.cores[core].nwd;
        let (proxy, pe, mut host) = self.proxy(core, &mut seen)?;
        pe.el3 = answer;
        let next = proxy.returned(pe, &mut host);
        self.follow(core, after, next, &mut seen)
    }

    /// Does what the proxy wants until somebody runs.
    fn follow(
        &mut self,
        core: usize,
        after: &mut View,
        mut next: Next,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let mut calls = 0;
        while next == Next::El3 {
            if after.s.core[core].unsaved.is_some() {
                // The SPMC saves who has left before it is entered again.
                break;
            }
            calls += 1;
            if calls > 4 {
                return Err("the proxy calls EL3 for ever".into());
            }
            let call = self.vms()?.cores[core].el3;
            let pe = &mut self.cores[core];
            pe.nwd = call;
            let outcome = if self.general {
                self.spmc.handle_normal_world_general(pe, &mut self.chip)
            } else {
                self.spmc.handle_normal_world(pe, &mut self.chip)
            };
            self.outcome(core, after, outcome, None)?;
            if after.s.core[core].now != Now::NormalWorld {
                break;
            }
            let answer = self.cores[core].nwd;
            let (proxy, pe, mut host) = self.proxy(core, seen)?;
            pe.el3 = answer;
            next = proxy.returned(pe, &mut host);
        }
        match next {
            Next::Vcpu | Next::El3 => {}
            Next::Idle if self.vms()?.cores[core].running().is_none() => {}
            next => return Err(format!("the proxy goes on with {next:?}")),
        }
        if seen.own_calls > 0 {
            return Err("the proxy calls EL3 in its own name".into());
        }
        if seen.looked {
            after.s.core[core].kicked = false;
        }
        for other in &seen.kicked {
            let other = &mut after.s.core[usize::from(*other)];
            other.kicked = !matches!(other.now, Now::Unborn | Now::Off);
        }
        for other in seen.powered.iter().map(|other| usize::from(*other)) {
            let noted = &mut after.s.core[other];
            if matches!(noted.now, Now::Unborn | Now::Off) {
                noted.now = Now::Spmc;
                noted.started = 0;
                self.spmc.core_is_on(&mut self.cores[other]);
            }
        }
        self.left.append(&mut seen.left);
        let raised = seen.raised.drain(..);
        let raised = raised.map(|(vcpu, intid)| (vcpu.vm.0, vcpu.vcpu, intid));
        after.raised.extend(raised);
        Ok(())
    }
}
