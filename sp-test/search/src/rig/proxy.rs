//! The proxy in front of the SPMC, with its VMs.

use super::Rig;
use crate::{
    events::{Event, Whose},
    label::{self, Frame},
    state::Now,
    view::View,
    world::World,
};
use core::ops::Range;
use ffa_abi::{
    EndpointId, FfaError, Regs,
    messaging::Messaging,
    sharing::{Estates, Party, Pieces, View as Access},
};
use proxy_el2::{
    buffers::{Memory, Unreachable},
    forward::{El3, Upstream},
    proxy::{Machine, Next, Pe, Proxy, Turn},
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
            // Buffers and discovery are not searched.
            rx: 0,
            info_regs: false,
            sri: None,
            indirect: false,
            notifications: false,
        });
        for (number, vm) in world.vms.iter().enumerate() {
            let number = number as u8;
            let id = EndpointId(World::vm_id(number));
            let memory = world.entry(number)..world.entry(number) + 0x1000;
            let mut info = match number {
                0 => VmInfo::primary(id, memory),
                _ => VmInfo::secondary(id, memory),
            };
            if number == 0 {
                info.messaging = Messaging(1 << 1 | 1 << 10);
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

/// The machine during an event.
#[derive(Debug)]
struct Host {
    /// What a look for interrupts finds.
    turn: Turn,
    looked: bool,
    pending: bool,
    kicked: Vec<u16>,
    powered: Vec<u16>,
    left: Vec<VcpuId>,
    own_calls: usize,
}

impl Host {
    fn of(event: Event, on_top: usize) -> Self {
        Self {
            turn: match event {
                Event::Interrupt(Whose::Level(level)) => Turn::Level(usize::from(level)),
                Event::Interrupt(Whose::Proxy) => Turn::Nobody,
                Event::Interrupt(Whose::Nobody) => Turn::None,
                // A partition ended with FFA_INTERRUPT, and there was none.
                _ => Turn::Level(on_top),
            },
            looked: false,
            pending: event == Event::Wfi(true),
            kicked: Vec::new(),
            powered: Vec::new(),
            left: Vec::new(),
            own_calls: 0,
        }
    }
}

/// There is no memory here.
impl Memory for Host {
    fn open(&mut self, _: Range<u64>) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn close(&mut self, _: Range<u64>) {}

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn zero(&mut self, _: Range<u64>) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn read_rx(&mut self, _: usize, _: &mut [u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn write_tx(&mut self, _: &[u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }
}

/// None changes hands.
impl Estates for Host {
    fn grant(&mut self, _: Party, _: Pieces<'_>, _: Access) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    fn revoke(&mut self, _: Party, _: Pieces<'_>, _: Access) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    fn hide(&mut self, _: Party, _: Pieces<'_>, _: bool) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    fn show(&mut self, _: Party, _: Pieces<'_>, _: bool) {}

    fn give_up(&mut self, _: Party, _: Pieces<'_>, _: bool) {}

    fn zero(&mut self, _: Pieces<'_>, _: bool) {}
}

impl El3 for Host {
    fn smc(&mut self, regs: &mut Regs) {
        self.own_calls += 1;
        *regs = Regs::ZERO;
    }
}

impl Machine<General> for Host {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn interrupts(&mut self, _: &[VcpuId]) -> Turn {
        self.looked = true;
        self.turn
    }

    fn has_interrupt(&mut self, _: VcpuId) -> bool {
        self.pending
    }

    fn timer_ns(&mut self, _: VcpuId) -> Option<u64> {
        Some(TIMER)
    }

    fn leave(&mut self, vcpu: &mut Vcpu<General>) {
        self.left.push(vcpu.id());
    }

    fn slice(&mut self, _: bool) {}

    fn raise(&mut self, _: VcpuId, _: u32) {}

    fn kick(&mut self, core: u16) {
        self.kicked.push(core);
    }

    fn power_on(&mut self, core: u16) -> bool {
        self.powered.push(core);
        true
    }
}

impl Rig {
    fn vms(&mut self) -> Result<&mut Vms, String> {
        self.vms.as_mut().ok_or_else(|| "there is no VM".to_owned())
    }

    /// The core's own vCPU begins.
    pub(super) fn begin(&mut self, core: usize, after: &mut View) -> Result<(), String> {
        let Vms { proxy, cores } = self.vms()?;
        let next = proxy.begin(&mut cores[core]);
        let mut host = Host::of(Event::Start, 0);
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
        let mut host = Host::of(event, chain.saturating_sub(1));
        let Vms { proxy, cores } = self.vms()?;
        let pe = &mut cores[core];
        let next = match event {
            Event::Call(_) => proxy.call(pe, &mut host),
            Event::Wfi(_) => proxy.wait(pe, &mut host),
            Event::Interrupt(_) => proxy.interrupt(pe, &mut host),
            Event::Abort => proxy.abort(pe, &mut host),
            Event::Again => Next::El3,
            other => return Err(format!("{other} while a VM has the core")),
        };
        after.s.core[core].el3 = None;
        self.follow(core, after, next, &mut host)
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
        let mut host = Host::of(event, chain - 1);
        let answer = self.cores[core].nwd;
        let Vms { proxy, cores } = self.vms()?;
        let pe = &mut cores[core];
        pe.el3 = answer;
        let next = proxy.returned(pe, &mut host);
        self.follow(core, after, next, &mut host)
    }

    /// Does what the proxy wants until somebody runs.
    fn follow(
        &mut self,
        core: usize,
        after: &mut View,
        mut next: Next,
        host: &mut Host,
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
            let Vms { proxy, cores } = self.vms()?;
            cores[core].el3 = answer;
            next = proxy.returned(&mut cores[core], host);
        }
        match next {
            Next::Vcpu | Next::El3 => {}
            Next::Idle if self.vms()?.cores[core].running().is_none() => {}
            next => return Err(format!("the proxy goes on with {next:?}")),
        }
        if host.own_calls > 0 {
            return Err("the proxy calls EL3 in its own name".into());
        }
        if host.looked {
            after.s.core[core].kicked = false;
        }
        for other in &host.kicked {
            let other = &mut after.s.core[usize::from(*other)];
            other.kicked = !matches!(other.now, Now::Unborn | Now::Off);
        }
        for other in host.powered.iter().map(|other| usize::from(*other)) {
            let noted = &mut after.s.core[other];
            if matches!(noted.now, Now::Unborn | Now::Off) {
                noted.now = Now::Spmc;
                noted.started = 0;
                self.spmc.core_is_on(&mut self.cores[other]);
            }
        }
        self.left.append(&mut host.left);
        Ok(())
    }
}
